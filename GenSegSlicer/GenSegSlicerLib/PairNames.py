"""What the names of a volume and of its segmentation have in common."""

from __future__ import annotations

import re

# Words that say what a node is, not whose.
_KINDS = [
    "segmentation",
    "segmentations",
    "segmented",
    "seg",
    "label",
    "labels",
    "labelmap",
    "mask",
    "masks",
    "truth",
    "ground",
    "gt",
    "manual",
    "contour",
    "contours",
    "roi",
    "annotation",
    "volume",
    "vol",
    "image",
    "img",
    "scan",
    "final",
]
# Words that say how it was imaged.
_SEQUENCES = [
    "t1",
    "t1w",
    "t1c",
    "t1ce",
    "t2",
    "t2w",
    "flair",
    "pd",
    "dwi",
    "adc",
    "dce",
    "swi",
    "mr",
    "mri",
    "ct",
    "cta",
    "cbct",
    "pet",
    "us",
]


def longKey(name: str) -> tuple[str, ...]:
    """The words of a name but those that say whether it is an image or a segmentation."""
    words = _wordsOf(name)
    return tuple(word for word in words if word not in _KINDS)


def shortKey(name: str) -> tuple[str, ...]:
    """The words of a name that say whose it is: without sequence and modality too."""
    return tuple(word for word in longKey(name) if word not in _SEQUENCES)


def _wordsOf(name: str) -> list[str]:
    """Lower-case words and numbers, without the channel number 0000 of nnU-Net's images."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"_0000$", "", name))
    parts = re.sub(r"\.(nii|nrrd|mha|mhd|gz|seg)\b", " ", parts, flags=re.IGNORECASE)
    return re.findall(r"\w+", parts.replace("_", " ").casefold())
