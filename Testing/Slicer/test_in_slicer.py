"""The test runner for a real Slicer, run in the desktop host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from GenSegSlicerLib import Dependencies
from imports import ROOT, imports_of
from InSlicer import run_tests
from InSlicer.run_tests import NOT_HERE, SUITE

# An application with a module PythonQt, which exits with the code of the runner
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


def test_the_tests_for_slicer_need_no_host_and_keep_the_users_settings() -> None:
    files = [p for p in SUITE.glob("test_*.py") if not any(p.match(name) for name in NOT_HERE)]
    assert len(files) > 30
    for path in files:
        packages = {name.split(".")[0] for name in imports_of(path)}
        assert not packages & {"Host", "PySide6"}, path.name
        assert "QSettings().clear()" not in path.read_text(encoding="utf-8"), path.name


def test_the_runner_runs_the_tests_and_exits_with_their_code(tmp_path: Path) -> None:
    failing = tmp_path / "test_failing.py"
    failing.write_text("def test_offered() -> None:\n    assert False\n", encoding="utf-8")
    chosen = "offered or registered_once"
    arguments = ["Testing/Slicer/test_sample_data.py", str(failing), "-k", chosen]
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, "Testing/InSlicer/run_tests.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "Testing")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert " passed" in done.stdout, done.stdout
    assert done.returncode == 1


def test_packages_that_the_tests_lack_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_tests, "find_spec", lambda name: None if name == "hypothesis" else name)
    assert run_tests.run(["--version"]) == 2
    assert "no test was run: PythonSlicer -m pip install hypothesis" in capsys.readouterr().out


def test_packages_that_the_panel_lacks_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Dependencies, "missingPackages", lambda: ["torch", "monai"])
    assert run_tests.run(["--version"]) == 0
    assert "missing (see Install... in the panel): torch, monai" in capsys.readouterr().out
