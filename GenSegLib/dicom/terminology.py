"""Parse 3D Slicer's terminology entries.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Code:
    """A coded concept: value and meaning in a coding scheme such as "SCT" (SNOMED CT)."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Terminology:
    """Category, type and anatomic region of a segment, with modifiers such as laterality."""

    category: Code
    type: Code
    type_modifier: Code | None = None
    region: Code | None = None
    region_modifier: Code | None = None

    @property
    def key(self) -> ConceptKey | None:
        """The codes without their meanings, which depend on the language; None if unknown."""
        codes = (self.category, self.type, self.type_modifier, self.region, self.region_modifier)
        key = tuple(None if code is None else (code.scheme, code.value) for code in codes)
        return None if self == UNKNOWN else key


ConceptKey = tuple[Optional[tuple[str, str]], ...]
"""Scheme and value of each code of a `Terminology`."""

_TISSUE = Code("SCT", "85756007", "Tissue")
UNKNOWN = Terminology(_TISSUE, _TISSUE)


def parse_terminology(text: str) -> Terminology:
    """Parse an entry as serialized by Slicer's vtkSlicerTerminologiesModuleLogic.

    The format is `context~category~type~type modifier~context~region~region modifier`, each code
    `scheme^value^meaning`. Without a valid category and type the result is `UNKNOWN`, the default
    of new segments in Slicer.
    """
    parts = [_parse_code(part) for part in text.split("~")]
    parts += [None] * (7 - len(parts))
    _, category, kind, kind_modifier, _, region, region_modifier = parts[:7]
    if category is None or kind is None:
        return UNKNOWN
    return Terminology(
        category, kind, kind_modifier, region, region_modifier if region is not None else None
    )


def _parse_code(text: str) -> Code | None:
    match = re.fullmatch(r"([^^~]{1,16})\^([^^~]{1,16})\^([^^~]{1,64})", text.strip())
    return Code(*match.groups()) if match else None
