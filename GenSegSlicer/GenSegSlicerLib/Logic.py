"""The module logic: everything that the panel does, for scripts.

    logic = GenSegSlicerLogic()
    pairs = logic.findPairs()
    job = logic.train(pairs, "hippocampus-mri", "/data/runs", wait=True)
    logic.apply(job.runFolder, slicer.util.getNode("new volume"), wait=True)

Long operations return a `Job` immediately and continue in the background; with `wait=True` they
return when the job has ended. Errors of a job are in its `state` and `message`; invalid arguments
raise GenSegError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from GenSegSlicerLib import Dependencies, PairFinder
from GenSegSlicerLib.ApplyJob import ApplyJob
from GenSegSlicerLib.Arguments import requirePath
from GenSegSlicerLib.Devices import Devices, queryDevices
from GenSegSlicerLib.EvaluateJob import EvaluateJob
from GenSegSlicerLib.Job import waitIfRequested
from GenSegSlicerLib.LiveSegmentation import LiveSegmentation
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairSetChecks import checkTogether
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.RunHistory import modelFolder as findModel
from GenSegSlicerLib.TrainingLogic import TrainingLogic
from GenSegSlicerLib.TrainingPair import TrainingPair, requirePairs
from GenSegSlicerLib.VolumeContents import VolumeContents


class GenSegSlicerLogic(TrainingLogic, ScriptedLoadableModuleLogic):
    """Finds training pairs in the scene, trains models on them, applies and evaluates models."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        TrainingLogic.__init__(self)

    def findPairs(self, known: Sequence[TrainingPair] = ()) -> list[TrainingPair]:
        """Find volumes of the scene with their segmentations, except pairs in `known`."""
        return PairFinder.findPairs(slicer.mrmlScene, known)

    def importFolder(self, path: str | Path) -> list[TrainingPair]:
        """Load the labeled cases of a folder into the scene.

        Raises:
            GenSegError: there is no labeled case, or one cannot be loaded.
        """
        return PairFinder.importFolder(requirePath(path, "path"))

    def checkPairs(
        self, pairs: Sequence[TrainingPair], classMap: Mapping[str, str]
    ) -> Sequence[TrainingPair]:
        """Set the status of each pair to "ok", or to the reason why it cannot be used; warn.

        Raises:
            GenSegError: an argument is not a pair of a volume and a segmentation, or has no role.
        """
        requirePairs(pairs)
        for pair in pairs:
            pair.status = checkPair(pair, classMap, pairs)
        checkTogether(pairs, classMap, VolumeContents())
        return pairs

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
        """Segment one or several volumes with the model of a run folder or a model folder.

        See `ApplyJob` for the arguments and exceptions.
        """
        several = isinstance(volumeNodes, (list, tuple))
        nodes = volumeNodes if several else [volumeNodes]
        folder = findModel(requirePath(modelFolder, "modelFolder"))
        options = (mode, mirror, uncertainty, device)
        job = ApplyJob(folder, nodes, outputSegmentation, *options)
        RunHistory().addModel(folder)
        job.start()
        return waitIfRequested(job, wait)

    def live(
        self, volumeNode: Any, modelFolder: str | Path, device: str = "auto"
    ) -> LiveSegmentation:
        """Segment a volume whenever it changes, until `stop` of the result is called.

        See `LiveSegmentation` for the exceptions.
        """
        folder = findModel(requirePath(modelFolder, "modelFolder"))
        live = LiveSegmentation(folder, volumeNode, device)
        live.start()
        return live

    def evaluate(
        self,
        predictionNode: slicer.vtkMRMLNode,
        referenceNode: slicer.vtkMRMLNode,
        wait: bool = False,
    ) -> EvaluateJob:
        """Compare a segmentation with a reference; see `EvaluateJob`."""
        job = EvaluateJob(predictionNode, referenceNode)
        job.start()
        return waitIfRequested(job, wait)

    def runs(self) -> list[Path]:
        """Return recent run folders, newest first."""
        return RunHistory().runs()

    def models(self) -> list[Path]:
        """Return recent model folders, newest first."""
        return RunHistory().models()

    def devices(self, callback: Callable[[Devices], None]) -> None:
        """Find the devices that a training can use; see `Devices.queryDevices`."""
        queryDevices(callback)

    def missingPackages(self) -> list[str]:
        """Return the names of Python packages that are missing or too old."""
        return Dependencies.missingPackages()

    def installPackages(
        self, confirm: Callable[[str], bool], progress: Callable[[str], None] = lambda text: None
    ) -> bool:
        """Install missing packages if the user agrees; see `Dependencies.installPackages`."""
        return Dependencies.installPackages(confirm, progress)
