"""ctk's containers that fold away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QGroupBox,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

from .properties import Property, stored
from .ui_loader import offered

_FOLDED = "hiddenByFolding"


class Folding(QObject):
    """Hides a container's children while it is collapsed, and shows them again.

    What was hidden before stays hidden, and so does what is hidden meanwhile; what is shown
    meanwhile appears when the container opens.
    """

    def __init__(self, container: QWidget) -> None:
        super().__init__(container)
        self._container = container
        self._at_work = False

    def adopt(self) -> None:
        """Take children in that are new."""
        for child in self._children():
            child.installEventFilter(self)
        if self._container.collapsed:
            self.show_contents(False)

    def show_contents(self, shown: bool) -> None:
        self._at_work = True
        for child in self._children():
            if shown:
                if child.property(_FOLDED):
                    child.setVisible(True)
                child.setProperty(_FOLDED, None)
            elif not child.isHidden():
                child.setProperty(_FOLDED, True)
                child.setVisible(False)
                # Else Qt says nothing where the module hides what is hidden by folding.
                child.setAttribute(Qt.WA_WState_ExplicitShowHide, False)
        self._at_work = False

    def _children(self) -> list[QWidget]:
        children = self._container.children()
        return [each for each in children if isinstance(each, QWidget) and not each.isWindow()]

    def eventFilter(self, child: QObject, event: QEvent) -> bool:
        if self._at_work or not self._container.collapsed:
            return False
        if event.type() == QEvent.ShowToParent:
            self.show_contents(False)
        elif event.type() == QEvent.HideToParent:
            child.setProperty(_FOLDED, None)
        return False


class Foldable:
    """What a container that folds has: it is collapsed while it is not checked."""

    def adopt_children(self) -> None:
        """Take in the children that a `.ui` file gave."""
        self._folding.adopt()

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)


class Collapsible(Foldable, QAbstractButton):
    """The header of a section with the section's widgets below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QWidget | str | None = None) -> None:
        super().__init__(parent if isinstance(parent, QWidget) else None)
        if isinstance(parent, str):
            self.setText(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self._folding = Folding(self)
        self.toggled.connect(self._fold)

    collapsed = Property("bool", Foldable._get_collapsed, Foldable.setCollapsed)
    collapsedHeight = stored("int", "collapsedHeight", 14)
    flat = stored("bool", "flat", False)
    contentsFrameShape = stored("int", "contentsFrameShape", 0)
    contentsFrameShadow = stored("int", "contentsFrameShadow", 16)
    contentsLineWidth = stored("int", "contentsLineWidth", 1)
    contentsMidLineWidth = stored("int", "contentsMidLineWidth", 0)
    buttonTextAlignment = stored("int", "buttonTextAlignment", 129)
    indicatorAlignment = stored("int", "indicatorAlignment", 129)

    def collapse(self, collapsed: bool) -> None:
        self.setCollapsed(collapsed)

    def onToggled(self, checked: bool = True) -> None:
        self.setChecked(checked)

    def _fold(self, checked: bool) -> None:
        self._folding.adopt()
        self._folding.show_contents(checked)
        self.setMaximumHeight(16777215 if checked else self._header_height() + 6)
        self.updateGeometry()
        self.contentsCollapsed.emit(not checked)

    def childEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.ChildPolished:
            self._folding.adopt()
        super().childEvent(event)

    def hitButton(self, position: object) -> bool:
        return position.y() <= self._header_height()

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 10

    def sizeHint(self) -> QSize:
        inner = QWidget.sizeHint(self)
        width = self.fontMetrics().horizontalAdvance(self.text) + 40
        height = (
            self._header_height() if self.collapsed else max(inner.height(), self._header_height())
        )
        return QSize(max(inner.width(), width), height)

    minimumSizeHint = sizeHint

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._header_height() - 2)
        option.features = QStyleOptionButton.None_
        style = self.style()
        style.drawControl(QStyle.CE_PushButtonBevel, option, painter, self)
        arrow = QStyleOptionButton()
        arrow.initFrom(self)
        arrow.rect = option.rect.adjusted(8, 4, 0, -4)
        arrow.rect.setWidth(arrow.rect.height())
        opened = QStyle.PE_IndicatorArrowDown if self.checked else QStyle.PE_IndicatorArrowRight
        style.drawPrimitive(opened, arrow, painter, self)
        text_place = option.rect.adjusted(14 + arrow.rect.width(), 0, -4, 0)
        alignment = Qt.AlignLeft | Qt.AlignVCenter | Qt.TextShowMnemonic
        style.drawItemText(painter, text_place, alignment, self.palette, self.enabled, self.text)
        painter.end()


@offered
class ctkCollapsibleButton(Collapsible):
    """A foldable section of a module's panel."""


@offered
class ctkCollapsibleGroupBox(Foldable, QGroupBox):
    """A group box that folds away when its title is clicked."""

    def __init__(self, parent: QWidget | str | None = None) -> None:
        super().__init__(parent if isinstance(parent, QWidget) else None)
        if isinstance(parent, str):
            self.setTitle(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self._folding = Folding(self)
        self.toggled.connect(self.expand)

    collapsed = Property("bool", Foldable._get_collapsed, Foldable.setCollapsed)
    collapsedHeight = stored("int", "collapsedHeight", 14)

    def expand(self, expanded: bool) -> None:
        self._folding.adopt()
        self._folding.show_contents(expanded)
        self.setMaximumHeight(16777215 if expanded else self.fontMetrics().height() + 12)
        self.updateGeometry()
