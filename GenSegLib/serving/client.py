"""Clients of `genseg serve`.

`FrameClient` writes frames and reads results over any connection, so that an application can use
its own processes and event loop; `ServeProcess` starts the server with `subprocess` and waits.

Light: the standard library and numpy only.
"""

from __future__ import annotations

import subprocess  # nosec B404 - starts this package's own command
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import numpy as np

from ..errors import GenSegError
from ..events import parse_line
from ..images.volume import Volume
from .protocol import FrameMessage, load_line, result_offset
from .shared_memory import SharedMemory

_LABEL_BYTES = np.dtype(np.int16).itemsize


@dataclass(frozen=True)
class FrameResult:
    """What the server returned for a frame.

    Attributes:
        frame: number that `FrameClient.send` returned.
        label: (x, y, z) label values, None if the frame was refused.
        error: why it was refused, in one line.
        seconds: time that the server needed.
        warnings: reasons to review the result.
    """

    frame: int
    label: np.ndarray | None = None
    error: str = ""
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass
class FrameClient:
    """Sends one frame at a time and reads its result; never waits.

    While a frame is being segmented (`is_busy`) the caller keeps at most its newest frame and sends
    that when the result has arrived: frames never queue.

    Attributes:
        write: writes bytes to the server's standard input.
        is_ready: whether a model is loaded.
        model: the last event "ready".
    """

    write: Callable[[bytes], object]
    is_ready: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)
    _frame: int = 0
    _waiting: FrameMessage | None = None
    _memory: SharedMemory | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a frame is being segmented."""
        return self._waiting is not None

    def send(self, image: Volume) -> int:
        """Send an image (channel, x, y, z) and return its number.

        Fast if the transposed array is contiguous, as that of a VTK image is.

        Raises:
            GenSegError: another frame is being segmented, or there is not enough memory for it.
        """
        if self.is_busy:
            raise GenSegError("a frame is being segmented; wait for its result")
        voxels = image.array.transpose(3, 2, 1, 0)
        memory = self._reserve(voxels)
        np.copyto(memory.array(voxels.shape, voxels.dtype), voxels)
        self._frame += 1
        self._waiting = FrameMessage(
            self._frame,
            str(memory.path),
            voxels.shape,
            voxels.dtype.name,
            image.affine.tolist(),
            image.unit,
            image.is_stack,
        )
        self.write(self._waiting.to_line())
        return self._frame

    def load(self, model: Path) -> None:
        """Make the server use another model; `is_ready` is False until it is loaded."""
        self.is_ready = False
        self.write(load_line(model))

    def handle(self, event: Mapping[str, Any]) -> FrameResult | None:
        """Process an event of the server; returns the result of the current frame if it is one."""
        if event["kind"] == "ready":
            self.is_ready, self.model = True, event
        waiting = self._waiting
        if waiting is None or event.get("frame") != waiting.frame:
            return None
        if event["kind"] == "refused":
            self._waiting = None
            return FrameResult(waiting.frame, error=event["text"])
        if event["kind"] != "result" or self._memory is None:
            return None
        self._waiting = None
        self.remove_memory()  # both have mapped it: nothing is left if both are killed
        label = self._memory.array(event["shape"], event["dtype"], event["offset"])
        warnings = tuple(event.get("warnings", ()))
        return FrameResult(waiting.frame, label.copy().T, "", event["seconds"], warnings)

    def remove_memory(self) -> None:
        """Remove the file of the shared memory, as soon as the server needs it no more."""
        if self._memory is not None:
            self._memory.remove()

    def close(self) -> None:
        """Release the shared memory; called when the connection has ended."""
        if self._memory is not None:
            self._memory.close()
        self._memory = self._waiting = None
        self.is_ready = False

    def _reserve(self, voxels: np.ndarray) -> SharedMemory:
        """Return memory for a frame and its label; grows with the largest frame."""
        count = int(np.prod(voxels.shape[:3]))
        needed = result_offset(voxels.shape, voxels.dtype.name) + count * _LABEL_BYTES
        if self._memory is None or self._memory.size < needed:
            if self._memory is not None:
                self._memory.close()
            self._memory = SharedMemory.create(needed)
        return self._memory


class ServeProcess:
    """Starts `genseg serve` and waits for its answers, for scripts and notebooks.

        with ServeProcess(Path("runs/first/model")) as server:
            label = server.segment(image)

    Args:
        model: run folder or model folder.
        arguments: further arguments of the command.
        timeout: longest time to wait for an answer in seconds.

    Raises:
        GenSegError: the model cannot be loaded.
    """

    def __init__(self, model: Path, arguments: Sequence[str] = (), timeout: float = 120.0) -> None:
        command = [sys.executable, "-X", "utf8", "-u", "-m", "GenSegLib", "serve", str(model)]
        self.process = subprocess.Popen(  # nosec B603 - a fixed command without a shell
            [*command, *arguments, "--events", "jsonl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        self._timeout = timeout
        self._lines: Queue[bytes] = Queue()
        Thread(target=self._read, daemon=True).start()
        self.client = FrameClient(self._write)
        while not self.client.is_ready:
            self._next()

    def segment(self, image: Volume) -> np.ndarray:
        """Return the label values (x, y, z) of an image (channel, x, y, z).

        Raises:
            GenSegError: the image cannot be segmented, or the server has ended.
        """
        self.client.send(image)
        while (result := self._next()) is None:
            pass
        if result.label is None:
            raise GenSegError(result.error)
        return result.label

    def close(self) -> None:
        """End the server."""
        if self.process.stdin is not None:
            with suppress(OSError):  # the process has ended and left something unread
                self.process.stdin.close()
        try:
            self.process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.client.close()

    def __enter__(self) -> ServeProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise GenSegError("genseg serve has ended; start it again") from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _next(self) -> FrameResult | None:
        """Wait for the next line."""
        try:
            line = self._lines.get(timeout=self._timeout)
        except Empty:
            raise GenSegError("genseg serve does not answer; start it again") from None
        event = parse_line(line)
        if event is not None and event["kind"] == "error":
            raise GenSegError(event["text"])
        if not line:
            raise GenSegError("genseg serve has ended; start it again")
        return None if event is None else self.client.handle(event)
