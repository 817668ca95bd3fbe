"""Searchable cells: the weighted sum of their operations, noise, gradients."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.networks.cells import (
    CONVOLUTION,
    SEARCH_SPACES,
    TRANSPOSED,
    LinearCell,
    ModulatedCell,
)
from GenSegLib.networks.operations import weighted_sum


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("space", SEARCH_SPACES)
@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
def test_a_linear_cell_is_the_weighted_sum_of_its_operations(
    kind: str, space: str, dims: int
) -> None:
    cell = LinearCell(kind, dims, 4, 8, space)
    torch.nn.init.normal_(cell.architecture)
    features = torch.randn(2, 4, *[8, 10, 6][:dims])
    weights = torch.softmax(cell.architecture, 0)
    expected = sum(w * operation(features) for w, operation in zip(weights, cell.operations))
    torch.testing.assert_close(cell(features, torch.empty(0)), cell.activate(expected))
    assert sum(cell.weights().values()) == pytest.approx(1.0)


def rescaled(cell: LinearCell | ModulatedCell) -> None:
    """Make the first operation twice as strong."""
    with torch.no_grad():
        for parameter in cell.operations[0].parameters():
            parameter.mul_(2)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
def test_kernels_can_replace_the_weights_of_a_linear_cell_but_not_of_a_modulated_one(
    kind: str, dims: int
) -> None:
    features = torch.randn(2, 4, *[8] * dims)
    noise = torch.randn(2, 1, *[4 if kind == CONVOLUTION else 16] * dims)
    for cell_type, is_replaceable in ((LinearCell, True), (ModulatedCell, False)):
        cell = cell_type(kind, dims, 4, 8)
        before = cell(features, noise)
        rescaled(cell)
        assert torch.allclose(cell(features, noise), before, atol=1e-2) != is_replaceable
        with torch.no_grad():
            cell.architecture[0] = 2.0
        assert not torch.allclose(cell(features, noise), before, atol=0.1)


def test_noise_scales_and_shifts_the_features_of_a_modulated_cell() -> None:
    cell = ModulatedCell(CONVOLUTION, 2, 4, 8, noise_channels=2)
    features, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 2, 4, 4)
    assert not torch.allclose(cell(features, noise), cell(features, -noise), atol=0.1)
    torch.nn.init.zeros_(cell.modulation.weight)
    torch.testing.assert_close(cell(features, noise), cell(features, -noise))


def test_checkpoints_of_earlier_versions_load() -> None:
    cell = LinearCell(CONVOLUTION, 2, 4, 8)
    cell.load_state_dict({**cell.state_dict(), "chosen": torch.tensor(-1)})


@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
@pytest.mark.parametrize("size", [4, 16])
def test_gradients_of_large_kernels_are_those_without_onednn(kind: str, size: int) -> None:
    cell = LinearCell(kind, 3, 16, 32, "paper")
    features = torch.randn(2, 16, size, size, size)

    def gradients() -> tuple[torch.Tensor, ...]:
        loss = weighted_sum(list(cell.operations), torch.ones(3) / 3, features).square().mean()
        return torch.autograd.grad(loss, list(cell.operations.parameters()))

    found = gradients()
    with torch.backends.mkldnn.flags(enabled=False):
        torch.testing.assert_close(found, gradients(), rtol=1e-3, atol=1e-5)
