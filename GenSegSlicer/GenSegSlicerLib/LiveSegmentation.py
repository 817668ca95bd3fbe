"""Segmentation of a volume node that keeps changing, such as a video or tracked ultrasound."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.serving.client import FrameResult
from GenSegSlicerLib.Arguments import requireVolume
from GenSegSlicerLib.Channels import channelNodes
from GenSegSlicerLib.Frames import frameOf, frameState
from GenSegSlicerLib.Job import Observers
from GenSegSlicerLib.LiveView import LiveView
from GenSegSlicerLib.ServeProcess import ServeProcess

_MAX_RESTARTS = 1
_SHOWN_FRAMES = 30  # over which rate and latency are averaged
_STILL_S = 2.0  # without a new frame, after which the stream is said to have ended
_HANGING_S = 20.0  # without an answer, after which the process is killed
_CHECK_MS = 500


class LiveSegmentation:
    """Segments the newest image of a volume node again and again, and shows the result over it.

    One image is segmented at a time. Those that arrive meanwhile are not stored: when the result is
    there, the node's image of that moment is next. No method waits for the process.

    Args:
        modelFolder: model folder.
        volumeNode: scalar or vector volume; its further channels are followed as well.
        device: "auto" or the name of a device.

    Attributes:
        observers: called with this object after each change of the attributes below.
        state: "starting", "running", "still" (no new image for two seconds), "stopped" or "failed".
        message: why an image was not segmented, or how the process ended; "" if all is well.
        framesPerSecond: rate of the results.
        latencyS: mean time from the change of an image to the display of its result.
        view: the label map that follows the volume.

    Raises:
        GenSegError: the folder contains no model, or the node is no volume.
    """

    def __init__(self, modelFolder: Path, volumeNode: Any, device: str = "auto") -> None:
        self._metadata = ModelMetadata.load(modelFolder)
        self.volumeNode = requireVolume(volumeNode)
        self.observers = Observers()
        self.state, self.message = "starting", ""
        self.framesPerSecond, self.latencyS = 0.0, 0.0
        self.view = LiveView(volumeNode, self._metadata)
        self._model, self._device = Path(modelFolder).absolute(), device
        self._restarts = 0
        self._changedAt: float | None = time.perf_counter()  # of an image that was not sent yet
        self._sentAt = 0.0
        self._sentState: object = None
        self._sent: tuple[float, Any] = (0.0, None)  # change and geometry of the image in work
        self._shown: deque[tuple[float, float]] = deque(maxlen=_SHOWN_FRAMES)
        self._observed: list[tuple[Any, int]] = []  # volumes and tags of observers
        self._soon, self._check = qt.QTimer(), qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self._send)
        self._check.setInterval(_CHECK_MS)
        self._check.connect("timeout()", self._checkProgress)
        self._server = ServeProcess()

    @property
    def isActive(self) -> bool:
        """Whether the volume is being followed."""
        return self.state in ("starting", "running", "still")

    @property
    def lastShown(self) -> tuple[float, float] | None:
        """When the last result was shown (`time.perf_counter`), and its latency in seconds."""
        return self._shown[-1] if self._shown else None

    @property
    def details(self) -> str:
        """Last lines of the process's standard error."""
        return self._server.details

    def start(self) -> None:
        """Start the process and follow the volume; called once.

        Raises:
            GenSegError: there is no Python executable.
        """
        self._startServer()
        events = (vtk.vtkCommand.ModifiedEvent, self.volumeNode.ImageDataModifiedEvent)
        for node in channelNodes(self.volumeNode):
            tags = (node.AddObserver(each, self._onModified) for each in events)
            self._observed += [(node, tag) for tag in tags]
        self._check.start()
        slicer.app.connect("aboutToQuit()", self.stop)
        self._notify()

    def stop(self) -> None:
        """End the process and remove the result from the scene."""
        if self.isActive:
            self._end("stopped", "")

    def _startServer(self) -> None:
        self._server = ServeProcess()
        self._server.onReady = self._onReady
        self._server.onResult = self._onResult
        self._server.onEnded = self._onServerEnded
        self._server.start(self._model, self._device)

    def _onModified(self, caller: Any, event: Any) -> None:
        """Note the change; its image is sent when all events of this change have been handled."""
        self._changedAt = time.perf_counter()
        if self._server.isIdle:
            self._soon.start()

    def _onReady(self) -> None:
        self.message = ""
        self._send()
        self._setState("running")

    def _send(self) -> None:
        """Send the volume's image unless another one is in work or it is the same as before."""
        if self._changedAt is None or not self._server.isIdle or not self._isInScene():
            return
        changedAt, self._changedAt = self._changedAt, None
        state = frameState(self.volumeNode)
        if state == self._sentState:
            return
        try:
            frame = frameOf(self.volumeNode)
            self._server.send(frame.image)
        except GenSegError as error:
            self.message = str(error)
            self._notify()
            return
        self._sentState, self._sentAt = state, time.perf_counter()
        self._sent = changedAt, frame.ijkToRAS

    def _onResult(self, result: FrameResult) -> None:
        changedAt, ijkToRAS = self._sent
        self._send()  # the process works while this result is drawn
        if not self._isInScene():
            return
        self.message = result.error
        if result.label is not None:
            self.view.show(result.label, ijkToRAS)
            self._shown.append((time.perf_counter(), time.perf_counter() - changedAt))
        self._measure()
        self._setState("running")

    def _measure(self) -> None:
        if len(self._shown) < 2:
            return
        times, latencies = zip(*self._shown)
        self.framesPerSecond = (len(times) - 1) / max(times[-1] - times[0], 1e-6)
        self.latencyS = sum(latencies) / len(latencies)

    def _checkProgress(self) -> None:
        """Notice the end of the stream, a closed scene, and a process that does not answer."""
        now = time.perf_counter()
        if not self._isInScene():
            self._end("stopped", _("The volume was removed from the scene"))
        elif self._server.isBusy and now - self._sentAt > _HANGING_S:
            self._server.kill()
        elif self.state == "running" and not self._server.isBusy and self._isStill(now):
            self._shown.clear()
            self.framesPerSecond = 0.0
            self._setState("still")

    def _isStill(self, now: float) -> bool:
        return now - self._sentAt > _STILL_S

    def _onServerEnded(self, message: str) -> None:
        if not self.isActive:
            return
        self._sentState, self._changedAt = None, time.perf_counter()
        if self.state == "starting" or self._restarts == _MAX_RESTARTS:
            text = _("{reason}; press Start to try again") if self._restarts else "{reason}"
            self._end("failed", text.format(reason=message or _("the process has ended")))
            return
        self._restarts += 1
        self._shown.clear()
        self.message = _("Restarting: {reason}").format(reason=message)
        self._setState("starting")
        self._startServer()

    def _isInScene(self) -> bool:
        return bool(slicer.mrmlScene.IsNodePresent(self.volumeNode))

    def _end(self, state: str, message: str) -> None:
        self._soon.stop()
        self._check.stop()
        slicer.app.disconnect("aboutToQuit()", self.stop)
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._server.stop()
        self.view.remove()
        self.message = message
        self._setState(state)

    def _setState(self, state: str) -> None:
        self.state = state
        self._notify()

    def _notify(self) -> None:
        self.observers.notify(self)
