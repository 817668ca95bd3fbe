"""Every segmenter of the registry, in two and three dimensions."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from GenSegLib.config import PRETRAINABLE, SEGMENTERS
from GenSegLib.errors import GenSegError
from GenSegLib.networks import build_segmenter, segmenter_args, segmenter_target
from GenSegLib.networks.padded import swin_shape
from GenSegLib.networks.segmenters import check_patch_size
from GenSegLib.training.losses import segmentation_loss

SHAPES = {2: (32, 48), 3: (16, 32, 24)}
NETWORKS = (*SEGMENTERS, *dict.fromkeys(PRETRAINABLE.values()))
NAMES_AND_DIMS = [(name, dims) for name in SEGMENTERS for dims in (2, 3)]
NAMES_AND_DIMS += [(name, 2) for name in dict.fromkeys(PRETRAINABLE.values())]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("name", "dims"), NAMES_AND_DIMS)
def test_a_segmenter_maps_images_to_logits_of_their_size(name: str, dims: int) -> None:
    shape = SHAPES[dims]
    network = build_segmenter(name, segmenter_args(name, 2, 3, dims, shape)).eval()
    with torch.no_grad():
        assert network(torch.randn(1, 2, *shape)).shape == (1, 3, *shape)
    check_patch_size(network, 2, 3, shape)
    with pytest.raises(GenSegError, match="not to logits of 4 classes"):
        check_patch_size(network, 2, 4, shape)
    with pytest.raises(GenSegError, match=r"cannot process patches of .* \(channels: 1\)"):
        check_patch_size(network, 1, 3, shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_of_a_segmenter_gets_a_gradient(name: str) -> None:
    shape = SHAPES[2]
    network = build_segmenter(name, segmenter_args(name, 1, 3, 2, shape)).train()
    labels = torch.randint(0, 3, (2, 1, *shape))
    segmentation_loss(network(torch.randn(2, 1, *shape)), labels).backward()
    without = [key for key, p in network.named_parameters() if p.grad is None]
    # MONAI's transformer blocks have a norm for cross attention that they do not use
    assert [key for key in without if "norm_cross_attn" not in key] == []


@pytest.mark.parametrize("name", SEGMENTERS)
def test_arguments_and_target_are_json(name: str) -> None:
    args = segmenter_args(name, 1, 3, 3, (32, 32, 32))
    assert json.loads(json.dumps(args)) == args
    assert segmenter_target(name).startswith(("monai.", "GenSegLib."))


def test_an_unknown_segmenter_is_refused_with_the_known_names() -> None:
    with pytest.raises(GenSegError, match=r"unknown segmenter 'vnet'; choose one of unet, "):
        segmenter_args("vnet", 1, 2, 3, (32, 32, 32))


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GenSegError, match="segmenter 'unet' cannot be built"):
        build_segmenter("unet", {"depth": 3})


def test_patches_whose_coarsest_grid_is_one_voxel_are_refused() -> None:
    network = build_segmenter("dynunet", segmenter_args("dynunet", 1, 2, 3, (8, 8, 8)))
    with pytest.raises(GenSegError, match="cannot process patches of 8 x 8 x 8 voxels"):
        check_patch_size(network, 1, 2, (8, 8, 8))


def test_networks_that_depend_on_values_are_not_checked_on_large_patches() -> None:
    class ValueDependent(nn.Conv3d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input) * float(input.mean())

    check_patch_size(ValueDependent(1, 2, 1), 1, 2, (64, 64, 64))


@pytest.mark.parametrize(
    ("shape", "padded"),
    [((32, 48, 32), [64, 64, 32]), ((20, 20), [64, 64]), ((64, 64, 96), [64, 64, 96])],
)
def test_swin_unetr_pads_no_more_than_its_coarsest_grid_needs(
    shape: tuple[int, ...], padded: list[int]
) -> None:
    assert swin_shape(shape) == padded


def test_swin_unetr_has_the_published_windows_for_large_patches_only() -> None:
    small, large = (segmenter_args("swin-unetr", 1, 2, 3, (size,) * 3) for size in (64, 96))
    assert (small["window_size"], large["window_size"]) == (4, 7)
