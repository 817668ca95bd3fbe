"""Writes the lists of files in the CMakeLists of the module and the library, from the tree.

python Testing/Tools/list_for_cmake.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESOURCES = {".json", ".css", ".png", ".ui", ".txt", ".svg"}
NO_RESOURCE = {"CMakeLists.txt"}


def scripts_of(room: Path) -> list[str]:
    """The Python files below a folder, as CMake is to list them."""
    return _listed(room, room.rglob("*.py"))


def resources_of(room: Path) -> list[str]:
    """What else is to be installed from a folder."""
    found = (path for path in room.rglob("*") if path.suffix in RESOURCES)
    return _listed(room, (path for path in found if path.name not in NO_RESOURCE))


def _listed(room: Path, paths: Iterator[Path]) -> list[str]:
    return sorted(path.relative_to(room).as_posix() for path in paths)


def with_list(cmake: str, ending: str, names: list[str]) -> str:
    """Replace the content of `set(..._PYTHON_<ending>`."""
    lines = "".join(f"  {name}\n" for name in names)
    return re.sub(
        rf"(set\(\w+_PYTHON_{ending}\n)[^)]*(  \)\n)",
        lambda found: found[1] + lines + found[2],
        cmake,
    )


def main() -> None:
    """Bring both files up to date."""
    for room in (ROOT / "GenSegLib", ROOT / "GenSegSlicer"):
        file = room / "CMakeLists.txt"
        text = with_list(file.read_text(encoding="utf-8"), "SCRIPTS", scripts_of(room))
        file.write_text(with_list(text, "RESOURCES", resources_of(room)), encoding="utf-8")


if __name__ == "__main__":
    main()
