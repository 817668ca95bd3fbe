"""Who imports what: for the tests of the walls between the rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "monai", "SimpleITK", "scipy", "matplotlib", "tensorboard"}
HEAVY |= {"highdicom", "pydicom", "onnx", "onnxruntime"}
LIGHT = (
    *("errors", "files", "cases", "label_maps", "config", "presets", "recipes", "feedback", "cuts"),
    *("outputs", "runs", "run_lock", "processes", "events", "progress", "cli", "commands"),
    *(
        f"data.{name}"
        for name in ("archives", "array_file", "case_cache", "layouts", "volume_ranges")
    ),
    *(f"dicom.{name}" for name in ("lengths", "preamble", "terminology")),
    *(f"images.{name}" for name in ("intact_files", "intact_nrrd")),
    *(f"models.{name}" for name in ("folder", "manifest", "bundle_config")),
    *("computing.memory", "computing.torchrun", "prediction.image_fit"),
)

IMPORT_WITH_BLOCKED = """
import importlib, sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
importlib.import_module(sys.argv[1])
"""


def imports_of(file: Path) -> Iterator[str]:
    """The absolute names of what a file imports, at its top or anywhere in it."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, node.module) if node.module else base
            if node.module:
                yield ".".join(module)
            else:
                yield from (".".join((*module, alias.name)) for alias in node.names)


def importing_files(folder: str, forbidden: set[str]) -> list[str]:
    """Each file below a folder that imports a forbidden package, with what it imports."""
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name in imports_of(file)
        if name.split(".")[0] in forbidden
    ]
