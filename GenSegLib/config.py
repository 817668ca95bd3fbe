"""Settings of a training: typed and validated, with every default in one place.

Light: the standard library only.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import GenSegError
from .presets import EFFORTS, ENCODERS, Preset
from .settings import (
    BELOW_ONE,
    POSITIVE,
    TYPES,
    Rule,
    at_least,
    between,
    one_of,
    reject_unknown,
    require,
    setting,
    validate,
)

SEGMENTERS = (
    *("unet", "dynunet", "segresnet", "attention-unet", "unetr", "swin-unetr", "swin-unet"),
    "deeplab",
)
# networks of the registry with an encoder that can be pretrained, by segmenter
PRETRAINABLE = {
    "unet": "efficientnet-unet",
    "dynunet": "efficientnet-unet",
    "deeplab": "efficientnet-deeplab",
}
PHASE_STEPS = ("warmup_steps", "joint_steps", "final_steps")  # settings
DUAL_DYNUNET = "dual-dynunet"  # of the registry: a dynunet with `dual_normalization`
GENERATORS = ("searchable", "mask-only", "regions", "transplants", "none")
# without a network; "regions" gives the regions of real images an appearance of their own,
# "transplants" adds lesions of other images
GENERATORLESS = ("regions", "transplants", "none")
HYPERGRADIENTS = ("finite-difference", "unroll", "neumann", "none")
TARGET_SCANNERS = {"same": 0.0, "similar": 0.5, "any": 1.0}
SEARCH_SPACES = ("light", "paper")
AUGMENTATIONS = ("all", "geometric")
MASK_TRANSFORMS = ("deformable", "affine")
RECONSTRUCTION_LOSSES = ("pooled-l1", "l1")
ADVERSARIAL_LOSSES = ("hinge", "cross-entropy")
ADVERSARIAL_PAIRS = ("generated", "reconstructed")
UPPER_VARIABLES = ("architecture", "weight", "residual", "appearance")
PRECISIONS = ("auto", "bf16", "fp32")

_DEVICE = Rule(
    lambda name: re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name) is not None,
    "auto, cpu, mps, cuda or cuda:NUMBER",
)
_SEED = Rule(lambda seed: 0 <= seed < 2**32, "from 0 to 4294967295")
_FROZEN = Rule(
    lambda text: _split(text) <= set(UPPER_VARIABLES),
    f"a comma-separated list of {', '.join(UPPER_VARIABLES)}",
)


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training; times in seconds, sizes in voxels, learning rates per step.

    Attributes:
        encoder: "pretrained" starts the encoder of a 2-D segmenter from ImageNet's weights; see
            `PRETRAINABLE`.
        threads: CPU threads; 0 picks the fastest number at the start.
        blended_fraction: fraction of the generated pairs that blend two cases.
        encoder_lr_factor: learning rate of a pretrained encoder relative to `segmenter_lr`.
        augmentation_strength: scale of the augmentation; 0 turns it off.
        augmentation_transforms: all of them, or only the rotations, translations and flips of the
            publication's baseline.
        mask_transform: how the masks of generated pairs are augmented: deformable as real pairs
            are, or affine only.
        reconstruction_loss: compares reconstructions with real images, voxel by voxel or averaged
            over small blocks.
        adversarial_pairs: what the discriminator scores: generated pairs as the segmenter receives
            them, beside real ones (and images of unlabeled cases) resampled alike; or
            reconstructions beside their real pairs, as published.
        mode_seeking_weight: weight of the term that makes images from different noise differ; only
            where generated pairs are scored.
        hard_pair_weight: weight of the term that makes generated pairs raise the segmenter's loss
            as far as its moving average still agrees with their masks; only where generated pairs
            are scored.
        frozen: upper-level variables that are not updated, comma-separated.
        direct_path: the hypergradient includes the segmenter loss's direct dependence on the
            upper-level variables.
        appearance_fraction: fraction of each batch that is recolored by region, initially; for the
            generator "regions".
        transplanted_fraction: fraction of each batch that gets lesions of other images; for the
            generator "transplants", and for "regions" if the preset is for lesions.
        expected_steps: of the segmenter, that are expected to fit into the time budget, where the
            schedule has more, so that the time ends the training; 0 elsewhere.
        target_scanner: which images the segmenter is for: 0, those of the same scanner; 1, those of
            any scanner. Above 0, the normalization of intensities suits any modality, and the
            default generator is "regions", whose default is 0.5. Validation cases steer the
            appearance of regions as they are and, with this weight, as another scanner would show
            them.
        dual_normalization: a dynunet normalizes recolored images with parameters of their own; by
            default where regions are recolored for other scanners.
        search_horizon: steps after which two distributions of region appearance are compared; 0
            keeps the standard distributions.
        self_training: the averaged segmenter labels unlabeled cases, too. Recolored regions get
            the contrasts of the same classes there.
        unlabeled_fraction: fraction of each batch that comes from unlabeled cases under these
            labels; 0 by default where regions are recolored for other scanners.

    Raises:
        GenSegError: a value is not accepted; the message names the setting.
    """

    segmenter: str = setting(one_of(SEGMENTERS), "dynunet")
    encoder: str = setting(one_of(ENCODERS), "scratch")
    generator: str = setting(one_of(GENERATORS), "searchable")
    hypergradient: str = setting(one_of(HYPERGRADIENTS), "finite-difference")
    seed: int = setting(_SEED, 0)
    device: str = setting(_DEVICE, "auto")
    precision: str = setting(one_of(PRECISIONS), "auto")
    threads: int = setting(at_least(0), 0)
    warmup_steps: int = setting(at_least(0), 100)
    joint_steps: int = setting(at_least(0), 300)
    final_steps: int = setting(at_least(1), 1200)
    batch_size: int = setting(at_least(1), 2)
    generated_batch_size: int = setting(at_least(1), 2)
    blended_fraction: float = setting(between(0, 1), 1.0)
    upper_interval: int = setting(at_least(1), 4)
    segmenter_lr: float = setting(POSITIVE, 2e-3)
    encoder_lr_factor: float = setting(between(0, 1), 0.1)
    generator_lr: float = setting(POSITIVE, 1e-3)
    upper_lr: float = setting(POSITIVE, 1e-2)
    augmentation_strength: float = setting(at_least(0), 1.0)
    augmentation_transforms: str = setting(one_of(AUGMENTATIONS), "all")
    validation_fraction: float = setting(BELOW_ONE, 0.3)
    expected_steps: int = setting(at_least(0), 0)
    validation_interval: int = setting(at_least(1), 100)
    ema_decay: float = setting(BELOW_ONE, 0.995)
    search_space: str = setting(one_of(SEARCH_SPACES), "light")
    mask_transform: str = setting(one_of(MASK_TRANSFORMS), "deformable")
    reconstruction_loss: str = setting(one_of(RECONSTRUCTION_LOSSES), "pooled-l1")
    adversarial_loss: str = setting(one_of(ADVERSARIAL_LOSSES), "hinge")
    adversarial_weight: float = setting(at_least(0), 0.05)
    adversarial_pairs: str = setting(one_of(ADVERSARIAL_PAIRS), "generated")
    mode_seeking_weight: float = setting(at_least(0), 0.1)
    hard_pair_weight: float = setting(at_least(0), 0.0)
    frozen: str = setting(_FROZEN, "")
    direct_path: bool = True
    appearance_fraction: float = setting(between(0, 1), 0.5)
    transplanted_fraction: float = setting(between(0, 1), 0.5)
    target_scanner: float = setting(between(0, 1), 0.0)
    dual_normalization: bool = False
    search_horizon: int = setting(at_least(0), 50)
    self_training: bool = False
    unlabeled_fraction: float = setting(BELOW_ONE, 0.5)
    time_budget_s: float | None = setting(POSITIVE, None)
    checkpoint_interval_s: float = setting(POSITIVE, 60.0)
    cache_gb: float = setting(POSITIVE, 100.0)

    def __post_init__(self) -> None:
        """Validate all settings."""
        validate(self)
        if self.encoder == "pretrained":
            segmenters = ", ".join(PRETRAINABLE)
            require(
                self.segmenter in PRETRAINABLE,
                "encoder",
                f"scratch for {self.segmenter}; pretrained encoders are those of {segmenters}",
            )

    @property
    def network(self) -> str:
        """Name of the segmenter's network in the registry of `networks.segmenters`."""
        if self.encoder == "pretrained":
            return PRETRAINABLE[self.segmenter]
        return DUAL_DYNUNET if self.has_dual_normalization else self.segmenter

    @property
    def has_dual_normalization(self) -> bool:
        """Whether the segmenter normalizes recolored images with parameters of their own."""
        is_possible = self.segmenter == "dynunet" and self.encoder != "pretrained"
        return self.dual_normalization and is_possible

    @property
    def frozen_variables(self) -> frozenset[str]:
        """The upper-level variables that are not updated."""
        return _split(self.frozen)

    @property
    def has_generator(self) -> bool:
        """Whether a network generates images for new masks."""
        return self.generator not in GENERATORLESS

    @property
    def uses_unlabeled(self) -> bool:
        """Whether training makes use of unlabeled cases."""
        return self.self_training or self.generator == "regions" or self.discriminates_generated

    @property
    def learns_from_unlabeled(self) -> bool:
        """Whether batches contain unlabeled cases under predicted labels."""
        return self.self_training and self.unlabeled_fraction > 0

    @property
    def discriminates_generated(self) -> bool:
        """Whether a discriminator compares generated pairs with real images."""
        return self.has_generator and self.adversarial_pairs == "generated"

    @classmethod
    def for_preset(
        cls,
        preset: Preset,
        effort: str = "standard",
        labeled: int | None = None,
        **changes: Any,
    ) -> TrainConfig:
        """Return the settings that a preset recommends, overridden by `changes`.

        Args:
            preset: preset of the anatomy.
            effort: how long to train, one of `EFFORTS`.
            labeled: number of labeled cases, if known.
            **changes: settings by name.

        Raises:
            GenSegError: the effort or a setting is unknown, or a value is not accepted.
        """
        require(effort in EFFORTS, "effort", f"one of {', '.join(EFFORTS)}")
        reject_unknown(changes, cls)
        changes = with_target_scanner(changes)
        steps = dataclasses.asdict(preset.steps[effort])
        has_generator = cls(generator=changes.get("generator", cls.generator)).has_generator
        is_few = labeled is not None and labeled <= preset.few_cases
        batches = {"batch_size": 1, "generated_batch_size": 1} if has_generator and is_few else {}
        segmenter = changes.get("segmenter", preset.segmenter)
        encoder = preset.encoder if segmenter in PRETRAINABLE else "scratch"
        networks = {"segmenter": segmenter, "encoder": encoder}
        return cls(**{**networks, **steps, **batches, **changes})

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values, which `from_json` restores."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Restore settings from JSON values; missing ones get their defaults.

        Raises:
            GenSegError: a setting is unknown, or a value is not accepted.
        """
        if not isinstance(values, Mapping):
            raise GenSegError(f"the training settings must be a JSON object, not {values!r}")
        values = _with_current_names(values)
        require(
            values.get("generator") not in _REMOVED_GENERATORS,
            "generator",
            f"one of {', '.join(GENERATORS)}: {values.get('generator')!r} was removed, train again "
            "with another",
        )
        require(
            values.pop("consistency", "none") == "none",
            "consistency",
            "none: a mean teacher was removed, train again with self_training",
        )
        reject_unknown(values, cls)
        return cls(**values)


def with_target_scanner(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that a user specified, completed by what target scanner and generator imply.

    Models for other scanners learn from recolored regions, and recolored regions are for similar
    scanners, unless the user has said otherwise. Where they imitate unlabeled cases of another
    scanner, batches of those cases have been worth less than the labeled cases that they replace.
    """
    completed = dict(changes)
    if completed.get("target_scanner", 0) > 0:
        completed.setdefault("generator", "regions")
    if completed.get("generator") == "regions":
        completed.setdefault("target_scanner", TARGET_SCANNERS["similar"])
        if completed["target_scanner"] > 0:
            completed.setdefault("unlabeled_fraction", 0.0)
            completed.setdefault("dual_normalization", True)
    return completed


# names and values in config.json of earlier versions
_RENAMED = {
    "difference": "reconstruction_loss",
    "adversary": "adversarial_loss",
    "adversary_weight": "adversarial_weight",
    "masks": "mask_transform",
    "augmentation": "augmentation_strength",
    "segmenter_rate": "segmenter_lr",
    "generator_rate": "generator_lr",
    "upper_rate": "upper_lr",
    "validation_share": "validation_fraction",
    "blended_share": "blended_fraction",
    "upper_every": "upper_interval",
    "validate_every": "validation_interval",
    "checkpoint_every_s": "checkpoint_interval_s",
}
_RENAMED_VALUES = {
    ("difference", "coarse"): "pooled-l1",
    ("difference", "voxels"): "l1",
    ("masks", "deformed"): "deformable",
}
_REMOVED = {
    *("deterministic", "lower_path", "patience", "look_back", "reuse_last_steps"),
    *("cuts", "reduce_cells", "consistency_weight", "consistency_ramp", "consistency_rampup"),
    *("unlabeled_batch_size", "unlabelled_batch_size"),
}
_REMOVED_GENERATORS = ("spade", "vae", "diffusion", "warped")


def _with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _RENAMED.get(name, name): _RENAMED_VALUES.get((name, str(value)), value)
        for name, value in values.items()
        if name not in _REMOVED
    }


def _split(names: str) -> frozenset[str]:
    return frozenset(name.strip() for name in names.split(",") if name.strip())


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse `NAME=VALUE` as typed by a user: "batch_size=4" gives ("batch_size", 4).

    Raises:
        GenSegError: the setting is unknown, or the value has the wrong type.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise GenSegError(f"settings are written NAME=VALUE, not {text!r}")
    reject_unknown([name], TrainConfig)
    kind = next(str(f.type) for f in dataclasses.fields(TrainConfig) if f.name == name)
    try:
        return name, _PARSERS[kind](value)
    except (KeyError, ValueError):
        raise GenSegError(f"{name} must be {TYPES[kind].expected}; it is {value!r}") from None


_PARSERS: dict[str, Any] = {
    "str": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": float,
    "float | None": lambda text: None if text.lower() == "none" else float(text),
}


def parse_duration(text: str) -> float:
    """Parse a duration such as "90", "90s", "20m", "20 min" or "1.5h" into seconds.

    Raises:
        GenSegError: the text is not a duration, or is zero.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|)", text.strip())
    if match is None or float(match[1]) == 0:
        raise GenSegError(f"durations are written 90s, 20m or 1.5h, not {text!r}")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2][:1]]
