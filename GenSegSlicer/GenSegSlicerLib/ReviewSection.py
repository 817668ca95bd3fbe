"""The section *Review*: generated pairs and predictions, and what the clinician thinks of them."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ReviewFeedback import ReviewFeedback, ReviewItem
from GenSegSlicerLib.ReviewViews import ReviewViews
from GenSegSlicerLib.RunSection import RunSection
from GenSegSlicerLib.Section import Section


class ReviewSection(Section):
    """Steps through the previews of the run that is shown, and writes down rejections."""

    def __init__(self, ui: Any, logic: Any, runs: RunSection) -> None:
        super().__init__(ui, logic)
        self.runs = runs
        self.source = InlineMessage(ui.reviewSource)
        self.description = InlineMessage(ui.reviewDescription)
        self.message = InlineMessage(ui.reviewMessage)
        self.views = ReviewViews()
        self._feedback: ReviewFeedback | None = None
        self._items: list[ReviewItem] = []
        self._shown: Any = None  # the run, and how many previews it had
        self._isOpen = True  # whether the module is; its views belong to others otherwise
        ui.reviewSelector.connect("currentIndexChanged(int)", lambda index: self.showItem())
        ui.reviewPreviousButton.connect("clicked(bool)", lambda checked: self.step(-1))
        ui.reviewNextButton.connect("clicked(bool)", lambda checked: self.step(1))
        ui.rejectButton.connect("clicked(bool)", self.reject)
        ui.rejectKindButton.connect("clicked(bool)", lambda checked: self.rejectKind())
        ui.withdrawKindButton.connect("clicked(bool)", lambda checked: self.restoreKind())
        ui.reviewSection.connect("contentsCollapsed(bool)", lambda collapsed: self.refresh())

    def enter(self) -> None:
        """Show the item again, where the section is open."""
        self._isOpen = True

    def exit(self) -> None:
        """Give the views back: the user goes to another module."""
        self._isOpen = False
        self.views.leave()
        self._shown = None

    def cleanup(self) -> None:
        """Give the views back."""
        super().cleanup()
        self.views.leave()

    def sceneClosed(self) -> None:
        """Read everything anew in the next scene."""
        self.views.forget()
        self._shown = None

    def refresh(self) -> None:
        """List what the run has to show; nothing is read while the section is closed."""
        if self.parameters is None or not self._isOpen:
            return
        if self.ui.reviewSection.collapsed:
            self.views.leave()
            self._shown = None
            return
        run = self.runs.runFolder()
        count = len(list((run / "previews").glob("*"))) if run is not None else 0
        if self._shown != (run, count):
            self._shown = (run, count)
            self._read(run)
        self.views.showOutlines(self.parameters.reviewOutlines)

    def step(self, by: int) -> None:
        """Go to the next or the previous item."""
        box = self.ui.reviewSelector
        if box.count:
            box.setCurrentIndex((box.currentIndex + by) % box.count)

    def item(self) -> ReviewItem | None:
        """Give the item that is shown."""
        index = self.ui.reviewSelector.currentIndex
        return self._items[index] if 0 <= index < len(self._items) else None

    def showItem(self) -> None:
        """Show the chosen item in the slice views."""
        item = self.item()
        self._describe(item)
        if item is None or self.parameters is None:
            return
        try:
            self.views.show(self._shown[0], item, self.parameters.reviewOutlines)
        except GenSegError as fault:
            self.message.error(str(fault))

    def reject(self, rejected: bool) -> None:
        """Keep the shown pair out of the training, or let it in again."""
        item = self.item()
        if item is not None and item.kind == "generated":
            self._judge(lambda: self._feedback.setRejected(item, rejected))

    def rejectKind(self) -> None:
        """Make the change that the shown pair came from weaker."""
        item = self.item()
        if item is not None and item.pair is not None:
            self._judge(lambda: self._feedback.rejectKind(item.pair.kind))

    def restoreKind(self) -> None:
        """Give the change that the shown pair came from its full strength back."""
        item = self.item()
        if item is not None and item.pair is not None:
            self._judge(lambda: self._feedback.restoreKind(item.pair.kind))

    def _judge(self, action: Any) -> None:
        try:
            action()
        except GenSegError as fault:
            self.message.error(str(fault))
        else:
            self._describe(self.item())
            self.message.info(self._consequence())

    def _consequence(self) -> str:
        if self.runs.savedState() == "finished":
            return _("Noted in the run; its training is finished, so the model stays as it is")
        if self.runs.isTraining():
            return _("Noted; the training follows it from its next round on")
        return _("Noted; it counts when the training is resumed")

    def _read(self, run: Any) -> None:
        self.message.clear()
        before = self.item()
        try:
            self._feedback = ReviewFeedback(run) if run is not None else None
            self._items = self._feedback.items() if self._feedback is not None else []
        except GenSegError as fault:
            self._items = []
            self.message.error(str(fault))
        box = self.ui.reviewSelector
        blocked = box.blockSignals(True)
        box.clear()
        for item in self._items:
            box.addItem(item.title)
        title = before.title if before is not None else ""
        box.setCurrentIndex(max(box.findText(title), 0 if self._items else -1))
        box.blockSignals(blocked)
        self._tellSource(run)
        if self.item() is None or self.item() != before or not self.views.isShowing:
            self.showItem()  # not again after each round: the user may have moved the views
        else:
            self._describe(self.item())

    def _tellSource(self, run: Any) -> None:
        if run is None:
            self.source.hint(_("Choose a run in Training; its pictures appear after each round."))
        elif not self._items:
            self.source.hint(
                _("{run} has no pictures yet; they come after each round.").format(run=run.name)
            )
        else:
            self.source.hint(
                _("{run}: left real, right generated or predicted.").format(run=run.name)
            )

    def _describe(self, item: ReviewItem | None) -> None:
        """Say what the item is, and enable what can be done with it."""
        ui = self.ui
        isGenerated = item is not None and item.pair is not None
        several = len(self._items) > 1
        ui.reviewSelector.enabled = bool(self._items)
        ui.reviewPreviousButton.enabled = ui.reviewNextButton.enabled = several
        rejected, strength = False, 1.0
        try:
            if isGenerated:
                rejected = self._feedback.isRejected(item)
                strength = self._feedback.strength(item.pair.kind)
        except GenSegError as fault:
            self.message.error(str(fault))
        ui.rejectButton.enabled = ui.rejectKindButton.enabled = isGenerated
        ui.withdrawKindButton.enabled = strength < 1.0
        blocked = ui.rejectButton.blockSignals(True)
        ui.rejectButton.checked = rejected
        ui.rejectButton.text = _("Rejected") if rejected else _("Reject")
        ui.rejectButton.blockSignals(blocked)
        if not isGenerated:
            self.description.clear()
            return
        text = _("Between {cases}; changed most by: {kind} (strength {strength:.0%})")
        if rejected:
            text += _(" - kept out of the training")
        self.description.hint(
            text.format(
                cases=_(" and ").join(item.pair.cases),
                kind=kindText(item.pair.kind),
                strength=strength,
            )
        )


def kindText(kind: str) -> str:
    """Name a kind of change for the user."""
    return {
        "blending": _("blending of two shapes"),
        "deformation": _("deformation"),
        "contrast": _("contrast"),
        "gamma": _("gamma"),
        "noise": _("noise"),
        "bias_field": _("bias field"),
    }.get(kind, kind)
