"""Qt objects of the host behave as PythonQt's do in a running Slicer (slicer-facts.json)."""

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


def test_a_property_is_an_attribute_and_no_method() -> None:
    button = qt.QPushButton("Train")
    assert button.text == "Train"
    with pytest.raises(TypeError, match="'str' object is not callable"):
        button.text()
    button.text = "Go"
    assert button.text == "Go"


def test_a_getter_that_is_no_property_stays_a_method() -> None:
    button = qt.QPushButton()
    button.enabled = False
    assert [button.enabled, button.isEnabled()] == [False, False]


def test_an_unknown_attribute_cannot_be_set() -> None:
    with pytest.raises(AttributeError, match="'noSuchAttribute' does not exist on QPushButton"):
        qt.QPushButton().noSuchAttribute = 1


def test_a_property_refuses_a_value_of_another_type() -> None:
    with pytest.raises(ValueError, match="Property 'text' of QLabel does not accept a int"):
        qt.QLabel().text = 3


def test_a_property_refuses_the_integers_of_numpy() -> None:
    with pytest.raises(ValueError, match="does not accept a int64 of NumPy"):
        qt.QSpinBox().value = np.int64(3)


def test_a_class_derived_in_python_may_have_attributes() -> None:
    class Timer(qt.QTimer):
        pass

    timer = Timer()
    timer.remark = "mine"
    assert timer.remark == "mine"


def test_the_manner_holds_for_objects_that_qt_makes_itself() -> None:
    table = qt.QTableWidget(1, 1)
    header = table.horizontalHeader()
    header.stretchLastSection = True
    assert header.stretchLastSection is True


def test_name_is_the_object_name() -> None:
    label = qt.QLabel()
    label.name = "remaining"
    assert (label.objectName, label.className()) == ("remaining", "QLabel")


def test_a_signal_is_connected_by_its_signature() -> None:
    got: list[Any] = []
    button = qt.QPushButton()
    assert button.connect("clicked(bool)", got.append)
    button.click()
    assert got == [False]


def test_a_signal_is_connected_by_its_name() -> None:
    got: list[Any] = []
    button = qt.QPushButton()
    button.clicked.connect(got.append)
    button.click()
    assert got == [False]


def test_a_slot_without_parameters_is_called_without_arguments() -> None:
    called: list[int] = []
    button = qt.QPushButton()
    button.connect("clicked(bool)", lambda: called.append(0))
    button.click()
    assert called == [0]


def test_a_partial_is_called_with_all_arguments() -> None:
    got: list[tuple] = []
    button = qt.QPushButton()
    button.connect("clicked(bool)", functools.partial(lambda *a: got.append(a), "first"))
    button.click()
    assert got == [("first", False)]


def test_a_signal_that_does_not_exist_connects_nothing() -> None:
    assert qt.QPushButton().connect("pushed(bool)", print) is False


def test_a_signal_of_qt_6_alone_does_not_exist() -> None:
    box = qt.QCheckBox()
    assert box.connect("checkStateChanged(Qt::CheckState)", print) is False
    assert not hasattr(box, "checkStateChanged")


def test_a_disconnected_slot_is_not_called() -> None:
    got: list[Any] = []
    button = qt.QPushButton()
    button.connect("clicked(bool)", got.append)
    button.disconnect("clicked(bool)", got.append)
    button.click()
    assert got == []


def test_an_error_in_a_slot_is_kept_for_the_test(capsys: pytest.CaptureFixture) -> None:
    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert [type(each) for each in signals.slot_errors] == [ZeroDivisionError]
    assert "ZeroDivisionError" in capsys.readouterr().err
    signals.slot_errors.clear()


def test_settings_give_tuples_for_lists() -> None:
    settings = qt.QSettings()
    settings.setValue("list", [1, 2])
    settings.setValue("yes", True)
    got = [settings.value("list"), settings.value("yes"), settings.value("no")]
    assert got == [(1, 2), True, None]
    assert settings.value("no", "d") == "d"


def test_settings_stay_out_of_the_users_home() -> None:
    assert Path(qt.QSettings().fileName()).is_relative_to(slicer.app.slicerHome)


def test_a_process_hands_back_bytes_and_numbers(host: Any) -> None:
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


def test_a_table_tells_of_a_changed_item() -> None:
    table = qt.QTableWidget(2, 1)
    changed: list[str] = []
    table.setItem(0, 0, qt.QTableWidgetItem("a"))
    table.connect("itemChanged(QTableWidgetItem*)", lambda item: changed.append(item.text()))
    table.item(0, 0).setText("b")
    assert (table.rowCount, table.item(1, 0), changed) == (2, None, ["b"])


def test_enumerations_are_integers() -> None:
    item = qt.QTableWidgetItem("a")
    item.setFlags(item.flags() & ~qt.Qt.ItemIsEditable)
    assert item.checkState() == 0
    assert not item.flags() & qt.Qt.ItemIsEditable


def test_a_section_folds_and_keeps_hidden_what_was_hidden() -> None:
    section = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(section)
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    for each in (shown, hidden):
        layout.addWidget(each)
    hidden.setVisible(False)
    section.collapsed = True
    assert shown.isHidden()
    section.collapsed = False
    assert (shown.isHidden(), hidden.isHidden()) == (False, True)


def test_what_is_shown_in_a_folded_section_appears_when_it_opens() -> None:
    section = ctk.ctkCollapsibleButton()
    label = qt.QLabel("late")
    label.setVisible(False)
    qt.QVBoxLayout(section).addWidget(label)
    section.collapsed = True
    label.setVisible(True)
    assert label.isHidden()
    section.collapsed = False
    assert not label.isHidden()


def test_what_is_hidden_in_a_folded_section_stays_hidden_when_it_opens() -> None:
    section = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(section)
    label = qt.QLabel("Reason")
    layout.addWidget(label)
    section.collapsed = True
    label.setVisible(False)
    section.collapsed = False
    assert label.isHidden()


def test_a_section_that_is_folded_in_a_ui_file_hides_its_widgets(tmp_path: Path) -> None:
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


def test_a_path_line_takes_text_and_tells_of_changes() -> None:
    got: list[str] = []
    line = ctk.ctkPathLineEdit()
    line.connect("currentPathChanged(QString)", got.append)
    line.currentPath = "/tmp/Präparat 1"
    with pytest.raises(TypeError):
        line.setCurrentPath(Path("/tmp"))
    assert got == ["/tmp/Präparat 1"]


def test_a_path_line_begins_with_the_path_used_last() -> None:
    first = ctk.ctkPathLineEdit()
    first.settingKey = "Host/paths"
    first.currentPath = "/tmp/runs"
    first.addCurrentPathToHistory()
    second = ctk.ctkPathLineEdit()
    second.settingKey = "Host/paths"
    assert second.currentPath == "/tmp/runs"
