"""Selection of the next case to annotate: strategies, features, and `genseg next`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import genseg
from tiny_models import PRESET, save_bright_model, save_tiny_model

from GenSegLib.annotation.strategies import STRATEGIES, at_random, most_different
from GenSegLib.datasets.image_io import Volume, write_image, write_label
from GenSegLib.files import write_json
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.prediction.case_features import FeatureExtractor
from GenSegLib.prediction.case_ranking import entropy_near

Capture = pytest.CaptureFixture[str]
SIZE = (16, 16, 16)


def image_of(noise: float, seed: int) -> Volume:
    """A bright ball on a background with noise."""
    rng = np.random.default_rng(seed)
    x, y, z = np.indices(SIZE) - 7.5
    array = np.where(x**2 + y**2 + z**2 < 16, 10.0, 0.0) + noise * rng.normal(size=SIZE)
    return Volume(array[None].astype(np.float32), np.eye(4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labeled clean images, two more clean ones, and a noisy one."""
    path = tmp_path_factory.mktemp("next")
    for number, noise in enumerate((0.1, 0.1, 0.1, 5.0, 0.1)):
        write_image(path / "images" / f"scan_{number}.nii.gz", image_of(noise, number))
    label = Volume((image_of(0, 0).array > 5).astype(np.int16), np.eye(4))
    cases = []
    for number in (0, 1):
        write_label(path / f"label_{number}.nii.gz", label)
        image, drawn = f"images/scan_{number}.nii.gz", f"label_{number}.nii.gz"
        cases.append({"name": f"scan_{number}", "image": image, "label": drawn})
    write_json(path / "cases.json", {"labels": {"1": "Bright"}, "cases": cases})
    preset = replace(PRESET, labels={}, colors={}, terminology={})
    save_bright_model(path / "bright", replace(preset, labels={1: "Bright"}))
    save_tiny_model(path / "tiny", replace(preset, labels={1: "Bright"}))
    return path


def selected(capsys: Capture, *arguments: object) -> dict:
    capsys.readouterr()
    assert genseg("next", *arguments, "--json") == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_images_may_be_in_a_list(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    """Thousands of paths are too long for a command line on Windows."""
    images = [folder / "images" / f"scan_{number}.nii.gz" for number in (4, 3)]
    entries = [{"name": str(k), "image": str(image)} for k, image in enumerate(images)]
    write_json(tmp_path / "new.json", {"cases": entries})
    for arguments in ([tmp_path / "new.json"], images):
        found = selected(capsys, folder / "bright", *arguments, "--count", 9)
        assert [case["name"] for case in found["cases"]] == ["scan_4", "scan_3"]
        assert [case["images"] for case in found["cases"]] == [[str(image)] for image in images]


def test_the_most_different_case_is_the_farthest_from_the_labeled_ones() -> None:
    labeled = np.array([[0.0, 0], [1, 0]])
    pool = np.array([[0.5, 0], [0, 9.0], [0, 8.9], [6.0, 0]])
    order = [index for index, _ in most_different(pool, labeled, 3)]
    assert order == [3, 1, 0]  # 2 is near 1, which is selected by then


def test_the_first_case_of_all_is_the_most_central_one() -> None:
    pool = np.array([[0.0], [5], [10]])
    (first, _), *_ = most_different(pool, np.zeros((0, 1)), 3)
    assert first == 1


def test_more_cases_than_there_are_cannot_be_selected() -> None:
    pool = np.array([[0.0], [0.0]])
    assert sorted(index for index, _ in most_different(pool, pool[:1], 5)) == [0, 1]


def test_a_random_order_depends_on_names_and_seed_alone() -> None:
    names = ["c", "a", "b", "d", "e"]
    assert at_random(names, 1) == at_random(sorted(names), 1)
    assert at_random(names, 1) != at_random(names, 2)


def test_entropy_far_from_the_segmentation_does_not_count() -> None:
    label = np.zeros((20, 20, 20), np.int16)
    label[5:8, 5:8, 5:8] = 1
    entropy = np.zeros(label.shape, np.float32)
    entropy[15:] = 1
    assert entropy_near(entropy, label, (1, 1, 1)) == 0
    assert entropy_near(entropy, np.zeros_like(label), (1, 1, 1)) == 1  # nothing was found


def test_features_are_alike_for_images_that_are_alike(folder: Path) -> None:
    extract = FeatureExtractor(folder / "tiny", "cpu")
    clean, other, noisy = (extract(image_of(noise, 9)) for noise in (0.1, 0.2, 5.0))
    assert np.linalg.norm(clean - other) < 0.5 * np.linalg.norm(clean - noisy)


def test_features_of_a_slice_wise_model_cover_its_slices(tmp_path: Path) -> None:
    preset = replace(
        *(PRESET,), spatial_dims=2, patch_size=(16, 16), spacing=(1.0, 1.0), context_slices=1
    )
    save_tiny_model(tmp_path / "model", preset)
    features = FeatureExtractor(tmp_path / "model", "cpu")(image_of(1, 0))
    assert features.shape == (16,)  # mean and spread of 8 channels
    assert np.isfinite(features).all()


def test_the_different_image_is_selected_and_labeled_ones_are_left_out(
    folder: Path, capsys: Capture
) -> None:
    arguments = folder / "tiny", folder / "images", "--labeled", folder / "cases.json"
    found = selected(capsys, *arguments, "--strategy", "different", "--count", 9)
    names = [case["name"] for case in found["cases"]]
    assert names[0] == "scan_3"
    assert sorted(names) == ["scan_2", "scan_3", "scan_4"]
    assert found["hint"] == STRATEGIES["different"].hint


def test_the_image_with_an_unsure_segmentation_is_selected(folder: Path, capsys: Capture) -> None:
    found = selected(capsys, folder / "bright", folder / "images", "--strategy", "unsure")
    assert [case["name"] for case in found["cases"]] == ["scan_3"]
    assert 0 < found["cases"][0]["score"] <= 1


def test_an_image_that_cannot_be_read_is_named_and_skipped(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    images = folder / "images" / "scan_2.nii.gz", tmp_path / "broken.nii.gz"
    found = selected(capsys, folder / "tiny", *images, "--strategy", "different",
                     "--labeled", folder / "cases.json")  # fmt: skip
    assert [case["name"] for case in found["cases"]] == ["scan_2"]
    assert "broken.nii.gz" in found["skipped"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strategy", "different"), "specify them with --labeled"),
        (("--count", "0"), "--count must be 1 or more"),
        (("--labeled", "cases.json", "images/scan_0.nii.gz"), "all 1 images are already labeled"),
    ],
)
def test_errors_say_what_to_do(
    folder: Path, capsys: Capture, arguments: tuple[str, ...], message: str
) -> None:
    *options, last = arguments
    images = [folder / last] if last.startswith("images") else [folder / "images"]
    options = options if last.startswith("images") else [*options, last]
    given = [folder / each if each.endswith(".json") else each for each in options]
    assert genseg("next", folder / "tiny", *images, *given) == 2
    assert message in capsys.readouterr().err


def test_an_image_without_contrast_is_not_worth_annotating(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A model is uncertain everywhere in it."""
    flat = np.full((1, *SIZE), 7, np.float32)
    write_image(tmp_path / "flat.nii.gz", Volume(flat, np.eye(4)))
    images = folder / "images" / "scan_3.nii.gz", tmp_path / "flat.nii.gz"
    found = selected(capsys, folder / "bright", *images, "--strategy", "unsure")
    assert [Path(each["images"][0]).name for each in found["cases"]] == ["scan_3.nii.gz"]
    assert "flat.nii.gz: all voxels have the same value" in found["skipped"][0]


def test_a_model_of_other_channels_skips_the_image_with_the_reason(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    preset = replace(ModelMetadata.load(folder / "tiny").preset, channels=2)
    save_tiny_model(tmp_path / "model", preset)
    arguments = tmp_path / "model", folder / "images", "--labeled", folder / "cases.json"
    assert genseg("next", *arguments, "--strategy", "different") == 2
    assert "has 1 channel, but the model expects 2" in capsys.readouterr().err
