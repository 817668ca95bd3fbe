"""Segmentation of volumes with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.checks.channel_counts import possible_channels
from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.steps import Steps
from GenSegSlicerLib.Arguments import requireChoice, requireSegmentation
from GenSegSlicerLib.Channels import (
    channelNodes,
    imageTitle,
    isGrayInColor,
    totalChannels,
)
from GenSegSlicerLib.ProcessJob import ProcessJob
from GenSegSlicerLib.Resampling import overlapWarnings
from GenSegSlicerLib.SegmentationFiles import loadSegmentation
from GenSegSlicerLib.Units import unitOfInput
from GenSegSlicerLib.VolumeFiles import (
    loadDerivedVolume,
    requireFiniteVoxels,
    requireUsableVolume,
    writeChannelsSteps,
)

MODES = ("replace", "add")


class ApplyJob(ProcessJob):
    """Segments one or several volumes.

    Args:
        modelFolder: model folder.
        volumeNodes: volumes to segment.
        outputSegmentation: existing segmentation node for a single volume; None creates new nodes.
        mode: "replace" removes the segments of `outputSegmentation`, "add" keeps them.
        mirror: average predictions of mirrored copies (test-time augmentation); the model must have
            been trained with mirroring.
        uncertainty: also create a volume of the uncertainty.
        device: "auto" or the name of a device.

    Attributes:
        volumeNodes: volumes to segment.
        segmentedNodes: the volumes that have a result; fewer than all if a job has failed.
        segmentationNodes: their results, in the same order.
        uncertaintyNodes: uncertainty of each volume, if requested.

    Raises:
        GenSegError: the folder contains no usable model, a volume cannot be segmented, or another
            argument is invalid.
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
        self.volumeNodes = [requireFiniteVoxels(requireUsableVolume(node)) for node in volumeNodes]
        for node in self.volumeNodes:
            requireChannels(node, self._metadata)
        requireChoice(mode, MODES, "mode")
        if outputSegmentation is not None:
            requireSegmentation(outputSegmentation, labelMaps=False)
        if not self.volumeNodes:
            raise GenSegError(_("Select a volume to segment"))
        if outputSegmentation is not None and len(self.volumeNodes) > 1:
            raise GenSegError(
                _("Several volumes need new segmentations; select no output segmentation")
            )
        warnings = [warning for node in self.volumeNodes for warning in overlapWarnings(node)]
        super().__init__()
        self.warnings += warnings
        self.segmentedNodes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self.segmentationNodes: list[slicer.vtkMRMLSegmentationNode] = []
        self.uncertaintyNodes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self._model = Path(modelFolder).absolute()
        self._outputSegmentation, self._mode = outputSegmentation, mode
        self._uncertainty = uncertainty
        options = {"--mirror": mirror, "--uncertainty": uncertainty}
        self._options = ["--device", device, *(name for name, on in options.items() if on)]
        self._writtenIJKToRAS: list[np.ndarray] = []

    def _writeInputs(self) -> Steps:
        for index, node in enumerate(self.volumeNodes):
            yield index / len(self.volumeNodes)
            unit = unitOfInput(_requireInScene(node), self._metadata.preset)
            matrix = yield from writeChannelsSteps(node, self._images(index), unit)
            self._writtenIJKToRAS.append(matrix)

    def _arguments(self) -> list[object]:
        # as a folder, since command lines of Windows end after 32,767 characters
        images, out = self.folder / "in", self.folder / "out"
        return ["predict", self._model, images, "--out", out, "--format", "nrrd", *self._options]

    def _hasOutputs(self) -> bool:
        return any(self._result(index).is_file() for index in range(len(self.volumeNodes)))

    def _readOutputs(self) -> Steps:
        for index, node in enumerate(self.volumeNodes):
            yield index / len(self.volumeNodes)
            path = self._result(index)
            if self._error and not path.is_file():
                continue
            self.segmentationNodes.append(self._load(path, _requireInScene(node), index))
            self.segmentedNodes.append(node)
            if self._uncertainty:
                yield (index + 0.5) / len(self.volumeNodes)
                self.uncertaintyNodes.append(self._loadUncertainty(index, node))
        if self._error:
            missing = [n.GetName() for n in self.volumeNodes if n not in self.segmentedNodes]
            text = _("{names} could not be segmented")
            self._error = text.format(names=", ".join(missing))

    def _load(
        self, path: Path, node: slicer.vtkMRMLScalarVolumeNode, index: int
    ) -> slicer.vtkMRMLSegmentationNode:
        output = self._outputSegmentation
        if output is not None and output.GetScene() is None:  # removed meanwhile
            output = None
        matrix = self._writtenIJKToRAS[index]
        return loadSegmentation(path, self._metadata, node, output, self._mode, matrix)

    def _loadUncertainty(
        self, index: int, node: slicer.vtkMRMLScalarVolumeNode
    ) -> slicer.vtkMRMLScalarVolumeNode:
        name = _("{volume} uncertainty").format(volume=node.GetName())
        path = self.folder / "out" / f"{_stem(index)}_uncertainty.nii.gz"
        unique = slicer.mrmlScene.GenerateUniqueName(name)
        return loadDerivedVolume(path, unique, node, self._writtenIJKToRAS[index])

    def _withNodeNames(self, text: str) -> str:
        for index, node in enumerate(self.volumeNodes):
            for path in self._images(index):
                text = text.replace(str(path), node.GetName()).replace(path.name, node.GetName())
        return text

    def _result(self, index: int) -> Path:
        return self.folder / "out" / f"{_stem(index)}.nrrd"

    def _images(self, index: int) -> list[Path]:
        """The file of a volume, or the files of its channels, named as nnU-Net's."""
        folder, count = self.folder / "in", len(channelNodes(self.volumeNodes[index]))
        if count == 1:
            return [folder / f"{_stem(index)}.nrrd"]
        return [folder / f"{_stem(index)}_{channel:04d}.nrrd" for channel in range(count)]


def requireChannels(node: slicer.vtkMRMLScalarVolumeNode, metadata: ModelMetadata) -> None:
    """Check that a volume has the channels that a model expects.

    Raises:
        GenSegError: it has not.
    """
    count, expected = totalChannels(node), metadata.preset.channels
    if expected not in possible_channels(count, isGrayInColor(node)):
        text = _(
            "{name}: the number of channels is {count}, but the model expects {expected}; select "
            "further channels, or another model"
        )
        raise GenSegError(text.format(name=imageTitle(node), count=count, expected=expected))


def _stem(index: int) -> str:
    return f"volume_{index:03}"


def _requireInScene(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    if node.GetScene() is None:
        raise GenSegError(_("The volume was removed from the scene; nothing was segmented"))
    return node
