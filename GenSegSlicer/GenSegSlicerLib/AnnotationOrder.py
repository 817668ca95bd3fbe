"""Which case is annotated next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from GenSegLib.annotation.folder import AnnotationFolder, CaseState
from GenSegLib.annotation.strategies import STRATEGIES, at_random
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.RankingJob import RankingJob


class AnnotationOrder:
    """Orders the cases by a strategy; those that need a model run in a process of their own.

    Attributes:
        onRanked: called when a ranking has ended, with a one-line error message ("" if none).
    """

    def __init__(self) -> None:
        self.onRanked: Callable[[str], None] = lambda message: None
        self._job: RankingJob | None = None
        self._ranked: tuple[str, Path | None, list[str]] = ("", None, [])
        self._skipped: list[str] = []

    @property
    def isRanking(self) -> bool:
        """Whether a ranking is being computed."""
        return self._job is not None and self._job.isActive

    def ranks(self, strategy: str, model: Path | None) -> bool:
        """Return whether a ranking by this model is being computed."""
        job = self._job
        if job is None or not job.isActive:
            return False
        return (job.strategy, job.model) == (strategy, model)

    def skip(self, name: str) -> None:
        """Put a case behind all others."""
        self._skipped = [*(each for each in self._skipped if each != name), name]

    def isSkipped(self, name: str) -> bool:
        """Return whether a case was put behind the others."""
        return name in self._skipped

    def isKnown(self, strategy: str, model: Path | None) -> bool:
        """Return whether there is an order, if only that of an earlier model."""
        return _isSimple(strategy, model) or self._ranked[0] == strategy

    def isRanked(self, strategy: str, model: Path | None) -> bool:
        """Return whether there is the order of this model."""
        return _isSimple(strategy, model) or self._ranked[:2] == (strategy, model)

    def order(
        self, cases: Sequence[AnnotationCase], strategy: str, model: Path | None, seed: int
    ) -> list[AnnotationCase]:
        """Return the cases that are not checked, the one to annotate next in front.

        Skipped cases come last. A strategy that needs a model is replaced by the order of the list
        while there is none, and by the order of an earlier model while that of the newest one is
        being computed.
        """
        left = {case.name: case for case in cases if case.state is not CaseState.CHECKED}
        names = list(left)
        if strategy == "random":
            names = at_random(names, seed)
        elif self._ranked[0] == strategy and model is not None:
            position = {name: k for k, name in enumerate(self._ranked[2])}
            names.sort(key=lambda name: position.get(name, len(position)))
        names.sort(key=lambda name: self._skipped.index(name) if name in self._skipped else -1)
        return [left[name] for name in names]

    def rank(
        self,
        cases: Sequence[AnnotationCase],
        strategy: str,
        model: Path,
        folder: AnnotationFolder,
        device: str,
    ) -> None:
        """Rank the cases that are not checked by a model, in the background.

        Raises:
            GenSegError: a volume cannot be written.
        """
        self.cancel()
        left = {case.name: case for case in cases if case.state is not CaseState.CHECKED}
        job = RankingJob(model, strategy, left, folder, device)
        job.observers.add(self._onJobChanged)
        self._job = job
        job.start()

    def cancel(self) -> None:
        """Cancel a ranking."""
        if self._job is not None and self._job.isActive:
            self._job.observers.discard(self._onJobChanged)
            self._job.cancel()
        self._job = None

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
