"""The runs of the section *Training*: the one that goes on, and those that were done before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.Bindings import ChoiceBinding
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.Section import Section
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingMonitor import TrainingMonitor, closingAnswer

_RESUMABLE = ("stopped", "failed", "running", "queued")


class RunSection(Section):
    """Follows a training, stops and resumes it; `onChanged` is called at each change."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.onChanged = lambda: None
        self.message = InlineMessage(ui.trainMessage)
        self.monitor = TrainingMonitor(ui)
        self.job: TrainingJob | None = None
        self._outlivedScene = False
        self._announced: Path | None = None  # the user may look at another run meanwhile
        self._selector = ChoiceBinding(ui.runSelector, "runFolder", lambda path: Path(path).name)
        self._bindings = [self._selector]
        ui.stopButton.connect("clicked(bool)", lambda checked: self.stop())
        ui.resumeButton.connect("clicked(bool)", lambda checked: self.resume())
        ui.reportButton.connect("clicked(bool)", lambda checked: self.openReport())
        ui.openRunButton.connect("directorySelected(QString)", self.openRun)

    def cleanup(self) -> None:
        """Let go of the job, which goes on without the panel."""
        super().cleanup()
        self._leave()

    def enter(self) -> None:
        """Look for runs each time the panel is shown."""
        self._offerRuns()

    def sceneClosed(self) -> None:
        """Remember that a running training has outlived its scene."""
        self.monitor.forgetNodes()
        self._outlivedScene = self.isTraining()

    def slicerCloses(self) -> None:
        """Do with a running training what the user answered; without an answer it goes on."""
        if self.isTraining() and closingAnswer() == "stop":
            self.job.stop()

    def refresh(self) -> None:
        """Show the run that the parameters name, or the one that is being trained."""
        present = self.logic.trainingJob
        if present is not None and present is not self.job and self._isWanted(present):
            self.follow(present)
        elif not self.isTraining():
            self._attach()
        self.update()

    def isTraining(self) -> bool:
        """Tell whether a training that this Slicer watches is going on."""
        return self.job is not None and self.job.isActive

    def runFolder(self) -> Path | None:
        """Give the folder of the run that is shown."""
        path = self.parameters.runFolder if self.parameters is not None else ""
        return Path(path) if path and RunFolder.is_run(Path(path)) else None

    def newModel(self) -> Path | None:
        """Give the model of the training that has just been finished."""
        finished = self.job is not None and self.job.state == "finished"
        return RunFolder(self.job.runFolder).model if finished else None

    def follow(self, job: TrainingJob) -> None:
        """Show this job from now on."""
        self._leave()
        self.job = job
        self._outlivedScene = False
        self._announced = None
        job.observers.add(self._onJobChanged)
        self.monitor.follow(job)
        self._onJobChanged(job)

    def stop(self) -> None:
        """Ask the training to save and end, or end it at once where it did not obey."""
        if self.job is None:
            return
        try:
            if self.job.stopIsOverdue:
                self.job.kill()
            else:
                self.job.stop()
        except GenSegError as fault:
            self.message.error(str(fault))

    def resume(self) -> None:
        """Go on with the chosen run."""
        try:
            self.follow(self.logic.resume(self.runFolder()))
        except GenSegError as fault:
            self.message.error(str(fault))

    def openRun(self, folder: str) -> None:
        """Choose a run that was made elsewhere; one that goes on there is followed."""
        try:
            self.logic.addRun(folder)
        except GenSegError as fault:
            self.message.error(str(fault))
            return
        self._offerRuns()
        self.parameters.runFolder = str(Path(folder).absolute())
        self.onChanged()

    def openReport(self) -> None:
        """Open the report of the chosen run in the web browser."""
        run = self.runFolder()
        if run is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(RunFolder(run).report)))

    def update(self) -> None:
        """Enable what is possible now, and say how the run stands."""
        ui, active = self.ui, self.isTraining()
        saved = "" if active else self.savedState()
        overdue = active and self.job.stopIsOverdue
        ui.stopButton.enabled = overdue or (active and self.job.state != "stopping")
        ui.stopButton.text = _("End now") if overdue else _("Stop")
        ui.stopButton.toolTip = _stopToolTip(active, overdue)
        canResume = saved in _RESUMABLE
        ui.resumeButton.enabled = canResume
        ui.resumeButton.toolTip = (
            _("Go on with the chosen run from where it was saved")
            if canResume
            else _("There is nothing to resume: choose a run that was stopped or failed")
        )
        run = self.runFolder()
        hasReport = run is not None and RunFolder(run).report.is_file()
        ui.reportButton.enabled = hasReport
        ui.reportButton.toolTip = (
            _("Open the report of this run in the web browser")
            if hasReport
            else _("The report is written when the training is finished")
        )
        self.monitor.show()
        self._tell(saved)

    def _tell(self, saved: str) -> None:
        """Say how the run stands where the progress bar does not say it."""
        job = self.job
        state = job.state if job is not None else saved
        if state == "finished":
            self.message.good(_("The model is ready: use it in Apply, below"))
        elif self.isTraining() and self._outlivedScene:
            text = _("The scene was closed; the training goes on in {folder}")
            self.message.info(text.format(folder=job.runFolder))
        elif job is not None and job.message:
            tell = self.message.error if state == "failed" else self.message.info
            tell(job.message)
        elif job is None and state in _RESUMABLE:
            self.message.info(_("This run is not finished; Resume goes on with it"))
        else:
            self.message.clear()

    def _isWanted(self, job: TrainingJob) -> bool:
        return job.isActive or job.runFolder == self.runFolder()

    def _attach(self) -> None:
        """Follow the chosen run when another process trains it: Slicer was closed meanwhile."""
        run = self.runFolder()
        if self.job is not None and self.job.runFolder != run:
            self._leave()
            self.monitor.show()
        if run is not None and self.job is None and RunFolder(run).is_running():
            try:
                self.follow(self.logic.attach(run))
            except GenSegError as fault:
                self.message.error(str(fault))

    def savedState(self) -> str:
        """Give the state that the chosen run was last in, "" without a run."""
        run = self.runFolder()
        return str(RunFolder(run).read_status()["state"]) if run is not None else ""

    def _offerRuns(self) -> None:
        runs = [(str(run), run.name, str(run)) for run in self.logic.runs()]
        none = [("", _("No training yet") if not runs else _("Choose a run"), "")]
        self._selector.setChoices(none + runs)

    def _onJobChanged(self, job: TrainingJob) -> None:
        if self.parameters is not None and job.runFolder not in (None, self._announced):
            self._announced = job.runFolder
            self._offerRuns()
            self.parameters.runFolder = str(job.runFolder)
        self.update()
        self.onChanged()

    def _leave(self) -> None:
        if self.job is not None:
            self.job.observers.discard(self._onJobChanged)
        self.monitor.leave()
        self.job = None


def _stopToolTip(active: bool, overdue: bool) -> str:
    if overdue:
        return _("End the training at once; what came after the last checkpoint is lost")
    if active:
        return _("Finish the step, save, and end; Resume goes on later")
    return _("No training is running")
