"""Fixtures of all suites: real data if available, and tiny cases; the list of slow tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.datasets.image_io import Volume, write_image, write_label

# reproducible sums, and one core per test process
os.environ.setdefault("OMP_NUM_THREADS", "1")

# test files with whole training runs or many processes, left out by `make test-quick`
SLOW = {
    *("test_cli_training", "test_training", "test_self_training", "test_ablations", "test_export"),
    *("test_recovery", "test_faults", "test_places", "test_fuzz"),
    *("test_locale", "test_private_and_offline", "test_self_test", "test_panel_journey"),
    *("test_panel_runs", "test_panel_apply", "test_training_job", "test_training_faults"),
    *("test_panel_annotate", "test_annotation_loop", "test_annotation_faults"),
    *("test_problem", "test_convolution", "test_prediction_memory", "test_feedback"),
    *("test_case_cache", "test_tuning", "test_memory_format", "test_prefetcher", "test_averages"),
    *("test_warm_start", "test_warm_start_command", "test_partial_training", "test_serving"),
    *("test_planned_trainings", "test_appearance_search", "test_live", "test_apply_job"),
}

DATA = Path(
    os.environ.get("GENSEG_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files."""
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _as_installed() -> Iterator[None]:
    """Start other programs in the environment of users, without developer packages."""
    folder = str(Path(__file__).with_name("as_installed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def few_channels() -> Iterator[None]:
    """Build U-Net, generator and discriminator with few channels, in the tests of a file."""
    from Testing.Faults.tiny_training import few_channels

    with few_channels():
        yield


def _data_folder(name: str) -> Path:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing; GENSEG_TEST_DATA specifies another folder of test data")
    return folder


@pytest.fixture(scope="session")
def hippocampus() -> Path:
    """The 208 hippocampus MR crops in the Decathlon's layout; skips if missing."""
    return _data_folder("hippocampus")


@pytest.fixture(scope="session")
def abdomen() -> Path:
    """Abdominal CT and MR volumes and a DICOM series; skips if missing."""
    return _data_folder("abdomen")


def draw_tiny_pair(seed: int = 0, shape: tuple[int, int, int] = (12, 10, 8)) -> tuple[Volume, ...]:
    """An image of noise with a two-part bright block, and the label of its parts 1 and 2."""
    random = np.random.default_rng(seed)
    label = np.zeros((1, *shape), np.int16)
    x, y, z = (length // 4 + int(random.integers(0, 2)) for length in shape)
    label[0, x : 2 * x, y : 3 * y, z : 3 * z] = 1
    label[0, 2 * x : 3 * x, y : 3 * y, z : 3 * z] = 2
    image = (random.normal(100, 10, label.shape) + 50 * label).astype(np.float32)
    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    affine[:3, 3] = -5.0, 7.0, 20.0
    return Volume(image, affine), Volume(label, affine)


@pytest.fixture
def tiny_pair() -> tuple[Volume, ...]:
    """A tiny image and its label."""
    return draw_tiny_pair()


@pytest.fixture
def write_tiny_cases(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes `count` tiny cases as `images` and `labels` and returns the folder."""

    def write(count: int = 3, *, folder: str = "cases", suffix: str = ".nii.gz") -> Path:
        root = tmp_path / folder
        for k in range(count):
            image, label = draw_tiny_pair(seed=k)
            write_image(root / "images" / f"case_{k}{suffix}", image)
            write_label(root / "labels" / f"case_{k}{suffix}", label)
        return root

    return write
