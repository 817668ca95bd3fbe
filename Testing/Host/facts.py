"""What a running Slicer 5.13 has, as it was recorded, and what the host leaves out of that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Facts:
    """What was recorded of one class."""

    properties: dict[str, Any]
    signals: frozenset[str]
    slots: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """Every name that a widget of the class has for its properties, signals and slots."""
        called = {each.partition("(")[0] for each in self.signals | self.slots}
        return frozenset(called | set(self.properties))


@cache
def recorded() -> dict[str, Facts]:
    """The recording, by the class's full name: `qt.QLabel`, `slicer.qMRMLWidget`."""
    return {name: _facts(each) for name, each in _recording()["classes"].items()}


def recorded_behavior() -> dict[str, Any]:
    """Expressions and situations, and what they gave in the running application."""
    return _recording()["python"]


@cache
def _recording() -> dict[str, Any]:
    path = Path(__file__).with_name("slicer-facts.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _facts(record: dict[str, Any]) -> Facts:
    private = "_q_"
    return Facts(
        {name: first for name, _kind, first in record["properties"]},
        frozenset(each for each in record["signals"] if not each.startswith(private)),
        frozenset(each for each in record["slots"] if not each.startswith(private)),
    )


@cache
def facts_of(kind: type) -> Facts | None:
    """The recording of a class, or None where it was not recorded."""
    fitting = (f"{module}.{kind.__name__}" for module in ("qt", "ctk", "slicer"))
    return next((recorded()[each] for each in fitting if each in recorded()), None)


#: Recorded classes that the host does not have.
ABSENT = frozenset(
    {
        "ctk.ctkColorPickerButton",
        "ctk.ctkRangeWidget",
        "slicer.qMRMLSegmentSelectorWidget",
        "slicer.qMRMLSubjectHierarchyComboBox",
        "slicer.qMRMLVolumeThresholdWidget",
    }
)

#: Qt 5 has these, Qt 6 has not: nobody who wants to run on both can use them.
QT5_ONLY = frozenset(
    {
        "activated(QString)",
        "autoCompletion",
        "autoCompletionCaseSensitivity",
        "buttonClicked(int)",
        "buttonPressed(int)",
        "buttonReleased(int)",
        "buttonToggled(int,bool)",
        "currentIndexChanged(QString)",
        "error(QProcess::ProcessError)",
        "highlighted(QString)",
        "tabStopWidth",
        "valueChanged(QString)",
    }
)

_NODE_LIST_INTERNALS = frozenset(
    {
        "activateExtraItem",
        "emitNodeActivated",
        "emitNodesAboutToBeRemoved",
        "emitNodesAdded",
        "refreshIfCurrentNodeHidden",
    }
)
_SLIDER_INTERNALS = frozenset(
    {
        "onValueProxyAboutToBeModified",
        "onValueProxyModified",
        "startChanging",
        "stopChanging",
        "updateWidgetFromUnitNode",
    }
)

#: What else the host leaves out: names of properties, signatures of signals, names of slots.
LEFT_OUT: dict[str, frozenset[str]] = {
    "ctk.ctkExpandableWidget": frozenset({"updateSizeHint"}),
    "ctk.ctkMessageBox": frozenset({"dontShowAgainButtonRoles", "onFinished", "showExtension"}),
    "ctk.ctkSearchBox": frozenset({"updateClearButtonState"}),
    "ctk.ctkSliderWidget": _SLIDER_INTERNALS,
    "slicer.qMRMLSliderWidget": _SLIDER_INTERNALS,
    "slicer.qMRMLSpinBox": frozenset({"updateWidgetFromUnitNode"}),
    "slicer.qMRMLNodeComboBox": _NODE_LIST_INTERNALS,
    "slicer.qMRMLCheckableNodeComboBox": _NODE_LIST_INTERNALS,
    "slicer.qMRMLTableView": frozenset({"pasteSelection", "plotSelection"}),
    "slicer.qMRMLPlotView": frozenset(
        {
            "RemovePlotSelections",
            "aboutToCompose()",
            "aboutToResize()",
            "boundAxesToChartBounds",
            "boundsChanged()",
            "cleanupContext",
            "dataSelected(vtkStringArray*,vtkCollection*)",
            "extentChanged()",
            "frameSwapped()",
            "plotAdded(vtkPlot*)",
            "plotRemoved(vtkPlot*)",
            "removeAllPlots",
            "resized()",
            "saveAsSVG",
            "setAxesToChartBounds",
            "updateMRMLChartAxisRangeFromWidget",
            "updateSize",
        }
    ),
    "slicer.qMRMLSegmentsTableView": frozenset(
        {
            "endProcessing",
            "jumpSlices",
            "jumpToSelectedSegmentEnabled",
            "modelAboutToBeReset",
            "modelReset",
            "moveSelectedSegmentsDown",
            "moveSelectedSegmentsUp",
            "onSegmentAddedOrRemoved",
            "onSegmentSelectionChanged",
            "onSegmentsFilterModified",
            "onSegmentsTableDoubleClicked",
            "onShowStatusButtonClicked",
            "onUseTerminologyActionToggled",
            "onVisibility2DFillActionToggled",
            "onVisibility2DOutlineActionToggled",
            "onVisibility3DActionToggled",
            "setJumpToSelectedSegmentEnabled",
            "setSelectedSegmentsStatus",
            "setStatusShown",
            "setTerminologySelectorAutoDisable",
            "setTerminologySelectorOptionVisible",
            "setUseTerminologySelector",
            "setUseTerminologySelectorSettingsKey",
            "showOnlySelectedSegments",
            "terminologySelectorAutoDisable",
            "terminologySelectorOptionVisible",
            "toggleSelectedSegmentsVisibility",
            "updateMRMLFromFilterParameters",
            "updateWidgetFromMRML",
            "useTerminologySelector",
            "useTerminologySelectorSettingsKey",
        }
    ),
}
