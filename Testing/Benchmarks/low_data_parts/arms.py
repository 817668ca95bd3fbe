"""The arms of the benchmark: what each asks of `genseg train`, and where it differs.

An arm's variants are written behind a colon: `genseg:spade` is `genseg` with another generator. All
arms share the segmenter, its number of steps, and inference. A step of `augmented:4-samples` sees
as many samples as one of `genseg`, all of them real.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """Options of `genseg train`; `unlabeled`: is given the images of the unlabeled cases, too."""

    options: tuple[str, ...] = ()
    unlabeled: bool = False


def _set(*settings: str) -> Arm:
    return Arm(tuple(word for setting in settings for word in ("--set", setting)))


ARMS = {
    "plain": Arm(("--no-generator", "--set", "augmentation=0")),
    "augmented": Arm(("--no-generator",)),
    "blended": Arm(("--generator", "warped")),
    "separate": Arm(("--hypergradient", "none")),
    "genseg": Arm(),
    "semi-supervised": Arm(("--no-generator", "--unlabeled", "mean-teacher"), unlabeled=True),
    "semi-supervised:uncertain": Arm(
        ("--no-generator", "--unlabeled", "uncertainty-aware"), unlabeled=True
    ),
    "genseg+unlabeled": Arm(("--unlabeled", "mean-teacher"), unlabeled=True),
    "paper-3d": Arm(("--recipe", "paper-3d")),
}
GENERATORS = {
    f"genseg:{name}": Arm(("--generator", name))
    for name in ("mask-only", "spade", "vae", "diffusion")
}
ABLATIONS = {
    "genseg:architecture-frozen": _set("frozen=architecture"),
    "genseg:weight-frozen": _set("frozen=weight"),
    "genseg:residual-frozen": _set("frozen=residual"),
    "genseg:appearance-frozen": _set("frozen=appearance"),
    "genseg:no-direct-path": _set("direct_path=false"),
    "genseg:no-lower-path": _set("lower_path=false"),
    "genseg:no-blending": _set("blended_share=0"),
    "genseg:paper-space": _set("search_space=paper"),
    "genseg:1-pair": _set("generated_batch_size=1"),
    "genseg:4-pairs": _set("generated_batch_size=4"),
    "genseg:hold-20": _set("validation_share=0.2"),
    "genseg:hold-50": _set("validation_share=0.5"),
}
CONTROLS = {"augmented:4-samples": Arm(("--no-generator", "--set", "batch_size=4"))}
GENSEG_ARMS = {**ARMS, **CONTROLS, **GENERATORS, **ABLATIONS}

# nnU-Net plans network, augmentation and steps itself: with the time that `genseg` took, and with
# the 1000 epochs of its default
NNUNET_ARMS = ("nnunet", "nnunet:default")
NNUNET_NETWORK = "3d_fullres"
EVERY_ARM = (*GENSEG_ARMS, *NNUNET_ARMS)
