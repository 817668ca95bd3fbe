"""Names that tell who the patient is stay out of runs, reports and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from tiny_models import PRESET, save_tiny_model

from GenSegLib.cases import Case, CaseSet
from GenSegLib.cli import main
from GenSegLib.data.checks import check_cases
from GenSegLib.dicom.patient import find_identifying
from Testing.dicom_files import write_ct

LAYERS = [0.0, 2.0]


def write_series(folder: Path, source: Path, name: str, number: str, removed: str = "") -> Path:
    def change(k: int, one: pydicom.Dataset) -> None:
        one.PatientName, one.PatientID = name, number
        if removed:
            one.PatientIdentityRemoved = removed

    return write_ct(folder, source, LAYERS, change)


@pytest.mark.parametrize(
    "name",
    ["DOE_JANE", "ct-doe-2024", "Jane", "4711-0815", "47110815", "scan 47110815", "doe^jane"],
)
def test_a_name_with_the_patients_name_or_id_is_found(
    tmp_path: Path, abdomen: Path, name: str
) -> None:
    series = write_series(tmp_path / "ct", abdomen / "dicom_ct3", "Doe^Jane^^Dr", "4711-0815")
    assert find_identifying(["liver_1", name], series) == name


@pytest.mark.parametrize("name", ["liver_1", "janet", "case_4711", "dr", ""])
def test_other_names_are_fine(tmp_path: Path, abdomen: Path, name: str) -> None:
    series = write_series(tmp_path / "ct", abdomen / "dicom_ct3", "Doe^Jane^^Dr", "4711-0815")
    assert find_identifying([name], series) == ""


def test_pseudonyms_are_fine(tmp_path: Path, abdomen: Path) -> None:
    source = abdomen / "dicom_ct3"
    removed = write_series(tmp_path / "a", source, "LIDC-0001", "LIDC-0001", "YES")
    assert find_identifying(["LIDC-0001"], removed) == ""
    nobody = write_series(tmp_path / "b", source, "Anonymous^Patient", "")
    assert find_identifying(["anonymous_patient_3"], nobody) == ""


def test_check_refuses_a_case_whose_path_names_the_patient(tmp_path: Path, abdomen: Path) -> None:
    series = write_series(tmp_path / "DOE^JANE" / "ct", abdomen / "dicom_ct3", "Doe^Jane", "1")
    (check,) = check_cases(CaseSet((Case("case_1", series),)))
    assert check.faults == (
        "'DOE^JANE' is named like the patient in its DICOM header, and names go into runs, reports "
        "and files; rename the folder",
    )


def test_predict_warns_of_a_file_named_after_the_patient(
    tmp_path: Path, abdomen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_tiny_model(tmp_path / "model", replace(PRESET, patch_size=(64, 56, 8), spacing=None))
    series = write_series(tmp_path / "doe", abdomen / "dicom_ct3", "Doe^Jane", "1")
    command = ["predict", tmp_path / "model", series, "--out", tmp_path / "out", "--device", "cpu"]
    assert main([str(part) for part in command]) == 0
    assert "doe: is named like the patient in its DICOM header" in capsys.readouterr().err
