"""Drafts of the annotation loop, predicted by a process that keeps the model loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import Volume
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.serving.client import FrameResult
from GenSegSlicerLib.ServeProcess import ServeProcess


@dataclass(frozen=True)
class DraftRequest:
    """A case to predict.

    Attributes:
        case: its name.
        model: model folder.
        metadata: of the model.
        device: "auto" or the name of a device.
        read: returns the image and its fingerprint, called when it is the turn of the case.
        image: file of the folder that it is loaded from; None for volumes of the scene.
    """

    case: str
    model: Path
    metadata: ModelMetadata
    device: str
    read: Callable[[], tuple[Volume, str]]
    image: Path | None = None


@dataclass(frozen=True)
class Draft:
    """A predicted case: label values (k, j, i), IJK-to-RAS matrix and fingerprint of the image."""

    request: DraftRequest
    label: np.ndarray
    ijkToRAS: np.ndarray
    content: str


class DraftPredictor:
    """Predicts one case at a time; the process starts at the first one and stays.

    Attributes:
        onDraft: called with each draft.
        onFailed: called with the name of a case that cannot be predicted and the reason in a line.
        onEnded: called with the reason in one line if the process ended; no request is left.
    """

    def __init__(self) -> None:
        self.onDraft: Callable[[Draft], None] = lambda draft: None
        self.onFailed: Callable[[str, str], None] = lambda case, message: None
        self.onEnded: Callable[[str], None] = lambda message: None
        self._server: ServeProcess | None = None
        self._device = ""  # of the process
        self._model: Path | None = None  # that the process has loaded, or is loading
        self._waiting: list[DraftRequest] = []
        self._current: tuple[DraftRequest, np.ndarray, str] | None = None

    def request(self, request: DraftRequest, urgent: bool) -> None:
        """Predict a case: next if it is urgent, otherwise when nothing else is to do."""
        current = self._current[0] if self._current is not None else None
        if current is not None and (current.case, current.model) == (request.case, request.model):
            return
        self._waiting = [each for each in self._waiting if each.case != request.case and urgent]
        self._waiting.insert(0, request)
        self._sendNext()

    @property
    def isBusy(self) -> bool:
        """Whether a case is being predicted."""
        return self._current is not None

    def cancel(self) -> None:
        """Predict nothing that has not begun; what is being predicted is still reported."""
        self._waiting = []

    def stop(self) -> None:
        """End the process; nothing is called afterwards."""
        self._waiting, self._current, self._model = [], None, None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _sendNext(self) -> None:
        """Send the next request once the process has its model and is idle."""
        if not self._waiting or self._current is not None:
            return
        if self._prepare(self._waiting[0]):
            request = self._waiting.pop(0)
            try:
                image, content = request.read()
                self._current = request, image.affine, content
                self._server.send(image)
            except GenSegError as error:
                self._fail(request, str(error))

    def _prepare(self, request: DraftRequest) -> bool:
        """Start the process or load the model; returns whether it is ready."""
        if self._server is not None and self._device != request.device:
            self._server.stop()
            self._server = None
        if self._server is None:
            self._start(request)
        elif self._model != request.model:
            self._model = request.model
            self._server.load(request.model)
        return self._server is not None and self._server.isIdle

    def _start(self, request: DraftRequest) -> None:
        server = ServeProcess()
        server.onReady = self._sendNext
        server.onResult = self._onResult
        server.onEnded = self._onEnded
        self._server, self._model, self._device = server, request.model, request.device
        try:
            server.start(request.model, request.device)
        except GenSegError as error:
            self._onEnded(str(error))

    def _onResult(self, result: FrameResult) -> None:
        (request, affine, content), self._current = self._current, None
        if result.label is None:
            self.onFailed(request.case, result.error)
        else:
            label = np.array(result.label.T, order="C")  # of shared memory
            self.onDraft(Draft(request, label, affine, content))
        self._sendNext()

    def _fail(self, request: DraftRequest, message: str) -> None:
        self._current = None
        self.onFailed(request.case, message)
        self._sendNext()

    def _onEnded(self, message: str) -> None:
        """Discard pending requests; the next one starts the process again."""
        self._server, self._model, self._current, self._waiting = None, None, None, []
        text = _("the process that predicts drafts ended unexpectedly; press Next case again")
        self.onEnded(message or text)
