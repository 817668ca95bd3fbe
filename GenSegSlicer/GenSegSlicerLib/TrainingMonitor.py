"""Progress bar, log and charts of a training, and the question what happens when Slicer closes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegSlicerLib.CurvesView import CurvesView
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.RunHistory import runTitle
from GenSegSlicerLib.TrainingJob import TrainingJob

CLOSING_KEY = "GenSegSlicer/trainingWhenClosing"  # "continue" or "stop"; "" to ask


class TrainingMonitor:
    """Shows the progress of one training at a time.

    Args:
        ui: widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self.job: TrainingJob | None = None
        self.curves = CurvesView()
        self._hasLoggedDetails = False
        self._question = InlineMessage(ui.closingQuestion)
        ui.chartButton.connect("clicked(bool)", self.showCurves)
        for choice, text in (
            ("", _("Ask next time")),
            ("continue", _("Keep training")),
            ("stop", _("Save and stop")),
        ):
            ui.closingSelector.addItem(text, choice)
        ui.closingSelector.connect(
            "activated(int)",
            lambda index: self.setClosingChoice(ui.closingSelector.itemData(index)),
        )
        ui.closingContinueButton.connect(
            "clicked(bool)", lambda checked: self.setClosingChoice("continue")
        )
        ui.closingStopButton.connect("clicked(bool)", lambda checked: self.setClosingChoice("stop"))
        ui.progressFrame.setVisible(False)
        ui.closingFrame.setVisible(False)

    def setJob(self, job: TrainingJob | None) -> None:
        """Show a training, instead of the previous one, which continues."""
        if self.job is not None:
            self.job.eventObservers.discard(self._onEvent)
        self.job = job
        if job is None:
            self.curves.remove()
            return
        self._hasLoggedDetails = False
        self._ui.logText.clear()
        self.curves.setEvents(job.events)
        for event in job.events:
            self._log(event)
        job.eventObservers.add(self._onEvent)
        self.show()

    def show(self) -> None:
        """Show progress, remaining time and validation Dice."""
        job = self.job
        ui = self._ui
        ui.closingSelector.setCurrentIndex(ui.closingSelector.findData(closingChoice()))
        ui.progressFrame.setVisible(job is not None)
        ui.closingFrame.setVisible(job is not None and job.isActive and closingChoice() == "")
        ui.chartButton.enabled = job is not None and any(e["kind"] == "metrics" for e in job.events)
        self.curves.update()
        ui.chartButton.checked = self.curves.isShown
        if job is None:
            return
        self._logDetails()
        self._question.info(_("If Slicer is closed during training:"))
        ui.trainProgressBar.setValue(round(1000 * job.fraction))
        ui.trainProgressBar.format = f"{phaseText(job)}  %p%"
        ui.remainingLabel.text = remainingText(job.remainingS) if job.isActive else ""
        ui.diceLabel.text = diceText(job)

    def showRun(self, selected: Path | None) -> None:
        """Name the run of the progress bar if another one is selected."""
        run = self.job.runFolder if self.job is not None else None
        isOther = run is not None and run != selected
        text = _("Training of {run}").format(run=runTitle(run)) if isOther else ""
        self._ui.progressRunLabel.text = text
        self._ui.progressRunLabel.setVisible(isOther)

    def showCurves(self, shown: bool) -> None:
        """Show losses and Dice as a plot beside the slice views, or hide it."""
        if shown and self.job is not None:
            self.curves.show(self.job.events)
        else:
            self.curves.hide()
        self._ui.chartButton.checked = self.curves.isShown

    def setClosingChoice(self, choice: str) -> None:
        """Set what happens to a training when Slicer is closed: "continue", "stop", "" to ask."""
        qt.QSettings().setValue(CLOSING_KEY, choice)
        self.show()

    def _onEvent(self, event: dict[str, Any]) -> None:
        self.curves.add(event)
        self._log(event)

    def _log(self, event: dict[str, Any]) -> None:
        text = logLine(event)
        if text:
            self._ui.logText.appendPlainText(text)

    def _logDetails(self) -> None:
        """Append the process output of a failed training to the log, once."""
        if self.job.state == "failed" and not self._hasLoggedDetails:
            self._hasLoggedDetails = True
            self._ui.logText.appendPlainText(self.job.details)


def closingChoice() -> str:
    """Return what happens to a training when Slicer is closed: "continue", "stop", "" to ask."""
    return str(qt.QSettings().value(CLOSING_KEY, "") or "")


def diceText(job: TrainingJob) -> str:
    """Return the last validation Dice; the final phase also trains on the validation cases."""
    if not job.lastDice:
        return ""
    text = _("Validation Dice: {dice:.3f}")
    if job.phase == "final" or job.state == "finished":
        text = _("Validation Dice before final training: {dice:.3f}")
    return text.format(dice=job.lastDice)


def phaseText(job: TrainingJob) -> str:
    """Return the translated state or phase of a training."""
    if job.state in ("finished", "failed", "stopped", "stopping", "preparing"):
        return {
            "finished": _("Finished"),
            "failed": _("Failed"),
            "stopped": _("Stopped"),
            "stopping": _("Stopping"),
            "preparing": _("Writing cases"),
        }[job.state]
    return {
        "warm-up": _("Training the generator"),
        "joint": _("Joint training"),
        "final": _("Final training"),
    }.get(job.phase, _("Starting"))


def remainingText(seconds: float | None) -> str:
    """Format a remaining time."""
    if seconds is None:
        return ""
    whole = max(round(seconds), 0)
    if whole < 60:
        return _("{s} s left").format(s=whole)
    if whole < 3600:
        return _("{m} min {s:02} s left").format(m=whole // 60, s=whole % 60)
    return _("{h} h {m:02} min left").format(h=whole // 3600, m=whole % 3600 // 60)


def logLine(event: dict[str, Any]) -> str:
    """Return the line of the log for an event, "" for none."""
    kind = event["kind"]
    if kind == "log":
        return str(event["text"])
    if kind == "error":
        return _("Error: {text}").format(text=event["text"])
    if kind == "state":
        return _("Training is {state}").format(state=event["state"])
    if kind == "metrics" and event.get("validation_dice") is not None:
        text = _("Step {step}: validation Dice {dice:.3f}")
        return text.format(step=event["step"], dice=event["validation_dice"])
    return ""
