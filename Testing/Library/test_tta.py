"""Test-time augmentations and their inverses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from GenSegLib.prediction.ensemble import CPU, EnsemblePredictor
from GenSegLib.prediction.tta import (
    IDENTITY,
    AffineAugmentation,
    Augmentation,
    affine_augmentations,
    flips,
)

SIZE = (24, 32, 20)
INSIDE = (..., *[slice(6, -6)] * 3)


def waves(size: tuple[int, ...] = SIZE) -> Tensor:
    """Two smooth, asymmetric windows of two channels."""
    axes = torch.meshgrid(*[torch.arange(float(count)) for count in size], indexing="ij")
    fields = [sum(torch.sin(axis / (5 + k) + k) for axis in axes) for k in range(4)]
    return torch.stack(fields).reshape(2, 2, *size)


@pytest.mark.parametrize(
    "augmentation", [*flips((0, 2)), *affine_augmentations(2, (1.0, 1.0, 2.0))], ids=str
)
def test_the_inverse_restores_the_window(augmentation: Augmentation) -> None:
    windows = waves()
    restored = augmentation.invert(augmentation.apply(windows))
    torch.testing.assert_close(restored[INSIDE], windows[INSIDE], atol=0.05, rtol=0)


@pytest.mark.parametrize("size", [(24, 32, 20), (24, 32)])
def test_an_affine_transform_samples_at_linear_x_plus_translation(size: tuple[int, ...]) -> None:
    dims = len(size)
    centers = torch.tensor(size).reshape(-1, *[1] * dims) / 2 - 0.5
    axes = torch.meshgrid(*[torch.arange(float(count)) for count in size], indexing="ij")
    coordinates = torch.stack(axes) - centers
    linear = torch.eye(dims) + 0.1 * torch.randn(dims, dims, generator=torch.manual_seed(0))
    translation = torch.linspace(-1, 1.5, dims)
    sampled = AffineAugmentation(linear, translation).apply(coordinates[None])[0]
    expected = torch.einsum("ij,j...->i...", linear, coordinates)
    expected += translation.reshape(centers.shape)
    inside = (..., *[slice(8, -8)] * dims)
    torch.testing.assert_close(sampled[inside], expected[inside], atol=1e-4, rtol=0)


def test_affine_augmentations_differ_from_each_other_and_are_reproducible() -> None:
    first, second = (
        [each.apply(waves()) for each in affine_augmentations(3, (1.0, 1.0, 1.0))] for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert not any(torch.allclose(first[i], first[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_affine_augmentations_scale_little_in_mm_for_thick_slices() -> None:
    spacing = torch.tensor((0.7, 0.7, 5.0))
    for each in affine_augmentations(4, spacing.tolist()):
        assert isinstance(each, AffineAugmentation)
        in_mm = each.linear * spacing[:, None] / spacing
        assert torch.linalg.svdvals(in_mm).log().abs().max() < 0.2


def test_augmentations_are_averaged_and_the_first_flip_is_the_identity() -> None:
    windows = waves()
    both = flips((0,))
    alone = [EnsemblePredictor([torch.nn.Identity()], CPU, [each])(windows) for each in both]
    together = EnsemblePredictor([torch.nn.Identity()], CPU, both)(windows)
    torch.testing.assert_close(together, torch.stack(alone).mean(dim=0))
    assert both[0] == IDENTITY
