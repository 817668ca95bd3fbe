"""3D Slicer's terminology strings as coded concepts.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A coded concept: value and meaning in a coding scheme such as "SCT" (SNOMED CT)."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Terminology:
    """What a segment shows: its category, type and region, with modifiers such as the side."""

    category: Code
    kind: Code
    kind_modifier: Code | None = None
    region: Code | None = None
    region_modifier: Code | None = None


_TISSUE = Code("SCT", "85756007", "Tissue")
UNKNOWN = Terminology(_TISSUE, _TISSUE)


def parse_terminology(text: str) -> Terminology:
    """Read a string as Slicer's vtkSlicerTerminologiesModuleLogic serializes it.

    `context~category~type~type modifier~context~region~region modifier`, each a `scheme^value^
    meaning`. Without a sound category and type it is `UNKNOWN`, Slicer's own for new segments.
    """
    parts = [_code(part) for part in text.split("~")]
    parts += [None] * (7 - len(parts))
    _, category, kind, kind_modifier, _, region, region_modifier = parts[:7]
    if category is None or kind is None:
        return UNKNOWN
    return Terminology(
        category, kind, kind_modifier, region, region_modifier if region is not None else None
    )


def _code(text: str) -> Code | None:
    match = re.fullmatch(r"([^^~]{1,16})\^([^^~]{1,16})\^([^^~]{1,64})", text.strip())
    return Code(*match.groups()) if match else None
