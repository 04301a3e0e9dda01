"""The state chip: icon and word in the state's colour on a pill of its tint."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from penstock_gui.theme import Theme, state_color, state_icon, state_word

CHIP_HEIGHT = 18
_GLYPH = 12
_LEFT, _GAP, _RIGHT = 6, 4, 8


def chip_width(theme: Theme, text: str) -> float:
    """How wide `paint_chip` draws a chip of this text."""
    return (
        _LEFT + _GLYPH + _GAP + QFontMetricsF(theme.font("chip")).horizontalAdvance(text) + _RIGHT
    )


def paint_chip(
    painter: QPainter, theme: Theme, at: QPointF, status: str, text: str, base: QColor
) -> float:
    """Draw a chip with its upper left corner at ``at``; returns its width.

    ``base`` is the ground its tint is mixed over: the panel's or the node header's, also where
    the row is selected, or the contrast would be lost.
    """
    color = theme.color(state_color(status))
    width = chip_width(theme, text)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.mix(color, base, theme.number("tint.chip")))
    painter.drawRoundedRect(
        QRectF(at.x(), at.y(), width, CHIP_HEIGHT), CHIP_HEIGHT / 2, CHIP_HEIGHT / 2
    )
    glyph = theme.pixmap(state_icon(status), color, _GLYPH, painter.device().devicePixelRatio())
    painter.drawPixmap(at + QPointF(_LEFT, (CHIP_HEIGHT - _GLYPH) / 2), glyph)
    painter.setPen(color)
    painter.setFont(theme.font("chip"))
    left = _LEFT + _GLYPH + _GAP
    painter.drawText(
        QRectF(at.x() + left, at.y(), width - left, CHIP_HEIGHT),
        Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
        text,
    )
    painter.restore()
    return width


class StateChip(QWidget):
    """A chip as a widget; sized by its text."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._status = "idle"
        self._text = state_word("idle")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    @property
    def text(self) -> str:
        """The words shown."""
        return self._text

    @property
    def status(self) -> str:
        """The status whose icon and colour are shown."""
        return self._status

    def show_state(self, status: str, text: str = "") -> None:
        """Show a routine's, job's or thread's status, with its own word unless told another."""
        text = text or state_word(status)
        if (status, text) == (self._status, self._text):
            return
        self._status, self._text = status, text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(round(chip_width(self._theme, self._text) + 0.5), CHIP_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        base = self._theme.color("bg.panel")
        paint_chip(painter, self._theme, QPointF(0, 0), self._status, self._text, base)
        painter.end()
