"""Connections of widgets to parameters that `parameterNodeWrapper` does not support.

These are combo boxes with translated texts and changing choices, paths stored as strings (an empty
`pathlib.Path` becomes "."), and nodes of several types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import ctk
import qt

from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode


class Binding(Protocol):
    """Synchronizes a widget with a parameter."""

    parameters: GenSegSlicerParameterNode | None

    def show(self) -> None:
        """Update the widget from the parameter."""


class ChoiceBinding:
    """A combo box and the string parameter with the identifier of the selected item.

    Args:
        comboBox: the combo box.
        name: name of the parameter.
        describe: returns the text for a value that is not among the choices.
    """

    def __init__(
        self, comboBox: qt.QComboBox, name: str, describe: Callable[[str], str] = str
    ) -> None:
        self.parameters: GenSegSlicerParameterNode | None = None
        self._describe = describe
        self._comboBox = comboBox
        self._name = name
        comboBox.connect("currentIndexChanged(int)", self._onChosen)

    def setChoices(self, choices: Iterable[tuple[str, str, str]]) -> None:
        """Set the choices: identifier, text and tooltip of each."""
        wasBlocked = self._comboBox.blockSignals(True)
        self._comboBox.clear()
        for value, text, toolTip in choices:
            self._add(value, text, toolTip)
        self._comboBox.blockSignals(wasBlocked)
        self.show()

    def show(self) -> None:
        """Show the parameter's value, even if it is not among the choices."""
        if self.parameters is None:
            return
        value = getattr(self.parameters, self._name)
        wasBlocked = self._comboBox.blockSignals(True)
        if self._comboBox.findData(value) < 0 and value:
            self._add(value, self._describe(value), value)
        self._comboBox.setCurrentIndex(self._comboBox.findData(value))
        self._comboBox.blockSignals(wasBlocked)

    def _add(self, value: str, text: str, toolTip: str) -> None:
        self._comboBox.addItem(text, value)
        self._comboBox.setItemData(self._comboBox.count - 1, toolTip, qt.Qt.ToolTipRole)

    def _onChosen(self, index: int) -> None:
        if self.parameters is not None and index >= 0:
            setattr(self.parameters, self._name, self._comboBox.itemData(index))


class PathBinding:
    """A `ctkPathLineEdit` for a folder, and the string parameter with its path.

    An emptied `ctkPathLineEdit` emits only `validInputChanged`, not `currentPathChanged`.
    """

    def __init__(self, pathEdit: Any, name: str) -> None:
        self.parameters: GenSegSlicerParameterNode | None = None
        self._pathEdit = pathEdit
        pathEdit.filters = ctk.ctkPathLineEdit.Dirs
        self._name = name
        pathEdit.connect("currentPathChanged(QString)", self._onChosen)
        pathEdit.connect(
            "validInputChanged(bool)", lambda valid: self._onChosen(pathEdit.currentPath)
        )

    def show(self) -> None:
        """Show the parameter's value."""
        if self.parameters is None:
            return
        value = getattr(self.parameters, self._name)
        if self._pathEdit.currentPath != value:
            wasBlocked = self._pathEdit.blockSignals(True)
            self._pathEdit.currentPath = value
            self._pathEdit.blockSignals(wasBlocked)

    def _onChosen(self, path: str) -> None:
        if self.parameters is not None:
            setattr(self.parameters, self._name, path.strip())


class NodeBinding:
    """A `qMRMLNodeComboBox` for nodes of several types, and the node parameter.

    The connector of `parameterNodeWrapper` would list all nodes of the parameter's type.
    """

    def __init__(self, comboBox: Any, name: str) -> None:
        self.parameters: GenSegSlicerParameterNode | None = None
        self._comboBox = comboBox
        self._name = name
        self._isShowing = False
        comboBox.connect("currentNodeChanged(vtkMRMLNode*)", self._onChosen)

    def show(self) -> None:
        """Show the parameter's node."""
        if self.parameters is None:
            return
        self._isShowing = True
        self._comboBox.setCurrentNode(getattr(self.parameters, self._name))
        self._isShowing = False

    def _onChosen(self, node: Any) -> None:
        if self.parameters is not None and not self._isShowing:
            setattr(self.parameters, self._name, node)


class CheckedNodesBinding:
    """A `qMRMLCheckableNodeComboBox` and the parameter that lists its checked nodes."""

    def __init__(self, comboBox: Any, name: str) -> None:
        self.parameters: GenSegSlicerParameterNode | None = None
        self._comboBox = comboBox
        self._name = name
        comboBox.connect("checkedNodesChanged()", self._onChecked)

    def show(self) -> None:
        """Check the nodes of the parameter."""
        if self.parameters is None:
            return
        nodes = list(getattr(self.parameters, self._name))
        wasBlocked = self._comboBox.blockSignals(True)
        for node in self._comboBox.checkedNodes():
            if node not in nodes:
                self._comboBox.uncheck(node)
        for node in nodes:
            if node is not None:
                self._comboBox.check(node)
        self._comboBox.blockSignals(wasBlocked)

    def _onChecked(self) -> None:
        if self.parameters is not None:
            setattr(self.parameters, self._name, list(self._comboBox.checkedNodes()))
