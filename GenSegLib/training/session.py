"""Loads what a run folder asks for: its cases as subjects, and a learner for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..augmentation.subject import LabeledCase
from ..cases import Case, Role
from ..computing import distributed
from ..computing.devices import choose_device
from ..config import TrainConfig
from ..data.case_cache import FOLDER, CaseCache
from ..data.subjects import load_subjects
from ..data.volume_ranges import find_odd_cases
from ..errors import GenSegError
from ..events import EventLog
from ..runs import RunFolder
from .learner import Learner
from .standing import load_kept
from .volumes import volumes_of


@dataclass(frozen=True)
class Session:
    """A learner, and the names of the label values that its classes 1, 2, ... stand for."""

    learner: Learner
    names: dict[int, str]

    def original_values(self, classes: torch.Tensor) -> torch.Tensor:
        """Return a label of classes with the label values of the cases."""
        values = torch.tensor([0, *self.names], device=classes.device)
        return values[classes.long()]


def load_session(run: RunFolder, events: EventLog | None = None) -> Session:
    """Read the cases of a run that it learns from and make its learner.

    Large cases are kept in a cache beside the run, which its neighbors share; `events` is told.

    Raises:
        GenSegError: no case trains, a file cannot be read, or the device is not there.
    """
    config, cases = run.config, run.cases
    training, held_back = cases.of_role(Role.TRAIN), cases.of_role(Role.VALIDATE)
    if not training:
        raise GenSegError("no case has the role train; give at least one labeled case it")
    if config.threads:
        torch.set_num_threads(config.threads)
    names = run.labels
    device = choose_device(config.device)
    distributed.require_own_card(device)
    cache = CaseCache(run.path.parent / FOLDER, config.cache_gb * 1e9)
    told = (events or EventLog(None)).log

    def load(cases: Sequence[Case]) -> list[LabeledCase]:
        return load_subjects(cases, run.preset, list(names), device, cache, told)

    labeled, others = [*training, *held_back], _unlabeled(run)
    _prepare_own_share([*labeled, *others], load)
    subjects, unlabeled = load(labeled), load(others)
    for case, lines in find_odd_cases(volumes_of(subjects, names), names).items():
        for line in lines:
            told(f"case {case}: {line}", "warning")
    classes = len(names) + 1
    learner = Learner(_own_share(config), run.preset, subjects, len(held_back), classes, unlabeled)
    return Session(learner, names)


def load_trained(run: RunFolder, events: EventLog | None = None) -> Session:
    """Do what :func:`load_session` does, its learner as the last checkpoint has it.

    Raises:
        GenSegError: there is no checkpoint, or it is of another training; as `load_session`.
    """
    kept = load_kept(run.checkpoints, (events or EventLog(None)).log)
    if kept is None:
        raise GenSegError(f"{run.path} has no checkpoint yet; train it first")
    session = load_session(run, events)
    kept.restore(session.learner)
    return session


def _prepare_own_share(cases: Sequence[Case], load: Callable[[Sequence[Case]], object]) -> None:
    """Share the work of preparing large cases for the cache with the processes beside this one."""
    if distributed.count() > 1:
        load(cases[distributed.rank() :: distributed.count()])
        distributed.wait()


def _own_share(config: TrainConfig) -> TrainConfig:
    """Give the settings with this process's share of every batch that is drawn."""
    drawn = {
        "batch_size": True,
        "generated_batch_size": config.generator != "none",
    }
    names = [name for name, is_drawn in drawn.items() if is_drawn]
    shares: dict[str, Any] = {n: distributed.share_of(getattr(config, n), n) for n in names}
    return replace(config, **shares)


def _unlabeled(run: RunFolder) -> tuple[Case, ...]:
    """Give the unlabeled cases that the training learns from."""
    if run.config.consistency == "none":
        return ()
    found = run.cases.of_role(Role.UNLABELED)
    if not found:
        raise GenSegError(
            f"the training is to learn from unlabeled cases ({run.config.consistency}) and there "
            "is none; give cases the role unlabeled, or set consistency to none"
        )
    return found
