"""ctk's variants of Qt's own buttons, combo boxes and text widgets."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QIcon
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
    defaultIcon = stored("QIcon", "defaultIcon", QIcon())
    forceDefault = stored("bool", "forceDefault", False)
    elideMode = stored("int", "elideMode", 3)
    scrollWheelEffect = stored("int", "scrollWheelEffect", 1)

    def _get_user_data(self) -> str:
        return str(self.itemData(self.currentIndex) or "")

    def setCurrentUserDataAsString(self, data: str) -> None:
        self.setCurrentIndex(self.findData(data))

    currentUserDataAsString = Property("QString", _get_user_data, setCurrentUserDataAsString)


@offered
class ctkSearchBox(QLineEdit):
    """A line to search with."""

    showSearchIcon = stored("bool", "showSearchIcon", False)
    searchIcon = stored("QIcon", "searchIcon", QIcon())
    clearIcon = stored("QIcon", "clearIcon", QIcon())

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Search...")
        self.setClearButtonEnabled(True)


@offered
class ctkExpandableWidget(QFrame):
    """A frame that the user can make larger."""

    sizeGripInside = stored("bool", "sizeGripInside", True)
    sizeGripMargins = stored("QSize", "sizeGripMargins", QSize())
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

    def setCollapsibleHtml(self, text: str) -> None:
        self.setHtml(text)

    setCollapsibleText = setCollapsibleHtml

    def setCollapsiblePlainText(self, text: str) -> None:
        self.setPlainText(text)


@offered
class ctkMessageBox(QMessageBox):
    """A question that can be told not to be asked again."""

    dontShowAgain = stored("bool", "dontShowAgain", False)
    dontShowAgainVisible = stored("bool", "dontShowAgainVisible", False)
    dontShowAgainSettingsKey = stored("QString", "dontShowAgainSettingsKey", "")
