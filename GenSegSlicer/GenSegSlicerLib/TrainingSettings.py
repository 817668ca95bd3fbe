"""The choices of the section *Training*: what the user reads, and what a training is asked."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from GenSegLib.config import GENERATORS, HYPERGRADIENTS, SEGMENTERS, TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import list_presets, load_preset
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode

BUDGET = "budget"
Choices = list[tuple[str, str, str]]


def presetChoices() -> Choices:
    """Give the presets, those for a certain anatomy first."""
    presets = [load_preset(name) for name in list_presets()]
    presets.sort(key=lambda preset: not preset.labels)
    return [(p.name, _presetTitle(p), _presetToolTip(p)) for p in presets]


def presetText(nameOrPath: str) -> str:
    """Give the title of a preset, also of one from a file of the user's own."""
    try:
        return _presetTitle(load_preset(nameOrPath))
    except GenSegError:
        return nameOrPath


def segmenterChoices() -> Choices:
    """Give the networks that can be trained."""
    names = {
        "unet": _("U-Net"),
        "dynunet": _("DynUNet (as in nnU-Net)"),
        "segresnet": _("SegResNet"),
        "attention-unet": _("Attention U-Net"),
        "unetr": _("UNETR"),
        "swin-unetr": _("Swin UNETR"),
        "deeplab": _("DeepLab"),
    }
    usual = ("", _("Recommended for the anatomy"), _("The network that the anatomy's preset names"))
    return [usual, *((name, names.get(name, name), name) for name in SEGMENTERS)]


def effortChoices() -> Choices:
    """Give how long a training may take."""
    return [
        ("quick", _("Quick"), _("A first impression")),
        ("standard", _("Standard"), _("The usual training")),
        ("thorough", _("Thorough"), _("About four times as long as the usual training")),
        (BUDGET, _("Time budget"), _("As good as it gets within the given time")),
    ]


def generatorChoices() -> Choices:
    """Give how further pairs are made."""
    names = {
        "searchable": (
            _("Learned, steered by held-back cases"),
            _("The shapes of real cases are blended and a network draws images for them"),
        ),
        "mask-only": (
            _("Learned from masks alone"),
            _("As first published: the network sees no real image, but the mask to draw for"),
        ),
        "spade": (
            _("Learned, SPADE"),
            _("The mask scales and shifts what a network makes of a real image"),
        ),
        "vae": (
            _("Learned, variational autoencoder"),
            _("A real image is changed as a random code says, which a network learned to read"),
        ),
        "diffusion": (
            _("Learned, diffusion bridge"),
            _("A real image is changed in three noisy steps; takes longer"),
        ),
        "warped": (
            _("Warped: blended real pairs"),
            _("The shapes of real cases are blended and real images moved onto them"),
        ),
        "none": (_("None: real pairs only"), _("The plain training, for comparison")),
    }
    return [(name, *names.get(name, (name, ""))) for name in GENERATORS]


def hypergradientChoices() -> Choices:
    """Give how the error on held-back cases reaches the generator."""
    names = {
        "finite-difference": (_("Finite differences"), _("Fast and little memory")),
        "unroll": (_("Unrolled step"), _("Exact; needs more memory and time")),
        "neumann": (_("Neumann series"), _("Implicit; needs more time")),
        "none": (_("None"), _("The generator is trained apart from the segmenter")),
    }
    return [(name, *names.get(name, (name, ""))) for name in HYPERGRADIENTS]


def trainSettings(parameters: GenSegSlicerParameterNode) -> dict[str, Any]:
    """Give the settings of the library that the parameters change from the preset's."""
    settings: dict[str, Any] = {
        "device": parameters.device,
        "generator": parameters.generator,
        "hypergradient": parameters.hypergradient,
        "augmentation": parameters.augmentation,
        "seed": parameters.seed,
    }
    if parameters.segmenter:
        settings["segmenter"] = parameters.segmenter
    if parameters.rounds:
        settings["joint_steps"] = parameters.rounds * TrainConfig.validate_every
    if parameters.effort == BUDGET:
        settings["time_budget_s"] = 60.0 * parameters.timeBudgetMin
    return settings


def effort(parameters: GenSegSlicerParameterNode) -> str:
    """Give the library's effort; under a time budget it is the time that ends the training."""
    return "thorough" if parameters.effort == BUDGET else parameters.effort


def _presetTitle(preset: Any) -> str:
    return preset.title if preset.labels else _("Custom: {title}").format(title=preset.title)


def _presetToolTip(preset: Any) -> str:
    if preset.labels:
        return _("Classes: {names}").format(names=", ".join(preset.labels.values()))
    return _("The classes are the segments that your segmentations have")
