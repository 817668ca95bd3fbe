"""When the annotation loop trains, and from which model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from GenSegLib.annotation.folder import CaseState
from GenSegLib.errors import GenSegError
from GenSegLib.runs import learned_cases
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.AnnotationTraining import CheckedCasesWriter
from GenSegSlicerLib.AnnotationWorkspace import TRAIN_BUTTON, TRAIN_EVERY, AnnotationWorkspace
from GenSegSlicerLib.CheckedCasesSaver import CheckedCasesSaver
from GenSegSlicerLib.Persons import assumedPersons
from GenSegSlicerLib.SubjectHierarchy import patientIDOf
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingVolume


class AnnotationTrainer:
    """Trains on all checked cases in the background, one training at a time.

    Args:
        logic: module logic.
        workspace: what the loop works on.

    Attributes:
        onStarted: called with each training.
        onEnded: called with each training that has ended, also one that others had started before.
        saver: writes checked cases before a training.
    """

    def __init__(self, logic: Any, workspace: AnnotationWorkspace) -> None:
        self.onStarted: Callable[[TrainingJob], None] = lambda job: None
        self.onEnded: Callable[[TrainingJob], None] = lambda job: None
        self.saver = CheckedCasesSaver(workspace)
        self._logic, self._workspace = logic, workspace
        self._job: TrainingJob | None = None
        self._other: TrainingJob | None = None  # after which it may be time to train
        self._newCases: int | None = None  # that the last training has not learned from

    @property
    def isTraining(self) -> bool:
        """Whether a training of the loop is running."""
        return self._job is not None and self._job.isActive

    def add(self, case: AnnotationCase) -> None:
        """Note that a case was just checked and saved, and train if it is time for that.

        Raises:
            GenSegError: the training cannot be started; it is tried again with the next case.
        """
        self.saver.noteSaved(case)
        if self._newCases is None:  # since Slicer was started
            self._newCases = max(1, self._countNewCases())
        else:
            self._newCases += 1
        self.trainIfDue()

    def trainIfDue(self) -> None:
        """Train if enough cases are new and nothing is being trained; raises as `train`."""
        settings = self._workspace.settings
        due = settings.every if settings.trainWhen == TRAIN_EVERY else 1
        if settings.trainWhen == TRAIN_BUTTON or (self._newCases or 0) < due or self.isTraining:
            return
        checked = [c for c in self._workspace.cases() if c.state is CaseState.CHECKED]
        if len(checked) > 1 and not self._waitForOther():
            self.train()

    def train(self) -> TrainingJob:
        """Train on all checked cases, from the newest model if there is one.

        Raises:
            GenSegError: another training is running, or the folder cannot be written.
        """
        workspace, settings = self._workspace, self._workspace.settings
        workspace.folder.lock()
        preset, saving = workspace.preset, self.saver.save()
        details = (settings.training, workspace.includes(), lambda: saving, self._persons())
        roles = (workspace.unusedClasses(), workspace.roles())
        writer = CheckedCasesWriter(workspace.folder, preset, *details, *roles)
        job = self._logic.startTraining(
            writer, Path(settings.outputFolder), preset.name, self._warmStart()
        )
        self._newCases = 0
        self._job = job
        job.observers.add(self._onJobChanged)
        self.onStarted(job)
        return job

    def release(self) -> None:
        """Stop observing the training, which continues, also if its cases are being written."""
        for job in (self._job, self._other):
            if job is not None:
                job.observers.discard(self._onJobChanged)
        self._job = self._other = None

    def _warmStart(self) -> list[str]:
        """Options of `genseg train` for the newest model, unless none of its classes is needed."""
        model = self._workspace.model()
        if model is None or self._workspace.classProblem()[1]:
            return []
        return ["--from", str(model)]

    def _persons(self) -> dict[str, str]:
        """The persons of cases in the scene whose DICOM files say whom they show, by case."""
        cases = [case for case in self._workspace.cases() if case.volumeNode is not None]
        persons = assumedPersons([TrainingVolume(case.volumeNode) for case in cases])
        return {
            case.name: person
            for case, person in zip(cases, persons)
            if person and patientIDOf(case.volumeNode)
        }

    def _countNewCases(self) -> int:
        """Count the accepted cases that the newest model has not learned from."""
        model, learned = self._workspace.model(), set[str]()
        if model is not None:
            with suppress(GenSegError):  # a damaged list
                learned = {case.name for case in learned_cases(model)}
        entries = self._workspace.folder.entries()
        accepted = {name for name, each in entries.items() if each.state == CaseState.CHECKED.value}
        return len(accepted - learned)

    def _waitForOther(self) -> bool:
        """Return whether another training runs, such as one of before Slicer was restarted."""
        job = self._logic.trainingJob
        if job is None or not job.isActive:
            return False
        if job is not self._other:
            self._other = job
            job.observers.add(self._onJobChanged)
        return True

    def _onJobChanged(self, job: TrainingJob) -> None:
        if job.isActive:
            return
        job.observers.discard(self._onJobChanged)
        if job is self._job and job.state != "finished":
            self._newCases = max(self._newCases or 0, 1)  # its cases are still to be learned
        self._other = None
        self.onEnded(job)
