"""The recipes that come with GenSeg: named training settings, such as those of a publication.

A preset describes the images, a recipe the training. Light: the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import GenSegError
from .files import read_json

_FOLDER = Path(__file__).parent / "resources" / "recipes"


def list_recipes() -> dict[str, str]:
    """Return the titles of all recipes by their names."""
    return {path.stem: str(read_json(path)["title"]) for path in sorted(_FOLDER.glob("*.json"))}


def load_recipe(name: str) -> Mapping[str, Any]:
    """Return the settings of a recipe, by the names of TrainConfig.

    Raises:
        GenSegError: there is no such recipe; the message lists the names.
    """
    known = list_recipes()
    if name not in known:
        raise GenSegError(f"unknown recipe {name!r}; choose {', '.join(known)}")
    settings: Mapping[str, Any] = read_json(_FOLDER / f"{name}.json")["settings"]
    return settings
