"""Every segmenter of the registry, in two and three dimensions."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from GenSegLib.config import SEGMENTERS
from GenSegLib.errors import GenSegError
from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
from GenSegLib.networks.padded import swin_shape
from GenSegLib.networks.window_trial import require_windows
from GenSegLib.training.losses import segmentation_loss

SHAPES = {2: (32, 48), 3: (16, 32, 24)}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_maps_any_channels_to_logits_of_the_images_size(name: str, dims: int) -> None:
    shape = SHAPES[dims]
    network = build_segmenter(name, segmenter_args(name, 2, 3, dims, shape)).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 2, *shape)).shape == (1, 3, *shape)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_weight_of_a_segmenter_learns(name: str) -> None:
    shape = SHAPES[2]
    network = build_segmenter(name, segmenter_args(name, 1, 3, 2, shape)).train()
    labels = torch.randint(0, 3, (2, 1, *shape))
    segmentation_loss(network(torch.randn(2, 1, *shape)), labels).backward()
    still = [key for key, p in network.named_parameters() if p.grad is None]
    # MONAI's transformer blocks hold a norm for the cross attention that they do not use.
    assert [key for key in still if "norm_cross_attn" not in key] == []


@pytest.mark.parametrize("name", SEGMENTERS)
def test_arguments_and_target_are_plain_data(name: str) -> None:
    args = segmenter_args(name, 1, 3, 3, (32, 32, 32))
    assert json.loads(json.dumps(args)) == args
    assert segmenter_target(name).startswith(("monai.", "GenSegLib."))


def test_an_unknown_segmenter_is_refused_with_those_there_are() -> None:
    with pytest.raises(GenSegError, match=r"no segmenter is called 'vnet'; choose one of unet, "):
        segmenter_args("vnet", 1, 2, 3, (32, 32, 32))


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GenSegError, match="segmenter 'unet' cannot be built"):
        build_segmenter("unet", {"depth": 3})


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_is_tried_on_patches_without_computing(name: str, dims: int) -> None:
    shape = SHAPES[dims]
    network = build_segmenter(name, segmenter_args(name, 2, 3, dims, shape))
    require_windows(network, 2, 3, shape)
    with pytest.raises(GenSegError, match="not 4 classes of each voxel"):
        require_windows(network, 2, 4, shape)
    with pytest.raises(GenSegError, match=r"cannot take patches of .* \(channels: 1\)"):
        require_windows(network, 1, 3, shape)


def test_patches_of_which_the_coarsest_grid_is_one_voxel_are_refused() -> None:
    network = build_segmenter("dynunet", segmenter_args("dynunet", 1, 2, 3, (8, 8, 8)))
    with pytest.raises(GenSegError, match="cannot take patches of 8 x 8 x 8 voxels"):
        require_windows(network, 1, 2, (8, 8, 8))


def test_a_network_that_looks_at_values_is_not_refused_for_it() -> None:
    class Looking(nn.Conv3d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input) * float(input.mean())

    require_windows(Looking(1, 2, 1), 1, 2, (8, 8, 8))


@pytest.mark.parametrize(
    ("shape", "padded"),
    [((32, 48, 32), [64, 64, 32]), ((20, 20), [64, 64]), ((64, 64, 96), [64, 64, 96])],
)
def test_swin_unetr_pads_no_more_than_its_coarsest_grid_needs(
    shape: tuple[int, ...], padded: list[int]
) -> None:
    assert swin_shape(shape) == padded


def test_swin_unetr_has_the_published_windows_for_large_patches_alone() -> None:
    small, large = (segmenter_args("swin-unetr", 1, 2, 3, (size,) * 3) for size in (64, 96))
    assert (small["window_size"], large["window_size"]) == (4, 7)
