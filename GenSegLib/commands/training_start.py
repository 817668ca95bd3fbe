"""The model that a training starts from, for the commands that train."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cases import CaseSet
from ..config import DUAL_DYNUNET, PHASE_STEPS, PRETRAINABLE, SEGMENTERS, TrainConfig
from ..errors import GenSegError
from ..label_maps import normalized
from ..models.folder import ModelMetadata
from ..models.initial_model import WarmStart, renamed_labels, store_initial_model
from ..models.provenance import inherited_settings
from ..planning.continuation import plan_misfit
from ..presets import Preset
from ..runs import RunFolder, learned_cases
from .options import argument_type, find_model
from .training_cases import PreparedCases, prepare_cases
from .training_plan import plan_continuation, settings_of

_LENGTH = {*PHASE_STEPS, "time_budget_s"}


@dataclass(frozen=True)
class StartModel:
    """A model to start from.

    Attributes:
        folder: model folder.
        metadata: of the model.
        renamed: name of a class in the new cases, by its name in the model.
    """

    folder: Path
    metadata: ModelMetadata
    renamed: dict[str, str]

    def prepare(
        self, cases: CaseSet, config: TrainConfig, log: Callable[[str], None]
    ) -> PreparedCases | None:
        """Check cases with the model's preset; None if its plan does not suit them.

        Args:
            cases: as read from the user's folder.
            config: seed and validation fraction.
            log: called with warnings.

        Raises:
            GenSegError: a case has an error, or another number of channels than the model.
        """
        from ..checks.classes import with_classes
        from ..checks.learned_cases import find_learned

        preset, name = self.metadata.preset, self.metadata.name
        if cases.modality and preset.modality and cases.modality != preset.modality:
            log(self._refusal(f"it is for {preset.modality}, the cases are {cases.modality}"))
            return None
        named, _ = with_classes(cases, None)
        labels = named.labels or self.labels
        split = config.validation_fraction, config.seed
        named = replace(named, labels=labels, includes=named.includes or self._includes(labels))
        prepared = prepare_cases(
            named,
            self._preset(labels),
            *split,
            log,
            model=name,
            learned=find_learned(cases.labeled, learned_cases(self.folder)),
            needs_unlabeled=config.self_training,
        )
        reason = plan_misfit(prepared.fingerprint, prepared.preset, self._new_values(labels))
        if reason:
            log(self._refusal(reason))
        return None if reason else prepared

    @property
    def labels(self) -> dict[int, str]:
        """The model's classes by the names that they have in the new cases."""
        return renamed_labels(self.metadata, self.renamed)

    def _includes(self, labels: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
        """Return the model's classes within classes, as far as the cases have both."""
        old = self.metadata.labels
        name_of = {normalized(old[value]): name for value, name in self.labels.items()}
        known = set(map(normalized, labels.values()))
        found = {}
        for names in self.metadata.includes.items():
            outer, *inner = (name_of.get(normalized(name), name) for name in (names[0], *names[1]))
            within = tuple(name for name in inner if normalized(name) in known)
            if within and normalized(outer) in known:
                found[outer] = within
        return found

    def _new_values(self, labels: Mapping[int, str]) -> set[int]:
        """Return the values of the classes that the model lacks."""
        known = set(map(normalized, self.labels.values()))
        return {value for value, label in labels.items() if normalized(label) not in known}

    def _refusal(self, reason: str) -> str:
        return (
            f"warning: the model {self.metadata.name} does not suit these cases ({reason}); "
            "training starts from scratch with a new plan"
        )

    def _preset(self, labels: Mapping[int, str]) -> Preset:
        """Return the model's preset with the classes of the cases, and with its network."""
        value_of = {normalized(name): value for value, name in labels.items()}
        known = {
            old: value_of[normalized(name)]
            for old, name in self.labels.items()
            if normalized(name) in value_of
        }
        chosen = {"in_channels", "out_channels", "spatial_dims"}
        arguments = self.metadata.network_args.items()
        preset = self.metadata.preset.with_label_values(known)
        return replace(
            preset,
            labels=dict(labels),
            network={key: value for key, value in arguments if key not in chosen},
        )

    def _plan(
        self,
        prepared: PreparedCases,
        effort: str | None,
        changes: Mapping[str, Any],
        spent_s: float,
    ) -> TrainConfig:
        """Return the settings of the training, with those that the model's training had."""
        record = self.metadata.training
        changes = {**inherited_settings(record), **changes, **self._network()}
        return plan_continuation(prepared, record.planned, effort, changes, spent_s)

    def _network(self) -> dict[str, Any]:
        network = self.metadata.network
        is_dual = network == DUAL_DYNUNET
        if is_dual or network in SEGMENTERS:
            segmenter = "dynunet" if is_dual else network
            return {"segmenter": segmenter, "encoder": "scratch", "dual_normalization": is_dual}
        segmenter = next(key for key, value in PRETRAINABLE.items() if value == network)
        return {"segmenter": segmenter, "encoder": "pretrained"}

    def create_run(
        self, args: argparse.Namespace, prepared: PreparedCases, changes: Mapping[str, Any]
    ) -> RunFolder:
        """Create the run folder of a training that starts from the model.

        Args:
            args: of `genseg train`.
            prepared: see `prepare`.
            changes: settings that the user specified.

        Raises:
            GenSegError: the folder cannot be written.
        """
        spent_s = time.monotonic() - args.started
        config = self._plan(prepared, args.effort, changes, spent_s)
        start = self._warm_start(args.effort is None and not _LENGTH & changes.keys())
        return RunFolder.create(
            args.out,
            config,
            prepared.preset,
            prepared.cases,
            args.overwrite,
            add_files=lambda folder: store_initial_model(folder, self.folder, start),
        )

    def begin_run(self, run: RunFolder, started: float, log: Callable[[str], None]) -> bool:
        """Start a run that a program created from the model; return whether its plan suits.

        Args:
            run: that has not begun.
            started: value of `time.monotonic` at which the time budget started.
            log: called with warnings.
        """
        prepared = self.prepare(run.cases, run.config, log)
        if prepared is None:
            return False
        effort, changes = settings_of(run)
        effort = None if "time_budget_s" in changes else effort  # the steps follow the time
        config = self._plan(prepared, effort, changes, time.monotonic() - started)
        start = self._warm_start(not _LENGTH & changes.keys())
        store_initial_model(run.path, self.folder, start)
        run.set_plan(config, prepared.preset, None)
        return True

    def _warm_start(self, may_shorten: bool) -> WarmStart:
        return WarmStart(self.metadata.name, self.metadata.cases, self.renamed, may_shorten)


def add_start(parser: argparse.ArgumentParser) -> None:
    """Add `--from` and `--rename`."""
    parser.add_argument(
        "--from",
        metavar="MODEL",
        dest="start",
        type=Path,
        help="start with the weights of this run or model (warm start), with its preset, spacing, "
        "patch and network; classes are matched by name. If it does not help on these cases, "
        "training starts from scratch",
    )
    parser.add_argument(
        "--rename",
        metavar="OLD=NEW",
        type=argument_type(_parse_renaming),
        action="append",
        default=[],
        help="with --from: the model's class OLD is called NEW in the cases; can be repeated",
    )


def read_start(args: argparse.Namespace) -> StartModel | None:
    """Return the model of `--from`.

    Raises:
        GenSegError: it cannot be read, a class to rename is missing, or an option contradicts it.
    """
    if args.start is None:
        if args.rename:
            raise GenSegError("--rename belongs to --from MODEL; add that or omit --rename")
        return None
    for name in ("preset", "recipe", "segmenter", "encoder"):
        if getattr(args, name) is not None:
            raise GenSegError(f"--{name} comes from the model of --from; omit one of the two")
    folder = find_model(args.start)
    start = StartModel(folder, ModelMetadata.load(folder), dict(args.rename))
    if not start.labels:
        raise GenSegError(f"{folder} has no classes; choose another model")
    return start


def _parse_renaming(text: str) -> tuple[str, str]:
    old, equals, new = (part.strip() for part in text.partition("="))
    if not (equals and old and new):
        raise GenSegError(f"renamed classes are written OLD=NEW, not {text!r}")
    return old, new
