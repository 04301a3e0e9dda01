"""Tables of rows: fixed columns, no grid, cells that hold a chip, a swatch or a bar."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from penstock_gui.theme import Theme, state_word
from penstock_gui.widgets.chip import CHIP_HEIGHT, chip_width, paint_chip

_FIRST = Qt.ItemDataRole.UserRole + 0x100
CHIP_ROLE = _FIRST  # status (str): a state chip with DisplayRole or the status's word
SWATCH_ROLE = _FIRST + 1  # routine colour index (int), drawn before the text
BAR_ROLE = _FIRST + 2  # 0 to 1, a bar drawn before the text
MONO_ROLE = _FIRST + 3  # bool: the text is code or a value
HELD_ROLE = _FIRST + 4  # bool, asked of column 0: the row is held by the debugger
ICON_ROLE = _FIRST + 5  # icon name (str) drawn before the text
ICON_COLOR_ROLE = _FIRST + 6  # its colour token
COLOR_ROLE = _FIRST + 7  # colour token of the text; "text" when absent
STRONG_ROLE = _FIRST + 8  # bool: the key of a row
PATH_ROLE = _FIRST + 9  # bool: the text is elided in the middle

_PAD = 8
_SWATCH = 9
_GLYPH = 14
_BAR_WIDTH = 40

Index = QModelIndex | QPersistentModelIndex


class RowTable(QTableView):
    """A table view set up for rows; give the widths with `set_columns` after the model."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._widths: tuple[int | None, ...] = ()
        self.hovered_row = -1
        self.setItemDelegate(CellDelegate(theme, self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setFont(theme.font("body"))
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._set_up_headers()
        theme.changed.connect(self.viewport().update)

    def set_columns(self, widths: Sequence[int | None]) -> None:
        """Fix the width of each column; the one that is None takes what is left."""
        self._widths = tuple(widths)
        self._apply_columns()

    def _set_up_headers(self) -> None:
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(self._theme.px("size.row"))
        rows.setDefaultSectionSize(self._theme.px("size.row"))
        columns.setFixedHeight(self._theme.px("size.row"))
        columns.setFont(self._theme.font("caption"))
        columns.setHighlightSections(False)
        columns.setSectionsClickable(False)
        columns.setMinimumSectionSize(24)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

    def _apply_columns(self) -> None:
        header = self.horizontalHeader()
        if header.count() < len(self._widths):
            return
        for column, width in enumerate(self._widths):
            if width is None:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
            else:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
                header.resizeSection(column, width)

    def _hover(self, row: int) -> None:
        if row == self.hovered_row:
            return
        for one in (self.hovered_row, row):
            if one >= 0:
                top, height = self.rowViewportPosition(one), self.rowHeight(one)
                self.viewport().update(QRect(0, top, self.viewport().width(), height))
        self.hovered_row = row

    def setModel(self, model: QAbstractItemModel | None) -> None:
        super().setModel(model)
        self._apply_columns()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.rowAt(round(event.position().y())))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)


class CellDelegate(QStyledItemDelegate):
    """Paints text, chip, swatch, bar and icon of a cell, as the roles of its model say."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        self._paint_ground(painter, option, index)
        rect = QRect(option.rect).adjusted(_PAD, 0, -_PAD, 0)
        chip = index.data(CHIP_ROLE)
        if chip is not None:
            self._paint_chip(painter, rect, str(chip), _text(index))
        else:
            self._paint_parts(painter, rect, index)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        text = _text(index)
        chip = index.data(CHIP_ROLE)
        if chip is not None:
            wide = chip_width(self._theme, text or state_word(str(chip)))
        else:
            wide = QFontMetricsF(self._font(index)).horizontalAdvance(text)
            wide += _SWATCH + 6 if index.data(SWATCH_ROLE) is not None else 0
            wide += _GLYPH + 6 if index.data(ICON_ROLE) is not None else 0
            wide += _BAR_WIDTH + 6 if index.data(BAR_ROLE) is not None else 0
        return QSize(round(wide) + 2 * _PAD + 1, self._theme.px("size.row"))

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, view = self._theme, option.widget
        held = bool(index.sibling(index.row(), 0).data(HELD_ROLE))
        focused = _has_focus(view)
        if option.state & QStyle.StateFlag.State_Selected:
            ground = "bg.selected" if focused else "bg.selected.inactive"
        elif held:
            ground = "held.bg"
        elif isinstance(view, RowTable) and view.hovered_row == index.row():
            ground = "bg.hover"
        else:
            return self._paint_focus(painter, option, index, focused)
        painter.fillRect(option.rect, theme.color(ground))
        if held and index.column() == 0:
            painter.fillRect(
                QRect(option.rect.left(), option.rect.top(), 3, option.rect.height()),
                theme.color("held.fill"),
            )
        return self._paint_focus(painter, option, index, focused)

    def _paint_focus(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index, focused: bool
    ) -> None:
        """A bar before the row the keyboard is on."""
        view = option.widget
        if not (focused and isinstance(view, QAbstractItemView) and index.column() == 0):
            return
        if view.currentIndex().row() == index.row():
            left = 3 if index.data(HELD_ROLE) else 0
            bar = QRect(option.rect.left() + left, option.rect.top(), 2, option.rect.height())
            painter.fillRect(bar, self._theme.color("accent"))

    def _paint_chip(self, painter: QPainter, rect: QRect, status: str, text: str) -> None:
        at = QPointF(rect.left(), rect.top() + (rect.height() - CHIP_HEIGHT) / 2)
        painter.setClipRect(rect)
        words = text or state_word(status)
        paint_chip(painter, self._theme, at, status, words, self._theme.color("bg.panel"))

    def _paint_parts(self, painter: QPainter, rect: QRect, index: Index) -> None:
        rect = self._paint_icon(painter, rect, index)
        rect = self._paint_swatch(painter, rect, index)
        rect = self._paint_bar(painter, rect, index)
        self._paint_text(painter, rect, index)

    def _paint_icon(self, painter: QPainter, rect: QRect, index: Index) -> QRect:
        name = index.data(ICON_ROLE)
        if name is None:
            return rect
        color = str(index.data(ICON_COLOR_ROLE) or "text.2")
        ratio = painter.device().devicePixelRatio()
        at = QPointF(rect.left(), rect.top() + (rect.height() - _GLYPH) / 2)
        painter.drawPixmap(at, self._theme.pixmap(str(name), color, _GLYPH, ratio))
        return rect.adjusted(_GLYPH + 6, 0, 0, 0)

    def _paint_swatch(self, painter: QPainter, rect: QRect, index: Index) -> QRect:
        color = index.data(SWATCH_ROLE)
        if color is None:
            return rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.routine_edge(int(color)), 1))
        painter.setBrush(self._theme.routine_color(int(color)))
        top = rect.top() + (rect.height() - _SWATCH) / 2
        painter.drawRoundedRect(QRectF(rect.left() + 0.5, top, _SWATCH, _SWATCH), 2, 2)
        painter.restore()
        return rect.adjusted(_SWATCH + 7, 0, 0, 0)

    def _paint_bar(self, painter: QPainter, rect: QRect, index: Index) -> QRect:
        part = index.data(BAR_ROLE)
        if part is None:
            return rect
        wide = min(_BAR_WIDTH, rect.width() // 2)
        high = self._theme.number("size.bar")
        track = QRectF(rect.left(), rect.top() + (rect.height() - high) / 2, wide, high)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for width, token in ((track.width(), "line"), (_filled(part) * wide, "accent.fill")):
            painter.setBrush(self._theme.color(token))
            if width > 0:
                painter.drawRoundedRect(
                    QRectF(track.left(), track.top(), width, high), high / 2, high / 2
                )
        painter.restore()
        return rect.adjusted(wide + 6, 0, 0, 0)

    def _paint_text(self, painter: QPainter, rect: QRect, index: Index) -> None:
        text = _text(index)
        if not text or rect.width() <= 0:
            return
        font = self._font(index)
        align = index.data(Qt.ItemDataRole.TextAlignmentRole)
        flags = Qt.AlignmentFlag(align) if align is not None else Qt.AlignmentFlag.AlignLeft
        shown = QFontMetricsF(font).elidedText(text, self._elide(index), rect.width())
        painter.setFont(font)
        painter.setPen(self._text_color(index))
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect, flags | vertical | Qt.TextFlag.TextSingleLine, shown)

    def _elide(self, index: Index) -> Qt.TextElideMode:
        """Paths keep both ends, other text its beginning."""
        middle = bool(index.data(PATH_ROLE))
        return Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight

    def _font(self, index: Index) -> QFont:
        if index.data(MONO_ROLE):
            return self._theme.font("mono")
        return self._theme.font("body.strong" if index.data(STRONG_ROLE) else "body")

    def _text_color(self, index: Index) -> QColor:
        return self._theme.color(str(index.data(COLOR_ROLE) or "text"))


def _has_focus(view: QWidget | None) -> bool:
    return view is not None and view.hasFocus()


def _text(index: Index) -> str:
    """One line: a table cell shows no line breaks."""
    value = index.data(Qt.ItemDataRole.DisplayRole)
    return "" if value is None else " ".join(str(value)[:2000].splitlines())


def _filled(part: object) -> float:
    return min(1.0, max(0.0, float(part)))  # type: ignore[arg-type]
