"""The model that a training starts from, copied into its run folder.

RUN/initial_model     the model folder
RUN/warm_start.json   the names of its classes in the new cases, and what was decided

The copy keeps the run complete: the original may be trained again, moved or deleted meanwhile.
Light: the standard library only.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import GenSegError
from ..files import atomic_folder, read_json, remove, write_json
from ..label_maps import format_labels, normalized
from ..settings import at_least, one_of, require, setting, validate
from .folder import FILES, ModelMetadata
from .manifest import MANIFEST, verify

FOLDER, FILE = "initial_model", "warm_start.json"
CONTINUE, TRANSFER, FRESH = "continue", "transfer", "fresh"
"""Outcomes: the model knows the task; its features help; it does not help."""


@dataclass(frozen=True)
class WarmStart:
    """How a training starts from a model.

    Attributes:
        model: name of the model.
        cases: labeled cases that it had learned from.
        renamed: name of a class in the new cases, by its name in the model.
        may_shorten: whether the schedule may be shortened; not if the user has set its length.
        outcome: `CONTINUE`, `TRANSFER` or `FRESH`; "" until the training has decided.
    """

    model: str
    cases: int = setting(at_least(0), 0)
    renamed: dict[str, str] = field(default_factory=dict)
    may_shorten: bool = True
    outcome: str = setting(one_of(("", CONTINUE, TRANSFER, FRESH)), "")

    def __post_init__(self) -> None:
        """Validate the entries."""
        validate(self)
        require(isinstance(self.renamed, dict), "renamed", "an object")

    def save(self, run: Path) -> None:
        """Write the decision into a run folder.

        Raises:
            GenSegError: the folder cannot be written.
        """
        write_json(run / FILE, asdict(self))

    @classmethod
    def load(cls, run: Path) -> WarmStart | None:
        """Read what a run starts from; None if it starts from scratch.

        Raises:
            GenSegError: the file is damaged.
        """
        if not (run / FILE).is_file():
            return None
        try:
            return cls(**read_json(run / FILE))
        except TypeError as error:
            raise GenSegError(f"{run / FILE} is damaged; train again with --overwrite") from error


def store_initial_model(run: Path, model: Path, start: WarmStart) -> None:
    """Copy a model into a run folder, to start from.

    Raises:
        GenSegError: the model is damaged, or the folder cannot be written.
    """
    verify(model, *FILES)
    target = run / FOLDER
    with atomic_folder(target, lambda: remove(target)) as folder:
        for name in (*FILES, MANIFEST):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(model / name, folder / name)
    start.save(run)


def renamed_labels(metadata: ModelMetadata, renamed: Mapping[str, str]) -> dict[int, str]:
    """Return the model's classes by the names that they have in the new cases.

    Raises:
        GenSegError: the model has no class of a name, or two would get the same one.
    """
    new_names = {normalized(old): new for old, new in renamed.items()}
    unknown = [old for old in renamed if normalized(old) not in map(normalized, _names(metadata))]
    if unknown:
        raise GenSegError(
            f"the model {metadata.name} has no class {unknown[0]!r}; its classes are "
            f"{format_labels(metadata.labels)}"
        )
    labels = {
        value: new_names.get(normalized(name), name) for value, name in metadata.labels.items()
    }
    if len(set(map(normalized, labels.values()))) < len(labels):
        raise GenSegError(
            f"two classes would have the same name: {format_labels(labels)}; rename one of them"
        )
    return labels


def _names(metadata: ModelMetadata) -> list[str]:
    return list(metadata.labels.values())
