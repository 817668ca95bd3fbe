"""What a trained model is, for people, and whether it fits a volume."""

from __future__ import annotations

from html import escape

import slicer
from slicer.i18n import tr as _

from GenSegLib.data.volume_ranges import show_ml
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.prediction.image_fit import misfits_of
from GenSegSlicerLib.Geometry import fileGrid, spacingOf
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.VolumeFiles import requireScalar


def modelCard(metadata: ModelMetadata) -> str:
    """Describe a model as HTML: what it segments in what, what it learned from, how well."""
    preset = metadata.preset
    rows = (
        (_("Segments"), _swatches(metadata)),
        (_("Anatomy"), escape(preset.anatomy)),
        (_("Modality"), escape(preset.modality)),
        (_("Spacing"), _spacing(metadata)),
        (_("Learned from"), _("{count} cases").format(count=metadata.cases)),
        (_("Validation Dice"), _dice(metadata)),
        (_("Volumes"), _volumes(metadata)),
        (_("Parts at a plane"), _cuts(metadata)),
        (_("Network"), escape(metadata.network)),
        (_("Made with"), escape(", ".join(f"{k} {v}" for k, v in metadata.versions.items()))),
    )
    cells = "".join(
        f'<tr><td style="padding-right: 8px">{escape(title)}</td><td>{text}</td></tr>'
        for title, text in rows
        if text
    )
    return f"<b>{escape(preset.title or metadata.name)}</b><table>{cells}</table>"


def misfits(volumeNode: slicer.vtkMRMLScalarVolumeNode, metadata: ModelMetadata) -> list[str]:
    """Give a line for each reason to doubt what a model will make of a volume.

    Raises:
        GenSegError: the volume has no scalar voxels or no valid grid.
    """
    image = requireScalar(volumeNode).GetImageData()
    low, high = image.GetScalarRange()
    spacing = tuple(float(step) for step in spacingOf(fileGrid(volumeNode)))
    return misfits_of(metadata, low, high, image.GetDimensions(), spacing)


def _swatches(metadata: ModelMetadata) -> str:
    style = SegmentStyle.ofModel(metadata)
    parts = []
    for value, name in sorted(metadata.labels.items()):
        red, green, blue = (round(255 * part) for part in style.colorOf(value))
        color = f"#{red:02x}{green:02x}{blue:02x}"
        parts.append(f'<span style="color: {color}">&#9632;</span> {escape(name)}')
    return " &nbsp; ".join(parts)


def _spacing(metadata: ModelMetadata) -> str:
    spacing = metadata.spacing or metadata.preset.spacing
    return " × ".join(f"{step:.3g}" for step in spacing) + " mm" if spacing else ""


def _dice(metadata: ModelMetadata) -> str:
    dice = metadata.validation.get("dice")
    return _("not measured") if dice is None else f"{dice:.3f}"


def _volumes(metadata: ModelMetadata) -> str:
    text = _("{name} {least} to {most}")
    return ", ".join(
        text.format(name=escape(metadata.labels[value]), least=show_ml(least), most=show_ml(most))
        for value, (least, most) in sorted(metadata.volumes.items())
    )


def _cuts(metadata: ModelMetadata) -> str:
    text = _("{first} and {second}")
    pairs = ([escape(metadata.labels[value]) for value in cut.labels] for cut in metadata.cuts)
    return ", ".join(text.format(first=first, second=second) for first, second in pairs)
