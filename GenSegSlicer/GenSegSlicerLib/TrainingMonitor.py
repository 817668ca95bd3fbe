"""What the panel shows of a training: progress, Dice, log, curves, and what it does at the end."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegSlicerLib.Charts import TrainingCharts
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.SliceViews import showChart
from GenSegSlicerLib.TrainingJob import TrainingJob

CLOSING_KEY = "GenSegSlicer/trainingWhenClosing"  # "continue" or "stop"; absent until answered


class TrainingMonitor:
    """Follows one training job at a time.

    Args:
        ui: the widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self.job: TrainingJob | None = None
        self.charts: TrainingCharts | None = None
        self._hasLoggedDetails = False
        self._question = InlineMessage(ui.closingQuestion)
        ui.chartButton.connect("clicked(bool)", lambda checked: self.showCurves())
        for answer, text in (
            ("", _("Ask at the next training")),
            ("continue", _("The training goes on")),
            ("stop", _("The training is saved and stops")),
        ):
            ui.closingSelector.addItem(text, answer)
        ui.closingSelector.connect("activated(int)", self._onClosingChosen)
        ui.closingContinueButton.connect("clicked(bool)", lambda c: self.answer("continue"))
        ui.closingStopButton.connect("clicked(bool)", lambda c: self.answer("stop"))
        ui.progressFrame.setVisible(False)
        ui.closingFrame.setVisible(False)

    def follow(self, job: TrainingJob) -> None:
        """Show this job from now on."""
        self.leave()
        self.job = job
        self._hasLoggedDetails = False
        self._ui.logText.clear()
        self._clearCurves()
        for event in job.events:
            self._take(event)
        job.eventObservers.add(self._take)
        self.show()

    def leave(self) -> None:
        """Let go of the job; it goes on."""
        if self.job is not None:
            self.job.eventObservers.discard(self._take)
        self.job = None

    def forgetNodes(self) -> None:
        """Make new plot nodes when they are asked for: the scene took the old ones."""
        self.charts = None

    def show(self) -> None:
        """Show how far the job is."""
        job = self.job
        ui = self._ui
        ui.closingSelector.setCurrentIndex(ui.closingSelector.findData(closingAnswer()))
        ui.progressFrame.setVisible(job is not None)
        ui.closingFrame.setVisible(job is not None and job.isActive and closingAnswer() == "")
        ui.chartButton.enabled = job is not None and any(e["kind"] == "metrics" for e in job.events)
        if job is None:
            return
        self._logDetails()
        self._question.info(_("If Slicer is closed while a training runs:"))
        ui.trainProgressBar.setValue(round(1000 * job.fraction))
        ui.trainProgressBar.format = f"{phaseText(job)}  %p%"
        ui.remainingLabel.text = remainingText(job.remainingS) if job.isActive else ""
        ui.diceLabel.text = (
            _("Validation Dice: {dice:.3f}").format(dice=job.lastDice) if job.lastDice else ""
        )

    def showCurves(self) -> None:
        """Show loss and Dice as a plot beside the slice views."""
        if self.job is None:
            return
        if self.charts is None:
            self.charts = TrainingCharts()
            for event in self.job.events:
                self.charts.add(event)
        showChart(self.charts.chartNode)

    def answer(self, answer: str) -> None:
        """Remember what a running training does when Slicer closes: "continue" or "stop"."""
        qt.QSettings().setValue(CLOSING_KEY, answer)
        self.show()

    def _onClosingChosen(self, index: int) -> None:
        self.answer(self._ui.closingSelector.itemData(index))

    def _take(self, event: dict[str, Any]) -> None:
        if self.charts is not None:
            self.charts.add(event)
        text = logLine(event)
        if text:
            self._ui.logText.appendPlainText(text)

    def _logDetails(self) -> None:
        """Put what the process said into the log, once, where the training failed."""
        if self.job.state == "failed" and not self._hasLoggedDetails:
            self._hasLoggedDetails = True
            self._ui.logText.appendPlainText(self.job.details)

    def _clearCurves(self) -> None:
        if self.charts is not None:
            self.charts.clear()


def closingAnswer() -> str:
    """Give what the user answered once: "continue", "stop", or "" for not yet."""
    return str(qt.QSettings().value(CLOSING_KEY, "") or "")


def phaseText(job: TrainingJob) -> str:
    """Name what the job does, for the user."""
    if job.state in ("finished", "failed", "stopped", "stopping", "preparing"):
        return {
            "finished": _("Finished"),
            "failed": _("Failed"),
            "stopped": _("Stopped"),
            "stopping": _("Stopping"),
            "preparing": _("Writing the cases"),
        }[job.state]
    return {
        "warm-up": _("Learning to generate"),
        "joint": _("Learning together"),
        "final": _("Final training"),
    }.get(job.phase, _("Starting"))


def remainingText(seconds: float | None) -> str:
    """Give a remaining time as a person says it."""
    if seconds is None:
        return ""
    whole = max(round(seconds), 0)
    if whole < 60:
        return _("{s} s left").format(s=whole)
    if whole < 3600:
        return _("{m} min {s:02} s left").format(m=whole // 60, s=whole % 60)
    return _("{h} h {m:02} min left").format(h=whole // 3600, m=whole % 3600 // 60)


def logLine(event: dict[str, Any]) -> str:
    """Give the line that the log shows for an event, "" for none."""
    kind = event["kind"]
    if kind == "log":
        return str(event["text"])
    if kind == "error":
        return _("Error: {text}").format(text=event["text"])
    if kind == "state":
        return _("The training is {state}").format(state=event["state"])
    if kind == "metrics" and event.get("validation_dice") is not None:
        text = _("Step {step}: validation Dice {dice:.3f}")
        return text.format(step=event["step"], dice=event["validation_dice"])
    return ""
