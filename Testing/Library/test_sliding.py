from __future__ import annotations

import pytest
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn

from GenSegLib.networks import build_segmenter, segmenter_args
from GenSegLib.prediction.classifier import Classifier
from GenSegLib.prediction.sliding import segment, sweep
from GenSegLib.prediction.windows import Windows

PATCH = (16, 24, 16)
SIZES = [(20, 28, 40), (9, 60, 16), (16, 24, 16), (5, 5, 5)]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_segmenter("dynunet", segmenter_args("dynunet", 1, 3, 3, PATCH)).eval()


def drawn(size: tuple[int, ...]) -> Tensor:
    return torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0))


def swept(
    network: nn.Module,
    size: tuple[int, ...],
    along: int,
    windows_at_once: int = 2,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    windows = Windows(size, PATCH, along)
    classifier = Classifier([network], torch.device("cpu"), windows_at_once=windows_at_once)
    with torch.no_grad():
        slabs = list(sweep(classifier, drawn(size), windows, precision))
    ends = [(start, stop) for start, stop, _ in slabs]
    assert ends[0][0] == 0
    assert ends[-1][1] == size[along]
    assert all(one[1] == other[0] for one, other in zip(ends, ends[1:]))
    return torch.cat([slab for *_, slab in slabs], dim=1 + along)


@pytest.mark.parametrize("size", SIZES)
def test_the_result_is_that_of_monais_sliding_window(
    network: nn.Module, size: tuple[int, ...]
) -> None:
    image = drawn(size)
    with torch.no_grad():
        expected = sliding_window_inference(
            image, PATCH, 2, lambda windows: network(windows).softmax(1), 0.5, mode="gaussian"
        )
    assert isinstance(expected, Tensor)
    torch.testing.assert_close(segment(network, PATCH, image), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("along", [0, 1, 2])
def test_slabs_along_any_axis_make_up_the_whole(
    network: nn.Module, size: tuple[int, ...], along: int
) -> None:
    whole = segment(network, PATCH, drawn(size))[0]
    torch.testing.assert_close(swept(network, size, along), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("windows_at_once", [1, 3, 100])
def test_it_does_not_matter_how_many_windows_are_done_at_once(
    network: nn.Module, windows_at_once: int
) -> None:
    whole = segment(network, PATCH, drawn(SIZES[0]))[0]
    found = swept(network, SIZES[0], 2, windows_at_once)
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-5)


def test_sums_in_half_precision_agree_to_a_few_thousandths(network: nn.Module) -> None:
    whole = segment(network, PATCH, drawn(SIZES[0]))[0]
    found = swept(network, SIZES[0], 2, precision=torch.float16)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, whole, rtol=0, atol=3e-3)


def test_all_windows_are_counted(network: nn.Module) -> None:
    windows = Windows(SIZES[0], PATCH, 2)
    counts: list[int] = []
    classifier = Classifier([network], torch.device("cpu"))
    with torch.no_grad():
        for _ in sweep(classifier, drawn(SIZES[0]), windows, done=counts.append):
            pass
    assert sum(counts) == windows.count == 2 * 2 * 4


def test_several_networks_are_averaged(network: nn.Module) -> None:
    torch.manual_seed(1)
    other = build_segmenter("dynunet", segmenter_args("dynunet", 1, 3, 3, PATCH)).eval()
    image = drawn(PATCH)
    with torch.no_grad():
        found = Classifier([network, other], torch.device("cpu"))(image)
    mean = (segment(network, PATCH, image) + segment(other, PATCH, image)) / 2
    torch.testing.assert_close(found, mean)
