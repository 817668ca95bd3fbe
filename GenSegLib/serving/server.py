"""The server: a model in memory, and frames segmented as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

import numpy as np

from .. import __version__
from ..computing.cpu_settings import fast_steps
from ..computing.devices import choose_device
from ..errors import GenSegError, as_user_error
from ..events import EventLog
from ..images.volume import Volume
from ..models.folder import ModelMetadata
from ..prediction.predictor import Prediction, Predictor
from .fast_network import fastest_network
from .protocol import PROTOCOL, FrameMessage, parse_request
from .shared_memory import SharedMemory

Message = Mapping[str, Any]


def serve(
    model: Path,
    requests: BinaryIO,
    events: EventLog,
    *,
    device: str = "auto",
    find_model: Callable[[Path], Path] = Path,
) -> None:
    """Answer requests until their stream ends; see `serving.protocol`.

    Args:
        model: model folder.
        requests: stream of the client's lines.
        events: receives the answers.
        device: see `Predictor`.
        find_model: returns the model folder of a path in a request.

    Raises:
        GenSegError: the model cannot be loaded, or a request to load another one fails.
    """
    server = _Server(model, events, device)
    with fast_steps(choose_device(device)):
        for message in _newest(requests, events):
            if message.get("kind") == "load":
                server.load(find_model(Path(str(message.get("model", "")))))
            else:
                server.answer(message)


class _Server:
    def __init__(self, model: Path, events: EventLog, device: str) -> None:
        self._events, self._device = events, device
        self._memory: SharedMemory | None = None
        self.load(model)

    def load(self, model: Path) -> None:
        """Load a model and report it."""
        self._predictor = Predictor(model, self._device, whole_slices=True, runtime=fastest_network)
        metadata: ModelMetadata = self._predictor.metadata
        self._events.ready(
            protocol=PROTOCOL,
            version=__version__,
            model=metadata.name,
            labels={str(value): name for value, name in metadata.labels.items()},
            channels=metadata.preset.channels,
            spatial_dims=metadata.preset.spatial_dims,
            device=str(choose_device(self._device)),
        )

    def answer(self, message: Message) -> None:
        """Segment a frame, or report in one line why not."""
        start = time.perf_counter()
        try:
            request = FrameMessage.parse(message)
            prediction = self._predict(request)
            label = self._write(request, prediction)
        except Exception as error:
            known = as_user_error(error)
            if known is None:
                raise
            self._events.refused(_number(message), " ".join(str(known).split()))
            return
        self._events.result(
            request.frame,
            offset=request.result_offset,
            shape=label.shape,
            dtype=label.dtype.name,
            seconds=round(time.perf_counter() - start, 4),
            warnings=list(prediction.warnings),
        )

    def _predict(self, request: FrameMessage) -> Prediction:
        voxels = self._open(request).array(request.shape, request.dtype)
        affine = np.array(request.affine)
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) == 0:
            raise GenSegError("the frame has no valid voxel spacing; correct its geometry")
        image = Volume(
            voxels.transpose(3, 2, 1, 0), affine, unit=request.unit, is_stack=request.is_stack
        )
        return self._predictor.predict(image)

    def _write(self, request: FrameMessage, prediction: Prediction) -> np.ndarray:
        label = prediction.label.array[0].T
        fits = label.max(initial=0) <= np.iinfo(np.uint8).max
        dtype = np.dtype(np.uint8 if fits else np.int16)
        written = self._open(request).array(label.shape, dtype, request.result_offset)
        np.copyto(written, label, casting="unsafe")
        return written

    def _open(self, request: FrameMessage) -> SharedMemory:
        """Map the client's file, unless it is that of the last frame."""
        if self._memory is None or str(self._memory.path) != request.memory:
            if self._memory is not None:
                self._memory.close()
            self._memory = SharedMemory(Path(request.memory))
        return self._memory


def _newest(requests: BinaryIO, events: EventLog) -> Iterator[Message]:
    """Yield messages as they arrive; of frames that have piled up, the newest one only."""
    lines: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        for line in requests:
            lines.put(line)
        lines.put(b"")

    Thread(target=read, daemon=True).start()
    waiting: Message | None = None
    while True:
        line = _take(lines, wait=waiting is None)
        message = parse_request(line) if line else {}
        if waiting is not None and message.get("kind") == "segment":
            events.refused(_number(waiting), "a newer frame has arrived")
            waiting = message
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        if line == b"":
            return
        if message.get("kind") == "segment":
            waiting = message
        elif message.get("kind") == "load":
            yield message


def _take(lines: SimpleQueue[bytes], wait: bool) -> bytes | None:
    """Return the next line, b"" at the end; None if there is none yet."""
    try:
        return lines.get(block=wait)
    except Empty:
        return None


def _number(message: Message) -> int:
    number = message.get("frame")
    return number if isinstance(number, int) else 0
