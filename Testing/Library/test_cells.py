"""Searchable cells: the weighted sum of their operations, gradients."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.networks.cells import CONVOLUTION, SEARCH_SPACES, TRANSPOSED, SearchableCell
from GenSegLib.networks.operations import weighted_sum


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("space", SEARCH_SPACES)
@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
def test_a_cell_is_the_weighted_sum_of_its_operations(kind: str, space: str, dims: int) -> None:
    cell = SearchableCell(kind, dims, 4, 8, space)
    torch.nn.init.normal_(cell.architecture)
    features = torch.randn(2, 4, *[8, 10, 6][:dims])
    weights = torch.softmax(cell.architecture, 0)
    expected = sum(w * operation(features) for w, operation in zip(weights, cell.operations))
    torch.testing.assert_close(cell(features), cell.activate(expected))
    assert sum(cell.weights().values()) == pytest.approx(1.0)


def test_checkpoints_of_earlier_versions_load() -> None:
    cell = SearchableCell(CONVOLUTION, 2, 4, 8)
    cell.load_state_dict({**cell.state_dict(), "chosen": torch.tensor(-1)})


@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
@pytest.mark.parametrize("size", [4, 16])
def test_gradients_of_large_kernels_are_those_without_onednn(kind: str, size: int) -> None:
    cell = SearchableCell(kind, 3, 16, 32, "paper")
    features = torch.randn(2, 16, size, size, size)

    def gradients() -> tuple[torch.Tensor, ...]:
        loss = weighted_sum(list(cell.operations), torch.ones(3) / 3, features).square().mean()
        return torch.autograd.grad(loss, list(cell.operations.parameters()))

    found = gradients()
    with torch.backends.mkldnn.flags(enabled=False):
        torch.testing.assert_close(found, gradients(), rtol=1e-3, atol=1e-5)
