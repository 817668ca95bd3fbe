"""The part of the logic that trains: one training at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.CaseWriter import CaseWriter, newRunFolder
from GenSegSlicerLib.Job import awaited
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.SegmentClasses import segmentNames, suggestClasses
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs


class TrainingLogic:
    """Starts, resumes, finds again and stops the one training of this Slicer."""

    def __init__(self) -> None:
        self._job: TrainingJob | None = None
        self._hasLooked = False

    @property
    def trainingJob(self) -> TrainingJob | None:
        """The present or the last training; one that outlived a former Slicer is found again."""
        if self._job is None and not self._hasLooked:
            self._hasLooked = True
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
        wait: bool = False,
    ) -> TrainingJob:
        """Train a model on pairs of the scene.

        Args:
            pairs: volumes with their segmentations; "ignore" leaves one out. Where none has the
                role "validate", a part of them is held back.
            preset: what is in the images: a name that `GenSegLib.presets` lists, or a .json file.
            outputFolder: in which the run gets a folder of its own, `runFolder` of the job.
            classMap: the class of each segment name, "" for none; suggested where it is None.
            settings: of `GenSegLib.config.TrainConfig`, where they differ from the preset's.
            effort: "quick", "standard" or "thorough".
            wait: return when the training has ended.

        Raises:
            GenSegError: another training is running, or the pairs or settings do not allow one.
        """
        self._requireNoTraining()
        wanted = load_preset(preset)
        count = len(usedPairs(pairs))
        config = TrainConfig.for_preset(wanted, effort, labeled=count, **(settings or {}))
        if classMap is None:
            classMap = suggestClasses(segmentNames(pairs), wanted)
        writer = CaseWriter(pairs, wanted, config, classMap)
        self._job = TrainingJob()
        self._job.train(writer, newRunFolder(Path(outputFolder).absolute(), wanted.name))
        return awaited(self._job, wait)

    def resume(self, runFolder: str | Path, wait: bool = False) -> TrainingJob:
        """Go on with a run that was stopped or broke off; one that goes on is followed.

        Raises:
            GenSegError: there is no run, another one is running, or it cannot be started.
        """
        run = RunFolder.open(Path(runFolder).absolute())
        if run.is_running():
            return awaited(self.attach(run.path), wait)
        self._requireNoTraining()
        job = TrainingJob()
        job.resume(run.path)
        self._job = job
        return awaited(job, wait)

    def attach(self, runFolder: str | Path) -> TrainingJob:
        """Follow a training that goes on by itself, as after Slicer was closed.

        A run that nobody trains gives a job that has ended, with its state and message.

        Raises:
            GenSegError: there is no run.
        """
        run = RunFolder.open(Path(runFolder).absolute())
        if self._job is None or self._job.runFolder != run.path or not self._job.isActive:
            self._job = _follow(run.path)
        return self._job

    def addRun(self, runFolder: str | Path) -> None:
        """Remember a run that was made elsewhere, so that `runs` and `models` name it.

        Raises:
            GenSegError: there is no run.
        """
        RunHistory().addRun(RunFolder.open(Path(runFolder).absolute()).path)

    def stop(self) -> None:
        """Ask the training to finish its step, save and end; nothing happens without one.

        Raises:
            GenSegError: the request cannot be written into the run folder.
        """
        if self.trainingJob is not None:
            self.trainingJob.stop()

    def _requireNoTraining(self) -> None:
        """Refuse a second training: two of them would take each other's memory.

        Raises:
            GenSegError: one is running, in this Slicer or in another one on this machine.
        """
        job = self._job
        running = job.runFolder if job is not None and job.isActive else RunHistory().runningRun()
        if running is not None or (job is not None and job.isActive):
            where = running or _("a folder that is being written")
            raise GenSegError(
                _("A training is running already ({folder}); stop it or wait for its end").format(
                    folder=where
                )
            )


def _follow(runFolder: Path) -> TrainingJob:
    job = TrainingJob()
    job.follow(runFolder)
    return job
