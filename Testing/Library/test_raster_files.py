"""Pictures: PNG, JPEG, TIFF and BMP as images and as masks, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name
from PIL import Image
from raster_pictures import HEIGHT, WIDTH, gradient, save, square

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.planning.fingerprint import summarize_cases


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_a_volume_of_one_slice_in_pixels(
    tmp_path: Path, name: str, channels: int
) -> None:
    pixels = gradient(channels)
    volume = read_image(save(tmp_path / name, pixels), dtype=None)
    assert volume.shape == (WIDTH, HEIGHT, 1)
    np.testing.assert_array_equal(volume.array[..., 0], pixels.transpose(2, 1, 0))
    assert (volume.unit, volume.spacing) == ("px", (1, 1, 1))


def test_3d_slicer_shows_a_picture_at_the_same_place(tmp_path: Path) -> None:
    """ITK, with which 3D Slicer reads pictures, and we agree on the position."""
    path = save(tmp_path / "a.png", gradient(1))
    itk = sitk.ReadImage(str(path))
    left, back = itk.TransformIndexToPhysicalPoint((3, 2))
    np.testing.assert_allclose(read_image(path).affine @ (3, 2, 0, 1), (-left, -back, 0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_kept(tmp_path: Path, channels: int) -> None:
    pixels = gradient(channels, np.uint16) * 100
    image = sitk.GetImageFromArray(pixels.squeeze(), isVector=channels > 1)
    sitk.WriteImage(image, str(tmp_path / "a.png"))
    read = read_image(tmp_path / "a.png", dtype=None)
    np.testing.assert_array_equal(read.array[..., 0], pixels.transpose(2, 1, 0))


def test_transparency_is_dropped_and_said(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", gradient(4))
    volume = read_image(path)
    assert len(volume.array) == 3
    assert volume.warnings == ("the transparency of the image was dropped",)


def test_the_orientation_of_a_camera_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    path = save(tmp_path / "a.png", gradient(), exif=exif)
    assert read_image(path).shape == (HEIGHT, WIDTH, 1)


def test_colors_of_16_bits_that_are_turned_by_a_tag_are_refused(tmp_path: Path) -> None:
    """ITK reads them with 8 bits, and not always upright."""
    tifffile = pytest.importorskip("tifffile")
    tag = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", gradient(3, np.uint16), photometric="rgb", extratags=tag)
    with pytest.raises(GenSegError, match=r"a\.tif: colors .* turned by an orientation tag"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_2d_files_of_other_formats_have_one_slice(tmp_path: Path, name: str) -> None:
    image = sitk.GetImageFromArray(gradient(1).squeeze())
    image.SetSpacing((0.5, 0.7))
    sitk.WriteImage(image, str(tmp_path / name))
    volume = read_image(tmp_path / name)
    np.testing.assert_array_equal(volume.array[0, ..., 0], gradient(1).squeeze().T)
    np.testing.assert_allclose(volume.spacing, (0.5, 0.7, 1), atol=1e-6)
    assert volume.unit == "mm"
    label = Volume((volume.array > 50).astype(np.int16), volume.affine)
    write_label(tmp_path / "label.nii.gz", label, like=tmp_path / name)
    read = read_label(tmp_path / "label.nii.gz", volume)
    np.testing.assert_array_equal(read.array, label.array)


def test_a_palette_of_grays_is_gray(tmp_path: Path) -> None:
    image = Image.fromarray(gradient(1)[..., 0]).convert("P")
    image.putpalette([value for value in range(256) for _ in range(3)])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png").array[..., 0], gradient(1).transpose(2, 1, 0)
    )


def test_of_a_phones_file_the_photo_is_read(tmp_path: Path) -> None:
    """Phones put previews and depth maps behind the photo, into a file named like a JPEG."""
    photo, preview = (Image.fromarray(gradient()[::step, ::step]) for step in (1, 2))
    photo.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    assert read_image(tmp_path / "a.jpg").array.shape == (3, WIDTH, HEIGHT, 1)


def animated(path: Path) -> None:
    frames = [Image.fromarray(square(value=value)) for value in (50, 90)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def truncated(path: Path) -> None:
    save(path, np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:2500])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.gif", animated, "2 frames or pages; save each as an image of its own"),
        ("a.jpg", truncated, "truncated or damaged"),
        ("a.jpg", lambda path: save(path, gradient(), "CMYK"), "CMYK; convert .* to RGB"),
        ("a.png", lambda path: save(path, np.zeros((1, 1), np.uint8)), "1 x 1 pixels"),
        ("a.png", lambda path: path.write_bytes(b"no picture"), "not an image, or of a kind"),
        ("a.jpg", lambda path: path.write_bytes(b""), "the file is empty; copy or export it again"),
        ("a.png", lambda path: None, "cannot be read"),
    ],
    ids=["animated", "truncated", "CMYK", "1 pixel", "no picture", "empty", "missing"],
)
def test_bad_pictures_are_refused_in_one_line(
    tmp_path: Path, name: str, make: object, message: str
) -> None:
    make(tmp_path / name)  # type: ignore[operator]
    for read in (read_image, read_label):
        with pytest.raises(GenSegError, match=rf"{name}: .*{message}") as caught:
            read(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def test_folders_of_pictures_and_masks_are_cases(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "images" / f"{name}.jpg", gradient())
    save(tmp_path / "masks" / "a.png", square())
    a, b = read_cases(tmp_path).cases
    assert (a.name, a.label, a.role) == ("a", tmp_path / "masks" / "a.png", Role.TRAIN)
    assert (b.name, b.role) == ("b", Role.UNLABELED)


def test_pictures_beside_volumes_are_no_cases(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.nii.gz").touch()
    save(tmp_path / "images" / "screenshot.png", gradient())
    assert [case.name for case in read_cases(tmp_path).cases] == ["a"]


def test_another_size_and_mixed_colors_are_errors_of_the_check(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH, 3), np.uint8)
    cases = []
    for k, (mode, mask) in enumerate((("RGB", square()), ("L", square()), ("RGB", square()[1:]))):
        image = save(tmp_path / f"{k}.png", noise[k], mode)
        cases.append(Case(str(k), image, save(tmp_path / f"{k}_mask.png", mask)))
    good, gray, smaller = check_cases(CaseSet(tuple(cases), {1: "lesion"}))
    assert good.ok and good.unit == "px"
    assert gray.errors == (
        "the image has 1 channel, but case 0 has 3; save all in gray or all in color",
    )
    assert "the mask has 12 x 9 pixels, but the image has 12 x 10" in smaller.errors[0]


@pytest.mark.parametrize(
    ("colored", "channels"), [((), 1), ((0,), 3)], ids=["all gray", "one in color"]
)
def test_gray_images_in_color_are_gray_unless_others_are_in_color(
    tmp_path: Path, colored: tuple[int, ...], channels: int
) -> None:
    """As X-rays and ultrasound are often exported."""
    noise = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH, 3), np.uint8)
    cases = []
    for k in range(3):
        pixels = noise[k] if k in colored else np.repeat(noise[k][..., :1], 3, axis=-1)
        image = save(tmp_path / f"{k}.png", pixels, "RGB")
        cases.append(Case(str(k), image, save(tmp_path / f"{k}_mask.png", square())))
    found = [check.fingerprint for check in check_cases(CaseSet(tuple(cases), {1: "lesion"}))]
    assert {len(each.foreground) for each in found if each} == {channels}
    assert summarize_cases([each for each in found if each]).channels == channels


def test_gray_images_in_gray_and_in_color_are_alike(tmp_path: Path) -> None:
    gray = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH), np.uint8)
    cases = []
    for k, mode in enumerate(("RGB", "L", "RGB")):
        pixels = np.repeat(gray[k][..., None], 3, axis=-1)
        image = save(tmp_path / f"{k}.png", pixels, mode)
        cases.append(Case(str(k), image, save(tmp_path / f"{k}_mask.png", square())))
    checks = check_cases(CaseSet(tuple(cases), {1: "lesion"}))
    assert all(check.ok for check in checks)
    assert {check.fingerprint.channels for check in checks if check.fingerprint} == {1}


def test_float_pictures_keep_their_values(tmp_path: Path) -> None:
    pixels = gradient(1).squeeze().astype(np.float32) / 7
    volume = read_image(save(tmp_path / "a.tif", pixels))
    np.testing.assert_array_equal(volume.array[0, ..., 0], pixels.T)
    mask = square(value=1).astype(np.float32)
    np.testing.assert_array_equal(
        read_label(save(tmp_path / "m.tif", mask)).array[0, ..., 0], mask.T
    )
    with pytest.raises(GenSegError, match="not a mask"):
        read_label(save(tmp_path / "half.tif", mask / 2))


def test_a_tiff_of_several_pages_is_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(square(value=value)) for value in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(GenSegError, match=r"a\.tif: 3 frames or pages; save each as an image"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_written_as_they_are_read(tmp_path: Path, channels: int) -> None:
    volume = read_image(save(tmp_path / "a.png", gradient(channels)), dtype=None)
    write_image(tmp_path / "b.png", volume)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").array, volume.array)
    with pytest.raises(GenSegError, match="holds one slice of 8 bits in gray or RGB"):
        write_image(tmp_path / "c.png", Volume(volume.array.astype(float), volume.affine))


def test_tiff_colors_of_16_bits_are_kept(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = gradient(3, np.uint16) * 100
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    read = read_image(tmp_path / "a.tif", dtype=None)
    np.testing.assert_array_equal(read.array[..., 0], pixels.transpose(2, 1, 0))
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "b.tif", pixels.transpose(2, 0, 1), **planes)
    tifffile.imwrite(tmp_path / "c.tif", pixels, photometric="rgb", tile=(16, 16))
    for name in ("b.tif", "c.tif"):
        with pytest.raises(GenSegError, match="16 bits in separate planes or tiles"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_x_rays_whose_0_is_white_are_inverted(tmp_path: Path, dtype: type) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = gradient(1, dtype).squeeze()
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    read = read_image(tmp_path / "a.tif", dtype=None).array[0, ..., 0]
    np.testing.assert_array_equal(read, np.iinfo(dtype).max - pixels.T)
