"""Loads what a run folder asks for: its cases as subjects, and a learner for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .case_cache import FOLDER, CaseCache
from .cases import Case, Role
from .devices import choose_device
from .errors import GenSegError
from .events import EventLog
from .learner import Learner
from .runs import RunFolder
from .subjects import load_subjects


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
        raise GenSegError("no case has the role train; give at least one labelled case it")
    if config.threads:
        torch.set_num_threads(config.threads)
    names = dict(sorted((cases.labels or run.preset.labels).items()))
    device = choose_device(config.device)
    cache = CaseCache(run.path.parent / FOLDER, config.cache_gb * 1e9)
    told = (events or EventLog(None)).log
    labelled = [*training, *held_back]
    subjects = load_subjects(labelled, run.preset, list(names), device, cache, told)
    unlabelled = load_subjects(_unlabelled(run), run.preset, list(names), device, cache, told)
    classes = len(names) + 1
    learner = Learner(config, run.preset, subjects, len(held_back), classes, unlabelled)
    return Session(learner, names)


def _unlabelled(run: RunFolder) -> tuple[Case, ...]:
    """Give the unlabelled cases that the training learns from."""
    if run.config.consistency == "none":
        return ()
    found = run.cases.of_role(Role.UNLABELLED)
    if not found:
        raise GenSegError(
            f"the training is to learn from unlabelled cases ({run.config.consistency}) and there "
            "is none; give cases the role unlabelled, or set consistency to none"
        )
    return found
