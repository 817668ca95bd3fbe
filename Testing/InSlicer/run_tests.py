"""Run the tests of the Slicer module in a real 3D Slicer, and exit with pytest's code.

In the repository's folder, on one line:

    PythonSlicer -m pip install pytest hypothesis jsonschema
    Slicer --testing --no-splash --additional-module-paths GenSegSlicer
           --python-script Testing/InSlicer/run_tests.py [pytest arguments]

Tests that train and apply models also need the packages of the module's *Install* button and are
skipped without them. By default all tests run except those of the desktop host. Slicer takes a
first argument that ends in `.py` as its script: start with an option, such as `-q`.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import slicer

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "Testing" / "Slicer"
PACKAGES = ("pytest", "hypothesis", "jsonschema")
NOT_HERE = ("test_in_slicer.py", "test_panel_imports.py", "test_panel_opening.py")


def run(arguments: list[str]) -> int:
    """Run pytest in this process and return its exit code."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        print(f"Missing packages, no test was run: PythonSlicer -m pip install {' '.join(missing)}")
        return 2
    import pytest

    _report_missing_of_the_product()
    arguments = arguments or [str(SUITE), *(f"--ignore-glob=*/{name}" for name in NOT_HERE)]
    # The application's standard output is not a file: let pytest capture Python's alone.
    options = ["--capture=sys", "--color=no", "-p", "no:faulthandler", "-p", "no:cacheprovider"]
    configuration = [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}"]
    return int(pytest.main([*configuration, *options, *arguments]))


def _report_missing_of_the_product() -> None:
    """Say whether skipped tests are due to packages that *Install...* has not installed yet."""
    sys.path.append(str(ROOT / "GenSegSlicer"))
    from GenSegSlicerLib.Dependencies import missingPackages

    missing = ", ".join(missingPackages()) or "none"
    print(f"Packages of GenSeg that are missing (see Install... in the panel): {missing}")


if __name__ == "__main__":
    slicer.util.exit(run(sys.argv[1:]))
