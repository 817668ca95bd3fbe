"""The module uses no property, signal or slot that was not recorded in a running Slicer."""

from __future__ import annotations

from pathlib import Path

import pytest
from Host.static_check import UiFile, python_errors

_MODULE = Path(__file__).parents[2] / "GenSegSlicer"
_UI_FILES = sorted(_MODULE.rglob("*.ui"))


def test_the_ui_files_use_only_what_slicer_has() -> None:
    assert [error for path in _UI_FILES for error in UiFile(path).errors()] == []


def test_the_python_files_use_only_what_slicer_has() -> None:
    classes = {name: kind for path in _UI_FILES for name, kind in UiFile(path).classes.items()}
    files = sorted(_MODULE.rglob("*.py"))
    assert [error for path in files for error in python_errors(path, classes)] == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("self.ui.go.connect('pushed(bool)', f)", "no signal pushed(bool)"),
        (
            "box.connect('currentIndexChanged(QString)', f)",
            "no signal currentIndexChanged(QString)",
        ),
        ("name = self.ui.line.text()", "text is a property, not a method"),
        ("ui.line.caption = 'x'", "ui.line.caption is set, but is not a property"),
        (
            "box.currentIndexChanged.connect(f)",
            "currentIndexChanged has several signatures: connect one by its signature",
        ),
        ("qt.QLabel(text='x')", "qt.QLabel takes no keyword arguments"),
        ("self.ui.line.insert(text='x')", "self.ui.line.insert takes no keyword arguments"),
        ("qt.QRegExp('x')", "the desktop host has no qt.QRegExp"),
        ("w = ctk.ctkRangeWidget()", "the desktop host has no ctk.ctkRangeWidget"),
        ("ui.node.emitNodesAdded", "the desktop host omits qMRMLNodeComboBox.emitNodesAdded"),
    ],
)
def test_python_code_that_would_fail_in_slicer_is_found(
    code: str, error: str, tmp_path: Path
) -> None:
    source = tmp_path / "code.py"
    source.write_text(code, encoding="utf-8")
    classes = {"line": "QLineEdit", "go": "QPushButton", "node": "qMRMLNodeComboBox"}
    assert list(python_errors(source, classes)) == [f"code.py:1: {error}"]


def test_unknown_properties_and_connections_of_a_ui_file_are_found(tmp_path: Path) -> None:
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
    assert list(UiFile(path).errors()) == [
        "panel.ui: go has no property caption",
        "panel.ui: go has no signal pushed()",
    ]
