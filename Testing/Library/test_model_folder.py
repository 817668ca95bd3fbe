from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from tiny_models import NETWORK, PRESET, save_tiny_model, tiny_metadata, tiny_state

from GenSegLib.config import SEGMENTERS
from GenSegLib.cuts import Cut
from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume
from GenSegLib.models.folder import METADATA, WEIGHTS, ModelMetadata, seal, write_bundle
from GenSegLib.models.manifest import MANIFEST
from GenSegLib.models.weights import load_segmenter, save_model
from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
from GenSegLib.prediction.sliding import segment
from GenSegLib.presets import load_preset

FILES = ("configs/inference.json", METADATA, WEIGHTS)


def test_metadata_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model", spacing=(1.0, 1.0, 1.5))
    assert ModelMetadata.load(tmp_path / "model") == metadata


@pytest.mark.parametrize(
    "entry", [{"cuts": (Cut((2, 1), "A", 0.57),)}, {"volumes": {1: (0.5, 2.25), 2: (0, 0)}}]
)
def test_what_is_known_of_the_cases_comes_back(tmp_path: Path, entry: dict[str, Any]) -> None:
    metadata = save_tiny_model(tmp_path / "model", **entry)
    assert ModelMetadata.load(tmp_path / "model") == metadata


@pytest.mark.parametrize(
    "entry",
    [
        {"cuts": [{"labels": [2, 9], "axis": "A", "share": 0.5}]},
        {"cuts": [{"labels": [2, 1], "axis": "A", "share": 7}]},
        {"cuts": [{"labels": [2, 1], "axis": "A"}]},
        {"cuts": [3]},
        {"cuts": None},
        {"volumes": {"9": [1, 2]}},
        {"volumes": {"1": [2, 1]}},
        {"volumes": {"1": [-1, 1]}},
        {"volumes": {"1": [1]}},
        {"volumes": {"1": ["1", "2"]}},
        {"volumes": {"one": [1, 2]}},
        {"volumes": [1, 2]},
    ],
)
def test_what_no_training_writes_is_one_clear_error(tmp_path: Path, entry: object) -> None:
    save_tiny_model(tmp_path / "model")
    path = tmp_path / "model" / METADATA
    values = json.loads(path.read_text(encoding="utf-8"))
    values["genseg"] |= entry
    path.write_text(json.dumps(values))
    seal(tmp_path / "model")
    with pytest.raises(GenSegError, match="is not sound"):
        ModelMetadata.load(tmp_path / "model")


def test_classes_stand_for_the_label_values_in_rising_order() -> None:
    assert tiny_metadata(labels={7: "Lesion", 2: "Liver"}).label_values == (0, 2, 7)


def test_a_loaded_segmenter_gives_what_the_saved_one_gave(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    original = build_segmenter(NETWORK, metadata.network_args).eval()
    original.load_state_dict(tiny_state(metadata.network_args))
    network, _ = load_segmenter(tmp_path / "model")
    image = torch.randn(1, 1, 16, 16, 16)
    assert not network.training
    with torch.no_grad():
        assert torch.equal(network(image), original(image))


@pytest.mark.parametrize("name", SEGMENTERS)
def test_each_segmenter_comes_back_as_trainings_build_it(tmp_path: Path, name: str) -> None:
    args = segmenter_args(name, 1, 3, 3, PRESET.patch_size)
    metadata = tiny_metadata(network=name, network_target=segmenter_target(name), network_args=args)
    state = build_segmenter(name, args).state_dict()
    save_model(tmp_path / "model", metadata, state)
    loaded, _ = load_segmenter(tmp_path / "model")
    assert all(map(torch.equal, loaded.state_dict().values(), state.values()))


def test_a_newer_model_replaces_an_older_one_whole(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", cases=3)
    save_tiny_model(tmp_path / "model", cases=4)
    assert ModelMetadata.load(tmp_path / "model").cases == 4
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_with_other_things_in_it_is_not_replaced(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    (tmp_path / "model" / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(GenSegError, match=r"thesis\.txt"):
        save_model(tmp_path / "model", metadata, tiny_state(metadata.network_args))
    assert (tmp_path / "model" / "thesis.txt").read_text(encoding="utf-8") == "irreplaceable"


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    save_tiny_model(tmp_path / "model")
    path = tmp_path / "model" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(GenSegError, match=f"{path.name} was changed or damaged"):
        load_segmenter(tmp_path / "model")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    save_tiny_model(tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(GenSegError, match=f"{Path(name).name} is missing"):
        load_segmenter(tmp_path / "model")


def test_the_manifest_covers_every_file(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / MANIFEST).read_text(encoding="utf-8"))
    found = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    names = {path.relative_to(tmp_path / "model").as_posix() for path in found}
    assert set(manifest["sha256"]) == set(FILES) == names - {MANIFEST}


@pytest.mark.parametrize("content", ["", "[]", '{"format_version": 1, "sha256": null}', "{}"])
def test_a_broken_manifest_is_one_clear_error(tmp_path: Path, content: str) -> None:
    save_tiny_model(tmp_path / "model")
    (tmp_path / "model" / MANIFEST).write_text(content)
    with pytest.raises(GenSegError, match="model"):
        load_segmenter(tmp_path / "model")


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="is no model folder"):
        ModelMetadata.load(tmp_path)


def test_a_model_of_a_newer_genseg_asks_for_an_update(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    path = tmp_path / "model" / METADATA
    values = json.loads(path.read_text(encoding="utf-8"))
    values["genseg"]["format_version"] = 99
    path.write_text(json.dumps(values))
    seal(tmp_path / "model")
    with pytest.raises(GenSegError, match="newer GenSeg"):
        ModelMetadata.load(tmp_path / "model")


@pytest.mark.parametrize("lost", ["preset", "labels", "network", "spacing"])
def test_metadata_without_an_entry_is_one_clear_error(tmp_path: Path, lost: str) -> None:
    save_tiny_model(tmp_path / "model")
    path = tmp_path / "model" / METADATA
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["genseg"][lost]
    path.write_text(json.dumps(values))
    seal(tmp_path / "model")
    with pytest.raises(GenSegError, match="not sound"):
        ModelMetadata.load(tmp_path / "model")


class Intruder:
    """Unpickling this would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, partial(pickle.dump, protocol=2)])
def test_code_in_the_weights_is_refused_and_not_run(
    tmp_path: Path, write: Callable[..., None]
) -> None:
    save_tiny_model(tmp_path / "model")
    with (tmp_path / "model" / WEIGHTS).open("wb") as stream:
        write(Intruder(tmp_path / "trace"), stream)
    seal(tmp_path / "model")
    with pytest.raises(GenSegError, match="does not hold the weights"):
        load_segmenter(tmp_path / "model")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "arguments", [{"act": "$print(1)"}, {"_target_": "os.system"}, {"act": ["relu", {"a": "@b"}]}]
)
def test_arguments_that_monai_would_run_are_refused(
    tmp_path: Path, arguments: dict[str, object]
) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    changed = {**metadata.network_args, **arguments}
    write_bundle(tmp_path / "model", replace(metadata, network_args=changed))
    with pytest.raises(GenSegError, match="is no plain value"):
        load_segmenter(tmp_path / "model")


def test_a_label_that_no_volume_can_hold_is_refused(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    write_bundle(tmp_path / "model", replace(metadata, labels={70000: "Liver", 1: "Spleen"}))
    with pytest.raises(GenSegError, match="70000"):
        ModelMetadata.load(tmp_path / "model")


def test_labels_that_the_network_has_no_classes_for_are_refused(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    write_bundle(tmp_path / "model", replace(metadata, labels={**metadata.labels, 9: "Lesion"}))
    with pytest.raises(GenSegError, match="not 4 classes of each voxel; get the model anew"):
        load_segmenter(tmp_path / "model")


def test_patches_that_the_network_cannot_take_are_refused(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    preset = replace(metadata.preset, patch_size=(1, 1, 1), multiple=1)
    write_bundle(tmp_path / "model", replace(metadata, preset=preset))
    with pytest.raises(GenSegError, match=r"cannot take patches of 1 x 1 x 1 voxels"):
        load_segmenter(tmp_path / "model")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("spacing", [1, 1]),
        ("spacing", ["a", "b", "c"]),
        ("spacing", [1, 1, -1]),
        ("cases", "ten"),
        ("validation", {"dice": "good"}),
        ("versions", 3),
        ("network_target", 5),
    ],
)
def test_an_entry_of_the_wrong_kind_is_one_clear_error(
    tmp_path: Path, entry: str, value: object
) -> None:
    values = tiny_metadata().to_json()
    values["genseg"][entry] = value
    with pytest.raises(GenSegError, match=r"metadata\.json is not sound"):
        ModelMetadata.from_json(values, tmp_path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    metadata = save_tiny_model(tmp_path / "model")
    wider = {**metadata.network_args, "channels": [8, 16]}
    write_bundle(tmp_path / "model", replace(metadata, network_args=wider))
    with pytest.raises(GenSegError, match="does not hold the weights of 'unet'"):
        load_segmenter(tmp_path / "model")


def test_metadata_loads_without_torch_monai_and_simpleitk(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    code = (
        "import sys\n"
        "for name in ('torch', 'monai', 'SimpleITK', 'scipy'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from GenSegLib.models.folder import ModelMetadata\n"
        "print(ModelMetadata.load(Path(sys.argv[1])).labels)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    root = Path(__file__).parents[2]
    result = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert result.stdout.strip() == "{1: 'Anterior', 2: 'Posterior'}"


def test_monai_builds_the_network_of_the_bundle_and_loads_its_weights(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    parser = ConfigParser()
    parser.read_config(tmp_path / "model" / "configs" / "inference.json")
    parser["bundle_root"] = str(tmp_path / "model")
    parser["device"] = "$torch.device('cpu')"
    network = parser.get_parsed_content("network")
    parser.get_parsed_content("initialize")
    image = torch.randn(1, 1, 24, 16, 16)
    with torch.no_grad():
        probabilities = parser.get_parsed_content("inferer")(image, network)
    ours = segment(load_segmenter(tmp_path / "model")[0], PRESET.patch_size, image)
    torch.testing.assert_close(torch.as_tensor(probabilities), ours)


@pytest.mark.parametrize("name", ["hippocampus-mri", "generic-mri", "generic-ct"])
def test_the_bundle_prepares_an_image_as_genseg_does(tmp_path: Path, name: str) -> None:
    preset = replace(load_preset(name), spacing=None, labels={1: "Bright"})
    write_bundle(tmp_path, tiny_metadata(preset))
    parser = ConfigParser()
    parser.read_config(tmp_path / "configs" / "inference.json")
    # LoadImaged and Orientationd need nibabel; the image is in memory and RAS already.
    del parser["preprocessing"]["transforms"][:2]
    array = np.full((1, 40, 41, 42), -1000, np.float32)
    array[:, 8:25, 8:30, 10:32] = np.random.default_rng(0).normal(60, 40, (17, 22, 22))
    ours = Preprocessor(preset).apply(Volume(array, np.eye(4))).image
    theirs = parser.get_parsed_content("preprocessing")({"image": torch.from_numpy(array)})
    np.testing.assert_allclose(np.asarray(theirs["image"]), ours, atol=1e-4)


def test_the_preset_of_a_model_is_that_it_was_trained_with(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", PRESET)
    assert ModelMetadata.load(tmp_path / "model").preset == PRESET
