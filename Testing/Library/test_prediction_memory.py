"""Large volumes in little memory, held by the operating system's own limit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import PRESET, save_tiny_model

from GenSegLib.computing.memory import resident
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume, read_label, write_image
from GenSegLib.prediction.budget import Budget, sum_bytes
from GenSegLib.prediction.predict import Predictor, predict_files
from GenSegLib.prediction.windows import Windows
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
EXTRA_BYTES = 400 << 20  # address space, of which threads reserve some and use little


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(0)
    large = random.integers(-300, 300, SHAPE).astype(np.int16)
    write_image(folder / "large.nii.gz", Volume(large[np.newaxis], np.eye(4)))
    write_image(folder / "small.nii.gz", Volume(large[np.newaxis, ..., :96], np.eye(4)))
    save_tiny_model(folder / "model", MANY)
    return folder


def predict_limited(work: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = Path(__file__).with_name("limited_prediction.py")
    arguments = [str(work / "model"), str(work / "large.nii.gz"), str(out), str(EXTRA_BYTES)]
    return subprocess.run(
        [sys.executable, str(program), *arguments, *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=program.parents[2],
        env={"PYTHONPATH": str(program.parents[2]), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux alone")
def test_a_large_volume_takes_a_fraction_of_what_its_probabilities_would(
    work: Path, tmp_path: Path
) -> None:
    assert EXTRA_BYTES < DENSE_BYTES
    done = predict_limited(work, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = read_label(tmp_path / "out" / "large.nii.gz").array[..., :64]
    without_limit = read_label(tmp_path / "out" / "first" / "small.nii.gz").array[..., :64]
    assert (found == without_limit).mean() > 0.9999
    assert len(np.unique(found)) > 2


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is enforced on Linux alone")
def test_dense_probabilities_that_do_not_fit_are_refused_before_any_work(
    work: Path, tmp_path: Path
) -> None:
    done = predict_limited(work, tmp_path / "out", "--dense")
    assert "GenSegError: the probabilities of an image of 128 x 128 x 640 voxels" in done.stderr


def test_a_limit_that_is_too_small_is_told_with_what_it_takes(work: Path, tmp_path: Path) -> None:
    with pytest.raises(GenSegError) as fault:
        predict_files(
            work / "model",
            [work / "large.nii.gz"],
            tmp_path / "out",
            device="cpu",
            max_memory=64 << 20,
        )
    text = str(fault.value)
    assert text.startswith(str(work / "large.nii.gz"))
    assert "the segmentation of an image of 128 x 128 x 640 voxels would take 228 MB more" in text
    assert "of 64 MB are left; allow more with --max-memory" in text


def test_half_precision_holds_the_sums_where_memory_is_short(work: Path) -> None:
    # Sums of gigabytes, which nothing allocates: what the process itself takes or gives back
    # between two looks at its memory does not matter beside them.
    windows = Windows((512, 512, 1024), (64, 64, 64), along=2)
    full, half = (sum_bytes(12, windows, kind) for kind in (torch.float32, torch.float16))
    held = resident()
    assert Budget(held + 2 * full, 0).precision(12, windows) == torch.float32
    assert Budget(held + (full + half) // 2, 0).precision(12, windows) == torch.float16
    with pytest.raises(GenSegError, match="a slab of 12 classes would take"):
        Budget(held + half // 2, 0).precision(12, windows)


def test_the_volume_is_not_modified(work: Path) -> None:
    random = np.random.default_rng(1)
    array = random.integers(-300, 300, (1, 70, 66, 80)).astype(np.int16)
    before = array.copy()
    Predictor(work / "model", "cpu").predict(Volume(array, np.eye(4)))
    assert (array == before).all()
