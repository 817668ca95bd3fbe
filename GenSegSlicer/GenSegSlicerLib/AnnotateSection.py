"""The *Annotate* section: drafts of the model are corrected, and every correction trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.annotation.records import AnnotationRecord, first_accepted, read_records
from GenSegLib.annotation.strategies import STRATEGIES
from GenSegLib.errors import GenSegError
from GenSegSlicerLib import TrainingSettings
from GenSegSlicerLib.AnnotateTable import AnnotateTable
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.AnnotationCurve import AnnotationCurve, forecastOf
from GenSegSlicerLib.AnnotationLogic import AnnotationLogic
from GenSegSlicerLib.AnnotationWorkspace import (
    TRAIN_BUTTON,
    TRAIN_EVERY,
    TRAIN_NOW,
    AnnotationSettings,
)
from GenSegSlicerLib.Bindings import ChoiceBinding, PathBinding
from GenSegSlicerLib.CasesSection import CasesSection
from GenSegSlicerLib.CurvesView import CurvesView
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.PartialAnnotationView import PartialAnnotationView
from GenSegSlicerLib.RunSection import RunSection
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.SegmentEditorView import SegmentEditorView


class AnnotateSection(Section[Job]):
    """Connects the widgets of the section to the annotation loop.

    Attributes:
        loop: the annotation loop.
        view: the embedded Segment Editor.
    """

    def __init__(self, ui: Any, logic: Any, cases: CasesSection, runs: RunSection) -> None:
        super().__init__(ui, logic)
        self.cases, self.runs = cases, runs
        self.message = InlineMessage(ui.annotateMessage)
        self._hint = InlineMessage(ui.strategyHint)
        self._forecast = InlineMessage(ui.forecastLabel)
        self.view = SegmentEditorView(ui.annotateEditorFrame)
        self.curves = CurvesView(AnnotationCurve)
        self.loop = AnnotationLogic(logic, self._settings)
        self.loop.observers.add(self._onLoopChanged)
        self.loop.onOpened = self.view.show
        self.loop.onAccepted = cases.addPair
        self.loop.trainer.onStarted = runs.follow
        self._table = AnnotateTable(ui.annotateTable, self.open)
        self._records: tuple[AnnotationRecord, ...] = ()
        self._isRefreshing = False
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.refresh)
        self._bindings = [PathBinding(ui.annotateFolderEdit, "annotateFolder"), *self._choices()]
        ui.annotateSection.connect("contentsCollapsed(bool)", lambda collapsed: self.refresh())
        for button, action in (
            (ui.nextCaseButton, self.loop.next),
            (ui.acceptButton, lambda: self.loop.accept(wait=False)),
            (ui.skipButton, self.loop.skip),
            (ui.updateModelButton, self.loop.train),
        ):
            button.connect("clicked(bool)", lambda checked, action=action: self._do(action))
        ui.draftChartButton.connect("clicked(bool)", self.showCurve)
        self._partial = PartialAnnotationView(
            ui.annotatePartialSection,
            ui.annotateDrawnSelector,
            ui.annotateClassesTable,
            self.onNodesChanged,
        )

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node."""
        self.curves.setParameters(parameters, restore=False)
        super().setParameters(parameters)

    def enter(self) -> None:
        """Continue with the open case, whose segmentation may have been edited elsewhere."""
        if self.loop.current is not None and self.loop.current.isInScene:
            case = self.loop.current.case
            self.view.show(case.volumeNode, case.segmentationNode)

    def exit(self) -> None:
        """Save the correction in progress, and leave the views to other modules."""
        self.loop.save()
        self.view.hide()

    def onSceneClosed(self) -> None:
        """Save the correction in progress before the scene is closed."""
        self.loop.leave()
        self.curves.remove()
        self.view.hide()
        self.message.clear()

    def onNodesChanged(self) -> None:
        """List the volumes again once events have been processed."""
        self._timer.start(0)

    def cleanup(self) -> None:
        """End the processes of the loop except the training."""
        self._timer.stop()
        self.loop.observers.discard(self._onLoopChanged)
        self.loop.stop()
        self.view.cleanup()
        super().cleanup()

    def refresh(self) -> None:
        """List the cases and enable the buttons; nothing is read while the section is collapsed."""
        if self.parameters is None or self._isRefreshing or self.ui.annotateSection.collapsed:
            return
        self._isRefreshing = True
        self.loop.isOpen()  # reports nodes that were deleted
        try:
            self._showCases()
        except GenSegError as error:
            self.message.error(str(error))
        finally:
            self._isRefreshing = False
        self._enableButtons()

    def open(self, case: AnnotationCase) -> None:
        """Open the case that the user double-clicked."""
        problem = self._problem()
        if problem:
            self.message.hint(problem)
        else:
            self._do(lambda: self.loop.open(case))

    def showCurve(self, shown: bool) -> None:
        """Plot the drafts beside the slice views, or restore the layout."""
        if not shown:
            self.curves.remove()
            return
        self.curves.show(first_accepted(self._records))
        self.curves.chart.showForecast(self._records)

    def _do(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except GenSegError as error:  # stays while drafts arrive in the background
            self.loop.message = ("error", str(error))
            self._onLoopChanged(self.loop)

    def _settings(self) -> AnnotationSettings:
        p = self.parameters
        if p is None:
            return AnnotationSettings()
        training = TrainingSettings.trainSettings(p)
        return AnnotationSettings(
            p.outputFolder,
            p.annotateFolder,
            p.annotateStrategy,
            p.preset,
            p.modelFolder,
            p.device,
            p.annotateWhen,
            p.annotateEvery,
            {**training, **lengthOfTraining(p)},
            dict(p.classMap),
            self.cases.pairs,
            self.cases.includes(),
            p.trainNested,
        )

    def _choices(self) -> list[ChoiceBinding]:
        strategy = ChoiceBinding(self.ui.strategySelector, "annotateStrategy")
        strategy.setChoices([(s.name, _(s.title), _(s.hint)) for s in STRATEGIES.values()])
        when = ChoiceBinding(self.ui.trainWhenSelector, "annotateWhen")
        when.setChoices(
            [
                (TRAIN_NOW, _("After each case"), _("Training starts when a case is accepted.")),
                (
                    TRAIN_EVERY,
                    _("After several cases"),
                    _("Training starts after this many cases."),
                ),
                (TRAIN_BUTTON, _("By button"), _("Training starts when you press Update model.")),
            ]
        )
        return [strategy, when]

    def _showCases(self) -> None:
        p, workspace = self.parameters, self.loop.workspace
        strategy = STRATEGIES.get(p.annotateStrategy)
        self._hint.hint(f"{_(strategy.title)}: {_(strategy.hint)}" if strategy else "")
        self.ui.trainEverySpinBox.setVisible(p.annotateWhen == TRAIN_EVERY)
        records = read_records(workspace.folder.records_file).records if p.outputFolder else ()
        current = self.loop.current.case.name if self.loop.current is not None else ""
        self._table.show(workspace.cases(), _lastDrafts(records), current)
        if records != self._records:
            self._records = records
            self._showRecords()

    def _showRecords(self) -> None:
        """Show the forecast, and the curve if it is shown."""
        forecast = forecastOf(self._records)
        self._forecast.hint("" if forecast.is_silent else forecast.text)
        if self.curves.isShown:
            self.curves.setEvents(first_accepted(self._records))
            self.curves.chart.showForecast(self._records)

    def _problem(self) -> str:
        """One line why the loop cannot run, "" if it can."""
        if self.missing:
            return _("Install the missing packages first (see above).")
        if not self.parameters.outputFolder:
            return _("Select an output folder in Training.")
        return ""

    def _enableButtons(self) -> None:
        ui, loop, problem = self.ui, self.loop, self._problem()
        isOpen = loop.current is not None
        waiting = _("The next case is being prepared.") if loop.isWaiting else ""
        unready = _("The case is being saved.") if loop.isAccepting else ""
        unready = unready if isOpen else _("Press Next case first.")
        for button, reason, toolTip in (
            (
                ui.nextCaseButton,
                problem or waiting or (_("Accept or skip the open case first.") if isOpen else ""),
                _("Predict the next case with the newest model and open the draft."),
            ),
            (
                ui.acceptButton,
                problem or unready,
                _("Accept the segmentation and open the next case (Ctrl+Return)."),
            ),
            (
                ui.skipButton,
                problem or unready,
                _("Leave this case unchanged and open the next one."),
            ),
            (
                ui.updateModelButton,
                problem or (_("A training is running.") if self.runs.isTraining() else ""),
                _("Train on all accepted cases now, starting from the newest model."),
            ),
        ):
            button.enabled = not reason
            button.toolTip = reason or toolTip
        ui.draftChartButton.enabled = bool(self._records)
        self._showPartialAnnotation()

    def _showPartialAnnotation(self) -> None:
        """Show which voxels and classes of the open case are annotated."""
        if self.loop.current is None:
            self._partial.show([], [])
            return
        node = self.loop.current.case.segmentationNode
        self._partial.show([node], self.loop.workspace.knownClasses(node))

    def _onLoopChanged(self, loop: AnnotationLogic) -> None:
        kind, text = loop.message
        self.message.show(kind, text)
        if loop.current is None or loop.isAccepting:
            self.view.hide()
        self.refresh()


def _lastDrafts(records: Iterable[AnnotationRecord]) -> dict[str, AnnotationRecord]:
    """Return the last record of each case, by name: of its draft if it had one."""
    found: dict[str, AnnotationRecord] = {}
    for record in records:
        hasDice = record.case in found and found[record.case].dice is not None
        if record.dice is not None or not hasDice:
            found[record.case] = record
    return found


def lengthOfTraining(parameters: GenSegSlicerParameterNode) -> dict[str, float]:
    """Return the training settings that limit the time of each training of the loop."""
    return {"time_budget_s": 60.0 * parameters.annotateMinutes}
