"""Training runs of the annotation loop: all checked cases, continued from the newest model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.cases import CaseSet, Role
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.case_selection import (
    cases_with_only_examples,
    with_duplicates_as_one_person,
)
from GenSegLib.datasets.person_names import persons_from_names
from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import METADATA, ModelMetadata
from GenSegLib.nesting import Includes
from GenSegLib.presets import Preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.steps import Steps
from GenSegSlicerLib.CaseContents import firstChannel

MIN_CASES = 2
_EFFORT = "standard"  # its time is the one that the user set
_FEW_CASES = 5  # generated pairs cost a little accuracy up to this number of labeled cases


class CheckedCasesWriter:
    """Creates the run folder of a training on the checked cases, whose files stay where they are.

    Args:
        folder: annotation folder.
        preset: anatomy and modality.
        settings: overrides of the preset's training configuration.
        includes: names of the classes within a class.
        save: writes checked cases of the scene that the folder lacks, one per step.
        persons: person by case, where more is known than the names of the cases say.
        unused: classes that count as if they had not been drawn.
        roles: role by case, see `TrainingPair.ROLES`; others are for training.
    """

    def __init__(
        self,
        folder: AnnotationFolder,
        preset: Preset,
        settings: Mapping[str, Any],
        includes: Includes,
        save: Callable[[], Iterable[float]],
        persons: Mapping[str, str] | None = None,
        unused: Collection[str] = (),
        roles: Mapping[str, str] | None = None,
    ) -> None:
        self._folder, self._preset = folder, preset
        self._settings, self._save = dict(settings), save
        self._includes, self._persons = dict(includes), dict(persons or {})
        self._unused, self._roles = unused, dict(roles or {})

    def steps(self, folder: Path) -> Steps:
        """Write the run folder.

        Raises:
            GenSegError: there are too few checked cases, or a folder cannot be written.
        """
        yield from self._save()
        cases, rare = self._cases()
        count = len(cases.labeled)
        if count < MIN_CASES:
            text = _("Accept at least {count} cases; one is needed for validation")
            raise GenSegError(text.format(count=MIN_CASES))
        settings = self._configured(count)
        config = TrainConfig.for_preset(self._preset, _EFFORT, count, **settings)
        split = cases.with_validation(config.validation_fraction, config.seed, rare)
        RunFolder.create(folder, config, self._preset, split, requested=(_EFFORT, settings))
        yield 1.0

    def _configured(self, count: int) -> dict[str, Any]:
        """The settings; pairs are not generated from few cases, unless the user chose so."""
        isForOthers = self._settings.get("target_scanner", 0) > 0
        hasNone = count <= _FEW_CASES and not isForOthers and not self._preset.lesions
        return {**({"generator": "none"} if hasNone else {}), **self._settings}

    def _cases(self) -> tuple[CaseSet, set[str]]:
        """The checked cases with their persons, and the names of the only ones with a class."""
        cases, entries = self._folder.checked_cases(self._unused), self._folder.entries()
        persons = persons_from_names([case.name for case in cases.cases]) | self._persons
        roles = {case.name: self._roles.get(case.name, "train") for case in cases.cases}
        named = (
            replace(
                case,
                person=case.person or persons.get(case.name, ""),
                role=Role(roles[case.name]),
            )
            for case in cases.cases
            if roles[case.name] != "ignore"
        )
        modality = self._preset.modality
        includes = self._shownIn(cases)
        cases = replace(cases, cases=tuple(named), modality=modality, includes=includes)
        cases = with_duplicates_as_one_person(cases, self._duplicates(cases))
        known = cases.labels.keys()
        shown = {case.name: entries[case.name].names.keys() & known for case in cases.cases}
        return cases, cases_with_only_examples(cases, shown)

    def _duplicates(self, cases: CaseSet) -> dict[str, str]:
        """The name of an earlier case with the same voxels in the first channel, by name."""
        entries, first, found = self._folder.entries(), dict[str, str](), dict[str, str]()
        for name in (case.name for case in cases.cases if entries[case.name].content):
            earlier = first.setdefault(firstChannel(entries[name].content), name)
            if earlier != name:
                found[name] = earlier
        return found

    def _shownIn(self, cases: CaseSet) -> dict[str, tuple[str, ...]]:
        """The classes within a class, of those that the cases have."""
        known = set(cases.labels.values())
        return {
            outer: tuple(name for name in inner if name in known)
            for outer, inner in self._includes.items()
            if outer in known and known.intersection(inner)
        }


def newestModel(
    outputFolder: Path, others: Sequence[Path] = ()
) -> tuple[Path, ModelMetadata] | None:
    """Return the model that finished last in an output folder, else the first of the others.

    A model from which another one started is older than that, whatever the times of the files say
    after the clock was set back or the folder was copied. Models that cannot be read are passed
    over.

    Args:
        outputFolder: parent of the runs.
        others: model folders to use while there is none.
    """
    finished = [path for path in _models(outputFolder) if _isFinished(path.parent)]
    origins = {path: _originOf(path) for path in finished}
    replaced = {started for _name, started in origins.values()}
    finished.sort(key=lambda path: (origins[path][0] in replaced, -_finishedAt(path)))
    for path in (*finished, *others):
        with suppress(GenSegError):
            return path, ModelMetadata.load(path)
    return None


def _originOf(model: Path) -> tuple[str, str]:
    """Name of a model and of that from which it started, "" if unknown."""
    return _readOrigin(model, _finishedAt(model))


@lru_cache(maxsize=1000)
def _readOrigin(model: Path, finishedAt: float) -> tuple[str, str]:
    try:
        metadata = ModelMetadata.load(model)
    except GenSegError:
        return "", ""
    return metadata.name, metadata.training.started_from


def _finishedAt(model: Path) -> float:
    try:
        return (model / METADATA).stat().st_mtime
    except OSError:  # removed meanwhile
        return 0.0


def _models(outputFolder: Path) -> list[Path]:
    try:
        return [path.parents[1] for path in Path(outputFolder).glob(f"*/model/{METADATA}")]
    except OSError:
        return []


def _isFinished(run: Path) -> bool:
    return RunFolder(run).read_status()["state"] == State.FINISHED.value


def classProblem(metadata: ModelMetadata, structures: Iterable[str]) -> tuple[str, bool]:
    """Compare the classes of a model with the structures of the checked cases.

    Returns:
        A line that names model and classes, "" if they fit; and whether none of them fits.
    """
    classes, found = set(metadata.labels.values()), set(structures)
    if not found or found == classes:
        return "", False
    text = _("the model {model} was trained for {classes}, but the accepted cases have {found}")
    line = text.format(
        model=metadata.name,
        classes=", ".join(sorted(classes)),
        found=", ".join(sorted(found)),
    )
    return line, not classes & found
