"""A label that shows text as it is: nothing in it is ever read as markup."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QWidget

from penstock_gui.theme import Theme

MAX_SHOWN = 10_000


def plain_tip(text: str) -> str:
    """A tooltip for foreign text: Qt guesses whether one is markup, so this is, escaped."""
    return f'<p style="white-space:pre-wrap">{escape(text)}</p>' if text else ""


def safe_tip(text: str) -> str:
    """A tooltip of ours that may quote a foreign name: escaped if Qt could take it for markup."""
    return plain_tip(text) if "<" in text else text


class PlainLabel(QLabel):
    """Plain, selectable text in a colour and font of the theme."""

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        *,
        color: str = "text",
        font: str = "body",
        wrap: bool = False,
        selectable: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._color = color
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme.font(font))
        self.setWordWrap(wrap)
        if selectable:
            self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setText(text)
        self._paint_text()
        theme.changed.connect(self._paint_text)

    def set_color(self, token: str) -> None:
        """Show the text in another colour of the theme."""
        if token != self._color:
            self._color = token
            self._paint_text()

    def setText(self, text: str) -> None:
        """Show the text; what is over `MAX_SHOWN` characters is cut."""
        shown = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
        if shown != self.text():
            super().setText(shown)

    def _paint_text(self) -> None:
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.WindowText, self._theme.color(self._color))
        self.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        """A style sheet gives a label that gets another parent the palette it was polished with."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._paint_text()
