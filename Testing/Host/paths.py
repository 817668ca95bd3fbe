"""ctk's widgets for files and folders."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from .properties import Property, stored
from .ui_loader import offered

_FOLDERS, _FILES = 0x001, 0x002  # QDir::Dirs, QDir::Files


@offered
class ctkPathLineEdit(QWidget):
    """A line for a path, with the paths used before and a button to browse."""

    Dirs, Files = _FOLDERS, _FILES
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
        self._valid = False

    def _get_path(self) -> str:
        return self._line.currentText

    def setCurrentPath(self, path: str) -> None:
        if not isinstance(path, str):
            raise TypeError("ctkPathLineEdit.currentPath takes a str")
        if path != self._line.currentText:
            self._line.setEditText(path)

    def _show_buttons(self) -> None:
        self._button.setVisible(self.showBrowseButton)

    currentPath = Property("QString", _get_path, setCurrentPath)
    label = stored("QString", "label", "")
    filters = stored("int", "filters", 24663)
    options = stored("int", "options", 0)
    settingKey = stored("QString", "settingKey", "", lambda self: self.retrieveHistory())
    showBrowseButton = stored("bool", "showBrowseButton", True, _show_buttons)
    showHistoryButton = stored("bool", "showHistoryButton", True)
    sizeAdjustPolicy = stored("int", "sizeAdjustPolicy", 2)
    minimumContentsLength = stored("int", "minimumContentsLength", 0)
    nameFilters = stored("QStringList", "nameFilters", [])

    def setCurrentDirectory(self, path: str) -> None:
        self.setCurrentPath(path)

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
        """Offer the paths used before; the last one becomes the path where there is none yet."""
        path = self.currentPath
        used = QSettings().value(self.settingKey) or []
        self._line.clear()
        self._line.addItems([used] if isinstance(used, str) else list(used))
        self.setCurrentPath(path or self._line.itemText(0))

    def updateHasValidInput(self) -> None:
        path = Path(self.currentPath)
        valid = path.is_dir() if not self.filters & _FILES else path.exists()
        if valid != self._valid:
            self._valid = valid
            self.validInputChanged.emit(valid)

    def _edited(self, text: str) -> None:
        self.updateHasValidInput()
        self.currentPathChanged.emit(text)


@offered
class ctkDirectoryButton(QWidget):
    """A button that shows a folder and asks for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._button = QPushButton(self)
        self._button.clicked.connect(self.browse)
        layout.addWidget(self._button)
        self._show()

    def _get_directory(self) -> str:
        return vars(self).get("_directory", ".")

    def setDirectory(self, path: str) -> None:
        """Choose a folder, without `directorySelected`: that is for the user's choice."""
        path = str(Path(path).absolute())
        if path != self.directory:
            self._directory = path
            self._show()
            self.directoryChanged.emit(path)

    def _show(self) -> None:
        self._button.setText(self.text or str(Path(self.directory).absolute()))

    directory = Property("QString", _get_directory, setDirectory)
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
