"""Preview volumes: real and generated pairs, and predictions of validation cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from ..data.training_case import TrainingCase
from ..datasets.image_io import write_label
from ..feedback import write_preview_pairs
from ..files import atomic_folder, write_json
from .session import Session
from .synthesis import generate_pairs, label_volume, pair_kinds, write_pair
from .validation import Classes, class_dice_scores, mean_dice

VALIDATION = "validation.json"
_REAL_PAIRS = 3


def write_previews(session: Session, folder: Path, predicted: Sequence[Classes], seed: int) -> None:
    """Write real pairs, a generated pair of each kind, and validation cases with predictions.

    Large cases are shown around their foreground only, and 2-D images without their padding.
    `VALIDATION` has the mean Dice of the validation cases.

    Args:
        session: of the training.
        folder: created atomically.
        predicted: classes (*shape) of the first validation cases.
        seed: of the generated pairs.
    """
    learner = session.learner
    spacing = learner.cases[0].spacing
    with atomic_folder(folder) as target:

        def write(name: str, image: torch.Tensor, label: torch.Tensor) -> None:
            files = (target / f"{name}_image.nii.gz", target / f"{name}_label.nii.gz")
            write_pair(*files, image, session.to_label_values(label), spacing, session.names)

        for k, real in enumerate(learner.cases[:_REAL_PAIRS]):
            region = real.read_box(preview_box(real))
            write(f"real_{k}", region.image, region.label)
        generated = generate_pairs(learner, pair_kinds(learner), seed)
        for k, pair in enumerate(generated):
            write(f"generated_{k}", pair.image, pair.label)
        if learner.config.has_generator:
            origins = {f"generated_{k}": (p.cases, p.kind) for k, p in enumerate(generated)}
            write_preview_pairs(target, origins)
        dices = {}
        for case, classes in zip(learner.validation_cases, predicted):
            label = case.label.cpu().numpy()
            dices[case.name] = mean_dice([class_dice_scores(classes, label, learner.sets)])
            box = preview_box(case)
            region = case.read_box(box)
            write(f"validation_{case.name}", region.image, region.label)
            path = target / f"validation_{case.name}_prediction.nii.gz"
            shown = session.to_label_values(torch.from_numpy(classes[box]))
            write_label(path, label_volume(shown, spacing), session.names)
        known = {name: dice for name, dice in dices.items() if not math.isnan(dice)}
        write_json(target / VALIDATION, {"dice": known})


def preview_box(case: TrainingCase) -> tuple[slice, ...]:
    """Return the box of a case that is shown; a 2-D image is shown without its padding (0)."""
    box = case.foreground_box()
    if 1 not in case.shape:
        return box
    indices = torch.nonzero((case.read_box(box).image != 0).any(dim=0))
    if not len(indices):
        return box
    ends = zip(box, indices.amin(dim=0).tolist(), indices.amax(dim=0).tolist())
    return tuple(slice(part.start + low, part.start + high + 1) for part, low, high in ends)
