"""The training part of the module logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.Arguments import requirePath
from GenSegSlicerLib.CaseWriter import CaseWriter, newRunFolder
from GenSegSlicerLib.Job import waitIfRequested
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.SegmentClasses import collectSegments, suggestClasses
from GenSegSlicerLib.TrainingJob import RunWriter, TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair, requirePairs, usedPairs
from GenSegSlicerLib.UnlabeledScans import NO_SCANS, UnlabeledScans

# Training runs of all logics of this application; a run is not locked until its process has begun.
_started: list[TrainingJob] = []


class TrainingLogic:
    """Starts, resumes, reconnects to and stops the training; one at a time."""

    def __init__(self) -> None:
        self._job: TrainingJob | None = None
        self._hasReconnected = False

    @property
    def trainingJob(self) -> TrainingJob | None:
        """The current or last training, including one that outlived a previous Slicer session."""
        if self._job is None and not self._hasReconnected:
            self._hasReconnected = True
            running = RunHistory().runningRun()
            if running is not None:
                self._job = _follow(running)
        return self._job

    def train(
        self,
        pairs: Sequence[TrainingPair],
        preset: str | Path,
        outputFolder: str | Path,
        *,
        classMap: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        effort: str = "standard",
        includes: Mapping[str, tuple[str, ...]] | None = None,
        scans: UnlabeledScans = NO_SCANS,
        wait: bool = False,
    ) -> TrainingJob:
        """Train a model on pairs of the scene.

        Args:
            pairs: training pairs; those with the role "ignore" are omitted. If none has the role
                "validate", some of them are selected for validation.
            preset: name of a preset of `GenSegLib.presets`, or path of a .json file.
            outputFolder: parent of the new run folder, see `runFolder` of the job.
            classMap: class of each segment name, "" for none; None uses suggested classes.
            settings: overrides of the preset's `GenSegLib.config.TrainConfig`.
            effort: "quick", "standard" or "thorough".
            includes: names of the classes within a class, such as a tumor within the liver.
            scans: scans without labels to adapt to, such as those to be segmented.
            wait: return after the training has ended.

        Raises:
            GenSegError: another training is running, or the pairs or settings are invalid.
        """
        self._requireNoTraining()
        requirePairs(pairs)
        loadedPreset = load_preset(preset)
        parent = requirePath(outputFolder, "outputFolder")
        used = usedPairs(pairs)
        changes = {**(settings or {}), **({"self_training": True} if scans.count(used) else {})}
        config = TrainConfig.for_preset(loadedPreset, effort, labeled=len(used), **changes)
        if classMap is None:
            classMap = suggestClasses(collectSegments(pairs), loadedPreset)
        requested = effort, changes
        writer = CaseWriter(pairs, loadedPreset, config, classMap, includes, scans, requested)
        return waitIfRequested(self.startTraining(writer, parent, loadedPreset.name), wait)

    def startTraining(
        self, writer: RunWriter, outputFolder: Path, name: str, options: Sequence[str] = ()
    ) -> TrainingJob:
        """Train in a new run folder.

        Args:
            writer: creates the run folder.
            outputFolder: parent of the run folder.
            name: of the preset, which the run folder is named after.
            options: of `genseg train`, such as `--from MODEL`.

        Raises:
            GenSegError: another training is running, or the output folder cannot be used.
        """
        self._requireNoTraining()
        job = TrainingJob()
        job.train(writer, newRunFolder(outputFolder, name), options)
        _remember(job)
        self._job = job
        return job

    def resume(self, runFolder: str | Path, wait: bool = False) -> TrainingJob:
        """Resume a run that was stopped or interrupted; a running one is monitored.

        Raises:
            GenSegError: not a run, another training is running, or the process cannot be started.
        """
        run = RunFolder.open(requirePath(runFolder, "runFolder"))
        if run.is_running():
            return waitIfRequested(self.attach(run.path), wait)
        self._requireNoTraining(run.path)
        job = TrainingJob()
        job.resume(run.path)
        _remember(job)
        self._job = job
        return waitIfRequested(job, wait)

    def attach(self, runFolder: str | Path) -> TrainingJob:
        """Monitor a training that was started elsewhere, or before Slicer was restarted.

        If no process is training the run, the job has ended already, with its state and message.

        Raises:
            GenSegError: not a run.
        """
        run = RunFolder.open(requirePath(runFolder, "runFolder"))
        if self._job is None or self._job.runFolder != run.path or not self._job.isActive:
            self._job = _follow(run.path)
        return self._job

    def addRun(self, runFolder: str | Path) -> None:
        """Add a run from elsewhere to the lists that `runs` and `models` return.

        Raises:
            GenSegError: not a run.
        """
        RunHistory().addRun(RunFolder.open(requirePath(runFolder, "runFolder")).path)

    def stop(self) -> None:
        """Ask the current training, if any, to finish its step, save a checkpoint and end.

        Raises:
            GenSegError: the request cannot be written into the run folder.
        """
        if self.trainingJob is not None:
            self.trainingJob.stop()

    def _requireNoTraining(self, resumed: Path | None = None) -> None:
        """Reject a second training on this computer, since both would compete for memory.

        Args:
            resumed: run that is to be resumed; other jobs may not have noticed yet that it ended.

        Raises:
            GenSegError: a training is running.
        """
        jobs = [job for job in (self._job, *_started) if job is not None and job.isActive]
        active = [job for job in jobs if resumed is None or job.runFolder != resumed]
        running = active[0].runFolder if active else RunHistory().runningRun()
        if running is not None or active:
            folder = running or _("writing the cases")
            text = _("A training is already running ({folder}); stop it or wait until it ends")
            raise GenSegError(text.format(folder=folder))


def _follow(runFolder: Path) -> TrainingJob:
    job = TrainingJob()
    job.follow(runFolder)
    return job


def _remember(job: TrainingJob) -> None:
    _started[:] = [job, *(each for each in _started if each.isActive)]
