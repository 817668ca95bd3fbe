"""Sliding-window inference against MONAI's, and its slabs."""

from __future__ import annotations

import pytest
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn
from whole_images import predict_probabilities

from GenSegLib.networks import build_segmenter, segmenter_args
from GenSegLib.prediction.ensemble import EnsemblePredictor
from GenSegLib.prediction.sliding_window import (
    SlidingWindows,
    iterate_slabs,
)

PATCH = (16, 24, 16)
SIZE = (20, 28, 40)
SIZES = [SIZE, (9, 60, 16), (16, 24, 16), (5, 5, 5)]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_segmenter("dynunet", segmenter_args("dynunet", 1, 3, 3, PATCH)).eval()


def noise(size: tuple[int, ...]) -> Tensor:
    return torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0))


def probabilities(network: nn.Module, image: Tensor, mirror_axes: tuple[int, ...] = ()) -> Tensor:
    windows = SlidingWindows(tuple(image.shape[2:]), PATCH[: image.ndim - 2])
    return predict_probabilities(network, windows, image, mirror_axes)


def joined_slabs(
    network: nn.Module,
    size: tuple[int, ...],
    along: int,
    batch_size: int = 2,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """The slabs of an image, after checking that they are contiguous."""
    windows = SlidingWindows(size, PATCH, along)
    predictor = EnsemblePredictor([network], torch.device("cpu"), batch_size=batch_size)
    counts: list[int] = []
    slabs = list(iterate_slabs(predictor, noise(size), windows, precision, counts.append))
    bounds = [(start, stop) for start, stop, _ in slabs]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == size[along]
    assert all(one[1] == other[0] for one, other in zip(bounds, bounds[1:]))
    assert sum(counts) == windows.count
    return torch.cat([slab for *_, slab in slabs], dim=1 + along)


@pytest.mark.parametrize("size", SIZES)
def test_probabilities_equal_those_of_monais_sliding_window(
    network: nn.Module, size: tuple[int, ...]
) -> None:
    image = noise(size)
    with torch.no_grad():
        expected = sliding_window_inference(
            image, PATCH, 2, lambda windows: network(windows).softmax(1), 0.5, mode="gaussian"
        )
    found = probabilities(network, image)
    assert not found.requires_grad
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("size", "along"), [(SIZE, 0), (SIZE, 1), (SIZE, 2), ((5, 5, 5), 2)])
def test_slabs_along_any_axis_form_the_whole_image(
    network: nn.Module, size: tuple[int, ...], along: int
) -> None:
    whole = probabilities(network, noise(size))[0]
    torch.testing.assert_close(joined_slabs(network, size, along), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 100])
def test_the_batch_size_does_not_change_the_result(network: nn.Module, batch_size: int) -> None:
    whole = probabilities(network, noise(SIZE))[0]
    found = joined_slabs(network, SIZE, 2, batch_size)
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-5)


def test_accumulating_in_half_precision_changes_little(network: nn.Module) -> None:
    whole = probabilities(network, noise(SIZE))[0]
    found = joined_slabs(network, SIZE, 2, precision=torch.float16)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, whole, rtol=0, atol=3e-3)


@pytest.mark.parametrize("mirror_axes", [(), (0, 1)])
def test_2d_images_are_predicted_too(mirror_axes: tuple[int, ...]) -> None:
    network = nn.Conv2d(3, 2, 3, padding=1)
    found = probabilities(network, torch.randn(1, 3, 20, 30), mirror_axes)
    assert found.shape == (1, 2, 20, 30)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(1, 20, 30))


def test_mirroring_makes_the_result_equivariant_to_flips_along_that_axis_alone() -> None:
    torch.manual_seed(0)
    network, image = nn.Conv3d(1, 2, 3, padding=1), torch.randn(1, 1, 16, 16, 16)
    once = probabilities(network, image, (0,))
    same = probabilities(network, image.flip(2), (0,)).flip(2)
    other = probabilities(network, image.flip(3), (0,)).flip(3)
    torch.testing.assert_close(once, same)
    assert (once - other).abs().max() > 1e-3


@pytest.mark.parametrize(("count", "found"), [(3, 3), (100, 7)])
def test_some_windows_are_spread_over_the_image(count: int, found: int) -> None:
    windows = SlidingWindows((64, 8, 8), (16, 8, 8))
    starts = [box[0].start for box in windows.spread(count)]
    assert len(starts) == found
    assert (starts[0], starts[-1]) == (0, 48)
    assert starts == sorted(starts)


def test_some_windows_are_spread_over_slices_whatever_their_number() -> None:
    for stacks in range(2, 40):
        windows = SlidingWindows((48, 48, 16 * stacks), (16, 16, 16), 2, slice_wise=True)
        chosen = windows.spread(12)
        inside = [x for x, y, _ in chosen if 0 < x.start < 32 and 0 < y.start < 32]
        assert len({(x.start, y.start, z.start) for x, y, z in chosen}) == 12
        assert 4 <= len(inside) <= 6  # 9 of the 25 places in a slice
