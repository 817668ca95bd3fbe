"""Persons from names: which of several names are images of one person.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_BIDS = re.compile(r"(?:^|[_\W])(sub-[A-Za-z0-9]+)")
_WORD = re.compile(r"([a-z]*)(\d*)")
_LETTER_OF_PART = re.compile(r"(.*\d)[abcdlr]")
_DATE = re.compile(r"(19|20)\d{6}")
_SEQUENCE = re.compile(r"t\d{1,2}(w|c|ce|gd|fs)?|flair|pd|dwi|adc|swi|dce|ct|cta|mr|mri|pet")

_PERSON = {
    *("patient", "pat", "pt", "subject", "subj", "sub", "person", "participant", "donor"),
    *("volunteer", "animal", "mouse", "rat", "exam", "examination"),
}
# One of several images of a person, whatever precedes it.
_NUMBERED = {
    *("frame", "fr", "phase", "visit", "ses", "session", "timepoint", "tp", "followup", "fu"),
}
_PLAIN = {
    *("left", "right", "l", "r", "lh", "rh", "od", "os", "pre", "post", "baseline", "ed", "es"),
    *("systole", "diastole", "arterial", "venous", "portal", "delayed", "native", "inspiration"),
    *("expiration", "supine", "prone"),
}
# The same if what precedes it has a number; otherwise "liver_scan_1" is just a numbered name.
_NUMBERED_AFTER_NUMBER = {
    *("slice", "sl", "scan", "img", "image", "photo", "view", "time", "day", "week", "month"),
    *("year", "run", "acq", "series", "part", "rep"),
}


def persons_from_names(names: Iterable[str]) -> dict[str, str]:
    """Find names that differ only in words for one of several images of a person.

    `patient054_frame01` and `patient054_frame02` show `patient054`; other words are sides (`_L`,
    `_left`), visits (`_visit1`, `_ses-2`, `_pre`, `_20240131`), phases, slices, and sequences
    (`_T1`). A last number with fewer digits than the number before it counts as well
    (`00017_2`), and so does anything after a word for a person with its number (`patient3_07`).
    BIDS's `sub-01` is always the person.

    Returns:
        The persons by name, of names that share a person with another.
    """
    stems = {name: _stem_of(name) for name in names}
    members: dict[str, list[str]] = {}
    for name, stem in stems.items():
        members.setdefault(stem.person.casefold(), []).append(name)
    found: dict[str, str] = {}
    for group in members.values():
        person = stems[group[0]].person
        is_certain = all(stems[name].is_certain for name in group)
        has_number = any(character.isdigit() for character in person)
        # "brain_scan_1" and "brain_scan_2" alone are no two images of a person "brain"
        enough = (is_certain + has_number + (len(members) > 1)) >= 2
        if person and len(group) > 1 and enough:
            found.update((name, person) for name in group)
    return found


def person_of_folders(folders: Iterable[str]) -> str:
    """Return the first folder that is named after a person (`sub-01`, `patient_7`); "" if none."""
    for folder in folders:
        words = re.findall(r"[^\W_]+", folder)
        if _BIDS.fullmatch(folder) or (words and _words_of_person(words, 0) == len(words)):
            return folder
    return ""


@dataclass(frozen=True)
class _Stem:
    """What is left of a name without words for one of several images.

    Attributes:
        person: the remaining words.
        is_certain: whether all removed words mean several images of a person, whatever precedes.
    """

    person: str
    is_certain: bool


def _stem_of(name: str) -> _Stem:
    bids = _BIDS.search(name)
    if bids:
        return _Stem(bids[1], True)
    words = re.findall(r"[^\W_]+", name)
    kept: list[str] = []
    is_certain = True
    position = 0
    while position < len(words):
        used, certain = _words_of_part(words, position)
        if not used:
            person = _words_of_person(words, position)
            kept += words[position : position + max(person, 1)]
            if person:
                return _Stem("_".join(kept), True)
        is_certain = is_certain and (certain or not used)
        position += max(used, 1)
    shortened = _without_last_number(kept)
    return _Stem("_".join(shortened), is_certain and shortened == kept)


def _words_of_person(words: Sequence[str], position: int) -> int:
    """Return how many words from a position on are a person with its number."""
    word = words[position].casefold()
    match = _WORD.fullmatch(word)
    if match is None or match[1] not in _PERSON:
        return 0
    if match[2]:
        return 1
    is_followed = position + 1 < len(words) and words[position + 1].isdigit()
    return 2 if is_followed else 0


def _words_of_part(words: Sequence[str], position: int) -> tuple[int, bool]:
    """Return how many words from a position on mean one of several images, and if it is certain."""
    word = words[position].casefold()
    match = _WORD.fullmatch(word)
    base, number = (match[1], match[2]) if match else ("", "")
    if base in _NUMBERED or base in _NUMBERED_AFTER_NUMBER:
        is_followed = not number and position + 1 < len(words) and words[position + 1].isdigit()
        return 1 + is_followed, base in _NUMBERED
    if word in _PLAIN:
        return 1, True
    is_other = position > 0 and (_DATE.fullmatch(word) or _SEQUENCE.fullmatch(word))
    return (1, False) if is_other else (0, True)


def _without_last_number(words: list[str]) -> list[str]:
    """Remove a letter or a short number that follows a number: `12L`, `00017_2`."""
    if not words:
        return words
    glued = _LETTER_OF_PART.fullmatch(words[-1].casefold())
    if glued:
        return [*words[:-1], words[-1][: len(glued[1])]]
    if len(words) > 1 and words[-1].isdigit():
        digits = re.search(r"\d+$", words[-2])
        if digits and len(digits[0]) > max(len(words[-1]), 1):
            return words[:-1]
    return words
