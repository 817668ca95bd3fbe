"""The whole workflow without network access, and with patient names in every image header.

Check, train, predict, evaluate and report run with sockets disabled; then every byte that they
wrote or printed is searched for the names.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from tiny_training import STEPS, few_channels

from GenSegLib.cli import main
from GenSegLib.datasets.image_io import write_label
from GenSegLib.presets import load_preset
from Testing.conftest import draw_tiny_pair

NAMES = ("Ermintrude", "Quackenbush", "MRN-7731904", "19530217")
NAME = f"{NAMES[1]}^{NAMES[0]}"
PERSONAL = {
    "0010|0010": NAME,
    "0010|0020": NAMES[2],
    "0010|0030": NAMES[3],
    "0008|0090": f"Dr^{NAME}",
    "0008|103e": f"scan of {NAME}",
    "0020|4000": f"{NAME} {NAMES[2]}",
}
PATIENT_AND_STUDY = {"PatientName", "PatientID", "PatientBirthDate", "ReferringPhysicianName"}
NIFTI_TEXTS = {14: 17, 148: 79, 228: 23, 328: 15}  # db_name, descrip, aux_file, intent_name


class Workflow(NamedTuple):
    """Outputs of the workflow."""

    outputs: tuple[Path, ...]
    seg: Path
    printed: str
    codes: dict[str, int]


def to_itk(array: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(array[0].T.astype(np.int16))


def write_nrrd(path: Path, array: np.ndarray) -> Path:
    image = to_itk(array)
    for key, value in {"patient": NAME, "comment": NAMES[2], "born": NAMES[3]}.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path


def write_nifti(path: Path, array: np.ndarray) -> Path:
    sitk.WriteImage(to_itk(array), str(path))
    data = bytearray(path.read_bytes())
    for place, length in NIFTI_TEXTS.items():
        data[place : place + length] = f"{NAME} {NAMES[2]}".encode()[:length].ljust(length, b" ")
    path.write_bytes(data)
    return path


def write_dicom(folder: Path, array: np.ndarray) -> Path:
    folder.mkdir()
    place = {"0020|0037": "1\\0\\0\\0\\1\\0", "0008|0060": "MR", "0020|000e": "1.2.3"}
    place |= {"0020|0052": "1.2.4", "0020|000d": "1.2.5", "0018|0050": "1"}
    for k, values in enumerate(np.moveaxis(array[0], 2, 0).astype(np.int16)):
        image = sitk.GetImageFromArray(values.T[np.newaxis])
        own = {"0020|0032": f"0\\0\\{k}", "0008|0018": f"1.2.3.{k + 1}", "0020|0013": str(k + 1)}
        for key, value in {**place, **own, **PERSONAL}.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{k:03d}.dcm"))
        writer.Execute(image)
    return folder


def write_cases(folder: Path) -> list[Path]:
    """Write three cases, one of each format, listed in a cases.json; return their images."""
    folder.mkdir()
    pairs = [draw_tiny_pair(seed=k, shape=(16, 16, 16)) for k in range(3)]
    images = [
        write_nrrd(folder / "a.nrrd", pairs[0][0].array),
        write_nifti(folder / "b.nii", pairs[1][0].array),
        write_dicom(folder / "c", pairs[2][0].array),
    ]
    entries = []
    for image, (_, label) in zip(images, pairs):
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        name = image.name.split(".")[0]
        write_label(folder / f"{name}_label.nii.gz", label.__class__(label.array, affine))
        entries.append({"name": name, "image": image.name, "label": f"{name}_label.nii.gz"})
    labels = {"1": "Anterior", "2": "Posterior"}
    content = {"cases": entries, "labels": labels, "modality": "MR"}
    (folder / "cases.json").write_text(json.dumps(content))
    return images


def no_network(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("network access")


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Run check, train, predict, evaluate and report with sockets disabled."""
    folder = tmp_path_factory.mktemp("workflow")
    images = write_cases(folder / "cases")
    references = folder / "labels"
    references.mkdir()
    for image in images:
        name = image.name.split(".")[0]
        data = (folder / "cases" / f"{name}_label.nii.gz").read_bytes()
        (references / f"{name}.nii.gz").write_bytes(data)
    run, out = folder / "run", folder / "predictions"
    steps = {**STEPS, "validation_interval": 6, "threads": 1}
    small = load_preset("hippocampus-mri").to_json()
    preset = folder / "small.json"
    preset.write_text(json.dumps({**small, "patch_size": [16, 16, 16], "segmenter": "unet"}))
    settings = [part for item in steps.items() for part in ("--set", "{}={}".format(*item))]
    commands: dict[str, list[object]] = {
        "check": [folder / "cases"],
        "train": [folder / "cases", "--preset", preset, "--out", run, *settings],
        "predict": [run, *images, "--out", out, "--uncertainty"],
        "predict --format dcm": [run, images[2], "--out", folder / "seg"],
        "evaluate": ["--predictions", out, "--references", references, "--report", run],
    }
    codes, printed = {}, folder / "printed.txt"
    with (
        pytest.MonkeyPatch.context() as patch,
        few_channels(),
        printed.open("w", encoding="ascii") as stream,
    ):
        patch.setattr(socket, "socket", no_network)
        patch.setattr(socket, "getaddrinfo", no_network)
        patch.setattr("sys.stdout", stream)
        patch.setattr("sys.stderr", stream)
        for command, arguments in commands.items():
            codes[command] = main([*command.split(), *map(str, arguments)])
    yield Workflow(
        (run, out, printed), folder / "seg" / "c.dcm", printed.read_text(encoding="ascii"), codes
    )


def unpacked(data: bytes) -> Iterator[bytes]:
    """The bytes of a file, and of everything in it that is compressed with deflate."""
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    for found in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]", data[:100_000]):
        unpacker = zlib.decompressobj(wbits=47)
        try:
            yield unpacker.decompress(data[found.start() :], 1 << 24)
        except zlib.error:
            continue


def found_in(data: bytes) -> set[str]:
    texts = [(name, name.encode(code)) for name in NAMES for code in ("ascii", "utf-16-le")]
    return {name for piece in unpacked(data) for name, text in texts if text in piece}


def test_the_input_images_contain_the_names(tmp_path: Path) -> None:
    for image in write_cases(tmp_path / "cases"):
        for file in image.iterdir() if image.is_dir() else [image]:
            assert NAMES[1] in found_in(file.read_bytes()), file


def test_the_workflow_needs_no_network(workflow: Workflow) -> None:
    assert len(workflow.codes) == 5
    assert set(workflow.codes.values()) == {0}, workflow.printed
    assert (workflow.outputs[0] / "report.html").is_file()


def test_no_output_contains_a_patient_name(workflow: Workflow) -> None:
    files = [
        file
        for output in workflow.outputs
        for file in (output.rglob("*") if output.is_dir() else [output])
        if file.is_file()
    ]
    assert len(files) > 20
    found = {str(file): names for file in files if (names := found_in(file.read_bytes()))}
    assert found == {}


def test_a_dicom_seg_names_its_patient_only_where_the_standard_requires_it(
    workflow: Workflow,
) -> None:
    content = pydicom.dcmread(workflow.seg)
    named = {each.keyword for each in content.iterall() if found_in(str(each.value).encode())}
    assert named <= PATIENT_AND_STUDY
    for keyword in named:
        delattr(content, keyword)
    stream = io.BytesIO()
    content.save_as(stream)
    assert found_in(stream.getvalue()) == set()
    assert str(pydicom.dcmread(workflow.seg).PatientName) == NAME
