"""The `.ui` file names only what a running Slicer has, and explains every control."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

UI_FILE = Path(__file__).resolve().parents[2] / "GenSegSlicer/Resources/UI/GenSegSlicer.ui"
FACTS = Path(__file__).resolve().parents[3] / "shared" / "slicer-facts.json"
CONTROLS = ("Button", "ComboBox", "CheckBox", "SpinBox", "Table", "Edit", "Slider", "ProgressBar")
NOT_RECORDED = {"QFrame": {"objectName", "toolTip"}}
DESIGNERS_OWN = {"buddy", "SlicerParameterName"}


@cache
def recorded_properties() -> dict[str, set[str]]:
    if not FACTS.is_file():
        pytest.skip(f"{FACTS} is absent")
    classes = json.loads(FACTS.read_text(encoding="utf-8"))["classes"]
    return {
        name.split(".")[1]: {entry[0] for entry in facts["properties"]}
        for name, facts in classes.items()
    }


def widgets() -> list[ElementTree.Element]:
    return list(ElementTree.parse(UI_FILE).iter("widget"))


def test_every_class_and_property_was_recorded_in_a_running_slicer() -> None:
    known = {**recorded_properties(), **NOT_RECORDED}
    for widget in widgets():
        name = widget.get("class", "")
        assert name in known, name
        used = {part.get("name", "") for part in widget.findall("property")}
        assert used - DESIGNERS_OWN <= known[name] | {"name"}, widget.get("name")


def test_every_control_says_what_it_is_for() -> None:
    silent = [
        widget.get("name")
        for widget in widgets()
        if any(kind in widget.get("class", "") for kind in CONTROLS)
        and widget.get("class") != "ctkCollapsibleButton"
        and widget.find("property[@name='toolTip']/string") is None
    ]
    silent += [
        widget.get("name")
        for widget in widgets()
        if widget.find("property[@name='buddy']") is not None
        and widget.find("property[@name='toolTip']/string") is None
    ]
    assert not silent


def test_every_widget_that_shows_nodes_gets_the_scene() -> None:
    tree = ElementTree.parse(UI_FILE)
    told = {entry.findtext("receiver") for entry in tree.iter("connection")}
    wanted = {w.get("name") for w in widgets() if w.get("class", "").startswith("qMRML")}
    assert wanted - told == {"GenSegSlicer"}


def test_every_bound_parameter_exists_in_the_parameter_node() -> None:
    from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode

    bound = [
        part.findtext("string")
        for widget in widgets()
        for part in widget.findall("property[@name='SlicerParameterName']")
    ]
    assert bound
    assert set(bound) <= set(GenSegSlicerParameterNode.allParameters)
    assert len(bound) == len(set(bound))


def test_no_table_stretches_its_section() -> None:
    tables = [widget for widget in widgets() if widget.get("class") == "QTableWidget"]
    policies = [table.find("property[@name='sizePolicy']/sizepolicy") for table in tables]
    assert len(tables) == 4
    assert all(policy.get("vsizetype") == "Fixed" for policy in policies)
