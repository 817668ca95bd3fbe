"""What the generation of training images does for the user, in a line.

Light: the standard library only.
"""

from __future__ import annotations

from .config import TrainConfig

_PAIRS = "with generated pairs: new shapes between the labeled cases"
_REGIONS = (
    "for scans of {scanners} scanners, too: tissues get other contrasts in {share:.0%} of the "
    "training images"
)
_UNLABELED = "{count} unlabeled scans are learned from under the model's own labels"
_CONTRASTS = "the contrasts of {count} unlabeled scans are imitated"
_NONE = "without generated images: for scans of the same scanner; else add --target-scanner similar"


def describe_generation(config: TrainConfig, unlabeled: int) -> str:
    """Return what generated images and unlabeled cases do in a training.

    Args:
        config: settings.
        unlabeled: number of unlabeled cases.
    """
    parts = [_describe_generator(config)]
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
