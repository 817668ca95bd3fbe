"""When the annotation loop trains, and from which model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from GenSegLib.annotation.folder import CaseState
from GenSegLib.errors import GenSegError
from GenSegLib.runs import learned_cases
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.AnnotationCases import AnnotationCase, annotationVersion
from GenSegSlicerLib.AnnotationEdits import hasEdits
from GenSegSlicerLib.AnnotationFiles import writeCheckedSteps
from GenSegSlicerLib.AnnotationTraining import CheckedCasesWriter, classProblem
from GenSegSlicerLib.AnnotationWorkspace import TRAIN_BUTTON, TRAIN_EVERY, AnnotationWorkspace
from GenSegSlicerLib.FilePairs import loaded
from GenSegSlicerLib.Persons import assumedPersons
from GenSegSlicerLib.SubjectHierarchy import patientIDOf
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair, TrainingVolume


class AnnotationTrainer:
    """Trains on all checked cases in the background, one training at a time.

    Args:
        logic: module logic.
        workspace: what the loop works on.

    Attributes:
        onStarted: called with each training.
        onEnded: called with each training that has ended, also one that others had started before.
        isOpen: returns whether the case with a name is open.
    """

    def __init__(self, logic: Any, workspace: AnnotationWorkspace) -> None:
        self.onStarted: Callable[[TrainingJob], None] = lambda job: None
        self.onEnded: Callable[[TrainingJob], None] = lambda job: None
        self.isOpen: Callable[[str], bool] = lambda name: False
        self._logic, self._workspace = logic, workspace
        self._job: TrainingJob | None = None
        self._other: TrainingJob | None = None  # after which it may be time to train
        self._newCases: int | None = None  # that the last training has not learned from
        self._saved: dict[str, object] = {}  # versions of segmentations that are in the folder

    @property
    def isTraining(self) -> bool:
        """Whether a training of the loop is running."""
        return self._job is not None and self._job.isActive

    def add(self, case: AnnotationCase) -> None:
        """Note that a case was just checked and saved, and train if it is time for that.

        Raises:
            GenSegError: the training cannot be started; it is tried again with the next case.
        """
        self._saved[case.name] = self._version(case)
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
        preset = workspace.preset
        details = (settings.training, workspace.includes(), self._save, self._persons())
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
        """Stop observing the training, which continues."""
        for job in (self._job, self._other):
            if job is not None:
                job.observers.discard(self._onJobChanged)
        self._job = self._other = None

    def _warmStart(self) -> list[str]:
        """Options of `genseg train` for the newest model, unless none of its classes is needed."""
        model, metadata = self._workspace.model(), self._workspace.metadata()
        if model is None or classProblem(metadata, self._workspace.classes())[1]:
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

    def _save(self) -> Iterator[float]:
        """Write checked cases of the scene that are new or were edited, one per step.

        Those that the user is correcting again stay as they were accepted, and pairs that are
        ignored are left out.
        """
        roles = self._workspace.roles()
        cases = [c for c in self._workspace.cases() if c.state is CaseState.CHECKED]
        for index, case in enumerate(cases):
            yield index / len(cases)
            isUsed = roles.get(case.name) != "ignore" and not self._isInProgress(case)
            if isUsed and not self._isSaved(case):
                classMap = self._workspace.classMap(case.segmentationNode)
                if any(classMap.values()):
                    with loaded(TrainingPair(case.volumeNode, case.segmentationNode)):
                        finish(self._write(case, classMap))  # others may release its voxels
                    self._saved[case.name] = self._version(case)

    def _write(self, case: AnnotationCase, classMap: Mapping[str, str]) -> Steps[None]:
        workspace = self._workspace
        nested = yield from workspace.nestedSteps(case)
        details = (workspace.preset, workspace.includes(nested), nested)
        yield from writeCheckedSteps(workspace.folder, case, classMap, *details)

    def _isInProgress(self, case: AnnotationCase) -> bool:
        """Whether a checked case is being corrected again, or was left half corrected."""
        return self.isOpen(case.name) or hasEdits(self._workspace.folder, case.name)

    def _isSaved(self, case: AnnotationCase) -> bool:
        """Whether the folder has this version; after a restart the files are written again."""
        if case.segmentationNode is None:  # not loaded
            return True
        isListed = case.entry is not None and case.entry.state == CaseState.CHECKED.value
        return isListed and self._saved.get(case.name) == self._version(case)

    def _version(self, case: AnnotationCase) -> object:
        """A value that changes whenever the label of a case does."""
        node, workspace = case.segmentationNode, self._workspace
        return annotationVersion(node), workspace.classMap(node), workspace.includes()

    def _countNewCases(self) -> int:
        """Count the accepted cases that the newest model has not learned from."""
        model, learned = self._workspace.model(), set[str]()
        if model is not None:
            with suppress(GenSegError):  # a damaged list
                learned = learned_cases(model)
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
