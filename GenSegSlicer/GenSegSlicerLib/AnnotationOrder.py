"""Which case is annotated next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from GenSegLib.annotation.folder import CaseState
from GenSegLib.annotation.strategies import STRATEGIES, at_random
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.AnnotationWorkspace import AnnotationWorkspace
from GenSegSlicerLib.RankingJob import RankingJob


class AnnotationOrder:
    """Orders the cases by the strategy; if it needs a model, in a process of its own.

    Args:
        workspace: what the loop works on.
        isBegun: returns whether the user has begun to correct or to draw a case.

    Attributes:
        onRanked: called when a ranking has ended, with a one-line error message ("" if none).
    """

    def __init__(
        self, workspace: AnnotationWorkspace, isBegun: Callable[[AnnotationCase], bool]
    ) -> None:
        self.onRanked: Callable[[str], None] = lambda message: None
        self._workspace, self._isBegun = workspace, isBegun
        self._job: RankingJob | None = None
        self._ranked: tuple[str, Path | None, list[str]] = ("", None, [])
        self._skipped: list[str] = []

    def skip(self, name: str) -> None:
        """Put a case behind all others."""
        self._skipped = [*(each for each in self._skipped if each != name), name]

    @property
    def isKnown(self) -> bool:
        """Whether there is an order, if only that of an earlier model."""
        strategy, model = self._chosen()
        return _isSimple(strategy, model) or self._ranked[0] == strategy

    def cases(self) -> list[AnnotationCase]:
        """Return the cases that are not checked, the one to annotate next in front.

        Begun cases come first and skipped ones last. A strategy that needs a model is replaced by
        the order of the list while there is none, and by the order of an earlier model while that
        of the newest one is being computed.

        Raises:
            GenSegError: a folder cannot be read.
        """
        strategy, model = self._chosen()
        left = self._unchecked()
        names = list(left)
        if strategy == "random":
            names = at_random(names, seed=0)
        elif self._ranked[0] == strategy and model is not None:
            position = {name: k for k, name in enumerate(self._ranked[2])}
            names.sort(key=lambda name: position.get(name, len(position)))
        names.sort(key=lambda name: not self._isBegun(left[name]))
        names.sort(key=lambda name: self._skipped.index(name) if name in self._skipped else -1)
        return [left[name] for name in names]

    def rank(self) -> None:
        """Begin to rank the cases by the newest model, unless they are or are being ranked.

        Raises:
            GenSegError: a volume cannot be written.
        """
        strategy, model = chosen = self._chosen()
        left = self._unchecked()
        isRanked = _isSimple(strategy, model) or self._ranked[:2] == chosen
        if not left or isRanked or self._isRanking(chosen):
            return
        self.cancel()
        folder, device = self._workspace.folder, self._workspace.settings.device
        self._job = job = RankingJob(model, strategy, left, folder, device)
        job.observers.add(self._onJobChanged)
        job.start()

    def cancel(self) -> None:
        """Cancel a ranking."""
        if self._job is not None and self._job.isActive:
            self._job.observers.discard(self._onJobChanged)
            self._job.cancel()
        self._job = None

    def _chosen(self) -> tuple[str, Path | None]:
        return self._workspace.settings.strategy, self._workspace.model()

    def _isRanking(self, chosen: tuple[str, Path | None]) -> bool:
        job = self._job
        return job is not None and job.isActive and (job.strategy, job.model) == chosen

    def _unchecked(self) -> dict[str, AnnotationCase]:
        cases = self._workspace.cases()
        return {case.name: case for case in cases if case.state is not CaseState.CHECKED}

    def _onJobChanged(self, job: RankingJob) -> None:
        if job.isActive:
            return
        # After an error the order of the list is used until the next model.
        self._ranked = job.strategy, job.model, job.order
        self._job = None
        self.onRanked(job.message if job.state == "failed" else "")


def _isSimple(strategy: str, model: Path | None) -> bool:
    """Whether cases are ordered without a process."""
    known = STRATEGIES.get(strategy)  # None in a scene of another version
    return known is None or not known.needs_model or model is None
