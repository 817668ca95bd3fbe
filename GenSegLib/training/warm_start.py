"""Warm start: a training that begins with the weights of a model, where they help.

What transfers is decided by names: output channels of classes that the model knows are copied,
those of new classes start fresh, and all other layers are copied.

A model trained on other data must not make the result worse. Fine-tuning at the full learning rate
and with the full schedule does not end below a training from scratch (He et al., ICCV 2019,
doi:10.1109/ICCV.2019.00502); a short schedule may, if the network has much to learn. So it is used
only where the model segments the validation cases already, at the full learning rate: half of it
left cardiac models of 4 minutes where they were. Elsewhere a trial shows whether its weights are a
better start at all: a few steps from either start on the same batches at the same learning rates,
compared by their losses on the same patches of validation cases. Common random numbers cancel the
scatter between batches, and the trial takes some percent of the time. If it fails, training starts
from scratch. `planning.continuation` has looked for a plan that does not suit the cases before,
which no training makes up for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..config import PHASE_STEPS, TrainConfig
from ..errors import GenSegError
from ..events import EventLog
from ..label_maps import normalized
from ..models.folder import ModelMetadata
from ..models.initial_model import (
    CONTINUE,
    FOLDER,
    FRESH,
    TRANSFER,
    WarmStart,
    renamed_labels,
)
from ..models.weights import load_segmenter
from ..networks import build_segmenter
from ..runs import RunFolder
from .batches import Pair
from .builders import segmenter_optimizer
from .learner import Learner
from .losses import finest_level
from .schedule import averaging_decay
from .session import Session
from .typical_features import forget_typical_features

_KNOWN_DICE = 0.5  # from here on, the model knows the task
_SHORTER = 3  # a third of the schedule
_TRIAL_FRACTION, _TRIAL_STEPS = 0.02, (5, 40)
_BATCHES = 4  # of validation patches

State = dict[str, Tensor]


def start_from_model(
    run: RunFolder, session: Session, events: EventLog, spent_s: float = 0.0
) -> None:
    """Give a new learner the weights of the run's initial model, if there is one and it helps.

    What was decided is written into the run, with the settings that follow from it, so that a
    resumed training goes on in the same way.

    Args:
        run: run folder.
        session: of a training without a checkpoint.
        events: receives the decision.
        spent_s: seconds of the time budget that have passed; the rest is shortened.

    Raises:
        GenSegError: the copy of the model in the run is damaged, or its network is another one.
    """
    start = WarmStart.load(run.path)
    if start is None or start.outcome == FRESH:
        return
    learner = session.learner
    model, metadata = load_segmenter(run.path / FOLDER)
    fresh = _copy(learner.problem.segmenter)
    state, new_classes = transfer_weights(metadata, start, model, session.names, learner, fresh)
    if not start.outcome:
        decision = _decide(learner, start, state, fresh, new_classes)
        events.log(decision.message, "warning" if decision.outcome == FRESH else "info")
        start = replace(start, outcome=decision.outcome)
        _write_decision(run, learner, start, spent_s)
    if start.outcome != FRESH:
        for network in (learner.problem.segmenter, learner.averaged_segmenter):
            network.load_state_dict(state)
            forget_typical_features(network)


def transfer_weights(
    metadata: ModelMetadata,
    start: WarmStart,
    model: nn.Module,
    names: Mapping[int, str],
    learner: Learner,
    fresh: State,
) -> tuple[State, list[str]]:
    """Return the weights to start with, and the names of the classes that the model lacks.

    Args:
        metadata: of the model.
        start: names of its classes in the new cases.
        model: its segmenter.
        names: classes of the training by label value.
        learner: of the training.
        fresh: initial weights of its segmenter.

    Raises:
        GenSegError: the networks differ in more than the classes.
    """
    channels, missing = _known_channels(renamed_labels(metadata, start.renamed), names)
    axes = _class_axes(learner.config.network, learner.arguments)
    own = model.state_dict()
    state = {}
    for name, value in fresh.items():
        source = own.get(name)
        if source is None or not _is_compatible(source, value, axes[name]):
            raise GenSegError(
                f"the model {start.model} has another network than this training ({name} differs); "
                "train from scratch"
            )
        state[name] = _transfer(source, value, axes[name], channels)
    return state, missing


def _known_channels(
    labels: Mapping[int, str], names: Mapping[int, str]
) -> tuple[list[tuple[int, int]], list[str]]:
    """Return new and old output channel of each known class, and the names of the others.

    Args:
        labels: classes of the model by label value.
        names: classes of the training by label value.
    """
    old = [normalized(labels[value]) for value in sorted(labels)]
    channels, missing = [(0, 0)], []  # background first
    for channel, value in enumerate(sorted(names), 1):
        name = normalized(names[value])
        if name in old:
            channels.append((channel, old.index(name) + 1))
        else:
            missing.append(names[value])
    return channels, missing


def _class_axes(network: str, arguments: Mapping[str, object]) -> dict[str, list[int]]:
    """Return the axes of each tensor that have an entry for each class."""
    count = int(str(arguments["out_channels"]))
    with torch.random.fork_rng(devices=()):
        first, second = (
            build_segmenter(network, {**arguments, "out_channels": classes}).state_dict()
            for classes in (count, count + 1)
        )
    return {
        name: [axis for axis, size in enumerate(value.shape) if size != second[name].shape[axis]]
        for name, value in first.items()
    }


def _is_compatible(source: Tensor, target: Tensor, axes: Sequence[int]) -> bool:
    if source.ndim != target.ndim:
        return False
    sizes = enumerate(zip(source.shape, target.shape))
    return all(own == other or axis in axes for axis, (own, other) in sizes)


def _transfer(
    source: Tensor, target: Tensor, axes: Sequence[int], channels: Sequence[tuple[int, int]]
) -> Tensor:
    """Copy a tensor, along axes with an entry for each class those of known classes only."""
    if not axes:
        return source.to(target.device, target.dtype)
    into, out_of = (torch.tensor(column) for column in zip(*channels))
    result = target.clone()
    indices = [
        into if axis in axes else torch.arange(size) for axis, size in enumerate(result.shape)
    ]
    value = source.to(result.device, result.dtype)
    for axis in axes:
        value = value.index_select(axis, out_of.to(value.device))
    result[torch.meshgrid(*indices, indexing="ij")] = value
    return result


@dataclass(frozen=True)
class _Decision:
    """Outcome, and a line for the user."""

    outcome: str
    message: str


def _decide(
    learner: Learner, start: WarmStart, state: State, fresh: State, new_classes: Sequence[str]
) -> _Decision:
    """Decide what the model is worth; weights and random numbers are as before afterwards."""
    random = learner.rng.generator.get_state()
    patches = [learner.sampler.validation() for _ in range(_BATCHES)]
    dice = _patch_dice(learner, state, patches)
    if dice >= _KNOWN_DICE and not new_classes:
        decision = _Decision(
            CONTINUE,
            f"Continuing from the model {start.model}, which already segments these cases (Dice "
            f"{dice:.2f} on patches)" + (": shorter training" if start.may_shorten else ""),
        )
    else:
        steps = _trial_steps(learner.config)
        losses = [_trial_loss(learner, each, patches, steps) for each in (state, fresh)]
        decision = _judge_trial(start, losses, steps, new_classes)
    learner.problem.segmenter.load_state_dict(fresh)
    learner.rng.generator.set_state(random)
    return decision


def _judge_trial(
    start: WarmStart, losses: Sequence[float], steps: int, new_classes: Sequence[str]
) -> _Decision:
    warm, fresh = losses
    compared = f"loss after {steps} trial steps {warm:.2f}, from scratch {fresh:.2f}"
    if not warm < fresh:
        refusal = f"The model {start.model} does not help on these cases ({compared})"
        return _Decision(FRESH, f"{refusal}: training from scratch")
    news = f"; new: {', '.join(new_classes)}" if new_classes else ""
    return _Decision(TRANSFER, f"Starting with the weights of {start.model} ({compared}){news}")


def _trial_steps(config: TrainConfig) -> int:
    low, high = _TRIAL_STEPS
    return max(low, min(high, round(_TRIAL_FRACTION * (config.joint_steps + config.final_steps))))


def _trial_loss(learner: Learner, state: State, patches: Sequence[Pair], steps: int) -> float:
    """Return the loss on patches after some steps; every call sees the same batches."""
    random = learner.rng.generator.get_state()
    segmenter, config = learner.problem.segmenter, learner.config
    segmenter.load_state_dict(state)
    optimizer = segmenter_optimizer(config, segmenter)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["lr_factor"] * config.segmenter_lr * (step + 1) / steps
        optimizer.zero_grad(set_to_none=True)
        learner.problem.real_loss(*learner.sampler.real(include_validation=False)).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        losses = [float(learner.problem.real_loss(*pair)) for pair in patches]
    learner.rng.generator.set_state(random)
    return sum(losses) / len(losses)


@torch.no_grad()
def _patch_dice(learner: Learner, state: State, patches: Sequence[Pair]) -> float:
    """Return the mean Dice of the foreground classes that occur in the patches; 0 without any."""
    segmenter = learner.problem.segmenter
    segmenter.load_state_dict(state)
    segmenter.eval()
    counts = torch.zeros(3, learner.classes)
    for images, labels in patches:
        weights = learner.problem.middle_parameters()
        logits = finest_level(learner.problem.segment(weights, images))
        predicted = logits.argmax(1, keepdim=True)
        for k in range(1, learner.classes):
            maybe = learner.sets.members[:, k].index_fill(0, torch.tensor(k), False)
            known = ~maybe.to(labels.device)[labels]
            first, second = (predicted == k) & known, labels == k
            parts = (first & second, first, second)
            counts[:, k] += torch.tensor([float(part.sum()) for part in parts])
    segmenter.train()
    both, first, second = counts[:, 1:]
    known = second > 0
    return float((2 * both / (first + second))[known].mean()) if known.any() else 0.0


def _write_decision(run: RunFolder, learner: Learner, start: WarmStart, spent_s: float) -> None:
    """Write settings that follow from the decision, then the decision itself."""
    if start.outcome == CONTINUE:
        config = _shortened(run.config, spent_s) if start.may_shorten else run.config
        run.set_plan(_continued(config), run.preset, None)
        learner.config = run.config
    start.save(run.path)


def _shortened(config: TrainConfig, spent_s: float) -> TrainConfig:
    """Return the settings of a shorter training with all that follows from its length."""
    steps = (*PHASE_STEPS, "expected_steps")
    config = replace(config, **{name: -(-getattr(config, name) // _SHORTER) for name in steps})
    if config.time_budget_s is not None:
        spent_s = min(spent_s, config.time_budget_s)
        left_s = (config.time_budget_s - spent_s) / _SHORTER
        config = replace(config, time_budget_s=spent_s + left_s)
    if config.expected_steps:
        decay = min(config.ema_decay, averaging_decay(config.expected_steps))
        config = replace(config, ema_decay=decay)
    return config


def _continued(config: TrainConfig) -> TrainConfig:
    """Return the settings of a training whose model knows the task.

    Without a generator, nothing is steered by the validation cases: the model is validated before
    the first step, and learns from them, too, from there on.
    """
    if config.has_generator:
        return config
    return replace(config, joint_steps=0, final_steps=config.joint_steps + config.final_steps)


def _copy(network: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
