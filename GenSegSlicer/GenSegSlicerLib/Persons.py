"""The volumes of a training as cases, and whom they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from GenSegLib.cases import Case, Role
from GenSegLib.datasets.person_names import persons_from_names
from GenSegLib.datasets.persons import assume_persons, pseudonyms
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.SubjectHierarchy import patientIDOf
from GenSegSlicerLib.TrainingPair import TrainingPair, TrainingVolume, caseNames


def assumedPersons(volumes: Sequence[TrainingVolume]) -> list[str]:
    """Return the person of each volume by DICOM patient ID or name, "" if no other one shows it.

    Patient IDs are replaced by pseudonyms, since they would get into the files of a training.
    """
    names = caseNames(volumes)
    ids = pseudonyms(patientIDs(volumes))
    assumed = assume_persons(ids, persons_from_names(names))
    return [assumed.get(name, "") for name in names]


def patientIDs(volumes: Sequence[TrainingVolume]) -> dict[str, str]:
    """Return the DICOM patient ID of each volume by case name, "" if unknown."""
    return {name: patientIDOf(each.volumeNode) for name, each in zip(caseNames(volumes), volumes)}


def channelFiles(folder: Path, name: str, volume: TrainingVolume) -> list[Path]:
    """Return the file of a volume in a folder, and one for each of its further channels."""
    further = range(2, 2 + len(furtherChannels(volume.volumeNode)))
    return [folder / f"{name}.nrrd", *(folder / f"{name}_channel{k}.nrrd" for k in further)]


def casesOf(
    pairs: Sequence[TrainingPair],
    folder: Path = Path(),
    scans: Sequence[TrainingVolume] = (),
) -> list[Case]:
    """Return pairs as cases with their persons; "ignore" is no role of a case.

    Args:
        pairs: pairs that are used.
        folder: of the cases' files, in the folders `images` and `labels`.
        scans: further volumes, which have no label.
    """
    volumes = [*pairs, *scans]
    cases = zip(caseNames(volumes), volumes, assumedPersons(volumes))
    return [_caseOf(name, each, each.person or person, folder) for name, each, person in cases]


def _caseOf(name: str, volume: TrainingVolume, person: str, folder: Path) -> Case:
    first, *others = channelFiles(folder / "images", name, volume)
    if not isinstance(volume, TrainingPair):
        first, *others = volume.files or (first, *others)
        return Case(name, first, None, Role.UNLABELED, person, tuple(others))
    return Case(
        name,
        first,
        folder / "labels" / f"{name}.nrrd",
        Role(volume.role),
        person,
        tuple(others),
        annotationOf(volume.segmentationNode),
    )
