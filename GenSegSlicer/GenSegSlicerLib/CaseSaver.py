"""Writes the open case of the annotation loop to disk, slice by slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from GenSegLib.annotation.folder import CaseState
from GenSegLib.annotation.records import AnnotationRecord, append_record
from GenSegLib.steps import Steps
from GenSegSlicerLib import AnnotationEdits, AnnotationFiles
from GenSegSlicerLib.AnnotationCases import annotationVersion
from GenSegSlicerLib.AnnotationWorkspace import AnnotationWorkspace
from GenSegSlicerLib.CaseOpener import OpenCase
from GenSegSlicerLib.Job import IdleTask
from GenSegSlicerLib.SegmentationStates import setState
from GenSegSlicerLib.Segments import segmentsOf

AUTOSAVE_MS = 30_000
_ATTEMPTS = 5  # to write what is not edited meanwhile


class CaseSaver:
    """Writes corrections in progress and segmentations that are taken over as checked.

    Args:
        workspace: what the loop works on.

    Attributes:
        onSaveFailed: called with a one-line error message if the open case cannot be saved.
    """

    def __init__(self, workspace: AnnotationWorkspace) -> None:
        self._workspace = workspace
        self.onSaveFailed: Callable[[str], None] = lambda message: None
        self._task: IdleTask | None = None
        self._current: OpenCase | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.connect("timeout()", self._saveWhileIdle)

    def watch(self, current: OpenCase | None) -> None:
        """Save the open case from time to time; None if there is none."""
        self._current = current
        if current is None:
            self._timer.stop()
        else:
            self._timer.start()

    def _saveWhileIdle(self) -> None:
        if self._task is None:
            self.start(self.saveSteps(self._current), self._onSaved)

    def _onSaved(self, error: str) -> None:
        if error:
            self.onSaveFailed(error)

    def start(self, steps: Steps[None], onEnded: Callable[[str], None]) -> None:
        """Do steps in the event loop, instead of those that are being done.

        Args:
            steps: see `saveSteps` and `takeOverSteps`.
            onEnded: called with "" or a one-line error message.
        """
        self.cancel()
        self._task = IdleTask(self._ending(steps), lambda fraction: None, onEnded)

    def cancel(self) -> None:
        """Stop doing steps; files are as before or complete."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _ending(self, steps: Steps[None]) -> Steps[None]:
        try:
            yield from steps
        finally:
            self._task = None

    def saveSteps(self, current: OpenCase | None) -> Steps[None]:
        """Write the correction of an open case, if there is one that is not on disk.

        What is edited meanwhile may be written in part, and is written again the next time.

        Raises:
            GenSegError: the volume cannot be used, or the folder cannot be written.
        """
        if current is None or not current.isInScene:
            return
        node = current.case.segmentationNode
        version = annotationVersion(node)
        if version == current.saved:
            return
        if segmentsOf(node):
            includes = self._workspace.includes(folder=current.folder)
            details = (includes, current.timer.seconds)
            yield from AnnotationEdits.writeEditsSteps(current.folder, current.case, *details)
        current.saved = version

    def takeOverSteps(self, current: OpenCase) -> Steps[None]:
        """Write label, record and state of a case that is checked now.

        What is edited meanwhile is taken over, too.

        Raises:
            GenSegError: the volume cannot be used, a class is said to be absent and is drawn, or
                the folder cannot be written; the case keeps its former state.
        """
        case, workspace = current.case, self._workspace
        for _attempt in range(_ATTEMPTS):
            version = annotationVersion(case.segmentationNode)
            classMap = workspace.classMap(case.segmentationNode)
            nested = yield from workspace.nestedSteps(case)
            includes = workspace.includes(nested)
            draft = (workspace.folder, case, current.draft, classMap, includes)
            dice, classes = yield from AnnotationFiles.draftDiceSteps(*draft)
            details = (classMap, workspace.preset, includes, nested)
            yield from AnnotationFiles.writeCheckedSteps(workspace.folder, case, *details)
            if version == annotationVersion(case.segmentationNode):
                break
        self.record(current, "accepted", dice, classes)
        setState(case.segmentationNode, CaseState.CHECKED)
        AnnotationEdits.removeEdits(workspace.folder, case.name)

    def record(
        self,
        current: OpenCase,
        action: str,
        dice: float | None = None,
        classes: dict[str, Any] | None = None,
    ) -> None:
        """Note what became of the draft of a case.

        Args:
            current: the case.
            action: one of `GenSegLib.annotation.records.ACTIONS`.
            dice: of the draft against the correction.
            classes: the same for each class.

        Raises:
            GenSegError: the folder cannot be written.
        """
        draft, settings = current.draft, self._workspace.settings
        record = AnnotationRecord(
            current.case.name,
            current.number,
            dice,
            round(current.timer.seconds, 1),
            model=draft.model if draft is not None else "",
            trained_cases=draft.trained_cases if draft is not None else 0,
            strategy=settings.strategy,
            action=action,
            classes=classes or {},
        )
        append_record(self._workspace.folder.records_file, record)
