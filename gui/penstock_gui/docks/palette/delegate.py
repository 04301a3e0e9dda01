"""Paints the palette's rows: headings, and types with swatch, name and one line about them."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from penstock_gui.docks.palette.model import ROW_ROLE, Entry, Heading
from penstock_gui.theme import Theme

_HEADING = 30
_ENTRY = 42
_LEFT = 12
_SWATCH = 9
_TEXT = 28
_GLYPH = 12


class PaletteDelegate(QStyledItemDelegate):
    """Draws `Heading` and `Entry` rows."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def _paint_heading(self, painter: QPainter, rect: QRect, heading: Heading) -> None:
        theme = self._theme
        chevron = "chevron-down" if heading.is_open else "chevron-right"
        ratio = painter.device().devicePixelRatio()
        top = rect.top() + (rect.height() - _GLYPH) / 2
        glyph = theme.pixmap(chevron, "text.3", _GLYPH, ratio)
        painter.drawPixmap(QPointF(rect.left() + 6, top), glyph)
        painter.setFont(theme.font("caption"))
        painter.setPen(theme.color("text.3"))
        count = QRect(rect).adjusted(0, 0, -_LEFT, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(count, middle | Qt.AlignmentFlag.AlignRight, heading.count)
        wide = QFontMetricsF(painter.font()).horizontalAdvance(heading.count) + 2 * _LEFT
        name = QRectF(rect).adjusted(24, 0, -wide, 0)
        font = theme.font("caption.strong")
        painter.setFont(font)
        painter.setPen(theme.color("text.2"))
        words = heading.module.upper() or "WITHOUT MODULE"
        shown = QFontMetricsF(font).elidedText(words, Qt.TextElideMode.ElideLeft, name.width())
        painter.drawText(name, middle | Qt.AlignmentFlag.AlignLeft, shown)

    def _paint_entry(self, painter: QPainter, rect: QRect, entry: Entry) -> None:
        self._paint_swatch(painter, rect, entry)
        wide = rect.width() - _TEXT - _LEFT
        name = QRectF(rect.left() + _TEXT, rect.top() + 4, wide, 17)
        self._paint_name(painter, name, entry)
        line = name.translated(0, 17)
        font = self._theme.font("caption")
        painter.setFont(font)
        painter.setPen(self._theme.color("state.failed" if entry.spec.error else "text.2"))
        shown = QFontMetricsF(font).elidedText(entry.line, Qt.TextElideMode.ElideRight, wide)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def _paint_swatch(self, painter: QPainter, rect: QRect, entry: Entry) -> None:
        """Filled in its colour when the flow has a routine of this type, else a ring."""
        theme = self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if entry.color is None:
            painter.setPen(QPen(theme.color("line.strong"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            painter.setPen(QPen(theme.routine_edge(entry.color), 1))
            painter.setBrush(theme.routine_color(entry.color))
        square = QRectF(rect.left() + _LEFT + 0.5, rect.top() + 8.5, _SWATCH - 1, _SWATCH - 1)
        painter.drawRoundedRect(square, 2, 2)

    def _paint_name(self, painter: QPainter, rect: QRectF, entry: Entry) -> None:
        theme, font = self._theme, self._theme.font("body.strong")
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        start, end = entry.match, entry.match + entry.matched
        found = start >= 0
        parts = (
            [(entry.name[:start], "text"), (entry.name[start:end], "accent")]
            if found
            else [(entry.name, "text")]
        )
        if found:
            parts.append((entry.name[end:], "text"))
        left = rect.left()
        painter.save()
        painter.setClipRect(rect)
        for text, color in parts:
            if entry.spec.error:
                color = "text.2"
            painter.setPen(theme.color(color))
            at = QRectF(left, rect.top(), rect.right() - left, rect.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
            left += metrics.horizontalAdvance(text)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, is_entry: bool
    ) -> None:
        theme, view, state = self._theme, option.widget, option.state
        has_focus = view.hasFocus()
        if state & QStyle.StateFlag.State_Selected and is_entry:
            ground = "bg.selected" if has_focus else "bg.selected.inactive"
        elif state & QStyle.StateFlag.State_MouseOver:
            ground = "bg.hover"
        else:
            ground = ""
        inner = QRectF(rect).adjusted(4, 0, -4, 0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if ground:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color(ground))
            painter.drawRoundedRect(inner, 4, 4)
        if has_focus and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(inner.adjusted(1, 1, -1, -1), 4, 4)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row, rect = index.data(ROW_ROLE), QRect(option.rect)
        painter.save()
        self._paint_ground(painter, option, rect, isinstance(row, Entry))
        if isinstance(row, Heading):
            self._paint_heading(painter, rect, row)
        elif isinstance(row, Entry):
            self._paint_entry(painter, rect, row)
        painter.restore()

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        tall = _HEADING if isinstance(index.data(ROW_ROLE), Heading) else _ENTRY
        return QSize(120, tall)
