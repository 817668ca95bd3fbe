"""Find case names that identify the patient; names are copied to runs, reports and logs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .headers import read_first_slice

ADVICE = (
    "contains the patient's name or ID from the DICOM header, and would be copied to runs, reports "
    "and files; rename the folder or file"
)
_MIN_LENGTH = 3
_PLACEHOLDERS = {
    *("anon", "anonym", "anonymous", "anonymized", "anonymised", "case", "name", "patient"),
    *("phantom", "subject", "test", "unknown", "unnamed", "volunteer"),
}


def find_identifying(names: Iterable[str], image: Path) -> str:
    """Return the first name that contains the patient's name or ID; empty if none does.

    Headers marked as de-identified (0012,0062) contain a pseudonym, which may be used.

    Args:
        names: of a case and its parent folders.
        image: folder of the DICOM series, or a DICOM file.

    Raises:
        GenSegError: the image cannot be read.
    """
    first = read_first_slice(image)
    if first is None or first.is_deidentified:
        return ""
    patient_name, patient_id = first.patient
    identifying = {word for word in _words(patient_name) if not word.isdigit()}
    identifying |= {"".join(_words(patient_id))}
    identifying = {word for word in identifying - _PLACEHOLDERS if len(word) >= _MIN_LENGTH}
    for name in names:
        words = _words(name)
        if identifying & {*words, "".join(words)}:
            return name
    return ""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("_", " "))
