"""Errors for damaged image files; ITK alone would silently repair half of them."""

from __future__ import annotations

import bz2
import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GenSegLib.datasets.image_io import (
    Volume,
    read_image,
    read_label,
    read_segment_names,
    write_image,
    write_label,
)
from GenSegLib.errors import GenSegError
from Testing.volume_files import (
    SUFFIXES,
    numbered_volume,
    oblique_affine,
    patch_bytes,
    write_array,
    write_dicom_series,
)


@pytest.mark.parametrize(
    ("name", "array", "color", "message"),
    [
        ("a.nrrd", np.ones((2, 3, 4, 5), np.float32), False, "a 4-D image of 5 x 4 x 3 x 2 voxels"),
        ("a.nii", np.ones((9, 3, 4, 5), np.float32), False, "5 x 4 x 3 x 9 voxels, but at most 8"),
        ("a.nii.gz", np.ones((3, 4, 5), np.complex64), False, "complex"),
    ],
    ids=["4-D", "9 channels", "complex"],
)
@pytest.mark.parametrize("read", [read_image, read_label])
def test_time_series_and_complex_images_are_refused(
    tmp_path: Path, read: type, name: str, array: np.ndarray, color: bool, message: str
) -> None:
    path = write_array(tmp_path / name, array, color=color)
    with pytest.raises(GenSegError, match=message):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinite_voxels_are_counted_and_refused(
    tmp_path: Path, suffix: str, value: float
) -> None:
    volume = numbered_volume(np.eye(4))
    volume.array[0, 1, 2] = value
    path = tmp_path / f"a{suffix}"
    write_image(path, volume)
    with pytest.raises(GenSegError, match="3 voxels are NaN or infinite"):
        read_image(path)
    read = read_image(path, finite=False)
    np.testing.assert_array_equal(np.isfinite(read.array), np.isfinite(volume.array))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.02, 0.6, 0.97])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, numbered_volume(oblique_affine(), (20, 20, 20)))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(GenSegError, match=r"a\.(nii|nii\.gz|nrrd|mha): "):
        read_image(path)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    write_image(path, numbered_volume(np.eye(4), (20, 20, 20)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(GenSegError, match="truncated or damaged"):
        read_image(path)


def test_missing_voxels_in_an_intact_gzip_are_found(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii", numbered_volume(np.eye(4)))
    data = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(data[:-4]))
    with pytest.raises(GenSegError, match=r"truncated \(588 of 592 bytes\)"):
        read_image(tmp_path / "b.nii.gz")


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha", "a.mhd", "a.gipl", "a"])
@pytest.mark.parametrize("content", [b"", b"this is not an image " * 50])
def test_files_that_are_not_images_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GenSegError, match=name):
        read_image(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match=r"absent\.nii\.gz: cannot be read .No such file"):
        read_image(tmp_path / "absent.nii.gz")


@pytest.mark.parametrize("step", [0.0, float("nan")])
def test_a_nifti_spacing_that_is_not_positive_is_refused(tmp_path: Path, step: float) -> None:
    write_image(tmp_path / "a.nii", numbered_volume(np.eye(4)))
    path = patch_bytes(tmp_path / "a.nii", 80, "<f", step)
    with pytest.raises(GenSegError, match="not positive; correct it"):
        read_image(path)


def test_an_nrrd_encoding_that_itk_lacks_is_named(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.nrrd", np.ones((3, 4, 5), np.float32))
    head, voxels = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(
        head.replace(b"encoding: raw", b"encoding: bzip2") + b"\n\n" + bz2.compress(voxels)
    )
    with pytest.raises(GenSegError, match=r"encoding bzip2 is not supported.* encoding gzip"):
        read_image(path)


def test_axes_that_are_not_orthogonal_are_refused(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.nrrd", np.ones((3, 4, 5), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(0,0,1)", b"(0,0.5,1)"))
    with pytest.raises(GenSegError, match="not orthogonal"):
        read_image(path)


def test_errors_are_one_line_and_libraries_print_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.mha", numbered_volume(np.eye(4), (20, 20, 20)))
    (tmp_path / "a.mha").write_bytes((tmp_path / "a.mha").read_bytes()[:900])
    write_image(tmp_path / "b.nii", numbered_volume(np.eye(4)))
    patch_bytes(tmp_path / "b.nii", 252, "<h", 0)
    patch_bytes(tmp_path / "b.nii", 280, "<4f", 1, 0.5, 0, 0)
    write_dicom_series(tmp_path / "ct", [0, 2, 6, 8])
    capfd.readouterr()
    for path in (tmp_path / "a.mha", tmp_path / "b.nii", tmp_path / "ct", tmp_path):
        with pytest.raises(GenSegError) as caught:
            read_image(path)
        assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")
    print("after reading", file=sys.stderr)
    assert capfd.readouterr().err == "after reading\n", "standard error works again"


# Not .mha: ITK's MetaIO overruns buffers if the header of a compressed file is damaged.
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".seg.nrrd"])
@settings(deadline=None, max_examples=40)
@given(damage=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=3))
def test_a_damaged_header_gives_a_volume_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, damage: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    label = Volume(np.ones((1, 6, 5, 4), np.int16), np.eye(4))
    write_label(path, label, {1: "Liver"})
    data = bytearray(path.read_bytes())
    for offset, value in damage:
        data[offset % len(data)] = value
    path.write_bytes(data)
    for read in (read_image, read_label, read_segment_names):
        try:
            read(path)
        except GenSegError as error:
            assert len(str(error).splitlines()) == 1
