"""Applies a trained model to an image; the segmentation is on the image's own grid.

With a coarse spacing in the preset, the organ is first located at that spacing, and the region
around it is then segmented at the preset's spacing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..computing.devices import choose_device, choose_precision, to_device
from ..data.normalization import IntensityStatistics
from ..data.preprocessing import PreprocessedImage, Preprocessor
from ..datasets.channels import with_channels
from ..errors import GenSegError
from ..images.geometry import argmax_label, full_box
from ..images.volume import Volume, select_frame
from ..models.weights import load_ensemble
from ..networks.slice_wise import as_window_network
from ..presets import Preset
from .accumulator import OutputAccumulator, output_bytes
from .coarse_to_fine import Box, crop, organ_box, remove_padding, restore_padding
from .ensemble import OutOfMemoryFallback
from .inferer import SlidingWindowInferer
from .inversion import SlabInverter
from .memory_budget import MemoryBudget, preprocessing_bytes
from .plausibility import image_warnings, volume_warnings
from .postprocessing import postprocess
from .prediction_progress import InferencePass, PredictionProgress
from .tta import Augmentation, affine_augmentations, flips

_ONE_SIZE = ("unetr",)  # segmenters of images up to the size of a patch
_AFFINE_COPIES = 4  # for the uncertainty (`Docs/Results.md`)


Runtime = Callable[[Path, nn.Module, Preset], nn.Module]
"""Replaces a network of windows: from model folder, network and preset."""


@dataclass(frozen=True)
class Prediction:
    """A segmentation on the image's own grid.

    Attributes:
        label: (1, x, y, z) int16.
        warnings: reasons to review the result.
        probabilities: (class, x, y, z) float32 if requested. Outside the region that a coarse pass
            found, background has probability 1.
        uncertainty: (1, x, y, z) float32 if requested, see `normalized_entropy`.
        expected_dice: of each label value if the uncertainty was requested, see `ExpectedDice`.
    """

    label: Volume
    warnings: tuple[str, ...]
    probabilities: Volume | None = None
    uncertainty: Volume | None = None
    expected_dice: Mapping[int, float] | None = None


class _AutocastSegmenter(nn.Module):
    """A segmenter in the memory format and number format of training runs."""

    def __init__(self, segmenter: nn.Module, device: torch.device, precision: str) -> None:
        super().__init__()
        to_device(segmenter, device)
        self._segmenter, self._precision = segmenter, choose_precision(device, precision)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        with self._precision():
            logits: torch.Tensor = self._segmenter(windows)
        return logits


class Predictor:
    """A trained model, loaded and ready to predict.

    Args:
        model_folder: see `models.folder`.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        mirror: average over flips along the preset's `mirror_axes`.
        others: folders of further models to average over, with equal preprocessing and labels.
        max_memory: limit in bytes, for main memory and for the device's memory; None for most of
            what is free.
        log: called with one line per fallback after an out-of-memory error.
        exact: compute in float32 even where bfloat16 is faster; bfloat16, which training runs use,
            changes few voxels (`Docs/Results.md`).
        whole_slices: segment slices that are not much larger than the patch in one window, which is
            faster than windows that overlap.
        runtime: returns what runs the network of a model folder on the CPU, which may be faster.

    Raises:
        GenSegError: a model cannot be read or does not match the first one, mirroring is requested
            of a model trained without it, or the device is not available.
    """

    def __init__(
        self,
        model_folder: Path,
        device: str = "auto",
        mirror: bool = False,
        *,
        others: Sequence[Path] = (),
        max_memory: int | None = None,
        log: Callable[[str], None] | None = None,
        exact: bool = False,
        whole_slices: bool = False,
        runtime: Runtime | None = None,
    ) -> None:
        chosen = choose_device(device)
        networks, self.metadata = load_ensemble([model_folder, *others], chosen)
        self._preset = self.metadata.preset
        self._flips = flips(_mirror_axes(self._preset) if mirror else ())
        precision = "fp32" if exact else "auto"
        networks = [
            as_window_network(_AutocastSegmenter(one, chosen, precision), self._preset)
            for one in networks
        ]
        if runtime is not None and chosen.type == "cpu":
            folders = (model_folder, *others)
            networks = [runtime(*each, self._preset) for each in zip(folders, networks)]
        self._preprocessor = Preprocessor(self._preset)
        first_spacing = self._preset.coarse_spacing or self._preset.spacing
        self._first_preprocessor = Preprocessor(replace(self._preset, spacing=first_spacing))
        self._budget = MemoryBudget.choose(chosen, max_memory)
        ensemble = OutOfMemoryFallback(networks, chosen, log or (lambda _: None), batch_size=1)
        whole_slices &= self.metadata.network not in _ONE_SIZE
        self._inferer = SlidingWindowInferer(
            ensemble, self._budget, self._preset, self._classes, whole_slices
        )

    def predict(
        self,
        image: Volume,
        probabilities: bool = False,
        uncertainty: bool = False,
        progress: PredictionProgress | None = None,
    ) -> Prediction:
        """Segment an image.

        Args:
            image: (channel, x, y, z), of any orientation and spacing; it is not modified.
            probabilities: also return the probabilities of all classes.
            uncertainty: also return the normalized entropy and the expected Dice, both of the mean
                over small affine transforms of the image; takes six times as long in all.
            progress: receives the number of finished windows.

        Raises:
            GenSegError: the image's channels do not match the model, it has NaN voxels, or it does
                not fit into memory.
        """
        image = self._fit(image)
        progress = progress or PredictionProgress()
        outputs = {"probabilities": probabilities, "uncertainty": uncertainty}
        foreground = self._field_of_view(image)
        self._require_memory(image, outputs, foreground)
        if image.is_stack:
            frames = [select_frame(image, number) for number in range(1, image.shape[2] + 1)]
            found = [self.predict(each, probabilities, uncertainty, progress) for each in frames]
            return _join_frames(found, image)
        accumulator = OutputAccumulator(image.shape, self.metadata.label_values, **outputs)
        box: Box | None = full_box(image.shape)
        statistics: IntensityStatistics | None = None
        preprocessor = self._preprocessor
        if self._preset.coarse_spacing is not None:
            box, statistics = self._locate(image, progress, uncertainty)
            preprocessor = Preprocessor(replace(self._preset, crop_foreground=False))
        if box is not None:
            part = crop(image, box)
            prepared = preprocessor.apply(part, statistics=statistics, foreground=foreground)
            self._segment(accumulator, box, prepared, progress)
            self._postprocess(accumulator.label[box])
        return self._prediction(image, accumulator)

    def _fit(self, image: Volume) -> Volume:
        """Return an image of the kind of the model's training cases."""
        image = with_channels(image, self._preset.channels)
        if self._preset.spatial_dims == 3 and (image.unit == "px" or image.is_stack):
            raise GenSegError("this is a 2-D image, but the model segments volumes")
        return image

    def _field_of_view(self, image: Volume) -> np.ndarray | None:
        """Return the mask of a 2-D image that lengths are relative to, None if they are not.

        Nor is there one of a stack, whose frames are segmented singly, or with a coarse pass.
        """
        preset = self._preset
        if not preset.long_side or image.is_stack or preset.coarse_spacing is not None:
            return None
        return self._preprocessor.foreground(image)

    def _require_memory(
        self, image: Volume, outputs: Mapping[str, bool], foreground: np.ndarray | None
    ) -> None:
        what = " and ".join(name for name, on in outputs.items() if on) or "segmentation"
        needed = output_bytes(image.shape, self._classes, **outputs)
        part = select_frame(image, 1) if image.is_stack else image  # frames are segmented singly
        spacing = self._first_preprocessor.target_spacing(part, foreground)
        needed += preprocessing_bytes(part, spacing, self._classes)
        self._budget.require(needed, f"predicting the {what} of an image of {_voxels(image)}")

    def _locate(
        self, image: Volume, progress: PredictionProgress, uncertainty: bool
    ) -> tuple[Box | None, IntensityStatistics | None]:
        """Locate the organ at the coarse spacing.

        Returns the box to segment, None if there is none, and the intensity statistics of the
        whole image, by which the box is normalized.
        """
        later = len(self._flips) + (len(self._flips) + _AFFINE_COPIES if uncertainty else 0)
        locating = InferencePass("to locate the organ", self._flips, later)
        preset = self._preset
        coarse = self._first_preprocessor.apply(image)
        along = self._inferer.windows(coarse).along
        slabs = [
            argmax_label(zip(self.metadata.label_values, probabilities), np.dtype(np.int16))
            for _, _, probabilities in self._inferer.iterate_slabs(coarse, locating, progress)
        ]
        label = remove_padding(coarse, np.concatenate(slabs, axis=along))
        label = restore_padding(coarse, self._postprocess(label))
        box = organ_box(coarse, label, image, preset.coarse_margin_mm)
        if box is None and preset.full_image_fallback:
            box = full_box(image.shape)
        if box is None:
            return None, None
        part = crop(image, box)
        spacing = self._preprocessor.target_spacing(part)
        needed = preprocessing_bytes(part, spacing, self._classes)
        self._budget.require(needed, f"the fine pass over {_voxels(part)} of the image")
        return box, self._preprocessor.statistics(image)

    def _segment(
        self,
        accumulator: OutputAccumulator,
        box: Box,
        prepared: PreprocessedImage,
        progress: PredictionProgress,
    ) -> None:
        """Segment a box of the image at the fine spacing."""
        inverter = SlabInverter(prepared.transform, self._inferer.windows(prepared).along)
        copies: tuple[Augmentation, ...] = ()
        if accumulator.uncertainty is not None:
            spacing = prepared.spacing[: self._preset.spatial_dims]
            copies = (*self._flips, *affine_augmentations(_AFFINE_COPIES, spacing))
        segmenting = InferencePass("for the segmentation", self._flips, len(copies))
        slabs = self._inferer.iterate_slabs(prepared, segmenting, progress)
        accumulator.add(box, inverter, slabs)
        if copies:
            repeating = InferencePass("for the uncertainty", copies)
            slabs = self._inferer.iterate_slabs(prepared, repeating, progress)
            accumulator.add_uncertainty(box, inverter, slabs)

    def _postprocess(self, label: np.ndarray) -> np.ndarray:
        values = self.metadata.label_values[1:]
        return postprocess(label, self._preset, values, self.metadata.regions)

    @property
    def _classes(self) -> int:
        return len(self.metadata.label_values)

    def _prediction(self, image: Volume, accumulator: OutputAccumulator) -> Prediction:
        warnings = image_warnings(image, self.metadata)
        label = replace(image, array=accumulator.label[np.newaxis], warnings=())
        if accumulator.label.any():
            warnings += volume_warnings(label, self.metadata)
        else:
            names = ", ".join(self.metadata.labels.values())
            warnings.append(f"the segmentation is empty: the model found no {names}")
        maps = {
            name: replace(label, array=array)
            for name in ("probabilities", "uncertainty")
            if (array := getattr(accumulator, name)) is not None
        }
        expected = accumulator.expected_dice.of_labels() if accumulator.expected_dice else None
        return Prediction(label, tuple(warnings), **maps, expected_dice=expected)


def _join_frames(found: Sequence[Prediction], image: Volume) -> Prediction:
    """Return one prediction of a stack of 2-D images, such as a clip, from those of its frames.

    Each frame is normalized and postprocessed on its own, as in training, where frames are cases.
    The expected Dice is the mean over frames; warnings say how many frames they are about.
    """
    maps = {}
    for name in ("label", "probabilities", "uncertainty"):
        if getattr(found[0], name) is not None:
            array = np.concatenate([getattr(each, name).array for each in found], axis=3)
            maps[name] = replace(image, array=array, warnings=())
    warnings = Counter(warning for each in found for warning in each.warnings)
    texts = tuple(f"{text} (in {n} of {len(found)} frames)" for text, n in warnings.items())
    dice = [each.expected_dice for each in found if each.expected_dice is not None]
    means = {value: float(np.mean([each[value] for each in dice])) for value in (dice or [{}])[0]}
    return replace(found[0], **maps, warnings=texts, expected_dice=means if dice else None)


def _mirror_axes(preset: Preset) -> tuple[int, ...]:
    if not preset.mirror_axes:
        raise GenSegError(
            "this model was trained without mirroring, so mirrored predictions would be wrong; "
            "omit --mirror, or train with a preset that sets mirror_axes"
        )
    return preset.mirror_axes


def _voxels(image: Volume) -> str:
    return " x ".join(str(count) for count in image.shape) + " voxels"
