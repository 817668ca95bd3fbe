"""The `monai.bundle` configuration of a model: its network and inference pipeline.

`python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES --output_dir
PREDICTIONS` in the model folder segments a folder of NIfTI files, or of PNG, JPEG and the like if
the model was trained on them. The pipeline uses MONAI's own transforms, so that a bundle runs
without GenSeg. They match `data.preprocessing`, except that `Spacingd` aligns its grid to the first
voxel and does not average when downsampling: results on resampled images differ slightly. There is
no coarse pass, and only the largest component of each label is kept, even at the border of the
image.

Light: imports the standard library alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..data.normalization import (
    CAPTION_FRACTION,
    CT_LOWEST,
    CT_MEDIAN,
    DARK_FRACTION,
    MEDIANS,
    MIN_BRIGHT,
    MIN_FIELD_OF_VIEW,
    PERCENTILES,
)
from ..data.preprocessing import crop_margin
from ..images.volume import COLORS
from ..presets import Preset

Config = dict[str, Any]

SLICE_WISE = "GenSegLib.networks.slice_wise.SliceWise"
_SLICES_A_PASS = 16

REQUIRED_PACKAGES = {
    "fire": "0.6.0",
    "nibabel": "5.0.0",
    "pytorch-ignite": "0.5.0",
    "scikit-image": "0.22.0",
}


def inference_config(
    preset: Preset, label_values: Sequence[int], network: Config, slice_wise: str = SLICE_WISE
) -> Config:
    """Return the content of a bundle's `inference.json`.

    Args:
        preset: of the model.
        label_values: voxel value of each class, background first.
        network: the segmenter's `_target_` and its arguments.
        slice_wise: import path of the class that makes a 2-D segmenter a network of volumes.
    """
    segmenter = "network_def"
    if preset.spatial_dims == 2 and not is_for_raster_images(preset):
        segmenter = "network_def.network"
        network = {"_target_": slice_wise, "network": network, "context": preset.context_slices}
    return {
        "imports": [f"$import {name}" for name in _imports(preset)],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/predictions'",
        "datalist": _datalist(preset),
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": network,
        "network": "$torch.nn.Sequential(@network_def, torch.nn.Softmax(dim=1)).to(@device).eval()",
        "checkpoint": "$torch.load(@bundle_root + '/models/model.pt', weights_only=True)",
        "preprocessing": _compose(_preprocessing(preset)),
        "dataset": {
            "_target_": "Dataset",
            "data": _data(preset),
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {"_target_": "SlidingWindowInferer", **_windows(preset), "mode": "gaussian"},
        "postprocessing": _compose([*_postprocessing(preset, label_values), _saving(preset)]),
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
        },
        "initialize": [f"$@{segmenter}.load_state_dict(@checkpoint)"],
        "run": ["$@evaluator.run()"],
    }


def _imports(preset: Preset) -> list[str]:
    raster = ["PIL.ImageOps as ImageOps"] if is_for_raster_images(preset) else []
    return ["glob", "monai", "numpy as np", "torch", *raster]


def is_for_raster_images(preset: Preset) -> bool:
    """Whether images are PNG and the like: their network has no third axis in a bundle."""
    return preset.unit == "px"


def may_have_channel_files(preset: Preset) -> bool:
    """Whether the channels of an image may be files of their own, not gray or the colors of one."""
    return preset.channels > 1 and not (is_for_raster_images(preset) and preset.channels == COLORS)


def _datalist(preset: Preset) -> str:
    """Return an expression for the images' files; the first of several channels."""
    every = "sorted(glob.glob(@dataset_dir + '/*.nii*'))"
    if is_for_raster_images(preset):
        every = (
            "sorted(path for path in glob.glob(@dataset_dir + '/*') "
            "if path.lower().endswith(('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff')))"
        )
    first = f"[path for path in {every} if '_0000.' in path] or "
    return f"${first if may_have_channel_files(preset) else ''}{every}"


def _data(preset: Preset) -> str:
    """Return an expression for the data set; a file has all channels, or ends with its number."""
    if not may_have_channel_files(preset):
        return "$[{'image': path} for path in @datalist]"
    files = f"[path.replace('_0000.', '_%04d.' % k) for k in range({preset.channels})]"
    return f"$[{{'image': {files} if '_0000.' in path else path}} for path in @datalist]"


def _windows(preset: Preset) -> Config:
    """Return the windows of the inferer.

    Those of a 2-D network are single slices, or all slices if it needs neighbors of each; MONAI
    blends those in other proportions near the ends of the image, since it weights slices too.
    """
    if preset.spatial_dims == 3 or is_for_raster_images(preset):
        return {"roi_size": list(preset.patch_size), "sw_batch_size": 2, "overlap": 0.5}
    slices, count = (-1, 1) if preset.context_slices else (1, _SLICES_A_PASS)
    overlap = [0.5 for _ in preset.patch_size]
    return {
        "roi_size": [*preset.patch_size, slices],
        "sw_batch_size": count,
        "overlap": [*overlap, 0.0],
    }


def network_data_format(preset: Preset, class_names: Sequence[str]) -> Config:
    """Return the `network_data_format` of a bundle's `metadata.json`."""
    has_slices = preset.spatial_dims == 2 and not is_for_raster_images(preset)
    any_number = ["*"] if has_slices else []
    spatial_shape = [*preset.patch_size, *any_number]
    image = {
        "type": "image",
        "format": {"CT": "hounsfield", "MR": "magnitude"}.get(preset.modality, "magnitude"),
        "modality": preset.modality,
        "num_channels": preset.channels,
        "spatial_shape": spatial_shape,
        "dtype": "float32",
        "value_range": [0, 1] if preset.intensity.kind == "window" else [],
        "is_patch_data": True,
        "channel_def": {str(channel): "image" for channel in range(preset.channels)},
    }
    prediction = {
        "type": "image",
        "format": "segmentation",
        "num_channels": len(class_names),
        "spatial_shape": spatial_shape,
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
        "channel_def": {str(index): name for index, name in enumerate(class_names)},
    }
    return {"inputs": {"image": image}, "outputs": {"pred": prediction}}


def _preprocessing(preset: Preset) -> list[Config]:
    steps = _reading(preset)
    if preset.crop_foreground:
        crop = {"source_key": "image", "margin": crop_margin(preset), "allow_smaller": True}
        steps.append(_on("image", "CropForegroundd", select_fn=_foreground(preset), **crop))
    if preset.spacing is not None and preset.long_side:
        side = round(preset.long_side / max(preset.spacing))
        size = {"spatial_size": side, "size_mode": "longest", "anti_aliasing": True}
        steps.append(_on("image", "Resized", mode="bilinear", **size))
    elif preset.spacing is not None:
        if is_for_raster_images(preset) and max(preset.spacing) > 1:
            steps.append(_on("image", "GaussianSmoothd", sigma=_antialiasing(preset.spacing)))
        steps.append(_on("image", "Spacingd", pixdim=_spacing(preset), mode="bilinear"))
    steps += _normalization(preset)
    steps.append(_on("image", "DivisiblePadd", k=_multiples(preset)))
    return steps


def _reading(preset: Preset) -> list[Config]:
    """Return the transforms that load an image and orient it as in training."""
    if is_for_raster_images(preset):  # ITK's x and y point to the left and back
        # gray of 16 bits would be cut off at 255, and gray is none of a network for colors
        kept, mode = ("1LIF", "RGB") if preset.channels == COLORS else ("IF", "L")
        converted = f"image if image.mode[0] in '{kept}' else image.convert('{mode}')"
        upright = f"ImageOps.exif_transpose({_REFUSED} if {_HAS_DEEP_COLORS} else image)"
        converter = f"$lambda image: (lambda image: {converted})({upright})"
        load = {"reader": "PILReader", "converter": converter, "ensure_channel_first": True}
        return [_on("image", "LoadImaged", **load), _on("image", "Flipd", spatial_axis=[0, 1])]
    return [
        _on("image", "LoadImaged", ensure_channel_first=True),
        _on("image", "Orientationd", axcodes=preset.orientation, labels=None),
    ]


def _antialiasing(spacing: Sequence[float]) -> list[float]:
    """Return standard deviations that make up for linear instead of averaging downsampling.

    A triangle filter with the half-width s has the variance s**2 / 6; see `images.resampling`.
    """
    return [round(math.sqrt(max(0.0, step**2 - 1) / 6), 4) for step in spacing]


def _spacing(preset: Preset) -> list[float]:
    """Return the spacing for MONAI, which leaves that of slices as it is."""
    has_slices = preset.spatial_dims == 2 and not is_for_raster_images(preset)
    return [*(preset.spacing or ()), *([-1.0] if has_slices else [])]


def _multiples(preset: Preset) -> int | list[int]:
    if preset.spatial_dims == 3 or is_for_raster_images(preset):
        return preset.multiple
    return [preset.multiple, preset.multiple, 1]


# as in `raster_files`; Pillow reads 8 bits of them
_HAS_DEEP_COLORS = (
    "image.mode.startswith('RGB') and (max(getattr(image, 'tag_v2', {}).get(258, (0,))) > 8"
    " or any(';16' in str(tile[3]) for tile in getattr(image, 'tile', [])))"
)
_REFUSED = (  # raises, in an expression
    "(_ for _ in ()).throw(ValueError(str(image.filename) + ': colors of 16 bits, of which this "
    "pipeline would read 8; convert the image to 8 bits, or use genseg predict'))"
)

_FOREGROUND = (
    f"lambda image: image > image.min() + {DARK_FRACTION}"
    " * (np.percentile(image, 99) - float(image.min()))"
)


# as `normalization.field_of_view_mask`
_VIEW = (
    "(lambda mask: (lambda shown, rows, columns: shown if mask[:, rows, columns].size >= "
    f"{MIN_FIELD_OF_VIEW} * mask.size and mask[:, rows, columns].mean() >= {MIN_BRIGHT} "
    "else np.ones_like(mask))(shown := mask & (mask.mean((0, 2), keepdims=True) > "
    f"{CAPTION_FRACTION}) & (mask.mean((0, 1), keepdims=True) > {CAPTION_FRACTION}), "
    "*((slice(found[0], found[-1] + 1) if len(found) else slice(None)) for found in "
    "(np.flatnonzero(shown.any(axis)) for axis in ((0, 2), (0, 1))))))"
)
_BRIGHT = (
    "(lambda array, low: (array > low + "
    f"{DARK_FRACTION} * (np.percentile(array, 99, axis=(1, 2), keepdims=True) - low)"
    ").any(0, keepdims=True))"
    "(np.asarray(image), np.minimum(np.asarray(image).min((1, 2), keepdims=True), 0))"
)


def _foreground(preset: Preset) -> str:
    if preset.intensity.kind == "window":
        return f"$lambda image: image > {preset.intensity.low}"
    if is_for_raster_images(preset):
        return f"$lambda image: {_VIEW}({_BRIGHT})"
    if preset.is_for_images:  # with a third axis of length 1
        return f"$lambda image: (lambda image: {_VIEW}({_BRIGHT}))(image[..., 0])[..., None]"
    return f"${_FOREGROUND}"


def _normalization(preset: Preset) -> list[Config]:
    low, high = preset.intensity.low, preset.intensity.high
    if preset.intensity.kind == "window":
        limits = {"a_min": low, "a_max": high, "b_min": 0, "b_max": 1, "clip": True}
        return [_on("image", "ScaleIntensityRanged", **limits)]
    scale = _on("image", "NormalizeIntensityd", channel_wise=True)
    if preset.intensity.kind == "zscore":
        return [scale]
    others = _scaled_to_percentiles(preset.intensity.median)
    scaled = f"image.clip({low}, {high}) if {_IS_IN_HU} else ({others})(image)"
    return [_on("image", "Lambdad", func=f"$lambda image: {scaled}"), scale]


# as `is_in_hu`
_IS_IN_HU = (
    f"(image.min() <= {CT_LOWEST} and"
    f" not np.median(image[image > {CT_LOWEST}]) >= {CT_MEDIAN})"  # NaN where there are none
)


def _scaled_to_percentiles(median: float) -> str:
    """Return a function of images that computes what `intensity_range` and its `apply` do."""
    low = f"np.percentile(image, {PERCENTILES[0]})"
    high = f"np.percentile(image[body], {PERCENTILES[1]})"
    span = f"max(1e-9, float({high} - {low}))"
    unit = f"((image - float({low})) / {span}).clip(0, 1)"
    power = f"np.log({median}) / np.log(np.clip(float(unit[body].median()), *{MEDIANS}))"
    bent = f"(lambda unit: unit ** ({power}))({unit})" if median else unit
    return f"lambda image: (lambda body: {bent})(({_FOREGROUND})(image))"


def _postprocessing(preset: Preset, label_values: Sequence[int]) -> list[Config]:
    steps = [
        _on("pred", "Invertd", transform="@preprocessing", orig_keys="image", nearest_interp=False),
        _on("pred", "AsDiscreted", argmax=True),
    ]
    classes = list(range(len(label_values)))
    if preset.single_foreground:
        steps.append(_largest_component(classes[1:], independent=False))
    if preset.largest_component:
        single = preset.with_single_component(label_values[1:])
        steps.append(_largest_component([label_values.index(value) for value in single]))
    if preset.fill_holes:
        steps += [_on("pred", "Lambdad", func=_filler(index)) for index in reversed(classes[1:])]
    if list(label_values) != classes:
        values = list(label_values)
        steps.append(_on("pred", "MapLabelValued", orig_labels=classes, target_labels=values))
    return steps


def _largest_component(classes: Sequence[int], *, independent: bool = True) -> Config:
    """Return the transform that keeps the largest component of each class, or of all together."""
    settings = {"applied_labels": list(classes), "is_onehot": False, "independent": independent}
    return _on("pred", "KeepLargestConnectedComponentd", **settings)


def _saving(preset: Preset) -> Config:
    """Return the transform that writes `<image's name>_seg.nii.gz` (or `.png`) on its own grid."""
    where = {"output_dir": "@output_dir", "separate_folder": False, "resample": False}
    kind = {"output_dtype": "$np.int16"}
    if is_for_raster_images(preset):
        kind = {"output_dtype": "$np.uint8", "output_ext": ".png", "writer": "PILWriter"}
    return _on("pred", "SaveImaged", output_postfix="seg", **kind, **where)


def _filler(index: int) -> str:
    """Return an expression that fills background holes in a class with that class."""
    holes = f"FillHoles(applied_labels=[{index}], connectivity=1)(label.clone())"
    return f"$lambda label: torch.where(label == 0, monai.transforms.{holes}, label)"


def _on(key: str, transform: str, /, **arguments: Any) -> Config:
    return {"_target_": transform, "keys": key, **arguments}


def _compose(transforms: Sequence[Config]) -> Config:
    return {"_target_": "Compose", "transforms": list(transforms)}
