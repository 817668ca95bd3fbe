"""A locale with a decimal comma."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import tiny_cases

from GenSegLib.datasets.image_io import read_image

ROOT = Path(__file__).parents[2]
WORK = """
import locale, sys
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
assert locale.localeconv()["decimal_point"] == ","
sys.path[:0] = ["Testing/Faults", "."]
from pathlib import Path
from GenSegLib.datasets.image_io import read_image, read_label, write_image
from tiny_training import tiny_run, trained
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.reports import write_report
folder = Path(sys.argv[1])
cases = read_cases(folder / "cases").with_validation(0.3, 0)
image = read_image(cases.cases[0].image)
for ending in ("nii.gz", "nrrd", "mha", "nii"):
    write_image(folder / f"again.{ending}", image)
run = trained(tiny_run(folder / "run", cases, generator="none", segmenter_lr=1.5e-3))
assert run.read_status()["state"] == "finished"
write_report(run)
"""


@pytest.fixture
def german(tmp_path: Path) -> dict[str, str]:
    """The environment of a German system; the locale is compiled for the test."""
    if shutil.which("localedef") is None:
        pytest.skip("there is no localedef")
    folder = tmp_path / "locales"
    folder.mkdir()
    made = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    if subprocess.run(made, capture_output=True, check=False).returncode > 1:
        pytest.skip("the German locale cannot be compiled")
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE.UTF-8", "OMP_NUM_THREADS": "1"}


def test_images_and_trainings_do_not_depend_on_the_decimal_separator(
    tmp_path: Path, german: dict[str, str]
) -> None:
    tiny_cases(tmp_path / "cases")
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path)],
        env=german,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    whole = read_image(tmp_path / "cases" / "images" / "case_0.nii.gz")
    for ending in ("nii.gz", "nrrd", "mha", "nii"):
        again = read_image(tmp_path / f"again.{ending}")
        assert (again.array == whole.array).all(), ending
        assert again.affine == pytest.approx(whole.affine), ending
    assert '"segmenter_lr": 0.0015' in (tmp_path / "run" / "config.json").read_text("utf-8")
