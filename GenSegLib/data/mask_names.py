"""Which mask belongs to which image, by the words in the names of files and folders.

Public data sets name masks `a_mask`, `a_segmentation`, `mask_a`, put them into folders such as
`Ground Truth` or `1st_manual`, and give an image one mask for each lesion or structure.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from unicodedata import normalize

MASK_WORDS = {
    *("mask", "masks", "label", "labels", "labelmap", "labelmaps", "seg", "segs"),
    *("segmentation", "segmentations", "gt", "gts", "groundtruth", "groundtruths", "truth"),
    *("manual", "annotation", "annotations"),
}
"""Words for masks, in names of files and folders."""

_STRUCTURES = {"lesion", "tumor", "tumour", "polyp", "ulcer", "wound", "vessels", "contour", "ho"}
_IMAGE_WORDS = {
    *("image", "images", "img", "imgs", "original", "originals", "orig", "input", "inputs"),
    *("photo", "photos", "picture", "pictures", "frame", "frames", "raw", "source", "cxr"),
    *("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif"),
}
_ANNOTATORS = {"st", "nd", "rd", "th", "first", "second", "observer", "annotator", "rater", "ho"}
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ENUMERATION = re.compile(r"\d+[.)]\s+")  # of folders: "1. Original Images"
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

Words = tuple[str, ...]


def words_of(name: str) -> Words:
    """Return words and numbers of a name: `MaskOf_a01` has Mask, Of, a and 01."""
    return tuple(_WORD.findall(_CAMEL_CASE.sub(" ", normalize("NFC", name))))


@dataclass(frozen=True)
class Name:
    """Name of an image or a mask.

    Attributes:
        place: words of its folders, in lower case, without those for images and masks.
        text: name without suffix, in lower case.
        words: of the name, as they are spelled.
        folders: words of its folders, as they are spelled, without those for masks.
        mask_words: words for masks in the nearest folder that has such words or those for images.
    """

    place: Words
    text: str
    words: Words
    folders: Words
    mask_words: frozenset[str]

    @classmethod
    def of(cls, folders: Sequence[str], stem: str) -> Name:
        """Read a name: the folders below that of the data, and the file's name without suffix."""
        each = [words_of(_ENUMERATION.sub("", folder, count=1)) for folder in folders]
        place = [word for words in each for word in _lower(words)]
        nearest = next(
            (set(_lower(w)) for w in reversed(each) if {*_lower(w)} & (MASK_WORDS | _IMAGE_WORDS)),
            set(),
        )
        return cls(
            tuple(word for word in place if word not in MASK_WORDS | _IMAGE_WORDS),
            normalize("NFC", stem).casefold(),
            words_of(stem),
            tuple(word for words in each for word in words if word.casefold() not in MASK_WORDS),
            frozenset(nearest & MASK_WORDS),
        )

    @property
    def core(self) -> Words:
        """The words in lower case without those for images and masks."""
        dropped = MASK_WORDS | _IMAGE_WORDS
        return tuple(word for word in _lower(self.words) if word not in dropped)

    @property
    def looks_like_mask(self) -> bool:
        """Whether folder or name have words for masks; the name at its beginning or end."""
        words = [word for word in _lower(self.words) if not word.isdigit()]
        ends = {*words[:1], *words[-1:]}
        return bool(self.mask_words or ends & MASK_WORDS or {*words[-1:]} & _STRUCTURES)


def match_masks(images: Sequence[Name], masks: Sequence[Name]) -> dict[int, int]:
    """Find the image of each mask.

    The names of the two are the same, or the same without words for images and masks, or the
    mask's has further words, or they are the same without what all images and all masks of a
    folder have in common at the beginning and end (`21_training` and `21_manual1`). An image in
    the mask's own place is preferred, such as in folders of patients.

    Args:
        images: their names.
        masks: their names.

    Returns:
        Index of the image by index of the mask, without masks that have no image, or several.
    """
    found: dict[int, int] = {}
    places = {image.place for image in images}
    for k, mask in enumerate(masks):
        candidates = [
            number
            for number, image in enumerate(images)
            if (image.place == mask.place if mask.place in places else _may_share(image, mask))
        ]
        number = _best_match(mask, candidates, images)
        if number is not None:
            found[k] = number
    return found | _match_rest(images, masks, found)


def kinds_of_masks(pairs: Iterable[tuple[Name, Name]]) -> list[Words]:
    """Return the words by which the masks of an image differ: `left` and `right`, `MA` and `EX`.

    Args:
        pairs: image and mask.

    Returns:
        For each pair the words of the mask's folders and name that the image does not have,
        without those for masks; () for numbers alone, as of masks of several lesions.
    """
    return [_kind(image, mask) for image, mask in pairs]


def is_annotator(kind: Words) -> bool:
    """Whether the words are those of one of several annotators, such as `1st`."""
    return bool(set(_lower(kind)) & _ANNOTATORS)


def has_mark(folder: str) -> bool:
    """Whether a folder's name has a word for images or masks."""
    return bool(set(_lower(words_of(folder))) & (MASK_WORDS | _IMAGE_WORDS))


def _lower(words: Iterable[str]) -> Words:
    return tuple(word.casefold() for word in words)


def _may_share(image: Name, mask: Name) -> bool:
    """Whether folders do not contradict: `video1` and `video2` do."""
    own, other = ({word for word in each.place if word.isdigit()} for each in (image, mask))
    return own <= other or other <= own


def _best_match(mask: Name, candidates: Sequence[int], images: Sequence[Name]) -> int | None:
    """Return the only candidate with the closest name; None if there are none or several."""
    closeness = {number: _closeness(images[number], mask) for number in candidates}
    best = max(closeness.values(), default=0)
    found = [number for number, value in closeness.items() if value == best]
    return found[0] if best and len(found) == 1 else None


def _closeness(image: Name, mask: Name) -> int:
    """Return how alike two names are; 0 if they are not those of an image and its mask."""
    if image.text == mask.text:
        return 10**6
    if image.core == mask.core:
        return 10**5
    own, other = _lower(image.words), _lower(mask.words)
    if not 0 < len(own) < len(other):
        return 0
    is_start = other[: len(own)] == own
    further = set(other[len(own) :] if is_start else other[: -len(own)])
    is_mask = mask.mask_words or further & (MASK_WORDS | _STRUCTURES)
    is_like = is_start or other[-len(own) :] == own
    return 2 * len(own) + is_start if is_like and is_mask else 0


def _match_rest(
    images: Sequence[Name], masks: Sequence[Name], found: Mapping[int, int]
) -> dict[int, int]:
    """Match masks by their names without what those of a folder have in common."""
    groups: dict[tuple[Words, Words], list[int]] = {}
    for k, mask in enumerate(masks):
        groups.setdefault((mask.place, mask.folders), []).append(k)
    result: dict[int, int] = {}
    own = _without_common([_lower(image.words) for image in images])
    for group in groups.values():
        if any(k in found for k in group):
            continue
        names = _without_common([_lower(masks[k].words) for k in group])
        numbers = [
            [n for n, words in enumerate(own) if words == name and _may_share(images[n], masks[k])]
            for k, name in zip(group, names)
        ]
        if all(len(each) == 1 for each in numbers):
            result |= {k: each[0] for k, each in zip(group, numbers)}
    return result


def _without_common(names: Sequence[Words]) -> list[Words]:
    """Remove the words that all names have at the beginning and at the end."""
    if len(set(names)) < 2:
        return list(names)
    shortest = min(map(len, names))
    start = next((k for k in range(shortest) if len({n[k] for n in names}) > 1), shortest)
    left = [name[start:] for name in names]
    shortest = min(map(len, left))
    end = next((k for k in range(shortest) if len({n[-1 - k] for n in left}) > 1), shortest)
    return [name[: len(name) - end] for name in left]


def _kind(image: Name, mask: Name) -> Words:
    folders = [w for w in mask.folders if w.casefold() not in _lower(image.folders)]
    own = _lower(image.words)
    further = [w for w in mask.words if w.casefold() not in (*own, *MASK_WORDS)]
    kept = [w for w in (*folders, *further) if w.casefold() not in _IMAGE_WORDS]
    return tuple(kept) if any(not word.isdigit() for word in kept) else ()
