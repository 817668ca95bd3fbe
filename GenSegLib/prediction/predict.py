"""Segments image files with a trained model, and writes what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..data.layouts import image_stem
from ..dicom import seg as dicom_seg
from ..dicom.patient import ADVICE, find_identifying
from ..errors import GenSegError
from ..events import EventLog
from ..images.image_io import Volume, read_image, write_image, write_label
from ..models.folder import ModelMetadata
from .measurements import FILE_NAME, Measurement, measure, write_measurements
from .predictor import Prediction, Predictor
from .sliding import segment
from .uncertainty import NAME_ENDING, describe_least_sure, write_expected_dice
from .window_watch import WindowWatch

__all__ = ["Prediction", "Predictor", "predict_files", "segment"]

PROBABILITIES = "probabilities"
EXPECTED_DICE = "uncertainty.csv"


def predict_files(
    model: Path,
    images: Sequence[Path],
    out: Path,
    *,
    device: str = "auto",
    mirror: bool = False,
    others: Sequence[Path] = (),
    max_memory: int | None = None,
    exact: bool = False,
    probabilities: bool = False,
    uncertainty: bool = False,
    suffix: str = ".nii.gz",
    measured: list[Measurement] | None = None,
    events: EventLog | None = None,
) -> list[Path]:
    """Segment image files and write a label file for each into a folder.

    Args:
        model: model folder.
        images: image files, or folders of one DICOM series each.
        out: folder for `<image's name><suffix>`; with `probabilities` also for
            `probabilities/<image's name>_<label>.nii.gz`, a file for each label.
        device: see `Predictor`.
        mirror: see `Predictor`.
        others: see `Predictor`.
        max_memory: see `Predictor`.
        exact: see `Predictor`.
        probabilities: write them as well.
        uncertainty: write `<image's name>_uncertainty.nii.gz` as well, the normalized entropy, and
            `uncertainty.csv`, the images with their expected Dice, the least sure one first.
        suffix: the format; a `.seg.nrrd` carries the labels' names, colors and terminology, and so
            does a `.dcm`, a DICOM SEG of its series.
        measured: where given, takes what is measured of all classes, which is then written to
            `measurements.csv` as well.
        events: is told the progress and why a result is to be looked at with care.

    Returns:
        The label files, in the order of the images.

    Raises:
        GenSegError: the model or an image cannot be read, two images have one name, or an output
            would replace an image.
    """
    events = events or EventLog(None)
    if suffix == dicom_seg.SUFFIX:
        dicom_seg.require_series(images)
    targets = _targets(images, out, suffix, uncertainty)
    asked = {"probabilities": probabilities, "uncertainty": uncertainty}
    predictor = Predictor(
        model,
        device,
        mirror,
        others=others,
        max_memory=max_memory,
        tell=lambda text: events.log(text, "warning"),
        exact=exact,
    )
    names = predictor.metadata.labels
    watch = WindowWatch(events, len(images))
    expected: dict[str, Mapping[int, float]] = {}
    doubtful: list[str] = []
    for path, target in zip(images, targets):
        watch.start_image(path.name)
        image = read_image(path, dtype=None)
        prediction = _predict_image(predictor, path, image, watch, **asked)
        for warning in (*prediction.warnings, *_privacy_warnings(path)):
            events.log(f"{path}: {warning}", "warning")
        if prediction.warnings:
            doubtful.append(image_stem(path))
        _write(prediction, target, path, predictor.metadata)
        if measured is not None:
            measured += measure(image_stem(path), image, prediction.label, names)
        if prediction.expected_dice is not None:
            expected[image_stem(path)] = prediction.expected_dice
        watch.finish_image()
    if doubtful and len(images) > 1:
        some = f"{len(doubtful)} of {len(images)} segmentations"
        events.log(f"look at {some} with care, for the reasons above: {', '.join(doubtful)}")
    if measured is not None:
        write_measurements(out / FILE_NAME, measured)
    if expected:
        write_expected_dice(out / EXPECTED_DICE, expected, names)
        events.log(describe_least_sure(expected, EXPECTED_DICE))
    return targets


def _targets(images: Sequence[Path], out: Path, suffix: str, uncertainty: bool) -> list[Path]:
    """Name the label file of each image, and refuse names that clash before any work is done."""
    taken: dict[str, Path] = {}  # by names without capitals, which not every drive tells apart
    inputs = {image.resolve() for image in images}
    targets = [out / f"{image_stem(image)}{suffix}" for image in images]
    for image, target in zip(images, targets):
        for file in (target, _uncertainty_file(target)) if uncertainty else (target,):
            if file.name.casefold() in taken:
                both = f"{taken[file.name.casefold()]} and {image}"
                raise GenSegError(f"{both} would both become {file.name}; rename one")
            if file.resolve() in inputs:
                raise GenSegError(f"{file.name} is one of the images; choose another output folder")
            taken[file.name.casefold()] = image
    return targets


def _uncertainty_file(target: Path) -> Path:
    return target.parent / f"{image_stem(target)}{NAME_ENDING}.nii.gz"


def _predict_image(
    predictor: Predictor, path: Path, image: Volume, watch: WindowWatch, **asked: bool
) -> Prediction:
    try:
        return predictor.predict(image, **asked, watch=watch)
    except GenSegError as fault:
        raise GenSegError(f"{path}: {fault}") from fault


def _privacy_warnings(path: Path) -> tuple[str, ...]:
    """Warn where the name of an output, that of its DICOM folder, tells who the patient is."""
    return (ADVICE,) if path.is_dir() and find_identifying([path.name], path) else ()


def _write(prediction: Prediction, target: Path, image: Path, metadata: ModelMetadata) -> None:
    preset = metadata.preset
    if target.suffix == dicom_seg.SUFFIX:
        dicom_seg.write_segmentation(target, prediction.label, image, metadata)
    else:
        write_label(target, prediction.label, metadata.labels, preset.colors, preset.terminology)
    if prediction.probabilities is not None:
        dense = prediction.probabilities
        for index, value in enumerate(metadata.label_values[1:], 1):
            path = target.parent / PROBABILITIES / f"{image_stem(target)}_{value}.nii.gz"
            write_image(path, Volume(dense.array[index : index + 1], dense.affine))
    if prediction.uncertainty is not None:
        write_image(_uncertainty_file(target), prediction.uncertainty)
