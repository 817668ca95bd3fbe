"""Reading and writing of volumes in any file format."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from ..case_annotation import COMPLETE, Annotation
from ..dicom import seg_reader
from ..dicom.files import is_planar_file, is_segmentation
from ..dicom.planar import read_planar
from ..dicom.terminology import ConceptKey, parse_terminology
from ..errors import GenSegError
from ..files import file_version
from ..images import itk_files
from ..images.file_names import is_raster_file, split_frame
from ..images.label_counts import require_label_values
from ..images.label_placement import PlacedLabel, place_label
from ..images.label_regions import region_layers
from ..images.nifti import (
    is_nifti_file,
    read_header,
    read_nifti,
    require_valid_nifti,
    write_nifti,
)
from ..images.nifti_header import is_nifti_name
from ..images.nrrd_files import is_in_pixels, is_stack_file
from ..images.raster_files import read_raster, read_raster_label, write_raster, write_raster_label
from ..images.seg_nrrd import Segment, parse_segments, segment_header
from ..images.segment_overlaps import flatten_layers
from ..images.volume import Volume, on_same_grid, select_frame
from ..label_maps import Concepts, match_names
from ..nesting import Includes
from .annotated_voxels import finalize_label, remap_values, special_segments
from .itk_volumes import from_itk, load_channels, load_itk, require_real, to_itk

__all__ = [
    "Volume",
    "on_same_grid",
    "read_image",
    "read_label",
    "read_segment_names",
    "write_image",
    "write_label",
]

_WHOLE_TOLERANCE = 1e-3


def read_image(path: Path, *, finite: bool = True, dtype: DTypeLike | None = np.float32) -> Volume:
    """Read a volume (channel, x, y, z) from a file or a DICOM series folder.

    Channels are the values of a voxel, or lie along the fourth axis of a NIfTI file, or in files
    (`channels.read_channels`). A 2-D image has one slice; a clip (DICOM, NRRD) is a stack.

    Args:
        path: file or folder, or a frame of a file (`file_names.frame_path`).
        finite: refuse NaN and infinite voxels.
        dtype: voxel type; None keeps that of the file, which saves memory, and the file's memory
            layout (x fastest).

    Raises:
        GenSegError: the image is missing, unreadable, truncated, has more than `MAX_CHANNELS`
            channels, an invalid grid, or, with `finite`, NaN or infinite voxels.
    """
    volume = _read(path)
    if dtype is not None:
        array = volume.array.astype(dtype, order="C", copy=False)
        volume = replace(volume, array=np.ascontiguousarray(array))
    is_float = volume.array.dtype.kind == "f"
    if is_float and finite and (count := volume.array.size - np.isfinite(volume.array).sum()):
        raise GenSegError(
            f"{path}: {count} voxels are NaN or infinite; replace them or leave the case out"
        )
    return volume


def read_label(
    path: Path,
    grid: Volume | None = None,
    classes: Mapping[int, str] | None = None,
    warn: Callable[[str], None] = lambda _: None,
    *,
    terminology: Mapping[int, str] | None = None,
    ignore_unknown: bool = False,
    annotation: Annotation = COMPLETE,
    includes: Includes | None = None,
    file_order: bool = False,
) -> Volume:
    """Read a label volume as int16 (1, x, y, z); floats close to whole numbers are accepted.

    Overlapping segments of a `.seg.nrrd` or DICOM SEG are merged, the later over the earlier, and
    inner classes over those around them; `read_segment_names` returns their names. Voxels of a
    segment *Ignore*, and others that nobody annotated, are `IGNORE`.

    Args:
        path: of the file, or a frame of it.
        grid: the labeled image, on whose grid the label is placed by `place_label`.
        classes: name of each class; segments get the value of the class with their name, and the
            values of files without names stay as they are.
        warn: receives what was lost or unclear: overwritten segments, position.
        terminology: entry of each class as 3D Slicer serializes it, for segments whose names are
            not among the classes.
        ignore_unknown: read segments that are not among the classes as background if others are.
        annotation: which voxels were annotated.
        includes: names of the classes within a class.
        file_order: keep the file's memory layout (x fastest), which is faster for large labels.

    Raises:
        GenSegError: as `read_image`; or a voxel is not a whole number in 0..32767, a segment is
            not among the classes, or the label does not belong to the image.
    """
    with _naming(path):
        known = {*(classes or {}), *annotation.values}
        label, names = _read_segments(path, warn, includes or {}, known)
        new = special_segments(names, annotation) if names else dict(annotation.values)
        if classes and (own := {value: names[value] for value in names if value not in new}):
            concepts = find_concepts(path, terminology or {})
            new |= match_names(own, classes, concepts, ignore_unknown=ignore_unknown)
        label = remap_values(label, new, keep_others=not (classes and names))
        placed = PlacedLabel(label) if grid is None else place_label(label, grid)
    unlike_image = set(label.warnings) - set(grid.warnings if grid is not None else ())
    for warning in (*(f"label: {text}" for text in sorted(unlike_image)), *placed.warnings):
        warn(warning)
    volume = finalize_label(placed.volume, annotation)
    return volume if file_order else replace(volume, array=np.ascontiguousarray(volume.array))


def read_segment_names(path: Path) -> dict[int, str]:
    """Return the names of a `.seg.nrrd`'s or DICOM SEG's segments by their value in `read_label`.

    The result is empty for other files.

    Raises:
        GenSegError: as `read_label`.
    """
    path, _ = split_frame(path)
    if is_segmentation(path):
        return seg_reader.read_segment_names(path)
    return {segment.value: segment.name for segment in _segments(path)}


def read_segment_concepts(path: Path) -> dict[int, ConceptKey | None]:
    """Return the terminology codes of a `.seg.nrrd`'s or DICOM SEG's segments by their value.

    Raises:
        GenSegError: as `read_label`.
    """
    path, _ = split_frame(path)
    if is_segmentation(path):
        return seg_reader.read_segment_concepts(path)
    return {
        segment.value: parse_terminology(segment.terminology).key for segment in _segments(path)
    }


def find_concepts(path: Path, terminology: Mapping[int, str]) -> Concepts:
    """Return the codes of a file's segments and of the classes; none if the classes have none."""
    if not terminology:
        return Concepts()
    classes = {value: parse_terminology(entry).key for value, entry in terminology.items()}
    return Concepts(read_segment_concepts(path), classes)


def _segments(path: Path) -> list[Segment]:
    """Return the segments of a `.seg.nrrd`; none for other files."""
    if not path.name.lower().endswith(".nrrd"):
        return []
    with _naming(path):
        return parse_segments(itk_files.header_fields(itk_files.open_image(path)))


def write_image(path: Path, volume: Volume, like: Path | None = None) -> None:
    """Write a volume (channel, x, y, z) atomically, with its voxel type.

    Args:
        path: of the file.
        volume: voxels and affine.
        like: image file on whose grid the volume is. If both are NIfTI, sform, qform, their codes
            and the unit are the image's own, so that every program shows the two on each other.

    Raises:
        GenSegError: the format is not supported, or the file cannot be written.
    """
    if path.name.lower().endswith(".png"):
        write_raster(path, volume.array)
        return
    if not is_nifti_name(path):
        itk_files.save_image(to_itk(volume), path)
        return
    header = read_header(like) if like is not None and is_nifti_file(like) else None

    def write(temporary: Path) -> None:
        write_nifti(temporary, volume, header)
        require_valid_nifti(temporary)

    itk_files.write_verified(path, write)


def write_label(
    path: Path,
    volume: Volume,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, tuple[int, int, int]] | None = None,
    terminology: Mapping[int, str] | None = None,
    like: Path | None = None,
    includes: Includes | None = None,
) -> None:
    """Write a label volume (1, x, y, z).

    A `.seg.nrrd` includes names, colors and terminology, and outer classes with those within them
    on layers of their own; a `.png` the colors. Other files hold exclusive labels.

    Args:
        path: of the file.
        volume: the labels.
        names: of the label values.
        colors: RGB, 0 to 255.
        terminology: 3D Slicer's terminology entries.
        like: see `write_image`.
        includes: names of the classes within a class.

    Raises:
        GenSegError: as `write_image`; or a label is outside 0..32767.
    """
    label = _to_int16(path, volume.array)
    smallest = label.astype(np.uint8) if label.max(initial=0) <= 255 else label
    volume = Volume(smallest, volume.affine)
    if path.name.lower().endswith(".png"):
        write_raster_label(path, smallest, colors)
        return
    if not path.name.lower().endswith(".seg.nrrd"):
        write_image(path, volume, like)
        return
    names = names or {}
    values = sorted({*(int(v) for v in np.unique(label) if v), *names})
    named = {value: names.get(value, "") for value in values}
    layers, layer_of = region_layers(smallest[0], named, includes or {})
    header = segment_header(values, volume.shape, names, colors or {}, terminology or {}, layer_of)
    itk_files.save_image(to_itk(Volume(layers, volume.affine)), path, header)


def _read(path: Path) -> Volume:
    file, frame = split_frame(path)
    if frame is not None:
        with _naming(file):
            return select_frame(_read(file), frame)
    if is_planar_file(path):
        return read_planar(path)
    if is_raster_file(path) and path.is_file():
        return read_raster(path)
    if is_nifti_file(path):
        return read_nifti(path)
    volume = from_itk(load_channels(path))
    volume = replace(volume, is_stack=volume.shape[2] > 1 and is_stack_file(path))
    return replace(volume, unit="px") if volume.is_2d and is_in_pixels(path) else volume


def _read_segments(
    path: Path, warn: Callable[[str], None], includes: Includes, known: Collection[int]
) -> tuple[Volume, dict[int, str]]:
    """Read a label with the values of its own segments, and the names of those with voxels."""
    file, frame = split_frame(path)
    if frame is not None:
        within = tuple((outer, tuple(inner)) for outer, inner in includes.items())
        stack, names, warnings = _read_stack(file, file_version(file), within, frozenset(known))
        for warning in warnings:
            warn(warning)
        volume = select_frame(stack, frame)
        return replace(volume, array=volume.array.copy("K")), _present(volume, names)
    if is_segmentation(path):
        volume = seg_reader.read_segmentation(path, warn, includes)
        volume = replace(volume, array=_to_int16(path, volume.array, "K"))
        return volume, _present(volume, seg_reader.read_segment_names(path))
    if is_raster_file(path):
        return read_raster_label(path, known), {}
    if is_nifti_file(path):
        volume = read_nifti(path)
        _require_scalar(path, len(volume.array))
        return replace(volume, array=_to_int16(path, volume.array, "K")), {}
    image = load_itk(path)
    segments = parse_segments(itk_files.header_fields(image))
    if not segments:
        _require_scalar(path, image.GetNumberOfComponentsPerPixel())
        require_real(path, image)
    volume = from_itk(image)
    array = volume.array
    if segments:
        array = flatten_layers(array, segments, includes, warn)[None]
    volume = replace(volume, array=_to_int16(path, array, "K"))
    return volume, _present(volume, {segment.value: segment.name for segment in segments})


@functools.lru_cache(maxsize=1)
def _read_stack(
    path: Path,
    version: tuple[int, int],
    includes: tuple[tuple[str, tuple[str, ...]], ...],
    known: frozenset[int],
) -> tuple[Volume, dict[int, str], tuple[str, ...]]:
    """Read a label of several frames, and the warnings about it.

    The last one is kept, since the frames of a clip are asked for one by one.
    """
    warnings: list[str] = []
    volume, names = _read_segments(path, warnings.append, dict(includes), known)
    return volume, names, tuple(warnings)


def _present(label: Volume, names: Mapping[int, str]) -> dict[int, str]:
    values = set(np.unique(label.array).tolist())
    return {value: name for value, name in names.items() if value in values}


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the path to error messages."""
    try:
        yield
    except GenSegError as error:
        text = str(error)
        raise GenSegError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def _require_scalar(path: Path, count: int) -> None:
    if count > 1:
        kind = "an RGB image?" if count in (3, 4) else "several channels?"
        raise GenSegError(f"{path}: {count} values per voxel ({kind}); a label has one")


def _to_int16(path: Path, array: np.ndarray, order: Literal["C", "K"] = "C") -> np.ndarray:
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if not np.isfinite(array).all() or (np.abs(array - whole) > _WHOLE_TOLERANCE).any():
            raise GenSegError(f"{path}: not a label volume (some voxels are not whole numbers)")
        array = whole
    require_label_values(path, array)
    return array.astype(np.int16, order=order, copy=False)
