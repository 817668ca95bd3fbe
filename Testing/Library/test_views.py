"""Copies of windows, and the way back from them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from GenSegLib.prediction.classifier import CPU, Classifier
from GenSegLib.prediction.views import Mirrored, Moved, View, mirrored_views, moved_views

SIZE = (24, 32, 20)
INSIDE = (..., *[slice(6, -6)] * 3)


def waves(size: tuple[int, ...] = SIZE) -> Tensor:
    """Two windows of two channels, smooth and without symmetry."""
    axes = torch.meshgrid(*[torch.arange(float(count)) for count in size], indexing="ij")
    fields = [sum(torch.sin(axis / (5 + k) + k) for axis in axes) for k in range(4)]
    return torch.stack(fields).reshape(2, 2, *size)


@pytest.mark.parametrize(
    "view", [*mirrored_views((0, 2)), *moved_views(4, (1.0, 1.0, 2.0))], ids=str
)
def test_what_is_found_in_a_copy_comes_back_to_its_voxel(view: View) -> None:
    windows = waves()
    back = view.bring_back(view.show(windows))
    torch.testing.assert_close(back[INSIDE], windows[INSIDE], atol=0.05, rtol=0)


@pytest.mark.parametrize("size", [(24, 32, 20), (24, 32)])
def test_a_copy_shows_what_its_matrix_says(size: tuple[int, ...]) -> None:
    dims = len(size)
    middles = torch.tensor(size).reshape(-1, *[1] * dims) / 2 - 0.5
    axes = torch.meshgrid(*[torch.arange(float(count)) for count in size], indexing="ij")
    places = torch.stack(axes) - middles
    linear = torch.eye(dims) + 0.1 * torch.randn(dims, dims, generator=torch.manual_seed(0))
    shift = torch.linspace(-1, 1.5, dims)
    shown = Moved(linear, shift).show(places[None])[0]
    wanted = torch.einsum("ij,j...->i...", linear, places) + shift.reshape(middles.shape)
    inside = (..., *[slice(8, -8)] * dims)
    torch.testing.assert_close(shown[inside], wanted[inside], atol=1e-4, rtol=0)


def test_copies_differ_from_each_other_and_are_the_same_in_every_call() -> None:
    first, second = (
        [view.show(waves()) for view in moved_views(3, (1.0, 1.0, 1.0))] for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert not any(torch.allclose(first[i], first[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_a_copy_is_little_stretched_in_mm_however_thick_the_slices() -> None:
    spacing = (0.7, 0.7, 5.0)
    for view in moved_views(4, spacing):
        assert isinstance(view, Moved)
        sizes = torch.tensor(spacing)
        in_mm = view.linear * sizes[:, None] / sizes
        assert torch.linalg.svdvals(in_mm).log().abs().max() < 0.2


def test_views_are_averaged() -> None:
    windows = waves()
    views = mirrored_views((0,))
    alone = [Classifier([torch.nn.Identity()], CPU, [view])(windows) for view in views]
    together = Classifier([torch.nn.Identity()], CPU, views)(windows)
    torch.testing.assert_close(together, torch.stack(alone).mean(dim=0))


def test_the_first_view_is_as_it_is() -> None:
    assert mirrored_views((0, 1))[0] == Mirrored()
    assert Mirrored().show(windows := waves()) is windows
