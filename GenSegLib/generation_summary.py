"""What the generation of training images does for the user, in a line.

Light: the standard library only.
"""

from __future__ import annotations

from .config import TrainConfig

_PAIRS = "for {images}, with generated pairs: new shapes between the labeled cases"
_DEFORMED_PAIRS = "for {images}, with generated pairs: deformed shapes of {cases}"
_REGIONS = "for {images}: regions get other contrasts in {fraction:.0%} of the training images"
_TRANSPLANTS = "for {images}: {transplanted:.0%} of the training images get lesions of other ones"
_UNLABELED = "also learning from {unlabeled} under the model's own labels"
_CONTRASTS = "imitating the contrasts of {unlabeled}"
_COMPARED = "comparing generated images with {unlabeled}"
_NONE = "for {images}, without generated images"
_OTHERS = "; for those of other scanners or cameras choose another target scanner"
_NOT_RECOLORED = "; their contrasts are not imitated, which the generator regions does"
_PLANNED = "for {images}; the plan decides whether pairs are generated"


def describe_generation(
    config: TrainConfig, unlabeled: int, planned: bool = False, labeled: int | None = None
) -> str:
    """Return what generated images and unlabeled cases do in a training.

    Args:
        config: settings.
        unlabeled: number of unlabeled cases.
        planned: whether a plan will choose the generator.
        labeled: number of labeled cases, if known.
    """
    template = _PLANNED if planned else _template(config, labeled)
    images, fraction = target_images(config.target_scanner), config.appearance_fraction
    transplanted = config.transplanted_fraction
    cases = "the labeled case" if labeled == 1 else "the labeled cases"
    parts = [
        template.format(images=images, fraction=fraction, transplanted=transplanted, cases=cases)
    ]
    found = "1 unlabeled image" if unlabeled == 1 else f"{unlabeled} unlabeled images"
    if unlabeled and config.learns_from_unlabeled:
        parts.append(_UNLABELED.format(unlabeled=found))
    if unlabeled and config.generator == "regions":
        parts.append(_CONTRASTS.format(unlabeled=found))
    if unlabeled and config.discriminates_generated and not planned:
        parts.append(_COMPARED.format(unlabeled=found))
    return "Training " + "; ".join(parts)


def target_images(target_scanner: float) -> str:
    """Return in a few words for which images a model is, see `TrainConfig.target_scanner`."""
    if target_scanner == 0:
        return "images like the labeled ones"
    if target_scanner < 1:
        return "images of similar scanners or cameras, too"
    return "images of any scanner or camera"


def _template(config: TrainConfig, labeled: int | None) -> str:
    if config.has_generator:
        return _PAIRS if config.blended_fraction > 0 and labeled != 1 else _DEFORMED_PAIRS
    if config.generator == "regions":
        return _REGIONS
    template = _NONE if config.generator == "none" else _TRANSPLANTS
    return template + (_NOT_RECOLORED if config.target_scanner else _OTHERS)
