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
