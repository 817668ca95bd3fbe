"""Update the file lists in the CMakeLists.txt of the module and the library.

python Testing/Tools/list_for_cmake.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESOURCES = {".json", ".css", ".png", ".ui", ".txt", ".svg"}


def scripts_of(package: Path) -> list[str]:
    """The Python files of a package, relative to it."""
    return _relative(package, package.rglob("*.py"))


def resources_of(package: Path) -> list[str]:
    """The other files of a package to install."""
    found = (path for path in package.rglob("*") if path.suffix in RESOURCES)
    return _relative(package, (path for path in found if path.name != "CMakeLists.txt"))


def _relative(package: Path, paths: Iterator[Path]) -> list[str]:
    return sorted(path.relative_to(package).as_posix() for path in paths)


def replace_list(cmake: str, suffix: str, names: list[str]) -> str:
    """Replace the content of `set(..._PYTHON_<suffix>`."""
    lines = "".join(f"  {name}\n" for name in names)
    return re.sub(
        rf"(set\(\w+_PYTHON_{suffix}\n)[^)]*(  \)\n)",
        lambda found: found[1] + lines + found[2],
        cmake,
    )


def main() -> None:
    """Update both files."""
    for package in (ROOT / "GenSegLib", ROOT / "GenSegSlicer"):
        file = package / "CMakeLists.txt"
        text = replace_list(file.read_text(encoding="utf-8"), "SCRIPTS", scripts_of(package))
        text = replace_list(text, "RESOURCES", resources_of(package))
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
