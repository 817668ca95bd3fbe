"""The runner for a real Slicer, tried in the desktop host: it finds and runs the same tests."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from InSlicer.run_tests import NOT_HERE, SUITE

ROOT = Path(__file__).resolve().parents[2]

# The application has a module PythonQt and ends with the code that it is told.
APPLICATION = """
import runpy, sys, types
import Host
Host.install()
sys.modules["PythonQt"] = types.ModuleType("PythonQt")
import slicer
slicer.util.exit = sys.exit
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

RUN_THERE = sorted(
    path for path in SUITE.glob("test_*.py") if not any(path.match(name) for name in NOT_HERE)
)


@pytest.mark.parametrize("path", RUN_THERE, ids=lambda path: path.name)
def test_tests_for_the_application_neither_need_the_host_nor_harm_the_users_settings(
    path: Path,
) -> None:
    source = path.read_text(encoding="utf-8")
    assert not {"Host", "PySide6"} & set(_imported(source))
    assert "QSettings().clear()" not in source


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_same_tests_run_in_the_application_which_ends_with_their_code(tmp_path: Path) -> None:
    fault = tmp_path / "test_fault.py"
    fault.write_text("def test_offered() -> None:\n    assert False\n", encoding="utf-8")
    asked = ["Testing/Slicer/test_sample_data.py", str(fault), "-k", "offered or damaged"]
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, "Testing/InSlicer/run_tests.py", *asked],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "Testing")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
