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
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from GenSegSlicerLib import Dependencies, PairFinder
from GenSegSlicerLib.ApplyJob import ApplyJob
from GenSegSlicerLib.Devices import Devices, askDevices
from GenSegSlicerLib.EvaluateJob import EvaluateJob
from GenSegSlicerLib.Job import awaited
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.RunHistory import modelFolder as findModel
from GenSegSlicerLib.TrainingLogic import TrainingLogic
from GenSegSlicerLib.TrainingPair import TrainingPair


class GenSegSlicerLogic(TrainingLogic, ScriptedLoadableModuleLogic):
    """Finds pairs in the scene, trains models on them, applies and evaluates models."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        TrainingLogic.__init__(self)

    def findPairs(self, known: Sequence[TrainingPair] = ()) -> list[TrainingPair]:
        """Find volumes of the scene with their segmentations, besides those that are known."""
        return PairFinder.findPairs(slicer.mrmlScene, known)

    def importFolder(self, path: str | Path) -> list[TrainingPair]:
        """Load the labeled cases of a folder into the scene.

        Raises:
            GenSegError: no labeled case is there, or one cannot be loaded.
        """
        return PairFinder.importFolder(Path(path))

    def checkPairs(
        self, pairs: Sequence[TrainingPair], classMap: Mapping[str, str]
    ) -> Sequence[TrainingPair]:
        """Write into the status of each pair "ok", or why it cannot be learned from."""
        for pair in pairs:
            pair.status = checkPair(pair, classMap, pairs)
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
        return awaited(job, wait)

    def evaluate(
        self,
        predictionNode: slicer.vtkMRMLNode,
        referenceNode: slicer.vtkMRMLNode,
        wait: bool = False,
    ) -> EvaluateJob:
        """Compare a segmentation with a reference; `EvaluateJob` says what is raised."""
        job = EvaluateJob(predictionNode, referenceNode)
        job.start()
        return awaited(job, wait)

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

    def installPackages(
        self, confirm: Callable[[str], bool], progress: Callable[[str], None] = lambda text: None
    ) -> bool:
        """Install what is missing, if the user agrees; see `Dependencies.install`."""
        return Dependencies.install(confirm, progress)
