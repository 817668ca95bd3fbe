"""Generated pairs: sampling them from a learner, and writing them to files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..augmentation.pairs import PairBatch
from ..augmentation.random_generator import RandomGenerator
from ..augmentation.spatial import NO_DEFORMATION
from ..case_annotation import Annotation
from ..cases import Case, CaseSet
from ..datasets.image_io import Volume, write_image, write_label
from ..errors import GenSegError
from ..events import EventLog
from ..files import atomic_folder, write_json
from ..images.file_names import image_stem
from ..images.volume import COLORS
from ..label_maps import IGNORE, ignored_file_value
from ..runs import RunFolder
from .learner import Learner
from .session import Session, load_trained_session


@dataclass(frozen=True)
class GeneratedPair:
    """A generated image (channel, *shape) and its label (*shape).

    Attributes:
        cases: the two cases that it blends; none if no network generated it.
        kind: the one change that it shows in addition to the blending; "" in pairs that have all
            the changes of the training.
    """

    image: torch.Tensor
    label: torch.Tensor
    cases: tuple[str, ...]
    kind: str


_CHANGED = ("change",) * 6  # pairs of a preview
_AT_ONCE = 8  # pairs that are drawn together, since lesions are those of other ones


def pair_kinds(learner: Learner) -> tuple[str, ...]:
    """Return the kinds of change of a training's generated pairs; none without such pairs."""
    if not learner.config.has_generator:
        return _CHANGED if learner.sampler.changes_real_pairs else ()
    return ("blending", "deformation", *learner.problem.variables.transforms)


@torch.no_grad()
def generate_pairs(learner: Learner, kinds: Sequence[str], seed: int) -> list[GeneratedPair]:
    """Generate a pair of each kind, without use of the training's random generator."""
    rng = RandomGenerator(seed, learner.device)
    if learner.sampler.changes_real_pairs:
        return _changed_pairs(learner, len(kinds), rng)
    return [_generate(learner, kind, rng, seed + k) for k, kind in enumerate(kinds)]


def training_pairs(learner: Learner, count: int, seed: int) -> Iterator[GeneratedPair]:
    """Generate pairs as the segmenter receives them, a few at a time.

    Of pairs that are made without a network, these are the changed ones.
    """
    rng = RandomGenerator(seed, learner.device)
    for start in range(0, count, _AT_ONCE):
        if learner.sampler.changes_real_pairs:
            yield from _changed_pairs(learner, _AT_ONCE, rng)[: count - start]
        else:
            numbers = range(start, min(count, start + _AT_ONCE))
            yield from [_received(learner, rng, seed + number) for number in numbers]


@torch.no_grad()
def _received(learner: Learner, rng: RandomGenerator, seed: int) -> GeneratedPair:
    """Return a pair as the segmenter receives it."""
    sampler, problem = learner.sampler, learner.problem
    pairs = sampler.all_pairs.blended_pairs(rng, 1, sampler.spatial, sampler.blended_fraction)
    weights, upper = learner.averaged_generator_weights, problem.upper_parameters()
    images, _ = problem.generate_batch(pairs, weights, upper, seed)
    return _pair(learner, pairs, images, "")


def _generate(learner: Learner, kind: str, rng: RandomGenerator, seed: int) -> GeneratedPair:
    problem, sampler = learner.problem, learner.sampler
    spatial = sampler.spatial if kind == "deformation" else NO_DEFORMATION
    fraction = 1.0 if sampler.blended_fraction > 0 else 0.0  # blend always, unless never
    pairs = sampler.all_pairs.blended_pairs(rng, 1, spatial, fraction)
    upper = [tensor.detach() for tensor in problem.upper_parameters()]
    generated = problem.generate_images(pairs, learner.averaged_generator_weights, upper, seed)
    image = problem.variables.scale_residual(pairs.source, generated)
    if kind in problem.variables.transforms:
        image = problem.variables.apply_transform(image, kind, rng)
    return _pair(learner, pairs, image, kind)


def _pair(learner: Learner, pairs: PairBatch, images: torch.Tensor, kind: str) -> GeneratedPair:
    """Return the first generated image of a batch with its label."""
    first, second = (learner.sampler.names[case] for case in pairs.between[0])
    image, label = images[0], pairs.labels[0, 0]
    if learner.preset.spatial_dims == 2:
        image, label = image[..., None], label[..., None]
    return GeneratedPair(image, label, (first, second), kind)


@torch.no_grad()
def _changed_pairs(learner: Learner, count: int, rng: RandomGenerator) -> list[GeneratedPair]:
    """Return patches of real pairs with recolored regions or transplanted lesions."""
    preset = learner.preset
    images, labels = learner.sampler.changed_pairs(rng, count)
    if preset.spatial_dims == 2:  # volumes of one slice, without its neighbors
        images = images.unflatten(1, (preset.channels, -1))[:, :, preset.context_slices, ..., None]
        labels = labels[..., None]
    pairs = zip(images, labels)
    return [GeneratedPair(image, label[0], (), "change") for image, label in pairs]


def synthesize(
    run: RunFolder, out: Path, count: int, seed: int, events: EventLog | None = None
) -> list[Path]:
    """Write ``count`` generated pairs to ``out/images`` and ``out/labels``; return the images.

    They are drawn as the segmenter receives them in the training. Pairs in pixels are PNG files,
    as other files would say that a pixel is 1 mm.

    If voxels or classes of the training's cases are not annotated, neither are those of the pairs,
    and ``out/cases.json`` says so.

    `events` receives warnings of corrupted checkpoints.

    Raises:
        GenSegError: the run has no generator or no checkpoint, or its cases are missing.
    """
    session = load_trained_session(run, events)
    learner = session.learner
    if not pair_kinds(learner):
        raise GenSegError(f"{run.path} was trained without a generator and cannot generate pairs")
    is_raster = learner.preset.unit == "px" and learner.preset.channels in (1, COLORS)
    suffix = ".png" if is_raster else ".nii.gz"
    names = [f"generated_{k:04d}{suffix}" for k in range(count)]
    with atomic_folder(out) as folder:
        for part in ("images", "labels"):
            (folder / part).mkdir()
        for name, pair in zip(names, training_pairs(learner, count, seed)):
            label = learner.sets.decode(pair.label, only_certain=True)
            files = (folder / "images" / name, folder / "labels" / name)
            write_pair(*files, pair.image, label, learner.cases[0].spacing, session.names)
        if learner.problem.sets is not None:
            _write_list(folder, names, session)
    return [out / "images" / name for name in names]


def _write_list(folder: Path, names: Sequence[str], session: Session) -> None:
    """Write a list of the pairs that names the value of ignored voxels."""
    annotation = Annotation(values={ignored_file_value(session.names): IGNORE})
    cases = tuple(
        Case(
            image_stem(Path(name)),
            folder / "images" / name,
            folder / "labels" / name,
            annotation=annotation,
        )
        for name in names
    )
    includes = dict(session.learner.sets.includes)
    write_json(
        folder / "cases.json", CaseSet(cases, session.names, includes=includes).to_json(folder)
    )


def write_pair(
    image_file: Path,
    label_file: Path,
    image: torch.Tensor,
    label: torch.Tensor,
    spacing: tuple[float, ...],
    names: dict[int, str],
) -> None:
    """Write an image (channel, *shape) and its label (*shape); spacing in mm, unused in a PNG."""
    array = image.detach().cpu().numpy().astype(np.float32)
    voxels = _to_bytes(array) if image_file.suffix == ".png" else array
    write_image(image_file, Volume(voxels, np.diag([*spacing, 1.0])))
    write_label(label_file, label_volume(label, spacing), names)


def _to_bytes(array: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale intensities, which are normalized, to 0..255."""
    low, high = float(array.min()), float(array.max())
    return np.rint((array - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)


def label_volume(label: torch.Tensor, spacing: tuple[float, ...]) -> Volume:
    """Return a label (*shape) as a volume; spacing in mm."""
    return Volume(label.cpu().numpy().astype(np.int16)[None], np.diag([*spacing, 1.0]))
