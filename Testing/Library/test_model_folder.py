"""Model folders: round trips, older formats, and corrupted or untrusted files."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data.meta_tensor import MetaTensor
from tiny_models import NETWORK, PRESET, save_tiny_model, tiny_metadata, tiny_state
from whole_images import predict_probabilities

from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.datasets.image_io import Volume
from GenSegLib.errors import GenSegError
from GenSegLib.models import manifest
from GenSegLib.models.folder import (
    FILES,
    METADATA,
    WEIGHTS,
    ModelMetadata,
    write_manifest,
    write_model_files,
)
from GenSegLib.models.manifest import MANIFEST
from GenSegLib.models.weights import load_segmenter, save_model
from GenSegLib.networks import build_segmenter
from GenSegLib.prediction.predict import Predictor
from GenSegLib.prediction.sliding_window import SlidingWindows
from GenSegLib.presets import load_preset

MODELS = Path(__file__).parents[1] / "Models"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_tiny_model(tmp_path / "model")
    return tmp_path / "model"


def edit(folder: Path, removed: str = "", **entries: Any) -> None:
    """Change entries of a model's metadata and update the checksums."""
    path = folder / METADATA
    values = json.loads(path.read_text(encoding="utf-8"))
    values["genseg"] |= entries
    values["genseg"].pop(removed, None)
    path.write_text(json.dumps(values), encoding="utf-8")
    write_manifest(folder)


# ---- round trips


def test_metadata_are_unchanged_after_saving_and_loading(tmp_path: Path) -> None:
    known = {"spacing": (1.0, 1.0, 1.5), "volumes": {1: (0.5, 2.25), 2: (0, 0)}}
    metadata = save_tiny_model(tmp_path, **known)
    assert ModelMetadata.load(tmp_path) == metadata


def test_classes_are_the_label_values_in_ascending_order() -> None:
    assert tiny_metadata(labels={7: "Lesion", 2: "Liver"}).label_values == (0, 2, 7)


def test_a_loaded_segmenter_computes_what_the_saved_one_did(model: Path) -> None:
    metadata = ModelMetadata.load(model)
    original = build_segmenter(NETWORK, metadata.network_args).eval()
    original.load_state_dict(tiny_state(metadata.network_args))
    network, _ = load_segmenter(model)
    image = torch.randn(1, 1, 16, 16, 16)
    assert not network.training
    with torch.no_grad():
        assert torch.equal(network(image), original(image))


def test_saving_replaces_an_older_model_but_no_other_content(model: Path) -> None:
    metadata = save_tiny_model(model, cases=4)
    assert ModelMetadata.load(model).cases == 4
    (model / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(GenSegError, match=r"thesis\.txt"):
        save_model(model, metadata, tiny_state(metadata.network_args))
    assert (model / "thesis.txt").read_text() == "irreplaceable"


# ---- formats


@pytest.mark.parametrize("folder", sorted(MODELS.glob("format-*")), ids=lambda path: path.name)
def test_models_of_older_formats_still_segment(folder: Path) -> None:
    image = np.zeros((1, 16, 16, 16), np.float32)
    image[0, 4:12, 4:12, 4:12] = 100
    prediction = Predictor(folder, "cpu").predict(Volume(image, np.eye(4)))
    np.testing.assert_array_equal(prediction.label.array > 0, image > 0)


def test_the_cuts_of_older_models_are_ignored(model: Path) -> None:
    expected = ModelMetadata.load(model)
    edit(model, format_version=3, cuts=[{"labels": [2, 1], "axis": "A", "share": 0.57}])
    assert ModelMetadata.load(model) == expected


def test_older_models_have_no_record_of_their_training(model: Path) -> None:
    edit(model, removed="training", format_version=4)
    assert ModelMetadata.load(model).notes == ()


def test_migrations_convert_older_metadata(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ModelMetadata.load(model)
    edit(model, removed="cases", labeled=expected.cases)

    def rename(values: dict[str, Any]) -> dict[str, Any]:
        return {"cases" if key == "labeled" else key: value for key, value in values.items()}

    monkeypatch.setattr(manifest, "MIGRATIONS", (*manifest.MIGRATIONS, rename))
    assert ModelMetadata.load(model) == expected


@pytest.mark.parametrize(
    ("version", "message"), [(0, "version is missing"), ("1", "is missing"), (99, "newer GenSeg")]
)
def test_unknown_formats_are_an_error(model: Path, version: object, message: str) -> None:
    edit(model, format_version=version)
    with pytest.raises(GenSegError, match=message):
        ModelMetadata.load(model)


# ---- corrupted files


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_detected(model: Path, name: str) -> None:
    path = model / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(GenSegError, match=f"{path.name} was modified or is corrupted"):
        load_segmenter(model)


def test_a_missing_or_unlisted_file_is_named(model: Path) -> None:
    path = model / MANIFEST
    values = json.loads(path.read_text(encoding="utf-8"))
    assert set(values["sha256"]) == set(FILES)
    del values["sha256"][WEIGHTS]
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(GenSegError, match=r"model\.pt was modified"):
        load_segmenter(model)
    (model / WEIGHTS).unlink()
    with pytest.raises(GenSegError, match=r"model\.pt is missing"):
        load_segmenter(model)


@pytest.mark.parametrize("content", ["", "[]", '{"format_version": 1, "sha256": null}'])
def test_a_corrupted_manifest_and_a_folder_without_a_model_are_named(
    model: Path, tmp_path: Path, content: str
) -> None:
    (model / MANIFEST).write_text(content)
    with pytest.raises(GenSegError, match="model"):
        load_segmenter(model)
    with pytest.raises(GenSegError, match="is not a model folder"):
        ModelMetadata.load(tmp_path)


@pytest.mark.parametrize(
    "entries",
    [
        *({"removed": name} for name in ("preset", "labels", "spacing")),
        *(
            {"volumes": value}
            for value in ({"9": [1, 2]}, {"1": [2, 1]}, {"1": ["1", "2"]}, [1, 2])
        ),
        *({"spacing": value} for value in ([1, 1], ["a", "b", "c"], [1, 1, -1])),
        {"cases": "ten"},
        {"validation": {"dice": "good"}},
        {"versions": 3},
        {"network_target": 5},
        {"labels": {"70000": "Liver", "1": "Spleen"}},
    ],
    ids=str,
)
def test_invalid_metadata_are_one_clear_error(model: Path, entries: dict[str, Any]) -> None:
    edit(model, **entries)
    with pytest.raises(GenSegError, match=r"metadata\.json is invalid"):
        ModelMetadata.load(model)


# ---- untrusted models


class Exploit:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, partial(pickle.dump, protocol=2)])
def test_code_in_the_weights_is_not_run(
    model: Path, tmp_path: Path, write: Callable[..., None]
) -> None:
    with (model / WEIGHTS).open("wb") as stream:
        write(Exploit(tmp_path / "trace"), stream)
    write_manifest(model)
    with pytest.raises(GenSegError, match="does not contain weights"):
        load_segmenter(model)
    assert not (tmp_path / "trace").exists()


def test_code_in_a_configuration_is_not_run(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "format-1", tmp_path / "model")
    code = {"network": f"$__import__('pathlib').Path({str(tmp_path / 'trace')!r}).touch()"}
    (tmp_path / "model" / "configs" / "inference.json").write_text(json.dumps(code))
    write_manifest(tmp_path / "model")
    load_segmenter(tmp_path / "model")
    (tmp_path / "model" / MANIFEST).unlink()
    with pytest.raises(GenSegError, match="MONAI bundle from another program"):
        load_segmenter(tmp_path / "model")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "arguments", [{"act": "$print(1)"}, {"_target_": "os.system"}, {"act": ["relu", {"a": "@b"}]}]
)
def test_network_arguments_that_monai_would_evaluate_are_refused(
    model: Path, arguments: dict[str, object]
) -> None:
    edit(model, network_args={**ModelMetadata.load(model).network_args, **arguments})
    with pytest.raises(GenSegError, match="must be plain values"):
        load_segmenter(model)


@pytest.mark.parametrize("channels", [[4, 1 << 40], [3000, 3000], [4, 2.5]])
def test_a_network_larger_than_its_weights_is_not_allocated(
    model: Path, channels: list[object]
) -> None:
    edit(model, network_args={**ModelMetadata.load(model).network_args, "channels": channels})
    with pytest.raises(GenSegError, match=r"network larger than its weights|cannot be built"):
        load_segmenter(model)


def test_a_network_that_does_not_fit_its_labels_patches_or_weights_is_refused(model: Path) -> None:
    metadata = ModelMetadata.load(model)
    wider = {**metadata.network_args, "channels": [4, 4]}
    small = replace(metadata.preset, patch_size=(1, 1, 1), multiple=1)
    for changes, message in (
        ({"labels": {**metadata.labels, 9: "Lesion"}}, "4 classes.*get a new copy"),
        ({"preset": small}, "1 x 1 x 1 voxels"),
        ({"network_args": wider}, "does not contain weights for 'unet'"),
    ):
        write_model_files(model, replace(metadata, **changes))
        with pytest.raises(GenSegError, match=message):
            load_segmenter(model)


# ---- as a MONAI bundle


def test_monai_builds_the_network_and_loads_its_weights(model: Path) -> None:
    parser = ConfigParser()
    parser.read_config(model / "configs" / "inference.json")
    parser["bundle_root"] = str(model)
    parser["device"] = "$torch.device('cpu')"
    network = parser.get_parsed_content("network")
    parser.get_parsed_content("initialize")
    image = torch.randn(1, 1, 24, 16, 16)
    with torch.no_grad():
        probabilities = parser.get_parsed_content("inferer")(image, network)
    windows = SlidingWindows((24, 16, 16), PRESET.patch_size)
    expected = predict_probabilities(load_segmenter(model)[0], windows, image)
    torch.testing.assert_close(torch.as_tensor(probabilities), expected)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", ["hippocampus-mri", "generic-mri", "generic-ct"])
def test_the_bundle_preprocesses_images_as_genseg_does(
    tmp_path: Path, name: str, dims: int
) -> None:
    preset = replace(load_preset(name), spacing=None, labels={1: "Bright"})
    if dims == 2:
        patch = preset.patch_size[:2]
        preset = replace(preset, spatial_dims=2, patch_size=patch, coarse_spacing=None)
    write_model_files(tmp_path, tiny_metadata(preset))
    parser = ConfigParser()
    parser.read_config(tmp_path / "configs" / "inference.json")
    # LoadImaged and Orientationd need nibabel; the image is in memory and RAS already.
    del parser["preprocessing"]["transforms"][:2]
    array = np.full((1, 40, 41, 42), -1000, np.float32)
    array[:, 8:25, 8:30, 10:32] = np.random.default_rng(0).normal(60, 40, (17, 22, 22))
    expected = Preprocessor(preset).apply(Volume(array, np.eye(4))).image
    actual = parser.get_parsed_content("preprocessing")({"image": torch.from_numpy(array)})
    np.testing.assert_allclose(np.asarray(actual["image"]), expected, atol=1e-4)


def test_the_bundle_of_a_2d_model_resamples_within_slices_alone(tmp_path: Path) -> None:
    spacing = {"spacing": (2.0, 1.6), "patch_size": (32, 32), "multiple": 16}
    write_model_files(tmp_path, tiny_metadata(replace(PRESET, spatial_dims=2, **spacing)))
    parser = ConfigParser()
    parser.read_config(tmp_path / "configs" / "inference.json")
    del parser["preprocessing"]["transforms"][:2]
    affine = np.diag([1, 1, 7, 1])
    image = MetaTensor(torch.randn(1, 60, 50, 9), affine=affine)
    actual = parser.get_parsed_content("preprocessing")({"image": image})["image"]
    expected = Preprocessor(replace(PRESET, spatial_dims=2, **spacing))
    assert actual.shape == expected.apply(Volume(image.numpy(), affine)).image.shape
    assert actual.shape[3] == 9
