"""Exported models compute what the original does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name
import torch
from command_line import genseg
from grids import make_affine
from monai.bundle import ConfigParser
from PIL import Image
from tiny_models import PRESET, save_bright_model, tiny_metadata, tiny_state

from GenSegLib.config import PRETRAINABLE
from GenSegLib.datasets.image_io import Volume, on_same_grid, read_label, write_image
from GenSegLib.errors import GenSegError
from GenSegLib.models import export_bundle, export_onnx
from GenSegLib.models.folder import ModelMetadata, write_model_files
from GenSegLib.models.weights import load_segmenter, save_model
from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
from GenSegLib.networks.slice_wise import SliceWise
from GenSegLib.presets import Preset, load_preset

SHORT = {
    "unet": {"channels": [4, 8, 16, 32], "num_res_units": 1},
    "dynunet": {"filters": [4, 8, 16, 32]},
    "dual-dynunet": {"filters": [4, 8, 16, 32]},
    "segresnet": {"init_filters": 8},
    "attention-unet": {"channels": [4, 8, 16, 32]},
    "unetr": {"feature_size": 4, "hidden_size": 24, "mlp_dim": 48, "num_heads": 2},
    "swin-unetr": {"feature_size": 12, "depths": [2, 1, 1, 1]},
    "swin-unet": {"embedding": 12, "heads": [1, 2, 3]},
    "deeplab": {"widths": [8, 8, 16]},
}
CLEANED = replace(PRESET, largest_component=True, fill_holes=True)
PICTURES: dict[str, Any] = {
    **{"unit": "px", "spacing": (1.0, 1.0), "patch_size": (32, 32)},
    **{"multiple": 16, "batch_dice": False},
}
SLICES = replace(PRESET, spatial_dims=2, patch_size=(16, 16), spacing=None, mirror_axes=())


def save_model_of(name: str, folder: Path, preset: Preset = CLEANED, **changes: Any) -> Path:
    """A narrow network of the registry with random weights."""
    dims, channels = preset.spatial_dims, preset.input_channels
    args = {**segmenter_args(name, channels, 3, dims, preset.patch_size), **SHORT.get(name, {})}
    torch.manual_seed(0)
    metadata = tiny_metadata(
        preset, network=name, network_target=segmenter_target(name), network_args=args, **changes
    )
    save_model(folder, metadata, build_segmenter(name, args).state_dict())
    return folder


def export(*arguments: object) -> int:
    return genseg("export", *arguments)


@pytest.mark.parametrize("name", SHORT)
def test_onnxruntime_computes_what_the_model_does(tmp_path: Path, name: str) -> None:
    model = save_model_of(name, tmp_path / "model")
    difference, any_size = export_onnx.export_onnx(model, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    network, _ = load_segmenter(model)
    image = torch.randn(2, 1, 24 if any_size else 16, 16, 16)
    (found,) = session.run(None, {"image": image.numpy()})
    with torch.no_grad():
        wanted = torch.softmax(network(image), dim=1)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert difference < 1e-4
    assert any_size == (name not in ("unetr", "swin-unetr", "swin-unet"))


@pytest.mark.parametrize("context", [0, 1])
@pytest.mark.parametrize("name", ["dynunet", "unet"])
def test_a_2d_network_is_exported_as_one_of_volumes_with_any_number_of_slices(
    tmp_path: Path, name: str, context: int
) -> None:
    preset = replace(SLICES, context_slices=context)
    model = save_model_of(name, tmp_path / "model", preset)
    _, any_size = export_onnx.export_onnx(model, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    network = SliceWise(load_segmenter(model)[0], context)
    for slices in (1, 2, 9):
        image = torch.randn(2, 1, 32 if any_size else 16, 16, slices)
        (found,) = session.run(None, {"image": image.numpy()})
        with torch.no_grad():
            wanted = torch.softmax(network(image), dim=1)
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["dynunet", "segresnet"])
def test_onnx_is_accurate_on_images_with_much_air(tmp_path: Path, name: str) -> None:
    patch = (32, 48, 32)
    model = save_model_of(name, tmp_path / "model", replace(PRESET, patch_size=patch))
    export_onnx.export_onnx(model, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    network, _ = load_segmenter(model)
    image = torch.full((1, 1, *patch), -1.5)
    image[:, :, :16] = torch.randn(1, 1, 16, 48, 32)
    (found,) = session.run(None, {"image": image.numpy()})
    with torch.no_grad():
        wanted = torch.softmax(network(image), dim=1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_onnx_file_describes_the_preprocessing(tmp_path: Path) -> None:
    model = save_model_of("unet", tmp_path / "model")
    export_onnx.export_onnx(model, tmp_path / "a.onnx")
    written = onnx.load(tmp_path / "a.onnx")
    own = json.loads({prop.key: prop.value for prop in written.metadata_props}["genseg"])
    assert own["labels"] == {"1": "Anterior", "2": "Posterior"}
    assert own["preset"]["spacing"] == [1.0, 1.0, 1.0]
    assert own["preset"]["intensity"] == {"kind": "zscore"}


def test_an_onnx_file_that_differs_is_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model_of("unet", tmp_path / "model")
    run = export_onnx.OnnxSession.__call__
    monkeypatch.setattr(export_onnx.OnnxSession, "__call__", lambda *args: run(*args) + 0.01)
    assert export(model, "--format", "onnx", "--out", tmp_path / "a.onnx") == 2
    assert "differs from the model by 0.01 and was discarded" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_bundle_that_differs_is_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model_of("unet", tmp_path / "model")
    other = tiny_metadata(network_args=load_segmenter(model)[1].network_args)
    weights = tiny_state(other.network_args, seed=1)
    copy = export_bundle.shutil.copyfile

    def replace_weights(source: Path, target: Path) -> None:
        copy(source, target)
        torch.save(weights, target)

    monkeypatch.setattr(export_bundle.shutil, "copyfile", replace_weights)
    assert export(model, "--out", tmp_path / "bundle") == 2
    assert "was discarded" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


@pytest.mark.parametrize("name", ["unetr", "deeplab", "swin-unet", "dual-dynunet"])
def test_the_source_of_networks_outside_monai_is_included(tmp_path: Path, name: str) -> None:
    model = save_model_of(name, tmp_path / "model")
    (tmp_path / "bundle").mkdir()
    assert export_bundle.export_bundle(model, tmp_path / "bundle") == 0
    config = json.loads((tmp_path / "bundle/configs/inference.json").read_text(encoding="utf-8"))
    assert config["network_def"]["_target_"].startswith("scripts.")
    assert "GenSegLib" not in json.dumps(config)
    assert "scripts" not in sys.modules


@pytest.mark.parametrize("name", list(dict.fromkeys(PRETRAINABLE.values())))
def test_a_network_with_a_pretrained_encoder_is_exported(tmp_path: Path, name: str) -> None:
    preset = replace(SLICES, patch_size=(64, 64), multiple=32)
    model = save_model_of(name, tmp_path / "model", preset)
    (tmp_path / "bundle").mkdir()
    assert export_bundle.export_bundle(model, tmp_path / "bundle") == 0
    difference, any_size = export_onnx.export_onnx(model, tmp_path / "a.onnx")
    assert difference < 1e-3 and any_size


def test_code_in_the_network_target_is_not_run(tmp_path: Path) -> None:
    model, trace = save_model_of("unet", tmp_path / "model"), tmp_path / "trace"
    target = f"$__import__('pathlib').Path({str(trace)!r}).touch()"
    write_model_files(model, replace(ModelMetadata.load(model), network_target=target))
    assert export(model, "--format", "bundle", "--out", tmp_path / "bundle") == 0
    assert not trace.exists()


# `python -m monai.bundle run` in several folders, so that MONAI is imported once
RUN_BUNDLES = """
import os, runpy, sys
sys.path[:0] = [""]
folders, options = sys.argv[1:], ["--dataset_dir", "../images", "--output_dir", "../theirs"]
for folder in folders:
    os.chdir(folder)
    sys.argv = ["bundle", "run", "--config_file", "configs/inference.json", *options]
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    for name in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
        del sys.modules[name]  # each bundle has its own
"""
BUNDLES = {
    "3d": CLEANED,
    "3d-any-scanner": CLEANED.for_any_scanner(),
    "2d": replace(SLICES, orientation="ASR"),
    "2d-context": replace(SLICES, context_slices=1, patch_size=(32, 32)),
}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with a model, its bundle, an image, and what MONAI makes of it without GenSeg."""
    work = tmp_path_factory.mktemp("bundled")
    image = np.random.default_rng(0).normal(100, 20, (1, 26, 17, 22)).astype(np.float32)
    affine = make_affine("PIR", (1, 1, 1), (10, -20, 15), (12, -34, 56))
    for name, preset in BUNDLES.items():
        labels = {2: "Anterior", 5: "Posterior"}
        model = save_model_of("dynunet", work / name / "model", preset, labels=labels)
        write_image(work / name / "images" / "scan.nii.gz", Volume(image, affine))
        assert export(model, "--out", work / name / "bundle") == 0
    done = subprocess.run(
        [sys.executable, "-c", RUN_BUNDLES, *(work / name / "bundle" for name in BUNDLES)],
        cwd=work,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return work


@pytest.mark.parametrize("name", BUNDLES)
def test_monai_runs_a_bundle_and_segments_like_genseg(bundled: Path, name: str) -> None:
    folder = bundled / name
    arguments = ["predict", folder / "model", folder / "images", "--out", folder / "ours"]
    assert genseg(*arguments, "--device", "cpu", "--exact") == 0  # as MONAI computes
    ours = read_label(folder / "ours" / "scan.nii.gz")
    theirs = read_label(folder / "theirs" / "scan_seg.nii.gz")
    assert set(np.unique(ours.array)) == {0, 2, 5}
    assert on_same_grid(ours, theirs)
    assert np.count_nonzero(ours.array != theirs.array) <= 5


def test_a_bundle_is_still_a_model_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model_of("unet", tmp_path / "model")
    assert export(model, "--out", tmp_path / "bundle") == 0
    assert load_segmenter(tmp_path / "bundle")[1] == load_segmenter(model)[1]
    assert "probabilities: 0.0e+00" in capsys.readouterr().out
    readme = (tmp_path / "bundle" / "docs" / "README.md").read_text(encoding="utf-8")
    assert "python -m monai.bundle run" in readme
    assert "1 Anterior, 2 Posterior" in readme


def test_errors_are_raised_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there.onnx").write_bytes(b"old")
    assert export(tmp_path, "--format", "onnx", "--out", tmp_path / "a.pt") == 2
    assert "must end with .onnx" in capsys.readouterr().err
    assert export(tmp_path, "--format", "onnx", "--out", tmp_path / "there.onnx") == 2
    assert "already exists" in capsys.readouterr().err
    assert export(tmp_path, "--out", tmp_path / "bundle") == 2
    assert "is not a model folder" in capsys.readouterr().err
    monkeypatch.setattr(export_onnx, "find_spec", lambda name: None)
    with pytest.raises(GenSegError, match="pip install onnx onnxruntime"):
        export_onnx.export_onnx(tmp_path, tmp_path / "a.onnx")


def run_bundle(bundle: Path, images: Path, out: Path) -> None:
    """What `python -m monai.bundle run` does, in this process."""
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    places = {"bundle_root": bundle, "dataset_dir": images, "output_dir": out}
    for key, path in places.items():
        parser[key] = str(path)
    parser["device"] = "$torch.device('cpu')"
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")


def both_predictions(folder: Path, preset: Preset, name: str = "a") -> tuple[Any, Any]:
    """Labels of the picture in a folder's images by genseg, and by an exported bundle."""
    save_bright_model(folder / "model", preset)
    assert export(folder / "model", "--out", folder / "bundle") == 0
    run_bundle(folder / "bundle", folder / "images", folder / "theirs")
    arguments = [folder / "model", folder / "images", "--out", folder / "ours"]
    assert genseg("predict", *arguments, "--device", "cpu", "--exact") == 0
    ours = np.asarray(Image.open(folder / "ours" / "a.png"))
    assert (ours[10, 40], ours[30, 10]) == (1, 0)
    return ours, np.asarray(Image.open(folder / "theirs" / f"{name}_seg.png"))


@pytest.mark.parametrize("long_side", [0.0, 28.0])
@pytest.mark.parametrize("border", [0, 24])
def test_a_bundle_of_pictures_segments_them_like_genseg(
    tmp_path: Path, long_side: float, border: int
) -> None:
    preset = replace(load_preset("generic-2d-color"), **PICTURES, long_side=long_side)
    pixels = np.full((40, 56, 3), 60, np.uint8)
    pixels[4:20, 30:50] = 220
    pixels = np.pad(pixels, ((0, 0), (0, border), (0, 0)))
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    Image.fromarray(pixels[::-1, ::-1]).save(tmp_path / "images" / "a.png", exif=exif)
    ours, theirs = both_predictions(tmp_path, preset)
    allowed = 1 if long_side else 0  # pixels at corners, where images are interpolated
    assert np.count_nonzero(theirs != ours) <= allowed


@pytest.mark.parametrize("channels", [1, 2])
def test_a_bundle_of_gray_pictures_of_16_bits_segments_them_like_genseg(
    tmp_path: Path, channels: int
) -> None:
    preset = replace(load_preset("generic-2d"), **PICTURES, channels=channels)
    pixels = np.full((40, 56), 1000, np.uint16)
    pixels[4:20, 30:50] = 40000
    names = ["a"] if channels == 1 else ["a_0000", "a_0001"]
    (tmp_path / "images").mkdir()
    for name in names:
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
    ours, theirs = both_predictions(tmp_path, preset, names[0])
    np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_bundle_refuses_colors_of_16_bits_of_which_it_would_read_8(
    tmp_path: Path, suffix: str
) -> None:
    """A picture of 12 bits would have 16 shades; `genseg predict` reads all bits."""
    save_bright_model(tmp_path / "model", replace(load_preset("generic-2d-color"), **PICTURES))
    assert export(tmp_path / "model", "--out", tmp_path / "bundle") == 0
    (tmp_path / "images").mkdir()
    colors = np.full((40, 56, 3), 1000, np.uint16)
    sitk.WriteImage(
        sitk.GetImageFromArray(colors, isVector=True), str(tmp_path / "images" / f"a{suffix}")
    )
    with pytest.raises(Exception) as caught:
        run_bundle(tmp_path / "bundle", tmp_path / "images", tmp_path / "theirs")
    lines = "".join(traceback.format_exception(caught.type, caught.value, caught.tb)).splitlines()
    text = f"a{suffix}: colors of 16 bits, of which this pipeline would read 8; convert"
    assert any(text in line for line in lines)


def test_a_bundle_of_several_channels_reads_a_file_per_channel(tmp_path: Path) -> None:
    preset = replace(PRESET, channels=2, largest_component=False)
    model = save_model_of("dynunet", tmp_path / "model", preset)
    rng, affine = np.random.default_rng(0), make_affine("LPS", (1, 1, 1))
    for k in range(2):
        image = rng.normal(100, 20, (1, 16, 24, 16)).astype(np.float32)
        write_image(tmp_path / "images" / f"a_000{k}.nii.gz", Volume(image, affine))
    assert export(model, "--out", tmp_path / "bundle") == 0
    run_bundle(tmp_path / "bundle", tmp_path / "images", tmp_path / "theirs")
    arguments = [model, tmp_path / "images", "--out", tmp_path / "ours"]
    assert genseg("predict", *arguments, "--device", "cpu", "--exact") == 0
    ours = read_label(tmp_path / "ours" / "a.nii.gz")
    theirs = read_label(tmp_path / "theirs" / "a_0000_seg.nii.gz")
    assert np.count_nonzero(ours.array != theirs.array) <= 5
