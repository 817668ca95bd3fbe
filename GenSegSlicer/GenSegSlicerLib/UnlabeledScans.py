"""Scans without labels that a training adapts to: volumes of the scene and images of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GenSegLib.cases import CaseSet, Role
from GenSegLib.checks.channel_counts import possible_channels
from GenSegLib.datasets.image_folders import unlabeled_cases
from GenSegLib.datasets.layouts import with_unlabeled
from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import format_channels
from GenSegSlicerLib.Channels import (
    channelNodes,
    furtherChannels,
    isGrayInColor,
    totalChannels,
)
from GenSegSlicerLib.TrainingPair import TrainingPair, TrainingVolume
from GenSegSlicerLib.VolumeFiles import isPlanar


@dataclass(frozen=True)
class UnlabeledScans:
    """Scans without labels.

    Attributes:
        volumeNodes: volumes of the scene.
        folder: folder of images that are not loaded; None for none.
    """

    volumeNodes: tuple[slicer.vtkMRMLScalarVolumeNode, ...] = ()
    folder: Path | None = None

    def volumes(self, pairs: Sequence[TrainingPair]) -> list[TrainingVolume]:
        """Return the volumes without those of pairs, and without further channels of others."""
        others = [*self.volumeNodes, *(pair.volumeNode for pair in pairs)]
        known = {id(pair.volumeNode) for pair in pairs}
        known |= {id(channel) for node in others for channel in furtherChannels(node)}
        return [TrainingVolume(node) for node in self.volumeNodes if id(node) not in known]

    def count(self, pairs: Sequence[TrainingPair]) -> int:
        """Return the number of scans; raises GenSegError if the folder cannot be read."""
        channels = max((len(channelNodes(pair.volumeNode)) for pair in pairs), default=1)
        inFolder = 0 if self.folder is None else _countImages(self.folder, channels)
        return len(self.volumes(pairs)) + inFolder

    def problem(self, pairs: Sequence[TrainingPair]) -> str:
        """Return in one line why the scans do not fit the pairs, "" if they do."""
        try:
            for volume in self.volumes(pairs):
                _requireAlike(volume, pairs)
            self.count(pairs)
        except GenSegError as error:
            return str(error)
        return ""

    def addFolder(self, cases: CaseSet, patientIDs: Mapping[str, str]) -> CaseSet:
        """Return cases with the images of the folder.

        Args:
            cases: of the scene.
            patientIDs: of the cases, by name, "" if unknown; those of the folder's DICOM files are
                compared with them.

        Raises:
            GenSegError: there are no images.
        """
        return cases if self.folder is None else with_unlabeled(cases, self.folder, patientIDs)


NO_SCANS = UnlabeledScans()


def requireScans(cases: CaseSet) -> None:
    """Check that scans are left after cases were split by person.

    Raises:
        GenSegError: all show persons of validation cases.
    """
    if not cases.of_role(Role.UNLABELED):
        raise GenSegError(
            _(
                "All scans to adapt to show persons in the validation cases, who must not be used "
                "in training; select scans of other persons"
            )
        )


def _requireAlike(volume: TrainingVolume, pairs: Sequence[TrainingPair]) -> None:
    """Check that a scan is 2-D if the pairs are, and has as many channels."""
    node, checked = volume.volumeNode, [pair for pair in pairs if pair.status == "ok"]
    if volume.files:
        return  # read by the training's process, which checks it
    if node.GetImageData() is None:
        text = _("{name} has no image data; leave it out of Scans to adapt to")
        raise GenSegError(text.format(name=node.GetName()))
    for pair in checked[:1]:
        values = {"name": node.GetName(), "first": pair.volumeNode.GetName()}
        is2DImage = isPlanar(node)
        if is2DImage != pair.isFlat:
            is2D = _("{name} is a 2-D image and {first} is not; leave it out of Scans to adapt to")
            is3D = _("{first} is a 2-D image and {name} is not; leave it out of Scans to adapt to")
            raise GenSegError((is2D if is2DImage else is3D).format(**values))
        own = possible_channels(totalChannels(node), isGrayInColor(node))
        if not own & possible_channels(pair.channels, pair.isGrayInColor):
            text = _(
                "{name} has {own}, but {first} has {expected}; leave it out of Scans to adapt to"
            )
            counts = {"own": format_channels(totalChannels(node)), "expected": pair.channels}
            raise GenSegError(text.format(**values, **counts))


def _countImages(folder: Path, channels: int) -> int:
    """Count the images of a folder, again when files have come or gone."""
    try:
        version = folder.stat().st_mtime_ns
    except OSError:
        version = 0
    return _countVersion(folder, channels, version)


@lru_cache(maxsize=4)
def _countVersion(folder: Path, channels: int, version: int) -> int:
    return len(unlabeled_cases(folder, channels))
