"""A line above the canvas: a glyph, plain text that wraps, and room for buttons."""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel


class Banner(QWidget):
    """Hidden until there is something to say; edged and marked in the colour of `token`."""

    def __init__(
        self,
        theme: Theme,
        token: str,
        parent: QWidget | None = None,
        *,
        icon: str = "triangle-alert",
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._token = token
        self._icon = icon
        self._glyph = QLabel()
        self._text = PlainLabel(theme, wrap=True)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 6, 6, 6)
        self._row.setSpacing(8)
        self._row.addWidget(self._glyph)
        self._row.addWidget(self._text, 1)
        theme.changed.connect(self._tint)
        self._tint()
        self.hide()

    @property
    def text(self) -> str:
        """What is said now."""
        return self._text.text()

    def _tint(self) -> None:
        ratio = self.devicePixelRatioF()
        self._glyph.setPixmap(self._theme.pixmap(self._icon, self._token, 16, ratio))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.color("bg.raised"))
        painter.fillRect(0, 0, 3, self.height(), self._theme.color(self._token))
        painter.fillRect(0, self.height() - 1, self.width(), 1, self._theme.color("line"))
        painter.end()
