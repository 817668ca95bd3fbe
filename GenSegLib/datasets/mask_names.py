"""Which mask belongs to which image, by the words in the names of files and folders.

Public data sets name masks `a_mask`, `a_segmentation`, `mask_a`, put them into folders such as
`Ground Truth` or `1st_manual`, and give an image one mask for each lesion or structure.

Light: the standard library alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
        is_in_images: whether that folder has words for images alone.
    """

    place: Words
    text: str
    words: Words
    folders: Words
    mask_words: frozenset[str]
    is_in_images: bool

    @classmethod
    def of(cls, folders: Sequence[str], stem: str) -> Name:
        """Read a name: the folders below that of the data, and the file's name without suffix."""
        each = [words_of(_ENUMERATION.sub("", folder, count=1)) for folder in folders]
        place = [word for words in each for word in lower(words)]
        nearest = next(
            (set(lower(w)) for w in reversed(each) if {*lower(w)} & (MASK_WORDS | _IMAGE_WORDS)),
            set(),
        )
        return cls(
            tuple(word for word in place if word not in MASK_WORDS | _IMAGE_WORDS),
            normalize("NFC", stem).casefold(),
            words_of(stem),
            tuple(word for words in each for word in words if word.casefold() not in MASK_WORDS),
            frozenset(nearest & MASK_WORDS),
            bool(nearest) and not nearest & MASK_WORDS,
        )

    @property
    def core(self) -> Words:
        """The words in lower case without those for images and masks."""
        dropped = MASK_WORDS | _IMAGE_WORDS
        return tuple(word for word in lower(self.words) if word not in dropped)

    @property
    def has_mask_ending(self) -> bool:
        """Whether the name has a word for masks at its beginning or end."""
        words = [word for word in lower(self.words) if not word.isdigit()]
        return bool({*words[:1], *words[-1:]} & MASK_WORDS)

    @property
    def has_structure_ending(self) -> bool:
        """Whether the name ends with a structure's word: `a_lesion` may be a mask of `a`."""
        words = [word for word in lower(self.words) if not word.isdigit()]
        return bool({*words[-1:]} & _STRUCTURES)

    def is_outline_of(self, images: Collection[Words]) -> bool:
        """Whether the name ends with a structure's word and begins like one of the images.

        `polyp_1` is an image itself.

        Args:
            images: their names, in words with and without those for images.
        """
        names = (lower(self.words), self.core)
        beginnings = (words[:count] for words in names for count in range(1, len(words)))
        return self.has_structure_ending and any(each in images for each in beginnings)


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
    everywhere = _Index(images, range(len(images)))
    members: dict[Words, list[int]] = {}
    for number, image in enumerate(images):
        members.setdefault(image.place, []).append(number)
    places = {place: _Index(images, numbers) for place, numbers in members.items()}
    found: dict[int, int] = {}
    for k, mask in enumerate(masks):
        image_number = places.get(mask.place, everywhere).find(mask)
        if image_number is not None:
            found[k] = image_number
    found = _without_numbered(images, masks, found)
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
    return bool(set(lower(kind)) & _ANNOTATORS)


def has_mark(folder: str) -> bool:
    """Whether a folder's name has a word for images or masks."""
    return bool(set(lower(words_of(folder))) & (MASK_WORDS | _IMAGE_WORDS))


def lower(words: Iterable[str]) -> Words:
    """Return words in lower case."""
    return tuple(word.casefold() for word in words)


def _may_share(image: Name, mask: Name) -> bool:
    """Whether folders do not contradict: `video1` and `video2` do."""
    own, other = ({word for word in each.place if word.isdigit()} for each in (image, mask))
    return own <= other or other <= own


class _Index:
    """Finds images by their names.

    Args:
        images: all images.
        numbers: those that are looked for.
    """

    def __init__(self, images: Sequence[Name], numbers: Iterable[int]) -> None:
        self._images = images
        self._by_name: dict[tuple[str, object], list[int]] = {}
        for number in numbers:
            image = images[number]
            keys = ("text", image.text), ("core", image.core), ("words", lower(image.words))
            for key in keys:
                self._by_name.setdefault(key, []).append(number)

    def find(self, mask: Name) -> int | None:
        """Return the image with the closest name; None if there is none, or are several."""
        for key in (("text", mask.text), ("core", mask.core), *self._shorter(mask)):
            numbers = self._by_name.get(key, ())
            found = [number for number in numbers if _may_share(self._images[number], mask)]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _shorter(self, mask: Name) -> Iterator[tuple[str, object]]:
        """Yield the beginnings and ends of a mask's name that may be an image's, longest first.

        The end of `3_mask_1` is the number of a lesion of image 3, not image 1.
        """
        words = lower(mask.words)
        for count in range(len(words) - 1, 0, -1):
            parts = [(words[:count], words[count:])]
            if not any(word.isdigit() for word in words[:-count]):
                parts.append((words[-count:], words[:-count]))
            for own, further in parts:
                if mask.mask_words or set(further) & (MASK_WORDS | _STRUCTURES):
                    yield "words", own


def _without_numbered(
    images: Sequence[Name], masks: Sequence[Name], found: Mapping[int, int]
) -> dict[int, int]:
    """Leave out `a_2` where there is a mask `a`: it may be that of another image, which is missing.

    Masks that are all numbered, `a_1` and `a_2`, are those of several lesions.
    """
    exact = {n: masks[k].place for k, n in found.items() if masks[k].text == images[n].text}
    return {
        k: n
        for k, n in found.items()
        if masks[k].text == images[n].text
        or exact.get(n) != masks[k].place
        or not all(w.isdigit() for w in lower(masks[k].words) if w not in lower(images[n].words))
    }


def _match_rest(
    images: Sequence[Name], masks: Sequence[Name], found: Mapping[int, int]
) -> dict[int, int]:
    """Match masks by their names without what those of a folder have in common."""
    groups: dict[tuple[Words, Words], list[int]] = {}
    for k, mask in enumerate(masks):
        groups.setdefault((mask.place, mask.folders), []).append(k)
    result: dict[int, int] = {}
    by_words: dict[Words, list[int]] = {}
    for number, words in enumerate(_without_common([lower(image.words) for image in images])):
        by_words.setdefault(words, []).append(number)
    numbers_of_images = {word for image in images for word in image.words if word.isdigit()}
    for group in groups.values():
        common = _common_beginning([lower(masks[k].words) for k in group])
        # `3_mask` of `3_mask_1` and `3_mask_2` is an image that is missing
        is_of_one = any(w.isdigit() and w not in numbers_of_images for w in common)
        if any(k in found for k in group) or is_of_one:
            continue
        names = _without_common([lower(masks[k].words) for k in group])
        numbers = [
            [n for n in by_words.get(name, ()) if _may_share(images[n], masks[k])]
            for k, name in zip(group, names)
        ]
        if all(len(each) == 1 for each in numbers):
            result |= {k: each[0] for k, each in zip(group, numbers)}
    return result


def _common_beginning(names: Sequence[Words]) -> Words:
    shared = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*names))
    return tuple(words[0] for words in shared)


def _without_common(names: Sequence[Words]) -> list[Words]:
    """Remove the words that all names have at the beginning and at the end."""
    if len(set(names)) < 2:
        return list(names)
    start = len(_common_beginning(names))
    left = [name[start:] for name in names]
    end = len(_common_beginning([name[::-1] for name in left]))
    return [name[: len(name) - end] for name in left]


def _kind(image: Name, mask: Name) -> Words:
    folders = [w for w in mask.folders if w.casefold() not in lower(image.folders)]
    own = lower(image.words)
    further = [w for w in mask.words if w.casefold() not in (*own, *MASK_WORDS)]
    kept = [w for w in (*folders, *further) if w.casefold() not in _IMAGE_WORDS]
    return tuple(kept) if any(not word.isdigit() for word in kept) else ()
