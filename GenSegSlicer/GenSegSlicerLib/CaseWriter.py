"""Export of training pairs into a new run folder."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from slicer.i18n import tr as _

from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.data.case_selection import cases_with_only_examples, with_duplicates_as_one_person
from GenSegLib.errors import GenSegError
from GenSegLib.files import atomic_folder
from GenSegLib.presets import Preset
from GenSegLib.run_lock import process_start
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.FilePairs import loaded
from GenSegSlicerLib.Job import Steps
from GenSegSlicerLib.PairChecks import OK, checkPair
from GenSegSlicerLib.PairSetChecks import checkSet
from GenSegSlicerLib.Persons import casesOf, channelFiles
from GenSegSlicerLib.SegmentationFiles import writeLabel
from GenSegSlicerLib.SegmentClasses import classLabels
from GenSegSlicerLib.TrainingPair import TrainingPair, caseNames, usedPairs
from GenSegSlicerLib.VolumeContents import VolumeContents
from GenSegSlicerLib.VolumeFiles import writeChannels

_INPUTS = "inputs"


class CaseWriter:
    """Writes images, labels and settings of a training; nothing is written before `steps` runs.

    Args:
        pairs: training pairs; those with the role "ignore" are omitted.
        preset: anatomy and modality.
        config: training configuration.
        classMap: class of each segment name, "" for none.
        includes: names of the classes within a class.

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
    ) -> None:
        self._pairs = usedPairs(pairs)
        if not any(pair.role == "train" for pair in self._pairs):
            raise GenSegError(
                _("No pair has the role Train; set the role of at least one pair to Train")
            )
        self._names = caseNames(self._pairs)
        self._preset, self._config, self._classMap = preset, config, dict(classMap)
        self._labels = classLabels(classMap, preset)
        self._includes = dict(includes or {})
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
            cases, preset = self._prepare(target / _INPUTS)
            RunFolder.create(target, self._config, preset, cases)
            for index, (name, pair) in enumerate(zip(self._names, self._pairs)):
                yield 0.5 + 0.5 * index / len(self._pairs)
                _requireInScene(pair)
                with loaded(pair):
                    images = channelFiles(target / _INPUTS / "images", name, pair)
                    writeChannels(pair.volumeNode, images)
                    yield 0.5 + 0.5 * (index + 0.5) / len(self._pairs)
                    _requireInScene(pair)
                    self._writeLabel(pair, target / _INPUTS / "labels" / f"{name}.nrrd")

    def _check(self, pair: TrainingPair) -> None:
        _requireInScene(pair)
        status = checkPair(pair, self._classMap, self._pairs)
        if status != OK:
            raise GenSegError(status)

    def _writeLabel(self, pair: TrainingPair, path: Path) -> None:
        nodes = pair.segmentationNode, pair.volumeNode
        labels = self._classMap, self._labels
        writeLabel(*nodes, *labels, path, pair.isEmpty, self._includes)

    def _prepare(self, folder: Path) -> tuple[CaseSet, Preset]:
        """Check the pairs against each other; return cases in a folder, and the fitting preset.

        Classes that no pair shows are left out, as on the command line.
        """
        findings = checkSet(self._pairs, self._classMap, VolumeContents())
        for index, text in findings.errors.items():
            raise GenSegError(f"{self._pairs[index].volumeNode.GetName()}: {text}")
        names = classLabels(self._classMap)
        shown = [{value for value in pair.volumes if pair.volumes[value]} for pair in self._pairs]
        found = {names[value] for values in shown for value in values}
        self._labels = {value: name for value, name in self._labels.items() if name in found}
        self._classMap = {k: name if name in found else "" for k, name in self._classMap.items()}
        preset = self._preset
        if preset.labels:
            preset = preset.with_label_values({value: value for value in self._labels})
        cases = CaseSet(tuple(casesOf(self._pairs, folder)), self._labels, preset.modality)
        cases = replace(cases, includes=self._includes)
        cases = with_duplicates_as_one_person(cases, findings.duplicates)
        rare = cases_with_only_examples(cases, dict(zip(self._names, shown)))
        config = self._config
        fraction = config.validation_fraction
        return cases.with_validation(fraction, config.seed, training_only=rare), preset


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
