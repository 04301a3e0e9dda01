"""Paints the cells of tables."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from penstock_gui.theme import Theme, state_word
from penstock_gui.widgets.cell import Cell, Index, cell_of
from penstock_gui.widgets.chip import CHIP_HEIGHT, chip_width, paint_chip

PAD = 8
_SWATCH = 9
_GLYPH = 14
_BAR_WIDTH = 40
_KEPT = 500
_LINE = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
_LEFT = int(_LINE | Qt.AlignmentFlag.AlignLeft)
_RIGHT = int(_LINE | Qt.AlignmentFlag.AlignRight)


class CellDelegate(QStyledItemDelegate):
    """Paints text, chip, swatch, bar and icon of a cell as its model says.

    Chips and elided texts repeat from row to row and from second to second, so both are kept.
    ``hovered_row`` is the row under the pointer.
    """

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.hovered_row = -1
        self._metrics: dict[str, QFontMetricsF] = {}
        self._elided: dict[tuple[str, str, int, bool], str] = {}
        self._chips: dict[tuple[str, str, float], QPixmap] = {}
        theme.changed.connect(self._chips.clear)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        cell = cell_of(index)
        self._paint_ground(painter, option, index, cell.held)
        rect = QRect(option.rect).adjusted(PAD, 0, -PAD, 0)
        if cell.chip is not None:
            self._paint_chip(painter, rect, cell.chip, cell.text)
        else:
            self._paint_parts(painter, rect, cell)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        cell = cell_of(index)
        if cell.chip is not None:
            wide = chip_width(self._theme, cell.text or state_word(cell.chip))
        else:
            wide = self._measure(cell.font).horizontalAdvance(cell.text)
            wide += _SWATCH + 6 if cell.swatch is not None else 0
            wide += _GLYPH + 6 if cell.icon is not None else 0
            wide += _BAR_WIDTH + 6 if cell.bar is not None else 0
        return QSize(round(wide) + 2 * PAD + 1, self._theme.px("size.row"))

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index, held: bool
    ) -> None:
        view = option.widget
        focused = isinstance(view, QAbstractItemView) and view.hasFocus()
        ground = ""
        if option.state & QStyle.StateFlag.State_Selected:
            ground = "bg.selected" if focused else "bg.selected.inactive"
        elif held:
            ground = "held.bg"
        elif self.hovered_row == index.row():
            ground = "bg.hover"
        if ground:
            painter.fillRect(option.rect, self._theme.color(ground))
        if index.column() == 0:
            if held and ground:
                self._paint_edge(painter, option.rect, 0, 3, "held.fill")
            if focused and isinstance(view, QAbstractItemView):
                self._mark_current(painter, option.rect, view, index, 3 if held else 0)

    def _mark_current(
        self, painter: QPainter, rect: QRect, view: QAbstractItemView, index: Index, left: int
    ) -> None:
        """A bar before the row the keyboard is on."""
        if view.currentIndex().row() == index.row():
            self._paint_edge(painter, rect, left, 2, "accent")

    def _paint_edge(self, painter: QPainter, rect: QRect, left: int, wide: int, color: str) -> None:
        bar = QRect(rect.left() + left, rect.top(), wide, rect.height())
        painter.fillRect(bar, self._theme.color(color))

    def _paint_chip(self, painter: QPainter, rect: QRect, status: str, text: str) -> None:
        words = text or state_word(status)
        ratio = painter.device().devicePixelRatio()
        chip = self._chips.get((status, words, ratio))
        if chip is None:
            chip = self._draw_chip(status, words, ratio)
        painter.setClipRect(rect)
        top = rect.top() + (rect.height() - CHIP_HEIGHT) / 2
        painter.drawPixmap(QPointF(rect.left(), top), chip)

    def _draw_chip(self, status: str, words: str, ratio: float) -> QPixmap:
        if len(self._chips) >= _KEPT:
            self._chips.clear()
        wide = round(chip_width(self._theme, words) + 1)
        chip = QPixmap(round(wide * ratio), round(CHIP_HEIGHT * ratio))
        chip.setDevicePixelRatio(ratio)
        chip.fill(Qt.GlobalColor.transparent)
        painter = QPainter(chip)
        base = self._theme.color("bg.panel")
        paint_chip(painter, self._theme, QPointF(0, 0), status, words, base)
        painter.end()
        self._chips[status, words, ratio] = chip
        return chip

    def _paint_parts(self, painter: QPainter, rect: QRect, cell: Cell) -> None:
        if cell.icon is not None:
            rect = self._paint_icon(painter, rect, cell.icon, cell.icon_color)
        if cell.swatch is not None:
            rect = self._paint_swatch(painter, rect, cell.swatch)
        if cell.bar is not None:
            rect = self._paint_bar(painter, rect, min(1.0, max(0.0, cell.bar)))
        if cell.text and rect.width() > 0:
            painter.setFont(self._theme.font(cell.font))
            painter.setPen(self._theme.color(cell.color))
            painter.drawText(rect, _RIGHT if cell.right else _LEFT, self._elide(cell, rect.width()))

    def _paint_icon(self, painter: QPainter, rect: QRect, name: str, color: str) -> QRect:
        ratio = painter.device().devicePixelRatio()
        at = QPointF(rect.left(), rect.top() + (rect.height() - _GLYPH) / 2)
        painter.drawPixmap(at, self._theme.pixmap(name, color, _GLYPH, ratio))
        return rect.adjusted(_GLYPH + 6, 0, 0, 0)

    def _paint_swatch(self, painter: QPainter, rect: QRect, color: int) -> QRect:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.routine_edge(color), 1))
        painter.setBrush(self._theme.routine_color(color))
        top = rect.top() + (rect.height() - _SWATCH) / 2
        painter.drawRoundedRect(QRectF(rect.left() + 0.5, top, _SWATCH, _SWATCH), 2, 2)
        painter.restore()
        return rect.adjusted(_SWATCH + 7, 0, 0, 0)

    def _paint_bar(self, painter: QPainter, rect: QRect, part: float) -> QRect:
        wide = min(_BAR_WIDTH, rect.width() // 2)
        high = self._theme.number("size.bar")
        top = rect.top() + (rect.height() - high) / 2
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for width, token in ((float(wide), "line"), (part * wide, "accent.fill")):
            if width > 0:
                painter.setBrush(self._theme.color(token))
                painter.drawRoundedRect(QRectF(rect.left(), top, width, high), high / 2, high / 2)
        painter.restore()
        return rect.adjusted(wide + 6, 0, 0, 0)

    def _elide(self, cell: Cell, width: int) -> str:
        """The text as far as there is room: paths keep both ends, other text its beginning."""
        key = (cell.text, cell.font, width, cell.is_path)
        shown = self._elided.get(key)
        if shown is None:
            if len(self._elided) >= _KEPT:
                self._elided.clear()
            mode = Qt.TextElideMode.ElideMiddle if cell.is_path else Qt.TextElideMode.ElideRight
            shown = self._measure(cell.font).elidedText(cell.text, mode, width)
            self._elided[key] = shown
        return shown

    def _measure(self, font: str) -> QFontMetricsF:
        if font not in self._metrics:
            self._metrics[font] = QFontMetricsF(self._theme.font(font))
        return self._metrics[font]
