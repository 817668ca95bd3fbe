"""Segments in the headers of 3D Slicer's .seg.nrrd files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import GenSegError


@dataclass(frozen=True)
class Segment:
    """A segment: voxels of `layer` that equal `stored_value`; `value` in the label we return.

    `terminology` is its entry as 3D Slicer serializes it.
    """

    name: str
    layer: int
    stored_value: int
    value: int
    terminology: str = ""


def parse_segments(header: Mapping[str, str]) -> list[Segment]:
    """Return the segments in a NRRD header, in their order.

    Segments keep their value in the file unless two segments (of different layers) share one; then
    they are numbered from 1. Files from before Slicer 4.11 have one segment per layer and no
    values. Keys as in Slicer's vtkMRMLSegmentationStorageNode.

    Raises:
        GenSegError: a layer or value is not a number.
    """
    matches = (re.fullmatch(r"Segment(\d+)_(?:ID|Name)", key) for key in header)
    indices = sorted({int(match.group(1)) for match in matches if match})
    stored = [
        (_integer(header, f"Segment{k}_Layer", k), _integer(header, f"Segment{k}_LabelValue", 1))
        for k in indices
    ]
    values = [value for _, value in stored]
    if len(set(values)) < len(values) or 0 in values:
        values = list(range(1, len(values) + 1))
    return [
        Segment(
            *(header.get(f"Segment{k}_Name", f"Segment_{value}"), layer, stored_value, value),
            _terminology(header.get(f"Segment{k}_Tags", "")),
        )
        for k, (layer, stored_value), value in zip(indices, stored, values)
    ]


def _terminology(tags: str) -> str:
    found = re.search(r"(?:^|\|)TerminologyEntry:([^|]*)", tags)
    return found.group(1) if found else ""


def _integer(header: Mapping[str, str], key: str, default: int) -> int:
    text = header.get(key, str(default)).strip()
    if not text.isdigit():
        raise GenSegError(f"{key} is {text!r}, not a number; save the segmentation again")
    return int(text)


def flatten_layers(layers: np.ndarray, segments: Sequence[Segment]) -> np.ndarray:
    """Merge segments of (layer, x, y, z) into one label volume (x, y, z).

    Later segments overwrite earlier ones, as in Slicer's export to a labelmap.

    Raises:
        GenSegError: a segment refers to a missing layer.
    """
    label = np.zeros(layers.shape[1:], layers.dtype if layers.itemsize > 1 else np.int16)
    for segment in segments:
        if segment.layer >= len(layers):
            raise GenSegError(
                f"segment {segment.name!r} refers to the missing layer {segment.layer}; save the "
                "segmentation again"
            )
        label[layers[segment.layer] == segment.stored_value] = segment.value
    return label


def lost_voxels(layers: np.ndarray, segments: Sequence[Segment], label: np.ndarray) -> list[str]:
    """Return a warning for each segment that `flatten_layers` overwrote, with the numbers.

    Args:
        layers: (layer, x, y, z), as in the file.
        segments: of the file.
        label: the result of `flatten_layers`.
    """
    found = []
    for segment in segments:
        mask = layers[segment.layer] == segment.stored_value
        total, lost = int(np.count_nonzero(mask)), mask & (label != segment.value)
        count = int(np.count_nonzero(lost))
        if count:
            values = set(np.unique(label[lost]).tolist())
            others = ", ".join(other.name for other in segments if other.value in values)
            found.append(overwritten(segment.name, count, total, others))
    unknown = 0
    for index, layer in enumerate(layers):
        stored = [segment.stored_value for segment in segments if segment.layer == index]
        unknown += int(np.count_nonzero((layer != 0) & ~np.isin(layer, stored)))
    if unknown:
        found.append(f"{unknown} voxels belong to no segment and are read as background")
    return found


def overwritten(name: str, count: int, total: int, others: str) -> str:
    """Return the warning that `count` of a segment's `total` voxels belong to `others` now."""
    rest = "no voxel is left of it" if count == total else f"{total - count} are left"
    return (
        f"segment {name} overlaps later segments: {count} of its {total} voxels become {others}, "
        f"{rest}; move it after them if it is a part of them"
    )


def segment_header(
    values: Sequence[int],
    shape: Sequence[int],
    names: Mapping[int, str],
    colors: Mapping[int, tuple[int, int, int]],
    terminology: Mapping[int, str],
) -> dict[str, str]:
    """Return header fields that make Slicer load a label volume as a segmentation.

    Args:
        values: label values.
        shape: of the volume in voxels.
        names: of the label values.
        colors: RGB, 0 to 255.
        terminology: entries as serialized by Slicer's vtkSlicerTerminologiesModuleLogic.
    """
    extent = " ".join(f"0 {length - 1}" for length in shape)
    header = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for k, value in enumerate(values):
        header |= {
            f"Segment{k}_ID": f"Segment_{value}",
            f"Segment{k}_Name": names.get(value, f"Segment_{value}"),
            f"Segment{k}_NameAutoGenerated": "0" if value in names else "1",
            f"Segment{k}_LabelValue": str(value),
            f"Segment{k}_Layer": "0",
            f"Segment{k}_Extent": extent,
        }
        if value in colors:
            header[f"Segment{k}_Color"] = " ".join(f"{part / 255:.6g}" for part in colors[value])
            header[f"Segment{k}_ColorAutoGenerated"] = "0"
        if value in terminology:
            header[f"Segment{k}_Tags"] = f"TerminologyEntry:{terminology[value]}|"
    return header
