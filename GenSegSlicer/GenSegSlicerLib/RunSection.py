"""The run widgets of the *Training* section: the current training, and previous runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.Bindings import ChoiceBinding
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.PlanView import PlanView
from GenSegSlicerLib.ReportWindow import openReport
from GenSegSlicerLib.RunHistory import runTitle
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingMonitor import TrainingMonitor, closingChoice

_RESUMABLE = ("stopped", "failed", "running", "queued")


class RunSection(Section[TrainingJob]):
    """Monitors, stops and resumes training runs; `onChanged` is called at each change."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.onChanged = lambda: None
        self.message = InlineMessage(ui.trainMessage)
        self.monitor = TrainingMonitor(ui)
        self.plan = PlanView(ui)
        self._sceneWasClosed = False
        self._listedRun: Path | None = None  # the user may select another run later
        self._runAtEnd: Path | None = None  # selected when a training ended
        self._selector = ChoiceBinding(
            ui.runSelector, "runFolder", lambda path: runTitle(Path(path))
        )
        self._bindings = [self._selector]
        ui.stopButton.connect("clicked(bool)", lambda checked: self.stop())
        ui.resumeButton.connect("clicked(bool)", lambda checked: self.resume())
        ui.reportButton.connect("clicked(bool)", lambda checked: self.openReport())
        ui.openRunButton.connect("directorySelected(QString)", self.openRun)

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node; a running training is selected unless the scene has a run."""
        self.monitor.curves.setParameters(parameters)
        if parameters is not None and self.isTraining() and not parameters.runFolder:
            parameters.runFolder = str(self.job.runFolder or "")
        super().setParameters(parameters)

    def cleanup(self) -> None:
        """Stop observing the training, which continues without the panel."""
        self.monitor.setJob(None)
        super().cleanup()

    def enter(self) -> None:
        """Update the list of runs each time the panel is shown."""
        self._updateRunList()

    def onSceneClosed(self) -> None:
        """Remember that a running training belongs to a closed scene."""
        self.monitor.curves.remove()
        self._sceneWasClosed = self.isTraining()

    def onApplicationQuit(self) -> None:
        """Stop a running training if the user chose so; by default it continues."""
        if self.isTraining() and closingChoice() == "stop":
            with suppress(GenSegError):  # nobody would see it; the training continues
                self.job.stop()

    def refresh(self) -> None:
        """Show the selected run, or the one that is being trained."""
        current = self.logic.trainingJob
        if current is not None and current is not self.job and self._isShown(current):
            self.follow(current, select=not self.parameters.runFolder)
        elif not self.isTraining():
            self._attachToRun()
        self.update()

    def isTraining(self) -> bool:
        """Return whether a monitored training is running."""
        return self.job is not None and self.job.isActive

    def runFolder(self) -> Path | None:
        """Return the folder of the selected run."""
        path = self.parameters.runFolder if self.parameters is not None else ""
        return Path(path) if path and RunFolder.is_run(Path(path)) else None

    def trainedModel(self) -> Path | None:
        """Return the model folder of a training that just finished."""
        finished = self.job is not None and self.job.state == "finished"
        return RunFolder(self.job.runFolder).model if finished else None

    def follow(self, job: TrainingJob, select: bool = True) -> None:
        """Monitor this training, and select its run."""
        self._sceneWasClosed = False
        self._listedRun = None if select else job.runFolder
        self._setJob(job)
        self.monitor.setJob(job)
        self._onJobChanged(job)

    def stop(self) -> None:
        """Ask the training to save a checkpoint and end; kill it if it did not respond."""
        if self.job is None:
            return
        try:
            if self.job.stopIsOverdue:
                self.job.kill()
            else:
                self.job.stop()
        except GenSegError as error:
            self.message.error(str(error))

    def resume(self) -> None:
        """Resume the selected run."""
        try:
            self.follow(self.logic.resume(self.runFolder()))
        except GenSegError as error:
            self.message.error(str(error))

    def openRun(self, folder: str) -> None:
        """Select a run from elsewhere; if it is being trained, it is monitored."""
        try:
            self.logic.addRun(folder)
        except GenSegError as error:
            self.message.error(str(error))
            return
        self._updateRunList()
        self.parameters.runFolder = str(Path(folder).absolute())
        self.onChanged()

    def openReport(self) -> None:
        """Open the report of the selected run, or say where it is."""
        run = self.runFolder()
        if run is not None and not openReport(RunFolder(run).report, runTitle(run)):
            text = _("The web browser could not be started; open {path} manually")
            self.message.warning(text.format(path=RunFolder(run).report))

    def update(self) -> None:
        """Enable buttons and show the state of the run."""
        ui, active = self.ui, self.isTraining()
        saved = "" if active else self.savedState()
        overdue = active and self.job.stopIsOverdue
        ui.stopButton.enabled = overdue or (active and self.job.state != "stopping")
        ui.stopButton.text = _("End now") if overdue else _("Stop")
        ui.stopButton.toolTip = _stopToolTip(active, overdue)
        canResume = saved in _RESUMABLE
        ui.resumeButton.enabled = canResume
        ui.resumeButton.toolTip = (
            _("Continue the selected run from its last checkpoint.")
            if canResume
            else _("Select a run that was stopped or has failed to resume it.")
        )
        run = self.runFolder()
        hasReport = run is not None and RunFolder(run).report.is_file()
        ui.reportButton.enabled = hasReport
        ui.reportButton.toolTip = (
            _("Open the report of the selected run.")
            if hasReport
            else _("The report is available when training is finished.")
        )
        self.monitor.show()
        self.monitor.showRun(run)
        self.plan.show(run)
        self._showState(saved)

    def _showState(self, saved: str) -> None:
        """Show the state of the run, unless the progress bar does."""
        job = self.job
        state = job.state if job is not None else saved
        if state == "finished":
            self.message.success(self._finishedText())
        elif self.isTraining() and self._sceneWasClosed:
            text = _("The scene was closed; training continues in {folder}")
            self.message.info(text.format(folder=job.runFolder))
        elif job is not None and job.message:
            self.message.show("error" if state == "failed" else "info", job.message)
        elif job is None and state in _RESUMABLE:
            self.message.info(_("This run is not finished. Use Resume to continue it."))
        else:
            self.message.clear()

    def _finishedText(self) -> str:
        if self.job is None or self.job.runFolder == self.runFolder():
            return _("The model is ready. Use it in Apply below.")
        text = _("The model of {run} is ready. Use it in Apply below.")
        return text.format(run=runTitle(self.job.runFolder))

    def _isShown(self, job: TrainingJob) -> bool:
        return job.isActive or job.runFolder == self.runFolder()

    def _attachToRun(self) -> None:
        """Monitor the selected run if a process that this session did not start is training it."""
        run = self.runFolder()
        if self.job is not None and run not in (self.job.runFolder, self._runAtEnd):
            self._setJob(None)
            self.monitor.setJob(None)
        if run is not None and self.job is None and RunFolder(run).is_running():
            try:
                self.follow(self.logic.attach(run))
            except GenSegError as error:
                self.message.error(str(error))

    def savedState(self) -> str:
        """Return the state in the status file of the selected run, "" without a run."""
        run = self.runFolder()
        return str(RunFolder(run).read_status()["state"]) if run is not None else ""

    def _updateRunList(self) -> None:
        runs = [(str(run), runTitle(run), str(run)) for run in self.logic.runs()]
        none = [("", _("No runs yet") if not runs else _("Select a run"), "")]
        self._selector.setChoices(none + runs)

    def _onJobChanged(self, job: TrainingJob) -> None:
        if self.parameters is not None and job.runFolder not in (None, self._listedRun):
            self._listedRun = job.runFolder
            self._updateRunList()
            self.parameters.runFolder = str(job.runFolder)
        self._runAtEnd = None if job.isActive else self.runFolder()
        self.update()
        self.onChanged()


def _stopToolTip(active: bool, overdue: bool) -> str:
    if overdue:
        return _("End training now. Progress since the last checkpoint is lost.")
    if active:
        return _("Finish the current step, save a checkpoint and stop. Use Resume to continue.")
    return _("No training is running.")
