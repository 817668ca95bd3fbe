"""Which cases show one person, so that they stay on one side of every split.

Volumes of one person (visits, phases, sides, slices of one examination) are so similar that a
validation on some of them would only show that the others were learned by heart.

The person is, first of all, that of the list of cases; then that in `groups.csv`; the DICOM patient
ID; and otherwise what names share, or a folder named after a person (see `person_names`).

Light: SimpleITK is imported if there are DICOM folders.
"""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path, PureWindowsPath

from ..cases import Case, CaseSet, Role
from ..dicom.files import is_planar_file
from ..errors import GenSegError
from ..files import decode_text
from ..images.file_names import image_stem, split_frame
from .person_names import person_of_folders, persons_from_names

GROUPS_FILE = "groups.csv"

_CASE_COLUMNS = ("case", "name", "image", "file", "filename", "case_id", "image_id", "scan", "id")
_PERSON_COLUMNS = (
    *("person", "group", "subject", "patient", "participant", "person_id", "subject_id"),
    *("patient_id", "participant_id", "patientid", "subjectid"),
)
_SET_COLUMNS = ("set", "dataset")
_PLACEHOLDERS = {"anon", "anonymous", "anonymized", "anonymised", "unknown", "none", "patient"}


def with_persons(
    cases: CaseSet,
    folder: Path,
    known: Sequence[Case] = (),
    patient_ids: Mapping[str, str] | None = None,
) -> CaseSet:
    """Return the cases with their persons, and with notes of how they were found.

    Args:
        cases: as listed.
        folder: of the data; `groups.csv` is looked for in it and next to it.
        known: other cases with their persons, whom some of `cases` may show, too.
        patient_ids: DICOM patient IDs of `known` by name, if their files are not DICOM.

    Raises:
        GenSegError: `groups.csv` has no columns for case and person.
    """
    table = _read_groups(cases.cases, folder)
    everything = (*known, *cases.cases)
    taken = {case.person for case in known}
    dicom = _from_dicom(everything, patient_ids or {}, taken)
    names = _from_names(everything, folder)
    assumed = assume_persons(dicom, names)
    same = {assumed[case.name]: case.person_or_name for case in known if case.name in assumed}
    assumed = {name: same.get(person, person) for name, person in assumed.items()}
    result = []
    for case in cases.cases:
        found = case.person or table.get(case.name) or assumed.get(case.name, "")
        result.append(dataclasses.replace(case, person=found))
    by_id = [name for name in assumed if name in dicom]
    sources = {GROUPS_FILE: table, "the DICOM patient ID": by_id, "the names of the cases": names}
    source = next((source for source, persons in sources.items() if persons), "the list of cases")
    notes = [*cases.notes, *describe_persons(result, source)]
    missing = [case.name for case in cases.cases if table and case.name not in table]
    if missing:
        notes.append(
            f"{GROUPS_FILE} has no row for {len(missing)} of {len(result)} cases ({missing[0]})"
        )
    return dataclasses.replace(cases, cases=tuple(result), notes=tuple(notes))


def describe_persons(cases: Iterable[Case], source: str) -> list[str]:
    """Return a note of how many persons the cases show, if some show the same; else none.

    Args:
        cases: with their persons.
        source: where the persons are from, such as "the names of the cases".
    """
    cases = list(cases)
    members: dict[str, list[str]] = {}
    for case in cases:
        members.setdefault(case.person_or_name, []).append(case.name)
    person = next((person for person, names in members.items() if len(names) > 1), None)
    if person is None:
        return []
    shown = " and ".join(members[person][:2])
    return [
        f"{len(cases)} cases show {len(members)} persons according to {source} ({shown} show "
        f"{person}); all cases of a person are used either for training or for validation. If this "
        f"is wrong, list cases and persons in a {GROUPS_FILE} (columns case and person)"
    ]


def find_divided_persons(cases: Iterable[Case]) -> list[str]:
    """Return a warning for each person with cases for training as well as for validation."""
    sides: dict[str, dict[Role, str]] = {}
    for case in cases:
        sides.setdefault(case.person_or_name, {}).setdefault(case.role, case.name)
    return [
        f"{person} appears in training case {roles[Role.TRAIN]} and in validation case "
        f"{roles[Role.VALIDATE]}, so the validation is optimistic; give both the same role"
        for person, roles in sides.items()
        if Role.TRAIN in roles and Role.VALIDATE in roles
    ]


def assume_persons(by_id: Mapping[str, str], by_name: Mapping[str, str]) -> dict[str, str]:
    """Return the persons of cases that share one, by DICOM patient IDs, else by names.

    Args:
        by_id: pseudonyms of the cases with an ID; different ones are different persons, whatever
            the names are.
        by_name: persons according to names and folders.
    """
    others = {case: person for case, person in by_name.items() if case not in by_id}
    return _shared(others) | _shared(by_id)


def pseudonyms(patient_ids: Mapping[str, str], taken: Collection[str] = ()) -> dict[str, str]:
    """Replace DICOM patient IDs, which must not be copied to runs, by "patient 1", "patient 2".

    Args:
        patient_ids: patient ID by case name.
        taken: pseudonyms of others.

    Returns:
        Persons by case name; none for IDs that are empty or stand for any patient.
    """
    free = (name for k in count(1) if (name := f"patient {k}") not in taken)
    known: dict[str, str] = {}
    persons = {}
    for case, patient_id in patient_ids.items():
        key = patient_id.strip().casefold()
        if key.strip("0") and key not in _PLACEHOLDERS:
            known[key] = known.get(key) or next(free)
            persons[case] = known[key]
    return persons


def _from_names(cases: Iterable[Case], folder: Path) -> dict[str, str]:
    names = persons_from_names(case.name for case in cases)
    folders = {}
    for case in cases:
        path = case.image.absolute()
        if path.is_relative_to(folder.absolute()):
            folders[case.name] = person_of_folders(path.relative_to(folder.absolute()).parts[:-1])
    return _shared(folders) | names


def _shared(persons: Mapping[str, str]) -> dict[str, str]:
    """Return the persons of several cases."""
    counts = Counter(persons.values())
    return {name: person for name, person in persons.items() if person and counts[person] > 1}


def _from_dicom(
    cases: Iterable[Case], patient_ids: Mapping[str, str], taken: Collection[str]
) -> dict[str, str]:
    """Return the pseudonyms of cases from DICOM; without a patient ID, a clip shows one person."""
    images = {case.name: split_frame(case.image) for case in cases}
    headers = {path: "" for path, _ in images.values() if path.is_dir() or is_planar_file(path)}
    if not headers:
        return {}
    from ..dicom.headers import read_first_slice  # needs SimpleITK

    for path in headers:
        with suppress(GenSegError):  # reported by checks
            first = read_first_slice(path)
            if first is not None:
                headers[path] = first.patient[1]
    of_files = {name: headers.get(path, "") for name, (path, _) in images.items()}
    ids = pseudonyms({**of_files, **patient_ids}, taken)
    clips = {name: image_stem(path) for name, (path, frame) in images.items() if frame is not None}
    return clips | ids


def _read_groups(cases: Iterable[Case], folder: Path) -> dict[str, str]:
    """Return the persons in the first `groups.csv` that has a row for a case, by case name."""
    folder = folder.absolute()
    case_of: dict[str, str] = {}
    for case in cases:
        for text in (case.name, image_stem(case.image)):
            case_of.setdefault(text.casefold(), case.name)
    for parent in (folder, folder.parent):
        path = parent / GROUPS_FILE
        rows = _groups_rows(path, folder.name) if path.is_file() else []
        found = {
            case_of[name]: person
            for text, person in rows
            for name in (text.casefold(), image_stem(Path(text)).casefold())
            if person and name in case_of
        }
        if found:
            return found
    return {}


def _groups_rows(path: Path, set_name: str) -> list[tuple[str, str]]:
    """Return file or case names and persons; of one set if the table has several."""
    try:
        lines = decode_text(path.read_bytes()).splitlines()
        delimiter = max(",;\t", key=lines[0].count) if lines else ","
        rows = list(csv.DictReader(lines, delimiter=delimiter, restkey="", restval=""))
    except (OSError, ValueError, csv.Error) as error:
        raise GenSegError(f"{path} cannot be read ({error}); save it as UTF-8 text") from None
    columns = {name.strip().casefold().replace(" ", "_"): name for name in (rows or [{}])[0]}
    case, person, kind = (
        next((columns[name] for name in known if name in columns), None)
        for known in (_CASE_COLUMNS, _PERSON_COLUMNS, _SET_COLUMNS)
    )
    if case is None or person is None:
        raise GenSegError(f"{path}: the first row must name the columns case and person")
    chosen = [row for row in rows if kind and row[kind] == set_name] or rows
    return [(PureWindowsPath(row[case].strip()).name, row[person].strip()) for row in chosen]
