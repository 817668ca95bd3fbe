"""Choices of the *Training* section, and their conversion to training settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.config import (
    GENERATORLESS,
    GENERATORS,
    HYPERGRADIENTS,
    SEGMENTERS,
    TARGET_SCANNERS,
    TrainConfig,
)
from GenSegLib.errors import GenSegError
from GenSegLib.generation_summary import describe_generation
from GenSegLib.planning.plan import BUDGETS_S, Limits, default_generator
from GenSegLib.presets import Preset, list_presets, load_preset
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.TrainingPair import TrainingPair

BUDGET = "budget"
Choices = list[tuple[str, str, str]]
_GRAY_2D, _COLOR_2D, _VOLUMES = "generic-2d", "generic-2d-color", "generic-mri"
_RGB = 3


def presetChoices() -> Choices:
    """Return the presets, those for a specific anatomy first."""
    presets = [load_preset(name) for name in list_presets()]
    presets.sort(key=lambda preset: not preset.labels)
    return [(p.name, _presetTitle(p), _presetToolTip(p)) for p in presets]


def suggestedPreset(pairs: Sequence[TrainingPair], current: str) -> str:
    """Return the preset for 2-D images or volumes, the current one if it is for the pairs.

    Args:
        pairs: checked pairs.
        current: name of a preset, or path of a file.
    """
    try:
        preset = load_preset(current)
    except GenSegError:
        return current
    generic = (_GRAY_2D, _COLOR_2D)
    if not pairs or (not pairs[0].isFlat and current not in generic):
        return current
    if not pairs[0].isFlat:
        return _VOLUMES
    if preset.spatial_dims == 2 and current not in generic:
        return current
    isColor = any(pair.channels == _RGB and not pair.isGrayInColor for pair in pairs)
    return _COLOR_2D if isColor else _GRAY_2D


def presetText(nameOrPath: str) -> str:
    """Return the title of a preset or preset file."""
    try:
        return _presetTitle(load_preset(nameOrPath))
    except GenSegError:
        return nameOrPath


def segmenterChoices() -> Choices:
    """Return the segmentation networks."""
    names = {
        "unet": _("U-Net"),
        "dynunet": _("DynUNet (nnU-Net architecture)"),
        "segresnet": _("SegResNet"),
        "attention-unet": _("Attention U-Net"),
        "unetr": _("UNETR"),
        "swin-unetr": _("Swin UNETR"),
        "swin-unet": _("Swin-Unet"),
        "deeplab": _("DeepLab"),
    }
    default = ("", _("Default for anatomy"), _("The network of the selected anatomy's preset."))
    return [default, *((name, names.get(name, name), name) for name in SEGMENTERS)]


def effortChoices() -> Choices:
    """Return the training durations."""
    return [
        (
            "quick",
            _("Quick"),
            _("For a first impression (planned: 5 min)."),
        ),
        (
            "standard",
            _("Standard"),
            _("Recommended (planned: 20 min)."),
        ),
        ("thorough", _("Thorough"), _("Longer than standard (planned: 60 min).")),
        (BUDGET, _("Time budget"), _("Training that ends within the given time.")),
    ]


def targetScannerChoices() -> Choices:
    """Return which scanners a model may be for, in the words of its users."""
    texts = {
        "same": (
            _("Same scanner or camera"),
            _("For images like the training cases. Most accurate on those."),
        ),
        "similar": (
            _("Similar scanners or cameras"),
            _(
                "Also for images of other vendors, cameras, field strengths and protocols: in part "
                "of the training images, regions get other contrasts."
            ),
        ),
        "any": (
            _("Any scanner, sequence or camera"),
            _(
                "For images of any contrast, such as other MR sequences, or CT where "
                "the training cases are MR. On images like the training cases it may be a little "
                "less accurate."
            ),
        ),
    }
    return [(name, *texts.get(name, (name, ""))) for name in TARGET_SCANNERS]


def generatorChoices() -> Choices:
    """Return the methods to generate image-mask pairs."""
    automatic = _("Chosen by anatomy, time and target scanner.")
    names = {
        "searchable": (
            _("Learned (architecture search)"),
            _(
                "Blends the shapes of real cases; a network with a searched architecture generates "
                "the images."
            ),
        ),
        "mask-only": (
            _("Learned from masks only"),
            _("As published: a network generates images from masks alone."),
        ),
        "regions": (
            _("Contrasts by region"),
            _("Gives regions other contrasts, for other scanners, modalities and cameras."),
        ),
        "transplants": (
            _("Copied lesions (copy-paste)"),
            _("Pastes lesions from one image into another, as in photos and ultrasound."),
        ),
        "none": (_("None"), _("Train on real pairs only, for comparison.")),
    }
    others = [(name, *names.get(name, (name, ""))) for name in GENERATORS]
    return [("", _("Automatic"), automatic), *others]


def hypergradientChoices() -> Choices:
    """Return the hypergradient methods."""
    names = {
        "finite-difference": (_("Finite differences"), _("Fast, with low memory use.")),
        "unroll": (_("Unrolled step"), _("Exact, but needs more memory and time.")),
        "neumann": (_("Neumann series"), _("Implicit differentiation; needs more time.")),
        "none": (_("None"), _("The generator is trained independently of the segmenter.")),
    }
    return [(name, *names.get(name, (name, ""))) for name in HYPERGRADIENTS]


def trainSettings(parameters: GenSegSlicerParameterNode) -> dict[str, Any]:
    """Return the training settings that the user chose; others are left to preset and plan."""
    values: dict[str, Any] = {
        "device": parameters.device,
        "target_scanner": TARGET_SCANNERS.get(parameters.targetScanner, 0.0),
        "hypergradient": parameters.hypergradient,
        "augmentation_strength": parameters.augmentation,
        "seed": parameters.seed,
    }
    settings = {name: x for name, x in values.items() if x != getattr(TrainConfig, name)}
    for name in ("segmenter", "generator"):
        if chosen := getattr(parameters, name):
            settings[name] = chosen
    if parameters.rounds:
        settings["joint_steps"] = parameters.rounds * TrainConfig.validation_interval
    if parameters.effort == BUDGET:
        settings["time_budget_s"] = 60.0 * parameters.timeBudgetMin
    return settings


def purpose(parameters: GenSegSlicerParameterNode, scans: int, labeled: int | None = None) -> str:
    """Return in a line what generated images and scans without labels do, "" if unknown.

    Args:
        parameters: of the panel.
        scans: number of scans without labels.
        labeled: number of labeled cases, if known.
    """
    settings = {**trainSettings(parameters), "self_training": scans > 0}
    try:
        preset = load_preset(parameters.preset)
        config = TrainConfig.for_preset(preset, effort(parameters), **settings)
    except GenSegError:
        return ""
    isPlanned = preset.spacing is None and not (parameters.generator or config.target_scanner)
    if isPlanned:
        generators = _plannedGenerators(preset, config, effort(parameters))
        isPlanned = not generators <= set(GENERATORLESS)  # of slices, none are generated either
        config = config if isPlanned else replace(config, generator=generators.pop())
    return describe_generation(config, scans, planned=isPlanned, labeled=labeled)


def _plannedGenerators(preset: Preset, config: TrainConfig, effortName: str) -> set[str]:
    """Return the generators that a plan may choose, which depends on the computer's GPU."""
    budget = config.time_budget_s or BUDGETS_S[effortName]
    devices = (False,) if config.device == "cpu" else (False, True)
    return {default_generator(preset, Limits(budget, 0, hasGpu)) for hasGpu in devices}


def effort(parameters: GenSegSlicerParameterNode) -> str:
    """Return the effort; with a time budget, time is the only limit."""
    return "thorough" if parameters.effort == BUDGET else parameters.effort


def _presetTitle(preset: Any) -> str:
    return preset.title if preset.labels else _("Custom: {title}").format(title=preset.title)


def _presetToolTip(preset: Any) -> str:
    if preset.labels:
        return _("Classes: {names}").format(names=", ".join(preset.labels.values()))
    return _("The classes are the segments of your segmentations.")
