"""Networks, optimizers, averages and random state of a training, and its optimization steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..augmentation.random_generator import RandomGenerator
from ..augmentation.region_appearance import AppearanceDistribution
from ..computing.devices import choose_device, to_device
from ..config import TrainConfig
from ..data.label_sets import LabelSets
from ..data.training_case import TrainingCase
from ..feedback import Feedback
from ..multilevel import TrilevelProblem, effective_learning_rates
from ..presets import Preset
from .appearance_search import AppearanceSearch
from .batches import TrilevelBatch
from .builders import (
    build_average,
    build_engine,
    build_policy,
    build_problem,
    network_arguments,
)
from .losses import class_weights
from .prefetcher import Prefetcher
from .pseudo_label_checks import CasePrediction, Reference
from .pseudo_labels import OTHER_SCANNER, SAME_SCANNER, PseudoLabels
from .sampling import BatchSampler
from .volumes import class_voxels, has_partial_labels

_NETWORKS = ("segmenter", "generator", "discriminator", "variables")


class Learner:
    """State that changes during a training, and the steps that change it.

    Args:
        config: settings.
        preset: the task's preset.
        cases: training cases, then validation cases.
        validation_count: number of validation cases.
        classes: number of classes, background included.
        unlabeled: unlabeled cases for self-training and for contrasts of regions.
        sets: meaning of the labels.
    """

    def __init__(
        self,
        config: TrainConfig,
        preset: Preset,
        cases: Sequence[TrainingCase],
        validation_count: int,
        classes: int,
        unlabeled: Sequence[TrainingCase],
        sets: LabelSets,
    ) -> None:
        self.config, self.preset, self.classes = config, preset, classes
        self.sets = sets
        self.device = choose_device(config.device)
        self.cases, self.training_count = list(cases), len(cases) - validation_count
        self.feedback = Feedback()
        self.lr_factor = 1.0
        self.progress = 0.0  # fraction of the segmenter's training that is done
        self.policy = build_policy(config, preset)
        torch.manual_seed(config.seed)
        self.rng = RandomGenerator(config.seed, self.device)
        self.arguments = network_arguments(config.network, preset, classes)
        self.problem = build_problem(
            config, preset, classes, self.arguments, self.policy, self.device
        )
        is_partial = config.self_training or has_partial_labels(cases, classes)
        partial_sets = sets if is_partial else None
        self.problem.sets = partial_sets
        if preset.class_weighting:  # else voxels need not be counted
            self.problem.class_weights = self._class_weights(preset.class_weighting)
        self.engine, self.discriminator = build_engine(
            config, self.problem, has_validation=validation_count > 0
        )
        decay = config.ema_decay
        self.segmenter_average = build_average(self.problem.segmenter, decay, use_buffers=True)
        self.generator_average = build_average(self.problem.generator, decay, use_buffers=False)
        task = cases, self.training_count, classes, preset
        self.sampler = BatchSampler(config, self.policy, *task, self.rng, unlabeled, partial_sets)
        self.search = self._build_search(has_targets=bool(unlabeled))
        self.pseudo_labels: PseudoLabels | None = None
        if config.self_training:
            schedule = OTHER_SCANNER if config.target_scanner else SAME_SCANNER
            self.pseudo_labels = PseudoLabels(unlabeled, classes, self.device, schedule)
        self.prefetcher = Prefetcher(self.rng, enabled=self._can_prefetch())
        self._real_batches = [
            partial(self.sampler.real, include_validation=included) for included in (False, True)
        ]

    def _class_weights(self, exponent: float) -> torch.Tensor | None:
        weights = class_weights(class_voxels(self.cases, self.sets), exponent)
        return None if weights is None else weights.to(self.device)

    def _can_prefetch(self) -> bool:
        """Return whether a core is free for it."""
        return self.device.type != "cpu" or torch.get_num_threads() > 1

    def is_labeling_due(self) -> bool:
        """Return whether the unlabeled cases are to be labeled now."""
        is_comparing = self.search is not None and self.search.is_comparing
        labels = self.pseudo_labels
        return labels is not None and not is_comparing and labels.is_due(self.progress)

    def label_unlabeled(
        self,
        predict: Callable[[TrainingCase], CasePrediction],
        limit_s: float,
        reference: Reference | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Label unlabeled cases, and learn from them from now on; see `PseudoLabels.update`."""
        assert self.pseudo_labels is not None
        self.pseudo_labels.update(predict, self.progress, limit_s, reference, is_stopped)
        self._use_pseudo_labels()

    def _use_pseudo_labels(self) -> None:
        """Use the unlabeled cases whose labels are good enough, once any have been judged."""
        assert self.pseudo_labels is not None
        if self.pseudo_labels.has_judged:
            self.prefetcher.discard()
            self.sampler.set_unlabeled(self.pseudo_labels.cases)

    @property
    def validation_cases(self) -> list[TrainingCase]:
        """The validation cases."""
        return self.cases[self.training_count :]

    def _build_search(self, *, has_targets: bool) -> AppearanceSearch | None:
        config, recoloring = self.config, self.sampler.recoloring
        is_steered = config.search_horizon > 0 and bool(self.validation_cases)
        if recoloring is None or not is_steered:
            return None
        start = recoloring.distribution
        settings = config.search_horizon, config.target_scanner, config.seed
        return AppearanceSearch(start, *settings, has_targets=has_targets)

    def set_distribution(self, distribution: AppearanceDistribution) -> None:
        """Recolor regions by this distribution from now on."""
        assert self.sampler.recoloring is not None
        self.prefetcher.discard()
        self.sampler.recoloring.distribution = distribution

    @property
    def averaged_segmenter(self) -> nn.Module:
        """The moving average of the segmenter, in evaluation mode, which predicts and is saved."""
        module: nn.Module = self.segmenter_average.module
        return module

    @property
    def averaged_generator_weights(self) -> list[torch.Tensor]:
        """The moving average of the generator's weights."""
        module = self.generator_average.module
        return [module.get_parameter(name) for name in self.problem.names["generator"]]

    def apply_feedback(self, feedback: Feedback) -> None:
        """Exclude what the user rejected from now on."""
        self.feedback = feedback
        self.prefetcher.discard()
        self.sampler.apply_feedback(feedback)
        variables = self.problem.variables
        variables.limit_strengths({name: feedback.strength(name) for name in variables.transforms})

    def set_segmenter_lr(self, factor: float) -> None:
        """Scale the segmenter's learning rate of the settings."""
        for group in self.engine.middle.optimizer.param_groups:
            group["lr"] = (
                self.config.segmenter_lr * group.get("lr_factor", 1.0) * factor * self.lr_factor
            )

    def set_lr_factor(self, factor: float) -> None:
        """Scale the learning rates of all levels, the segmenter's from its next step on."""
        self.lr_factor = factor
        rates = (self.config.generator_lr, self.config.upper_lr, self.config.generator_lr)
        for level, rate in zip((self.engine.lower, self.engine.upper, self.discriminator), rates):
            for group in level.optimizer.param_groups:
                group["lr"] = rate * factor

    def set_memory_format(self, memory_format: str) -> None:
        """Convert the segmenter, its average and its images to a memory format."""
        self.problem.memory_format = memory_format
        for network in (self.problem.segmenter, self.averaged_segmenter):
            to_device(network, self.device, memory_format)
        self.engine.middle.match_state_strides()

    def is_finite(self) -> bool:
        """Return whether no weight is NaN or infinite."""
        networks = [getattr(self.problem, name) for name in _NETWORKS]
        norms = [p.detach().float().norm() for network in networks for p in network.parameters()]
        return bool(torch.isfinite(torch.stack([norm.cpu() for norm in norms])).all())

    def warmup_step(self) -> dict[str, float]:
        """Take a step of the generator and the discriminator."""
        problem = self.problem
        batch = self.prefetcher.next(self.sampler.generator_batch)
        discriminator_loss = self.discriminator.step(problem.discriminator_loss(batch))
        weights, upper = problem.lower_parameters(), problem.upper_parameters()
        generator_loss = self.engine.lower.step(problem.lower_loss(batch, weights, upper))
        self.generator_average.update_parameters(problem.generator)
        return {"generator_loss": generator_loss, "discriminator_loss": discriminator_loss}

    def joint_step(self, step: int) -> dict[str, float]:
        """Take a step of the discriminator and of every level that is due."""
        if self.search is not None:
            self.search.before_step(self)
            losses = self._step_without_generator(include_validation=False)
            self.search.after_step(self)
            return losses
        if not self.config.has_generator:
            return self._step_without_generator(include_validation=False)
        batch = self.prefetcher.next(self.sampler.trilevel_batch)
        discriminator_loss = self.discriminator.step(self.problem.discriminator_loss(batch))
        losses = self.engine.iterate(step, self.trilevel(batch))
        self.segmenter_average.update_parameters(self.problem.segmenter)
        self.generator_average.update_parameters(self.problem.generator)
        return {
            "generator_loss": losses["lower"],
            "segmenter_loss": losses["middle"],
            "discriminator_loss": discriminator_loss,
        }

    def final_step(self) -> dict[str, float]:
        """Take a step of the segmenter on all labeled cases and generated pairs."""
        if not self.config.has_generator:
            return self._step_without_generator(include_validation=True)
        problem, middle = self.problem, self.problem.middle_parameters()
        batch = self.prefetcher.next(self.sampler.final_batch)
        with torch.no_grad():
            upper = problem.upper_parameters()
            generated = problem.generate_batch(
                batch.blended, self.averaged_generator_weights, upper, batch.seed
            )
        loss = problem.middle_loss(batch.real, batch.blended.labels, middle, generated)
        return self._segmenter_step(loss)

    def _step_without_generator(self, *, include_validation: bool) -> dict[str, float]:
        real = self.prefetcher.next(self._real_batches[include_validation])
        return self._segmenter_step(self.problem.real_loss(*real))

    def _segmenter_step(self, loss: torch.Tensor) -> dict[str, float]:
        """Take a step of the segmenter on its loss on pairs."""
        value = self.engine.middle.step(loss)
        self.segmenter_average.update_parameters(self.problem.segmenter)
        return {"segmenter_loss": value}

    def trilevel(self, batch: TrilevelBatch) -> TrilevelProblem:
        """Return the three levels on a batch, with the current step sizes of the optimizers."""
        return self.problem.trilevel(
            batch,
            effective_learning_rates(self.engine.lower.optimizer),
            effective_learning_rates(self.engine.middle.optimizer),
            averaged=list(self.averaged_segmenter.parameters()),
        )

    def upper_values(self) -> dict[str, float]:
        """Return the upper-level variables, and their signals, by their names in the events."""
        if not self.config.has_generator:
            return self.search.values() if self.search else {}
        variables = self.problem.variables.values()
        values = {"gamma": variables.pop("weight")}
        values |= {f"upper/{name}": value for name, value in variables.items()}
        names = self.problem.variables.names(self.problem.names["variables"])
        ratios = self.engine.signal.ratios()[-len(names) :] if names else []
        values |= {f"signal_to_noise/{name}": ratio for name, ratio in zip(names, ratios)}
        for level, cell in self.problem.generator.cells().items():
            values |= {f"alpha/{level}/{name}": x for name, x in cell.weights().items()}
        return values

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which :meth:`load_state_dict` continues bit by bit."""
        return {
            **{name: getattr(self.problem, name).state_dict() for name in _NETWORKS},
            "optimizers": [level.optimizer.state_dict() for level in self._levels()],
            "averages": [average.state_dict() for average in self._averages()],
            "random": self.prefetcher.random_state(),
            "feedback": self.feedback.to_json(),
            "search": self.search.state_dict() if self.search else {},
            "signal": self.engine.signal.state_dict(),
            "pseudo_labels": self.pseudo_labels.state_dict() if self.pseudo_labels else {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from an earlier :meth:`state_dict`."""
        # an unused generator may be one of an earlier version
        trained = _NETWORKS if self.config.has_generator else ("segmenter", "variables")
        for name in trained:
            getattr(self.problem, name).load_state_dict(state[name])
        for level, saved in zip(self._levels(), state["optimizers"]):
            if self.config.has_generator or level is self.engine.middle:
                level.optimizer.load_state_dict(saved)
                level.match_state_strides()
        self._load_averages(state["averages"])
        self.prefetcher.discard()
        self.rng.generator.set_state(state["random"].cpu())
        if self.config.has_generator:
            self.apply_feedback(Feedback.from_json(state["feedback"]))
            if "signal" in state:  # not in checkpoints of earlier versions
                self.engine.signal.load_state_dict(state["signal"])
        if self.pseudo_labels is not None:
            self.pseudo_labels.load_state_dict(state["pseudo_labels"])
            self._use_pseudo_labels()
        if self.search is not None:
            self.search.load_state_dict(state["search"], self)

    def _load_averages(self, states: Sequence[dict[str, Any]]) -> None:
        if "tensors" not in states[0]:
            for average, saved in zip(self._trained_averages(), states):
                average.load_state_dict(saved)
            return
        # older checkpoints hold lists of weights; buffers are those of the network
        weights: list[list[torch.Tensor]]
        weights = [list(self.averaged_segmenter.parameters()), self.averaged_generator_weights]
        networks = (self.problem.segmenter, self.problem.generator)
        averages = self._trained_averages()
        for average, network, own, saved in zip(averages, networks, weights, states):
            average.module.load_state_dict(network.state_dict())
            average.n_averaged.fill_(saved["steps"])
            for tensor, value in zip(own, saved["tensors"]):
                tensor.copy_(value)

    def _levels(self) -> tuple[Any, ...]:
        return self.engine.lower, self.engine.middle, self.engine.upper, self.discriminator

    def _averages(self) -> tuple[AveragedModel, AveragedModel]:
        return self.segmenter_average, self.generator_average

    def _trained_averages(self) -> tuple[AveragedModel, ...]:
        return self._averages()[: 2 if self.config.has_generator else 1]
