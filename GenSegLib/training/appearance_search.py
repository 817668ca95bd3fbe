"""Steering of region appearance by the loss on validation cases over many steps.

A comparison takes twice the horizon: the segmenter trains from one state with either of two
distributions, on the same patches and random numbers, and the averaged segmenters' losses on
validation patches are compared. Training continues from the mean of both, which has seen half of
the patches that it could have seen; so the search takes a limited part of the training, and none
where there are too few steps. Validation cases count as they are and as another scanner would show
them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from ..augmentation.random_generator import RandomGenerator
from ..augmentation.region_appearance import AppearanceDistribution, steerable
from ..multilevel import PairedSearch

if TYPE_CHECKING:
    from .learner import Learner

FIRST_STEP = 50  # of the joint phase, at which its pace is known
# of the joint phase; before the start of the search, any distribution would do
START_FRACTION, SEARCH_FRACTION = 0.3, 0.25
MIN_COMPARISONS = 16  # in as many orthogonal directions
MIN_HORIZON = 20
NOT_STEERED = (
    "the appearance of recolored images follows its standard distributions: steering requires "
    f"validation cases and {FIRST_STEP + 2 * MIN_COMPARISONS * MIN_HORIZON / SEARCH_FRACTION:,.0f} "
    "joint steps within the time budget"
)
_STEERED = "appearance steered by {} comparisons; {}"
_NO_SIGNAL = "no variable has a signal beyond the noise, so that all keep their standard values"
_VALIDATION_PATCHES = 24


class AppearanceSearch:
    """Compares and moves the distributions of region appearance during the joint phase.

    Args:
        start: initial distributions.
        horizon: steps of either side of a comparison.
        target_scanner: weight of validation cases as another scanner would show them, 0 to 1.
        seed: of directions and of validation patches.
        has_targets: there are unlabeled images to take contrasts from.
    """

    def __init__(
        self,
        start: AppearanceDistribution,
        horizon: int,
        target_scanner: float,
        seed: int,
        *,
        has_targets: bool,
    ) -> None:
        self.names = steerable(has_targets=has_targets)
        self.distribution, self.horizon = start, horizon
        self._shortest = min(MIN_HORIZON, horizon)
        self._target_scanner, self._seed = target_scanner, seed
        self._search = PairedSearch(start.to_vector(self.names), seed)
        self.is_active = False
        self._wait = self._left = 0  # steps before the search, and those for it
        self._position = 0  # steps of the current comparison
        self._proposal: list[list[float]] = []
        self._start: dict[str, Any] = {}  # the segmenter's state before a comparison
        self._first: dict[str, Any] = {}  # and after its first side
        self._first_loss = 0.0

    @property
    def comparisons(self) -> int:
        """Number of comparisons so far."""
        return self._search.comparisons

    @property
    def is_comparing(self) -> bool:
        """Whether a comparison has begun; what both sides learn from must stay the same."""
        return self._position > 0

    def begin(self, steps: float) -> None:
        """Plan the search within this number of steps, unless they are too few.

        The horizon is shortened if that makes enough comparisons possible.
        """
        steps = min(steps, 1e9)
        self._wait, self._left = int(START_FRACTION * steps), int(SEARCH_FRACTION * steps)
        self.horizon = min(self.horizon, self._left // (2 * MIN_COMPARISONS))
        self.is_active = self.horizon >= self._shortest

    def before_step(self, learner: Learner) -> None:
        """Set the distribution of the next step."""
        if not self.is_active or self._wait > 0 or self._position not in (0, self.horizon):
            return
        if self._position == 0:
            self._proposal = list(self._search.propose())
            self._start = segmenter_state(learner)
        else:
            self._first = segmenter_state(learner)
            self._first_loss = self._validation_loss(learner)
            load_segmenter_state(learner, self._start)
        side = 0 if self._position == 0 else 1
        self._apply(learner, self._proposal[side])

    def after_step(self, learner: Learner) -> None:
        """Count a step, and end the comparison after its last one."""
        if not self.is_active:
            return
        if self._wait > 0:
            self._wait -= 1
            return
        self._position += 1
        if self._position < 2 * self.horizon:
            return
        self._search.report(self._first_loss, self._validation_loss(learner))
        load_segmenter_state(learner, mean_state(self._first, segmenter_state(learner)))
        self._reset(learner)
        self._left -= 2 * self.horizon
        self.is_active = self._left >= 2 * self.horizon

    def end(self, learner: Learner) -> None:
        """End the search; an unfinished comparison is dropped, its first side kept."""
        if self.is_active and self._position > self.horizon:
            load_segmenter_state(learner, self._first)
        self._reset(learner)
        self.is_active = False

    def _reset(self, learner: Learner) -> None:
        self._position, self._start, self._first = 0, {}, {}
        self._apply(learner, self._search.values)

    def _apply(self, learner: Learner, values: list[float]) -> None:
        self.distribution = self.distribution.with_vector(self.names, values)
        learner.set_distribution(self.distribution)

    @torch.no_grad()
    def _validation_loss(self, learner: Learner) -> float:
        """Return the averaged segmenter's loss on the same patches for both sides."""
        seed = self._seed + 1 + self._search.comparisons
        rng = RandomGenerator(seed, learner.device)
        network = learner.averaged_segmenter
        weights = list(network.parameters())
        total, problem = 0.0, learner.problem
        batches = -(-_VALIDATION_PATCHES // learner.config.batch_size)
        for _ in range(batches):
            views = learner.sampler.validation_views(rng, self._target_scanner)
            for weight, images, labels in views:
                if weight > 0:
                    logits = problem.segment(weights, images, network)
                    total += weight * float(problem.segmentation_loss(logits, labels))
        return total / batches

    def values(self) -> dict[str, float]:
        """Return the scalars and their signals to noise, by their names in the events."""
        center = self.distribution.with_vector(self.names, self._search.values)
        ratios = dict(zip(self.names, self._search.signal_to_noise()))
        values = {f"upper/{name}": float(getattr(center, name)) for name in self.names}
        return values | {f"signal_to_noise/{name}": ratio for name, ratio in ratios.items()}

    def summary(self) -> str:
        """Return what the search did, as a message to the user."""
        if self.comparisons == 0:
            return NOT_STEERED
        found = sorted(zip(self._search.signal_to_noise(), self.names), key=lambda x: -abs(x[0]))
        clear = ", ".join(
            f"{name} {getattr(self.distribution, name):.2f} (signal to noise {abs(ratio):.1f})"
            for ratio, name in found
            if abs(ratio) > self._search.threshold
        )
        return _STEERED.format(self.comparisons, f"moved: {clear}" if clear else _NO_SIGNAL)

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which :meth:`load_state_dict` continues."""
        return {
            "search": self._search.state_dict(),
            "vector": self.distribution.to_vector(self.names),
            "horizon": self.horizon,
            "is_active": self.is_active,
            "wait": self._wait,
            "left": self._left,
            "position": self._position,
            "proposal": self._proposal,
            "start": self._start,
            "first": self._first,
            "first_loss": self._first_loss,
        }

    def load_state_dict(self, state: dict[str, Any], learner: Learner) -> None:
        """Continue from an earlier :meth:`state_dict`."""
        self._search.load_state_dict(state["search"])
        self.horizon, self.is_active = state["horizon"], state["is_active"]
        self._wait, self._left = state["wait"], state["left"]
        self._position, self._proposal = state["position"], state["proposal"]
        self._start, self._first = state["start"], state["first"]
        self._first_loss = state["first_loss"]
        self._apply(learner, state["vector"])


def segmenter_state(learner: Learner) -> dict[str, Any]:
    """Return a copy of what the segmenter's steps change, random numbers included."""
    return copy.deepcopy(
        {
            "segmenter": learner.problem.segmenter.state_dict(),
            "optimizer": learner.engine.middle.optimizer.state_dict(),
            "average": learner.segmenter_average.state_dict(),
            "random": learner.prefetcher.random_state(),
        }
    )


def load_segmenter_state(learner: Learner, state: dict[str, Any]) -> None:
    """Restore a state of :func:`segmenter_state`."""
    learner.prefetcher.discard()
    rates = [group["lr"] for group in learner.engine.middle.optimizer.param_groups]
    learner.problem.segmenter.load_state_dict(state["segmenter"])
    learner.engine.middle.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
    for group, rate in zip(learner.engine.middle.optimizer.param_groups, rates):
        group["lr"] = rate  # that of the schedule
    learner.engine.middle.match_state_strides()
    learner.segmenter_average.load_state_dict(state["average"])
    learner.rng.generator.set_state(state["random"].cpu())


def mean_state(first: Any, second: Any) -> Any:
    """Return the mean of two states, as local SGD averages its workers (Stich, ICLR 2019).

    Whatever is not a floating-point tensor is that of the second state.
    """
    if isinstance(second, dict):
        return {name: mean_state(first[name], value) for name, value in second.items()}
    if isinstance(second, torch.Tensor) and second.is_floating_point():
        return (first + second) / 2
    return second
