"""What the generation of training images does for the user, in a line.

Light: the standard library only.
"""

from __future__ import annotations

from .config import TrainConfig

_PAIRS = (
    "for scans like the labeled ones, with generated pairs: new shapes between the labeled cases"
)
_REGIONS = (
    "for scans of {scanners} scanners, too: tissues get other contrasts in {share:.0%} of the "
    "training images"
)
_UNLABELED = "{count} unlabeled scans are learned from under the model's own labels"
_CONTRASTS = "the contrasts of {count} unlabeled scans are imitated"
_NONE = (
    "for scans like the labeled ones, without generated images; for others choose another target "
    "scanner"
)
_PLANNED = "for scans like the labeled ones; the plan decides whether pairs are generated"


def describe_generation(config: TrainConfig, unlabeled: int, planned: bool = False) -> str:
    """Return what generated images and unlabeled cases do in a training.

    Args:
        config: settings.
        unlabeled: number of unlabeled cases.
        planned: whether a plan will choose the generator.
    """
    parts = [_PLANNED if planned else _describe_generator(config)]
    if unlabeled and config.self_training:
        parts.append(_UNLABELED.format(count=unlabeled))
    if unlabeled and config.generator == "regions":
        parts.append(_CONTRASTS.format(count=unlabeled))
    return "Training " + "; ".join(parts)


def _describe_generator(config: TrainConfig) -> str:
    if config.has_pairs:
        return _PAIRS
    if config.generator == "none":
        return _NONE
    scanners = "similar" if config.target_scanner < 1 else "any"
    return _REGIONS.format(scanners=scanners, share=config.appearance_fraction)
