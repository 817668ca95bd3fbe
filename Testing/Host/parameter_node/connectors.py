"""Which widgets can show which types of parameters, and how."""

from __future__ import annotations

import enum
import pathlib
import typing
from collections.abc import Callable
from typing import Any

import slicer
from PySide6 import QtWidgets

from ..buttons_and_boxes import ctkComboBox
from ..node_combo_box import qMRMLNodeComboBox
from ..numbers import ctkDoubleSpinBox, ctkSliderWidget, qMRMLSliderWidget, qMRMLSpinBox
from ..paths import ctkDirectoryButton, ctkPathLineEdit
from .annotations import (
    Choice,
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    findFirstAnnotation,
    splitAnnotations,
)

_INTEGER_WIDGETS = (QtWidgets.QSlider, QtWidgets.QSpinBox)
_NUMBER_WIDGETS = (
    QtWidgets.QDoubleSpinBox,
    ctkDoubleSpinBox,
    ctkSliderWidget,
    qMRMLSliderWidget,
    qMRMLSpinBox,
)
_SLIDERS = (QtWidgets.QSlider, ctkSliderWidget, qMRMLSliderWidget)


class Connector:
    """A widget as the place of one value.

    Args:
        widget: the widget.
        signal: name of its signal for changes.
        read: gives the widget's value.
        write: sets it.
    """

    def __init__(
        self, widget: Any, signal: str, read: Callable[[], Any], write: Callable[[Any], None]
    ) -> None:
        self.widget = widget
        self._signal = getattr(widget, signal) if signal else None
        self._changed: Callable[[], None] | None = None
        self.read = read
        self.write = write

    def on_changed(self, call: Callable[[], None] | None) -> None:
        """Call a function on each change of the widget; None ends that."""
        if self._signal is None:
            return
        if self._changed is not None:
            self._signal.disconnect(self._changed)
        self._changed = call
        if call is not None:
            self._signal.connect(call)


def connect(widget: Any, datatype: Any) -> Connector:
    """The connector of a widget to a type.

    Raises:
        RuntimeError: Slicer connects no such widget to such a type, or misses an annotation.
    """
    bare, notes = splitAnnotations(datatype)
    kind = type(widget)
    for fits, make in _CONNECTORS:
        if fits(kind, bare):
            return make(widget, bare, notes)
    raise RuntimeError(f"Unable to create GUI connector from {datatype} to {kind.__name__}")


def _attribute(widget: Any, signal: str, name: str) -> Connector:
    return Connector(
        widget,
        signal,
        lambda: getattr(widget, name),
        lambda value: setattr(widget, name, value),
    )


def _to_check_box(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    return _attribute(widget, "stateChanged", "checked")


def _to_push_button(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    widget.checkable = True
    return _attribute(widget, "toggled", "checked")


def _to_text(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    return _attribute(widget, "textChanged", "text")


def _to_label(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    return _attribute(widget, "", "text")


def _to_text_edit(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    return Connector(widget, "textChanged", widget.toPlainText, widget.setPlainText)


def _to_number(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    _apply_notes(widget, bare, notes)
    integer = bare is int

    def read() -> float:
        return int(widget.value) if integer else widget.value

    def write(value: float) -> None:
        widget.value = int(value) if integer else value

    return Connector(widget, "valueChanged", read, write)


def _apply_notes(widget: Any, bare: Any, notes: list[Any]) -> None:
    whole = isinstance(widget, _INTEGER_WIDGETS)
    decimals = Decimals(0) if bare is int else findFirstAnnotation(notes, Decimals)
    if decimals is not None and not whole:
        widget.decimals = decimals.value
    step = findFirstAnnotation(notes, SingleStep)
    if step is not None:
        widget.singleStep = step.value
    limits = findFirstAnnotation(notes, WithinRange)
    lowest = limits or findFirstAnnotation(notes, Minimum)
    highest = limits or findFirstAnnotation(notes, Maximum)
    if isinstance(widget, _SLIDERS) and (lowest is None or highest is None):
        raise RuntimeError(f"A {type(widget).__name__} needs a parameter with bounds")
    unbounded = 2**31 - 1 if whole else float("inf")
    widget.minimum = lowest.minimum if lowest is not None else -unbounded
    widget.maximum = highest.maximum if highest is not None else unbounded


def _to_choice(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    choice = findFirstAnnotation(notes, Choice)
    if choice is None:
        raise RuntimeError("A combo box needs a parameter with the Choice annotation")
    return _combo_box(widget, list(choice.choices), [str(each) for each in choice.choices])


def _to_enum(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    values = list(bare)
    labels = [each.label() if hasattr(bare, "label") else each.name for each in values]
    return _combo_box(widget, values, labels)


def _combo_box(widget: Any, values: list[Any], labels: list[str]) -> Connector:
    widget.clear()
    widget.addItems(labels)

    def write(value: Any) -> None:
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged", lambda: values[widget.currentIndex], write)


def _to_path(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    signal, name = (
        ("currentPathChanged", "currentPath")
        if isinstance(widget, ctkPathLineEdit)
        else ("directoryChanged", "directory")
    )
    return Connector(
        widget,
        signal,
        lambda: bare(getattr(widget, name)),
        lambda value: setattr(widget, name, str(value)),
    )


def _to_node(widget: Any, bare: Any, notes: list[Any]) -> Connector:
    widget.nodeTypes = [each.__name__ for each in _node_types(bare)]
    return Connector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)


def _node_types(bare: Any) -> list[type]:
    """The node classes of a type: the class itself, or those of a union."""
    parts = typing.get_args(bare) or (bare,)
    classes = [each for each in parts if each is not type(None)]
    nodes = [e for e in classes if isinstance(e, type) and issubclass(e, slicer.vtkMRMLNode)]
    return nodes if len(nodes) == len(classes) else []


def _is_class(bare: Any, parent: type) -> bool:
    return isinstance(bare, type) and issubclass(bare, parent)


_COMBO_BOXES = (QtWidgets.QComboBox, ctkComboBox)
_PATHS = (ctkPathLineEdit, ctkDirectoryButton)

# (whether a widget class and a type fit, what makes the connector); the first that fits is taken
_CONNECTORS: list[tuple[Callable[[type, Any], bool], Callable[..., Connector]]] = [
    (lambda kind, bare: kind is QtWidgets.QCheckBox and bare is bool, _to_check_box),
    (lambda kind, bare: kind is QtWidgets.QPushButton and bare is bool, _to_push_button),
    (lambda kind, bare: kind in _INTEGER_WIDGETS and bare is int, _to_number),
    (lambda kind, bare: kind in _NUMBER_WIDGETS and bare in (int, float), _to_number),
    (lambda kind, bare: kind in _COMBO_BOXES and bare in (int, float, str, bool), _to_choice),
    (lambda kind, bare: kind in _COMBO_BOXES and _is_class(bare, enum.Enum), _to_enum),
    (lambda kind, bare: kind is QtWidgets.QLineEdit and bare is str, _to_text),
    (lambda kind, bare: kind is QtWidgets.QLabel and bare is str, _to_label),
    (lambda kind, bare: kind is QtWidgets.QTextEdit and bare is str, _to_text_edit),
    (lambda kind, bare: kind in _PATHS and _is_class(bare, pathlib.PurePath), _to_path),
    (lambda kind, bare: kind is qMRMLNodeComboBox and bool(_node_types(bare)), _to_node),
]
