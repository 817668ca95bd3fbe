"""The *Live* section: shows segmentations over a volume that keeps changing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Bindings import ChoiceBinding
from GenSegSlicerLib.InlineMessage import ErrorDetails, InlineMessage
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.LiveSegmentation import LiveSegmentation
from GenSegSlicerLib.ModelSelector import modelChoices, modelTitle
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.Section import Section


class LiveSection(Section[Job]):
    """Starts and stops a live segmentation, and shows its frame rate and latency."""

    def __init__(self, ui: Any, logic: Any) -> None:
        super().__init__(ui, logic)
        self.live: LiveSegmentation | None = None
        self.message = InlineMessage(ui.liveMessage)
        self._details = ErrorDetails(ui.liveDetailsSection, ui.liveDetailsText)
        self._models = ChoiceBinding(
            ui.liveModelSelector, "modelFolder", lambda path: modelTitle(Path(path))
        )
        self._bindings = [self._models]
        ui.liveStartButton.connect("clicked(bool)", lambda checked: self.start())
        ui.liveStopButton.connect("clicked(bool)", lambda checked: self.stop())

    def enter(self) -> None:
        """Update the list of models each time the panel is shown."""
        self._models.setChoices(modelChoices(self.logic.models()))

    def setParameters(self, parameters: GenSegSlicerParameterNode | None) -> None:
        """Set the parameter node; without one, nothing is followed."""
        if parameters is None:
            self.stop()
        super().setParameters(parameters)

    def cleanup(self) -> None:
        """End the process."""
        self.stop()
        super().cleanup()

    def onSceneClosed(self) -> None:
        """Stop before the volume is removed."""
        self.stop()
        self.message.clear()

    def refresh(self) -> None:
        """Enable the buttons, or explain in tooltips why they are disabled."""
        problem, isActive = self._problem(), self._isActive()
        self.ui.liveStartButton.enabled = not problem and not isActive
        self.ui.liveStartButton.toolTip = problem or _("Segment the volume whenever it changes.")
        self.ui.liveStopButton.enabled = isActive
        for widget in (self.ui.liveVolumeSelector, self.ui.liveModelSelector):
            widget.enabled = not isActive
        if self.live is not None:
            self.live.view.setOutlines(self.parameters.liveOutlines)

    def start(self) -> None:
        """Follow the selected volume with the selected model."""
        p = self.parameters
        self._details.clear()
        try:
            self.live = self.logic.live(p.liveVolume, p.modelFolder, p.device)
        except GenSegError as error:
            self.message.error(str(error))
            return
        self.live.view.setOutlines(p.liveOutlines)
        self.live.observers.add(self._onChanged)
        self._onChanged(self.live)

    def stop(self) -> None:
        """End the live segmentation."""
        if self.live is not None:
            self.live.stop()

    def _problem(self) -> str:
        if self.missing:
            return _("Install the missing packages first (see above).")
        if not self.parameters.modelFolder:
            return _("Select a model")
        if self.parameters.liveVolume is None:
            return _("Select a volume")
        return ""

    def _isActive(self) -> bool:
        return self.live is not None and self.live.isActive

    def _onChanged(self, live: LiveSegmentation) -> None:
        self.ui.liveRateLabel.text = _rateText(live)
        if live.state == "failed":
            self.message.error(live.message)
            self._details.show(live.details)
        elif live.message and live.state != "stopped":
            self.message.warning(live.message)
        else:
            self.message.info(_stateText(live))
        if not live.isActive:
            self.live = None
        if self.parameters is not None and self.ui.liveStopButton.enabled != live.isActive:
            self.refresh()


def _rateText(live: LiveSegmentation) -> str:
    if not live.isActive or not live.framesPerSecond:
        return ""
    text = _("{rate:.0f} frames/s, latency {latency:.0f} ms")
    return text.format(rate=live.framesPerSecond, latency=1000 * live.latencyS)


def _stateText(live: LiveSegmentation) -> str:
    return {
        "starting": _("Loading the model..."),
        "still": _("Waiting: the volume has not changed for two seconds."),
        "stopped": live.message,
    }.get(live.state, "")
