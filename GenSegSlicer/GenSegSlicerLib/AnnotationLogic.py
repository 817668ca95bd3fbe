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
from GenSegSlicerLib import AnnotationEdits, AnnotationFiles
from GenSegSlicerLib.AnnotationCases import AnnotationCase, annotationVersion
from GenSegSlicerLib.AnnotationOrder import AnnotationOrder
from GenSegSlicerLib.AnnotationTrainer import AnnotationTrainer
from GenSegSlicerLib.AnnotationTraining import classProblem
from GenSegSlicerLib.AnnotationWorkspace import AnnotationSettings, AnnotationWorkspace
from GenSegSlicerLib.CaseOpener import CaseOpener, OpenCase
from GenSegSlicerLib.CaseSaver import CaseSaver
from GenSegSlicerLib.DraftPredictor import Draft, DraftPredictor
from GenSegSlicerLib.EditTimer import EditTimer
from GenSegSlicerLib.Job import Observers
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair

AUTOSAVE_MS = 30_000


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
        self._opener, self._saver = CaseOpener(self.workspace), CaseSaver(self.workspace)
        self._order = AnnotationOrder()
        self._order.onRanked = self._onRanked
        self._drafts = drafts or DraftPredictor()
        self._drafts.onDraft = self._onDraft
        self._drafts.onFailed = self._onDraftFailed
        self._awaited = ""  # name of the case that is opened when its draft is ready
        self._isChoosing = False  # the first case of a ranking is opened when that is ready
        self._note = ""  # shown with the next case
        self._asked = ("", "")  # case and question at which Accept was pressed once
        self._spent: dict[str, float] = {}  # seconds by case, of those that were left
        self._autosave = qt.QTimer()
        self._autosave.setInterval(AUTOSAVE_MS)
        self._autosave.connect("timeout()", self._saveWhileIdle)

    @property
    def isWaiting(self) -> bool:
        """Whether a case is being taken over, or the next one is being chosen or drafted."""
        return bool(self._awaited) or self._isChoosing or self.isAccepting

    def next(self) -> None:
        """Choose the next case, and open it when its draft is ready.

        Raises:
            GenSegError: no output folder is selected, another program annotates in it, it cannot be
                written, or a case is open.
        """
        self.workspace.folder.lock()
        if self.isOpen():
            text = _("Accept or skip {case} first")
            raise GenSegError(text.format(case=self.current.case.title))
        self._rank()
        cases, settings = self._ordered(), self.workspace.settings
        isKnown = self._order.isKnown(settings.strategy, self.workspace.model())
        self._isChoosing = bool(cases) and not isKnown
        if self._isChoosing:
            self._report("info", _("Choosing the next case..."))
        elif not cases:
            self._report("success", _("All cases are checked"))
        else:
            self.open(cases[0])

    def open(self, case: AnnotationCase) -> None:
        """Open a case when its draft is ready: at once if it has one of the newest model.

        Raises:
            GenSegError: as `next`, and if its volume cannot be loaded or segmented.
        """
        self.workspace.folder.lock()
        self._leave()
        metadata = self.workspace.metadata()
        fit, isUnfit = self._fit()
        if isUnfit:
            metadata = None
        self._opener.load(case)  # whose voxels tell whether it is the case of that name
        if self._opener.needsDraft(case, metadata):
            self._awaited = case.name
            self._report("info", _("Predicting a draft of {case}...").format(case=case.title))
            self._predict(case, urgent=True)
            return
        self._show(case, metadata is not None, fit)

    def accept(self, *, wait: bool = True) -> None:
        """Take over the segmentation of the open case, and open the next one.

        One that is empty, or has segments that would not be used, is taken over at the second call.

        Args:
            wait: until it is taken over; else that is done slice by slice in the event loop, so
                that Slicer responds, and errors are reported.

        Raises:
            GenSegError: no case is open, its nodes were deleted, or the folder cannot be written;
                the case keeps its state.
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
        del self._spent[case.name]
        self._addNote(self.workspace.newClassesText(case))
        self._train(case)
        self._handOver(case)
        self.next()

    def skip(self) -> None:
        """Leave the open case as it is, and open the next one.

        Raises:
            GenSegError: no case is open, or the folder cannot be written.
        """
        current = self._requireOpen()
        self.save()
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

    def _saveWhileIdle(self) -> None:
        if not self._saver.isBusy:
            self._saver.start(self._saver.saveSteps(self.current), self._onSaved)

    def _onSaved(self, error: str) -> None:
        if error:
            self._report("error", error)

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

    def _ordered(self) -> list[AnnotationCase]:
        settings, model = self.workspace.settings, self.workspace.model()
        cases = self._order.order(self.workspace.cases(), settings.strategy, model, seed=0)
        return sorted(cases, key=lambda case: not self._opener.isBegun(case))

    def _rank(self) -> None:
        """Begin to rank the cases by the newest model, unless they are or are being ranked."""
        settings, model = self.workspace.settings, self.workspace.model()
        chosen = settings.strategy, model
        if self._order.isRanked(*chosen) or self._order.ranks(*chosen):
            return
        cases = self.workspace.cases()
        if any(case.state is not CaseState.CHECKED for case in cases):
            details = (self.workspace.folder, settings.device)
            self._order.rank(cases, *chosen, *details)

    def _onRanked(self, error: str) -> None:
        """Open the first case if the user waits for it; after an error that of the list."""
        if not self._isChoosing:
            self._addNote(error)
            self._try(self._predictAhead)
            self._notify()
            return
        self._try(self.next)
        if error:
            self._report("warning", error)

    def _fit(self) -> tuple[str, bool]:
        """Compare the classes of the newest model with those of the checked cases."""
        metadata = self.workspace.metadata()
        return ("", False) if metadata is None else classProblem(metadata, self.workspace.classes())

    def _predict(self, case: AnnotationCase, urgent: bool) -> None:
        self._drafts.request(self._opener.request(case), urgent)

    def _onDraft(self, draft: Draft) -> None:
        """Store a draft, and open its case if the user waits for it."""
        name = draft.request.case
        isAwaited = name == self._awaited
        case = self.workspace.case(name)
        if case is None or case.state is CaseState.CHECKED or self._isCurrent(name):
            self._awaited = "" if isAwaited else self._awaited
            return  # removed or checked meanwhile
        try:
            AnnotationFiles.writeDraft(self.workspace.folder, draft)
            if isAwaited:
                self._awaited = ""
                self._show(self.workspace.case(name), True, self._fit()[0])
            else:
                self._notify()
        except GenSegError as error:
            self._awaited = ""
            self._report("error", str(error))

    def _onDraftFailed(self, name: str, message: str) -> None:
        if name == self._awaited:
            self._awaited = ""
            self._report("error", f"{name}: {message}")

    def _show(self, case: AnnotationCase, hasModel: bool, fit: str) -> None:
        """Open a case whose draft is ready, or which is drawn without one."""
        self._opener.open(case)
        draft = case.entry if case.entry is not None and case.entry.model else None
        checked = [each for each in self.workspace.cases() if each.state is CaseState.CHECKED]
        number = 1 + sum(each.name != case.name for each in checked)
        node, before = case.segmentationNode, self._secondsBefore(case.name)
        timer, version = EditTimer(node, before), annotationVersion(node)
        self.current = OpenCase(case, draft, number, timer, version)
        self._asked = ("", "")
        self._autosave.start()
        self.onOpened(case.volumeNode, node)
        task = self.workspace.taskText(case, isDrafted=draft is not None)
        notes = [part for part in (task, fit, self._note) if part]
        self._note = ""
        self._report("warning" if len(notes) > 1 else "info", "\n".join(notes))
        if hasModel:
            self._predictAhead()

    def _secondsBefore(self, name: str) -> float:
        """Return the time that the user has spent on a case that was left, or with Slicer ended."""
        stored = AnnotationEdits.secondsOfEdits(self.workspace.folder, name)
        return self._spent.get(name, stored)

    def _predictAhead(self) -> None:
        """Predict the case after the open one while the user corrects that."""
        settings, model = self.workspace.settings, self.workspace.model()
        if model is None or not self._order.isKnown(settings.strategy, model):
            return
        metadata = self.workspace.metadata()
        following = (case for case in self._ordered() if not self._isCurrent(case.name))
        case = next(following, None)
        if case is not None and self._opener.needsDraft(case, metadata):
            self._predict(case, urgent=False)

    def _train(self, case: AnnotationCase) -> None:
        try:
            self.trainer.add(case)
        except GenSegError as error:  # the case is checked nevertheless
            self._addNote(str(error))

    def _handOver(self, case: AnnotationCase) -> None:
        """Add an accepted case to the training pairs, or unload it if its files suffice."""
        if not self._opener.unload(case):
            self.onAccepted(TrainingPair(case.volumeNode, case.segmentationNode, "train"))

    def _onTrained(self, job: TrainingJob) -> None:
        """Draft the next case and rank with the new model, and train on cases that came meanwhile.

        A training that was stopped or has failed is not repeated before the next case.
        """
        self.workspace.invalidate()
        if job.state == "finished":
            self._try(self.trainer.trainIfDue)
            if self.current is not None:
                self._try(self._rank)
                self._try(self._predictAhead)
        self._notify()

    def _requireOpen(self) -> OpenCase:
        self.workspace.folder.lock()
        if not self.isOpen():
            raise GenSegError(_("No case is open; press Next case"))
        return self.current

    def isOpen(self) -> bool:
        """Return whether a case is open; one whose nodes were deleted is closed and reported."""
        current = self.current
        if current is not None and not current.isInScene:
            self._close()
            text = _("{case}: its volume or segmentation was deleted; press Next case to go on")
            self._report("error", text.format(case=current.case.title))
        return self.current is not None

    def _isCurrent(self, name: str) -> bool:
        return self.current is not None and self.current.case.name == name

    def _leave(self) -> None:
        self._saver.cancel()
        self.isAccepting = False
        self.save()
        self._awaited, self._isChoosing = "", False
        self._close()

    def _addNote(self, text: str) -> None:
        """Show a line with the next case."""
        self._note = f"{self._note}\n{text}".strip()

    def _close(self) -> None:
        if self.current is not None:
            self._spent[self.current.case.name] = self.current.timer.seconds
            self.current.timer.stop()
        self.current = None
        self._autosave.stop()

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except GenSegError as error:
            self._report("error", str(error))

    def _report(self, kind: str, text: str) -> None:
        self.message = (kind, text)
        self._notify()

    def _notify(self) -> None:
        self.observers.notify(self)
