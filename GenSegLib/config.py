"""What is asked of a training: typed, validated, JSON both ways, every default in one place.

Light: the standard library alone.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import GenSegError
from .presets import EFFORTS, Preset

SEGMENTERS = ("unet", "dynunet", "segresnet", "attention-unet", "unetr", "swin-unetr", "deeplab")
# "warped" finishes no image: blended masks come with the real images moved onto them
GENERATORS = ("searchable", "mask-only", "spade", "vae", "diffusion", "warped", "none")
GENERATORLESS = ("warped", "none")
HYPERGRADIENTS = ("finite-difference", "unroll", "neumann", "none")
CONSISTENCIES = ("none", "mean-teacher", "uncertainty-aware")
SEARCH_SPACES = ("light", "paper")
MASKS = ("deformed", "affine")
DIFFERENCES = ("coarse", "voxels")
ADVERSARIES = ("hinge", "cross-entropy")
UPPER_VARIABLES = ("architecture", "weight", "residual", "appearance")
PRECISIONS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training; times in seconds, sizes in voxels, rates per step.

    `masks` says how new masks are made: "deformed" as real pairs are, or by "affine" maps alone.
    `difference` and `adversary` are what the generator's attempts at real images are held to.
    Upper-level variables that are `frozen` (some of `UPPER_VARIABLES`, with commas between) stay as
    they are; without `direct_path` or `lower_path` the feedback lacks that path to them. With
    `look_back` finite differences go through the steps that were just taken, not through one more
    of each: the same question, asked at a lower price. Without `cuts` the model does not part two
    labels at a plane where the labeled cases do.

    Raises:
        GenSegError: a value is outside its range; the message names the setting.
    """

    segmenter: str = "dynunet"
    generator: str = "searchable"
    hypergradient: str = "finite-difference"
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    deterministic: bool = False
    threads: int = 0
    warmup_steps: int = 100
    joint_steps: int = 300
    final_steps: int = 1200
    batch_size: int = 2
    generated_batch_size: int = 2
    blended_share: float = 1.0
    upper_every: int = 4
    look_back: bool = True
    segmenter_rate: float = 2e-3
    generator_rate: float = 1e-3
    upper_rate: float = 1e-2
    augmentation: float = 1.0
    validation_share: float = 0.3
    validate_every: int = 100
    patience: int = 0
    ema_decay: float = 0.995
    search_space: str = "light"
    reduce_cells: bool = False
    masks: str = "deformed"
    difference: str = "coarse"
    adversary: str = "hinge"
    adversary_weight: float = 0.05
    frozen: str = ""
    direct_path: bool = True
    lower_path: bool = True
    consistency: str = "none"
    consistency_weight: float = 1.0
    consistency_ramp: float = 0.4
    unlabeled_batch_size: int = 2
    cuts: bool = True
    time_budget_s: float | None = None
    checkpoint_every_s: float = 60.0
    cache_gb: float = 100.0

    def __post_init__(self) -> None:
        """Refuse what no training could use."""
        for item in dataclasses.fields(self):
            _require_kind(item.name, getattr(self, item.name), _KINDS[str(item.type)])
        for name, choices in _CHOICES.items():
            _require(getattr(self, name) in choices, name, f"one of {', '.join(choices)}")
        for name, least in _LEAST.items():
            _require(getattr(self, name) >= least, name, f"{least} or more")
        for name in _POSITIVE:
            value = getattr(self, name)
            _require(value is None or value > 0, name, "above 0")
        for name in _SHARES:
            _require(0 <= getattr(self, name) < 1, name, "at least 0 and below 1")
        _require(0 <= self.blended_share <= 1, "blended_share", "from 0 to 1")
        known = set(UPPER_VARIABLES)
        some = f"some of {', '.join(UPPER_VARIABLES)}, with commas between"
        _require(self.frozen_variables <= known, "frozen", some)
        _require(self.seed < 2**32, "seed", "below 4294967296")
        sound = re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device) is not None
        _require(sound, "device", "auto, cpu, mps, cuda or cuda:NUMBER")

    @property
    def frozen_variables(self) -> frozenset[str]:
        """The upper-level variables that stay as they are."""
        return frozenset(name.strip() for name in self.frozen.split(",") if name.strip())

    @property
    def has_generator(self) -> bool:
        """Whether a network finishes the images of new pairs."""
        return self.generator not in GENERATORLESS

    @classmethod
    def for_preset(
        cls,
        preset: Preset,
        effort: str = "standard",
        labeled: int | None = None,
        **changes: Any,
    ) -> TrainConfig:
        """Give the settings that a preset recommends, with `changes` on top.

        Args:
            preset: the anatomy's.
            effort: how long to train.
            labeled: how many labeled cases there are, where that is known.
            **changes: settings by their names.

        Raises:
            GenSegError: the effort or a setting is unknown, or a value is outside its range.
        """
        _require(effort in EFFORTS, "effort", f"one of {', '.join(EFFORTS)}")
        _refuse_unknown(changes)
        steps = dataclasses.asdict(preset.steps[effort])
        has_pairs = changes.get("generator", cls.generator) != "none"
        is_few = labeled is not None and labeled <= preset.few_cases
        batches = {"batch_size": 1, "generated_batch_size": 1} if has_pairs and is_few else {}
        return cls(**{"segmenter": preset.segmenter, **steps, **batches, **changes})

    def to_json(self) -> dict[str, Any]:
        """Give the settings as JSON values; `from_json` reads them back unchanged."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Read what `to_json` gives; what is left out has its default.

        Raises:
            GenSegError: a setting is unknown, or a value is outside its range.
        """
        if not isinstance(values, Mapping):
            raise GenSegError(f"the settings of the training are {values!r}, not an object")
        _refuse_unknown(values)
        return cls(**values)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read `name=value` as a user types it: ("batch_size", 4) for "batch_size=4".

    Raises:
        GenSegError: the setting is unknown, or the value is of the wrong kind.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise GenSegError(f"a setting is written name=value; {text!r} is not")
    _refuse_unknown([name])
    kinds = {item.name: _KINDS[str(item.type)] for item in dataclasses.fields(TrainConfig)}
    try:
        return name, kinds[name].parse(value)
    except (KeyError, ValueError):
        raise GenSegError(f"{name} must be {kinds[name].words}; it is {value!r}") from None


def parse_duration(text: str) -> float:
    """Read a duration in seconds: "90", "90s", "20m" or "1.5h".

    Raises:
        GenSegError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise GenSegError(f"a duration is written 90s, 20m or 1.5h; {text!r} is not")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


_CHOICES = {
    "segmenter": SEGMENTERS,
    "generator": GENERATORS,
    "hypergradient": HYPERGRADIENTS,
    "precision": PRECISIONS,
    "search_space": SEARCH_SPACES,
    "masks": MASKS,
    "difference": DIFFERENCES,
    "adversary": ADVERSARIES,
    "consistency": CONSISTENCIES,
}
_LEAST = {
    "seed": 0,
    "threads": 0,
    "warmup_steps": 0,
    "joint_steps": 0,
    "final_steps": 1,
    "batch_size": 1,
    "generated_batch_size": 1,
    "upper_every": 1,
    "validate_every": 1,
    "patience": 0,
    "augmentation": 0,
    "adversary_weight": 0,
    "consistency_weight": 0,
    "unlabeled_batch_size": 1,
}
_POSITIVE = (
    "segmenter_rate",
    "generator_rate",
    "upper_rate",
    "time_budget_s",
    "checkpoint_every_s",
    "cache_gb",
)
_SHARES = ("validation_share", "ema_decay", "consistency_ramp")


@dataclass(frozen=True)
class _Kind:
    """A kind of setting: its name in messages, its types in JSON, its way from a user's text."""

    words: str
    types: tuple[type, ...]
    parse: Callable[[str], Any]


_KINDS = {
    "str": _Kind("a text", (str,), str),
    "bool": _Kind(
        "true or false", (bool,), lambda text: {"true": True, "false": False}[text.lower()]
    ),
    "int": _Kind("a whole number", (int,), int),
    "float": _Kind("a number", (int, float), float),
    "float | None": _Kind(
        "a number or none",
        (int, float, type(None)),
        lambda text: None if text.lower() == "none" else float(text),
    ),
}


def _require_kind(name: str, value: object, kind: _Kind) -> None:
    sound = isinstance(value, kind.types) and (bool in kind.types or not isinstance(value, bool))
    if isinstance(value, float):
        sound = sound and math.isfinite(value)
    _require(sound, name, f"{kind.words}; it is {value!r}")


def _require(sound: bool, name: str, wanted: str) -> None:
    if not sound:
        raise GenSegError(f"{name} must be {wanted}")


def _refuse_unknown(names: Mapping[str, Any] | list[str]) -> None:
    known = [item.name for item in dataclasses.fields(TrainConfig)]
    for name in names:
        if name not in known:
            raise GenSegError(f"there is no setting {name!r}; the settings are {', '.join(known)}")
