"""Run folders of small training runs on phantoms."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.phantoms import make_cases
from GenSegLib.presets import Preset, load_preset
from GenSegLib.runs import RunFolder

STEPS = {"warmup_steps": 5, "joint_steps": 10, "final_steps": 10, "upper_interval": 2}


@cache
def _folder() -> TemporaryDirectory[str]:
    """A folder of this test session, removed at its end."""
    return TemporaryDirectory(prefix="genseg-phantoms-")


@cache
def phantom_cases(count: int = 4) -> CaseSet:
    """Labeled hippocampus phantoms, made once per test session."""
    folder = Path(mkdtemp(dir=_folder().name)) / "cases"
    make_cases(folder, "hippocampus", count, seed=3)
    return read_cases(folder)


def small_preset() -> Preset:
    return replace(load_preset("hippocampus-mri"), patch_size=(16, 24, 16), segmenter="unet")


def small_run(folder: Path, cases: CaseSet | None = None, **changes: Any) -> RunFolder:
    """A run of a few steps on a small patch, with one validation case."""
    settings = {**STEPS, "validation_interval": 5, "segmenter": "unet", **changes}
    cases = (cases or phantom_cases()).with_validation(0.25, 0)
    return RunFolder.create(folder, TrainConfig(**settings), small_preset(), cases)
