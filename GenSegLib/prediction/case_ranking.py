"""Ranking of images by how much their annotation promises; see `annotation.strategies`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..annotation.strategies import at_random, most_different
from ..datasets.channels import read_channels, with_channels
from ..errors import GenSegError
from ..images.volume import Volume
from .case_features import FeatureExtractor
from .predictor import Predictor

_MARGIN_VOXELS = 2.0  # around the segmentation, in units of the finest spacing

T = TypeVar("T")
Images = Sequence[Path]  # the files of one image, one per channel
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RankedCase:
    """An image to annotate.

    Attributes:
        name: of the image.
        images: its files, one per channel.
        score: distance from the labeled cases ("different"), or mean entropy near the segmentation
            ("unsure"); None for other strategies.
    """

    name: str
    images: tuple[Path, ...]
    score: float | None = None


@dataclass(frozen=True)
class Ranking:
    """The images in the order in which to annotate them, and why others were skipped."""

    cases: tuple[RankedCase, ...]
    skipped: tuple[str, ...] = ()


def rank_cases(
    strategy: str,
    model_folder: Path,
    images: Mapping[str, Images],
    labeled: Sequence[Images],
    count: int,
    seed: int,
    device: str,
    progress: Progress,
) -> Ranking:
    """Return the images to annotate next, at most `count`.

    Args:
        strategy: one of `STRATEGIES`.
        model_folder: see `models.folder`; not read for the strategies "order" and "random".
        images: files of each image by its name.
        labeled: files of the images that are labeled already.
        count: how many to return.
        seed: of the strategy "random".
        device: see `Predictor`.
        progress: called with the number of images that are read, and that of all.

    Raises:
        GenSegError: the model cannot be read, or no image could be.
    """
    if strategy == "different":
        return _most_different(
            FeatureExtractor(model_folder, device), images, labeled, count, progress
        )
    if strategy == "unsure":
        return _least_sure(Predictor(model_folder, device), images, count, progress)
    names = at_random(list(images), seed) if strategy == "random" else list(images)
    return Ranking(tuple(RankedCase(name, tuple(images[name])) for name in names[:count]))


def _most_different(
    extract: FeatureExtractor,
    images: Mapping[str, Images],
    labeled: Sequence[Images],
    count: int,
    progress: Progress,
) -> Ranking:
    """Rank by distance from the labeled and the earlier ranked images; see `most_different`."""
    channels = extract.metadata.preset.channels
    both = [*images.values(), *labeled]
    features, skipped = _for_each(both, channels, extract, progress)
    names = dict(enumerate(images))
    pool = [k for k in features if k in names]
    if not pool:
        raise GenSegError(f"no image can be read: {skipped[0]}")
    known = [features[k] for k in features if k not in names]
    selected = most_different(
        np.stack([features[k] for k in pool]),
        np.stack(known) if known else np.zeros((0, len(features[pool[0]]))),
        count,
    )
    chosen = ((names[pool[k]], distance) for k, distance in selected)
    ranked = tuple(RankedCase(name, tuple(images[name]), value) for name, value in chosen)
    return Ranking(ranked, skipped)


def _least_sure(
    predictor: Predictor, images: Mapping[str, Images], count: int, progress: Progress
) -> Ranking:
    """Rank by `entropy_near` the segmentation; an image without any segmentation comes first."""

    def entropy(image: Volume) -> float:
        prediction = predictor.predict(image, uncertainty=True)
        assert prediction.uncertainty is not None
        label = prediction.label.array[0]
        return entropy_near(prediction.uncertainty.array[0], label, image.spacing)

    channels = predictor.metadata.preset.channels
    found, skipped = _for_each(list(images.values()), channels, entropy, progress)
    if not found:
        raise GenSegError(f"no image can be read: {skipped[0]}")
    scores = {name: found[k] for k, name in enumerate(images) if k in found}
    names = sorted(scores, key=lambda name: -scores[name])[:count]
    ranked = tuple(RankedCase(name, tuple(images[name]), scores[name]) for name in names)
    return Ranking(ranked, skipped)


def entropy_near(
    entropy: NDArray[np.float32], label: NDArray[np.int16], spacing: Sequence[float]
) -> float:
    """Return the mean entropy in and around a segmentation, from 0 to 1.

    The background far away is always certain and would only dilute it, by the size of the image.

    Args:
        entropy: normalized entropy (x, y, z).
        label: (x, y, z); without any segment the result is 1, since the model failed or the
            structure is absent, both of which need review.
        spacing: of the voxels in mm.
    """
    if not label.any():
        return 1.0
    margin = _MARGIN_VOXELS * min(spacing)
    found = np.argwhere(label)
    widths = np.ceil(margin / np.array(spacing)).astype(int)
    starts = np.maximum(found.min(0) - widths, 0)
    box = tuple(map(slice, starts.tolist(), (found.max(0) + widths + 1).tolist()))
    distance = ndimage.distance_transform_edt(label[box] == 0, sampling=spacing)
    return float(entropy[box][distance <= margin].mean())


def _for_each(
    images: Sequence[Images], channels: int, work: Callable[[Volume], T], progress: Progress
) -> tuple[dict[int, T], tuple[str, ...]]:
    """Return the result for each image by its index, and a line for each that was skipped."""
    results: dict[int, T] = {}
    skipped: list[str] = []
    for index, paths in enumerate(images):
        progress(index, len(images))
        try:
            image = with_channels(read_channels(paths), channels)
            if image.array.min() == image.array.max():
                raise GenSegError("all voxels have the same value: there is nothing to segment")
            results[index] = work(image)
        except GenSegError as error:
            text = str(error)
            skipped.append(text if str(paths[0]) in text else f"{paths[0]}: {text}")
    progress(len(images), len(images))
    return results, tuple(skipped)
