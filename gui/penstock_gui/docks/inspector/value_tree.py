"""The inside of one value, as a tree for the keyboard and the mouse."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from penstock_gui.docks.inspector.pages import Row
from penstock_gui.docks.inspector.value_model import ROW_ROLE, Index, ValueModel
from penstock_gui.theme import Theme

MOST_ROWS = 12
_INDENT = 14
_PAD = 4
_GAP = 8
_LABEL_PART = 0.45
_WRAPPED = int(Qt.AlignmentFlag.AlignLeft) | int(Qt.TextFlag.TextWrapAnywhere)
_LINE = int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextSingleLine)


class ValueTree(QTreeView):
    """Shows a `ValueModel`, as high as its rows need, up to `MOST_ROWS` lines.

    A click or Enter on the offer of more fetches it; a click on a row that opens, opens it.

    Signals:
        left(): the keyboard leaves to the left, from the outermost level
    """

    left = Signal()

    def __init__(self, theme: Theme, model: ValueModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model
        self.setModel(model)
        self.setItemDelegate(_ValueDelegate(theme, self))
        self.setHeaderHidden(True)
        self.setIndentation(_INDENT)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFont(theme.font("mono"))
        self.setMouseTracking(True)
        self.setExpandsOnDoubleClick(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.expanded.connect(model.open)
        self.expanded.connect(self._fit)
        self.collapsed.connect(self._fit)
        self.clicked.connect(self._on_clicked)
        model.rowsInserted.connect(self._on_rows_inserted)
        model.rowsRemoved.connect(self._fit)
        theme.changed.connect(self.viewport().update)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._on_clicked(index)
        elif event.key() == Qt.Key.Key_Left and self._is_outermost(index):
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.doItemsLayout()  # text is wrapped anew
            self._fit()

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Scroll to it, also whatever this tree lies in."""
        super().currentChanged(current, previous)
        if not (current.isValid() and self.hasFocus()):
            return
        self.scrollTo(current)
        around = self.parentWidget()
        while around is not None and not isinstance(around, QScrollArea):
            around = around.parentWidget()
        page = around.widget() if around is not None else None
        if around is not None and page is not None:
            seen = self.visualRect(current).intersected(self.viewport().rect())
            for corner in (seen.bottomLeft(), seen.topLeft()):
                place = self.viewport().mapTo(page, corner)
                around.ensureVisible(place.x(), place.y(), 0, self._theme.px("size.row"))

    def _is_outermost(self, index: QModelIndex) -> bool:
        return not index.isValid() or (not index.parent().isValid() and not self.isExpanded(index))

    def _on_clicked(self, index: QModelIndex) -> None:
        row = self._model.row_of(index)
        if row.kind == "more":
            self._model.more(index)
        elif row.opens and index.isValid():
            self.setExpanded(index, not self.isExpanded(index))

    def _on_rows_inserted(self, parent: QModelIndex, first: int, last: int) -> None:
        """The keyboard goes on at what has taken the place of a note."""
        self._fit()
        if self.hasFocus() and not self.currentIndex().isValid():
            self.setCurrentIndex(self._model.index(first, 0, parent))

    def _fit(self) -> None:
        """As high as the rows are."""
        line = self._theme.px("size.row")
        most, high = MOST_ROWS * line, 0
        index = self._model.index(0, 0)
        while index.isValid() and high < most:
            high += self.rowHeight(index)
            index = self.indexBelow(index)
        self.setFixedHeight(max(line, min(high, most)))


class _ValueDelegate(QStyledItemDelegate):
    """Paints a label and a value beside it; of a text all of it, below itself."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._label_font, self._value_font = theme.font("body"), theme.font("mono")
        self._label_metrics = QFontMetrics(self._label_font)
        self._value_metrics = QFontMetrics(self._value_font)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: Row = index.data(ROW_ROLE)
        painter.save()
        ground = self._ground(option)
        if ground:
            painter.fillRect(option.rect, self._theme.color(ground))
        rect = option.rect.adjusted(_PAD, 0, -_PAD, 0)
        if row.label:
            rect = self._paint_label(painter, rect, row.label)
        painter.setPen(self._theme.color(row.color))
        if row.kind in ("more", "note"):
            painter.setFont(self._label_font)
            shown = self._label_metrics.elidedText(row.text, _RIGHT, rect.width())
            painter.drawText(rect, _LINE, shown)
        elif row.kind == "text":
            painter.setFont(self._value_font)
            painter.drawText(rect, _WRAPPED, row.text)
        else:
            painter.setFont(self._value_font)
            painter.drawText(
                rect, _LINE, self._value_metrics.elidedText(row.text, _RIGHT, rect.width())
            )
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        row: Row = index.data(ROW_ROLE)
        line = self._theme.px("size.row")
        if row.kind != "text":
            return QSize(0, line)
        room = QRect(0, 0, self._room(index), 1 << 20)
        high = self._value_metrics.boundingRect(room, _WRAPPED, row.text).height()
        return QSize(0, max(self._value_metrics.lineSpacing(), high))

    def _room(self, index: Index) -> int:
        """How wide a row's text may be."""
        view, level = self.parent(), 1
        above = index.parent()
        while above.isValid():
            level, above = level + 1, above.parent()
        wide = view.viewport().width() if isinstance(view, QTreeView) else 0
        return max(40, wide - level * _INDENT - 2 * _PAD)

    def _ground(self, option: QStyleOptionViewItem) -> str:
        if option.state & QStyle.StateFlag.State_Selected:
            focused = option.widget.hasFocus()
            return "bg.selected" if focused else "bg.selected.inactive"
        return "bg.hover" if option.state & QStyle.StateFlag.State_MouseOver else ""

    def _paint_label(self, painter: QPainter, rect: QRect, label: str) -> QRect:
        """The label, and the room that is left."""
        most = round(rect.width() * _LABEL_PART)
        shown = self._label_metrics.elidedText(label, Qt.TextElideMode.ElideMiddle, most)
        painter.setFont(self._label_font)
        painter.setPen(self._theme.color("text.2"))
        painter.drawText(rect, _LINE, shown)
        return rect.adjusted(self._label_metrics.horizontalAdvance(shown) + _GAP, 0, 0, 0)


_RIGHT = Qt.TextElideMode.ElideRight
