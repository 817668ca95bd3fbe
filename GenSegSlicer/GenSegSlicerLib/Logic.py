"""The logic of GenSeg: everything that the panel does, for scripts.

    logic = GenSegSlicerLogic()
    pairs = logic.findPairs()
    job = logic.train(pairs, "hippocampus-mri", "/data/runs", wait=True)
    logic.apply(job.runFolder, slicer.util.getNode("new volume"), wait=True)

What takes long gives a job at once (see `Job`) and goes on while Slicer works; with `wait=True` it
is given when it has ended. A fault of a job is in its `state` and `message`; what is wrong from
the start is raised as GenSegError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegSlicerLib import Dependencies, PairFinder
from GenSegSlicerLib.ApplyJob import ApplyJob
from GenSegSlicerLib.CaseWriter import CaseWriter, newRunFolder
from GenSegSlicerLib.Devices import Devices, askDevices
from GenSegSlicerLib.EvaluateJob import EvaluateJob
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.RunHistory import modelFolder as findModel
from GenSegSlicerLib.SegmentClasses import segmentNames, suggestClasses
from GenSegSlicerLib.TrainingJob import TrainingJob
from GenSegSlicerLib.TrainingPair import TrainingPair


class GenSegSlicerLogic(ScriptedLoadableModuleLogic):
    """Trains models on volumes of the scene, applies and evaluates them."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
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

    def findPairs(self, known: Sequence[TrainingPair] = ()) -> list[TrainingPair]:
        """Find volumes of the scene with their segmentations, besides those that are known."""
        return PairFinder.findPairs(slicer.mrmlScene, known)

    def importFolder(self, path: str | Path) -> list[TrainingPair]:
        """Load the labelled cases of a folder into the scene.

        Raises:
            GenSegError: no labelled case is there, or one cannot be loaded.
        """
        return PairFinder.importFolder(Path(path))

    def checkPairs(
        self, pairs: Sequence[TrainingPair], classMap: Mapping[str, str]
    ) -> Sequence[TrainingPair]:
        """Write into the status of each pair "ok", or why it cannot be learned from."""
        for pair in pairs:
            pair.status = checkPair(pair, classMap, pairs)
        return pairs

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
        config = TrainConfig.for_preset(wanted, effort, **(settings or {}))
        if classMap is None:
            classMap = suggestClasses(segmentNames(pairs), wanted)
        writer = CaseWriter(pairs, wanted, config, classMap)
        self._job = TrainingJob()
        self._job.train(writer, newRunFolder(Path(outputFolder).absolute(), wanted.name))
        return _awaited(self._job, wait)

    def resume(self, runFolder: str | Path, wait: bool = False) -> TrainingJob:
        """Go on with a run that was stopped or broke off; one that goes on is followed.

        Raises:
            GenSegError: there is no run, another one is running, or it cannot be started.
        """
        run = RunFolder.open(Path(runFolder).absolute())
        if run.is_running():
            return _awaited(self.attach(run.path), wait)
        self._requireNoTraining()
        job = TrainingJob()
        job.resume(run.path)
        self._job = job
        return _awaited(job, wait)

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

    def stop(self) -> None:
        """Ask the training to finish its step, save and end; nothing happens without one.

        Raises:
            GenSegError: the request cannot be written into the run folder.
        """
        if self.trainingJob is not None:
            self.trainingJob.stop()

    def apply(
        self,
        modelFolder: str | Path,
        volumeNodes: Any,
        outputSegmentation: slicer.vtkMRMLSegmentationNode | None = None,
        *,
        mode: str = "replace",
        mirror: bool = False,
        uncertainty: bool = False,
        device: str = "auto",
        wait: bool = False,
    ) -> ApplyJob:
        """Segment a volume, or several, with the model of a run or of a model folder.

        `ApplyJob` explains the arguments and what is raised.
        """
        several = isinstance(volumeNodes, (list, tuple))
        nodes = volumeNodes if several else [volumeNodes]
        folder = findModel(Path(modelFolder).absolute())
        options = (mode, mirror, uncertainty, device)
        job = ApplyJob(folder, nodes, outputSegmentation, *options)
        RunHistory().addModel(folder)
        job.start()
        return _awaited(job, wait)

    def evaluate(
        self,
        predictionNode: slicer.vtkMRMLNode,
        referenceNode: slicer.vtkMRMLNode,
        wait: bool = False,
    ) -> EvaluateJob:
        """Compare a segmentation with a reference; `EvaluateJob` says what is raised."""
        job = EvaluateJob(predictionNode, referenceNode)
        job.start()
        return _awaited(job, wait)

    def runs(self) -> list[Path]:
        """The run folders of late, newest first."""
        return RunHistory().runs()

    def models(self) -> list[Path]:
        """The model folders of late, newest first."""
        return RunHistory().models()

    def devices(self, callback: Callable[[Devices], None]) -> None:
        """Ask the training's Python what it can run on; see `Devices.askDevices`."""
        askDevices(callback)

    def missingPackages(self) -> list[str]:
        """Names of the Python packages that are absent or too old."""
        return Dependencies.missing()

    def installPackages(self, confirm: Callable[[str], bool]) -> bool:
        """Install what is missing, if the user agrees; see `Dependencies.install`."""
        return Dependencies.install(confirm)

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


def _awaited(job: Any, wait: bool) -> Any:
    if wait:
        job.wait()
    return job
