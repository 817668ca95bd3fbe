"""Names that identify the patient are kept out of runs, reports and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from command_line import genseg
from tiny_models import PRESET, save_tiny_model

from GenSegLib.cases import Case, CaseSet
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.dicom.patient import ADVICE, find_identifying
from Testing.dicom_files import write_ct


def write_series(
    folder: Path, source: Path, name: str, patient_id: str, deidentified: str = ""
) -> Path:
    def change(k: int, one: pydicom.Dataset) -> None:
        one.PatientName, one.PatientID = name, patient_id
        if deidentified:
            one.PatientIdentityRemoved = deidentified

    return write_ct(folder, source, [0.0, 2.0], change)


def test_names_with_the_patients_name_or_id_are_found(tmp_path: Path, abdomen: Path) -> None:
    series = write_series(tmp_path / "ct", abdomen / "dicom_ct3", "Doe^Jane^^Dr", "4711-0815")
    for name in ("DOE_JANE", "ct-doe-2024", "Jane", "4711-0815", "scan 47110815", "doe^jane"):
        assert find_identifying(["liver_1", name], series) == name
    for name in ("liver_1", "janet", "case_4711", "dr", ""):
        assert find_identifying([name], series) == ""


@pytest.mark.parametrize(
    ("patient", "deidentified", "name"),
    [(("LIDC-0001", "LIDC-0001"), "YES", "LIDC-0001"), (("Anonymous^Patient", ""), "", "patient")],
)
def test_pseudonyms_are_allowed(
    tmp_path: Path, abdomen: Path, patient: tuple[str, str], deidentified: str, name: str
) -> None:
    series = write_series(tmp_path / "a", abdomen / "dicom_ct3", *patient, deidentified)
    assert find_identifying([name], series) == ""


def test_a_case_whose_path_identifies_the_patient_is_an_error(
    tmp_path: Path, abdomen: Path
) -> None:
    series = write_series(tmp_path / "DOE^JANE" / "ct", abdomen / "dicom_ct3", "Doe^Jane", "1")
    (check,) = check_cases(CaseSet((Case("case_1", series),)))
    assert check.errors == (f"'DOE^JANE' {ADVICE}",)


def test_prediction_warns_about_a_file_named_after_the_patient(
    tmp_path: Path, abdomen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_tiny_model(tmp_path / "model", replace(PRESET, patch_size=(64, 56, 8), spacing=None))
    series = write_series(tmp_path / "doe", abdomen / "dicom_ct3", "Doe^Jane", "1")
    command = ["predict", tmp_path / "model", series, "--out", tmp_path / "out", "--device", "cpu"]
    assert genseg(*command) == 0
    assert f"doe: {ADVICE}" in capsys.readouterr().err
