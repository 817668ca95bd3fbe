"""The `.ui` file: tooltips, scene connections and bound parameters."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from panel_driver import PanelDriver

pytest_plugins = ["panel_driver"]

UI_FILE = Path(__file__).resolve().parents[2] / "GenSegSlicer/Resources/UI/GenSegSlicer.ui"
CONTROLS = ("Button", "ComboBox", "CheckBox", "SpinBox", "Table", "Edit", "Slider", "ProgressBar")


def widgets() -> list[ElementTree.Element]:
    return list(ElementTree.parse(UI_FILE).iter("widget"))


def test_all_controls_have_tooltips() -> None:
    missing = [
        widget.get("name")
        for widget in widgets()
        if any(kind in widget.get("class", "") for kind in CONTROLS)
        and widget.get("class") != "ctkCollapsibleButton"
        and widget.find("property[@name='toolTip']/string") is None
    ]
    assert not missing


def test_labels_show_the_tooltips_of_their_widgets(panel: PanelDriver) -> None:
    buddies = {
        widget.get("name"): widget.findtext("property[@name='buddy']/cstring")
        for widget in widgets()
        if widget.find("property[@name='buddy']") is not None
    }
    assert len(buddies) >= 30
    texts = {
        widget.get("name"): widget.findtext("property[@name='toolTip']/string")
        for widget in widgets()
    }
    for label, buddy in buddies.items():
        assert getattr(panel.ui, label).toolTip == texts[buddy]
        assert texts[label] is None, "the tooltip of the widget is shown"


def test_all_node_widgets_are_connected_to_the_scene() -> None:
    tree = ElementTree.parse(UI_FILE)
    connected = {entry.findtext("receiver") for entry in tree.iter("connection")}
    required = {w.get("name") for w in widgets() if w.get("class", "").startswith("qMRML")}
    assert required - connected == {"GenSegSlicer"}


def test_all_bound_parameters_exist_and_are_bound_once() -> None:
    from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode

    bound = [
        part.findtext("string")
        for widget in widgets()
        for part in widget.findall("property[@name='SlicerParameterName']")
    ]
    assert bound
    assert set(bound) <= set(GenSegSlicerParameterNode.allParameters)
    assert len(bound) == len(set(bound))


def test_tables_have_a_fixed_height() -> None:
    tables = [widget for widget in widgets() if widget.get("class") == "QTableWidget"]
    policies = [table.find("property[@name='sizePolicy']/sizepolicy") for table in tables]
    assert len(tables) == 8
    assert all(policy.get("vsizetype") == "Fixed" for policy in policies)
