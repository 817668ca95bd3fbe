"""Writes checked cases of the scene that the annotation folder lacks, before a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from GenSegLib.annotation.folder import CaseState
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.AnnotationCases import AnnotationCase, annotationVersion
from GenSegSlicerLib.AnnotationEdits import hasEdits
from GenSegSlicerLib.AnnotationFiles import writeCheckedSteps
from GenSegSlicerLib.AnnotationWorkspace import AnnotationWorkspace
from GenSegSlicerLib.FilePairs import loaded
from GenSegSlicerLib.TrainingPair import TrainingPair


class CheckedCasesSaver:
    """Remembers which versions of the checked cases are in the folder.

    Args:
        workspace: what the loop works on.

    Attributes:
        isOpen: returns whether the case with a name is open.
    """

    def __init__(self, workspace: AnnotationWorkspace) -> None:
        self.isOpen: Callable[[str], bool] = lambda name: False
        self._workspace = workspace
        self._saved: dict[str, object] = {}  # versions of segmentations that are in the folder

    def noteSaved(self, case: AnnotationCase) -> None:
        """Note that a case was just written."""
        self._saved[case.name] = _version(self._workspace, case)

    def save(self) -> Iterator[float]:
        """Write checked cases of the scene that are new or were edited, one per step.

        Those that the user is correcting again stay as they were accepted, and pairs that are
        ignored are left out. The settings are those of now, also if they change before the end,
        as when the module is reloaded.
        """
        return self._steps(self._workspace.frozen())

    def _steps(self, workspace: AnnotationWorkspace) -> Iterator[float]:
        roles = workspace.roles()
        cases = [c for c in workspace.cases() if c.state is CaseState.CHECKED]
        try:
            for index, case in enumerate(cases):
                yield index / len(cases)
                isUsed = roles.get(case.name) != "ignore" and case.segmentationNode is not None
                if isUsed and not (
                    self._isInProgress(workspace, case) or self._has(workspace, case)
                ):
                    self._write(workspace, case)
        finally:
            if not self._workspace.sharesFolder(workspace):  # nobody else unlocks it
                workspace.close()

    def _write(self, workspace: AnnotationWorkspace, case: AnnotationCase) -> None:
        classMap = workspace.classMap(case.segmentationNode)
        if any(classMap.values()):
            with loaded(TrainingPair(case.volumeNode, case.segmentationNode)):
                finish(_writeSteps(workspace, case, classMap))  # others may release its voxels
            self._saved[case.name] = _version(workspace, case)

    def _isInProgress(self, workspace: AnnotationWorkspace, case: AnnotationCase) -> bool:
        """Whether a checked case is being corrected again, or was left half corrected."""
        return self.isOpen(case.name) or hasEdits(workspace.folder, case.name)

    def _has(self, workspace: AnnotationWorkspace, case: AnnotationCase) -> bool:
        """Whether the folder has this version; after a restart the files are written again."""
        isListed = case.entry is not None and case.entry.state == CaseState.CHECKED.value
        return isListed and self._saved.get(case.name) == _version(workspace, case)


def _writeSteps(
    workspace: AnnotationWorkspace, case: AnnotationCase, classMap: Mapping[str, str]
) -> Steps[None]:
    nested = yield from workspace.nestedSteps(case)
    details = (workspace.preset, workspace.includes(nested), nested)
    yield from writeCheckedSteps(workspace.folder, case, classMap, *details)


def _version(workspace: AnnotationWorkspace, case: AnnotationCase) -> object:
    """A value that changes whenever the label of a case does."""
    node = case.segmentationNode
    classes = workspace.classMap(node), workspace.includes()
    return workspace.folder.path, annotationVersion(node), classes
