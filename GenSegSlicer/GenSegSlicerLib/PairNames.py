"""What the names of a volume and of its segmentation have in common."""

from __future__ import annotations

import re

# What a word says that tells of a node what it is, not whose.
_KIND = re.compile(
    "seg(ment(s|ed|ations?))?|labels?|labelmap|masks?|truth|ground|gt|manual|contours?|roi|"
    "annotation|vol(ume)?|img|image|scan|final"
)
# How it was imaged.
_SEQUENCE = re.compile("t1(w|c|ce)?|t2w?|flair|pd|dwi|adc|dce|swi|mri?|cta?|cbct|pet|us")


def longKey(name: str) -> tuple[str, ...]:
    """The words of a name but those that say whether it is an image or a segmentation."""
    words = _wordsOf(name)
    return tuple(word for word in words if not _KIND.fullmatch(word))


def shortKey(name: str) -> tuple[str, ...]:
    """The words of a name that say whose it is: without sequence and modality too."""
    return tuple(word for word in longKey(name) if not _SEQUENCE.fullmatch(word))


def _wordsOf(name: str) -> list[str]:
    """Lower-case words and numbers, without the channel number 0000 of nnU-Net's images."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"_0000$", "", name))
    parts = re.sub(r"\.(nii|nrrd|mha|mhd|gz|seg)\b", " ", parts, flags=re.IGNORECASE)
    return re.findall(r"\w+", parts.replace("_", " ").casefold())
