"""Rows whose values can be opened, and which values of the engine are open."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import QObject, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QVBoxLayout, QWidget

from penstock.host import HostGone, ValuePage
from penstock_gui.docks.inspector.pages import title
from penstock_gui.docks.inspector.parts import PAD
from penstock_gui.docks.inspector.value_model import ValueModel
from penstock_gui.docks.inspector.value_tree import ValueTree
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel

_GLYPH = 10


class OpenValues(QObject):
    """Asks for pages, and releases a value when the last one who shows it has closed it.

    Signals:
        told(ValuePage)
        lost(): what was asked for won't come any more
    """

    told = Signal(object)
    lost = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = session.client
        self._shown: Counter[int] = Counter()
        session.bridge.page_told.connect(self.told)
        session.bridge.host_gone.connect(self._on_host_gone)

    def open(self, reference: int) -> None:
        """One more shows the value."""
        self._shown[reference] += 1

    def page(
        self, reference: int, path: tuple[int, ...], offset: int, count: int
    ) -> ValuePage | None:
        """Ask for a page; it is told, or given at once where nobody will answer."""
        return self._client.page(reference, path, offset, count)

    def close(self, reference: int) -> None:
        """One less shows the value."""
        self._shown[reference] -= 1
        if self._shown[reference] <= 0:
            del self._shown[reference]
            self._client.release(reference)

    def _on_host_gone(self, gone: HostGone) -> None:
        self.lost.emit()


class Expander(QAbstractButton):
    """The small arrow before what can be opened. Right and Left open and close, as in a tree.

    Signals:
        entered(): to the right of what is open already
    """

    entered = Signal()

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(f"Look inside {name}")
        self.setFixedSize(PAD, 16)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        theme.changed.connect(self.update)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Right and self.isChecked():
            self.entered.emit()
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Left):
            self.setChecked(key == Qt.Key.Key_Right)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        icon = "chevron-down" if self.isChecked() else "chevron-right"
        color = "text" if self.underMouse() else "text.2"
        ratio = self.devicePixelRatioF()
        top = (self.height() - _GLYPH) // 2
        painter.drawPixmap(0, top, self._theme.pixmap(icon, color, _GLYPH, ratio))
        if self.hasFocus():
            painter.setPen(QPen(self._theme.color("accent"), 2))
            painter.drawRect(QRect(1, 1, self.width() - 2, self.height() - 2))
        painter.end()


class Opening(QWidget):
    """A row with an arrow before it, and below it, once opened, what is inside its value.

    The value that was opened stays until it is closed, also when the row shows a newer one. A
    click anywhere on the row opens and closes.
    """

    def __init__(
        self, theme: Theme, values: OpenValues, row: QWidget, name: str, *, low: bool = False
    ) -> None:
        super().__init__()
        self._theme = theme
        self._values = values
        self._offered = 0, 0, ""
        self._opened = 0, 0
        self.tree: ValueTree | None = None
        self.caption: PlainLabel | None = None
        self._model: ValueModel | None = None
        self.row = row
        self.expander = Expander(theme, name)
        self.expander.toggled.connect(self._on_toggled)
        self.expander.entered.connect(self._enter)
        self.expander.hide()
        line = QHBoxLayout()
        line.setSpacing(0)
        where = Qt.AlignmentFlag.AlignBottom if low else Qt.AlignmentFlag.AlignVCenter
        line.addWidget(self.expander, 0, where)
        line.addWidget(row, 1)
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(4)
        self._box.addLayout(line)
        values.told.connect(self._on_told)
        values.lost.connect(self._on_lost)

    def offer(self, reference: int, number: int = 0, type_name: str = "") -> None:
        """What would be opened now: a value, the number of its message; 0 for none."""
        self._offered = reference, number, type_name
        self.expander.setVisible(bool(reference) or self.tree is not None)
        self._say()

    def close_value(self) -> None:
        """Show the inside no more, and let the value go."""
        self.expander.setChecked(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Its first click has done it."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        on_row = self.row.geometry().contains(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and on_row and self.expander.isVisible():
            self.expander.toggle()
        else:
            super().mousePressEvent(event)

    def _on_toggled(self, opens: bool) -> None:
        if opens:
            self._open()
        else:
            self._close()

    def _open(self) -> None:
        reference, number, type_name = self._offered
        self._opened = reference, number
        self._values.open(reference)

        def ask(path: tuple[int, ...], offset: int, count: int) -> ValuePage | None:
            return self._values.page(reference, path, offset, count)

        self.caption = PlainLabel(self._theme, color="text.3", font="caption", wrap=True)
        self.caption.setContentsMargins(PAD, 0, 0, 0)
        self._box.addWidget(self.caption)
        self._model = ValueModel(type_name, ask, self)
        self.tree = ValueTree(self._theme, self._model, self)
        self.tree.setAccessibleName(self.expander.accessibleName())
        self.tree.left.connect(self.expander.setFocus)
        self._box.addWidget(self.tree)
        self._model.open()
        self._say()

    def _close(self) -> None:
        if self.tree is not None and self.tree.hasFocus():
            self.expander.setFocus()
        for widget in (self.tree, self.caption):
            if widget is not None:
                self._box.removeWidget(widget)
                widget.hide()
                widget.setParent(None)
                widget.deleteLater()
        if self._model is not None:
            self._model.deleteLater()
        self.tree = self.caption = self._model = None
        self._values.close(self._opened[0])
        self.expander.setVisible(bool(self._offered[0]))

    def _enter(self) -> None:
        if self.tree is not None and self._model is not None:
            self.tree.setFocus()
            if not self.tree.currentIndex().isValid():
                self.tree.setCurrentIndex(self._model.index(0, 0))

    def _on_told(self, page: ValuePage) -> None:
        if self._model is not None and page.reference == self._opened[0]:
            self._model.take(page)
            self._say()

    def _on_lost(self) -> None:
        if self._model is not None:
            self._model.lose()

    def _say(self) -> None:
        """Which message is open, what it is, and whether the row shows another one."""
        if self._model is None or self.caption is None:
            return
        words = [f"message {self._opened[1]:,}"]
        page = self._model.first
        if page is not None and page.kept:
            words.append(title(page.value, page.kind, page.total))
        if self._offered[1] != self._opened[1]:
            words.append("a newer one has come")
        self.caption.setText(" · ".join(words))
