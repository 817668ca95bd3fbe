"""Large volumes are predicted in little memory, under a limit of the operating system."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import PRESET, save_tiny_model

from GenSegLib.computing.memory import resident_bytes
from GenSegLib.datasets.image_io import Volume, read_label, write_image
from GenSegLib.errors import GenSegError
from GenSegLib.prediction.memory_budget import MemoryBudget, accumulator_bytes
from GenSegLib.prediction.predict import Predictor, predict_files
from GenSegLib.prediction.sliding_window import SlidingWindows
from GenSegLib.presets import Intensity

SHAPE = (128, 128, 640)
LABELS = {value: f"Part {value}" for value in range(1, 12)}
MANY = replace(
    PRESET,
    labels=LABELS,
    colors={},
    terminology={},
    modality="CT",
    intensity=Intensity("window", -200, 200),
    patch_size=(128, 128, 32),
)
DENSE_BYTES = 12 * 4 * 128 * 128 * 640  # of the probabilities alone
EXTRA_BYTES = 400 << 20  # of address space, which threads reserve more of than they use


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(0)
    large = random.integers(-300, 300, SHAPE).astype(np.int16)
    write_image(folder / "large.nii", Volume(large[np.newaxis], np.eye(4)))
    write_image(folder / "small.nii", Volume(large[np.newaxis, ..., :96], np.eye(4)))
    save_tiny_model(folder / "model", MANY)
    return folder


def predict_limited(work: Path, out: Path) -> subprocess.CompletedProcess[str]:
    program = Path(__file__).with_name("limited_prediction.py")
    arguments = [work / "model", work / "large.nii", out, EXTRA_BYTES]
    return subprocess.run(
        [sys.executable, str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=program.parents[2],
        env={"PYTHONPATH": str(program.parents[2]), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux alone")
def test_a_large_volume_needs_less_memory_than_its_probabilities(
    work: Path, tmp_path: Path
) -> None:
    assert EXTRA_BYTES < DENSE_BYTES
    done = predict_limited(work, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = read_label(tmp_path / "out" / "limited" / "large.nii.gz").array[..., :64]
    without_limit = read_label(tmp_path / "out" / "first" / "small.nii.gz").array[..., :64]
    assert (found == without_limit).mean() > 0.9999
    assert len(np.unique(found)) > 2


@pytest.mark.parametrize(
    ("probabilities", "limit_mb", "purpose"),
    [(False, 64, "segmentation"), (True, 400, "probabilities")],
)
def test_a_too_small_limit_is_an_error_with_the_memory_needed_before_any_work(
    work: Path, tmp_path: Path, probabilities: bool, limit_mb: int, purpose: str
) -> None:
    image, limit = work / "large.nii", resident_bytes() + (limit_mb << 20)
    options = {"max_memory": limit, "probabilities": probabilities, "device": "cpu"}
    needed = rf"^{image}: predicting the {purpose} of an image of 128 x 128 x 640 voxels needs "
    with pytest.raises(GenSegError, match=rf"{needed}\d.*are left; raise --max-memory"):
        predict_files(work / "model", [image], tmp_path / "out", **options)


def test_short_memory_selects_half_precision(work: Path) -> None:
    # gigabytes that nothing allocates, so that changes of the process's own memory do not matter
    windows = SlidingWindows((512, 512, 1024), (64, 64, 64), along=2)
    full, half = (accumulator_bytes(12, windows, kind) for kind in (torch.float32, torch.float16))
    held = resident_bytes()
    assert MemoryBudget(held + 2 * full, 0).precision(12, windows) == torch.float32
    assert MemoryBudget(held + (full + half) // 2, 0).precision(12, windows) == torch.float16
    with pytest.raises(GenSegError, match="a slab of 12 classes needs"):
        MemoryBudget(held + half // 2, 0).precision(12, windows)


def test_the_volume_is_not_modified(work: Path) -> None:
    random = np.random.default_rng(1)
    array = random.integers(-300, 300, (1, 70, 66, 80)).astype(np.int16)
    before = array.copy()
    Predictor(work / "model", "cpu").predict(Volume(array, np.eye(4)))
    assert (array == before).all()
