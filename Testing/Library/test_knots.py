"""Fields between coarse knots."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from GenSegLib.augmentation.knots import interpolated


@pytest.mark.parametrize(
    ("knots", "shape", "mode"),
    [((4, 6), (9, 20), "bilinear"), ((5, 3, 7), (12, 3, 32), "trilinear")],
    ids=["plane", "volume"],
)
def test_between_knots_fields_are_linear(
    knots: tuple[int, ...], shape: tuple[int, ...], mode: str
) -> None:
    values = torch.randn(2, 3, *knots)
    expected = F.interpolate(values, size=shape, mode=mode, align_corners=True)
    torch.testing.assert_close(interpolated(values, shape), expected)


def test_knots_learn_from_the_field() -> None:
    values = torch.randn(1, 2, 3, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda knots: interpolated(knots, (5, 6)), values)


def test_a_single_voxel_has_the_first_knot() -> None:
    values = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert interpolated(values, (1, 1)).item() == 0.0
