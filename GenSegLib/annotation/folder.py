"""The folder of an annotation loop: states and files of its cases.

OUT/annotation/states.jsonl       state of each case; the last line of a case counts
OUT/annotation/annotations.jsonl  what became of each draft, see `records`
OUT/annotation/cases.json         the checked cases, for `genseg train` and other programs
OUT/annotation/images, labels     files of the checked cases
OUT/annotation/drafts, edits      drafts as they were predicted, and corrections in progress

Light: the standard library only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path

from ..case_annotation import PLANES, Annotation, ClassState, split_special
from ..cases import Case, CaseSet
from ..errors import GenSegError
from ..files import append_line, file_version, write_json, writing_folder
from ..label_maps import BACKGROUND
from ..nesting import direct_includes, includes_among, values_around
from ..run_lock import RunLock
from ..settings import at_least, one_of, require, setting, validate
from . import records

FOLDER = "annotation"


class CaseState(str, Enum):
    """What is known of a case."""

    TODO = "to do"
    DRAFT = "draft"
    CHECKED = "checked"


@dataclass(frozen=True)
class CaseEntry:
    """State and files of a case; paths are relative to the folder, or absolute.

    Attributes:
        case: name.
        state: one of `CaseState`.
        image: file of the image, or of its first channel.
        others: files of its further channels.
        label: file of the checked label or of the draft; "" while there is none.
        labels: class names by value of the label file, as JSON stores them.
        content: fingerprint of the image's voxels, which distinguishes volumes of one name; those
            of further channels follow after "+".
        person: whom the image shows, "" if unknown.
        model: name of the model that predicted the draft.
        trained_cases: labeled cases that this model had learned from.
        only_slices: plane in which only some slices are annotated, "" if all are.
        scribbles: only voxels with a label are annotated.
        classes: states of classes that were not annotated, by their names.
        nested: outer and inner class where one segment lay within another.
        affine: IJK-to-RAS matrix of the volume when the label was written, row by row; empty if it
            is unknown.
        time: seconds since 1970.

    Raises:
        GenSegError: a value is invalid.
    """

    case: str
    state: str = setting(one_of([state.value for state in CaseState]))
    image: str = ""
    label: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    content: str = ""
    person: str = ""
    model: str = ""
    trained_cases: int = setting(at_least(0), 0)
    only_slices: str = setting(one_of(("", *PLANES)), "")
    scribbles: bool = False
    classes: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    nested: list[list[str]] = field(default_factory=list)
    affine: list[float] = field(default_factory=list)
    time: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        """Validate the entries."""
        validate(self)
        known = [state.value for state in ClassState]
        for state in self.classes.values():
            require(state in known, "classes", f"one of {', '.join(known)}")
        is_nested = all(list(map(type, each)) == [str, str] for each in self.nested)
        require(is_nested, "nested", "a list of pairs of class names")
        require(len(self.affine) in (0, 16), "affine", "empty or 16 numbers")

    @property
    def names(self) -> dict[int, str]:
        """Class names by label value."""
        return {int(value): name for value, name in self.labels.items()}

    @property
    def annotation(self) -> Annotation:
        """What the label says beyond its voxels."""
        states = {name: ClassState(state) for name, state in self.classes.items()}
        return Annotation(states, self.only_slices, self.scribbles)


class AnnotationFolder:
    """The folder of an annotation loop in an output folder; nothing is written before `lock`.

    Args:
        output_folder: parent folder, in which the runs are, too.
    """

    def __init__(self, output_folder: Path) -> None:
        self.path = Path(output_folder) / FOLDER
        self._lock: RunLock | None = None
        self._read: tuple[object, dict[str, CaseEntry]] = (None, {})

    @property
    def records_file(self) -> Path:
        """File of the records, see `records`."""
        return self.path / records.FILE

    def lock(self) -> None:
        """Create the folder and lock it against other programs, until `unlock`.

        If the folder was deleted meanwhile, it is created and locked again.

        Raises:
            GenSegError: another program annotates in the folder, or it cannot be written.
        """
        if self._lock is not None and not self._lock.is_missing():
            self._lock.require_held()
            return
        self.unlock()
        with writing_folder(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        lock = RunLock(self.path / "lock", use="is being annotated")
        lock.__enter__()
        self._lock = lock

    def unlock(self) -> None:
        """Release the lock, if this object holds it."""
        if self._lock is not None:
            self._lock.__exit__()
            self._lock = None

    def entries(self) -> dict[str, CaseEntry]:
        """Return the last entry of each case, by name; lines that cannot be read are skipped.

        Raises:
            GenSegError: the file cannot be read.
        """
        path = self.path / "states.jsonl"
        try:
            version = file_version(path)
            if version != self._read[0]:
                self._read = version, _parse(path.read_bytes().split(b"\n"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise GenSegError(f"{path} cannot be read: {error.strerror}") from error
        return dict(self._read[1])

    def add(self, entry: CaseEntry) -> None:
        """Add the new state of a case, and list the checked cases anew if it is one.

        Raises:
            GenSegError: the folder cannot be written, or another program has locked it.
        """
        self.lock()
        line = json.dumps(asdict(entry), ensure_ascii=False, allow_nan=False)
        append_line(self.path / "states.jsonl", line)
        if entry.state == CaseState.CHECKED.value:
            write_json(self.path / "cases.json", self.checked_cases().to_json(self.path))

    def file(self, kind: str, case: str) -> Path:
        """Return the path of a case's file in `images`, `labels` or `drafts`."""
        return self.path / kind / f"{case}.nrrd"

    def resolve(self, path: str) -> Path:
        """Return the absolute path of an entry's file."""
        return self.path / path

    def relative(self, path: Path) -> str:
        """Return a path for an entry: relative to the folder if it is inside."""
        inside = path.is_relative_to(self.path)
        return (path.relative_to(self.path) if inside else path).as_posix()

    def class_names(
        self, names: Iterable[str], preferred: Mapping[int, str] | None = None
    ) -> dict[int, str]:
        """Return values for classes; those of the checked labels keep theirs, new ones follow.

        Args:
            names: classes, in the order of their values where they are new.
            preferred: values that new classes get if they are free, such as those of a preset.
        """
        known: dict[int, str] = {}
        for entry in self.entries().values():
            if entry.state == CaseState.CHECKED.value:
                known.update(entry.names)
        wanted = {name: value for value, name in (preferred or {}).items()}
        for name in names:
            if name not in known.values():
                value = wanted.get(name, 0)
                is_free = value > 0 and value not in known
                known[value if is_free else max([*known, *wanted.values()], default=0) + 1] = name
        return dict(sorted(known.items()))

    def checked_cases(self, unused: Collection[str] = ()) -> CaseSet:
        """Return the checked cases with their labels, all for training.

        Args:
            unused: classes that count as if they had not been drawn: as the class around them, or
                as background.

        Raises:
            GenSegError: the states cannot be read.
        """
        checked = [e for e in self.entries().values() if e.state == CaseState.CHECKED.value]
        drawn, special = split_special(self.class_names(()))
        includes = direct_includes(self.nested())
        labels = {value: name for value, name in drawn.items() if name not in unused}
        removed = {value: name for value, name in drawn.items() if name in unused}
        around = values_around(includes, labels, removed)
        special |= {value: outer or BACKGROUND for value, outer in around.items()}
        cases = (
            Case(
                entry.case,
                self.resolve(entry.image),
                self.resolve(entry.label),
                person=entry.person,
                others=tuple(self.resolve(path) for path in entry.others),
                annotation=replace(entry.annotation.of_classes(labels.values()), values=special),
            )
            for entry in checked
        )
        return CaseSet(tuple(cases), labels, includes=includes_among(includes, labels))

    def nested(self) -> list[tuple[str, str]]:
        """Return outer and inner class where one segment of a checked case lay within another."""
        checked = [e for e in self.entries().values() if e.state == CaseState.CHECKED.value]
        return [(outer, inner) for entry in checked for outer, inner in entry.nested]


def _parse(lines: Iterable[bytes]) -> dict[str, CaseEntry]:
    entries: dict[str, CaseEntry] = {}
    for line in lines:
        try:
            values: Mapping[str, object] = json.loads(line or b"null")
            entry = CaseEntry(**values)  # type: ignore[arg-type]
        except (GenSegError, ValueError, TypeError):  # incomplete, damaged, or empty
            continue
        entries[entry.case] = entry
    return entries
