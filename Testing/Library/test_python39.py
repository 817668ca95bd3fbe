"""3D Slicer 5.8 brings Python 3.9: what it loads must run there."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from imports import LIGHT, ROOT

FILES = [file for room in ("GenSegLib", "GenSegSlicer") for file in (ROOT / room).rglob("*.py")]
NEWER_ARGUMENTS = {"zip": {"strict"}, "dataclass": {"slots", "kw_only"}, "field": {"kw_only"}}
NEWER_NAMES = {"pairwise", "get_type_hints", "TypeAlias", "ParamSpec", "Self", "StrEnum", "tomllib"}
TYPES = {"bool", "bytes", "dict", "float", "int", "list", "str", "tuple", "type", "object", "None"}

USE_THE_LIGHT_PART = """
import importlib, pathlib, sys, tempfile
try:
    import numpy
except ImportError:
    from unittest.mock import MagicMock
    sys.modules["numpy"] = sys.modules["numpy.typing"] = MagicMock()
for name in sys.argv[1:]:
    importlib.import_module(f"GenSegLib.{name}")
from GenSegLib.cases import Case, CaseSet
from GenSegLib.config import TrainConfig, parse_setting
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
preset = load_preset("hippocampus-mri")
config = TrainConfig.for_preset(preset, "quick", **dict([parse_setting("time_budget_s=none")]))
assert TrainConfig.from_json(config.to_json()) == config
with tempfile.TemporaryDirectory() as folder:
    pair = (pathlib.Path(folder, "a.nrrd"), pathlib.Path(folder, "b.nrrd"))
    cases = CaseSet((Case("a", *pair),), dict(preset.labels), preset.modality)
    RunFolder.create(pathlib.Path(folder, "run"), config, preset, cases)
    assert RunFolder.open(pathlib.Path(folder, "run")).config == config
"""


def shown(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def newer_features(source: str) -> Iterator[str]:
    """What of a source would only be found out when it runs on Python 3.9."""
    tree = ast.parse(source, feature_version=(3, 9))
    annotations = set()
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            annotations |= {id(inner) for inner in ast.walk(part)} if part else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {keyword.arg for keyword in node.keywords}
            yield from (f"{called}({name}=)" for name in given & NEWER_ARGUMENTS.get(called, set()))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            named = {ast.unparse(side) for side in (node.left, node.right)}
            if id(node) not in annotations and named & TYPES:
                yield f"{ast.unparse(node)} at run time"
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in NEWER_NAMES)


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_a_file_uses_nothing_that_is_newer_than_python_3_9(file: Path) -> None:
    assert list(newer_features(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "newer",
    [
        "zip(a, b, strict=True)",
        "isinstance(a, float | int)",
        "Radius = float | Array",
        "Found = Node | None",
        "from itertools import pairwise",
        "@dataclass(frozen=True, slots=True)\nclass A: ...",
    ],
)
def test_a_newer_feature_would_be_noticed(newer: str) -> None:
    assert len(list(newer_features(newer))) == 1


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_annotations_are_never_evaluated(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert "from __future__ import annotations" in source or " | " not in source


def find_python39() -> str | None:
    """The interpreter that GENSEG_PYTHON39 names, or one that is on the path or in pyenv."""
    named = os.environ.get("GENSEG_PYTHON39")
    installed = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    for candidate in (named, *installed, shutil.which("python3.9")):
        if candidate and _answers(str(candidate)):
            return str(candidate)
    return None


def _answers(python: str) -> bool:
    code = "import sys; assert sys.version_info[:2] == (3, 9)"
    return subprocess.run([python, "-c", code], capture_output=True, timeout=60).returncode == 0


def test_the_light_part_works_on_a_real_python_3_9() -> None:
    python = find_python39()
    if python is None:
        pytest.skip("no Python 3.9 here; GENSEG_PYTHON39 names one")
    modules = [name for name in LIGHT if name not in ("cli", "commands")]
    done = subprocess.run(
        [python, "-B", "-c", USE_THE_LIGHT_PART, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
