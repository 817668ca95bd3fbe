"""The presets that GenSeg ships: one JSON file for an anatomy and modality, beside this file.

Light: the standard library alone.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import GenSegError
from ..files import read_json
from .preset import EFFORTS, Intensity, Preset, Steps

__all__ = ["EFFORTS", "Intensity", "Preset", "Steps", "list_presets", "load_preset"]

_FOLDER = Path(__file__).parent


def list_presets() -> tuple[str, ...]:
    """Give the names of the presets that are shipped, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset by its name, or from a JSON file of the user's own.

    Raises:
        GenSegError: there is no such preset (the message lists the names), or the file does not
            hold a sound one.
    """
    names = list_presets()
    if str(name_or_path) in names:
        path = _FOLDER / f"{name_or_path}.json"
    else:
        path = Path(name_or_path)
        if path.suffix != ".json":
            known = ", ".join(names)
            raise GenSegError(f"no preset {str(name_or_path)!r}; choose {known} or a .json file")
    return Preset.from_json(read_json(path))
