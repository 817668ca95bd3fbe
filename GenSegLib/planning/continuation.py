"""Whether the plan of a model suits other cases.

Light: numpy alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..images.geometry import world_axis
from ..presets import Preset
from .fingerprint import Fingerprint

_MAX_UPSAMPLING = 3.0
_MIN_INSIDE = 0.3  # of the foreground's range of intensities
_MAX_PATCHES = 4.0  # of a structure's extent; a patch then shows nothing but its inside


def plan_misfit(fingerprint: Fingerprint, preset: Preset, new: Collection[int]) -> str:
    """Return why a model's plan would give a worse model than one made for these cases, else "".

    A network learns any intensities anew, but not what its spacing and patches cannot show: a
    training that inherits a wrong plan stays worse however long it is.

    Args:
        fingerprint: of the cases.
        preset: of the model.
        new: label values of classes that the model lacks; it was planned for the others.
    """
    return next(_misfits(fingerprint, preset, new), "")


def _misfits(fingerprint: Fingerprint, preset: Preset, new: Collection[int]) -> Iterator[str]:
    window = preset.intensity
    for channel in fingerprint.intensities if window.kind == "window" else ():
        inside = min(channel.high, window.high) - max(channel.low, window.low)
        if inside < _MIN_INSIDE * (channel.high - channel.low):
            yield f"it expects intensities from {window.low:g} to {window.high:g}"
    if fingerprint.slices <= 1 and preset.spatial_dims == 3:
        yield "it is for volumes and the images have one slice"
    is_any_unit = preset.unit == "px" and fingerprint.slices <= 1
    if fingerprint.unit != preset.unit and not is_any_unit:
        yield f"its lengths are in {preset.unit}, those of the images in {fingerprint.unit}"
    classes = [each for value, each in fingerprint.classes.items() if value in new]
    axes = [world_axis(code) for code in preset.orientation][: preset.spatial_dims]
    scale = _scale(fingerprint, preset)
    spacing = preset.spacing or [scale * fingerprint.spacing[axis] for axis in axes]
    for axis, size, patch in zip(axes, spacing, preset.patch_size):
        own, unit = scale * fingerprint.spacing[axis], preset.unit
        if own > _MAX_UPSAMPLING * size:
            yield f"it works at {size:g} {unit}, but the images have {own:g} {unit}"
        largest = scale * max((each.extent_mm[axis] for each in classes), default=0)
        if preset.coarse_spacing is None and largest > _MAX_PATCHES * patch * size:
            yield (
                f"its patches of {patch * size:.0f} {unit} show little of structures of "
                f"{largest:.0f} {unit}"
            )
    if any(scale * each.thickness_mm < min(spacing) for each in classes):
        yield f"it works at {min(spacing):g} {preset.unit}, coarser than a new structure"


def _scale(fingerprint: Fingerprint, preset: Preset) -> float:
    """Return the preset's length of a length of the fingerprint.

    They differ if the preset's is relative, or in pixels and the fingerprint in mm.
    """
    if fingerprint.slices > 1:
        return 1.0
    if not preset.long_side:
        finest = min(fingerprint.spacing[axis] for axis in fingerprint.in_plane)
        return 1 / finest if (preset.unit, fingerprint.unit) == ("px", "mm") else 1.0
    own = fingerprint.long_side or max(fingerprint.field_mm[axis] for axis in fingerprint.in_plane)
    return preset.long_side / own
