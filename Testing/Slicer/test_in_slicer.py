"""The runner for a real Slicer, tried in the desktop host: it finds and runs the same tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def run_in_application(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", APPLICATION, "Testing/InSlicer/run_tests.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "Testing")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_same_tests_run_in_the_application() -> None:
    done = run_in_application("Testing/Slicer/test_sample_data.py", "-k", "offered or damaged")
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_application_ends_with_the_code_of_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_fault.py").write_text("def test_fault() -> None:\n    assert False\n")
    done = run_in_application(str(tmp_path / "test_fault.py"))
    assert "1 failed" in done.stdout
    assert done.returncode == 1
