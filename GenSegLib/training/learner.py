"""The state of a training: networks, optimizers, averages and random numbers, and single steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from ..augmentation.policy import Policy
from ..augmentation.randomness import Randomness
from ..augmentation.subject import LabeledCase
from ..computing import distributed
from ..computing.devices import choose_device, to_device
from ..computing.memory_format import laid_out
from ..config import TrainConfig
from ..feedback import Feedback
from ..multilevel import Trilevel, adam_steps
from ..networks import segmenter_args
from ..presets import Preset
from .assembly import build_levels, build_problem
from .averages import Average
from .consistency import Consistency, Term
from .drawing_ahead import DrawingAhead
from .problem import Batches
from .sampling import Sampling, patches_of


class Learner:
    """Everything that changes during a training, and the steps that change it.

    Args:
        config: the settings.
        preset: the anatomy's.
        subjects: training cases, then validation cases.
        held_back: how many of the subjects, the last ones, are validation cases.
        classes: classes, background included.
        unlabeled: scans without a segmentation, where the settings ask for consistency in them.
    """

    def __init__(
        self,
        config: TrainConfig,
        preset: Preset,
        subjects: Sequence[LabeledCase],
        held_back: int,
        classes: int,
        unlabeled: Sequence[LabeledCase] = (),
    ) -> None:
        self.config, self.classes = config, classes
        self.device = choose_device(config.device)
        self.subjects = list(subjects)
        self.training = len(subjects) - held_back
        self.policy = Policy.of(preset).scaled(config.augmentation)
        self.feedback = Feedback()
        self.slowness = 1.0
        self.passed = 0.0  # the share of the segmenter's training that is over
        self.patch_size = preset.patch_size
        torch.manual_seed(config.seed)
        self.rng = Randomness(torch.Generator().manual_seed(config.seed), self.device)
        self.arguments = segmenter_args(
            config.segmenter, preset.channels, classes, preset.spatial_dims, preset.patch_size
        )
        self.problem = build_problem(
            config, preset, classes, self.arguments, self.policy, self.device
        )
        self.engine, self.adversary = build_levels(
            config, self.problem, has_held_back=held_back > 0
        )
        self.average = Average(self.problem.middle_parameters(), config.ema_decay)
        self.shown = Average(self.problem.lower_parameters(), config.ema_decay)
        self.sampling = Sampling(
            config, self.policy, subjects, self.training, classes, preset, self.rng
        )
        self.consistency = self._consistency(unlabeled, preset) if unlabeled else None
        self.ahead = DrawingAhead(self.rng, is_on=self._draws_ahead())
        self._real_pairs = [partial(self.sampling.real, held_back=held) for held in (False, True)]

    def _draws_ahead(self) -> bool:
        """Tell whether a card computes, and nothing else is drawn from the same numbers."""
        alone = distributed.count() == 1 and self.consistency is None
        return alone and self.config.generator != "warped" and self.device.type != "cpu"

    def _consistency(self, unlabeled: Sequence[LabeledCase], preset: Preset) -> Consistency:
        patches = patches_of(unlabeled, preset)
        return Consistency(self.config, self.problem, self.average, patches, self.policy, self.rng)

    @contextmanager
    def own_draws(self) -> Iterator[None]:
        """Let each of several processes draw samples of its own for one step.

        What they draw from in common goes on alike in all of them, so that a checkpoint has one
        state of it, for any number of processes. A process that is alone draws from it.
        """
        common = self.rng.generator
        self.rng.generator = distributed.own_stream(common)
        try:
            yield
        finally:
            self.rng.generator = common

    def follow(self, feedback: Feedback) -> None:
        """Leave out what a clinician rejected, from here on."""
        self.feedback = feedback
        self.ahead.forget()
        self.sampling.follow(feedback)
        changes = self.problem.variables.changes
        self.problem.variables.allow({name: feedback.strength(name) for name in changes})

    def set_segmenter_rate(self, factor: float) -> None:
        """Scale the segmenter's rate of the settings."""
        for group in self.engine.middle.optimizer.param_groups:
            group["lr"] = self.config.segmenter_rate * factor * self.slowness

    def slow_down(self, factor: float) -> None:
        """Scale the rates of the settings on all levels, the segmenter's from its next step on."""
        self.slowness = factor
        rates = (self.config.generator_rate, self.config.upper_rate, self.config.generator_rate)
        for level, rate in zip((self.engine.lower, self.engine.upper, self.adversary), rates):
            for group in level.optimizer.param_groups:
                group["lr"] = rate * factor

    def is_finite(self) -> bool:
        """Tell whether all weights are numbers."""
        problem = self.problem
        networks = (problem.segmenter, problem.generator, problem.discriminator, problem.variables)
        norms = [p.detach().float().norm() for network in networks for p in network.parameters()]
        return bool(torch.isfinite(torch.stack([norm.cpu() for norm in norms])).all())

    def warm_up_step(self) -> dict[str, float]:
        """Take a step of the generator and its adversary."""
        batches = self.ahead.take(self.sampling.lower_batches)
        adversary = self.adversary.descend(self.problem.adversary_loss(batches))
        weights = self.problem.lower_parameters()
        loss = self.problem.lower_loss(batches, weights, self.problem.upper_parameters())
        value = self.engine.lower.descend(loss)
        self.shown.update(weights)
        return {"generator_loss": value, "discriminator_loss": adversary}

    def joint_step(self, step: int) -> dict[str, float]:
        """Take a step of every level that is due."""
        if not self.config.has_generator:
            return self._generatorless_step(held_back=False)
        batches = self.ahead.take(self.sampling.batches)
        adversary = self.adversary.descend(self.problem.adversary_loss(batches))
        problem, term = self._trilevel(batches), self._term()
        losses = self.engine.iterate(step, term.added_to(problem) if term else problem)
        self.average.update(self.problem.middle_parameters())
        self.shown.update(self.problem.lower_parameters())
        return {
            "generator_loss": losses["lower"],
            "segmenter_loss": losses["middle"],
            "discriminator_loss": adversary,
            **(term.metrics() if term else {}),
        }

    def final_step(self) -> dict[str, float]:
        """Take a step of the segmenter on all labeled cases and pairs of the found recipe."""
        if not self.config.has_generator:
            return self._generatorless_step(held_back=True)
        problem, middle = self.problem, self.problem.middle_parameters()
        batches = self.ahead.take(self.sampling.final_batches)
        with torch.no_grad():
            upper = problem.upper_parameters()
            bridge = problem.bridge(batches.pairs, self.shown.tensors, upper, batches.seed)
        loss = problem.middle_loss(batches.real, batches.pairs.labels, middle, bridge)
        return self._descend(loss)

    def _generatorless_step(self, *, held_back: bool) -> dict[str, float]:
        real = self.ahead.take(self._real_pairs[held_back])
        if self.config.generator == "warped":
            loss = self._loss_with_warped(real, held_back=held_back)
        else:
            loss = self.problem.real_loss(*real)
        return self._descend(loss)

    def _descend(self, loss: torch.Tensor) -> dict[str, float]:
        """Take a step of the segmenter down its loss on pairs and that on unlabeled scans."""
        middle, term = self.problem.middle_parameters(), self._term()
        value = self.engine.middle.descend(loss + term.loss(middle) if term else loss)
        self.average.update(middle)
        return {"segmenter_loss": value, **(term.metrics() if term else {})}

    def _term(self) -> Term | None:
        return self.consistency.draw(self.passed) if self.consistency else None

    def _loss_with_warped(
        self, real: tuple[torch.Tensor, torch.Tensor], *, held_back: bool
    ) -> torch.Tensor:
        """Return the loss on real pairs and on blended masks with real images moved onto them.

        Their appearance changes as that of generated images does, and they weigh as much as real
        pairs: all that pairs have without a generator and its feedback.
        """
        problem = self.problem
        with torch.no_grad():
            pairs = self.sampling.blends(held_back=held_back)
            images = problem.variables(pairs.source, pairs.source, self.rng)
            bridge = [images, problem.variables.weight()]
        return problem.middle_loss(real, pairs.labels, problem.middle_parameters(), bridge)

    def _trilevel(self, batches: Batches) -> Trilevel:
        return self.problem.trilevel(
            batches,
            adam_steps(self.engine.lower.optimizer),
            adam_steps(self.engine.middle.optimizer),
            judged=self.average.tensors,
        )

    @property
    def memory_format(self) -> str:
        """How the segmenter lies in memory."""
        return self.problem.memory_format

    def lay_out(self, memory_format: str) -> None:
        """Let the segmenter, its average and its images lie in memory so."""
        self.problem.memory_format = memory_format
        to_device(self.problem.segmenter, self.device, memory_format)
        self.average.tensors = [laid_out(each, memory_format) for each in self.average.tensors]
        self.engine.middle.lay_state()

    @contextmanager
    def averaged_segmenter(self) -> Iterator[nn.Module]:
        """Give the segmenter with its averaged weights, in evaluation mode, for a while."""
        segmenter = self.problem.segmenter
        own = [tensor.detach().clone() for tensor in self.problem.middle_parameters()]
        self._set_segmenter(self.average.tensors)
        segmenter.eval()
        try:
            yield segmenter
        finally:
            self._set_segmenter(own)
            segmenter.train()

    @torch.no_grad()
    def _set_segmenter(self, weights: Sequence[torch.Tensor]) -> None:
        torch._foreach_copy_(self.problem.middle_parameters(), list(weights))

    def reduce_cells(self) -> dict[str, str]:
        """Keep each cell's best operation alone; return the operations' names by cell."""
        return self.problem.generator.reduce()

    def upper_values(self) -> dict[str, float]:
        """Return the upper-level variables by the names under which the report shows them."""
        if not self.config.has_generator:
            return {}
        variables = self.problem.variables.values()
        values = {"gamma": variables.pop("weight")}
        values |= {f"upper/{name}": value for name, value in variables.items()}
        for place, cell in self.problem.generator.cells().items():
            values |= {f"alpha/{place}/{name}": x for name, x in cell.weights().items()}
        return values

    def state(self) -> dict[str, Any]:
        """Return all that :meth:`restore` needs to go on to the bit."""
        problem, engine = self.problem, self.engine
        return {
            "segmenter": problem.segmenter.state_dict(),
            "generator": problem.generator.state_dict(),
            "discriminator": problem.discriminator.state_dict(),
            "variables": problem.variables.state_dict(),
            "optimizers": [
                level.optimizer.state_dict()
                for level in (engine.lower, engine.middle, engine.upper, self.adversary)
            ],
            "averages": [self.average.state(), self.shown.state()],
            "random": self.ahead.random_state(),
            "feedback": self.feedback.to_json(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from an earlier :meth:`state`."""
        problem, engine = self.problem, self.engine
        for name in ("segmenter", "generator", "discriminator", "variables"):
            getattr(problem, name).load_state_dict(state[name])
        levels = (engine.lower, engine.middle, engine.upper, self.adversary)
        for level, saved in zip(levels, state["optimizers"]):
            level.optimizer.load_state_dict(saved)
            level.lay_state()
        for average, saved in zip((self.average, self.shown), state["averages"]):
            average.restore(saved)
        self.ahead.forget()
        self.rng.generator.set_state(state["random"].cpu())
        if self.config.has_generator:
            self.follow(Feedback.from_json(state["feedback"]))
