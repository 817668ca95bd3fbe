"""Augmentation of photos, endoscopy and ultrasound: what each change does to an image."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.augmentation.color import hue, saturation, white_balance
from GenSegLib.augmentation.occlusions import hair, highlights
from GenSegLib.augmentation.policy import COLOR_TRANSFORMS, AugmentationPolicy, augment_intensity
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.ultrasound import speckle, time_gain
from GenSegLib.presets import Preset, list_presets, load_preset

SHAPE = (32, 48)


@pytest.fixture
def photos() -> torch.Tensor:
    return torch.rand(4, 3, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_saturation_and_hue_leave_brightness_and_gray_images_as_they_are(
    photos: torch.Tensor,
) -> None:
    gray = photos[:, :1].expand(-1, 3, -1, -1)
    for change in (saturation, hue):
        changed = change(photos, 0.5, RandomGenerator(0))
        torch.testing.assert_close(changed.mean(1), photos.mean(1))
        assert (changed - photos).abs().max() > 0.05
        torch.testing.assert_close(change(gray, 0.5, RandomGenerator(0)), gray)


def test_hue_rotates_colors_without_changing_their_saturation(photos: torch.Tensor) -> None:
    changed = hue(photos, 0.5, RandomGenerator(0))
    before, after = (x - x.mean(1, keepdim=True) for x in (photos, changed))
    torch.testing.assert_close(after.norm(dim=1), before.norm(dim=1))


def test_white_balance_is_one_gain_of_each_color(photos: torch.Tensor) -> None:
    changed = white_balance(photos, 0.2, RandomGenerator(0))
    low = photos.amin((1, 2, 3), keepdim=True)
    gains = ((changed - low) / (photos - low).clamp_min(1e-6)).flatten(2).median(2).values
    torch.testing.assert_close(changed, low + gains[..., None, None] * (photos - low))
    assert gains.std(1).min() > 1e-3


def test_highlights_cover_few_voxels_with_white(photos: torch.Tensor) -> None:
    changed = highlights(photos, 1.0, RandomGenerator(0)) - photos
    assert changed.min() > -1e-5
    assert 0 < (changed.abs().amax(1) > 0.1).float().mean() < 0.2


def test_hair_covers_few_voxels_with_dark(photos: torch.Tensor) -> None:
    changed = hair(1 + photos, 1.0, RandomGenerator(0)) - 1 - photos
    assert 0 < (changed < -0.2).float().mean() < 0.2
    assert changed.max() < 0.11  # only what is darker than hair


def test_time_gain_changes_with_the_depth_alone(photos: torch.Tensor) -> None:
    one = photos[:, :1]
    low = one.amin((1, 2, 3), keepdim=True)
    changed = time_gain(one, 0.5, RandomGenerator(0))
    gain = ((changed - low) / (one - low).clamp_min(1e-6)).median(2, keepdim=True).values
    torch.testing.assert_close(changed, low + gain * (one - low))
    assert gain.std() > 0.1


def test_speckle_is_stronger_where_the_image_is_brighter() -> None:
    dark_and_bright = torch.ones(8, 1, *SHAPE) * torch.linspace(0, 1, SHAPE[1])
    noise = speckle(dark_and_bright, 0.5, RandomGenerator(0)) - dark_and_bright
    assert noise[..., 0].abs().max() == 0
    assert noise[..., -8:].std() > 3 * noise[..., :8].std()


@pytest.mark.parametrize("name", list_presets())
def test_only_colors_have_color_changes(name: str) -> None:
    preset = load_preset(name)
    policy = AugmentationPolicy.for_preset(preset)
    strengths = [getattr(policy, each) for each in COLOR_TRANSFORMS]
    assert preset.has_colors or not any(strengths)


def preset_strengths(name: str) -> tuple[Preset, AugmentationPolicy]:
    preset = load_preset(name)
    return preset, AugmentationPolicy.for_preset(preset)


def test_x_rays_are_turned_a_little_and_never_mirrored() -> None:
    preset, policy = preset_strengths("chest-xray-lungs")
    assert preset.mirror_axes == ()
    assert policy.spatial.rotation < 0.1 < AugmentationPolicy().spatial.rotation


def test_hair_grows_on_skin_and_speckle_in_ultrasound() -> None:
    _, skin = preset_strengths("skin-lesion")
    _, breast = preset_strengths("breast-ultrasound")
    assert skin.hair > 0 and skin.speckle == 0
    assert breast.speckle > 0 and breast.time_gain > 0 and breast.hair == 0


def test_brightness_and_contrast_of_photos_are_common_to_all_colors(photos: torch.Tensor) -> None:
    only = {"gamma": 0.0, "noise": 0.0, "probability": 1.0, "joint_channels": 3}
    policy = AugmentationPolicy(contrast=0.3, blur=(0.01, 0.02), low_resolution=(1.0, 1.0), **only)
    changed = augment_intensity(photos, policy, RandomGenerator(0))
    scale = changed.flatten(2).std(2) / photos.flatten(2).std(2)
    torch.testing.assert_close(scale, scale[:, :1].expand(-1, 3), atol=1e-3, rtol=1e-3)
