"""The annotation loop: choose a case, draft it, take over the correction, train, and so on.

loop = AnnotationLogic(GenSegSlicerLogic(), lambda: AnnotationSettings("/data/runs"))
loop.next()    # opens the next case, see `current`, when its draft is ready
loop.accept()  # after the user has corrected it: opens the one after it, and trains
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import CaseState
from GenSegLib.errors import GenSegError
from GenSegLib.steps import finish
from GenSegSlicerLib import AnnotationFiles
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.AnnotationOrder import AnnotationOrder
from GenSegSlicerLib.AnnotationTrainer import AnnotationTrainer
from GenSegSlicerLib.AnnotationWorkspace import AnnotationSettings, AnnotationWorkspace
from GenSegSlicerLib.CaseOpener import CaseOpener, OpenCase
from GenSegSlicerLib.CaseSaver import CaseSaver
from GenSegSlicerLib.DraftPredictor import Draft, DraftPredictor
from GenSegSlicerLib.Job import Observers
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair


class AnnotationLogic:
    """Runs the loop; one case is open at a time.

    Args:
        logic: module logic, which trains.
        settings: returns the current settings.
        drafts: predicts drafts; None for a process that starts with the first one.

    Attributes:
        observers: called with this object after each change.
        current: the open case, None if there is none.
        isAccepting: whether the open case is being taken over.
        message: kind ("info", "warning", "error" or "success") and text of what happened last.
        onOpened: called with the volume and the segmentation of each opened case.
        onAccepted: called with each accepted pair that stays in the scene.
    """

    def __init__(
        self,
        logic: Any,
        settings: Callable[[], AnnotationSettings],
        drafts: DraftPredictor | None = None,
    ) -> None:
        self.observers = Observers()
        self.current: OpenCase | None = None
        self.message = ("info", "")
        self.isAccepting = False
        self.onOpened: Callable[[Any, Any], None] = lambda volumeNode, segmentationNode: None
        self.onAccepted: Callable[[TrainingPair], None] = lambda pair: None
        self.workspace = AnnotationWorkspace(settings)
        self.trainer = AnnotationTrainer(logic, self.workspace)
        self.trainer.onEnded = self._onTrained
        self.trainer.saver.isOpen = self._isCurrent
        self._opener, self._saver = CaseOpener(self.workspace), CaseSaver(self.workspace)
        self._saver.onSaveFailed = lambda message: self._report("error", message)
        self._order = AnnotationOrder(self.workspace, self._opener.isBegun)
        self._order.onRanked = self._onRanked
        self._drafts = drafts or DraftPredictor()
        self._drafts.onDraft = self._onDraft
        self._drafts.onFailed = self._onDraftFailed
        self._drafts.onEnded = self._onPredictorEnded
        self._awaited = ""  # name of the case that is opened when its draft is ready
        self._isChoosing = False  # the first case of a ranking is opened when that is ready
        self._isNext = False  # the awaited case was chosen by `next`, not by the user
        self._unusable: set[str] = set()  # names of the cases that `next` has passed over
        self._note = ""  # shown with the next case
        self._asked = ("", "")  # case and question at which Accept was pressed once

    @property
    def isWaiting(self) -> bool:
        """Whether a case is being taken over, or the next one is being chosen or drafted."""
        return bool(self._awaited) or self._isChoosing or self.isAccepting

    def next(self) -> None:
        """Choose the next case, and open it when its draft is ready.

        One that cannot be used is passed over with a note, and comes after the others from then on.

        Raises:
            GenSegError: no output folder is selected, another program annotates in it, it cannot be
                written, or a case is open.
        """
        self.workspace.folder.lock()
        if self.isOpen():
            text = _("Accept or skip {case} first")
            raise GenSegError(text.format(case=self.current.case.title))
        self._order.rank()
        self._unusable.clear()
        self._openNext()

    def _openNext(self) -> None:
        cases = [each for each in self._order.cases() if each.name not in self._unusable]
        self._isChoosing = bool(cases) and not self._order.isKnown
        if self._isChoosing:
            self._report("info", _("Choosing the next case..."))
            return
        for case in cases:
            try:
                self.open(case)
            except GenSegError as error:
                self._passOver(case.name, str(error))
            else:
                self._isNext = bool(self._awaited)
                return
        if self._unusable:
            note, self._note = self._note, ""
            self._report("error", note)
        else:
            self._report("success", _("All cases have been accepted"))

    def _passOver(self, name: str, reason: str) -> None:
        """Put a case that cannot be used behind all others."""
        self._order.skip(name)
        self._unusable.add(name)
        self._addNote(reason)

    def open(self, case: AnnotationCase) -> None:
        """Open a case when its draft is ready: at once if it has one of the newest model.

        Raises:
            GenSegError: as `next`, if its volume cannot be loaded or segmented, and while another
                case is being taken over.
        """
        self._requireNotAccepting()
        self.workspace.folder.lock()
        self._leave()
        fit, isUnfit = self.workspace.classProblem()
        metadata = None if isUnfit else self.workspace.metadata()
        self._opener.load(case)  # whose voxels show whether it is the case of that name
        if self._opener.needsDraft(case, metadata):
            self._awaited = case.name
            self._report("info", _("Predicting a draft of {case}...").format(case=case.title))
            self._drafts.request(self._opener.request(case), urgent=True)
            return
        self._show(case, metadata is not None, fit)

    def accept(self, *, wait: bool = True) -> None:
        """Take over the segmentation of the open case, and open the next one.

        One that is empty, or has segments that would not be used, is taken over at the second call.

        Args:
            wait: until it is taken over; else that is done slice by slice in the event loop, so
                that Slicer responds, and errors are reported.

        Raises:
            GenSegError: no case is open, its nodes were deleted, it is being taken over already,
                or the folder cannot be written; the case keeps its state.
        """
        current = self._requireOpen()
        question = self.workspace.question(current.case)
        if question and self._asked != (current.case.name, question):
            self._asked = current.case.name, question
            self._report("warning", question)
            return
        self._saver.cancel()
        steps = self._saver.takeOverSteps(current)
        if wait:
            finish(steps)
            self._goOn(current.case)
            return
        self.isAccepting = True
        self._report("info", _("Saving {case}...").format(case=current.case.title))
        self._saver.start(steps, lambda error: self._onTakenOver(current, error))

    def _onTakenOver(self, current: OpenCase, error: str) -> None:
        self.isAccepting = False
        if error and current.isInScene:
            self.onOpened(current.case.volumeNode, current.case.segmentationNode)
        if error:
            self._report("error", error)
        elif self.isOpen():  # else its nodes were deleted meanwhile
            self._try(lambda: self._goOn(current.case))

    def _goOn(self, case: AnnotationCase) -> None:
        """Train on a case that was taken over, and open the next one."""
        self._close()
        self._opener.resetTime(case)
        self._addNote(self.workspace.newClassesText(case))
        self._train(case)
        if not self._opener.unload(case):  # only its files are needed from now on
            self.onAccepted(TrainingPair(case.volumeNode, case.segmentationNode, "train"))
        self.next()

    def skip(self) -> None:
        """Leave the open case as it is, and open the next one.

        Raises:
            GenSegError: no case is open, it is being taken over, or the folder cannot be written;
                the case stays open.
        """
        current = self._requireOpen()
        self._saver.cancel()
        finish(self._saver.saveSteps(current))
        self._saver.record(current, "skipped")
        self._order.skip(current.case.name)
        self._close()
        self._opener.unload(current.case)
        self.next()

    def train(self) -> TrainingJob:
        """Train on all checked cases now; see `AnnotationTrainer.train`."""
        return self.trainer.train()

    def save(self) -> None:
        """Write the correction of the open case to disk, if there is one.

        The next case is not affected by an error, which is only reported.
        """
        if not self.isAccepting:
            self._saver.cancel()
        self._try(lambda: finish(self._saver.saveSteps(self.current)))

    def leave(self) -> None:
        """Save the open case and release its nodes, as before the scene is closed."""
        self._leave()
        self._order.cancel()
        self._drafts.cancel()

    def stop(self) -> None:
        """Save the open case and end all processes except the training."""
        self.leave()
        self.trainer.release()
        self._drafts.stop()
        self.workspace.close()

    def _onRanked(self, error: str) -> None:
        """Open the first case if the user waits for it; after an error that of the list."""
        if not self._isChoosing:
            self._addNote(error)
            self._try(self._predictAhead)
            self.observers.notify(self)
            return
        self._try(self.next)
        if error:
            self._report("warning", error)

    def _onDraft(self, draft: Draft) -> None:
        """Store a draft, and open its case if the user waits for it."""
        name = draft.request.case
        isAwaited = name == self._awaited
        case = self.workspace.case(name)
        if case is None or case.state is CaseState.CHECKED or self._isCurrent(name):
            if isAwaited:
                self._awaited = ""
                text = _("{case} was removed or accepted meanwhile; press Next case to continue")
                self._report("error", text.format(case=name))
            return
        try:
            AnnotationFiles.writeDraft(self.workspace.folder, draft)
            if isAwaited:
                self._awaited = ""
                self._show(self.workspace.case(name), True, self.workspace.classProblem()[0])
            else:
                self.observers.notify(self)
        except GenSegError as error:
            self._awaited = ""
            self._report("error", str(error))

    def _onDraftFailed(self, name: str, message: str) -> None:
        """Go on once events have been processed, since `open` may not have returned."""
        qt.QTimer.singleShot(0, lambda: self._onUnusable(name, f"{name}: {message}"))

    def _onUnusable(self, name: str, reason: str) -> None:
        if name != self._awaited:
            return
        self._awaited = ""
        if self._isNext:
            self._passOver(name, reason)
            self._try(self._openNext)
        else:
            self._report("error", reason)

    def _onPredictorEnded(self, reason: str) -> None:
        """Report it; the case comes after the others, since it may be the cause."""
        name, self._awaited = self._awaited, ""
        if name:
            self._order.skip(name)
            self._report("error", f"{name}: {reason}")

    def _show(self, case: AnnotationCase, hasModel: bool, fit: str) -> None:
        """Open a case whose draft is ready, or which is drawn without one."""
        self._opener.open(case)
        current = self._opener.opened(case)
        task = self.workspace.taskText(case, isDrafted=current.draft is not None)
        self.current, self._asked = current, ("", "")
        self._saver.watch(current)
        self.onOpened(case.volumeNode, case.segmentationNode)
        notes = [part for part in (task, fit, self._note) if part]
        self._note = ""
        self._report("warning" if len(notes) > 1 else "info", "\n".join(notes))
        if hasModel:
            self._predictAhead()

    def _predictAhead(self) -> None:
        """Predict the case after the open one while the user corrects that."""
        metadata = self.workspace.metadata()
        if metadata is None or not self._order.isKnown:
            return
        following = (case for case in self._order.cases() if not self._isCurrent(case.name))
        case = next(following, None)
        if case is not None and self._opener.needsDraft(case, metadata):
            self._drafts.request(self._opener.request(case), urgent=False)

    def _train(self, case: AnnotationCase) -> None:
        try:
            self.trainer.add(case)
        except GenSegError as error:  # the case is checked nevertheless
            self._addNote(str(error))

    def _onTrained(self, job: TrainingJob) -> None:
        """Draft the next case and rank with the new model, and train on cases that came meanwhile.

        A training that was stopped or has failed is not repeated before the next case.
        """
        self.workspace.invalidate()
        if job.state == "failed":
            self._warn(_("No new model: {reason}").format(reason=job.message))
        if job.state == "finished":
            self._try(self.trainer.trainIfDue)
            if self.current is not None:
                self._try(self._order.rank)
                self._try(self._predictAhead)
        self.observers.notify(self)

    def _requireNotAccepting(self) -> None:
        if self.isAccepting:
            raise GenSegError(_("A case is being saved; wait until the next one is open"))

    def _requireOpen(self) -> OpenCase:
        self._requireNotAccepting()
        self.workspace.folder.lock()
        if not self.isOpen():
            raise GenSegError(_("No case is open; press Next case"))
        return self.current

    def isOpen(self) -> bool:
        """Return whether a case is open; report one that was deleted or is of another folder."""
        current = self.current
        if current is not None and not current.isInScene:
            self._close()
            reason = _("its volume or segmentation was deleted")
        elif current is not None and not self.workspace.isIn(current.folder):
            self._leave()
            reason = _("another output folder was selected")
        else:
            return current is not None
        text = _("{case}: {reason}; press Next case to continue")
        self._report("error", text.format(case=current.case.title, reason=reason))
        return False

    def _isCurrent(self, name: str) -> bool:
        return self.current is not None and self.current.case.name == name

    def _leave(self) -> None:
        self._saver.cancel()
        self.isAccepting = False
        self.save()
        self._awaited, self._isChoosing, self._isNext = "", False, False
        self._close()

    def _addNote(self, text: str) -> None:
        """Show a line with the next case, once."""
        if text not in self._note:
            self._note = f"{self._note}\n{text}".strip()

    def _warn(self, text: str) -> None:
        """Show a line below the message, or with the next case if that is being prepared."""
        if self.isWaiting:
            self._addNote(text)
        else:
            self.message = ("warning", f"{self.message[1]}\n{text}".strip())

    def _close(self) -> None:
        if self.current is not None:
            self._opener.close(self.current)
        self.current = None
        self._saver.watch(None)

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except GenSegError as error:
            self._report("error", str(error))

    def _report(self, kind: str, text: str) -> None:
        self.message = (kind, text)
        self.observers.notify(self)
