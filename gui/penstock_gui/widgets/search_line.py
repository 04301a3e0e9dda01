"""A field to filter a list by typing."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QToolButton, QWidget

from penstock_gui.theme import Theme

_GLYPH = 14
_LEFT, _RIGHT = 24, 26


class SearchLine(QLineEdit):
    """A line edit with a lens; Escape or the cross empties it.

    Signals (besides `textChanged`):
        moved(int): up (-1) or down (+1) was pressed, for the list below.
    """

    moved = Signal(int)

    def __init__(self, theme: Theme, hint: str = "Filter", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("search")
        self.setPlaceholderText(hint)
        self.setAccessibleName(hint)
        self.setFont(theme.font("body"))
        self.setTextMargins(_LEFT - 8, 0, _RIGHT - 8, 0)
        self._lens = QLabel(self)
        self._lens.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._clear = QToolButton(self)
        self._clear.setObjectName("flat")
        self._clear.setIconSize(QSize(12, 12))
        self._clear.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._clear.setCursor(Qt.CursorShape.ArrowCursor)
        self._clear.setToolTip("Clear the filter (Esc)")
        self._clear.clicked.connect(self.clear)
        self._clear.hide()
        self.textChanged.connect(self._on_text_changed)
        self._draw()
        theme.changed.connect(self._draw)

    def _on_text_changed(self, text: str) -> None:
        self._clear.setVisible(bool(text))

    def _draw(self) -> None:
        ratio = self.devicePixelRatioF()
        self._lens.setPixmap(self._theme.pixmap("search", "text.3", _GLYPH, ratio))
        self._clear.setIcon(self._theme.icon("x", "text.3", 12))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.moved.emit(-1 if key == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        top = (self.height() - _GLYPH) // 2
        self._lens.setGeometry(QRect(8, top, _GLYPH, _GLYPH))
        self._clear.setGeometry(QRect(self.width() - 24, (self.height() - 20) // 2, 20, 20))
