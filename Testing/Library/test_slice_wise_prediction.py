"""Predictions of volumes by 2-D networks, slice by slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from grids import ball, make_affine
from tiny_models import PRESET, save_threshold_model, save_tiny_model
from torch import Tensor, nn
from whole_images import predict_probabilities

from GenSegLib.datasets.image_io import Volume, on_same_grid
from GenSegLib.errors import GenSegError
from GenSegLib.networks.slice_wise import SliceWise, as_window_network
from GenSegLib.prediction.ensemble import OutOfMemoryFallback
from GenSegLib.prediction.predict import Predictor
from GenSegLib.prediction.sliding_window import (
    SlidingWindows,
    iterate_slabs,
)
from GenSegLib.prediction.tta import affine_augmentations
from GenSegLib.presets import Intensity

PATCH = (16, 32)
SLICES = replace(
    PRESET, spatial_dims=2, patch_size=PATCH, spacing=None, coarse_spacing=None, mirror_axes=()
)
BRIGHT = replace(
    SLICES,
    labels={7: "Bright"},
    colors={7: (9, 8, 7)},
    modality="CT",
    intensity=Intensity("window", -1000, 1000),
)
SLICE_AXES = {"ASR": "across left and right", "RSA": "across front and back", "RAS": "axial"}


def random_network(context: int = 0) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1 + 2 * context, 4, 3, padding=1), nn.InstanceNorm2d(4), nn.Tanh()]
    return nn.Sequential(*layers, nn.Conv2d(4, 3, 1)).eval()


def noise(*size: int) -> Tensor:
    return torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0))


def slice_by_slice(network: nn.Module, volume: Tensor, context: int) -> Tensor:
    """Apply a 2-D network to each slice and its neighbors, written out."""
    last = volume.shape[-1] - 1
    results = []
    for index in range(last + 1):
        wanted = [min(max(index + step, 0), last) for step in range(-context, context + 1)]
        channels = torch.cat([volume[..., each] for each in wanted], dim=1)
        results.append(network(channels).softmax(1))
    return torch.stack(results, dim=-1)


def bright_ball(orientation: str, spacing: tuple[float, ...] = (1, 1, 1)) -> Volume:
    affine = make_affine(orientation, spacing, (15, -10, 20), (12, -34, 56))
    inside = ball(affine, (30, 26, 22), share=0.25) > 0
    return Volume(np.where(inside, 600, -600).astype(np.int16)[np.newaxis], affine)


# ---- the network


@pytest.mark.parametrize("context", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 3])
@torch.no_grad()
def test_a_volume_is_segmented_slice_by_slice_with_repeated_ends(context: int, count: int) -> None:
    network, volume = random_network(context), noise(*PATCH, count)
    found = SliceWise(network, context)(volume).softmax(1)
    torch.testing.assert_close(found, slice_by_slice(network, volume, context))


@torch.no_grad()
def test_channels_keep_their_own_neighbors() -> None:
    volume = torch.arange(2.0 * 5).reshape(1, 2, 1, 1, 5)
    seen = SliceWise(nn.Identity(), 1)(volume)[0, :, 0, 0]
    assert seen[:, 0].tolist() == [0, 0, 1, 5, 5, 6]
    assert seen[:, 2].tolist() == [1, 2, 3, 6, 7, 8]


# ---- the windows


@pytest.mark.parametrize("context", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 3, 10, 16, 17, 40])
@torch.no_grad()
def test_windows_of_slices_give_what_the_network_gives_slice_by_slice(
    context: int, count: int
) -> None:
    preset = replace(SLICES, context_slices=context)
    network, volume = random_network(context), noise(*PATCH, count)
    windows = SlidingWindows.for_preset(preset, volume.shape[2:])
    found = predict_probabilities(as_window_network(network, preset), windows, volume)
    torch.testing.assert_close(found, slice_by_slice(network, volume, context))


@pytest.mark.parametrize("count", [1, 3, 10, 31, 1000])
def test_windows_cover_every_slice_and_add_none(count: int) -> None:
    windows = SlidingWindows.for_preset(replace(SLICES, context_slices=1), (40, 20, count))
    assert windows.along == 2
    assert windows.margins[2] == (0, 0)
    assert windows.patch_size[2] <= min(count, 16)
    covered = np.zeros(count, int)
    for row in windows.rows:
        covered[windows.row(row)[0][2]] += 1
    assert covered.min() == 1
    assert covered.max() <= 2
    assert covered.sum() < count + 16


@torch.no_grad()
def test_slices_larger_than_the_patch_are_blended_within_the_slice() -> None:
    network, volume = random_network(), noise(40, 50, 3)
    windows = SlidingWindows.for_preset(SLICES, (40, 50, 3))
    found = predict_probabilities(as_window_network(network, SLICES), windows, volume)
    for index in range(3):
        alone = SlidingWindows((40, 50), PATCH)
        expected = predict_probabilities(network, alone, volume[..., index])
        torch.testing.assert_close(found[..., index], expected)


def test_running_out_of_memory_does_not_change_the_result() -> None:
    preset = replace(SLICES, context_slices=1)
    network, volume = as_window_network(random_network(1), preset), noise(30, 50, 20)
    windows = SlidingWindows.for_preset(preset, (30, 50, 20))
    expected = predict_probabilities(network, windows, volume)

    class SmallMemory(nn.Module):
        def forward(self, batch: Tensor) -> Tensor:
            if len(batch) > 1:
                raise RuntimeError("out of memory")
            return network(batch)

    lines: list[str] = []
    predictor = OutOfMemoryFallback([SmallMemory()], torch.device("cpu"), lines.append)
    slabs = [slab for *_, slab in iterate_slabs(predictor, volume, windows)]
    torch.testing.assert_close(torch.cat(slabs, dim=3)[None], expected)
    assert len(lines) == 1


def test_affine_augmentations_within_slices_do_not_mix_them() -> None:
    volume = torch.arange(5.0).expand(1, 1, *PATCH, 5).clone()
    for each in affine_augmentations(3, (1.0, 1.0)):
        torch.testing.assert_close(each.invert(each.apply(volume)), volume)
    pattern = noise(*PATCH, 5)
    for each in affine_augmentations(3, (1.0, 1.0)):
        for index in range(5):
            alone = each.apply(pattern[..., index])
            torch.testing.assert_close(each.apply(pattern)[..., index], alone)


# ---- the predictor


@pytest.mark.parametrize("slices", SLICE_AXES, ids=SLICE_AXES.get)
@pytest.mark.parametrize("own", ["RAS", "LPS", "PIL", "ASR"])
@pytest.mark.parametrize("context", [0, 1])
def test_the_label_is_on_the_images_own_grid_across_any_axis(
    tmp_path: Path, slices: str, own: str, context: int
) -> None:
    save_threshold_model(tmp_path, replace(BRIGHT, orientation=slices, context_slices=context))
    image = bright_ball(own, (0.7, 1.9, 1.2))
    label = Predictor(tmp_path, "cpu").predict(image).label
    assert on_same_grid(label, image)
    assert ((label.array == 7) == (image.array > 0)).all()


@pytest.mark.parametrize("slices", SLICE_AXES, ids=SLICE_AXES.get)
def test_resampling_is_within_the_slices_alone(tmp_path: Path, slices: str) -> None:
    save_threshold_model(tmp_path, replace(BRIGHT, orientation=slices, spacing=(0.8, 0.8)))
    image = bright_ball("LPS", (1.4, 0.9, 1.1))
    predictor = Predictor(tmp_path, "cpu")
    prepared = predictor._preprocessor.apply(image)
    thick = {"ASR": 0, "RSA": 1, "RAS": 2}[slices]
    assert prepared.image.shape[3] == image.shape[thick]
    assert prepared.spacing == pytest.approx((0.8, 0.8, image.spacing[thick]))
    wanted, found = image.array > 0, predictor.predict(image).label.array == 7
    assert 2 * (wanted & found).sum() / (wanted.sum() + found.sum()) > 0.97


@pytest.mark.parametrize("shape", [(30, 26, 1), (1, 26, 22), (20, 20, 100)])
def test_volumes_of_one_slice_and_of_many_are_segmented(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    save_threshold_model(tmp_path, replace(BRIGHT, context_slices=1))
    random = np.random.default_rng(0)
    values = np.where(random.random((1, *shape)) > 0.8, 600, -600).astype(np.int16)
    label = Predictor(tmp_path, "cpu").predict(Volume(values, np.eye(4))).label
    assert ((label.array == 7) == (values > 0)).all()


def test_the_uncertainty_is_that_within_slices(tmp_path: Path) -> None:
    save_threshold_model(tmp_path, BRIGHT)
    values = np.full((1, *PATCH, 9), -600, np.int16)
    values[..., 4] = 600  # one bright slice: certain, since rotations stay within slices
    certain = Predictor(tmp_path, "cpu").predict(Volume(values, np.eye(4)), uncertainty=True)
    assert certain.uncertainty is not None
    assert certain.uncertainty.array.max() < 0.03  # that of the softmax
    image = bright_ball("PIR", (1, 1, 1))
    found = Predictor(tmp_path, "cpu").predict(image, uncertainty=True).uncertainty
    assert found is not None
    assert found.array.max() > 0.2


def test_probabilities_and_mirrored_copies_are_those_of_slices(tmp_path: Path) -> None:
    preset = replace(SLICES, mirror_axes=(0, 1), context_slices=1, orientation="PSL")
    save_tiny_model(tmp_path, preset)
    image = Volume(noise(18, 20, 21)[0].numpy(), make_affine("LIP", (1.1, 0.9, 2)))
    predictor = Predictor(tmp_path, "cpu", mirror=True, exact=True)
    prediction = predictor.predict(image, probabilities=True)
    assert prediction.probabilities is not None
    prepared = predictor._preprocessor.apply(image)
    network = as_window_network(_loaded(tmp_path), preset)
    windows = SlidingWindows.for_preset(preset, prepared.image.shape[1:])
    volume = torch.from_numpy(prepared.image)[None]
    expected = predict_probabilities(network, windows, volume, (0, 1))[0].numpy()
    for found, each in zip(prediction.probabilities.array, expected):
        own = prepared.transform.backward(each[np.newaxis])[0]
        np.testing.assert_allclose(found, own, atol=1e-5)


def _loaded(folder: Path) -> nn.Module:
    from GenSegLib.models.weights import load_segmenter

    return load_segmenter(folder)[0]


def test_the_largest_component_is_that_of_the_volume(tmp_path: Path) -> None:
    save_threshold_model(tmp_path, replace(BRIGHT, largest_component=True))
    values = np.full((1, 30, 30, 7), -600, np.int16)
    values[0, 4:7, 4:7] = 600  # through all slices
    values[0, 20:26, 20:26, 3] = 600  # larger than that in its slice, smaller in the volume
    values[0, 20:26, 4:7, 5] = 600
    label = Predictor(tmp_path, "cpu").predict(Volume(values, np.eye(4))).label.array[0]
    assert (label[4:7, 4:7] == 7).all()
    assert np.count_nonzero(label) == 9 * 7


def test_a_memory_limit_counts_the_slices_at_their_own_spacing(tmp_path: Path) -> None:
    save_tiny_model(tmp_path, replace(SLICES, spacing=(0.5, 0.5), orientation="ASR"))
    image = Volume(np.zeros((1, 20, 200, 200), np.float32), np.diag([8, 1, 1, 1]))
    with pytest.raises(GenSegError, match="image of 20 x 200 x 200 voxels needs 157 MB"):
        Predictor(tmp_path, "cpu", max_memory=1 << 20).predict(image)


@pytest.mark.parametrize(
    ("step", "shape", "message"),
    [
        ((1, 1, 10), (40, 40, 3), ""),
        ((10, 1, 1), (3, 40, 40), ""),
        ((1, 1, 1), (40, 40, 1), ""),
        ((6, 6, 10), (40, 40, 3), "check the image's spacing"),
        ((0.3, 0.3, 10), (20, 20, 9), "shows the whole structure"),
    ],
)
def test_warnings_compare_what_lies_within_slices(
    tmp_path: Path, step: tuple[float, ...], shape: tuple[int, ...], message: str
) -> None:
    preset = replace(BRIGHT, spacing=(1.0, 1.0), patch_size=(32, 32))
    save_threshold_model(tmp_path, preset)
    values = np.full((1, *shape), -600, np.int16)
    values[0, 1] = 600
    warnings = Predictor(tmp_path, "cpu").predict(Volume(values, np.diag([*step, 1]))).warnings
    assert any(message in text for text in warnings) if message else not warnings
