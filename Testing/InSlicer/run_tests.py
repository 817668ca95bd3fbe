"""Runs the tests of the Slicer module in a real 3D Slicer, and ends it with their exit code.

    PythonSlicer -m pip install pytest hypothesis
    Slicer --testing --no-splash --additional-module-paths GenSegSlicer
           --python-script Testing/InSlicer/run_tests.py [pytest's arguments]

in the repository's folder, on one line. The tests that train and apply models need what the
module's *Install* button brings as well; they say so where it is missing. Without arguments the
whole suite runs but for what is about the desktop host itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import slicer

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "Testing" / "Slicer"
NOT_HERE = ("test_host*.py", "test_in_slicer.py", "test_walls.py", "test_panel_opening.py")


def run(arguments: list[str]) -> int:
    """Run pytest in this process and give its exit code."""
    try:
        import pytest
    except ImportError:
        print("pytest is not installed: PythonSlicer -m pip install pytest hypothesis")
        return 2
    asked = arguments or [str(SUITE), *(f"--ignore-glob=*/{name}" for name in NOT_HERE)]
    # The application's standard output is no file: pytest shall capture Python's alone.
    options = ["--capture=sys", "--color=no", "-p", "no:faulthandler", "-p", "no:cacheprovider"]
    return int(
        pytest.main(
            [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", *options, *asked]
        )
    )


if __name__ == "__main__":
    slicer.util.exit(run(sys.argv[1:]))
