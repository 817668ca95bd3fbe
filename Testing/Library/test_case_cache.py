"""Large cases: preprocessed once to files on disk, from which a training reads patches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from GenSegLib.augmentation.pairs import PairSampler
from GenSegLib.augmentation.patches import MixedSpacingSampler, PatchSampler
from GenSegLib.augmentation.policy import AugmentationPolicy, augment_intensity
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.data import case_cache, case_loading
from GenSegLib.data.case_cache import FOLDER, CacheEntry, CaseCache, content_key
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.data.stored_case import StoredCase, case_arrays
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.datasets.image_io import Volume, write_image, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.networks.image_generator import GeneratorConfig
from GenSegLib.networks.searchable import SearchableGenerator
from GenSegLib.presets import Preset, load_preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.train import train
from Testing.training_states import differing, final_state

pytestmark = pytest.mark.usefixtures("few_channels")

CPU = torch.device("cpu")
SHAPE = (36, 40, 32)
PATCH = (16, 16, 16)
UNLIMITED = 1e12
ROOT = Path(__file__).resolve().parents[2]


def ball(radius: float, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and label of a bright ball of two halves."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    center = np.array([18 + shift, 20, 16]).reshape(3, 1, 1, 1)
    inside = np.linalg.norm(grid - center, axis=0) <= radius
    label = inside * np.where(grid[0] < center[0], 1, 2)
    return label[np.newaxis].astype(np.float32), label


def both(folder: Path, radius: float, shift: int) -> tuple[InMemoryCase, StoredCase]:
    """The same case in memory and on disk."""
    image, label = ball(radius, shift)
    content = case_arrays(image, label, (1.0, 1.0, 1.0), 3, 12.0)
    entry = CaseCache(folder, UNLIMITED).store(f"{radius}-{shift}", *content)
    tensors = torch.from_numpy(image), torch.from_numpy(label)
    return InMemoryCase("ball", *tensors, (1.0, 1.0, 1.0)), StoredCase("ball", entry, None, CPU)


def test_arrays_and_values_round_trip(tmp_path: Path) -> None:
    arrays = {"a": np.arange(24, dtype=np.float16).reshape(2, 3, 4), "b": np.zeros((0, 3), "i4")}
    CaseCache(tmp_path, UNLIMITED).store("key", arrays, {"spacing": [1.0, 2.5]})
    entry = CaseCache(tmp_path, UNLIMITED).find("key")
    assert entry is not None
    assert entry.values == {"spacing": [1.0, 2.5]}
    for name, array in arrays.items():
        assert entry.shape(name) == array.shape
        np.testing.assert_array_equal(entry.array(name), array)


def test_patches_from_disk_equal_those_from_memory(tmp_path: Path) -> None:
    in_memory, stored = both(tmp_path, 9, 3)
    for size in (PATCH, (48, 24, 24)):
        ours, theirs = (
            PatchSampler([case], size).sample(RandomGenerator(0), 6) for case in (in_memory, stored)
        )
        assert all(map(torch.equal, ours, theirs))


def test_blended_pairs_from_disk_resemble_those_from_memory(tmp_path: Path) -> None:
    in_memory, on_disk = zip(both(tmp_path, 6, -3), both(tmp_path, 9, 3))
    memory_sampler = PairSampler(in_memory, 3, PATCH, RandomGenerator(0))
    disk_sampler = PairSampler(
        on_disk, 3, PATCH, RandomGenerator(0), half_size=memory_sampler.half_size
    )
    disk_sampler.displacements = memory_sampler.displacements
    ours, theirs = (
        sampler.blended_pairs(RandomGenerator(0), 6, SpatialStrength())
        for sampler in (memory_sampler, disk_sampler)
    )
    assert float((ours.source - theirs.source).abs().mean()) < 1e-3
    assert float((ours.labels == theirs.labels).float().mean()) > 0.98


def test_stored_cases_are_registered(tmp_path: Path) -> None:
    cases = [both(tmp_path, 6, -3)[1], both(tmp_path, 9, 3)[1]]
    sampler = PairSampler(cases, 3, PATCH, RandomGenerator(0))
    pairs = sampler.real_pairs(RandomGenerator(0), 6)
    assert float(((pairs.source - pairs.images).abs() < 0.5).float().mean()) > 0.95
    assert float(((pairs.images - pairs.labels).abs() < 2e-3).float().mean()) > 0.995


def test_voxel_counts_and_foreground_are_those_of_the_label(tmp_path: Path) -> None:
    in_memory, stored = both(tmp_path, 4, 0)
    _, label = ball(4, 0)
    assert in_memory.voxel_counts() == stored.voxel_counts()
    assert in_memory.voxel_counts() == {value: (label == value).sum() for value in (0, 1, 2)}
    region = stored.read_box(stored.foreground_box())
    assert int((region.label > 0).sum()) == int((in_memory.label > 0).sum())
    assert all(9 <= size <= 9 + 40 for size in region.label.shape)


def test_windowed_images_stay_in_their_window() -> None:
    images = torch.rand(4, 1, *PATCH, generator=torch.Generator().manual_seed(0))
    network = SearchableGenerator(GeneratorConfig(2, bounded=True))
    torch.nn.init.normal_(network.head.weight)
    masks = torch.zeros(4, 2, *PATCH)
    noise = torch.randn(4, network.noise_channels, *PATCH)
    policy = replace(AugmentationPolicy.for_preset(load_preset("liver-ct")), probability=1.0)
    with torch.no_grad():
        generated = network(masks, images, noise, images)
    for result in (generated, augment_intensity(images, policy, RandomGenerator(0))):
        assert 0 <= float(result.min()) <= float(result.max()) <= 1
        assert not torch.equal(result, images)


def test_a_fraction_of_the_patches_is_coarse() -> None:
    image = torch.zeros(1, *SHAPE)
    fine, coarse = (InMemoryCase("", image + k, image[0].long(), (1.0,) * 3) for k in (0, 1))
    mixed = MixedSpacingSampler(PatchSampler([fine], PATCH), PatchSampler([coarse], PATCH), 0.25)
    images, labels = mixed.sample(RandomGenerator(0), 100)
    assert labels.shape == (100, 1, *PATCH)
    assert 0.15 < float(images.mean()) < 0.35


@pytest.fixture(scope="module")
def livers(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    folder = tmp_path_factory.mktemp("livers")
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    for index, (radius, shift) in enumerate([(6, -3), (9, 3), (8, 0)]):
        image, label = ball(radius, shift)
        name = f"{index}.nii.gz"
        write_image(folder / "images" / name, Volume(100 * image - 50, affine))
        write_label(folder / "labels" / name, Volume(label[np.newaxis].astype(np.int16), affine))
    return read_cases(folder)


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_loading, "LARGE", 1000)


def liver_preset(**changes: object) -> Preset:
    small = {"spacing": (6.0, 6.0, 6.0), "coarse_spacing": (12.0, 12.0, 12.0)}
    return replace(load_preset("liver-ct"), patch_size=PATCH, **{**small, **changes})


def load(cases: CaseSet, cache: CaseCache, log: Callable[[str], None] = str) -> list:
    return load_training_cases(
        cases.cases, liver_preset(), {1: "Liver", 2: "Lesion"}, CPU, cache, log
    )


def test_cases_are_preprocessed_once(livers: CaseSet, tmp_path: Path, all_are_large: None) -> None:
    messages: list[str] = []
    first = load(livers, CaseCache(tmp_path / FOLDER, UNLIMITED), messages.append)
    assert [line.split(" (")[1] for line in messages] == ["1 of 3)", "2 of 3)", "3 of 3)"]
    again = load(livers, CaseCache(tmp_path / FOLDER, UNLIMITED), messages.append)
    assert len(messages) == 3
    for one, other in zip(first, again):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.label, other.label)
        assert torch.equal(one.coarse.label, other.coarse.label)


def test_small_cases_stay_in_memory(livers: CaseSet, tmp_path: Path) -> None:
    loaded = load(livers, CaseCache(tmp_path / FOLDER, UNLIMITED))
    assert all(isinstance(case, InMemoryCase) for case in loaded)
    assert not (tmp_path / FOLDER).exists()


def test_the_key_depends_on_content_and_settings_but_not_on_names(
    livers: CaseSet, tmp_path: Path
) -> None:
    case = livers.cases[0]
    files = (case.image, case.label)
    assert content_key(files, {"spacing": 1}) != content_key(files, {"spacing": 2})
    assert content_key(files, {}) != content_key((case.image, livers.cases[1].label), {})
    copies = [Path(shutil.copy(file, tmp_path / f"copy {k}")) for k, file in enumerate(files)]
    assert content_key(files, {}) == content_key(copies, {})


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_entry_is_created_again(
    livers: CaseSet, tmp_path: Path, all_are_large: None, damage: str
) -> None:
    first = load(livers, CaseCache(tmp_path / FOLDER, UNLIMITED))
    expected = first[1].image
    file = first[1].path / "image.npy"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    messages: list[str] = []
    again = load(livers, CaseCache(tmp_path / FOLDER, UNLIMITED), messages.append)
    assert messages == [f"case {livers.cases[1].name} was preprocessed and cached (2 of 3)"]
    assert torch.equal(again[1].image, expected)


def store(cache: CaseCache, name: str) -> CacheEntry:
    return cache.store(name, {"a": np.zeros(1000, np.uint8)}, {})


def keys(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.case"))


def test_the_least_recently_used_entries_are_removed(tmp_path: Path) -> None:
    for age, name in enumerate("abc"):
        os.utime(store(CaseCache(tmp_path, UNLIMITED), name).path, (1e9 + age, 1e9 + age))
    assert CaseCache(tmp_path, UNLIMITED).find("a") is not None, "now b is the oldest"
    store(CaseCache(tmp_path, 3.9 * 1128), "d")
    assert keys(tmp_path) == ["a", "c", "d"]


def test_entries_in_use_are_kept_above_the_limit(tmp_path: Path) -> None:
    cache = CaseCache(tmp_path, 10)
    store(CaseCache(tmp_path, 10), "used by another training")
    os.utime(store(cache, "own").path, (1e9, 1e9))
    store(cache, "new")
    assert keys(tmp_path) == ["new", "own", "used by another training"]


def test_entries_of_older_versions_are_removed(tmp_path: Path) -> None:
    (tmp_path / "old.case").write_bytes(bytes(1000))
    os.utime(tmp_path / "old.case", (1e9, 1e9))
    store(CaseCache(tmp_path, 10), "new")
    assert keys(tmp_path) == ["new"]


def test_trainings_may_store_the_same_entry_at_the_same_time(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=store, args=(CaseCache(tmp_path, UNLIMITED), "a")) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CaseCache(tmp_path, UNLIMITED).find("a") is not None
    assert list(tmp_path.glob(".*")) == []


def test_a_full_disk_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000_000)
    monkeypatch.setattr(case_cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(GenSegError, match=r"needs 0\.5 GB, but only 0\.1 GB are free"):
        store(CaseCache(tmp_path / FOLDER, UNLIMITED), "a")
    assert list(tmp_path.iterdir()) == []


def liver_run(folder: Path, cases: CaseSet) -> RunFolder:
    steps = {"warmup_steps": 1, "joint_steps": 2, "final_steps": 1, "upper_interval": 2}
    config = TrainConfig(**steps, segmenter="unet", validation_interval=2)
    cases = replace(cases, labels={1: "Liver", 2: "Lesion"}).with_validation(0.34, 0)
    return RunFolder.create(folder, config, liver_preset(), cases)


class _StopInPhase(EventLog):
    """Requests a stop in a phase."""

    def __init__(self, run: RunFolder, phase: str) -> None:
        super().__init__(run.events_file)
        self._run, self._phase = run, phase

    def metrics(self, phase: str, step: int, **values: float) -> None:
        super().metrics(phase, step, **values)
        if phase == self._phase:
            self._run.request_stop()


def test_a_stopped_training_from_disk_is_resumed_exactly(
    livers: CaseSet, tmp_path: Path, all_are_large: None
) -> None:
    whole = liver_run(tmp_path / "whole", livers)
    train(whole, EventLog(whole.events_file))
    stopped = liver_run(tmp_path / "stopped", livers)
    train(stopped, _StopInPhase(stopped, "joint"))
    assert stopped.read_status()["state"] == State.STOPPED.value
    train(stopped, EventLog(stopped.events_file), resume=True)
    assert differing(final_state(whole)["learner"], final_state(stopped)["learner"]) == []
    assert len(keys(tmp_path / FOLDER)) == 3, "both runs share the entries"
    assert any(whole.previews.glob("*/generated_0_image.nii.gz"))


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_many_large_cases_need_the_memory_of_patches(tmp_path: Path) -> None:
    shape, limit = (160, 160, 160), 300_000_000
    image, label = np.zeros((1, *shape), np.float32), np.zeros(shape, np.uint8)
    label[60:100, 60:100, 60:100] = 1
    content = case_arrays(image, label, (1.5, 1.5, 1.5), 2, 12.0)
    entry = CaseCache(tmp_path, UNLIMITED).store("case", *content)
    script = Path(__file__).with_name("limited_training.py")
    command = [sys.executable, script, entry.path, "20", str(limit)]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5 * limit
