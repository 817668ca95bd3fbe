"""Connectors between widgets and parameter types: the part of Slicer's that the host provides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QLineEdit, QSlider, QSpinBox

from ..ctk_widgets import ctkSliderWidget
from ..node_combo_box import qMRMLNodeComboBox
from .annotations import (
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    findFirstAnnotation,
    splitAnnotations,
)

_INTEGER_WIDGETS = (QSlider, QSpinBox)
_NUMBER_WIDGETS = (QDoubleSpinBox, ctkSliderWidget)
_SLIDERS = (QSlider, ctkSliderWidget)


class Connector:
    """Reads and writes the value of a widget.

    Args:
        widget: the widget.
        signal: name of the signal that reports changes.
        read: return the value.
        write: set the value.
    """

    def __init__(
        self, widget: Any, signal: str, read: Callable[[], Any], write: Callable[[Any], None]
    ) -> None:
        self._signal = getattr(widget, signal)
        self._callback: Callable[[], None] | None = None
        self.read = read
        self.write = write

    def on_changed(self, callback: Callable[[], None] | None) -> None:
        """Set the function to call on changes, or remove it (None)."""
        if self._callback is not None:
            self._signal.disconnect(self._callback)
        self._callback = callback
        if callback is not None:
            self._signal.connect(callback)


def connect(widget: Any, datatype: Any) -> Connector:
    """Create the connector of a widget for a type.

    Raises:
        RuntimeError: if the host connects no such widget to the type, or an annotation is missing.
    """
    bare, annotations = splitAnnotations(datatype)
    kind = type(widget)
    if kind is QCheckBox and bare is bool:
        return _attribute(widget, "stateChanged", "checked")
    if kind is QLineEdit and bare is str:
        return _attribute(widget, "textChanged", "text")
    if (kind in _INTEGER_WIDGETS and bare is int) or (
        kind in _NUMBER_WIDGETS and bare in (int, float)
    ):
        return _number(widget, bare, annotations)
    if kind is qMRMLNodeComboBox and issubclass(bare, slicer.vtkMRMLNode):
        widget.nodeTypes = [bare.__name__]
        return Connector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create GUI connector from {datatype} to {kind.__name__}")


def _attribute(widget: Any, signal: str, name: str, convert: type | None = None) -> Connector:
    def convert_value(value: Any) -> Any:
        return value if convert is None else convert(value)

    return Connector(
        widget,
        signal,
        lambda: convert_value(getattr(widget, name)),
        lambda value: setattr(widget, name, convert_value(value)),
    )


def _number(widget: Any, bare: Any, annotations: list[Any]) -> Connector:
    _apply_annotations(widget, bare, annotations)
    return _attribute(widget, "valueChanged", "value", int if bare is int else None)


def _apply_annotations(widget: Any, bare: Any, annotations: list[Any]) -> None:
    is_integer = isinstance(widget, _INTEGER_WIDGETS)
    decimals = Decimals(0) if bare is int else findFirstAnnotation(annotations, Decimals)
    if decimals is not None and not is_integer:
        widget.decimals = decimals.value
    step = findFirstAnnotation(annotations, SingleStep)
    if step is not None:
        widget.singleStep = step.value
    limits = findFirstAnnotation(annotations, WithinRange)
    lowest = limits or findFirstAnnotation(annotations, Minimum)
    highest = limits or findFirstAnnotation(annotations, Maximum)
    if isinstance(widget, _SLIDERS) and (lowest is None or highest is None):
        raise RuntimeError(f"A {type(widget).__name__} needs a parameter with bounds")
    unbounded = 2**31 - 1 if is_integer else float("inf")
    widget.minimum = lowest.minimum if lowest is not None else -unbounded
    widget.maximum = highest.maximum if highest is not None else unbounded
