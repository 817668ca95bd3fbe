"""Candidates of a plan: spacing, patch and network that suit the cases, from small to large.

Light: numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..augmentation_settings import Augmentation
from ..images.geometry import world_axis
from ..presets import SOFT_TISSUE_HU, Preset
from .fingerprint import Fingerprint
from .networks import plan_network

SLICES, VOLUMES, TWO_SPACINGS = "2-D slices", "3-D", "3-D, coarse and fine"

_SLICE_ORIENTATIONS = ("ASR", "RSA", "RAS")  # by the axis across which the slices lie
_CLOSE_SLICES_MM = 4.0  # neighbors of slices show the same structures up to here
_COARSEST_MM = 3.0  # where lengths are known in mm
_SLICES_STEPS, _PRETRAINED_STEPS = 3000, 1000  # that complete a training
_TURNED = 0.2  # of the slices, by any angle; as in nnU-Net
_COARSENING = 1.6  # of the median spacing, for structures that remain three pixels thick
_PIXELS_ACROSS, _PIXELS_ACROSS_LARGE = 3, 8
_MANY_CLASSES, _CLASS_WEIGHTING = 5, 0.5  # short training runs do not find small ones otherwise
_CONNECTED, _MIN_CASES = 0.98, 3  # of a class in one component; cases that show it
_SMALL_VOLUME = 64**3  # voxels
_ANISOTROPIC = 3.0
_MIN_COVERED = 0.25  # of the field by a patch; below, the organ is localized first
_MULTIPLES = {"unetr": 16, "swin-unetr": 32}  # of the patch, by segmenter
_CONV_3D = 3.0  # seconds of a voxel in 3-D relative to 2-D
_WIDTH_EXPONENT = 1.3  # of the seconds of a step
_BYTES_PER_ACTIVATION = 4 * 24  # float32, of the tensors that backpropagation keeps per channel
_BYTES_PER_CASE_VOXEL = 12
_LARGE_CASE = 2**21  # voxels; larger cases stay on disk
_WINDOW_MARGIN = 0.25  # of the foreground's range of intensities, on either side
_HU_RANGE, _FAT_HU, _MIN_WINDOW = (-1024.0, 3071.0), -100.0, 200.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to train.

    Attributes:
        kind: `SLICES`, `VOLUMES` or `TWO_SPACINGS`.
        preset: with spacing, patch and network fixed.
        width: channels of the network's first level; 0 if the network has its own.
        batch_size: patches a step.
        rank: candidates of a higher rank are preferred if they complete their training.
        enough_steps: steps that complete it.
        covered: fraction of the field of view that a patch covers.
        unit: of the spacing, "mm" or "px".
    """

    kind: str
    preset: Preset
    width: int
    batch_size: int
    rank: int
    enough_steps: int
    covered: float
    unit: str = "mm"

    @property
    def cost(self) -> float:
        """Estimated seconds of a step, in arbitrary units."""
        dims = _CONV_3D if self.preset.spatial_dims == 3 else 1.0
        voxels = self.batch_size * math.prod(self.preset.patch_size)
        return float(dims * voxels * (self.width or 16) ** _WIDTH_EXPONENT)

    @property
    def memory(self) -> int:
        """Estimated bytes that the network, its activations and gradients take."""
        levels = 2 if self.preset.spatial_dims == 2 else 1.35  # sum over the levels
        voxels = self.batch_size * math.prod(self.preset.patch_size)
        weights = 16 * 1100 * (self.width or 16) ** 2 * 3 ** (self.preset.spatial_dims - 2)
        return int(voxels * (self.width or 16) * _BYTES_PER_ACTIVATION * levels / 2) + weights

    def cases_memory(self, fingerprint: Fingerprint) -> int:
        """Estimated bytes of the preprocessed cases in main memory."""
        spacing = self.preset.spacing or ()
        own = [fingerprint.spacing[world_axis(code)] for code in self.preset.orientation]
        scale = math.prod(old / new for old, new in zip(own, spacing))
        voxels = min(fingerprint.voxels * scale, fingerprint.cases * _LARGE_CASE)
        return int(voxels * _BYTES_PER_CASE_VOXEL * fingerprint.channels)

    def voxel_ml(self, fingerprint: Fingerprint) -> float:
        """Return the volume of a voxel."""
        spacing = self.preset.spacing or ()
        slices = fingerprint.slice_spacing if self.preset.spatial_dims == 2 else 1.0
        return math.prod(spacing) * slices / 1000

    def describe(self) -> str:
        """Return such as "2-D slices of 128 x 112 at 2 mm"."""
        patch = " x ".join(map(str, self.preset.patch_size))
        kind = "2-D images" if self.unit == "px" else self.kind
        return f"{kind} of {patch} at {format_spacing(self.preset.spacing or (), self.unit)}"


@dataclass(frozen=True)
class Scale:
    """Sizes of the candidates, for a kind of device.

    Attributes:
        edges: longest edge of 2-D patches; the first for where time or memory are very short.
        voxels: of 3-D patches.
        widths: channels of the network's first level.
        slices: 2-D patches a step.
    """

    edges: tuple[int, ...]
    voxels: tuple[int, ...]
    widths: tuple[int, ...]
    slices: int


CPU = Scale((96, 128, 160), (64**3, 96**3), (16, 24, 32), 8)
GPU = Scale((160, 256, 384), (96**3, 128**3, 160**3), (32, 48), 12)


def list_candidates(
    fingerprint: Fingerprint, preset: Preset, scale: Scale, *, slices: bool = True
) -> list[Candidate]:
    """Return the candidates, cheapest first.

    Args:
        fingerprint: of the cases.
        preset: the task's preset, whose spacing is to be planned.
        scale: sizes for the device.
        slices: whether 2-D candidates are wanted.
    """
    weighting = _CLASS_WEIGHTING if len(fingerprint.classes) >= _MANY_CLASSES else 0.0
    base = replace(preset, channels=fingerprint.channels, class_weighting=weighting)
    base = _with_components(_with_intensity(base, fingerprint), fingerprint)
    is_image = fingerprint.slices <= 1
    is_2d = is_image or preset.encoder == "pretrained"
    found = [] if is_2d else list(_volumes(fingerprint, base, scale))
    if slices or is_2d:
        found += _slices(fingerprint, base, scale)
    unique = {(each.preset.patch_size, each.preset.spacing, each.width): each for each in found}
    return sorted(unique.values(), key=lambda each: each.cost)


def _slices(fingerprint: Fingerprint, preset: Preset, scale: Scale) -> Iterator[Candidate]:
    field = [fingerprint.field_mm[axis] for axis in fingerprint.in_plane]
    orientation = _SLICE_ORIENTATIONS[fingerprint.slice_axis]
    enough = _PRETRAINED_STEPS if preset.encoder == "pretrained" else _SLICES_STEPS
    has_neighbors = fingerprint.slices > 1 and fingerprint.slice_spacing < _CLOSE_SLICES_MM
    for edge in scale.edges:
        spacing = _in_plane_spacing(fingerprint, max(field) / edge)
        multiple = max(16 if edge < 256 else 32, _multiple(preset))
        patch = tuple(max(32, min(edge, _rounded_up(size / spacing, multiple))) for size in field)
        planned = replace(
            preset,
            augmentation=_augmentation(fingerprint, preset),
            spatial_dims=2,
            orientation=orientation,
            unit=fingerprint.unit,
            long_side=fingerprint.long_side,
            crop_foreground=preset.crop_foreground or fingerprint.long_side > 0,
            spacing=(spacing, spacing),
            patch_size=patch,
            multiple=max(16, _multiple(preset)) if preset.encoder == "pretrained" else 16,
            context_slices=1 if has_neighbors else 0,
            coarse_spacing=None,
            mirror_axes=_reoriented(preset, orientation, 2),
            batch_dice=fingerprint.slices > 1,
            network={},
        )
        rank = 0 if edge == scale.edges[0] else 1
        for width, final in _networks(planned, scale.widths if rank else scale.widths[:1]):
            covered = _covered(patch, planned.spacing or (), field)
            sizes = scale.slices, rank, enough, covered
            yield Candidate(SLICES, final, width, *sizes, fingerprint.unit)


def _augmentation(fingerprint: Fingerprint, preset: Preset) -> Augmentation:
    """Turn slices of volumes by any angle, as nnU-Net does, except in CT, where patients lie.

    Where slices are oblique, another axis of the body may be the nearest one in the next patient,
    and many files have lost the direction of their axes. In 3 of 24 hearts the right ventricle
    lies above the left one instead of beside it; a training on seven others did not find it there.
    """
    if fingerprint.slices <= 1 or preset.modality == "CT" or preset.augmentation.turned > 0:
        return preset.augmentation
    return replace(preset.augmentation, turned=_TURNED)


def _volumes(fingerprint: Fingerprint, preset: Preset, scale: Scale) -> Iterator[Candidate]:
    field = [fingerprint.field_mm[world_axis(code)] for code in preset.orientation]
    own = [_target(fingerprint, world_axis(code)) for code in preset.orientation]
    finest = [max(step, fingerprint.in_plane_spacing) for step in own]
    is_small = math.prod(size / step for size, step in zip(field, finest)) <= _SMALL_VOLUME
    for voxels in (_SMALL_VOLUME,) if is_small else scale.voxels:
        edge = voxels ** (1 / 3)
        spacing = [max(step, _in_plane_spacing(fingerprint, max(field) / edge)) for step in own]
        spacing = finest if is_small else spacing
        patch = _patch(field, spacing, voxels, _multiple(preset, 8))
        planned = replace(
            preset,
            spatial_dims=3,
            spacing=tuple(spacing),
            patch_size=patch,
            multiple=8,
            context_slices=0,
            coarse_spacing=None,
            network={},
        )
        covered = _covered(patch, spacing, field)
        kind = VOLUMES
        if covered < _MIN_COVERED and not is_small:
            kind, coarsening = TWO_SPACINGS, covered ** (-1 / 3)
            coarse = tuple(round(min(step * coarsening, 20.0), 2) for step in spacing)
            planned = replace(planned, coarse_spacing=coarse, full_image_fallback=True)
        rank = _volume_rank(fingerprint, voxels, is_small=is_small)
        for width, final in _networks(planned, scale.widths if rank else scale.widths[:1]):
            yield Candidate(kind, final, width, 2, rank, 1000 if is_small else 3000, covered)


def _volume_rank(fingerprint: Fingerprint, voxels: int, *, is_small: bool) -> int:
    """Return whether volumes (2) or slices (1) are preferred: thick slices show little depth."""
    is_isotropic = fingerprint.anisotropy < _ANISOTROPIC
    return 2 if is_isotropic and (is_small or voxels >= 96**3) else 0


def _networks(preset: Preset, widths: Sequence[int]) -> Iterator[tuple[int, Preset]]:
    """Yield widths, and the preset with a network of that width; other networks have one size."""
    if preset.segmenter != "dynunet" or preset.encoder == "pretrained":
        yield 0, preset
        return
    for width in widths:
        yield (
            width,
            replace(preset, network=plan_network(preset.patch_size, preset.spacing or (), width)),
        )


def _multiple(preset: Preset, default: int = 0) -> int:
    """Return what patch edges must be multiples of for the segmenter."""
    return 32 if preset.encoder == "pretrained" else _MULTIPLES.get(preset.segmenter, default)


def _in_plane_spacing(fingerprint: Fingerprint, covering: float) -> float:
    """Return the spacing that covers the field, or the coarsest that shows the structures.

    Args:
        fingerprint: of the cases.
        covering: the spacing at which a patch covers the field.
    """
    own, thin = fingerprint.in_plane_spacing, fingerprint.thinnest_mm
    coarsest = max(
        own,
        min(_COARSENING * own, thin / _PIXELS_ACROSS),
        min(_COARSEST_MM if fingerprint.unit == "mm" else math.inf, thin / _PIXELS_ACROSS_LARGE),
    )
    chosen = min(max(own, covering), coarsest)
    return own if chosen < 1.05 * own else float(f"{chosen:.3g}")


def _target(fingerprint: Fingerprint, axis: int) -> float:
    """Return the median spacing along an axis; across thick slices the 10th percentile."""
    is_thick = axis == fingerprint.slice_axis and fingerprint.anisotropy >= _ANISOTROPIC
    return fingerprint.spacing_range[0][axis] if is_thick else fingerprint.spacing[axis]


def _patch(
    field: Sequence[float], spacing: Sequence[float], voxels: int, multiple: int
) -> tuple[int, ...]:
    """Return a patch of multiples that covers the field, or as much as `voxels` allow."""
    patch = [multiple * max(1, round(size / step / multiple)) for size, step in zip(field, spacing)]
    longest = int(np.argmax(patch))
    patch[longest] = max(16, patch[longest])  # for a network of three levels
    while math.prod(patch) > voxels and max(patch) > multiple:
        patch[int(np.argmax(patch))] -= multiple
    return tuple(patch)


def _covered(patch: Sequence[int], spacing: Sequence[float], field: Sequence[float]) -> float:
    fractions = (min(1.0, n * step / size) for n, step, size in zip(patch, spacing, field))
    return round(math.prod(fractions), 3)


def _rounded_up(size: float, multiple: int) -> int:
    return math.ceil(round(size / multiple, 2)) * multiple


def _reoriented(preset: Preset, orientation: str, dims: int) -> tuple[int, ...]:
    """Return the preset's mirror axes in another orientation, as far as they remain."""
    mirrored = {world_axis(preset.orientation[axis]) for axis in preset.mirror_axes}
    return tuple(k for k, code in enumerate(orientation[:dims]) if world_axis(code) in mirrored)


def _with_components(preset: Preset, fingerprint: Fingerprint) -> Preset:
    """Keep the largest component of what is connected in every case: classes, and all together.

    Presets of an anatomy say themselves which classes are.
    """
    if preset.anatomy or fingerprint.cases < _MIN_CASES:
        return preset
    several = [
        value for value, each in fingerprint.classes.items() if each.largest_component < _CONNECTED
    ]
    is_any_single = len(several) < len(fingerprint.classes)
    is_one = len(fingerprint.classes) > 1 and fingerprint.foreground_component >= _CONNECTED
    return replace(
        preset,
        largest_component=is_any_single,
        several_components=tuple(several),
        single_foreground=is_one,
    )


def _with_intensity(preset: Preset, fingerprint: Fingerprint) -> Preset:
    """Fit the intensity window of a preset without anatomy to the foreground."""
    kind = preset.intensity.kind
    is_fixed = kind == "zscore" or (kind == "robust" and not fingerprint.is_ct)
    if is_fixed or preset.anatomy or not fingerprint.intensities:
        return preset
    low = min(channel.low for channel in fingerprint.intensities)
    high = max(channel.high for channel in fingerprint.intensities)
    margin = _WINDOW_MARGIN * (high - low)
    low = max(_HU_RANGE[0], min(_FAT_HU, 10.0 * round((low - margin) / 10)))
    high = min(_HU_RANGE[1], max(low + _MIN_WINDOW, 10.0 * round((high + margin) / 10)))
    if kind == "robust":  # the body's outline and its fat remain visible
        low, high = min(low, SOFT_TISSUE_HU[0]), max(high, SOFT_TISSUE_HU[1])
    return replace(preset, intensity=replace(preset.intensity, low=low, high=high))


def format_spacing(spacing: Sequence[float], unit: str) -> str:
    """Return such as "2 mm" or "1 x 1 x 3 mm"."""
    lengths = [f"{step:.3g}" for step in spacing]
    return f"{lengths[0] if len(set(lengths)) == 1 else ' x '.join(lengths)} {unit}"
