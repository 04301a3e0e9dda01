"""One line that is cut where its room ends."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets.plain_label import plain_tip

_LEAST_WIDTH = 24


class ElidedLabel(QWidget):
    """Plain text on one line, with an ellipsis where its room ends; the tip has all of it.

    It takes the width it is given and paints its text itself: another text lays out nothing.
    """

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        *,
        color: str = "text",
        font: str = "body",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._color = color
        self._full = ""
        self._mode = mode
        self._align = Qt.AlignmentFlag.AlignLeft
        self.setFont(theme.font(font))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)
        self.show_text(text)

    @property
    def full_text(self) -> str:
        """The text without ellipsis."""
        return self._full

    def text(self) -> str:
        """The text as shown, maybe with an ellipsis."""
        return QFontMetrics(self.font()).elidedText(self._full, self._mode, self.width())

    def show_text(self, text: str, tip: str = "") -> None:
        """Show another text; `tip` goes above it in the tool tip."""
        whole = plain_tip(f"{tip}\n{text}" if tip else text)
        if text != self._full or whole != self.toolTip():
            self._full = text
            self.setToolTip(whole)
            self.setAccessibleName(text)
            self.update()

    def set_mode(self, mode: Qt.TextElideMode) -> None:
        """Cut elsewhere: a path in the middle, as its end tells it from others."""
        if mode != self._mode:
            self._mode = mode
            self.update()

    def set_color(self, token: str) -> None:
        """Show the text in another colour of the theme."""
        if token != self._color:
            self._color = token
            self.update()

    def set_right(self) -> None:
        """Stand at the right end of the room."""
        self._align = Qt.AlignmentFlag.AlignRight

    def sizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, QFontMetrics(self.font()).height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(self._theme.color(self._color))
        flags = self._align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
        painter.drawText(QRectF(self.rect()), flags, self.text())
        painter.end()
