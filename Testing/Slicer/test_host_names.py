"""The product uses no property, signal or slot of a widget that Slicer was not seen to have."""

from __future__ import annotations

from pathlib import Path

import pytest
from Host.product_names import Panel, python_faults

_PRODUCT = Path(__file__).parents[2] / "GenSegSlicer"
_PANELS = sorted(_PRODUCT.rglob("*.ui"))
_SOURCES = sorted(_PRODUCT.rglob("*.py"))


def _classes() -> dict[str, str]:
    return {name: kind for path in _PANELS for name, kind in Panel(path).classes.items()}


def _faults_of(code: str, folder: Path, classes: dict[str, str]) -> list[str]:
    source = folder / "code.py"
    source.write_text(code, encoding="utf-8")
    return [each.partition(": ")[2] for each in python_faults(source, classes)]


@pytest.mark.parametrize("path", _PANELS, ids=lambda path: path.name)
def test_the_panel_names_nothing_that_slicer_has_not(path: Path) -> None:
    assert list(Panel(path).faults()) == []


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: path.name)
def test_the_code_names_nothing_that_slicer_has_not(path: Path) -> None:
    assert list(python_faults(path, _classes())) == []


def test_a_signal_that_does_not_exist_is_found(tmp_path: Path) -> None:
    code = "self.ui.go.connect('pushed(bool)', f)"
    assert _faults_of(code, tmp_path, {"go": "QPushButton"}) == ["no signal pushed(bool)"]


def test_a_signal_of_qt_5_alone_is_found(tmp_path: Path) -> None:
    code = "box.connect('currentIndexChanged(QString)', f)"
    assert _faults_of(code, tmp_path, {}) == ["no signal currentIndexChanged(QString)"]


def test_a_property_that_is_called_is_found(tmp_path: Path) -> None:
    faults = _faults_of("name = self.ui.line.text()", tmp_path, {"line": "QLineEdit"})
    assert faults == ["text is a property and no method"]


def test_an_unknown_property_that_is_set_is_found(tmp_path: Path) -> None:
    faults = _faults_of("ui.line.caption = 'x'", tmp_path, {"line": "QLineEdit"})
    assert faults == ["ui.line.caption is set, but there is no such property"]


def test_a_signal_of_several_signatures_is_connected_by_one_of_them(tmp_path: Path) -> None:
    faults = _faults_of("box.currentIndexChanged.connect(f)", tmp_path, {})
    assert faults == ["currentIndexChanged has several signatures: connect one by its signature"]


@pytest.mark.parametrize("call", ["qt.QLabel(text='x')", "self.ui.line.insert(text='x')"])
def test_an_argument_by_keyword_is_found(call: str, tmp_path: Path) -> None:
    faults = _faults_of(call, tmp_path, {"line": "QLineEdit"})
    assert faults == [f"{call.partition('(')[0]} takes no arguments by keyword"]


def test_a_name_that_qt_6_has_no_more_is_found(tmp_path: Path) -> None:
    assert _faults_of("qt.QRegExp('x')", tmp_path, {}) == ["the desktop host has no qt.QRegExp"]


def test_a_widget_that_the_host_lacks_is_found(tmp_path: Path) -> None:
    faults = _faults_of("w = ctk.ctkRangeWidget()", tmp_path, {})
    assert faults == ["the desktop host has no ctk.ctkRangeWidget"]


def test_a_property_and_a_connection_of_the_ui_file_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "panel.ui"
    path.write_text(
        """<ui><widget class="QWidget" name="top">
             <widget class="QPushButton" name="go">
               <property name="caption"><string>Go</string></property>
               <property name="SlicerParameterName" stdset="0"><string>go</string></property>
             </widget>
           </widget>
           <connections><connection>
             <sender>go</sender><signal>pushed()</signal>
             <receiver>top</receiver><slot>hide()</slot>
           </connection></connections></ui>""",
        encoding="utf-8",
    )
    assert list(Panel(path).faults()) == [
        "panel.ui: go has no property caption",
        "panel.ui: go has no signal pushed()",
    ]
