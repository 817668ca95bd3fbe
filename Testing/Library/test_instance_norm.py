"""The instance normalization that leaves channels last is PyTorch's in all but its speed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from GenSegLib.networks import build_segmenter, segmenter_args
from GenSegLib.networks.instance_norm import normalize_sample_by_sample

NORMS = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def pair(dims: int, affine: bool) -> tuple[nn.Module, nn.Module]:
    plain = nn.Sequential(NORMS[dims](4, affine=affine))
    if affine:
        nn.init.normal_(plain[0].weight)
        nn.init.normal_(plain[0].bias)
    other = copy.deepcopy(plain)
    normalize_sample_by_sample(other)
    return plain, other


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_values_and_gradients_are_the_same(dims: int, affine: bool) -> None:
    plain, other = pair(dims, affine)
    images = torch.randn(3, 4, *[6] * dims, dtype=torch.float64).requires_grad_()
    pull = torch.randn_like(images)
    found = []
    for network in (plain.double(), other.double()):
        normalized = network(images)
        slopes = torch.autograd.grad((normalized * pull).sum(), images, create_graph=True)[0]
        bends = torch.autograd.grad(slopes.square().sum(), images)[0]
        found.append((normalized, slopes, bends))
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dims", [2, 3])
def test_channels_stay_last(dims: int) -> None:
    _, other = pair(dims, True)
    images = torch.randn(2, 4, *[6] * dims).contiguous(memory_format=FORMATS[dims])
    assert other(images).is_contiguous(memory_format=FORMATS[dims])


def test_a_segmenter_keeps_its_parameters_and_their_names() -> None:
    network = build_segmenter("dynunet", segmenter_args("dynunet", 1, 3, 3, (16, 16, 16)))
    before = dict(network.named_parameters(remove_duplicate=False))
    normalize_sample_by_sample(network)
    after = dict(network.named_parameters(remove_duplicate=False))
    assert list(before) == list(after)
    assert all(after[name] is parameter for name, parameter in before.items())
    assert not any(type(module) in NORMS.values() for module in network.modules())
