"""Images of real and generated pairs and of predictions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from ..case_annotation import Annotation
from ..datasets.image_io import read_image, read_label
from ..files import read_json
from ..images.file_names import image_stem, is_image_file, is_raster_file
from ..images.label_colors import class_colors
from ..images.volume import Volume
from ..label_maps import IGNORE, ignored_file_value
from ..runs import RunFolder
from .scores import ScoreTable
from .slices import (
    DEFAULT_COLOR,
    Array,
    Color,
    Contours,
    display_window,
    planes_of,
    tile,
    to_ras,
)

_MAX_PAIRS, _MAX_STEPS = 3, 6


@dataclass(frozen=True)
class LabelStyle:
    """Names and colors of the labels, and the display window of raw CT."""

    names: Mapping[int, str]
    colors: Mapping[int, Color]
    window: tuple[float, float] | None

    @classmethod
    def of_run(cls, run: RunFolder) -> LabelStyle:
        """Use the label names of the cases (or the preset) and the preset's colors."""
        names = run.labels
        colors = class_colors(names, run.preset.colors)
        intensity = run.preset.intensity
        fixed = (intensity.low, intensity.high) if intensity.kind == "window" else None
        return cls(names, colors, fixed)

    def legend(self) -> str:
        """Return an HTML list of names with their colors."""
        items = (
            f'<li><i style="background:rgb{self.colors.get(value, DEFAULT_COLOR)}"></i>'
            f"{escape(name)}</li>"
            for value, name in sorted(self.names.items())
        )
        return f'<ul class="legend">{"".join(items)}</ul>'


def step_folders(run: RunFolder) -> list[tuple[int, Path]]:
    """Return the preview folders with their steps, in order."""
    if not run.previews.is_dir():
        return []
    found = []
    for folder in run.previews.iterdir():
        digits = re.findall(r"\d+", folder.name)
        if folder.is_dir() and digits:
            found.append((int(digits[-1]), folder))
    return sorted(found)


def pairs(run: RunFolder, style: LabelStyle) -> str:
    """Return the real and generated pairs of the last preview, volumes in three planes."""
    for step, folder in reversed(step_folders(run)):
        found = (re.match(r"generated_(\d+)_image\.nii\.gz$", p.name) for p in folder.iterdir())
        numbers = sorted(int(match[1]) for match in found if match)[:_MAX_PAIRS]
        if not numbers:
            continue
        planes = planes_of(read_image(folder / f"generated_{numbers[0]}_image.nii.gz"))
        rows = "".join(_pair_row(folder, number, style, planes) for number in numbers)
        count, names = len(planes), _plane_names(planes)
        columns = f'<col span="{count}">'
        both = f'<th colspan="{count}">Real</th><th></th><th colspan="{count}">Generated</th>'
        return (
            f'<p class="note">Step {step}.</p><table class="pictures pairs"><colgroup>'
            f'<col class="number">{columns}<col class="gap">{columns}</colgroup><thead>'
            f"<tr><th></th>{both}</tr><tr><th></th>{names}<th></th>{names}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
    return ""


def _plane_names(planes: tuple[str, ...]) -> str:
    """Return table headings; the only plane of a 2-D image has no name."""
    return "".join(f"<th>{plane if len(planes) > 1 else ''}</th>" for plane in planes)


def _pair_row(folder: Path, number: int, style: LabelStyle, planes: tuple[str, ...]) -> str:
    real, generated = (
        _pair(folder, f"{kind}_{number}", style, planes) for kind in ("real", "generated")
    )
    return f"<tr><th>{number + 1}</th>{real}<td></td>{generated}</tr>"


def _pair(folder: Path, name: str, style: LabelStyle, planes: tuple[str, ...]) -> str:
    image, label = folder / f"{name}_image.nii.gz", folder / f"{name}_label.nii.gz"
    if not image.exists() or not label.exists():
        return f'<td class="missing" colspan="{len(planes)}">none</td>'
    return _cells(_tiles(image, (label,), style, planes))


def progression(run: RunFolder, style: LabelStyle) -> str:
    """Return the first generated pair at several training steps."""
    steps = [
        (step, folder)
        for step, folder in step_folders(run)
        if (folder / "generated_0_image.nii.gz").exists()
    ]
    if len(steps) < 2:
        return ""
    chosen = np.unique(np.linspace(0, len(steps) - 1, _MAX_STEPS).round().astype(int))
    cells = []
    for index in chosen:
        step, folder = steps[index]
        image, label = folder / "generated_0_image.nii.gz", folder / "generated_0_label.nii.gz"
        tiles = _tiles(image, (label,), style)
        cells.append(
            f"<figure>{tiles[len(tiles) // 2]}<figcaption>step {step}</figcaption></figure>"
        )
    return f'<div class="filmstrip">{"".join(cells)}</div>'


@dataclass(frozen=True)
class PredictedCase:
    """A case with its prediction and, if available, its reference."""

    case: str
    dice: float
    image: Path
    prediction: Path
    reference: Path | None


def best_and_worst(
    run: RunFolder,
    style: LabelStyle,
    evaluation: ScoreTable | None,
    predictions: Path | None,
    references: Path | None,
) -> str:
    """Return the cases with the highest and lowest mean Dice, volumes in three planes."""
    cases: list[PredictedCase] = []
    if evaluation is not None and predictions is not None and references is not None:
        cases = list(_evaluated(evaluation, predictions, references))
    cases = cases or list(_validated(run))
    if not cases:
        return ""
    ranked = sorted(cases, key=lambda case: case.dice)
    extremes = [("Best", ranked[-1])] + ([("Worst", ranked[0])] if len(ranked) > 1 else [])
    rows = []
    for word, case in extremes:
        labels = (case.prediction, case.reference) if case.reference else (case.prediction,)
        rows.append(
            f"<tr><th>{word}<br><b>{case.dice:.3f}</b><br><small>{escape(case.case)}</small></th>"
            f"{_cells(_tiles(case.image, labels, style))}</tr>"
        )
    head = _plane_names(planes_of(read_image(extremes[0][1].image)))
    return (
        f'<table class="pictures wide"><thead><tr><th>Dice</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _evaluated(
    evaluation: ScoreTable, predictions: Path, references: Path
) -> Iterator[PredictedCase]:
    """Yield the evaluated cases whose images are in a folder next to the references.

    Other folders are not searched, since cases of another data set may have the same names.
    """
    images = _files_by_case(*map(references.with_name, _image_folders(references.name)))
    predicted, compared = _files_by_case(predictions), _files_by_case(references)
    for case, dice in evaluation.case_means().items():
        if case in images and case in predicted:
            yield PredictedCase(case, dice, images[case], predicted[case], compared.get(case))


def _image_folders(labels: str) -> list[str]:
    """Return possible names of the image folder for a label folder."""
    usual = [labels.replace("labels", "images")] if "labels" in labels else []
    return [*usual, "imagesTs", "imagesTr", "images"]


def _files_by_case(*folders: Path) -> dict[str, Path]:
    """Map case names, with and without channel suffix, to image files; the first folder wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*")):
            if is_image_file(path) or is_raster_file(path):
                stem = image_stem(path)
                found.setdefault(stem, path)
                found.setdefault(stem.removesuffix("_0000"), path)
    return found


def _validated(run: RunFolder) -> Iterator[PredictedCase]:
    for _, folder in reversed(step_folders(run)):
        dices = _validation_dices(folder)
        for prediction in sorted(folder.glob("validation_*_prediction.nii.gz")):
            stem = prediction.name.removesuffix("_prediction.nii.gz")
            image, label = folder / f"{stem}_image.nii.gz", folder / f"{stem}_label.nii.gz"
            name = stem.removeprefix("validation_")
            if not (image.exists() and label.exists()):
                continue
            if dices is None:
                dice = _mean_dice(read_label(prediction).array, read_label(label).array)
                yield PredictedCase(name, dice, image, prediction, label)
            elif name in dices:
                yield PredictedCase(name, dices[name], image, prediction, label)
        if any(folder.glob("validation_*_prediction.nii.gz")):
            return


def _validation_dices(folder: Path) -> dict[str, float] | None:
    """Return the mean Dice of validation cases; None in previews of older versions."""
    path = folder / "validation.json"
    return dict(read_json(path)["dice"]) if path.exists() else None


def _mean_dice(prediction: Array, reference: Array) -> float:
    values = np.union1d(prediction, reference)
    scores = [
        2 * np.sum((prediction == v) & (reference == v))
        / (np.sum(prediction == v) + np.sum(reference == v))
        for v in values[values > 0]
    ]  # fmt: skip
    return float(np.mean(scores)) if scores else 1.0


def _cells(tiles: Sequence[str]) -> str:
    return "".join(f"<td>{svg}</td>" for svg in tiles)


def _read_classes(path: Path, image: Volume, style: LabelStyle) -> Volume:
    ignored = Annotation(values={ignored_file_value(style.names): IGNORE})
    return read_label(path, image, style.names, ignore_unknown=True, annotation=ignored)


def _tiles(
    image: Path,
    labels: tuple[Path, ...],
    style: LabelStyle,
    planes: tuple[str, ...] | None = None,
) -> list[str]:
    """Return tiles of an image; the first label is solid, others are dashed.

    Args:
        image: file.
        labels: files.
        style: of the labels.
        planes: to show; those of the image by default.
    """
    volume = read_image(image)
    picture, spacing = to_ras(volume)
    contours = [
        Contours(to_ras(_read_classes(path, volume, style))[0][0], dashed=index > 0)
        for index, path in enumerate(labels)
    ]
    window = display_window(picture, style.window)
    return [
        tile(picture, tuple(contours), plane, spacing, window, style.colors)
        for plane in planes or planes_of(volume)
    ]
