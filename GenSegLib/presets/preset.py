"""Preset: what differs between anatomies, as data.

Light: the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import permutations, product
from typing import Any

from ..errors import GenSegError
from ..values import LARGEST_SPACING, SMALLEST_SPACING, is_count, is_number, is_spacing

EFFORTS = ("quick", "standard", "thorough")
MODALITIES = ("MR", "CT", "")
AXES = [0, 1, 2]
LARGEST_MULTIPLE = 128  # voxels: finer steps than those of any segmenter

_SPACINGS = f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g} mm"
_KINDS: dict[object, tuple[Callable[[object], bool], str]] = {
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (is_count, "a whole number of 0 or more"),
    "float": (is_number, "a number"),
    "str": (lambda value: isinstance(value, str), "a text"),
}
_ORIENTATIONS = frozenset(
    "".join(pair[side] for pair, side in zip(order, sides))
    for order in permutations(("RL", "AP", "SI"))
    for sides in product((0, 1), repeat=3)
)


@dataclass(frozen=True)
class Intensity:
    """How voxel values are normalized.

    `zscore` gives the image mean 0 and standard deviation 1 (MR, which has no unit); `window`
    maps `low` to `high` (HU) onto 0 to 1 and clips the rest (CT).
    """

    kind: str = "zscore"
    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an unknown kind and an empty window."""
        _require(self.kind in ("zscore", "window"), "intensity.kind", "'zscore' or 'window'")
        if self.kind == "window":
            _require(is_number(self.low) and is_number(self.high), "intensity", "two numbers")
            _require(self.low < self.high, "intensity", "a window with low below high")


@dataclass(frozen=True)
class Steps:
    """Optimizer steps of the three phases of a training."""

    warmup_steps: int
    joint_steps: int
    final_steps: int

    def __post_init__(self) -> None:
        """Refuse what is no count."""
        for name, value in asdict(self).items():
            _require(is_count(value), f"steps.{name}", "a whole number of 0 or more")


@dataclass(frozen=True)
class Preset:
    """What one anatomy and modality needs; sizes in voxels, spacing in mm.

    `labels` maps voxel values to names (empty: taken from the cases), `spacing` is None where a
    training takes the usual one of its cases, `multiple` is what image sizes are padded to a
    multiple of, `colors` are RGB from 0 to 255, `terminology` holds 3D Slicer's terminology
    strings, `steps` has one entry for each of `EFFORTS`. `foreground_share` of the patches are
    centered on a voxel of a class, each class as often. Cases may lack `optional_labels` (lesions,
    which may also come in any number): one that no case has is left out of the model. With
    `largest_component` and `fill_holes` predictions are cleaned, see `postprocessing`.

    With a `coarse_spacing` (None: without) the network also learns that spacing, from
    `coarse_share` of the patches: prediction finds the organ at it first, and segments at
    `spacing` only what lies within `coarse_margin_mm` of what was found. Where nothing was found
    the segmentation is empty, or with `search_finely` the whole image is segmented. With
    `coordinates` the generator also sees where a patch lies. Of no more than `few_cases` labeled
    cases a step sees one real and one generated sample: where a patch shows most of a case, more
    of them only fit those cases more closely, in twice the time. Along `mirror_axes` (0 is the
    first axis of a patch) trainings also mirror cases, and predictions can: only a network that
    learned from mirrored cases knows them.

    Raises:
        GenSegError: a value does not fit; the message names the setting.
    """

    name: str
    title: str
    anatomy: str
    modality: str
    labels: dict[int, str]
    patch_size: tuple[int, ...]
    steps: dict[str, Steps]
    spatial_dims: int = 3
    channels: int = 1
    orientation: str = "RAS"
    spacing: tuple[float, ...] | None = None
    intensity: Intensity = field(default_factory=Intensity)
    crop_foreground: bool = False
    multiple: int = 8
    largest_component: bool = False
    fill_holes: bool = False
    bias_field: bool = False
    segmenter: str = "unet"
    colors: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    terminology: dict[int, str] = field(default_factory=dict)
    foreground_share: float = 0.5
    coarse_spacing: tuple[float, ...] | None = None
    coarse_share: float = 0.25
    coarse_margin_mm: float = 20.0
    search_finely: bool = False
    coordinates: bool = False
    optional_labels: tuple[int, ...] = ()
    few_cases: int = 0
    mirror_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no training could use."""
        self._require_kinds()
        dims = self.spatial_dims
        _require(bool(self.name), "name", "a text")
        _require(self.modality in MODALITIES, "modality", "'MR', 'CT' or empty")
        _require(dims in (2, 3), "spatial_dims", "2 or 3")
        _require(self.channels >= 1, "channels", "1 or more")
        _require(self.orientation in _ORIENTATIONS, "orientation", "axis codes such as 'RAS'")
        _require(1 <= self.multiple <= LARGEST_MULTIPLE, "multiple", f"1 to {LARGEST_MULTIPLE}")
        fits = len(self.patch_size) == dims and all(map(self._is_patch_edge, self.patch_size))
        _require(fits, "patch_size", f"{dims} multiples of {self.multiple}")
        for name in ("spacing", "coarse_spacing"):
            spacing = getattr(self, name)
            is_sound = spacing is None or is_spacing(spacing, dims)
            _require(is_sound, name, f"{dims} lengths from {_SPACINGS}")
        for name in ("foreground_share", "coarse_share"):
            _require(0 <= getattr(self, name) <= 1, name, "from 0 to 1")
        _require(self.coarse_margin_mm >= 0, "coarse_margin_mm", "0 or more")
        _require(all(value > 0 for value in self.labels), "labels", "values of 1 or more")
        rgb = (part for color in self.colors.values() for part in color)
        _require(all(0 <= part <= 255 for part in rgb), "colors", "RGB from 0 to 255")
        axes = self.mirror_axes
        are_axes = all(is_count(axis) and axis < dims for axis in axes)
        _require(are_axes and len(set(axes)) == len(axes), "mirror_axes", f"some of {AXES[:dims]}")
        needed = not self.labels or bool(self.single_labels)
        _require(needed, "optional_labels", "some of the labels, not all")
        _require(set(self.steps) == set(EFFORTS), "steps", f"entries for {', '.join(EFFORTS)}")

    def _require_kinds(self) -> None:
        for setting in fields(self):
            if setting.type in _KINDS:
                is_sound, wanted = _KINDS[setting.type]
                _require(is_sound(getattr(self, setting.name)), setting.name, wanted)

    def _is_patch_edge(self, size: object) -> bool:
        return is_count(size) and size > 0 and size % self.multiple == 0  # type: ignore[operator]

    @property
    def single_labels(self) -> tuple[int, ...]:
        """The labels that are one piece where `largest_component` says so: no optional ones."""
        return tuple(value for value in self.labels if value not in self.optional_labels)

    def labels_of(self, values: Collection[int]) -> dict[int, str]:
        """Give the labels of cases that have these values: all but the optional ones they lack."""
        lacking = set(self.optional_labels) - set(values)
        return {value: name for value, name in self.labels.items() if value not in lacking}

    def to_json(self) -> dict[str, Any]:
        """Give the preset as JSON values; `from_json` reads it back unchanged."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if self.intensity.kind == "zscore":
            values["intensity"] = {"kind": "zscore"}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preset:
        """Read what `to_json` gives.

        Raises:
            GenSegError: a setting is missing, unknown or of the wrong kind.
        """
        if not isinstance(values, Mapping):
            raise GenSegError(f"the preset is {values!r}, not an object")
        name = str(values.get("name", "?"))
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise GenSegError(f"preset {name!r}: unknown setting {unknown[0]!r}; remove it")
        try:
            return cls(**{key: _READERS.get(key, _same)(value) for key, value in values.items()})
        except GenSegError as fault:
            raise GenSegError(f"preset {name!r}: {fault}") from None
        except (TypeError, ValueError, OverflowError, AttributeError) as fault:
            text = str(fault).replace("Preset.__init__()", "it is").splitlines()[0]
            raise GenSegError(f"preset {name!r} cannot be read: {text}") from fault


def _same(value: Any) -> Any:
    return value


def _names(values: Mapping[str, str]) -> dict[int, str]:
    return {int(key): str(name) for key, name in values.items()}


def _colors(values: Mapping[str, list[int]]) -> dict[int, tuple[int, int, int]]:
    return {int(key): (int(r), int(g), int(b)) for key, (r, g, b) in values.items()}


def _spacing(values: list[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)


_READERS: dict[str, Any] = {
    "labels": _names,
    "terminology": _names,
    "colors": _colors,
    "spacing": _spacing,
    "coarse_spacing": _spacing,
    "patch_size": tuple,
    "optional_labels": tuple,
    "mirror_axes": tuple,
    "intensity": lambda values: Intensity(**values),
    "steps": lambda values: {effort: Steps(**counts) for effort, counts in values.items()},
}


def _require(sound: bool, setting: str, wanted: str) -> None:
    if not sound:
        raise GenSegError(f"{setting} must be {wanted}")
