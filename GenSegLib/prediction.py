"""Applies a trained model to images: the segmentation lands on the image's own grid."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .devices import choose_device
from .errors import GenSegError
from .events import EventLog
from .image_fit import find_misfits
from .image_io import Volume, read_image, write_image, write_label
from .layouts import image_stem
from .model_folder import ModelMetadata
from .model_weights import load_segmenter
from .postprocessing import clean
from .preprocessing import Preprocessor
from .sliding import segment
from .uncertainty import NAME_ENDING, normalized_entropy

__all__ = ["Prediction", "Predictor", "predict_files", "segment"]

PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class Prediction:
    """A segmentation on the image's own grid.

    `label` is (1, x, y, z) int16, `warnings` say why the result is to be looked at with care.
    Where they were asked for, `probabilities` is (class, x, y, z) float32 and `uncertainty`
    (1, x, y, z) float32, see `normalized_entropy`.
    """

    label: Volume
    warnings: tuple[str, ...]
    probabilities: Volume | None = None
    uncertainty: Volume | None = None


class Predictor:
    """A trained model, loaded and ready.

    Args:
        model_folder: see `model_folder`.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        mirror: also segment the image mirrored along its axes, and average.

    Raises:
        GenSegError: the model cannot be read, or the device is not there.
    """

    def __init__(self, model_folder: Path, device: str = "auto", mirror: bool = False) -> None:
        self._device = choose_device(device)
        self._network, self.metadata = load_segmenter(model_folder, self._device)
        self._preprocessor = Preprocessor(self.metadata.preset)
        self._mirror = mirror

    def predict(
        self, image: Volume, probabilities: bool = False, uncertainty: bool = False
    ) -> Prediction:
        """Segment an image.

        Args:
            image: (channel, x, y, z), of any orientation and spacing; it is not modified.
            probabilities: give those of all classes as well.
            uncertainty: give the normalized entropy of the probabilities as well.

        Raises:
            GenSegError: the image has other channels than the model, or voxels that are NaN.
        """
        preset, values = self.metadata.preset, self.metadata.label_values
        if len(image.array) != preset.channels:
            raise GenSegError(
                f"the image has {len(image.array)} channels, the model needs {preset.channels}"
            )
        prepared = self._preprocessor.apply(image)
        batch = torch.from_numpy(prepared.image)[np.newaxis].to(self._device)
        shares = segment(self._network, preset.patch_size, batch, self._mirror)[0].cpu().numpy()
        extras: dict[str, Volume] = {}
        if probabilities or uncertainty:
            dense = self._preprocessor.restore_probabilities(prepared, shares)
            classes = dense.argmax(axis=0)
            if probabilities:
                extras["probabilities"] = Volume(dense, image.affine)
            if uncertainty:
                entropy = normalized_entropy(dense)[np.newaxis]
                extras["uncertainty"] = Volume(entropy, image.affine)
        else:
            classes = self._preprocessor.restore_classes(prepared, shares)
        label = np.asarray(values, np.int16)[classes]
        label = clean(label, preset, values[1:])
        warnings = self._warnings(image, label)
        return Prediction(Volume(label[np.newaxis], image.affine), warnings, **extras)

    def _warnings(self, image: Volume, label: np.ndarray) -> tuple[str, ...]:
        doubts = find_misfits(image, self.metadata)
        if not label.any():
            names = ", ".join(self.metadata.labels.values())
            doubts.append(f"the segmentation is empty: the model found no {names}")
        return tuple(doubts)


def predict_files(
    model: Path,
    images: Sequence[Path],
    out: Path,
    *,
    device: str = "auto",
    mirror: bool = False,
    probabilities: bool = False,
    uncertainty: bool = False,
    suffix: str = ".nii.gz",
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
        probabilities: write them as well.
        uncertainty: write `<image's name>_uncertainty.nii.gz` as well, the normalized entropy.
        suffix: the format; a `.seg.nrrd` carries the labels' names, colors and terminology.
        events: is told the progress and why a result is to be looked at with care.

    Returns:
        The label files, in the order of the images.

    Raises:
        GenSegError: the model or an image cannot be read, two images have one name, or an output
            would replace an image.
    """
    events = events or EventLog(None)
    targets = _targets(images, out, suffix, uncertainty)
    asked = {"probabilities": probabilities, "uncertainty": uncertainty}
    predictor = Predictor(model, device, mirror)
    start = time.monotonic()
    events.progress("predict", 0, len(images))
    for done, (image, target) in enumerate(zip(images, targets), 1):
        prediction = _predict_file(predictor, image, **asked)
        for warning in prediction.warnings:
            events.log(f"{image}: {warning}", "warning")
        _write(prediction, target, predictor.metadata)
        remaining = (time.monotonic() - start) / done * (len(images) - done)
        events.progress("predict", done, len(images), remaining)
    return targets


def _targets(images: Sequence[Path], out: Path, suffix: str, uncertainty: bool) -> list[Path]:
    """Name the label file of each image, and refuse names that clash before any work is done."""
    taken: dict[Path, Path] = {}
    inputs = {image.resolve() for image in images}
    targets = [out / f"{image_stem(image)}{suffix}" for image in images]
    for image, target in zip(images, targets):
        for file in (target, _uncertainty_file(target)) if uncertainty else (target,):
            if file in taken:
                both = f"{taken[file]} and {image}"
                raise GenSegError(f"{both} would both become {file.name}; rename one")
            if file.resolve() in inputs:
                raise GenSegError(f"{file.name} is one of the images; choose another output folder")
            taken[file] = image
    return targets


def _uncertainty_file(target: Path) -> Path:
    return target.parent / f"{image_stem(target)}{NAME_ENDING}.nii.gz"


def _predict_file(predictor: Predictor, path: Path, **asked: bool) -> Prediction:
    image = read_image(path)
    try:
        return predictor.predict(image, **asked)
    except GenSegError as fault:
        raise GenSegError(f"{path}: {fault}") from fault


def _write(prediction: Prediction, target: Path, metadata: ModelMetadata) -> None:
    preset = metadata.preset
    write_label(target, prediction.label, metadata.labels, preset.colors, preset.terminology)
    if prediction.probabilities is not None:
        dense = prediction.probabilities
        for index, value in enumerate(metadata.label_values[1:], 1):
            path = target.parent / PROBABILITIES / f"{image_stem(target)}_{value}.nii.gz"
            write_image(path, Volume(dense.array[index : index + 1], dense.affine))
    if prediction.uncertainty is not None:
        write_image(_uncertainty_file(target), prediction.uncertainty)
