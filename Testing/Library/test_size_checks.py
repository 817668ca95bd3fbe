"""Damaged headers that would make ITK or GDCM allocate too much, overrun buffers, or hang."""

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
import SimpleITK as sitk  # noqa: N813 - the usual name

from GenSegLib.datasets.image_io import Volume, read_image, write_image
from GenSegLib.dicom.elements import exceeds_file
from GenSegLib.errors import GenSegError
from GenSegLib.images.itk_files import suppress_stderr
from GenSegLib.images.size_checks import ALWAYS_ALLOWED, require_plausible_size
from Testing.volume_files import write_array, write_dicom_series

SHAPE = (10240, 10240, 10485)  # 2^40 voxels


def nifti(folder: Path, name: str) -> Path:
    write_image(folder / "x.nii", Volume(np.zeros((1, 4, 4, 4), np.int16), np.eye(4)))
    data = bytearray((folder / "x.nii").read_bytes())
    struct.pack_into("<8h", data, 40, 3, *SHAPE, 1, 1, 1, 1)
    content = bytes(data)
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


def _with_text_header(folder: Path, name: str, key: bytes) -> Path:
    write_array(folder / name, np.zeros((4, 4, 4), np.int16))
    sizes = " ".join(map(str, SHAPE)).encode()
    text = (folder / name).read_bytes()
    (folder / name).write_bytes(text.replace(key + b"4 4 4", key + sizes))
    return folder / name


def nrrd(folder: Path, name: str) -> Path:
    return _with_text_header(folder, name, b"sizes: ")


def metaimage(folder: Path, name: str) -> Path:
    return _with_text_header(folder, name, b"DimSize = ")


def gipl(folder: Path, name: str) -> Path:
    data = bytearray(256)
    struct.pack_into(">4H", data, 0, *SHAPE, 1)
    struct.pack_into(">H", data, 8, 15)
    struct.pack_into(">4f", data, 10, 1, 1, 1, 1)
    struct.pack_into(">I", data, 252, 719555000)
    (folder / name).write_bytes(data)
    return folder / name


def dicom(folder: Path, name: str) -> Path:
    """Slices whose headers declare 65535 rows and columns."""
    write_dicom_series(folder / name, [0, 2, 4])
    for path in (folder / name).iterdir():
        rows_and_columns = rb"(\x28\x00[\x10\x11]\x00(?:US\x02\x00|\x02\x00\x00\x00))(..)"
        data = re.sub(
            rows_and_columns,
            lambda match: match[1] + b"\xff\xff",
            path.read_bytes(),
            flags=re.DOTALL,
        )
        path.write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((nifti, "a.nii"), (nifti, "a.nii.gz"), (nrrd, "a.nrrd"), (metaimage, "a.mha")),
        *((metaimage, "a.mhd"), (gipl, "a.gipl"), (dicom, "series")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trillion_declared_voxels_are_refused_before_memory_is_allocated(
    tmp_path: Path, make: type, name: str
) -> None:
    path = make(tmp_path, name)
    tracemalloc.start()
    with pytest.raises(GenSegError, match=r"the header declares .* more than its .* bytes"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < ALWAYS_ALLOWED / 100
    tracemalloc.stop()


def test_an_image_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "huge.nrrd").open("wb") as stream:
        stream.truncate(1 << 42)  # a sparse file
    with pytest.raises(GenSegError, match=r"4 TB of voxels exceed this computer's memory \(\d+ GB"):
        require_plausible_size(tmp_path / "huge.nrrd", 1 << 42, [tmp_path / "huge.nrrd"])


@pytest.mark.parametrize("size", [100, 10_000])
def test_a_metaimage_with_too_few_or_too_many_compressed_voxels_is_refused(
    tmp_path: Path, size: int
) -> None:
    write_array(tmp_path / "a.mha", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.mha").read_bytes()
    header = text[: text.index(b"ElementDataFile")].replace(b"Data = False", b"Data = True")
    data = zlib.compress(bytes(size))
    (tmp_path / "a.mha").write_bytes(header + b"ElementDataFile = LOCAL\n" + data)
    with pytest.raises(GenSegError, match=r"truncated|invalid MetaImage header"):
        read_image(tmp_path / "a.mha")


@pytest.mark.parametrize(
    "line", [b"NDims = 99", b"Comment = " + b"x" * 3000, b"NDims = 3\nNDims = 3"]
)
def test_a_metaimage_header_that_would_overrun_buffers_is_refused(
    tmp_path: Path, line: bytes
) -> None:
    write_array(tmp_path / "a.mha", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(text.replace(b"NDims = 3", line))
    with pytest.raises(GenSegError, match="invalid MetaImage header"):
        read_image(tmp_path / "a.mha")


@pytest.mark.parametrize("line", [b"kinds: " + b"domain " * 300, b"y" * 900])
def test_a_nrrd_header_that_would_overrun_buffers_is_refused(tmp_path: Path, line: bytes) -> None:
    write_array(tmp_path / "a.nrrd", np.zeros((4, 4, 4), np.int16))
    text = (tmp_path / "a.nrrd").read_bytes()
    (tmp_path / "a.nrrd").write_bytes(text.replace(b"\n\n", b"\n" + line + b"\n\n", 1))
    with pytest.raises(GenSegError, match="invalid NRRD header"):
        read_image(tmp_path / "a.nrrd")


@pytest.mark.parametrize("data_file", ["-", "/dev/zero", "LIST", "a%d.raw 1 4 1", "missing"])
def test_a_nrrd_whose_data_file_is_not_a_file_is_refused(tmp_path: Path, data_file: str) -> None:
    """`-` is standard input, for which the reader would wait forever."""
    write_array(tmp_path / "a.nrrd", np.zeros((4, 4, 4), np.int16))
    header = (tmp_path / "a.nrrd").read_bytes().partition(b"\n\n")[0]
    path = tmp_path / "b.nhdr"
    path.write_bytes(header + f"\nData File: {data_file}\n".encode())
    with pytest.raises(GenSegError, match=r"the data file .* is missing"):
        read_image(path)


def test_a_nrrd_with_long_comments_and_custom_values_is_read(tmp_path: Path) -> None:
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
    ids=["file meta information", "unknown representation", "data set", "item"],
)
def test_a_dicom_element_that_exceeds_the_file_is_refused(tmp_path: Path, element: str) -> None:
    write_dicom_series(tmp_path / "ct", [0, 2, 4])
    path = sorted((tmp_path / "ct").iterdir())[0]
    data, added = path.read_bytes(), bytes.fromhex(element)
    assert not exceeds_file(path)
    offset = 132 if added.startswith(b"\2") else data.index(bytes.fromhex("0800 1600"))
    path.write_bytes(data[:offset] + added + data[offset:])
    assert exceeds_file(path)
    with pytest.raises(GenSegError, match="truncated or damaged"):
        read_image(tmp_path / "ct")


def test_all_readable_test_files_of_pydicom_pass() -> None:
    """Compressed, big-endian, implicit, nested and multi-frame ones among them."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    refused = [path for path in sorted(folder.glob("*.dcm")) if exceeds_file(path)]
    with suppress_stderr():
        assert [path.name for path in refused if _is_readable(path)] == []


def _is_readable(path: Path) -> bool:
    try:
        sitk.ReadImage(str(path))
    except RuntimeError:
        return False
    return True
