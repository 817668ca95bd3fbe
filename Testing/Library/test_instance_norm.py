"""The replaced instance norm equals PyTorch's, and preserves the channels-last format."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from GenSegLib.computing.instance_norm import replace_instance_norm
from GenSegLib.networks import build_segmenter, segmenter_args

NORMS = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


@pytest.mark.parametrize(("dims", "affine"), [(2, True), (3, True), (3, False)])
def test_outputs_gradients_and_second_derivatives_are_the_same(dims: int, affine: bool) -> None:
    plain = nn.Sequential(NORMS[dims](4, affine=affine)).double()
    if affine:
        nn.init.normal_(plain[0].weight)
        nn.init.normal_(plain[0].bias)
    replaced = copy.deepcopy(plain)
    replace_instance_norm(replaced)
    images = torch.randn(3, 4, *[6] * dims, dtype=torch.float64).requires_grad_()
    seed = torch.randn_like(images)
    results = []
    for network in (plain, replaced):
        output = network(images)
        first = torch.autograd.grad((output * seed).sum(), images, create_graph=True)[0]
        second = torch.autograd.grad(first.square().sum(), images)[0]
        results.append((output, first, second))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("dims", [2, 3])
def test_the_channels_last_format_is_preserved(dims: int) -> None:
    network = nn.Sequential(NORMS[dims](4, affine=True))
    replace_instance_norm(network)
    images = torch.randn(2, 4, *[6] * dims).contiguous(memory_format=FORMATS[dims])
    assert network(images).is_contiguous(memory_format=FORMATS[dims])


def test_a_segmenter_keeps_its_parameters_and_their_names() -> None:
    network = build_segmenter("dynunet", segmenter_args("dynunet", 1, 3, 3, (16, 16, 16)))
    before = dict(network.named_parameters(remove_duplicate=False))
    replace_instance_norm(network)
    after = dict(network.named_parameters(remove_duplicate=False))
    assert list(before) == list(after)
    assert all(after[name] is parameter for name, parameter in before.items())
    assert not any(type(module) in NORMS.values() for module in network.modules())
