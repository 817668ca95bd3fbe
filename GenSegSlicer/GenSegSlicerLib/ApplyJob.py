"""A trained model segments volumes of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegSlicerLib.ProcessJob import ProcessJob
from GenSegSlicerLib.SegmentationFiles import loadSegmentation
from GenSegSlicerLib.Turns import Steps
from GenSegSlicerLib.VolumeFiles import loadVolumeOver, requireScalar, writeVolume


class ApplyJob(ProcessJob):
    """Segments one or several volumes.

    Args:
        modelFolder: of the model.
        volumeNodes: to segment.
        outputSegmentation: an existing segmentation for a single volume; None makes new ones.
        mode: "replace" drops the segments of `outputSegmentation`, "add" keeps them.
        mirror: average over mirrored copies, too, which the model has to have learned from.
        uncertainty: make a volume of the uncertainty, too.
        device: "auto" or a device's name.

    Attributes:
        volumeNodes: what is segmented.
        segmentationNodes: the results, in the order of the volumes.
        uncertaintyNodes: the uncertainty of each, where it was asked for.

    Raises:
        GenSegError: there is no usable model in the folder, or no volume that can be segmented.
    """

    def __init__(
        self,
        modelFolder: Path,
        volumeNodes: Sequence[slicer.vtkMRMLScalarVolumeNode],
        outputSegmentation: slicer.vtkMRMLSegmentationNode | None = None,
        mode: str = "replace",
        mirror: bool = False,
        uncertainty: bool = False,
        device: str = "auto",
    ) -> None:
        self._metadata = ModelMetadata.load(modelFolder)
        self.volumeNodes = [requireScalar(node) for node in volumeNodes]
        if not self.volumeNodes:
            raise GenSegError(_("Choose a volume to segment"))
        if outputSegmentation is not None and len(self.volumeNodes) > 1:
            raise GenSegError(
                _("One segmentation cannot take the results of several volumes; choose none")
            )
        super().__init__()
        self.segmentationNodes: list[slicer.vtkMRMLSegmentationNode] = []
        self.uncertaintyNodes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self._model = Path(modelFolder).absolute()
        self._into, self._mode = outputSegmentation, mode
        self._uncertainty = uncertainty
        options = {"--mirror": mirror, "--uncertainty": uncertainty}
        self._options = ["--device", device, *(name for name, on in options.items() if on)]
        self._grids: list[np.ndarray] = []

    def _writeInputs(self) -> Steps:
        for index, node in enumerate(self.volumeNodes):
            yield index / len(self.volumeNodes)
            self._grids.append(writeVolume(_requirePresent(node), self._image(index)))

    def _arguments(self) -> list[object]:
        images = [self._image(index) for index in range(len(self.volumeNodes))]
        out = ["--out", self.folder / "out", "--format", "nrrd"]
        return ["predict", self._model, *images, *out, *self._options]

    def _readOutputs(self) -> Steps:
        for index, node in enumerate(self.volumeNodes):
            yield index / len(self.volumeNodes)
            path = self.folder / "out" / f"{_stem(index)}.nrrd"
            self.segmentationNodes.append(self._load(path, _requirePresent(node), index))
            if self._uncertainty:
                yield (index + 0.5) / len(self.volumeNodes)
                self.uncertaintyNodes.append(self._loadUncertainty(index, node))

    def _load(
        self, path: Path, node: slicer.vtkMRMLScalarVolumeNode, index: int
    ) -> slicer.vtkMRMLSegmentationNode:
        into = self._into
        if into is not None and into.GetScene() is None:  # removed meanwhile
            into = None
        return loadSegmentation(path, self._metadata, node, into, self._mode, self._grids[index])

    def _loadUncertainty(
        self, index: int, node: slicer.vtkMRMLScalarVolumeNode
    ) -> slicer.vtkMRMLScalarVolumeNode:
        name = _("{volume} uncertainty").format(volume=node.GetName())
        path = self.folder / "out" / f"{_stem(index)}_uncertainty.nii.gz"
        unique = slicer.mrmlScene.GenerateUniqueName(name)
        return loadVolumeOver(path, unique, node, self._grids[index])

    def _inNodeNames(self, text: str) -> str:
        for index, node in enumerate(self.volumeNodes):
            text = text.replace(str(self._image(index)), node.GetName())
        return text

    def _image(self, index: int) -> Path:
        return self.folder / "in" / f"{_stem(index)}.nrrd"


def _stem(index: int) -> str:
    return f"volume_{index:03}"


def _requirePresent(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    if node.GetScene() is None:
        raise GenSegError(_("The volume is no longer in the scene, so nothing was segmented"))
    return node
