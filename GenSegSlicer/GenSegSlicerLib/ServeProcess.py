"""A model that stays loaded in a process of its own: `genseg serve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from GenSegLib.images.volume import Volume
from GenSegLib.serving.client import FrameClient, FrameResult
from GenSegSlicerLib.LibraryProcess import LibraryProcess


class ServeProcess:
    """Sends images to a resident process and receives their segmentations; never waits.

    Attributes:
        onReady: called once the model is loaded.
        onResult: called with the result of the image that was sent last.
        onEnded: called with the reason in one line if the process ends by itself.
    """

    def __init__(self) -> None:
        self.onReady: Callable[[], None] = lambda: None
        self.onResult: Callable[[FrameResult], None] = lambda result: None
        self.onEnded: Callable[[str], None] = lambda message: None
        self._process = LibraryProcess()
        self._client = FrameClient(self._process.write)

    @property
    def isIdle(self) -> bool:
        """Whether the model is loaded and no image is being segmented."""
        return self._client.is_ready and not self._client.is_busy

    @property
    def isBusy(self) -> bool:
        """Whether an image is being segmented."""
        return self._client.is_busy

    @property
    def model(self) -> dict[str, Any]:
        """The event of the loaded model, see `GenSegLib.serving.protocol`."""
        return dict(self._client.model)

    @property
    def details(self) -> str:
        """Last lines of the process's standard error."""
        return self._process.details

    def start(self, model: Path, device: str = "auto") -> None:
        """Start the process; called once.

        Raises:
            GenSegError: there is no Python executable.
        """
        self._process.onEvent = self._handle
        self._process.onFinished = self._onFinished
        self._process.start(["serve", model, "--device", device, "--events", "jsonl"])

    def send(self, image: Volume) -> None:
        """Segment an image; the process must be idle.

        Raises:
            GenSegError: there is not enough memory for the image.
        """
        self._client.send(image)

    def load(self, model: Path) -> None:
        """Use another model from now on, without a restart."""
        self._client.load(model)

    def stop(self) -> None:
        """End the process, whatever it is doing; nothing is called afterwards."""
        self.onReady = lambda: None
        self.onEnded = lambda message: None
        self.onResult = lambda result: None
        self._process.closeInput()
        self._client.remove_memory()  # nothing is called when the application quits
        self.kill()

    def kill(self) -> None:
        """Kill the process; `onEnded` is called afterwards unless it was stopped."""
        self._process.kill()

    def _handle(self, event: dict[str, Any]) -> None:
        result = self._client.handle(event)
        if event["kind"] == "ready":
            self.onReady()
        elif result is not None:
            self.onResult(result)

    def _onFinished(self, code: int, message: str) -> None:
        self._client.close()
        self.onEnded(message)
