"""How the next case to annotate is selected.

Light: the standard library and numpy only. The strategies that need a model's features or
probabilities are computed in `prediction.selection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cases import permutation


@dataclass(frozen=True)
class Strategy:
    """A strategy: its name, its title for users, what it is worth, and whether it needs a model."""

    name: str
    title: str
    hint: str
    needs_model: bool = False


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy(
            "order",
            "In order",
            "no cost; like random unless the order is meaningful (scanner, severity)",
        ),
        Strategy(
            "random",
            "Random",
            "no cost, and hard to beat: published comparisons on 3-D images find few "
            "strategies that are reliably better (Luth et al., nnActive, 2025)",
        ),
        Strategy(
            "different",
            "Most different",
            "covers unusual images early; where measured, no better than in order or random",
            needs_model=True,
        ),
        Strategy(
            "unsure",
            "Least sure",
            "finds images on which the model fails, which also take longest to correct; slowest, "
            "and not reliably better than random",
            needs_model=True,
        ),
    )
}


def at_random(names: Sequence[str], seed: int) -> list[str]:
    """Return the cases in a random order that depends on their names and the seed alone."""
    ordered = sorted(names)
    return [ordered[k] for k in permutation(len(ordered), seed)]


def most_different(
    features: NDArray[np.float64], labeled: NDArray[np.float64], count: int
) -> list[tuple[int, float]]:
    """Select cases by greedy k-center (Sener and Savarese, ICLR 2018): each is the farthest one.

    Features are standardized over all cases, so that none dominates the Euclidean distance.

    Args:
        features: (case, feature) of the cases to select from.
        labeled: (case, feature) of the labeled cases; with none, the first is the most central.
        count: how many to select.

    Returns:
        Index and distance from the labeled and the earlier selected cases, in order of selection.
    """
    pool, known = _standardized(features, labeled)
    selected: list[tuple[int, float]] = []
    if len(known):
        nearest = np.linalg.norm(pool[:, None] - known[None], axis=2).min(1)
    elif len(pool):
        central = int(np.linalg.norm(pool - pool.mean(0), axis=1).argmin())
        nearest = np.linalg.norm(pool - pool[central], axis=1)
        selected.append((central, 0.0))
    while len(selected) < min(count, len(pool)):
        free = [k for k in range(len(pool)) if k not in {index for index, _ in selected}]
        index = max(free, key=lambda k: float(nearest[k]))
        selected.append((index, float(nearest[index])))
        nearest = np.minimum(nearest, np.linalg.norm(pool - pool[index], axis=1))
    return selected


def _standardized(
    features: NDArray[np.float64], labeled: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both with a spread of 1 in each feature, scaled so that 1 is a typical distance."""
    both = np.concatenate([features, labeled])
    spread = both.std(0)
    scaled = (both - both.mean(0)) / np.where(spread > 0, spread, 1)
    scaled = scaled / np.sqrt(max(1, scaled.shape[1]))
    return scaled[: len(features)], scaled[len(features) :]
