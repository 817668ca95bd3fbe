"""When the annotation loop trains, and from which model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from GenSegLib.annotation.folder import CaseState
from GenSegSlicerLib.AnnotationCases import AnnotationCase, annotationVersion
from GenSegSlicerLib.AnnotationFiles import writeChecked
from GenSegSlicerLib.AnnotationTraining import CheckedCasesWriter, classProblem
from GenSegSlicerLib.AnnotationWorkspace import TRAIN_BUTTON, TRAIN_EVERY, AnnotationWorkspace
from GenSegSlicerLib.FilePairs import loaded
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair


class AnnotationTrainer:
    """Trains on all checked cases in the background, one training at a time.

    Args:
        logic: module logic.
        workspace: what the loop works on.

    Attributes:
        onStarted: called with each training.
        onEnded: called with each training that has ended.
        newCases: number of cases that the last training has not learned from.
    """

    def __init__(self, logic: Any, workspace: AnnotationWorkspace) -> None:
        self.onStarted: Callable[[TrainingJob], None] = lambda job: None
        self.onEnded: Callable[[TrainingJob], None] = lambda job: None
        self.newCases = 0
        self._logic, self._workspace = logic, workspace
        self._job: TrainingJob | None = None
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
        self._saved[case.name] = annotationVersion(case.segmentationNode)
        self.newCases += 1
        self.trainIfDue()

    def trainIfDue(self) -> None:
        """Train if enough cases are new and nothing is being trained; raises as `train`."""
        settings = self._workspace.settings
        due = settings.every if settings.trainWhen == TRAIN_EVERY else 1
        isFree = not self.isTraining and not self._isOtherTraining()
        if settings.trainWhen != TRAIN_BUTTON and self.newCases >= due and isFree:
            checked = [c for c in self._workspace.cases() if c.state is CaseState.CHECKED]
            if len(checked) > 1:
                self.train()

    def train(self) -> TrainingJob:
        """Train on all checked cases, from the newest model if there is one.

        Raises:
            GenSegError: another training is running, or the folder cannot be written.
        """
        workspace, settings = self._workspace, self._workspace.settings
        workspace.folder.lock()
        preset = workspace.preset
        details = (settings.training, workspace.includes(), self._save)
        writer = CheckedCasesWriter(workspace.folder, preset, *details)
        job = self._logic.startTraining(
            writer, Path(settings.outputFolder), preset.name, self._warmStart()
        )
        self.newCases = 0
        self._job = job
        job.observers.add(self._onJobChanged)
        self.onStarted(job)
        return job

    def release(self) -> None:
        """Stop observing the training, which continues."""
        if self._job is not None:
            self._job.observers.discard(self._onJobChanged)
        self._job = None

    def _warmStart(self) -> list[str]:
        """Options of `genseg train` for the newest model, unless none of its classes is needed."""
        model, metadata = self._workspace.model(), self._workspace.metadata()
        if model is None or classProblem(metadata, self._workspace.classes())[1]:
            return []
        return ["--from", str(model)]

    def _save(self) -> Iterator[float]:
        """Write checked cases of the scene that are new or were edited, one per step."""
        folder = self._workspace.folder
        cases = [c for c in self._workspace.cases() if c.state is CaseState.CHECKED]
        for index, case in enumerate(cases):
            yield index / len(cases)
            if case.segmentationNode is not None and not self._isSaved(case):
                classMap = self._workspace.classMap(case.segmentationNode)
                if any(classMap.values()):
                    includes = self._workspace.includes()
                    with loaded(TrainingPair(case.volumeNode, case.segmentationNode)):
                        writeChecked(folder, case, classMap, self._workspace.preset, includes)
                    self._saved[case.name] = annotationVersion(case.segmentationNode)

    def _isSaved(self, case: AnnotationCase) -> bool:
        """Whether the folder has this version; after a restart the files are written again."""
        return self._saved.get(case.name) == annotationVersion(case.segmentationNode)

    def _isOtherTraining(self) -> bool:
        job = self._logic.trainingJob
        return job is not None and job.isActive

    def _onJobChanged(self, job: TrainingJob) -> None:
        if job.isActive:
            return
        job.observers.discard(self._onJobChanged)
        if job.state != "finished":
            self.newCases = max(self.newCases, 1)  # its cases are still to be learned
        self.onEnded(job)
