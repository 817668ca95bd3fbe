"""Whom the volumes of training pairs show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from GenSegLib.cases import Case, Role
from GenSegLib.data.person_names import persons_from_names
from GenSegLib.data.persons import assume_persons, pseudonyms
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.SubjectHierarchy import patientIDOf
from GenSegSlicerLib.TrainingPair import TrainingPair, caseNames


def assumedPersons(pairs: Sequence[TrainingPair]) -> list[str]:
    """Return the person of each pair by DICOM patient ID or name, "" if no other pair shows it.

    Patient IDs are replaced by pseudonyms, since they would get into the files of a training.
    """
    names = caseNames(pairs)
    ids = pseudonyms({name: patientIDOf(pair.volumeNode) for name, pair in zip(names, pairs)})
    assumed = assume_persons(ids, persons_from_names(names))
    return [assumed.get(name, "") for name in names]


def channelFiles(folder: Path, name: str, pair: TrainingPair) -> list[Path]:
    """Return the file of a pair's volume in a folder, and one for each of its further channels."""
    further = range(2, 2 + len(furtherChannels(pair.volumeNode)))
    return [folder / f"{name}.nrrd", *(folder / f"{name}_channel{k}.nrrd" for k in further)]


def casesOf(pairs: Sequence[TrainingPair], folder: Path = Path()) -> list[Case]:
    """Return pairs as cases with their persons; "ignore" is no role of a case.

    Args:
        pairs: pairs that are used.
        folder: of the cases' files, in the folders `images` and `labels`.
    """
    return [
        Case(
            name,
            channelFiles(folder / "images", name, pair)[0],
            folder / "labels" / f"{name}.nrrd",
            Role(pair.role),
            pair.person or assumed,
            tuple(channelFiles(folder / "images", name, pair)[1:]),
            annotationOf(pair.segmentationNode),
        )
        for name, pair, assumed in zip(caseNames(pairs), pairs, assumedPersons(pairs))
    ]
