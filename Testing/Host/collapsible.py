"""ctkCollapsibleButton: a section of a panel that can be collapsed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QStyle, QStylePainter, QWidget
from PySide6.QtWidgets import QStyleOptionButton as Option

from .properties import Property, registered, stored

_HIDDEN_BY_COLLAPSE = "hiddenByCollapse"
_UNLIMITED_HEIGHT = 16777215  # QWIDGETSIZE_MAX


@registered
class ctkCollapsibleButton(QAbstractButton):
    """The header of a section; it is collapsed while it is not checked.

    Children are hidden while it is collapsed. Those hidden before, or explicitly hidden meanwhile,
    stay hidden when it expands; those shown meanwhile become visible then.
    """

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QWidget | str | None = None) -> None:
        super().__init__(parent if isinstance(parent, QWidget) else None)
        if isinstance(parent, str):
            self.setText(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self._is_toggling = False
        self.toggled.connect(self._toggled)

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property("bool", _is_collapsed, setCollapsed)
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

    def _toggled(self, checked: bool) -> None:
        self.adopt_children()
        self._show_children(checked)
        self.setMaximumHeight(_UNLIMITED_HEIGHT if checked else self._header_height() + 6)
        self.updateGeometry()
        self.contentsCollapsed.emit(not checked)

    def adopt_children(self) -> None:
        """Track children that were added, as by a `.ui` file."""
        self._adopt(self._child_widgets())

    def _adopt(self, children: list[QWidget]) -> None:
        for child in children:
            child.installEventFilter(self)
        if self.collapsed:
            self._show(children, False)

    def _child_widgets(self) -> list[QWidget]:
        return [e for e in self.children() if isinstance(e, QWidget) and not e.isWindow()]

    def _show_children(self, shown: bool) -> None:
        self._show(self._child_widgets(), shown)

    def _show(self, children: list[QWidget], shown: bool) -> None:
        self._is_toggling = True
        for child in children:
            if shown:
                if child.property(_HIDDEN_BY_COLLAPSE):
                    child.setVisible(True)
                child.setProperty(_HIDDEN_BY_COLLAPSE, None)
            elif not child.isHidden():
                child.setProperty(_HIDDEN_BY_COLLAPSE, True)
                child.setVisible(False)
                # Otherwise Qt sends no event when the module hides the hidden child.
                child.setAttribute(Qt.WA_WState_ExplicitShowHide, False)
        self._is_toggling = False

    def eventFilter(self, child: QObject, event: QEvent) -> bool:
        if not self._is_toggling and self.collapsed:
            if event.type() == QEvent.ShowToParent:
                self._show_children(False)
            elif event.type() == QEvent.HideToParent:
                child.setProperty(_HIDDEN_BY_COLLAPSE, None)
        return False

    def childEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.ChildPolished:
            child = event.child()
            if isinstance(child, QWidget) and not child.isWindow():
                self._adopt([child])
        super().childEvent(event)

    def hitButton(self, position: object) -> bool:
        return position.y() <= self._header_height()

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 10

    def sizeHint(self) -> QSize:
        inner = QWidget.sizeHint(self)
        width = self.fontMetrics().horizontalAdvance(self.text) + 40
        height = 0 if self.collapsed else inner.height()
        return QSize(max(inner.width(), width), max(height, self._header_height()))

    minimumSizeHint = sizeHint

    def paintEvent(self, event: QPaintEvent) -> None:
        option = Option()
        option.initFrom(self)
        option.rect.setHeight(self._header_height() - 2)
        option.text = ("▼ " if self.checked else "▶ ") + self.text
        option.features = Option.None_
        painter = QStylePainter(self)
        painter.drawControl(QStyle.CE_PushButton, option)
        painter.end()
