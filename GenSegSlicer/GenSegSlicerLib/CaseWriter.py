"""Export of training pairs into a new run folder."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from slicer.i18n import tr as _

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.config import TrainConfig
from GenSegLib.data.case_selection import cases_with_only_examples
from GenSegLib.data.person_names import persons_from_names
from GenSegLib.errors import GenSegError
from GenSegLib.files import atomic_folder
from GenSegLib.presets import Preset
from GenSegLib.run_lock import process_start
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.Job import Steps
from GenSegSlicerLib.PairChecks import OK, checkPair
from GenSegSlicerLib.SegmentationFiles import writeLabel
from GenSegSlicerLib.SegmentClasses import classLabels
from GenSegSlicerLib.TrainingPair import TrainingPair, caseNames, usedPairs
from GenSegSlicerLib.VolumeFiles import writeVolume

_IMAGES, _LABELS = "inputs/images", "inputs/labels"


class CaseWriter:
    """Writes images, labels and settings of a training; nothing is written before `steps` runs.

    Args:
        pairs: training pairs; those with the role "ignore" are omitted.
        preset: anatomy and modality.
        config: training configuration.
        classMap: class of each segment name, "" for none.

    Raises:
        GenSegError: no pair can be used for training.
    """

    def __init__(
        self,
        pairs: Sequence[TrainingPair],
        preset: Preset,
        config: TrainConfig,
        classMap: Mapping[str, str],
    ) -> None:
        self._pairs = usedPairs(pairs)
        if not any(pair.role == "train" for pair in self._pairs):
            raise GenSegError(
                _("No pair has the role Train; set the role of at least one pair to Train")
            )
        self._names = caseNames(self._pairs)
        self._preset, self._config, self._classMap = preset, config, dict(classMap)
        self._labels = classLabels(classMap, preset)
        if not any(self._classMap.values()):
            raise GenSegError(
                _("No segment is mapped to a class; choose a class for at least one segment")
            )

    def steps(self, folder: Path) -> Steps:
        """Write all files, one per step; the folder appears when it is complete.

        Raises:
            GenSegError: a pair is invalid, or the folder cannot be written.
        """
        _removeLeftovers(folder.parent)
        with atomic_folder(folder) as target:
            for index, pair in enumerate(self._pairs):
                yield 0.5 * index / len(self._pairs)
                self._check(pair)
            RunFolder.create(target, self._config, self._preset, self._cases(target))
            for index, (name, pair) in enumerate(zip(self._names, self._pairs)):
                yield 0.5 + 0.5 * index / len(self._pairs)
                _requireInScene(pair)
                writeVolume(pair.volumeNode, target / _IMAGES / f"{name}.nrrd")
                yield 0.5 + 0.5 * (index + 0.5) / len(self._pairs)
                _requireInScene(pair)
                self._writeLabel(pair, target / _LABELS / f"{name}.nrrd")

    def _check(self, pair: TrainingPair) -> None:
        _requireInScene(pair)
        status = checkPair(pair, self._classMap, self._pairs)
        if status != OK:
            raise GenSegError(status)

    def _writeLabel(self, pair: TrainingPair, path: Path) -> None:
        nodes = pair.segmentationNode, pair.volumeNode
        writeLabel(*nodes, self._classMap, self._labels, path)

    def _cases(self, target: Path) -> CaseSet:
        persons = persons_from_names(self._names)
        cases = (
            Case(
                name,
                target / _IMAGES / f"{name}.nrrd",
                target / _LABELS / f"{name}.nrrd",
                Role(pair.role),
                pair.person or persons.get(name, ""),
            )
            for name, pair in zip(self._names, self._pairs)
        )
        caseSet = CaseSet(tuple(cases), self._labels, self._preset.modality)
        values = {
            name: [value for value, volume in pair.volumes.items() if volume]
            for name, pair in zip(self._names, self._pairs)
        }
        rare = cases_with_only_examples(caseSet, values)
        config = self._config
        return caseSet.with_validation(config.validation_fraction, config.seed, training_only=rare)


def _requireInScene(pair: TrainingPair) -> None:
    if pair.volumeNode.GetScene() is None or pair.segmentationNode.GetScene() is None:
        raise GenSegError(
            _("The scene was closed before all cases were written; reload it and train again")
        )


def newRunFolder(parent: Path, name: str) -> Path:
    """Return an unused path in `parent`, named after preset and time.

    Raises:
        GenSegError: the system does not list what is in `parent`.
    """
    stem = f"{name}-{datetime.now():%Y-%m-%d-%H%M%S}"
    candidates = (stem, *(f"{stem}-{k}" for k in range(2, 1000)))
    try:
        return next(parent / each for each in candidates if not (parent / each).exists())
    except OSError as error:
        raise GenSegError(
            _("{path}: cannot be used as output folder ({reason}); select another folder").format(
                path=parent, reason=error.strerror or error
            )
        ) from None


def _removeLeftovers(parent: Path) -> None:
    """Remove partial run folders of a Slicer on this computer that was killed while writing."""
    for path in parent.glob(".*.tmp"):
        try:
            status = RunFolder.open(path).read_status()
        except GenSegError:
            continue
        here = status.get("host") == socket.gethostname()
        if here and process_start(int(status.get("process", 0))) is None:
            shutil.rmtree(path, ignore_errors=True)
