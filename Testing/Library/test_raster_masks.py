"""Masks in PNG, JPEG, TIFF and GIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raster_pictures import HEIGHT, WIDTH, gradient, save, square

from GenSegLib.case_annotation import Annotation
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import IGNORE


def test_a_mask_in_the_transparency_alone_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[4:12, 6:14, 3] = 255
    with pytest.raises(GenSegError, match="drawn in the transparency"):
        read_label(save(tmp_path / "a.png", pixels))


def test_black_and_white_masks_are_0_and_1(tmp_path: Path) -> None:
    expected = square(value=1).T
    for mode in ("L", "RGB", "1"):
        read = read_label(save(tmp_path / f"{mode}.png", square(), mode))
        np.testing.assert_array_equal(read.array[0, ..., 0], expected)


def test_gray_values_and_palette_indices_are_labels(tmp_path: Path) -> None:
    mask = np.maximum(square(value=1), square(3, 5, 2))
    np.testing.assert_array_equal(
        read_label(save(tmp_path / "a.png", mask)).array[0, ..., 0], mask.T
    )
    written = Volume(mask.T[None, ..., None].astype(np.int16), np.eye(4))
    write_label(tmp_path / "b.png", written, {1: "one", 2: "two"}, {1: (255, 0, 0)})
    np.testing.assert_array_equal(read_label(tmp_path / "b.png").array, written.array)
    with Image.open(tmp_path / "b.png") as image:
        assert image.convert("RGB").getpixel((2, 2)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["noise.jpg", "antialiased.png"])
def test_a_mask_with_noise_is_thresholded_and_said(tmp_path: Path, name: str) -> None:
    big = np.kron(square(), np.ones((16, 16), np.uint8))[3:, 5:]
    if name.endswith("png"):
        turned = Image.fromarray(big).resize((300, 250), Image.Resampling.BICUBIC)
        big = np.asarray(turned)
    said: list[str] = []
    label = read_label(save(tmp_path / name, big), warn=said.append)
    np.testing.assert_array_equal(label.array[0, ..., 0], (big >= 128).T)
    assert len(said) == 1 and "it was thresholded at 128" in said[0]


@pytest.mark.parametrize("pixels", [(0, 255), (0, 1, 255), (*range(12), 255)])
def test_white_pixels_are_ignored_where_the_list_says_so(
    tmp_path: Path, pixels: tuple[int, ...]
) -> None:
    """The usual value to ignore in 2-D data sets, also in a mask with nothing else."""
    mask = np.resize(np.array(pixels, np.uint8), (HEIGHT, WIDTH))
    path = save(tmp_path / "a.png", mask)
    classes = {value: f"class {value}" for value in range(1, 12)}
    label = read_label(path, classes=classes, annotation=Annotation(values={255: IGNORE}))
    assert np.array_equal(label.array[0, ..., 0].T == IGNORE, mask == 255)
    assert set(np.unique(label.array)) == {*pixels[:-1], IGNORE}


def test_a_class_may_have_the_value_of_white(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", square())
    assert read_label(path, classes={1: "one", 255: "other"}).array.max() == 255
    assert read_label(path, classes={1: "one"}).array.max() == 1


def test_label_values_in_a_jpeg_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", np.kron(square(value=1), np.ones((16, 16), np.uint8)))
    grays = save(tmp_path / "b.jpg", np.kron(square(value=100), np.ones((16, 16), np.uint8)))
    wide = np.kron(square(1, 9, 150), np.ones((16, 16), np.uint8))
    for each in (path, grays, save(tmp_path / "c.jpg", wide)):
        with pytest.raises(GenSegError, match="a mask in JPEG must be black and white; save it as"):
            read_label(each)


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_black_and_white_may_have_any_indices_in_a_palette(tmp_path: Path, name: str) -> None:
    mask = square(value=1)
    image = Image.fromarray(1 - mask).convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(tmp_path / name)
    np.testing.assert_array_equal(read_label(tmp_path / name).array[0, ..., 0], mask.T)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_pure_colors_are_the_same_values_in_all_masks(tmp_path: Path, name: str) -> None:
    """Red is 1 and green 2, whether a mask has both or one of them."""
    red, green = square(2, 5), square(5, 8)
    for colors, expected in (
        ((red, green), red // 255 + green // 255 * 2),
        ((red * 0, green), green // 255 * 2),
    ):
        pixels = np.kron(np.stack([*colors, red * 0], -1), np.ones((16, 16, 1), np.uint8))
        said: list[str] = []
        label = read_label(
            save(tmp_path / name, pixels, quality=95, subsampling=0), warn=said.append
        )
        wrong = label.array[0, ..., 0] != np.kron(expected, np.ones((16, 16))).T
        assert wrong.mean() < 0.01
        assert len(said) == 1 and "colors of the mask were taken as label values" in said[0]


def test_white_beside_colors_is_refused(tmp_path: Path) -> None:
    """White alone is 1, as red is."""
    pixels = np.stack([square(), square(), square(2, 4)], -1)
    with pytest.raises(GenSegError, match="a mask in color"):
        read_label(save(tmp_path / "a.png", pixels))


def test_a_mask_in_color_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="a mask in color; save it in gray"):
        read_label(save(tmp_path / "a.png", gradient()))


def test_a_png_mask_labels_a_2d_image_of_another_format(tmp_path: Path) -> None:
    affine = np.diag([0.5, 0.5, 1, 1])
    image = Volume(gradient(1).T[..., None].reshape(1, WIDTH, HEIGHT, 1), affine)
    write_image(tmp_path / "a.nrrd", image)
    label = read_label(save(tmp_path / "m.png", square()), read_image(tmp_path / "a.nrrd"))
    np.testing.assert_array_equal(label.array[0, ..., 0], square(value=1).T)
    np.testing.assert_allclose(label.affine, affine)


def test_several_classes_get_different_colors(tmp_path: Path) -> None:
    values = np.zeros((1, 8, 8, 1), np.int16)
    values[0, :3], values[0, 3:6] = 1, 2
    write_label(tmp_path / "a.png", Volume(values, np.eye(4)), {1: "one", 2: "two"})
    with Image.open(tmp_path / "a.png") as image:
        colors = {image.convert("RGB").getpixel((x, 0)) for x in (0, 4, 7)}
    assert len(colors) == 3 and (0, 0, 0) in colors


def test_masks_of_16_bits(tmp_path: Path) -> None:
    white = square(value=1).astype(np.uint16)
    read = read_label(save(tmp_path / "white.png", white * 65535))
    np.testing.assert_array_equal(read.array[0, ..., 0], white.T)
    read = read_label(save(tmp_path / "values.png", white * 300))
    assert set(np.unique(read.array)) == {0, 300}
    with pytest.raises(GenSegError, match=r"label value 40000 is outside 0\.\.32767"):
        read_label(save(tmp_path / "large.png", white * 40000))
