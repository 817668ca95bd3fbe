"""The segmentation loss equals MONAI's; the reconstruction loss pools blocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss

from GenSegLib.augmentation.spatial import one_hot
from GenSegLib.training.losses import block_means, class_weights, segmentation_loss


@pytest.mark.parametrize(("batch_dice", "smooth"), [(True, 1e-3), (False, 1.0)])
@pytest.mark.parametrize("shape", [(16, 24), (16, 24, 16)], ids=["2-D", "3-D"])
def test_loss_and_gradient_equal_those_of_monai(
    shape: tuple[int, ...], batch_dice: bool, smooth: float
) -> None:
    torch.manual_seed(0)
    logits = (5 * torch.randn(3, 4, *shape)).requires_grad_()
    labels = torch.randint(4, (3, 1, *shape))
    monai = DiceCELoss(
        softmax=True,
        include_background=False,
        batch=batch_dice,
        smooth_nr=smooth,
        smooth_dr=smooth,
    )
    ours = segmentation_loss(logits, labels, batch_dice=batch_dice)
    found = ours, monai(logits, one_hot(labels, 4))
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in found]
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 4.0, 2.0])])
def test_levels_count_as_if_they_were_upsampled_each_half_as_much_as_the_one_before(
    weights: torch.Tensor | None,
) -> None:
    torch.manual_seed(0)
    levels = tuple(5 * torch.randn(3, 4, 16 // size, 24 // size) for size in (1, 2, 4))
    labels = torch.randint(4, (3, 1, 16, 24))
    losses = [
        segmentation_loss(F.interpolate(level, (16, 24)), labels, weights) for level in levels
    ]
    mean = (losses[0] + losses[1] / 2 + losses[2] / 4) / 1.75
    torch.testing.assert_close(segmentation_loss(levels, labels, weights), mean, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("shape", "pool"), [((9, 16), F.avg_pool2d), ((8, 13, 10), F.avg_pool3d)], ids=["2-D", "3-D"]
)
def test_block_means_equal_average_pooling(
    shape: tuple[int, ...], pool: Callable[[torch.Tensor, int], torch.Tensor]
) -> None:
    images = torch.randn(2, 3, *shape)
    torch.testing.assert_close(block_means(images), pool(images, 4))


def test_rare_classes_weigh_more_and_the_mean_over_voxels_is_one():
    weights = class_weights([900, 90, 10], 0.5)

    torch.testing.assert_close(weights[2] / weights[1], torch.tensor(3.0))
    torch.testing.assert_close((weights * torch.tensor([0.9, 0.09, 0.01])).sum(), torch.tensor(1.0))
    assert class_weights([10**9, 1, 1], 0.5).max() <= 20 * class_weights([10**9, 1, 1], 0.5).min()
    assert class_weights([900, 90, 10], 0.0) is None


def test_weights_of_classes_act_on_the_cross_entropy():
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(3, (2, 1, 4, 4), generator=torch.Generator().manual_seed(1))
    weights = torch.tensor([0.5, 1.0, 4.0])

    difference = segmentation_loss(logits, labels, weights) - segmentation_loss(logits, labels)

    weighted = F.cross_entropy(logits, labels[:, 0], weights)
    torch.testing.assert_close(difference, weighted - F.cross_entropy(logits, labels[:, 0]))
