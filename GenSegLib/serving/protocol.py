"""Protocol between `genseg serve` and its client; version 1.

Both write JSON lines, the client to the server's standard input, the server to its standard output
as events (`GenSegLib.events`). Voxels are in a file that both map into memory (`shared_memory`).

Client to server:

- `{"kind": "segment", "frame": 7, "memory": PATH, "shape": [z, y, x, channels], "dtype": "uint8",
  "affine": 4x4 RAS, "unit": "px", "is_stack": false}`: segment the image at the start of the file.
  `unit` ("mm" or "px") and `is_stack`, which may be missing, are those of `images.volume.Volume`.
- `{"kind": "load", "model": FOLDER}`: use another model from now on.
- The end of standard input ends the server, also if the client was killed.

Server to client:

- `{"kind": "ready", "protocol": 1, "version": ..., "model": ..., "labels": {"1": "Lesion"},
  "channels": 3, "spatial_dims": 2, "device": "cpu"}`: once a model is loaded.
- `{"kind": "result", "frame": 7, "offset": BYTES, "shape": [z, y, x], "dtype": "uint8",
  "seconds": 0.03, "warnings": [...]}`: the label values are in the same file from `offset` on.
- `{"kind": "refused", "frame": 7, "text": ...}`: in one line why a frame was not segmented.
- `{"kind": "error", "text": ...}`: why the server ends; `log` events may come at any time.

Client and server take turns with the file: the client writes a frame and reads its result while the
server waits. A client that sends further frames meanwhile, in other files, gets the newest one
segmented and the others refused.

Light: the standard library and numpy only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GenSegError
from .shared_memory import ALIGNMENT

PROTOCOL = 1
_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@dataclass(frozen=True)
class FrameMessage:
    """The client's request to segment an image; see the module for its fields."""

    frame: int
    memory: str
    shape: tuple[int, int, int, int]
    dtype: str
    affine: list[list[float]]
    unit: str = "px"
    is_stack: bool = False

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> FrameMessage:
        """Read a message of the kind "segment".

        Raises:
            GenSegError: an entry is missing or invalid.
        """
        try:
            shape = tuple(int(size) for size in message["shape"])
            affine = np.array(message["affine"], float)
            parsed = cls(
                int(message["frame"]),
                str(message["memory"]),
                shape,  # type: ignore[arg-type]  # the length is checked below
                str(message["dtype"]),
                affine.tolist(),
                str(message.get("unit", "px")),
                bool(message.get("is_stack", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GenSegError(f"invalid message to genseg serve: {error!r}") from None
        is_valid = len(shape) == 4 and min(shape) > 0 and affine.shape == (4, 4)
        if not is_valid or parsed.dtype not in _TYPES or parsed.unit not in ("mm", "px"):
            raise GenSegError(
                f"invalid message to genseg serve: shape {shape}, type {parsed.dtype}, unit "
                f"{parsed.unit}"
            )
        return parsed

    @property
    def result_offset(self) -> int:
        """Where the label values begin in the file: behind the frame, aligned."""
        return result_offset(self.shape, self.dtype)

    def to_line(self) -> bytes:
        """Return the message as a line for the server's standard input."""
        return to_line({"kind": "segment", **asdict(self)})


def result_offset(shape: tuple[int, ...], dtype: str) -> int:
    """Return the first aligned byte behind an array."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return -(-size // ALIGNMENT) * ALIGNMENT


def load_line(model: Path) -> bytes:
    """Return the line that makes the server use another model."""
    return to_line({"kind": "load", "model": str(model)})


def to_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as one line of JSON."""
    return json.dumps(message, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def parse_request(line: bytes) -> dict[str, Any]:
    """Return the client's message in a line; an empty one for any other text."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
