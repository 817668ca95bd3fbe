"""Phantoms: synthetic cases with the sizes, intensities and layout of real ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from GenSegLib.datasets.image_io import Volume, on_same_grid, read_image
from GenSegLib.errors import GenSegError
from GenSegLib.phantoms import hippocampus, make_cases

CASES = 8


@pytest.fixture(scope="module")
def cases() -> list[tuple[Volume, Volume]]:
    return [hippocampus.generate(np.random.default_rng(seed)) for seed in range(CASES)]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.nii.gz"))
    }


# ---- hippocampus


def test_hippocampi_have_the_sizes_of_the_decathlon(cases):
    sizes = np.array([image.shape for image, _ in cases])
    assert np.all(np.abs(sizes.mean(axis=0) - (35.5, 49.7, 36.4)) < 4)
    assert all(image.spacing == (1.0, 1.0, 1.0) for image, _ in cases)
    voxels = np.array([[(label.array == k).sum() for k in (1, 2)] for _, label in cases])
    assert np.all(np.abs(voxels.mean(axis=0) - (1715, 1576)) < 450)
    assert np.all(voxels.std(axis=0) > 100), "cases differ in size"


def test_hippocampus_is_connected_with_the_anterior_label_in_front(cases):
    for _, label in cases:
        assert ndimage.label(label.array[0] > 0, np.ones((3, 3, 3)))[1] == 1
        front, back = (np.argwhere(label.array[0] == k)[:, 1] for k in (1, 2))
        assert front.min() > back.max()


def test_hippocampus_is_gray_between_fluid_and_white_matter(cases):
    for image, label in cases:
        gray = image.array[label.array > 0].mean()
        dark, bright = np.quantile(image.array, (0.02, 0.95))
        assert dark < 0.65 * gray
        assert bright > 1.5 * gray


def test_thresholding_does_not_segment_the_hippocampus(cases):
    for image, label in cases:
        inside = label.array > 0
        low, high = np.quantile(image.array[inside], (0.05, 0.95))
        found = (image.array >= low) & (image.array <= high)
        dice = 2 * (found & inside).sum() / (found.sum() + inside.sum())
        assert dice < 0.6


def test_hippocampus_shapes_vary(cases):
    def centered(label: Volume) -> np.ndarray:
        mask = label.array[0] > 0
        field = np.zeros((64, 80, 64), bool)
        points = np.argwhere(mask)
        points = points - np.round(points.mean(axis=0)).astype(int) + (32, 40, 32)
        field[tuple(points.T)] = True
        return field

    masks = [centered(label) for _, label in cases]
    overlaps = [
        2 * (a & b).sum() / (a.sum() + b.sum()) for i, a in enumerate(masks) for b in masks[:i]
    ]
    assert 0.5 < np.mean(overlaps) < 0.85


def test_hippocampus_image_has_the_statistics_of_real_cases(cases, hippocampus_statistics):
    ours = np.mean([quantiles(image.array) for image, _ in cases], axis=0)
    assert np.all(np.abs(ours - hippocampus_statistics) < 0.25)


@pytest.fixture(scope="module")
def hippocampus_statistics(hippocampus: Path) -> np.ndarray:
    images = sorted((hippocampus / "imagesTr").glob("hippocampus_*.nii.gz"))[::20]
    return np.mean([quantiles(read_image(path).array) for path in images], axis=0)


def quantiles(array: np.ndarray) -> np.ndarray:
    return np.quantile(array, (0.1, 0.25, 0.5, 0.75, 0.9)) / array.mean()


# ---- folders


def test_cases_are_written_in_the_decathlon_layout(tmp_path):
    cases = make_cases(tmp_path / "data", "hippocampus", cases=3, seed=1, test=2)
    description = json.loads((tmp_path / "data" / "dataset.json").read_text(encoding="utf-8"))
    assert description["labels"] == {"0": "background", "1": "Anterior", "2": "Posterior"}
    assert description["numTraining"] == 3
    assert len(description["test"]) == 2
    assert [case.name for case in cases.cases] == [f"hippocampus_00{k}" for k in (1, 2, 3)]
    assert cases.labels == {1: "Anterior", 2: "Posterior"}
    assert cases.modality == "MR"
    assert on_same_grid(read_image(cases.cases[0].image), read_image(cases.cases[0].label))
    for folder, count in (("imagesTr", 3), ("labelsTr", 3), ("imagesTs", 2), ("labelsTs", 2)):
        assert len(list((tmp_path / "data" / folder).iterdir())) == count


def test_the_seed_determines_all_voxels(tmp_path):
    for name, seed in (("first", 4), ("again", 4), ("other", 5)):
        make_cases(tmp_path / name, "hippocampus", cases=2, seed=seed, test=1)
    first, again, other = (digests(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_a_case_does_not_depend_on_the_number_of_cases(tmp_path):
    make_cases(tmp_path / "few", "hippocampus", cases=1, seed=2, test=1)
    make_cases(tmp_path / "more", "hippocampus", cases=3, seed=2, test=2)
    few, more = digests(tmp_path / "few"), digests(tmp_path / "more")
    assert few.items() <= more.items()
    assert len(set(more.values())) == len(more), "all cases differ"


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(GenSegError, match="already exists"):
        make_cases(tmp_path, "hippocampus", cases=1, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("anatomy", "cases", "seed", "test", "words"),
    [
        ("brain", 1, 0, 0, "unknown phantom 'brain'.*hippocampus, skin"),
        ("skin", 0, 0, 0, "at least 1 and 0"),
        ("skin", 1, 0, -1, "at least 1 and 0"),
        ("skin", 1, -3, 0, "seed -3 is negative"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, anatomy, cases, seed, test, words):
    with pytest.raises(GenSegError, match=words):
        make_cases(tmp_path / "data", anatomy, cases=cases, seed=seed, test=test)
    assert list(tmp_path.iterdir()) == []
