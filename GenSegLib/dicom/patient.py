"""Finds case names that tell who the patient is: names go into runs, reports and logs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .headers import read_first

ADVICE = (
    "is named like the patient in its DICOM header, and names go into runs, reports and files; "
    "rename the folder"
)
_SHORTEST = 3
_NOBODY = {"anon", "anonym", "anonymous", "anonymized", "anonymised", "case", "name", "patient"} | {
    "phantom",
    "subject",
    "test",
    "unknown",
    "unnamed",
    "volunteer",
}


def find_identifying(names: Iterable[str], series: Path) -> str:
    """Give the first of some names that holds the patient's name or ID; empty where none does.

    A header that says that the identity was removed (0012,0062) holds a pseudonym, which is fine.

    Args:
        names: of a case and of the folders that it lies in.
        series: folder of the DICOM series.

    Raises:
        GenSegError: the series cannot be read.
    """
    first = read_first(series)
    if first is None or first.anonymous:
        return ""
    name, number = first.patient
    secret = {word for word in _words(name) if not word.isdigit()} | {"".join(_words(number))}
    secret = {word for word in secret - _NOBODY if len(word) >= _SHORTEST}
    for candidate in names:
        words = _words(candidate)
        if secret & {*words, "".join(words)}:
            return candidate
    return ""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("_", " "))
