"""Selection of the model for *Apply*, with a summary of its properties."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.data.volume_ranges import format_ml
from GenSegLib.errors import GenSegError
from GenSegLib.generation_summary import target_images
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.prediction.plausibility import grid_warnings
from GenSegSlicerLib.Bindings import Binding, ChoiceBinding, PathBinding
from GenSegSlicerLib.Geometry import fileIJKToRAS, spacingFromMatrix
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.RunHistory import modelFolder, runTitle
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.VolumeFiles import requireUsableVolume


class ModelSelector:
    """Lists known models and loads the metadata of the selected one.

    Attributes:
        metadata: metadata of the selected model, None if there is no valid one.
        problem: one-line reason why there is none.
        bindings: bindings for the section that contains the widgets.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self.metadata: ModelMetadata | None = None
        self.problem = ""
        self._logic = logic
        self._card = InlineMessage(ui.modelCardLabel)
        self._selector = ChoiceBinding(
            ui.modelSelector, "modelFolder", lambda path: modelTitle(Path(path))
        )
        self.bindings: list[Binding] = [
            self._selector,
            PathBinding(ui.modelFolderEdit, "modelFolder"),
        ]
        self._shown: str | None = None

    def updateList(self) -> None:
        """List the models of finished runs and recently used models."""
        self._selector.setChoices(modelChoices(self._logic.models()))

    def show(self, folder: str) -> None:
        """Load the model of a folder and show its summary."""
        if folder == self._shown:
            return
        self._shown = folder
        self.metadata, self.problem = None, ""
        if not folder:
            self.problem = _("Select a model")
            self._card.clear()
            return
        try:
            self.metadata = ModelMetadata.load(modelFolder(Path(folder)))
        except GenSegError as error:
            self.problem = str(error)
            self._card.error(self.problem)
        else:
            self._card.info(modelCard(self.metadata))

    def invalidate(self) -> None:
        """Load the model again at the next update, since a training may have written it."""
        self._shown = None


def modelChoices(models: Sequence[Path]) -> list[tuple[str, str, str]]:
    """Return the choices of a `ChoiceBinding` for a model: none, and these folders."""
    none = _("Select a model") if models else _("No models yet: train one or select a folder")
    return [("", none, ""), *((str(path), modelTitle(path), str(path)) for path in models)]


def modelTitle(folder: Path) -> str:
    """Return a short name of a model: that of its run, or of its folder."""
    return runTitle(folder.parent) if folder.name == "model" else folder.name


def modelCard(metadata: ModelMetadata) -> str:
    """Return an HTML table of a model's classes, training data and validation results."""
    preset = metadata.preset
    rows = (
        (_("Segments"), _colorLegend(metadata)),
        (_("Anatomy"), escape(preset.anatomy)),
        (_("Modality"), escape(preset.modality)),
        (_("Spacing"), _spacing(metadata)),
        (_("Training cases"), str(metadata.cases)),
        (_("Trained for"), _targetScans(metadata)),
        (_("Validation Dice"), _dice(metadata)),
        (_("Volumes"), _volumes(metadata)),
        (_("Notes"), "<br>".join(map(escape, metadata.notes))),
        (_("Network"), escape(metadata.network)),
        (_("Created with"), escape(", ".join(f"{k} {v}" for k, v in metadata.versions.items()))),
    )
    cells = "".join(
        f'<tr><td style="padding-right: 8px">{escape(title)}</td><td>{text}</td></tr>'
        for title, text in rows
        if text
    )
    return f"<b>{escape(preset.title or metadata.name)}</b><table>{cells}</table>"


def fitWarnings(volumeNode: slicer.vtkMRMLScalarVolumeNode, metadata: ModelMetadata) -> list[str]:
    """Return a line for each reason why a model may not be suitable for a volume.

    Raises:
        GenSegError: the volume is not scalar or has an invalid geometry.
    """
    image = requireUsableVolume(volumeNode).GetImageData()
    low, high = image.GetScalarRange()
    spacing = tuple(float(step) for step in spacingFromMatrix(fileIJKToRAS(volumeNode)))
    return grid_warnings(metadata, low, high, image.GetDimensions(), spacing)


def _colorLegend(metadata: ModelMetadata) -> str:
    style = SegmentStyle.ofModel(metadata)
    parts = []
    for value, name in sorted(metadata.labels.items()):
        red, green, blue = (round(255 * part) for part in style.colorOf(value))
        color = f"#{red:02x}{green:02x}{blue:02x}"
        parts.append(f'<span style="color: {color}">&#9632;</span> {escape(name)}')
    return " &nbsp; ".join(parts)


def _spacing(metadata: ModelMetadata) -> str:
    spacing = metadata.spacing or metadata.preset.spacing
    if not spacing:
        return ""
    text = " × ".join(f"{step:.3g}" for step in spacing)
    return f"{text} {metadata.preset.unit}"


def _targetScans(metadata: ModelMetadata) -> str:
    """For which images the model is, if they are not only those of the same scanner."""
    scanner = float(metadata.training.settings.get("target_scanner", 0))
    return target_images(scanner) if scanner else ""


def _dice(metadata: ModelMetadata) -> str:
    dice = metadata.validation.get("dice")
    return _("not measured") if dice is None else f"{dice:.3f}"


def _volumes(metadata: ModelMetadata) -> str:
    text = _("{name} {low} to {high}")
    return ", ".join(
        text.format(name=escape(metadata.labels[value]), low=format_ml(low), high=format_ml(high))
        for value, (low, high) in sorted(metadata.volumes.items())
        if high > 0
    )
