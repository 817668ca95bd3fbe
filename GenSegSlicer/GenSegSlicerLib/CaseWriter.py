"""Export of training pairs into a new run folder."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.case_selection import (
    cases_with_only_examples,
    with_duplicates_as_one_person,
)
from GenSegLib.errors import GenSegError
from GenSegLib.files import atomic_folder
from GenSegLib.label_maps import special_value
from GenSegLib.presets import Preset
from GenSegLib.run_lock import process_start
from GenSegLib.runs import RunFolder
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.FilePairs import loaded
from GenSegSlicerLib.PairChecks import OK, checkSteps
from GenSegSlicerLib.PairSetChecks import checkSetSteps
from GenSegSlicerLib.Persons import casesOf, channelFiles, patientIDs
from GenSegSlicerLib.SegmentationFiles import writeLabelSteps
from GenSegSlicerLib.SegmentClasses import classLabels
from GenSegSlicerLib.TrainingPair import TrainingPair, TrainingVolume, caseNames, usedPairs
from GenSegSlicerLib.UnlabeledScans import NO_SCANS, UnlabeledScans, requireScans
from GenSegSlicerLib.VolumeContents import VolumeContents
from GenSegSlicerLib.VolumeFiles import finiteSteps, requireUsableVolume, writeChannelsSteps

_INPUTS = "inputs"


class CaseWriter:
    """Writes images, labels and settings of a training; nothing is written before `steps` runs.

    Args:
        pairs: training pairs; those with the role "ignore" are omitted.
        preset: anatomy and modality.
        config: training configuration.
        classMap: class of each segment name, "" for none.
        includes: names of the classes within a class.
        scans: scans without labels to learn from, too.
        requested: effort and settings that the user chose, which the training's plan keeps.

    Raises:
        GenSegError: no pair can be used for training.
    """

    def __init__(
        self,
        pairs: Sequence[TrainingPair],
        preset: Preset,
        config: TrainConfig,
        classMap: Mapping[str, str],
        includes: Mapping[str, tuple[str, ...]] | None = None,
        scans: UnlabeledScans = NO_SCANS,
        requested: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._pairs = usedPairs(pairs)
        self._scans, self._volumes = scans, scans.volumes(self._pairs)
        if not any(pair.role == "train" for pair in self._pairs):
            raise GenSegError(
                _("No pair has the role Train; set the role of at least one pair to Train")
            )
        self._names = caseNames([*self._pairs, *self._volumes])
        self._preset, self._config, self._classMap = preset, config, dict(classMap)
        self._labels = classLabels(classMap, preset)
        self._includes, self._requested = dict(includes or {}), requested
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
                yield from self._check(pair)
            cases, preset = yield from self._prepare(target / _INPUTS)
            yield 0.5  # each file is flushed to the disk, which may take a while
            RunFolder.create(target, self._config, preset, cases, requested=self._requested)
            for index, (name, pair) in enumerate(zip(self._names, self._pairs)):
                yield 0.5 + 0.5 * index / len(self._pairs)
                if pair.isFromFiles:  # others may release its voxels between steps
                    finish(self._writePair(name, pair, target / _INPUTS))
                else:
                    yield from self._writePair(name, pair, target / _INPUTS)
            for name, volume in zip(self._names[len(self._pairs) :], self._volumes):
                yield 1.0
                yield from self._writeScan(name, volume, target / _INPUTS / "images")

    def _check(self, pair: TrainingPair) -> Steps[None]:
        _requireInScene(pair.volumeNode, pair.segmentationNode)
        status = yield from checkSteps(pair, self._classMap, self._pairs)
        if status != OK:
            raise GenSegError(status)

    def _writePair(self, name: str, pair: TrainingPair, folder: Path) -> Steps[None]:
        nodes = pair.segmentationNode, pair.volumeNode
        _requireInScene(*nodes)
        with loaded(pair):
            images = channelFiles(folder / "images", name, pair)
            yield from writeChannelsSteps(pair.volumeNode, images)
            _requireInScene(*nodes)
            labels, path = (self._classMap, self._labels), folder / "labels" / f"{name}.nrrd"
            yield from writeLabelSteps(*nodes, *labels, path, pair.isEmpty, self._includes)

    def _writeScan(self, name: str, volume: TrainingVolume, folder: Path) -> Steps[None]:
        """Write a scan without a label, unless the training reads its file."""
        node = volume.volumeNode
        _requireInScene(node)
        if not volume.files:
            yield from finiteSteps(requireUsableVolume(node))
            yield from writeChannelsSteps(node, channelFiles(folder, name, volume))

    def _prepare(self, folder: Path) -> Steps[tuple[CaseSet, Preset]]:
        """Check the pairs against each other; return cases in a folder, and the fitting preset.

        Classes that no pair shows are left out, as on the command line.
        """
        findings = yield from checkSetSteps(self._pairs, self._classMap, VolumeContents())
        for index, text in findings.errors.items():
            raise GenSegError(f"{self._pairs[index].volumeNode.GetName()}: {text}")
        shown = self._leaveOutClasses()
        preset = self._preset
        if preset.labels:
            preset = preset.with_label_values({value: value for value in self._labels})
        cases = with_duplicates_as_one_person(self._cases(folder), findings.duplicates)
        rare = cases_with_only_examples(cases, dict(zip(self._names, shown)))
        config = self._config
        fraction = config.validation_fraction
        cases = cases.with_validation(fraction, config.seed, training_only=rare)
        if config.self_training:
            requireScans(cases)
        return cases, preset

    def _leaveOutClasses(self) -> list[set[int]]:
        """Leave out classes that no pair shows; return the label values that each pair shows."""
        names = classLabels(self._classMap)
        shown = [self._shownIn(pair, names) for pair in self._pairs]
        found = {names[value] for values in shown for value in values}
        found |= {name for name in names.values() if special_value(name)}
        self._labels = {value: name for value, name in self._labels.items() if name in found}
        self._classMap = {k: name if name in found else "" for k, name in self._classMap.items()}
        return shown

    def _shownIn(self, pair: TrainingPair, names: Mapping[int, str]) -> set[int]:
        """Return the label values that a pair shows; those of inner classes may be covered."""
        inner = {each for outer, each in pair.nested if each in self._includes.get(outer, ())}
        return {value for value, name in names.items() if pair.volumes.get(value) or name in inner}

    def _cases(self, folder: Path) -> CaseSet:
        """The pairs, which say something of the classes of the training alone, and the scans."""
        known = self._labels.values()
        cases = tuple(
            replace(case, annotation=case.annotation.of_classes(known))
            for case in casesOf(self._pairs, folder, self._volumes)
        )
        modality = self._preset.modality
        found = CaseSet(cases, self._labels, modality, (), self._includes)
        return self._scans.addFolder(found, patientIDs([*self._pairs, *self._volumes]))


def _requireInScene(*nodes: slicer.vtkMRMLNode) -> None:
    if any(node.GetScene() is None for node in nodes):
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
