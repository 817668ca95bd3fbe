"""What the generation of training images does for the user, in a line.

Light: the standard library only.
"""

from __future__ import annotations

from .config import TrainConfig

_PAIRS = "for {scans}, with generated pairs: new shapes between the labeled cases"
_REGIONS = "for {scans}: tissues get other contrasts in {share:.0%} of the training images"
_UNLABELED = "{count} unlabeled scans are learned from under the model's own labels"
_CONTRASTS = "the contrasts of {count} unlabeled scans are imitated"
_COMPARED = "generated images are compared with {count} unlabeled scans"
_NONE = "for {scans}, without generated images"
_OTHERS = "; for others choose another target scanner"
_PLANNED = "for {scans}; the plan decides whether pairs are generated"


def describe_generation(config: TrainConfig, unlabeled: int, planned: bool = False) -> str:
    """Return what generated images and unlabeled cases do in a training.

    Args:
        config: settings.
        unlabeled: number of unlabeled cases.
        planned: whether a plan will choose the generator.
    """
    template = _PLANNED if planned else _template(config)
    scans, share = target_scans(config.target_scanner), config.appearance_fraction
    parts = [template.format(scans=scans, share=share)]
    if unlabeled and config.self_training:
        parts.append(_UNLABELED.format(count=unlabeled))
    if unlabeled and config.generator == "regions":
        parts.append(_CONTRASTS.format(count=unlabeled))
    if unlabeled and config.judges_generated and not planned:
        parts.append(_COMPARED.format(count=unlabeled))
    return "Training " + "; ".join(parts)


def target_scans(target_scanner: float) -> str:
    """Return in a few words for which scans a model is, see `TrainConfig.target_scanner`."""
    if target_scanner == 0:
        return "scans like the labeled ones"
    return f"scans of {'similar' if target_scanner < 1 else 'any'} scanners, too"


def _template(config: TrainConfig) -> str:
    if config.has_pairs:
        return _PAIRS
    if config.generator == "none":
        return _NONE if config.target_scanner else _NONE + _OTHERS
    return _REGIONS
