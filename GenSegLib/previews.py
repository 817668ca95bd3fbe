"""Volumes to look at: real and generated pairs, and predictions of held-back cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .augmentation.morphs import Subject
from .augmentation.randomness import Randomness
from .augmentation.spatial import SpatialStrength
from .files import atomic_folder
from .image_io import Volume, write_image, write_label
from .learner import Learner
from .session import Session
from .validation import predict

_STILL = SpatialStrength(probability=0.0, elastic=0.0)


def write_previews(session: Session, folder: Path, pairs: int = 3) -> None:
    """Write ``pairs`` real and generated pairs and all validation predictions to a new folder."""
    learner = session.learner
    spacing = learner.subjects[0].spacing
    with atomic_folder(folder) as target:

        def write(name: str, image: torch.Tensor, label: torch.Tensor) -> None:
            files = (target / f"{name}_image.nii.gz", target / f"{name}_label.nii.gz")
            write_pair(*files, image, session.original_values(label), spacing, session.names)

        for place, subject in enumerate(learner.subjects[:pairs]):
            write(f"real_{place}", subject.image, subject.label)
        if learner.has_generator:
            for place, (image, label) in enumerate(draw_pairs(learner, pairs, seed=0)):
                write(f"generated_{place}", image, label)
        for subject in learner.subjects[learner.training :]:
            write(f"validation_{subject.name}", subject.image, subject.label)
            path = target / f"validation_{subject.name}_prediction.nii.gz"
            label = session.original_values(_predicted(learner, subject))
            write_label(path, _label_volume(label, spacing), session.names)


def _predicted(learner: Learner, subject: Subject) -> torch.Tensor:
    with learner.averaged_segmenter() as segmenter:
        return predict(segmenter, learner.patch_size, subject, learner.problem.autocast)


@torch.no_grad()
def draw_pairs(learner: Learner, count: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return generated images (c, *s) with their labels (*s), without touching the training."""
    rng = Randomness(torch.Generator().manual_seed(seed), learner.device)
    upper = [tensor.detach() for tensor in learner.problem.upper_parameters()]
    drawn = []
    for place in range(count):
        blend = learner.all_morphs.blends(rng, 1, _STILL)
        image = learner.problem.draw(blend, learner.shown.tensors, upper, seed + place)
        drawn.append((image[0], blend.labels[0, 0]))
    return drawn


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
