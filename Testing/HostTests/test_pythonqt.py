"""Qt objects of the host follow PythonQt's conventions, as recorded in a running Slicer."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import ctk
import numpy as np
import pytest
import qt
import slicer
from Host import signals


def test_a_property_is_an_attribute_not_a_method() -> None:
    button = qt.QPushButton("Train")
    assert button.text == "Train"
    with pytest.raises(TypeError, match="'str' object is not callable"):
        button.text()
    button.text = "Go"
    assert button.text == "Go"
    button.enabled = False
    assert [button.enabled, button.isEnabled()] == [False, False], "not a property, so a method"
    button.name = "go"
    assert (button.objectName, button.className()) == ("go", "QPushButton")


@pytest.mark.parametrize(
    ("make", "name", "value", "error"),
    [
        (qt.QPushButton, "noSuchName", 1, "'noSuchName' does not exist on QPushButton"),
        (qt.QLabel, "text", 3, "Property 'text' of QLabel does not accept a int"),
        (qt.QSpinBox, "value", np.int64(3), "does not accept a int64 of NumPy"),
    ],
)
def test_an_attribute_that_pythonqt_refuses(make: Any, name: str, value: Any, error: str) -> None:
    with pytest.raises((AttributeError, ValueError), match=error):
        setattr(make(), name, value)


def test_a_class_derived_in_python_may_have_attributes() -> None:
    class Timer(qt.QTimer):
        pass

    timer = Timer()
    timer.remark = "mine"
    assert timer.remark == "mine"


def test_objects_created_by_qt_follow_the_conventions() -> None:
    table = qt.QTableWidget(1, 1)
    header = table.horizontalHeader()
    header.stretchLastSection = True
    assert header.stretchLastSection is True


def test_signals_are_connected_by_signature_or_name() -> None:
    received: list[Any] = []
    button = qt.QPushButton()
    assert button.connect("clicked(bool)", received.append)
    button.clicked.connect(received.append)
    button.connect("clicked(bool)", lambda: received.append("no argument"))
    button.connect("clicked(bool)", functools.partial(lambda *a: received.append(a), "partial"))
    button.click()
    assert received == [False, False, "no argument", ("partial", False)]
    assert button.disconnect("clicked(bool)", received.append)
    received.clear()
    button.click()
    assert received == ["no argument", ("partial", False)]


def test_unknown_signals_and_those_of_qt_6_are_not_connected() -> None:
    assert qt.QPushButton().connect("pushed(bool)", print) is False
    box = qt.QCheckBox()
    assert box.connect("checkStateChanged(Qt::CheckState)", print) is False
    assert not hasattr(box, "checkStateChanged")


def test_an_error_in_a_slot_is_kept_for_the_test(capsys: pytest.CaptureFixture) -> None:
    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert [type(each) for each in signals.slot_errors] == [ZeroDivisionError]
    assert "ZeroDivisionError" in capsys.readouterr().err
    signals.slot_errors.clear()


def test_settings_return_tuples_and_stay_out_of_the_users_home() -> None:
    settings = qt.QSettings()
    settings.setValue("list", [1, 2])
    settings.setValue("yes", True)
    values = [settings.value("list"), settings.value("yes"), settings.value("no")]
    assert values == [(1, 2), True, None]
    assert settings.value("no", "d") == "d"
    assert Path(settings.fileName()).is_relative_to(slicer.app.slicerHome)


def test_a_process_returns_bytes_and_integers(host: Any) -> None:
    read, finished = [], []
    process = qt.QProcess()
    process.connect(
        "readyReadStandardOutput()", lambda: read.append(process.readAllStandardOutput())
    )
    process.connect(
        "finished(int,QProcess::ExitStatus)", lambda *a: finished.append([str(each) for each in a])
    )
    process.start(sys.executable, ["-c", "print('\\u00e9x', end=''); raise SystemExit(3)"])
    host.wait_until(lambda: finished)
    assert finished == [["3", "0"]]
    assert (process.exitCode(), str(process.exitStatus())) == (3, "0")
    assert b"".join(each.data() for each in read).decode() == "éx"


def test_a_timer_fires_when_events_are_processed(host: Any) -> None:
    fired: list[int] = []
    qt.QTimer.singleShot(1, lambda: fired.append(1))
    host.wait_until(lambda: fired, 5)
    assert fired == [1]


def test_a_table_reports_changed_items_and_enumerations_are_integers() -> None:
    table = qt.QTableWidget(2, 1)
    changed: list[str] = []
    item = qt.QTableWidgetItem("a")
    table.setItem(0, 0, item)
    table.connect("itemChanged(QTableWidgetItem*)", lambda item: changed.append(item.text()))
    item.setText("b")
    assert (table.rowCount, table.item(1, 0), changed) == (2, None, ["b"])
    item.setFlags(item.flags() & ~qt.Qt.ItemIsEditable)
    assert item.checkState() == 0
    assert not item.flags() & qt.Qt.ItemIsEditable


def test_a_section_hides_its_children_while_it_is_collapsed() -> None:
    section = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(section)
    names = ("shown", "hidden", "shown meanwhile", "hidden meanwhile")
    labels = {name: qt.QLabel(name) for name in names}
    for label in labels.values():
        layout.addWidget(label)
    labels["hidden"].setVisible(False)
    labels["shown meanwhile"].setVisible(False)
    section.collapsed = True
    labels["shown meanwhile"].setVisible(True)
    labels["hidden meanwhile"].setVisible(False)
    assert all(label.isHidden() for label in labels.values())
    section.collapsed = False
    assert [n for n in names if not labels[n].isHidden()] == ["shown", "shown meanwhile"]


def test_a_section_that_is_collapsed_in_a_ui_file_hides_its_widgets(tmp_path: Path) -> None:
    path = tmp_path / "panel.ui"
    path.write_text(
        """<ui version="4.0"><widget class="qMRMLWidget" name="panel">
             <layout class="QVBoxLayout"><item><widget class="ctkCollapsibleButton" name="section">
               <property name="collapsed"><bool>true</bool></property>
               <layout class="QVBoxLayout"><item>
                 <widget class="QLabel" name="inner"/>
               </item></layout>
             </widget></item></layout>
           </widget></ui>"""
    )
    ui = slicer.util.childWidgetVariables(slicer.util.loadUI(str(path)))
    assert ui.inner.isHidden()
    ui.section.click()
    assert not ui.inner.isHidden()


def test_a_path_line_edit_reports_changes_and_restores_its_last_path() -> None:
    received: list[str] = []
    first = ctk.ctkPathLineEdit()
    first.settingKey = "Host/paths"
    first.connect("currentPathChanged(QString)", received.append)
    first.currentPath = "/tmp/Präparat 1"
    with pytest.raises(TypeError):
        first.setCurrentPath(Path("/tmp"))
    assert received == ["/tmp/Präparat 1"]
    first.addCurrentPathToHistory()
    second = ctk.ctkPathLineEdit()
    second.settingKey = "Host/paths"
    assert second.currentPath == "/tmp/Präparat 1"
