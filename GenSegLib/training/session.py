"""Loading of a run's cases and construction of its learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import torch

from ..cases import Case, Role
from ..computing.devices import choose_device
from ..data.case_cache import FOLDER, CaseCache
from ..data.case_loading import load_training_cases
from ..data.label_sets import LabelSets
from ..data.training_case import TrainingCase
from ..data.volume_ranges import find_volume_outliers
from ..errors import GenSegError
from ..events import EventLog
from ..runs import RunFolder
from .checkpoints import load_checkpoint
from .learner import Learner
from .volumes import case_volumes


@dataclass(frozen=True)
class Session:
    """A learner, and the names of the label values for which its classes 1, 2, ... stand."""

    learner: Learner
    names: dict[int, str]

    def to_label_values(self, classes: torch.Tensor) -> torch.Tensor:
        """Convert a map of classes to the label values of the cases; see `LabelSets.decode`."""
        return self.learner.sets.decode(classes)


def load_session(
    run: RunFolder,
    events: EventLog | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Session:
    """Read the cases of a run and build its learner.

    Large cases are cached next to the run, shared by all runs there.

    Args:
        run: run folder.
        events: receives messages.
        progress: called after each case with the number of loaded cases and their total.

    Raises:
        GenSegError: there is no training case, a file cannot be read, or the device is missing.
    """
    config, cases = run.config, run.cases
    training, validation = cases.of_role(Role.TRAIN), cases.of_role(Role.VALIDATE)
    if not training:
        raise GenSegError("no case has the role train; assign it to at least one labeled case")
    if config.threads:
        torch.set_num_threads(config.threads)
    names = run.labels
    device = choose_device(config.device)
    cache = CaseCache(run.path.parent / FOLDER, config.cache_gb * 1e9)
    log = (events or EventLog(None)).log

    sets = LabelSets.of([case.annotation for case in cases.labeled], names, cases.includes)

    labeled, unlabeled = [*training, *validation], _unlabeled_cases(run)
    numbers, total = count(1), len(labeled) + len(unlabeled)

    def load(cases: Sequence[Case]) -> list[TrainingCase]:
        task = run.preset, names, device, cache, log, sets
        return load_training_cases(cases, *task, lambda: progress(next(numbers), total))

    loaded, loaded_unlabeled = load(labeled), load(unlabeled)
    for case, lines in find_volume_outliers(case_volumes(loaded, sets), names).items():
        for line in lines:
            log(f"case {case}: {line}", "warning")
    learner = Learner(
        config, run.preset, loaded, len(validation), sets.classes, loaded_unlabeled, sets
    )
    return Session(learner, names)


def load_trained_session(run: RunFolder, events: EventLog | None = None) -> Session:
    """Do the same as :func:`load_session`, and restore the learner from the last checkpoint.

    Raises:
        GenSegError: there is no checkpoint, or it belongs to another training; see `load_session`.
    """
    checkpoint = load_checkpoint(run.checkpoints, (events or EventLog(None)).log)
    if checkpoint is None:
        raise GenSegError(f"{run.path} has no checkpoint yet; train it first")
    session = load_session(run, events)
    checkpoint.restore(session.learner)
    return session


def _unlabeled_cases(run: RunFolder) -> tuple[Case, ...]:
    unlabeled = run.cases.of_role(Role.UNLABELED)
    if run.config.self_training and not unlabeled:
        raise GenSegError(
            "self_training is on but no case has the role unlabeled; assign it to some cases, or "
            "turn it off"
        )
    return unlabeled if run.config.uses_unlabeled else ()
