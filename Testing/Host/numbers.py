"""ctk's and qMRML's widgets for numbers."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from .properties import Property, forwarded, stored
from .ui_loader import offered


class Number(QWidget):
    """A number with bounds, decimals, prefix and suffix, in a spin box."""

    decimalsChanged = Signal(int)
    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._layout = layout
        self._spin = QDoubleSpinBox(self)
        self._spin.setRange(0.0, 99.99)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._changed)

    def _changed(self, value: float) -> None:
        self.valueChanged.emit(value)

    value = forwarded("double", "_spin", "value")
    minimum = forwarded("double", "_spin", "minimum")
    maximum = forwarded("double", "_spin", "maximum")
    singleStep = forwarded("double", "_spin", "singleStep")
    prefix = forwarded("QString", "_spin", "prefix")
    suffix = forwarded("QString", "_spin", "suffix")

    def _get_decimals(self) -> int:
        return self._spin.decimals

    def setDecimals(self, decimals: int) -> None:
        if decimals != self._spin.decimals:
            self._spin.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    decimals = Property("int", _get_decimals, setDecimals)
    invertedControls = stored("bool", "invertedControls", False)

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    def setRange(self, minimum: float, maximum: float) -> None:
        self._spin.setRange(minimum, maximum)


@offered
class ctkDoubleSpinBox(Number):
    """A spin box for a real number."""

    valueAsText = Signal(str)
    editingFinished = Signal()
    signatures = {"valueChanged(QString)": "valueAsText"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spin.editingFinished.connect(self.editingFinished.emit)

    def _changed(self, value: float) -> None:
        super()._changed(value)
        self.valueAsText.emit(self._spin.text)

    alignment = forwarded("int", "_spin", "alignment")
    frame = forwarded("bool", "_spin", "frame")
    readOnly = forwarded("bool", "_spin", "readOnly")
    decimalsOption = stored("int", "decimalsOption", 9)
    setMode = stored("int", "setMode", 1)
    sizeHintPolicy = stored("int", "sizeHintPolicy", 0)
    isSettingValue = Property("bool", lambda self: False)

    def _get_clean_text(self) -> str:
        return self._spin.cleanText

    cleanText = Property("QString", _get_clean_text)

    def setValueIfDifferent(self, value: float) -> None:
        self._spin.setValue(value)

    def setValueAlways(self, value: float) -> None:
        before = self._spin.value
        self._spin.setValue(value)
        if self._spin.value == before:
            self._changed(before)

    def stepUp(self) -> None:
        self._spin.stepUp()

    def stepDown(self) -> None:
        self._spin.stepDown()


@offered
class ctkSliderWidget(Number):
    """A slider beside a spin box."""

    valueIsChanging = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ctkSliderWidget")
        self.setWindowTitle("Set value")
        self._slider = QSlider(Qt.Horizontal, self)
        self._slider.setRange(0, 1000)
        self._layout.insertWidget(0, self._slider)
        self._slider.valueChanged.connect(self._slid)
        self._following = False

    def _changed(self, value: float) -> None:
        self._follow()
        super()._changed(value)

    def _follow(self) -> None:
        span = self._spin.maximum - self._spin.minimum
        share = (self._spin.value - self._spin.minimum) / span if span else 0.0
        self._following = True
        self._slider.setValue(round(share * 1000))
        self._following = False

    def _slid(self, position: int) -> None:
        if not self._following:
            span = self._spin.maximum - self._spin.minimum
            self._spin.setValue(self._spin.minimum + span * position / 1000)
            self.valueIsChanging.emit(self._spin.value)

    def _show_spin_box(self) -> None:
        self._spin.setVisible(self.spinBoxVisible)

    pageStep = stored("double", "pageStep", 10.0)
    tickInterval = stored("double", "tickInterval", 0.0)
    tickPosition = stored("int", "tickPosition", 0)
    synchronizeSiblings = stored("int", "synchronizeSiblings", 1)
    spinBoxAlignment = stored("int", "spinBoxAlignment", 129)
    tracking = stored("bool", "tracking", True)
    spinBoxVisible = stored("bool", "spinBoxVisible", True, _show_spin_box)
    popupSlider = stored("bool", "popupSlider", False)
    invertedAppearance = stored("bool", "invertedAppearance", False)

    def reset(self) -> None:
        self.setValue(self._spin.minimum)

    def setSliderValue(self, value: float) -> None:
        self.setValue(value)

    def setSpinBoxValue(self, value: float) -> None:
        self.setValue(value)


@offered
class qMRMLSpinBox(ctkDoubleSpinBox):
    """A spin box that knows units."""

    quantity = stored("QString", "quantity", "")
    unitAwareProperties = stored("int", "unitAwareProperties", 31)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@offered
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that knows units."""

    quantity = stored("QString", "quantity", "")
    unitAwareProperties = stored("int", "unitAwareProperties", 39)
    orientation = stored("int", "orientation", 1)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
