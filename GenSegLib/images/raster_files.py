"""Read and write photos and other raster images: PNG, JPEG, TIFF, BMP, WebP.

A raster image is a volume of one slice in pixels, its rows to the left and its columns to the back
as ITK and 3D Slicer place it. Masks become label values by `_to_labels`.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import GenSegError
from .file_names import JPEG_SUFFIXES
from .itk_files import suppress_stderr, write_verified
from .label_colors import class_colors
from .label_counts import require_label_values
from .mask_colors import (
    FEW_VALUES,
    HALF,
    NEARLY_ALL,
    NOISE,
    gray_of_palette,
    values_of_colors,
)
from .volume import LPS_TO_RAS, Volume

Array = NDArray[Any]

_GRAY, _COLOR = ("1", "L", "I;16", "I;16B", "I;16L", "I", "F"), "RGB"
_ALPHA = {"LA": "L", "La": "L", "PA": "P", "RGBA": "RGB", "RGBa": "RGB"}
_CMYK = ("CMYK", "YCbCr", "LAB", "HSV")
_PHONE = "MPO"  # JPEG of a phone, with previews or depth maps behind the photo
_BITS_PER_SAMPLE, _BYTE, _PLANES, _SEPARATE = 258, 8, 284, 2  # of TIFF
_PHOTOMETRIC, _MIN_IS_WHITE, _TILE_WIDTH = 262, 0, 322
_ORIENTATION, _UPRIGHT = 274, 1  # of TIFF
_MIN_SIZE = 8  # pixels along each axis
_WHITE, _DEEP_WHITE = 255, 65535
_NOT_BLACK_AND_WHITE = "{}: a mask in JPEG must be black and white; save it as PNG"


def read_raster(path: Path) -> Volume:
    """Read an image (channel, x, y, 1) with the file's type; gray has one channel, color three.

    Orientation of EXIF is applied, palettes are expanded (one of grays to gray), and transparency
    is dropped with a warning. Of a phone's JPEG with further images (MPO) the photo is read.

    Raises:
        GenSegError: the file is unreadable or truncated, has several pages or frames, is CMYK, or
            has less than 8 pixels along an axis.
    """
    with _opened(path) as file:
        has_alpha = file.mode in _ALPHA or "transparency" in file.info
        is_indexed = file.mode in ("P", "PA")
        if _has_deep_colors(file):
            array = _read_deep_colors(path)
        else:
            image = ImageOps.exif_transpose(file)
            if is_indexed or image.mode in _ALPHA:
                opaque = _ALPHA.get(image.mode, "RGB")
                image = image.convert("RGB" if opaque == "P" else opaque)
            array = _pixels(image, file)
            if is_indexed and (np.ptp(array, axis=2) == 0).all():
                array = array[..., 0]
    if array.dtype == bool:
        array = array.astype(np.uint8)
    lost = ("the transparency of the image was dropped",) if has_alpha else ()
    return replace(_to_volume(array), warnings=lost)


def read_raster_label(path: Path, known: Collection[int] = ()) -> Volume:
    """Read a mask as int16 (1, x, y, 1): indices of a palette or gray values, or 0 and 255 as 0/1.

    Black and white in a palette count as such, whatever their indices. Transparency is dropped.
    Masks with intermediate values (antialiased, or compressed as JPEG) are thresholded, and pure
    colors become values (see `mask_colors.values_of_colors`), both with a warning.

    Args:
        path: of the file.
        known: values that have a meaning of their own. With 255 among them, such as for pixels to
            ignore, white is not 1.

    Raises:
        GenSegError: as `read_raster`; or the mask has other colors, or is drawn in the transparency
            alone.
    """
    with _opened(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.mode in ("RGBA", "LA", "PA"):
            _require_visible(path, image)
            image = image.convert({"PA": "P"}.get(image.mode, image.mode.removesuffix("A")))
        array, is_jpeg = _pixels(image, file), path.suffix.lower() in JPEG_SUFFIXES
        if image.mode == "P":
            array = gray_of_palette(array, np.reshape(image.getpalette("RGB") or [], (-1, 3)))
    note = ""
    if array.ndim == 3 and np.ptp(array, axis=2).max() <= (NOISE if is_jpeg else 0):
        array = array[..., 0]
    if array.ndim == 3:
        array, note = _from_colors(path, array, is_jpeg=is_jpeg)
        is_jpeg = False
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all():
        raise GenSegError(f"{path}: not a mask (some values are not whole numbers)")
    if array.dtype.kind not in "iu":
        array = array.astype(np.uint8 if array.dtype == bool else np.int64)
    labels, threshold = _to_labels(path, array, set(known), is_jpeg=is_jpeg)
    note = note or threshold
    require_label_values(path, labels)
    return replace(_to_volume(labels.astype(np.int16)), warnings=(note,) if note else ())


def write_raster(path: Path, array: Array) -> None:
    """Write an image (channel, x, y, 1) of 8 bits, gray or RGB, as PNG.

    Raises:
        GenSegError: the image has several slices, another type, or cannot be written.
    """
    channels, slices = len(array), array.shape[3]
    if slices != 1 or channels not in (1, 3) or array.dtype != np.uint8:
        raise GenSegError(
            f"{path}: a PNG holds one slice of 8 bits in gray or RGB, not {slices} of {channels} "
            f"channels in {array.dtype}; choose nii.gz"
        )
    pixels = np.ascontiguousarray(array[..., 0].transpose(2, 1, 0))
    _save_png(path, Image.fromarray(pixels if channels == 3 else pixels[..., 0]))


def _save_png(path: Path, image: Image.Image) -> None:
    def write(temporary: Path) -> None:
        image.save(temporary, format="PNG")
        with _without_warnings(), Image.open(temporary) as written:
            written.load()

    write_verified(path, write)


def write_raster_label(
    path: Path, label: Array, colors: Mapping[int, tuple[int, int, int]] | None = None
) -> None:
    """Write label values (1, x, y, 1) as a PNG with a palette, or above 255 in 16-bit gray.

    Raises:
        GenSegError: the label has several slices, or the file cannot be written.
    """
    if label.shape[3] != 1:
        raise GenSegError(f"{path}: a PNG holds one slice, not {label.shape[3]}; choose nii.gz")
    values = label[0, :, :, 0].T
    if values.max(initial=0) > _WHITE:
        image = Image.fromarray(values.astype(np.uint16))
    else:
        image = Image.fromarray(values.astype(np.uint8))
        palette = np.zeros((256, 3), np.uint8)
        palette[1:] = list(class_colors(range(1, 256), colors or {}).values())
        image.putpalette(palette.ravel().tolist())
    _save_png(path, image)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image of a supported kind; its pixels are decoded within the block."""
    try:
        with _without_warnings(), Image.open(path) as image:
            _require_supported(path, image)
            yield image
    except Image.DecompressionBombError:
        raise GenSegError(f"{path}: too many pixels; crop or shrink it") from None
    except FileNotFoundError:
        raise GenSegError(f"{path}: cannot be read (No such file); check the path") from None
    except UnidentifiedImageError:
        if path.stat().st_size == 0:
            raise GenSegError(f"{path}: the file is empty; copy or export it again") from None
        is_tiff = path.suffix.lower() in (".tif", ".tiff")
        kinds = " (TIFF with 64 bits or with colors in floating point)" if is_tiff else ""
        raise GenSegError(
            f"{path}: not an image, or of a kind that is not supported{kinds}; save it in gray or "
            "RGB of 8 or 16 bits"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise GenSegError(
            f"{path}: not a readable image, truncated or damaged "
            f"({str(error).splitlines()[0] if str(error) else 'unknown format'}); copy or export "
            "the file again"
        ) from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress warnings of many pixels and of unusual metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _require_supported(path: Path, image: Image.Image) -> None:
    if getattr(image, "n_frames", 1) > 1 and image.format != _PHONE:
        raise GenSegError(
            f"{path}: {getattr(image, 'n_frames', 1)} frames or pages; save each as an image of "
            "its own"
        )
    if image.mode in _CMYK:
        raise GenSegError(f"{path}: colors in {image.mode}; convert the image to RGB")
    if image.mode not in (*_GRAY, _COLOR, "P", *_ALPHA):
        raise GenSegError(
            f"{path}: pixels of type {image.mode} are not supported; save the image in gray or "
            "RGB of 8 or 16 bits"
        )
    tags = getattr(image, "tag_v2", {})
    if _has_deep_colors(image) and (tags.get(_PLANES) == _SEPARATE or _TILE_WIDTH in tags):
        raise GenSegError(
            f"{path}: colors of 16 bits in separate planes or tiles; save the TIFF with "
            "interleaved colors and without tiles, or as PNG"
        )
    if _has_deep_colors(image) and tags.get(_ORIENTATION, _UPRIGHT) != _UPRIGHT:
        raise GenSegError(
            f"{path}: colors of 16 bits, turned by an orientation tag; turn the image itself and "
            "save it without the tag"
        )
    if min(image.size) < _MIN_SIZE:
        raise GenSegError(
            f"{path}: an image of {image.width} x {image.height} pixels; at least {_MIN_SIZE} "
            "along each side are required"
        )


def _has_deep_colors(image: Image.Image) -> bool:
    """Whether colors have 16 bits, of which Pillow would read 8."""
    tags = getattr(image, "tag_v2", {})  # of TIFF
    deepest = max(tags.get(_BITS_PER_SAMPLE, (0,)))
    is_deep = deepest > _BYTE or any(";16" in str(tile[3]) for tile in getattr(image, "tile", []))
    return image.mode.startswith("RGB") and is_deep


def _pixels(image: Image.Image, file: Image.Image) -> Array:
    """Return rows and columns of an image that was read from a file.

    Pillow inverts TIFF in which 0 is white, but not with 16 bits.
    """
    array: Array = np.asarray(image)
    is_inverted = getattr(file, "tag_v2", {}).get(_PHOTOMETRIC) == _MIN_IS_WHITE
    return _DEEP_WHITE - array if is_inverted and array.dtype == np.uint16 else array


def _require_visible(path: Path, image: Image.Image) -> None:
    """Refuse a mask of one color under a transparency that varies."""
    lows, highs = zip(*image.convert("RGBA").getextrema())
    if lows[:3] == highs[:3] and lows[3] < highs[3]:
        raise GenSegError(
            f"{path}: the mask is drawn in the transparency of an image of one color; save it in "
            "black and white"
        )


def _from_colors(path: Path, array: Array, *, is_jpeg: bool) -> tuple[Array, str]:
    found = values_of_colors(array, is_jpeg=is_jpeg)
    if found is None:
        raise GenSegError(
            f"{path}: a mask in color; save it in gray (0 and 255, or label values), with a "
            "palette, or in pure colors (red, green, blue, ...) on black"
        )
    return found


def _read_deep_colors(path: Path) -> Array:
    with suppress_stderr():
        array: Array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    return array[..., :3]


def _to_volume(array: Array) -> Volume:
    """Return rows and columns (y, x) or (y, x, channel) as a volume."""
    array = array[..., np.newaxis] if array.ndim == 2 else array
    return Volume(
        np.array(array.transpose(2, 1, 0)[..., np.newaxis]),
        LPS_TO_RAS.copy(),
        has_position=False,
        unit="px",
    )


def _to_labels(path: Path, values: Array, known: set[int], *, is_jpeg: bool) -> tuple[Array, str]:
    """Return label values, and what was done to get them."""
    found, counts = np.unique(values, return_counts=True)
    if set(found.tolist()) <= {0, *known}:
        return values, ""
    if set(found.tolist()) in ({0}, {_WHITE}, {0, _WHITE}, {_DEEP_WHITE}, {0, _DEEP_WHITE}):
        return (values > 0).astype(np.uint8), ""
    if is_jpeg and found.max() < HALF:
        raise GenSegError(_NOT_BLACK_AND_WHITE.format(path))
    is_extreme = (found <= NOISE) | ((found >= _WHITE - NOISE) & (found <= _WHITE))
    is_blurred = counts[is_extreme].sum() >= NEARLY_ALL * counts.sum()
    if is_jpeg and not is_blurred:
        raise GenSegError(_NOT_BLACK_AND_WHITE.format(path))
    if not is_jpeg and not (
        is_blurred and len(found) > FEW_VALUES and found.max() >= _WHITE - NOISE
    ):
        return values, ""
    between = int(counts[(found > 0) & (found < _WHITE)].sum())
    note = f"the mask has {between} pixels between black and white; it was thresholded at {HALF}"
    white = _WHITE if _WHITE in known else 1
    return np.where(values >= HALF, np.int16(white), np.int16(0)), note
