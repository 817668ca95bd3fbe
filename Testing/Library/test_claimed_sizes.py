"""Headers that claim more voxels than there are: one line, at once, and no memory asked for."""

from __future__ import annotations

import gzip
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from GenSegLib.dicom.lengths import claims_too_much
from GenSegLib.errors import GenSegError
from GenSegLib.images import claimed_sizes
from GenSegLib.images.claimed_sizes import HARMLESS, require_plausible
from GenSegLib.images.image_io import Volume, read_image, read_label, write_image
from GenSegLib.images.quiet import quiet
from Testing.volume_files import write_array, write_dicom_series

EDGES = (10240, 10240, 10485)  # together 2^40 voxels


def nifti(folder: Path, name: str) -> Path:
    write_image(folder / "x.nii", Volume(np.zeros((1, 4, 4, 4), np.int16), np.eye(4)))
    data = bytearray((folder / "x.nii").read_bytes())
    struct.pack_into("<8h", data, 40, 3, *EDGES, 1, 1, 1, 1)
    packed = name.endswith(".gz")
    (folder / name).write_bytes(gzip.compress(bytes(data)) if packed else bytes(data))
    return folder / name


def with_text_header(folder: Path, name: str, key: bytes) -> Path:
    write_array(folder / name, np.zeros((4, 4, 4), np.int16))
    text = (folder / name).read_bytes()
    sizes = " ".join(map(str, EDGES)).encode()
    (folder / name).write_bytes(text.replace(key + b"4 4 4", key + sizes))
    return folder / name


def nrrd(folder: Path, name: str) -> Path:
    return with_text_header(folder, name, b"sizes: ")


def metaimage(folder: Path, name: str) -> Path:
    return with_text_header(folder, name, b"DimSize = ")


def gipl(folder: Path, name: str) -> Path:
    data = bytearray(256)
    struct.pack_into(">4H", data, 0, *EDGES, 1)
    struct.pack_into(">H", data, 8, 15)
    struct.pack_into(">4f", data, 10, 1, 1, 1, 1)
    struct.pack_into(">I", data, 252, 719555000)
    (folder / name).write_bytes(data)
    return folder / name


def dicom(folder: Path, name: str) -> Path:
    """Slices whose headers say 65535 rows and columns."""
    write_dicom_series(folder / name, [0, 2, 4])
    for path in (folder / name).iterdir():
        data = path.read_bytes()
        rows_and_columns = rb"(\x28\x00[\x10\x11]\x00(?:US\x02\x00|\x02\x00\x00\x00))(..)"
        harmed = re.sub(rows_and_columns, lambda one: one[1] + b"\xff\xff", data, flags=re.DOTALL)
        path.write_bytes(harmed)
    return folder / name


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (nifti, "a.nii"),
        (nifti, "a.nii.gz"),
        (nrrd, "a.nrrd"),
        (metaimage, "a.mha"),
        (metaimage, "a.mhd"),
        (gipl, "a.gipl"),
        (dicom, "series"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_header_of_a_trillion_voxels_is_refused_before_memory_is_asked_for(
    tmp_path: Path, make: type, name: str
) -> None:
    path = make(tmp_path, name)
    tracemalloc.start()
    with pytest.raises(GenSegError, match=r"the header claims .* more than its .* bytes"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < HARMLESS / 100
    tracemalloc.stop()


def test_what_packs_tightly_and_is_there_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimed_sizes, "HARMLESS", 0)
    write_image(tmp_path / "a.nii.gz", Volume(np.zeros((1, 90, 90, 90), np.int16), np.eye(4)))
    assert read_label(tmp_path / "a.nii.gz").shape == (90, 90, 90)


def test_more_than_the_machine_has_is_said(tmp_path: Path) -> None:
    with (tmp_path / "huge.nrrd").open("wb") as stream:
        stream.truncate(1 << 42)  # a hole in the file system, not data
    with pytest.raises(GenSegError, match=r"4 TB of voxels do not fit the \d+ GB memory"):
        require_plausible(tmp_path / "huge.nrrd", 1 << 42, [tmp_path / "huge.nrrd"])


@pytest.mark.parametrize("packed", ["short", "long"])
def test_packed_voxels_of_a_metaimage_that_are_not_as_many_as_it_says_are_refused(
    tmp_path: Path, packed: str
) -> None:
    write_array(tmp_path / "a.mha", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.mha").read_bytes()
    header = text[: text.index(b"ElementDataFile")].replace(b"Data = False", b"Data = True")
    data = zlib.compress(bytes({"short": 100, "long": 10_000}[packed]))
    (tmp_path / "a.mha").write_bytes(header + b"ElementDataFile = LOCAL\n" + data)
    with pytest.raises(GenSegError, match=r"truncated|makes no sense"):
        read_image(tmp_path / "a.mha")


@pytest.mark.parametrize(
    "line", [b"NDims = 99", b"Comment = " + b"x" * 3000, b"NDims = 3\nNDims = 3"]
)
def test_a_metaimage_whose_fields_overrun_itks_memory_is_refused(
    tmp_path: Path, line: bytes
) -> None:
    write_array(tmp_path / "a.mha", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(text.replace(b"NDims = 3", line))
    with pytest.raises(GenSegError, match="makes no sense"):
        read_image(tmp_path / "a.mha")


@pytest.mark.parametrize(
    "line", [b"foo: " + b"x" * 3000, b"kinds: " + b"domain " * 300, b"y" * 900]
)
def test_a_nrrd_whose_fields_overrun_itks_memory_is_refused(tmp_path: Path, line: bytes) -> None:
    write_array(tmp_path / "a.nrrd", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.nrrd").read_bytes()
    (tmp_path / "a.nrrd").write_bytes(text.replace(b"\n\n", b"\n" + line + b"\n\n", 1))
    with pytest.raises(GenSegError, match="makes no sense"):
        read_image(tmp_path / "a.nrrd")


@pytest.mark.parametrize("ending", ["nrrd", "nhdr"])
@pytest.mark.parametrize("place", ["-", "/dev/stdin", "/dev/zero", "LIST", "a%d.raw 1 4 1", "gone"])
def test_a_nrrd_whose_voxels_are_in_no_plain_file_is_refused(
    tmp_path: Path, place: str, ending: str
) -> None:
    """`-` is standard input, for which the reader would wait for ever."""
    write_array(tmp_path / "a.nrrd", np.zeros((4, 4, 4), np.int16))
    header = (tmp_path / "a.nrrd").read_bytes().partition(b"\n\n")[0]
    path = tmp_path / f"b.{ending}"
    path.write_bytes(header + f"\nData File: {place}\n".encode())
    with pytest.raises(GenSegError, match="its voxels are looked for in"):
        read_image(path)


def test_a_nrrd_with_long_texts_of_its_own_is_read(tmp_path: Path) -> None:
    write_array(tmp_path / "a.nrrd", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.nrrd").read_bytes()
    longer = b"\n# " + b"x" * 5000 + b"\nNote:=" + b"a: b " * 1000 + b"\n\n"
    (tmp_path / "a.nrrd").write_bytes(text.replace(b"\n\n", longer, 1))
    assert read_image(tmp_path / "a.nrrd").shape == (4, 4, 4)


@pytest.mark.parametrize(
    "element",
    [
        "0200 0201 4f42 0000 feff ffef",
        "0200 0201 fe5b 5b5b",
        "1000 2000 feff ffef",
        "feff 00e0 feff ffef",
    ],
    ids=["in the file's own part", "of no known kind", "in the patient's part", "an item"],
)
def test_a_dicom_element_that_claims_more_than_its_file_is_refused(
    tmp_path: Path, element: str
) -> None:
    """GDCM would ask for 4 GB first."""
    write_dicom_series(tmp_path / "ct", [0, 2, 4])
    path = sorted((tmp_path / "ct").iterdir())[0]
    data, added = path.read_bytes(), bytes.fromhex(element)
    assert not claims_too_much(path)
    place = 132 if added.startswith(b"\2") else data.index(bytes.fromhex("0800 1600"))
    path.write_bytes(data[:place] + added + data[place:])
    assert claims_too_much(path)
    with pytest.raises(GenSegError, match="truncated or damaged"):
        read_image(tmp_path / "ct")


def test_no_dicom_file_that_pydicom_ships_and_itk_reads_claims_too_much() -> None:
    """Compressed, big-endian, implicit, nested and multi-frame ones among them."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    refused = [path for path in sorted(folder.glob("*.dcm")) if claims_too_much(path)]
    with quiet():
        assert [path.name for path in refused if is_read(path)] == []


def is_read(path: Path) -> bool:
    try:
        sitk.ReadImage(str(path))
    except RuntimeError:
        return False
    return True
