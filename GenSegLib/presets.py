"""Presets: what differs between anatomies and modalities, as data.

The presets that come with GenSeg are JSON files in ``resources/presets``. Light: the standard
library only.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from itertools import permutations, product
from pathlib import Path
from typing import Any

from .augmentation_settings import Augmentation
from .errors import GenSegError
from .files import read_json
from .settings import (
    MAX_SPACING,
    MIN_SPACING,
    Rule,
    at_least,
    between,
    is_count,
    is_spacing,
    one_of,
    require,
    setting,
    validate,
)

ENCODERS = ("scratch", "pretrained")
BLENDINGS = ("registration", "transplantation")
EFFORTS = ("quick", "standard", "thorough")
SOFT_TISSUE_HU = (-160.0, 240.0)
BODY_MEDIAN = 0.5  # about that of soft tissue in CT
MAX_MULTIPLE = 128  # voxels; more than the strides of any segmenter
_FOLDER = Path(__file__).parent / "resources" / "presets"
_SPACINGS = f"{MIN_SPACING:g} to {MAX_SPACING:g} mm"
_ORIENTATIONS = frozenset(
    "".join(pair[side] for pair, side in zip(order, sides))
    for order in permutations(("RL", "AP", "SI"))
    for sides in product((0, 1), repeat=3)
)
_RENAMED = {  # old -> new
    "foreground_share": "foreground_fraction",
    "coarse_share": "coarse_fraction",
    "search_finely": "full_image_fallback",
}
_REMOVED = {"coordinates"}


@cache
def list_presets() -> tuple[str, ...]:
    """Return the names of all presets that come with GenSeg, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset by its name, or from a JSON file.

    Raises:
        GenSegError: there is no such preset (the message lists the names), or the file is invalid.
    """
    names = list_presets()
    if str(name_or_path) in names:
        return _own_preset(str(name_or_path))
    path = Path(str(name_or_path))
    if path.suffix != ".json":
        known = ", ".join(names)
        raise GenSegError(f"unknown preset {str(name_or_path)!r}; choose {known} or a .json file")
    return Preset.from_json(read_json(path))


@cache
def _own_preset(name: str) -> Preset:
    """Read a preset that comes with GenSeg once, since the panel asks for it at each update."""
    return Preset.from_json(read_json(_FOLDER / f"{name}.json"))


@dataclass(frozen=True)
class Intensity:
    """Intensity normalization.

    `zscore` scales each image to mean 0 and standard deviation 1 (MR); `window` maps `low` to
    `high` (HU) onto 0 to 1 and clips the rest (CT). `robust` is for images of any scanner: those in
    HU are clipped to `low` and `high`, others to their percentiles and given the gamma that brings
    the body's median to `median` of that range, unless it is 0; then as `zscore`.
    """

    kind: str = setting(one_of(("zscore", "window", "robust")), "zscore")
    low: float = 0.0
    high: float = 0.0
    median: float = setting(between(0.0, 0.9), 0.0)

    def __post_init__(self) -> None:
        """Validate the settings."""
        validate(self)
        if self.kind != "zscore":
            require(self.low < self.high, "low", "below high")


@dataclass(frozen=True)
class Steps:
    """Optimizer steps of the three phases of a training."""

    warmup_steps: int = setting(at_least(0))
    joint_steps: int = setting(at_least(0))
    final_steps: int = setting(at_least(0))

    def __post_init__(self) -> None:
        """Validate the settings."""
        validate(self)


_NAME = Rule(bool, "a string that is not empty")
_MODALITY = Rule(lambda value: value in ("MR", "CT", ""), "'MR', 'CT' or empty")
_LABELS = Rule(lambda labels: all(value > 0 for value in labels), "values of 1 or more")
_STEPS = Rule(lambda steps: set(steps) == set(EFFORTS), f"entries for {', '.join(EFFORTS)}")
_COLORS = Rule(
    lambda colors: all(0 <= part <= 255 for color in colors.values() for part in color),
    "RGB from 0 to 255",
)


PREPROCESSING = (
    *("spatial_dims", "channels", "orientation", "unit", "long_side", "spacing"),
    *("coarse_spacing", "intensity", "crop_foreground", "batch_dice", "multiple"),
)
"""Names of the settings that preprocessed images depend on; `is_for_images` follows from them."""


@dataclass(frozen=True)
class Preset:
    """Settings of one anatomy and modality; sizes in voxels, spacing in mm.

    Attributes:
        name: identifier, such as ``liver-ct``.
        title: name for users.
        anatomy: the organ or region.
        modality: "MR", "CT" or empty.
        labels: names by label value; empty to take them from the cases.
        patch_size: training patch, multiples of `multiple`.
        steps: optimizer steps by effort, one entry for each of `EFFORTS`.
        spatial_dims: 3, or 2 for a network that segments slice by slice along the last axis of the
            orientation; `patch_size` and `spacing` are those within a slice then.
        channels: image channels.
        context_slices: neighboring slices on either side that a 2-D network gets as channels.
        network: arguments of the segmenter that differ from those of the registry.
        orientation: axis codes that images are reoriented to.
        unit: of the spacing: "mm", or "px" for 2-D images without a scale.
        long_side: images in pixels are taken as if the longer side of what they show had this many,
            so that the spacing is relative to the field of view, whatever a camera's resolution; 0
            takes their own pixels.
        spacing: spacing that images are resampled to; None to plan spacing, patch and network from
            the cases and the machine.
        intensity: intensity normalization.
        crop_foreground: crop images to the body, 2-D images to what is within dark borders.
        multiple: image sizes are padded to a multiple of it.
        largest_component: keep only the largest component of each label, but for optional ones
            and `several_components`.
        several_components: label values of which all components are kept.
        single_foreground: all labels together are one component, such as a heart; before that of
            each label, the largest one of the foreground is kept.
        fill_holes: fill holes of predictions.
        bias_field: augment with bias fields.
        augmentation: strengths of the other augmentation.
        blending: how masks of generated pairs blend cases: "registration" of their anatomy, or
            "transplantation" of lesions between photos.
        lesions: structures may be anywhere and in any number, so that those of other images fit in.
        segmenter: the network, one of `config.SEGMENTERS`.
        encoder: whether the segmenter's encoder starts from ImageNet's weights.
        colors: RGB from 0 to 255 by label value.
        terminology: 3D Slicer's terminology entries by label value.
        foreground_fraction: fraction of patches centered on a foreground voxel; classes are
            equally likely.
        class_weighting: weights of the classes in the cross-entropy are their fraction of the
            voxels to the power of minus this; 0 weights all voxels alike. See `class_weights`.
        batch_dice: the Dice loss is that of all samples of a batch together, as for patches without
            some of the classes; otherwise the mean over the samples, as for images whose structures
            are of very different sizes.
        coarse_spacing: with it the network also learns at this spacing, and prediction localizes
            the organ at it before it segments at `spacing`.
        coarse_fraction: fraction of patches at `coarse_spacing`.
        coarse_margin_mm: margin around the localized organ.
        full_image_fallback: segment the whole image if nothing was localized; otherwise the
            segmentation is empty.
        optional_labels: labels that cases may lack and that may have any number of components,
            such as lesions; one that no case has is left out of the model.
        few_cases: up to this number of labeled cases, a step has one real and one generated sample.
            Patches show most of a case then, so that more of them only overfit, at twice the cost.
        mirror_axes: spatial axes along which cases are mirrored, in training and at test-time
            augmentation.

    Raises:
        GenSegError: a value is invalid; the message names the setting.
    """

    name: str = field(metadata={"rule": _NAME})
    title: str
    anatomy: str
    modality: str = field(metadata={"rule": _MODALITY})
    labels: dict[int, str] = field(metadata={"rule": _LABELS})
    patch_size: tuple[int, ...]
    steps: dict[str, Steps] = field(metadata={"rule": _STEPS})
    spatial_dims: int = setting(one_of((2, 3)), 3)
    channels: int = setting(at_least(1), 1)
    context_slices: int = setting(between(0, 4), 0)
    network: dict[str, Any] = field(default_factory=dict)
    orientation: str = setting(Rule(_ORIENTATIONS.__contains__, "axis codes such as 'RAS'"), "RAS")
    unit: str = setting(one_of(("mm", "px")), "mm")
    long_side: float = setting(at_least(0), 0.0)
    spacing: tuple[float, ...] | None = None
    intensity: Intensity = field(default_factory=Intensity)
    crop_foreground: bool = False
    multiple: int = setting(between(1, MAX_MULTIPLE), 8)
    largest_component: bool = False
    several_components: tuple[int, ...] = ()
    single_foreground: bool = False
    fill_holes: bool = False
    bias_field: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    blending: str = setting(one_of(BLENDINGS), "registration")
    lesions: bool = False
    segmenter: str = "unet"
    encoder: str = setting(one_of(ENCODERS), "scratch")
    colors: dict[int, tuple[int, int, int]] = field(
        default_factory=dict, metadata={"rule": _COLORS}
    )
    terminology: dict[int, str] = field(default_factory=dict)
    foreground_fraction: float = setting(between(0, 1), 0.5)
    class_weighting: float = setting(between(0, 1), 0.0)
    batch_dice: bool = True
    coarse_spacing: tuple[float, ...] | None = None
    coarse_fraction: float = setting(between(0, 1), 0.25)
    coarse_margin_mm: float = setting(at_least(0), 20.0)
    full_image_fallback: bool = False
    optional_labels: tuple[int, ...] = ()
    few_cases: int = setting(at_least(0), 0)
    mirror_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Validate the settings."""
        validate(self)
        dims, axes = self.spatial_dims, self.mirror_axes
        fits = len(self.patch_size) == dims and all(map(self._is_patch_edge, self.patch_size))
        require(fits, "patch_size", f"{dims} multiples of {self.multiple}")
        for name in ("spacing", "coarse_spacing"):
            spacing = getattr(self, name)
            valid = spacing is None or is_spacing(spacing, dims)
            require(valid, name, f"{dims} lengths from {_SPACINGS}")
        require(self.unit == "px" or not self.long_side, "long_side", '0 unless "unit" is "px"')
        are_axes = all(is_count(axis) and axis < dims for axis in axes)
        expected = f"some of {list(range(dims))}"
        require(are_axes and len(set(axes)) == len(axes), "mirror_axes", expected)
        has_required = not self.labels or bool(set(self.labels) - set(self.optional_labels))
        require(has_required, "optional_labels", "some of the labels, not all")

    @property
    def is_for_images(self) -> bool:
        """Whether the cases are 2-D images rather than volumes."""
        return self.spatial_dims == 2 and not self.batch_dice

    def _is_patch_edge(self, size: object) -> bool:
        return is_count(size) and size > 0 and size % self.multiple == 0  # type: ignore[operator]

    @property
    def input_channels(self) -> int:
        """Channels of the segmenter's input, context slices included."""
        return self.channels * (1 + 2 * self.context_slices)

    @property
    def has_colors(self) -> bool:
        """Whether the channels are colors, not contrasts."""
        return self.channels == 3 and not self.modality

    def for_any_scanner(self) -> Preset:
        """Return the preset with a normalization and bias fields that suit other modalities, too.

        Color images stay as they are.
        """
        if self.has_colors or self.intensity.kind == "robust":
            return self
        is_window = self.intensity.kind == "window"
        limits = (self.intensity.low, self.intensity.high) if is_window else SOFT_TISSUE_HU
        return replace(self, intensity=Intensity("robust", *limits, BODY_MEDIAN), bias_field=True)

    def with_single_component(self, values: Iterable[int]) -> tuple[int, ...]:
        """Return the label values of which the largest component is kept."""
        others = {*self.optional_labels, *self.several_components}
        return tuple(value for value in values if value not in others)

    def labels_of(self, values: Collection[int]) -> dict[int, str]:
        """Return the labels of cases with these values: all but absent optional ones."""
        absent = set(self.optional_labels) - set(values)
        return {value: name for value, name in self.labels.items() if value not in absent}

    def with_label_values(self, values: Mapping[int, int]) -> Preset:
        """Return the preset for cases with other label values.

        Args:
            values: the new value of each label to keep; other labels are left out.
        """

        def moved(by_value: Mapping[int, Any]) -> dict[int, Any]:
            return {values[old]: item for old, item in by_value.items() if old in values}

        labels = moved(self.labels)
        optional = tuple(values[old] for old in self.optional_labels if old in values)
        return replace(
            self,
            labels=labels,
            colors=moved(self.colors),
            terminology=moved(self.terminology),
            optional_labels=optional if len(optional) < len(labels) else (),
            several_components=tuple(
                values[old] for old in self.several_components if old in values
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the preset as JSON values, for `from_json`."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if self.intensity.kind == "zscore":
            values["intensity"] = {"kind": "zscore"}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preset:
        """Read JSON values of `to_json`, with the names of older versions, too.

        Raises:
            GenSegError: a setting is missing, unknown or invalid.
        """
        if not isinstance(values, Mapping):
            raise GenSegError(f"the preset is {values!r}, not an object")
        name = str(values.get("name", "?"))
        values = {_RENAMED.get(k, k): value for k, value in values.items() if k not in _REMOVED}
        unknown = sorted(set(values) - {item.name for item in fields(cls)})
        if unknown:
            raise GenSegError(f"preset {name!r}: unknown setting {unknown[0]!r}; remove it")
        try:
            return cls(**{key: _parse(key, value) for key, value in values.items()})
        except GenSegError as error:
            raise GenSegError(f"preset {name!r}: {error}") from None
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            text = str(error).replace("Preset.__init__()", "it is").splitlines()[0]
            raise GenSegError(f"preset {name!r} cannot be read: {text}") from error


def _parse(name: str, value: Any) -> Any:
    """Convert a JSON value to the type of a setting."""
    if name in ("labels", "terminology"):
        return {int(key): str(text) for key, text in value.items()}
    if name == "colors":
        return {int(key): (int(r), int(g), int(b)) for key, (r, g, b) in value.items()}
    if name in ("spacing", "coarse_spacing"):
        return None if value is None else tuple(map(float, value))
    if name in ("patch_size", "optional_labels", "several_components", "mirror_axes"):
        return tuple(value)
    if name == "intensity":
        return _parse_nested(name, Intensity, value)
    if name == "augmentation":
        return _parse_nested(name, Augmentation, value)
    if name == "steps":
        return {
            effort: _parse_nested(f"{name}.{effort}", Steps, counts)
            for effort, counts in value.items()
        }
    return value


def _parse_nested(name: str, kind: type, values: Mapping[str, Any]) -> Any:
    try:
        return kind(**values)
    except GenSegError as error:
        raise GenSegError(f"{name}.{error}") from None
