"""Runs on phantoms of which some have no label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from small_runs import phantom_cases, small_run

from GenSegLib.cases import CaseSet, Role
from GenSegLib.runs import RunFolder


def partly_labeled() -> CaseSet:
    """Three labeled phantoms and two unlabeled ones."""
    cases = phantom_cases(5)
    unlabeled = (replace(case, label=None, role=Role.UNLABELED) for case in cases.cases[3:])
    return replace(cases, cases=(*cases.cases[:3], *unlabeled))


def run_of(folder: Path, **changes: Any) -> RunFolder:
    steps = {"warmup_steps": 0, "joint_steps": 6, "final_steps": 4, "validation_interval": 6}
    settings = {"generator": "none", "self_training": True, **steps, **changes}
    return small_run(folder, partly_labeled(), **settings)
