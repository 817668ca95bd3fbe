"""Classes, signatures and behavior of Slicer 5.13, and the host's omissions.

They were recorded in a running Slicer (`slicer-facts.json`); those of widgets that the recording
lacks come from Slicer's headers (`source-facts.json`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Facts:
    """Properties (name -> initial value), signals and slots (signatures) of a class."""

    properties: dict[str, Any]
    signals: frozenset[str]
    slots: frozenset[str]


@cache
def recorded_classes() -> dict[str, Facts]:
    """Facts by full class name, such as `qt.QLabel` and `slicer.qMRMLWidget`."""
    records = {**_read("slicer-facts.json")["classes"], **_read("source-facts.json")["classes"]}
    return {name: _facts(record) for name, record in records.items()}


def recorded_behavior() -> dict[str, Any]:
    """Results of Python expressions in the running application, by description."""
    return _read("slicer-facts.json")["python"]


def observations() -> dict[str, dict[str, str]]:
    """What was seen in the running application, its source and its test, by situation."""
    return _read("slicer-facts.json")["observed"]


@cache
def _read(name: str) -> dict[str, Any]:
    return json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def _facts(record: dict[str, Any]) -> Facts:
    return Facts(
        {name: initial for name, _type, initial in record["properties"]},
        *(
            frozenset(each for each in record[kind] if not each.startswith("_q_"))
            for kind in ("signals", "slots")
        ),
    )


def facts_by_name(name: str | None) -> Facts | None:
    """Facts of a class named as in a `.ui` file, or None where it was not recorded."""
    found = (recorded_classes().get(f"{module}.{name}") for module in ("qt", "ctk", "slicer"))
    return next((each for each in found if each is not None), None)


@cache
def facts_of(kind: type) -> Facts | None:
    """Facts of a class, or None where it was not recorded."""
    return facts_by_name(kind.__name__)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Available in Qt 5 but not in Qt 6, so the module, which supports both, must not use them.
QT5_ONLY = _names(
    "activated(QString) autoCompletion autoCompletionCaseSensitivity buttonClicked(int) "
    "buttonPressed(int) buttonReleased(int) buttonToggled(int,bool) currentIndexChanged(QString) "
    "error(QProcess::ProcessError) highlighted(QString) tabStopWidth valueChanged(QString)"
)

_NODE_COMBO_BOX = _names(
    "activateExtraItem emitNodeActivated emitNodesAboutToBeRemoved emitNodesAdded "
    "refreshIfCurrentNodeHidden"
)

_SEGMENT_EDITOR = _names(  # effects, masking, terminology, and names that are deprecated
    "addRemoveSegmentButtonsVisible autoShowMasterVolumeNode defaultTerminologyEntry "
    "defaultTerminologyEntrySettingsKey effectButtonStyle effectColumnCount jumpSlices "
    "jumpToSelectedSegmentEnabled maskingSectionVisible "
    "masterVolumeNodeChanged(vtkMRMLVolumeNode*) masterVolumeNodeSelectorVisible "
    "rotateSliceViewsToSegmentation selectNextSegment selectPreviousSegment "
    "selectSegmentAtOffset setAddRemoveSegmentButtonsVisible "
    "setAutoShowMasterVolumeNode setEffectButtonStyle setEffectColumnCount setInteractionNode "
    "setJumpToSelectedSegmentEnabled setMaskingSectionVisible setMasterVolumeNode "
    "setMasterVolumeNodeID setMasterVolumeNodeSelectorVisible setShow3DButtonVisible "
    "setSpecifyGeometryButtonVisible show3DButtonVisible showMasterVolumeInSliceViewers "
    "specifyGeometryButtonVisible toggleMasterVolumeIntensityMaskEnabled "
    "toggleSourceVolumeIntensityMaskEnabled turnOffLightboxes undoEnabled setUndoEnabled "
    "unorderedEffectsVisible updateVolume"
)

#: Other omissions: property names, signal signatures and slot names by class.
OMITTED: dict[str, frozenset[str]] = {
    "ctk.ctkSliderWidget": _names(
        "onValueProxyAboutToBeModified onValueProxyModified startChanging stopChanging "
        "updateWidgetFromUnitNode"
    ),
    "slicer.qMRMLNodeComboBox": _NODE_COMBO_BOX,
    "slicer.qMRMLCheckableNodeComboBox": _NODE_COMBO_BOX,
    "slicer.qMRMLSegmentEditorWidget": _SEGMENT_EDITOR,
}
