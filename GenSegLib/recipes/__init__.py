"""The recipes that GenSeg ships: ways to train as named settings, one JSON file each.

A preset says what is in the images, a recipe how to train on them, such as a published way to
compare with.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import GenSegError
from ..files import read_json

_FOLDER = Path(__file__).parent


def list_recipes() -> dict[str, str]:
    """Give the titles of the recipes that are shipped, by their names."""
    paths = sorted(_FOLDER.glob("*.json"))
    return {path.stem: str(read_json(path)["title"]) for path in paths}


def load_recipe(name: str) -> Mapping[str, Any]:
    """Give the settings of a recipe, by the names that TrainConfig has for them.

    Raises:
        GenSegError: there is no such recipe; the message lists the names.
    """
    known = list_recipes()
    if name not in known:
        raise GenSegError(f"no recipe {name!r}; choose {', '.join(known)}")
    settings: Mapping[str, Any] = read_json(_FOLDER / f"{name}.json")["settings"]
    return settings
