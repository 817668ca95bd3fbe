"""Large cases: prepared once into files on disk, of which a training reads patches."""

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

from GenSegLib.augmentation.morphs import Morphs
from GenSegLib.augmentation.patches import MixedPatches, PatchSampler
from GenSegLib.augmentation.policy import Policy, recolor
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.augmentation.stored import StoredSubject, stored_arrays
from GenSegLib.augmentation.subject import Subject
from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.data import case_cache, subjects
from GenSegLib.data.array_file import ArrayFile, write_arrays
from GenSegLib.data.case_cache import FOLDER, CaseCache, content_key
from GenSegLib.data.layouts import read_cases
from GenSegLib.data.subjects import load_subjects
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.images.image_io import Volume, write_image, write_label
from GenSegLib.networks.generator import Generator
from GenSegLib.networks.image_generator import Design
from GenSegLib.presets import Preset, load_preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.train import train
from Testing.training_states import differing, final_state

CPU = torch.device("cpu")
SHAPE = (36, 40, 32)
PATCH = (16, 16, 16)
ROOM = 1e12
ROOT = Path(__file__).resolve().parents[2]


def randomness(seed: int = 0) -> Randomness:
    return Randomness(torch.Generator().manual_seed(seed))


def ball(radius: float, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and label of a ball of two halves, bright on dark."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    center = np.array([18 + shift, 20, 16]).reshape(3, 1, 1, 1)
    inside = np.linalg.norm(grid - center, axis=0) <= radius
    label = inside * np.where(grid[0] < center[0], 1, 2)
    return label[np.newaxis].astype(np.float32), label


def both(folder: Path, radius: float, shift: int) -> tuple[Subject, StoredSubject]:
    """The same case in memory and on disk."""
    image, label = ball(radius, shift)
    path = folder / f"{radius}-{shift}.case"
    write_arrays(path, *stored_arrays(image, label, (1.0, 1.0, 1.0), 3, 12.0))
    stored = StoredSubject("ball", ArrayFile(path), None, CPU)
    tensors = torch.from_numpy(image), torch.from_numpy(label)
    return Subject("ball", *tensors, (1.0, 1.0, 1.0)), stored


def test_arrays_come_back_from_their_file(tmp_path: Path) -> None:
    arrays = {"a": np.arange(24, dtype=np.float16).reshape(2, 3, 4), "b": np.zeros((0, 3), "i4")}
    write_arrays(tmp_path / "file", arrays, {"spacing": [1.0, 2.5]})
    file = ArrayFile(tmp_path / "file")
    assert file.values == {"spacing": [1.0, 2.5]}
    for name, array in arrays.items():
        np.testing.assert_array_equal(file.array(name), array)


@pytest.mark.parametrize("place", [3, 30, 60, 200, -1])
def test_a_changed_byte_is_noticed_wherever_it_is(tmp_path: Path, place: int) -> None:
    path = tmp_path / "file"
    write_arrays(path, {"a": np.arange(99.0)}, {})
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        ArrayFile(path)


def test_patches_from_disk_are_those_from_memory(tmp_path: Path) -> None:
    memory, stored = both(tmp_path, 9, 3)
    for size in (PATCH, (48, 24, 24)):
        drawn = [PatchSampler([case], size).draw(randomness(), 6) for case in (memory, stored)]
        for ours, theirs in zip(*drawn):
            assert torch.equal(ours, theirs)


def test_blends_from_disk_resemble_those_from_memory(tmp_path: Path) -> None:
    pairs = [both(tmp_path, 6, -3), both(tmp_path, 9, 3)]
    in_memory, on_disk = zip(*pairs)
    of_memory = Morphs(in_memory, 3, PATCH, randomness())
    of_disk = Morphs(on_disk, 3, PATCH, randomness(), half=of_memory.half)
    of_disk.knots = of_memory.knots
    ours, theirs = (m.blends(randomness(), 6, SpatialStrength()) for m in (of_memory, of_disk))
    assert float((ours.source - theirs.source).abs().mean()) < 1e-3
    assert float((ours.labels == theirs.labels).float().mean()) > 0.98


def test_registration_of_stored_cases_lays_one_onto_the_other(tmp_path: Path) -> None:
    morphs = Morphs([both(tmp_path, 6, -3)[1], both(tmp_path, 9, 3)[1]], 3, PATCH, randomness())
    pairs = morphs.real_pairs(randomness(), 6)
    assert float(((pairs.source - pairs.images).abs() < 0.5).float().mean()) > 0.95
    assert float(((pairs.images - pairs.labels).abs() < 2e-3).float().mean()) > 0.995


def test_voxels_on_disk_are_as_many_as_in_memory(tmp_path: Path) -> None:
    memory, disk = both(tmp_path, 7.0, 2)
    _, label = ball(7.0, 2)
    assert memory.voxel_counts() == disk.voxel_counts()
    assert memory.voxel_counts() == {value: (label == value).sum() for value in (1, 2)}


def test_a_close_up_holds_the_label_and_its_surroundings(tmp_path: Path) -> None:
    memory, stored = both(tmp_path, 4, 0)
    near = stored.close_up()
    assert int((near.label > 0).sum()) == int((memory.label > 0).sum())
    assert all(9 <= size <= 9 + 40 for size in near.label.shape)


def test_coordinates_tell_where_in_the_frame_a_patch_lies(tmp_path: Path) -> None:
    cases = [both(tmp_path, 6, -3)[1], both(tmp_path, 9, 3)[1]]
    pairs = Morphs(cases, 3, PATCH, randomness(), coordinates=True).real_pairs(randomness(), 2)
    assert pairs.coordinates is not None
    assert pairs.coordinates.shape == (2, 3, *PATCH)
    assert float(pairs.coordinates.abs().max()) <= 1 + 1e-5


def test_windowed_images_stay_in_their_window() -> None:
    images = torch.rand(4, 1, *PATCH, generator=torch.Generator().manual_seed(0))
    generator = Generator(Design(2, coordinates=True, bounded=True))
    torch.nn.init.normal_(generator.head.weight)
    masks, places = torch.zeros(4, 2, *PATCH), torch.zeros(4, 3, *PATCH)
    policy = replace(Policy.of(load_preset("liver-ct")), probability=1.0)
    with torch.no_grad():
        drawn = generator(masks, images, images, places)
    for found in (drawn, recolor(images, policy, randomness())):
        assert 0 <= float(found.min()) <= float(found.max()) <= 1
        assert not torch.equal(found, images)


def test_a_share_of_the_patches_is_coarse() -> None:
    image = torch.zeros(1, *SHAPE)
    fine, coarse = (Subject("", image + k, image[0].long(), (1.0,) * 3) for k in (0, 1))
    mixed = MixedPatches(PatchSampler([fine], PATCH), PatchSampler([coarse], PATCH), 0.25)
    images, labels = mixed.draw(randomness(), 100)
    assert labels.shape == (100, 1, *PATCH)
    assert 0.15 < float(images.mean()) < 0.35


@pytest.fixture(scope="module")
def livers(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    folder = tmp_path_factory.mktemp("livers")
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    for place, (radius, shift) in enumerate([(6, -3), (9, 3), (8, 0)]):
        image, label = ball(radius, shift)
        name = f"{place}.nii.gz"
        write_image(folder / "images" / name, Volume(100 * image - 50, affine))
        write_label(folder / "labels" / name, Volume(label[np.newaxis].astype(np.int16), affine))
    return read_cases(folder)


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "LARGE", 1000)


def liver_preset(**changes: object) -> Preset:
    small = {"spacing": (6.0, 6.0, 6.0), "coarse_spacing": (12.0, 12.0, 12.0)}
    return replace(load_preset("liver-ct"), patch_size=PATCH, **{**small, **changes})


def loaded(cases: CaseSet, cache: CaseCache, told: Callable[[str], None] = str) -> list:
    return load_subjects(cases.cases, liver_preset(), [1, 2], CPU, cache, told)


def test_cases_are_prepared_once(livers: CaseSet, tmp_path: Path, all_are_large: None) -> None:
    told: list[str] = []
    first = loaded(livers, CaseCache(tmp_path / FOLDER, ROOM), told.append)
    assert [line.split(" (")[1] for line in told] == ["1 of 3)", "2 of 3)", "3 of 3)"]
    again = loaded(livers, CaseCache(tmp_path / FOLDER, ROOM), told.append)
    assert len(told) == 3
    for one, other in zip(first, again):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.label, other.label)
        assert torch.equal(one.coarse.label, other.coarse.label)


def test_small_cases_stay_in_memory(livers: CaseSet, tmp_path: Path) -> None:
    found = loaded(livers, CaseCache(tmp_path / FOLDER, ROOM))
    assert all(isinstance(case, Subject) for case in found)
    assert not (tmp_path / FOLDER).exists()


def test_another_preset_or_another_label_is_another_entry(livers: CaseSet, tmp_path: Path) -> None:
    case = livers.cases[0]
    files = (case.image, case.label)
    assert content_key(files, {"spacing": 1}) != content_key(files, {"spacing": 2})
    assert content_key(files, {}) != content_key((case.image, livers.cases[1].label), {})
    copies = [Path(shutil.copy(file, tmp_path / f"copy {k}")) for k, file in enumerate(files)]
    assert content_key(files, {}) == content_key(copies, {}), "names are no content"


def test_a_damaged_entry_is_made_anew(livers: CaseSet, tmp_path: Path, all_are_large: None) -> None:
    first = loaded(livers, CaseCache(tmp_path / FOLDER, ROOM))
    path = first[1].path
    path.write_bytes(path.read_bytes()[:-100])
    told: list[str] = []
    again = loaded(livers, CaseCache(tmp_path / FOLDER, ROOM), told.append)
    assert told == [f"case {livers.cases[1].name} is prepared and kept on disk (2 of 3)"]
    assert torch.equal(again[1].image, first[1].image)


def entry(cache: CaseCache, name: str) -> Path:
    return cache.store(name, {"a": np.zeros(1000, np.uint8)}, {}).path


def test_the_entries_unused_for_longest_make_room(tmp_path: Path) -> None:
    old = [entry(CaseCache(tmp_path, ROOM), name) for name in "abc"]
    for age, path in enumerate(old):
        os.utime(path, (1e9 + age, 1e9 + age))
    assert CaseCache(tmp_path, ROOM).find("a") is not None, "a is used: b is the oldest now"
    size = old[0].stat().st_size
    entry(CaseCache(tmp_path, 3.2 * size), "d")
    assert sorted(path.stem for path in tmp_path.glob("*.case")) == ["a", "c", "d"]


def test_a_trainings_own_entries_stay_above_the_limit(tmp_path: Path) -> None:
    cache = CaseCache(tmp_path, 10)
    for name in "abc":
        entry(cache, name)
    assert len(list(tmp_path.glob("*.case"))) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows refuses to remove what is open")
def test_an_entry_that_is_removed_stays_readable_for_who_opened_it(tmp_path: Path) -> None:
    file = CaseCache(tmp_path, ROOM).store("a", {"a": np.arange(9)}, {})
    entry(CaseCache(tmp_path, 10), "b")
    assert not file.path.exists()
    assert file.array("a").sum() == 36


def test_trainings_that_make_one_entry_at_the_same_time_agree(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=entry, args=(CaseCache(tmp_path, ROOM), "a")) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CaseCache(tmp_path, ROOM).find("a") is not None
    assert list(tmp_path.glob(".*")) == []


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000_000)
    monkeypatch.setattr(case_cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(GenSegError, match=r"needs 0\.5 GB .* 0\.1 GB are free; make room"):
        entry(CaseCache(tmp_path / FOLDER, ROOM), "a")
    assert list(tmp_path.iterdir()) == []


def liver_run(folder: Path, cases: CaseSet) -> RunFolder:
    steps = {"warmup_steps": 1, "joint_steps": 2, "final_steps": 1, "upper_every": 2}
    config = TrainConfig(**steps, segmenter="unet", validate_every=2)
    labels = {1: "Liver", 2: "Lesion"}
    held_back = replace(cases, labels=labels).with_validation(0.34, 0)
    return RunFolder.create(folder, config, liver_preset(), held_back)


class _Stop(EventLog):
    """Asks for a stop in a phase."""

    def __init__(self, run: RunFolder, phase: str) -> None:
        super().__init__(run.events_file)
        self._run, self._phase = run, phase

    def metrics(self, phase: str, step: int, **values: float) -> None:
        super().metrics(phase, step, **values)
        if phase == self._phase:
            self._run.request_stop()


def test_a_stop_in_a_training_from_disk_costs_nothing(
    livers: CaseSet, tmp_path: Path, all_are_large: None
) -> None:
    whole = liver_run(tmp_path / "whole", livers)
    train(whole, EventLog(whole.events_file))
    stopped = liver_run(tmp_path / "stopped", livers)
    train(stopped, _Stop(stopped, "joint"))
    assert stopped.read_status()["state"] == State.STOPPED.value
    train(stopped, EventLog(stopped.events_file), resume=True)
    assert differing(final_state(whole)["learner"], final_state(stopped)["learner"]) == []
    assert len(list((tmp_path / FOLDER).glob("*.case"))) == 3, "both runs share the entries"
    assert any(whole.previews.glob("*/generated_0_image.nii.gz"))


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_many_large_cases_take_the_memory_of_patches(tmp_path: Path) -> None:
    shape, limit = (160, 160, 160), 300_000_000
    image, label = np.zeros((1, *shape), np.float32), np.zeros(shape, np.uint8)
    label[60:100, 60:100, 60:100] = 1
    write_arrays(tmp_path / "case", *stored_arrays(image, label, (1.5, 1.5, 1.5), 2, 12.0))
    script = Path(__file__).with_name("limited_training.py")
    command = [sys.executable, script, tmp_path / "case", "20", str(limit)]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5 * limit
