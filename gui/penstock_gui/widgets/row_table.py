"""Tables of rows: fixed columns, no grid, cells that hold a chip, a swatch or a bar."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractItemModel, QEvent, QRect, Qt
from PySide6.QtGui import QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets.cell_delegate import CellDelegate


class RowTable(QTableView):
    """A table view set up for rows; give the widths with `set_columns` after the model."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._widths: tuple[int | None, ...] = ()
        self._cells = CellDelegate(theme, self)
        self.setItemDelegate(self._cells)
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

    @property
    def hovered_row(self) -> int:
        """The row under the pointer, -1 when there is none."""
        return self._cells.hovered_row

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
        before = self._cells.hovered_row
        if row == before:
            return
        for one in (before, row):
            if one >= 0:
                top, height = self.rowViewportPosition(one), self.rowHeight(one)
                self.viewport().update(QRect(0, top, self.viewport().width(), height))
        self._cells.hovered_row = row

    def setModel(self, model: QAbstractItemModel | None) -> None:
        super().setModel(model)
        self._apply_columns()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Overridden so that the cells are painted in one turn at the interpreter."""
        super().paintEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.rowAt(round(event.position().y())))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)
