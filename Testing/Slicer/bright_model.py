"""A model with known predictions, and volumes for it."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from GenSegSlicerLib.Library import libraryFolder, pythonExecutable
from mrml_nodes import SHAPE, add_volume

LIBRARY_TESTS = Path(__file__).resolve().parents[1] / "Library"

# A model that labels voxels that are clearly brighter than the mean of the image
MAKE_MODEL = """
import sys
from pathlib import Path
from tiny_models import PRESET, replace, save_bright_model
bright = {"labels": {1: "Bright"}, "colors": {1: (250, 120, 40)}, "terminology": {}}
axes = tuple(map(int, sys.argv[2:]))
preset = replace(PRESET, spacing=None, mirror_axes=axes, **bright)
save_bright_model(Path(sys.argv[1]), preset)
"""


def make_bright_model(folder: Path, mirror_axes: tuple[int, ...] = ()) -> Path:
    """Save the model to a new folder."""
    return shutil.copytree(_cached_model(mirror_axes), folder)


@cache
def _cached_model(mirror_axes: tuple[int, ...]) -> Path:
    """Create the model, in another process because it needs PyTorch; once per test session."""
    temporary = tempfile.mkdtemp(prefix="genseg-bright-model-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    start = f"import sys; sys.path[:0] = {[str(libraryFolder()), str(LIBRARY_TESTS)]!r}"
    model = Path(temporary, "model")
    arguments = [str(model), *map(str, mirror_axes)]
    command = [pythonExecutable(), "-c", f"{start}\n{MAKE_MODEL}", *arguments]
    subprocess.run(command, check=True)
    return model


def bright_block(name: str, grid: np.ndarray) -> tuple[Any, np.ndarray]:
    """Add a volume with a bright block. Returns the node and the block's mask."""
    bright = np.zeros(SHAPE[::-1], bool)
    bright[2:6, 3:8, 4:9] = True
    return add_volume(np.where(bright, 900, 10).astype(np.int16), grid, name), bright
