"""Segments image files with a trained model and writes the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..datasets.channels import group_files, read_channels, require_all_channels
from ..datasets.image_io import write_image, write_label
from ..datasets.label_names import write_label_names
from ..dicom import seg_writer
from ..dicom.files import is_dicom_file, is_planar_file
from ..dicom.patient import ADVICE, find_identifying
from ..dicom.planar import count_frames
from ..errors import GenSegError
from ..events import EventLog
from ..images.file_names import distinct_stems, image_stem, is_nrrd_file, is_raster_file
from ..images.size_checks import require_plausible_spacing
from ..images.volume import Volume
from ..models.folder import ModelMetadata
from ..outputs import ResultFolder
from .measurements import FILE_NAME, Measurement, measure, write_measurements
from .prediction_progress import PredictionProgress
from .predictor import Prediction, Predictor
from .uncertainty import (
    FILE_SUFFIX,
    describe_most_uncertain,
    write_expected_dice,
)

__all__ = ["Prediction", "Predictor", "predict_files"]

PROBABILITIES = "probabilities"
EXPECTED_DICE = "uncertainty.csv"


def predict_files(
    model: Path,
    images: Sequence[Path],
    out: Path,
    *,
    overwrite: bool = False,
    device: str = "auto",
    mirror: bool = False,
    others: Sequence[Path] = (),
    max_memory: int | None = None,
    exact: bool = False,
    probabilities: bool = False,
    uncertainty: bool = False,
    suffix: str | None = None,
    measured: list[Measurement] | None = None,
    events: EventLog | None = None,
) -> list[Path]:
    """Segment image files and write a label file for each into a folder.

    Each result is written as soon as it is complete. An image that cannot be segmented is skipped
    with a warning.

    Args:
        model: model folder.
        images: image files, or folders of one DICOM series each; files that are channels of one
            image end with `_0000`, `_0001` and so on.
        out: folder for `<image's name><suffix>`; with `probabilities` also for
            `probabilities/<image's name>_<label>.nii.gz`, one file per label.
        overwrite: replace an earlier output of GenSeg.
        device: see `Predictor`.
        mirror: see `Predictor`.
        others: see `Predictor`.
        max_memory: see `Predictor`.
        exact: see `Predictor`.
        probabilities: also write the probabilities.
        uncertainty: also write `<image's name>_uncertainty.nii.gz`, the normalized entropy, and
            `uncertainty.csv`, the images with their expected Dice, lowest first.
        suffix: file format; None for that of the image: PNG for PNG or JPEG, `.seg.nrrd` for NRRD,
            and NIfTI for others. `.seg.nrrd` and `.dcm` (DICOM SEG of the image) store the labels'
            names, colors and terminology; beside other formats, `labels.json` has names and colors.
        measured: list to append the measurements of all classes to; they are then written to
            `measurements.csv` as well.
        events: receives the progress and the warnings.

    Returns:
        The label files, in the order of the images.

    Raises:
        GenSegError: the model cannot be read, two images have the same name, an output would
            overwrite an image or cannot be written; or, at the end, images were skipped.
    """
    events = events or EventLog(None)
    if suffix == seg_writer.SUFFIX:
        seg_writer.require_series(images)
    groups = group_files(images, ModelMetadata.load(model).preset.channels)
    targets = _targets(groups, out, suffix, uncertainty)
    results = ResultFolder(out, overwrite)
    predictor = Predictor(
        model,
        device,
        mirror,
        others=others,
        max_memory=max_memory,
        log=lambda text: events.log(text, "warning"),
        exact=exact,
    )
    job = _PredictionJob(
        predictor, results, events, len(groups), probabilities, uncertainty, measured
    )
    try:
        for paths, target in zip(groups.values(), targets):
            job.predict(paths, target.name)
    except KeyboardInterrupt:
        events.log(f"interrupted; {job.finished} of {len(groups)} segmentations are in {out}")
        raise
    finally:
        job.write_summaries()
    job.require_no_failures()
    return targets


@dataclass
class _PredictionJob:
    """Predicts images one by one and collects what is summarized over all of them."""

    predictor: Predictor
    results: ResultFolder
    events: EventLog
    images: int
    probabilities: bool
    uncertainty: bool
    measured: list[Measurement] | None
    finished: int = 0
    failures: dict[str, GenSegError] = field(default_factory=dict)
    expected_dice: dict[str, dict[int, float]] = field(default_factory=dict)
    with_warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.progress = PredictionProgress(self.events, self.images)

    def predict(self, paths: Sequence[Path], file_name: str) -> None:
        """Segment the image of one or more files and write the outputs, or log why not."""
        path = paths[0]
        self.progress.start_image(path.name)
        try:
            image = read_channels(paths, dtype=None)
            require_all_channels(paths, image, self.predictor.metadata.preset.channels)
            prediction = self._segment(path, image)
            with self.results.result() as folder:
                _write(prediction, folder / file_name, path, self.predictor.metadata)
        except GenSegError as error:
            if isinstance(error.__cause__, OSError):  # the disk is full or unavailable
                raise
            self.failures[path.name] = error
            if self.images > 1:
                self.events.log(f"{error}; skipped", "warning")
        else:
            self._collect(path, image, prediction, image_stem(Path(file_name)))
        self.progress.finish_image()

    def _segment(self, path: Path, image: Volume) -> Prediction:
        try:
            require_plausible_spacing(image.spacing)
            return self.predictor.predict(
                image, self.probabilities, self.uncertainty, self.progress
            )
        except GenSegError as error:
            raise GenSegError(f"{path}: {error}") from error

    def _collect(self, path: Path, image: Volume, prediction: Prediction, name: str) -> None:
        self.finished += 1
        for warning in (*image.warnings, *prediction.warnings, *_privacy_warnings(path, name)):
            self.events.log(f"{path}: {warning}", "warning")
        if prediction.warnings:
            self.with_warnings.append(name)
        if self.measured is not None:
            metadata = self.predictor.metadata
            self.measured += measure(
                name, image, prediction.label, metadata.labels, metadata.regions
            )
        if prediction.expected_dice is not None:
            self.expected_dice[name] = dict(prediction.expected_dice)

    def write_summaries(self) -> None:
        """Log which images need review; write the tables of the segmented images."""
        if self.with_warnings and self.images > 1:
            self.events.log(
                f"review {len(self.with_warnings)} of {self.images} segmentations because of the "
                f"warnings above: {', '.join(self.with_warnings)}"
            )
        if not self.finished or not (self.measured is not None or self.expected_dice):
            return
        with self.results.result() as folder:
            if self.measured is not None:
                write_measurements(folder / FILE_NAME, self.measured)
            if self.expected_dice:
                names = self.predictor.metadata.labels
                write_expected_dice(folder / EXPECTED_DICE, self.expected_dice, names)
                self.events.log(describe_most_uncertain(self.expected_dice, EXPECTED_DICE))

    def require_no_failures(self) -> None:
        """Raise GenSegError if images were skipped."""
        if not self.failures:
            return
        if self.images == 1:
            raise next(iter(self.failures.values()))
        raise GenSegError(
            f"{len(self.failures)} of {self.images} images could not be segmented, see above "
            f"({', '.join(self.failures)}); {self.finished} segmentations are in "
            f"{self.results.path}"
        )


def _targets(
    groups: Mapping[str, Sequence[Path]], out: Path, suffix: str | None, uncertainty: bool
) -> list[Path]:
    """Return each image's label file; refuse names that clash before any work is done."""
    taken: dict[str, Path] = {}  # case-folded, since not every file system is case-sensitive
    inputs = {image.resolve() for paths in groups.values() for image in paths}
    images = [paths[0] if len(paths) == 1 else Path(name) for name, paths in groups.items()]
    suffixes = [suffix or _own_suffix(paths[0]) for paths in groups.values()]
    targets = [out / f"{stem}{end}" for stem, end in zip(distinct_stems(images), suffixes)]
    for image, target in zip(images, targets):
        for file in (target, _uncertainty_file(target)) if uncertainty else (target,):
            if file.name.casefold() in taken:
                both = f"{taken[file.name.casefold()]} and {image}"
                raise GenSegError(f"{both} would both be written to {file.name}; rename one")
            if file.resolve() in inputs:
                raise GenSegError(
                    f"{file.name} would overwrite one of the images; choose another output folder"
                )
            taken[file.name.casefold()] = image
    return targets


def _own_suffix(image: Path) -> str:
    """Return the suffix of a label in the image's own format, or one that goes with it."""
    if is_raster_file(image) or (is_planar_file(image) and count_frames(image) == 1):
        return ".png"
    return ".seg.nrrd" if is_nrrd_file(image) else ".nii.gz"


def _uncertainty_file(target: Path) -> Path:
    return target.parent / f"{image_stem(target)}{FILE_SUFFIX}.nii.gz"


def _privacy_warnings(path: Path, name: str) -> tuple[str, ...]:
    """Warn if the output's name, that of its DICOM folder or file, identifies the patient."""
    is_dicom = path.is_dir() or is_dicom_file(path)
    return (ADVICE,) if is_dicom and find_identifying([name], path) else ()


def _write(prediction: Prediction, target: Path, image: Path, metadata: ModelMetadata) -> None:
    preset = metadata.preset
    if target.suffix == seg_writer.SUFFIX:
        segments = seg_writer.SegmentDescriptions(
            metadata.labels,
            preset.colors,
            preset.terminology,
            metadata.name,
            metadata.includes,
        )
        seg_writer.write_segmentation(target, prediction.label, image, segments)
    else:
        write_label(
            target,
            prediction.label,
            metadata.labels,
            preset.colors,
            preset.terminology,
            like=image,
            includes=metadata.includes,
        )
    write_label_names(target, metadata.labels, preset.colors)
    if prediction.probabilities is not None:
        dense = prediction.probabilities
        for index, value in enumerate(metadata.label_values[1:], 1):
            path = target.parent / PROBABILITIES / f"{image_stem(target)}_{value}.nii.gz"
            write_image(path, Volume(dense.array[index : index + 1], dense.affine), like=image)
    if prediction.uncertainty is not None:
        write_image(_uncertainty_file(target), prediction.uncertainty, like=image)
