"""Applies a trained model to an image: the segmentation lands on the image's own grid.

Where the preset has a coarse spacing, the organ is looked for at it first, and what lies around it
is then segmented at the preset's spacing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..computing.devices import choose_device, choose_precision, to_device
from ..data.normalization import Spread
from ..data.preprocessing import Prepared, Preprocessor
from ..errors import GenSegError
from ..images.cutting import recut
from ..images.geometry import likeliest
from ..images.image_io import Volume
from ..presets import Preset
from .budget import Budget, passage_bytes
from .canvas import Canvas, canvas_bytes
from .classifier import SteadfastClassifier
from .coarse import Box, box_around, part_of, whole, with_padding, without_padding
from .ensemble import load_ensemble
from .image_fit import find_misfits
from .passes import Passes
from .postprocessing import clean
from .restoring import Restorer
from .views import View, mirrored_views, moved_views
from .volume_fit import find_odd_volumes
from .window_watch import Pass, WindowWatch

_COPIES = 4  # moved ones, to see where the model is unsure (`uncertainty_ranking.py`)


@dataclass(frozen=True)
class Prediction:
    """A segmentation on the image's own grid.

    `label` is (1, x, y, z) int16, `warnings` say why the result is to be looked at with care.
    Where they were asked for, `probabilities` is (class, x, y, z) float32, `uncertainty`
    (1, x, y, z) float32, see `normalized_entropy`, and `expected_dice` that of each label value,
    see `ExpectedDice`. Away from where a coarse pass found the organ, background is sure.
    """

    label: Volume
    warnings: tuple[str, ...]
    probabilities: Volume | None = None
    uncertainty: Volume | None = None
    expected_dice: Mapping[int, float] | None = None


class _Formatted(nn.Module):
    """A segmenter in the memory format of trainings and in a number format."""

    def __init__(self, segmenter: nn.Module, device: torch.device, precision: str) -> None:
        super().__init__()
        to_device(segmenter, device)
        self._segmenter, self._precision = segmenter, choose_precision(device, precision)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        with self._precision():
            logits: torch.Tensor = self._segmenter(windows)
        return logits


def _axes_to_mirror(preset: Preset) -> tuple[int, ...]:
    if not preset.mirror_axes:
        raise GenSegError(
            "this model learned from no mirrored cases, and would not know mirrored copies of an "
            "image; leave --mirror out, or train with a preset that names mirror_axes"
        )
    return preset.mirror_axes


class Predictor:
    """A trained model, loaded and ready.

    Args:
        model_folder: see `model_folder`.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        mirror: also segment the image mirrored along the axes that the model learned it along, and
            average.
        others: folders of further models of the same kind, to average over.
        max_memory: the most bytes that may be taken, of main memory and of the device's; None for
            most of what is free.
        tell: is told in one line what the device's memory did not suffice for.
        exact: compute in float32 even where the device gains by bfloat16, which trainings then
            compute in and which changes few voxels (`Testing/Benchmarks/fast_prediction.py`).

    Raises:
        GenSegError: a model cannot be read or is of another kind, it is to mirror and learned
            from no mirrored cases, or the device is not there.
    """

    def __init__(
        self,
        model_folder: Path,
        device: str = "auto",
        mirror: bool = False,
        *,
        others: Sequence[Path] = (),
        max_memory: int | None = None,
        tell: Callable[[str], None] | None = None,
        exact: bool = False,
    ) -> None:
        chosen = choose_device(device)
        networks, self.metadata = load_ensemble([model_folder, *others], chosen)
        self._preset = self.metadata.preset
        self._views = mirrored_views(_axes_to_mirror(self._preset) if mirror else ())
        precision = "fp32" if exact else "auto"
        networks = [_Formatted(one, chosen, precision) for one in networks]
        self._preprocessor = Preprocessor(self._preset)
        self._budget = Budget.choose(chosen, max_memory)
        classifier = SteadfastClassifier(
            networks, chosen, tell or (lambda _: None), windows_at_once=1
        )
        self._passes = Passes(classifier, self._budget, self._preset.patch_size, self._classes)

    def predict(
        self,
        image: Volume,
        probabilities: bool = False,
        uncertainty: bool = False,
        watch: WindowWatch | None = None,
    ) -> Prediction:
        """Segment an image.

        Args:
            image: (channel, x, y, z), of any orientation and spacing; it is not modified.
            probabilities: give those of all classes as well.
            uncertainty: give the normalized entropy of the probabilities and the expected Dice as
                well, both of the mean over moved copies, too: six times the work in all.
            watch: is told how far it is.

        Raises:
            GenSegError: the image has other channels than the model, or voxels that are NaN, or
                does not fit into the memory.
        """
        preset, values = self._preset, self.metadata.label_values
        if len(image.array) != preset.channels:
            raise GenSegError(
                f"the image has {len(image.array)} channels, the model needs {preset.channels}"
            )
        watch = watch or WindowWatch()
        asked = {"probabilities": probabilities, "uncertainty": uncertainty}
        self._require_room(image, asked)
        canvas = Canvas(image.shape, values, **asked)
        box: Box | None = whole(image)
        spread: Spread | None = None
        if preset.coarse_spacing is not None:
            box, spread = self._find(image, watch, uncertainty)
        if box is not None:
            prepared = self._fine_preprocessor().apply(part_of(image, box), spread=spread)
            self._fill(canvas, box, prepared, watch)
            label = clean(canvas.label[box], preset, values[1:])
            canvas.label[box] = recut(label, image.affine, self.metadata.cuts)
        return self._prediction(image, canvas)

    def _require_room(self, image: Volume, asked: Mapping[str, bool]) -> None:
        spacing = self._preset.coarse_spacing or self._preset.spacing
        what = " and ".join(name for name, on in asked.items() if on) or "segmentation"
        canvas = canvas_bytes(image.shape, self._classes, **asked)
        needed = canvas + passage_bytes(image, spacing, self._classes)
        self._budget.require(needed, f"the {what} of an image of {_voxels(image)}")

    def _fine_preprocessor(self) -> Preprocessor:
        """Give the preprocessor; what a coarse pass found is no further cropped."""
        if self._preset.coarse_spacing is None:
            return self._preprocessor
        return Preprocessor(replace(self._preset, crop_foreground=False))

    def _find(
        self, image: Volume, watch: WindowWatch, uncertainty: bool
    ) -> tuple[Box | None, Spread | None]:
        """Look for the organ at the coarse spacing.

        Gives the box to segment, None where there is none, and the spread of the whole image,
        which the box is normalized by.
        """
        fine_views = len(self._views) + (len(self._views) + _COPIES if uncertainty else 0)
        finding = Pass("to find where to look", self._views, fine_views)
        preset, values = self._preset, self.metadata.label_values
        coarse = Preprocessor(replace(preset, spacing=preset.coarse_spacing)).apply(image)
        along = self._passes.windows(coarse).along
        found = [
            likeliest(zip(values, shares), np.dtype(np.int16))
            for _, _, shares in self._passes.slabs(coarse, finding, watch)
        ]
        label = without_padding(coarse, np.concatenate(found, axis=along))
        label = with_padding(coarse, clean(label, preset, values[1:]))
        box = box_around(coarse, label, image, preset.coarse_margin_mm)
        if box is None and preset.search_finely:
            box = whole(image)
        if box is None:
            return None, None
        part = part_of(image, box)
        needed = passage_bytes(part, preset.spacing, self._classes)
        self._budget.require(needed, f"the fine pass over {_voxels(part)} of the image")
        return box, self._preprocessor.measure(image)

    def _fill(self, canvas: Canvas, box: Box, prepared: Prepared, watch: WindowWatch) -> None:
        """Fill a box of the canvas with what is found in its prepared image."""
        restorer = Restorer(prepared.route, self._passes.windows(prepared).along)
        copies: tuple[View, ...] = ()
        if canvas.uncertainty is not None:
            copies = (*self._views, *moved_views(_COPIES, prepared.spacing))
        segmenting = Pass("to segment", self._views, len(copies))
        canvas.fill(box, restorer, self._passes.slabs(prepared, segmenting, watch))
        if copies:
            doubting = Pass("to see where the model is unsure", copies)
            canvas.doubt(box, restorer, self._passes.slabs(prepared, doubting, watch))

    @property
    def _classes(self) -> int:
        return len(self.metadata.label_values)

    def _prediction(self, image: Volume, canvas: Canvas) -> Prediction:
        doubts = find_misfits(image, self.metadata)
        label = Volume(canvas.label[np.newaxis], image.affine)
        if canvas.label.any():
            doubts += find_odd_volumes(label, self.metadata)
        else:
            names = ", ".join(self.metadata.labels.values())
            doubts.append(f"the segmentation is empty: the model found no {names}")
        extras: dict[str, Volume] = {}
        if canvas.probabilities is not None:
            extras["probabilities"] = Volume(canvas.probabilities, image.affine)
        if canvas.uncertainty is not None:
            extras["uncertainty"] = Volume(canvas.uncertainty, image.affine)
        expected = canvas.expected_dice.of_labels() if canvas.expected_dice else None
        return Prediction(label, tuple(doubts), **extras, expected_dice=expected)


def _voxels(image: Volume) -> str:
    return " x ".join(str(count) for count in image.shape) + " voxels"
