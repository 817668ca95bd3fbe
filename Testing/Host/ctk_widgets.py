"""ctk's widgets for numbers, files and folders."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)

from .properties import Property, forwarded, registered, stored

_DIRS, _FILES = 0x001, 0x002  # QDir::Dirs, QDir::Files
_SLIDER_STEPS = 1000


@registered
class ctkSliderWidget(QWidget):
    """A slider and a spin box for one number."""

    decimalsChanged = Signal(int)
    valueChanged = Signal(float)
    valueIsChanging = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ctkSliderWidget")
        self.setWindowTitle("Set value")
        self._spin = QDoubleSpinBox(self)
        self._spin.setRange(0.0, 99.99)
        self._slider = QSlider(Qt.Horizontal, self)
        self._slider.setRange(0, _SLIDER_STEPS)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin)
        self._slider.valueChanged.connect(self._slider_moved)
        self._spin.valueChanged.connect(self._spin_box_changed)
        self._is_following = False

    def _spin_box_changed(self, value: float) -> None:
        span = self._spin.maximum - self._spin.minimum
        self._is_following = True
        position = (value - self._spin.minimum) / span if span else 0.0
        self._slider.setValue(round(position * _SLIDER_STEPS))
        self._is_following = False
        self.valueChanged.emit(value)

    def _slider_moved(self, position: int) -> None:
        if not self._is_following:
            span = self._spin.maximum - self._spin.minimum
            self._spin.setValue(self._spin.minimum + span * position / _SLIDER_STEPS)
            self.valueIsChanging.emit(self._spin.value)

    def _show_spin_box(self) -> None:
        self._spin.setVisible(self.spinBoxVisible)

    def setDecimals(self, decimals: int) -> None:
        if decimals != self._spin.decimals:
            self._spin.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    value = forwarded("double", "_spin", "value")
    minimum = forwarded("double", "_spin", "minimum")
    maximum = forwarded("double", "_spin", "maximum")
    singleStep = forwarded("double", "_spin", "singleStep")
    prefix = forwarded("QString", "_spin", "prefix")
    suffix = forwarded("QString", "_spin", "suffix")
    decimals = Property("int", lambda self: self._spin.decimals, setDecimals)
    invertedControls = stored("bool", "invertedControls", False)
    pageStep = stored("double", "pageStep", 10.0)
    tickInterval = stored("double", "tickInterval", 0.0)
    tickPosition = stored("int", "tickPosition", 0)
    synchronizeSiblings = stored("int", "synchronizeSiblings", 1)
    spinBoxAlignment = stored("int", "spinBoxAlignment", 129)
    tracking = stored("bool", "tracking", True)
    spinBoxVisible = stored("bool", "spinBoxVisible", True, _show_spin_box)
    popupSlider = stored("bool", "popupSlider", False)
    invertedAppearance = stored("bool", "invertedAppearance", False)

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    setSliderValue = setSpinBoxValue = setValue

    def setRange(self, minimum: float, maximum: float) -> None:
        self._spin.setRange(minimum, maximum)

    def reset(self) -> None:
        self.setValue(self._spin.minimum)


@registered
class ctkPathLineEdit(QWidget):
    """A line edit for a path, with a history and a browse button."""

    Dirs, Files = _DIRS, _FILES
    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._line = QComboBox(self)
        self._line.setEditable(True)
        self._line.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self._line.setInsertPolicy(QComboBox.NoInsert)
        self._button = QToolButton(self)
        self._button.setText("...")
        layout.addWidget(self._line)
        layout.addWidget(self._button)
        self._line.editTextChanged.connect(self._edited)
        self._button.clicked.connect(self.browse)
        self._is_valid = False

    def setCurrentPath(self, path: str) -> None:
        if not isinstance(path, str):
            raise TypeError("ctkPathLineEdit.currentPath takes a str")
        if path != self._line.currentText:
            self._line.setEditText(path)

    setCurrentDirectory = setCurrentPath

    def _show_button(self) -> None:
        self._button.setVisible(self.showBrowseButton)

    currentPath = Property("QString", lambda self: self._line.currentText, setCurrentPath)
    label = stored("QString", "label", "")
    filters = stored("int", "filters", 24663)
    options = stored("int", "options", 0)
    settingKey = stored("QString", "settingKey", "", lambda self: self.retrieveHistory())
    showBrowseButton = stored("bool", "showBrowseButton", True, _show_button)
    showHistoryButton = stored("bool", "showHistoryButton", True)
    sizeAdjustPolicy = stored("int", "sizeAdjustPolicy", 2)
    minimumContentsLength = stored("int", "minimumContentsLength", 0)
    nameFilters = stored("QStringList", "nameFilters", [])

    def comboBox(self) -> QComboBox:
        return self._line

    def setCurrentFileExtension(self, extension: str) -> None:
        self.setCurrentPath(str(Path(self.currentPath).with_suffix(f".{extension}")))

    def browse(self) -> None:
        if self.filters & _FILES:
            chosen, _ = QFileDialog.getOpenFileName(
                self, self.label, self.currentPath, ";;".join(self.nameFilters)
            )
        else:
            chosen = QFileDialog.getExistingDirectory(self, self.label, self.currentPath)
        if chosen:
            self.setCurrentPath(chosen)

    def addCurrentPathToHistory(self) -> None:
        path = self.currentPath
        if path and self._line.findText(path) < 0:
            self._line.insertItem(0, path)
            self._line.setCurrentIndex(0)
        if path and self.settingKey:
            texts = [self._line.itemText(index) for index in range(self._line.count)]
            QSettings().setValue(self.settingKey, texts)

    def retrieveHistory(self) -> None:
        """List the recent paths; the last one becomes the current path if there is none."""
        path = self.currentPath
        history = QSettings().value(self.settingKey) or []
        self._line.clear()
        self._line.addItems([history] if isinstance(history, str) else list(history))
        self.setCurrentPath(path or self._line.itemText(0))

    def updateHasValidInput(self) -> None:
        """As observed in Slicer: an empty text is invalid, and its path is not announced."""
        was_valid, self._is_valid = self._is_valid, bool(self.currentPath)
        if self._is_valid:
            self.currentPathChanged.emit(self.currentPath)
        if self._is_valid != was_valid:
            self.validInputChanged.emit(self._is_valid)

    def _edited(self, text: str) -> None:
        self.updateHasValidInput()


@registered
class ctkDirectoryButton(QWidget):
    """A button that shows a folder and opens a dialog to select another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QPushButton(self)
        self._button.clicked.connect(self.browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._show()

    def setDirectory(self, path: str) -> None:
        """Set the folder; `directorySelected` is emitted for the user's selection only."""
        path = str(Path(path).absolute())
        if path != self.directory:
            self._directory = path
            self._show()
            self.directoryChanged.emit(path)

    def _show(self) -> None:
        self._button.setText(self.text or str(Path(self.directory).absolute()))

    directory = Property("QString", lambda self: vars(self).get("_directory", "."), setDirectory)
    text = stored("QString", "text", "", _show)
    icon = stored("QIcon", "icon", QIcon())
    caption = stored("QString", "caption", "")
    acceptMode = stored("int", "acceptMode", 0)
    elideMode = stored("int", "elideMode", 2)
    options = stored("int", "options", 1)

    def browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.caption, self.directory)
        if chosen:
            self.setDirectory(chosen)
            self.directorySelected.emit(chosen)
