"""ctk's variants of Qt's own buttons, combo boxes and text widgets."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QTextBrowser,
    QWidget,
)

from .properties import Property, stored
from .ui_loader import offered


@offered
class ctkPushButton(QPushButton):
    """A push button whose text and icon can be aligned."""

    buttonTextAlignment = stored("int", "buttonTextAlignment", 132)
    iconAlignment = stored("int", "iconAlignment", 129)
    elideMode = stored("int", "elideMode", 3)


@offered
class ctkMenuButton(QPushButton):
    """A push button with a menu beside it."""


@offered
class ctkComboBox(QComboBox):
    """A combo box with a text for when nothing is chosen."""

    returnRelease = Signal()
    defaultText = stored("QString", "defaultText", "")
    forceDefault = stored("bool", "forceDefault", False)
    elideMode = stored("int", "elideMode", 3)
    scrollWheelEffect = stored("int", "scrollWheelEffect", 1)

    def _get_user_data(self) -> str:
        return str(self.itemData(self.currentIndex) or "")

    def setCurrentUserDataAsString(self, data: str) -> None:
        self.setCurrentIndex(self.findData(data))

    currentUserDataAsString = Property("QString", _get_user_data, setCurrentUserDataAsString)


@offered
class ctkCheckableComboBox(QComboBox):
    """A combo box whose items can be ticked."""

    returnRelease = Signal()
    checkedIndexesChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model().rowsInserted.connect(self._make_checkable)
        self.model().dataChanged.connect(self.onDataChanged)

    def _make_checkable(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            item = self.model().item(row)
            item.setCheckable(True)
            item.setCheckState(Qt.Unchecked)

    def onDataChanged(self, first: QModelIndex, last: QModelIndex) -> None:
        self.checkedIndexesChanged.emit()

    def checkableModel(self) -> object:
        return self.model()

    def checkedIndexes(self) -> tuple[QModelIndex, ...]:
        indexes = (self.model().index(row, 0) for row in range(self.count))
        return tuple(each for each in indexes if self.checkState(each) == Qt.Checked)

    def checkState(self, index: QModelIndex) -> Qt.CheckState:
        return self.model().itemFromIndex(index).checkState()

    def setCheckState(self, index: QModelIndex, state: Qt.CheckState) -> None:
        self.model().itemFromIndex(index).setCheckState(state)

    def allChecked(self) -> bool:
        return len(self.checkedIndexes()) == self.count

    def noneChecked(self) -> bool:
        return not self.checkedIndexes()


@offered
class ctkSearchBox(QLineEdit):
    """A line to search with."""

    showSearchIcon = stored("bool", "showSearchIcon", False)


@offered
class ctkExpandableWidget(QFrame):
    """A frame that the user can make larger."""

    sizeGripInside = stored("bool", "sizeGripInside", True)
    orientations = stored("int", "orientations", 3)


@offered
class ctkFittedTextBrowser(QTextBrowser):
    """Text that is as high as it needs to be, with details that can be folded away."""

    collapsed = stored("bool", "collapsed", True)
    showDetailsText = stored("QString", "showDetailsText", "Show details...")
    hideDetailsText = stored("QString", "hideDetailsText", "Hide details.")
    disableMouseScroll = stored("bool", "disableMouseScroll", False)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.textChanged.connect(self.heightForWidthMayHaveChanged)

    def heightForWidthMayHaveChanged(self) -> None:
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        document = self.document.clone()
        document.setTextWidth(self.viewport().size.width())
        return QSize(200, int(document.size.height()) + 2 * self.frameWidth)

    minimumSizeHint = sizeHint

    def setCollapsibleText(self, text: str) -> None:
        self.setHtml(text)


@offered
class ctkMessageBox(QMessageBox):
    """A question that can be told not to be asked again."""

    dontShowAgain = stored("bool", "dontShowAgain", False)
    dontShowAgainVisible = stored("bool", "dontShowAgainVisible", False)
    dontShowAgainSettingsKey = stored("QString", "dontShowAgainSettingsKey", "")
