"""Volumes to look at: real and generated pairs, and predictions of held-back cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ..augmentation.subject import LabeledCase, Subject
from ..feedback import write_preview_pairs
from ..files import atomic_folder
from ..images.image_io import Volume, write_image, write_label
from .generated import draw_pairs, kinds_of
from .session import Session

_REAL = 3


def write_previews(
    session: Session, folder: Path, predicted: Sequence[torch.Tensor], seed: int
) -> None:
    """Write real pairs, a generated pair of each kind and the held-back cases with predictions.

    Of large cases that is the part around the labels.

    Args:
        session: of the training.
        folder: made, with all of it or not at all.
        predicted: see `held_back_predictions`.
        seed: of what is drawn for the generated pairs.
    """
    learner = session.learner
    spacing = learner.subjects[0].spacing
    with atomic_folder(folder) as target:

        def write(name: str, image: torch.Tensor, label: torch.Tensor) -> None:
            files = (target / f"{name}_image.nii.gz", target / f"{name}_label.nii.gz")
            write_pair(*files, image, session.original_values(label), spacing, session.names)

        for place, subject in enumerate(_close_up(learner.subjects[:_REAL])):
            write(f"real_{place}", subject.image, subject.label)
        if learner.config.has_generator:
            generated = draw_pairs(learner, kinds_of(learner), seed)
            for place, pair in enumerate(generated):
                write(f"generated_{place}", pair.image, pair.label)
            made_of = {f"generated_{k}": (p.cases, p.kind) for k, p in enumerate(generated)}
            write_preview_pairs(target, made_of)
        held_back = _close_up(learner.subjects[learner.training :])
        for subject, classes in zip(held_back, predicted):
            write(f"validation_{subject.name}", subject.image, subject.label)
            path = target / f"validation_{subject.name}_prediction.nii.gz"
            label = session.original_values(classes)
            write_label(path, _label_volume(label, spacing), session.names)


def _close_up(subjects: Sequence[LabeledCase]) -> Iterator[Subject]:
    """Give one case after the other in memory, large ones around their label alone."""
    return (subject.close_up() for subject in subjects)


def write_pair(
    image_file: Path,
    label_file: Path,
    image: torch.Tensor,
    label: torch.Tensor,
    spacing: tuple[float, ...],
    names: dict[int, str],
) -> None:
    """Write an image (channel, *shape) and its label (*shape) of one spacing in mm."""
    array = image.detach().cpu().numpy().astype(np.float32)
    write_image(image_file, Volume(array, _affine(spacing)))
    write_label(label_file, _label_volume(label, spacing), names)


def _label_volume(label: torch.Tensor, spacing: tuple[float, ...]) -> Volume:
    return Volume(label.cpu().numpy().astype(np.int16)[None], _affine(spacing))


def _affine(spacing: tuple[float, ...]) -> np.ndarray:
    return np.diag([*spacing, 1.0])
