"""Models of tables whose cells are `Cell`s, and of those that keep a bounded number of lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from penstock_gui.widgets.cell import CELL_ROLE, Cell, Index
from penstock_gui.widgets.plain_label import plain_tip

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
NO_PARENT = QModelIndex()
Line = TypeVar("Line")


class CellModel(QAbstractTableModel):
    """A table that says its cells in one piece; a subclass gives `count`, `cell` and `tip`.

    ``right`` are the columns whose header stands at the right, as numbers do.
    """

    def __init__(
        self, headers: Sequence[str], right: Container[int] = (), parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._headers = tuple(headers)
        self._right = right

    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def cell(self, row: int, column: int) -> Cell:
        """What is shown; asked for rows that are there."""
        raise NotImplementedError

    def tip(self, row: int, column: int) -> str:
        """More of it as plain text, "" for no more."""
        raise NotImplementedError

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else self.count()

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._headers)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in self._right else _LEFT
        return self._headers[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = index.row(), index.column()
        if not 0 <= row < self.count():
            return None
        if role == CELL_ROLE:
            return self.cell(row, column)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.cell(row, column).text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self.tip(row, column)) or None
        return None


class LineModel(CellModel, Generic[Line]):
    """At most `limit` lines, the newest at the end or on top; what is older is dropped and counted.

    A subclass says which lines are shown (`passes`) and has them filtered anew (`refilter`) when
    that is another; what else it keeps of lines, it notes as they are shown and dropped.
    """

    def __init__(
        self,
        headers: Sequence[str],
        limit: int,
        *,
        newest_on_top: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(headers, parent=parent)
        self._limit = limit
        self._on_top = newest_on_top
        self._all: deque[Line] = deque()
        self._shown: deque[Line] = deque()  # the newest last, whatever row it is in
        self.dropped = 0

    @property
    def total(self) -> int:
        """Lines kept, shown or filtered out."""
        return len(self._all)

    def passes(self, line: Line) -> bool:
        """Whether the line is shown."""
        raise NotImplementedError

    def note_shown(self, lines: Sequence[Line]) -> None:
        """These are shown from now on, oldest first."""

    def note_dropped(self, lines: Sequence[Line]) -> None:
        """These are kept no more, or never were, oldest first."""

    def append(self, lines: Sequence[Line]) -> None:
        """Add a batch, oldest first, in at most one removal and one insertion of rows."""
        kept = lines[-self._limit :]
        self._count_dropped(lines[: len(lines) - len(kept)])
        self._drop(len(self._all) + len(kept) - self._limit)
        self._all.extend(kept)
        shown = [line for line in kept if self.passes(line)]
        if not shown:
            return
        first = 0 if self._on_top else len(self._shown)
        self.beginInsertRows(NO_PARENT, first, first + len(shown) - 1)
        self._shown.extend(shown)
        self.note_shown(shown)
        self.endInsertRows()

    def clear(self) -> None:
        """Forget every line and how many were dropped."""
        self.beginResetModel()
        self._all.clear()
        self._shown.clear()
        self.dropped = 0
        self.endResetModel()

    def refilter(self) -> None:
        """Show the lines that pass now."""
        self.beginResetModel()
        shown = [line for line in self._all if self.passes(line)]
        self._shown = deque(shown)
        self.note_shown(shown)
        self.endResetModel()

    def line(self, row: int) -> Line | None:
        """The line of a row, None beyond the table."""
        return self._shown[self._place(row)] if 0 <= row < len(self._shown) else None

    def count(self) -> int:
        return len(self._shown)

    def _place(self, row: int) -> int:
        """Where among the shown lines that of a row is, and the other way round."""
        return len(self._shown) - 1 - row if self._on_top else row

    def _count_dropped(self, lines: Sequence[Line]) -> None:
        self.dropped += len(lines)
        self.note_dropped(lines)

    def _drop(self, count: int) -> None:
        if count <= 0:
            return
        old = [self._all.popleft() for _ in range(count)]
        self._count_dropped(old)
        known = {id(line) for line in old}
        gone = 0
        while gone < len(self._shown) and id(self._shown[gone]) in known:
            gone += 1
        if gone:
            first, last = sorted((self._place(0), self._place(gone - 1)))
            self.beginRemoveRows(NO_PARENT, first, last)
            for _ in range(gone):
                self._shown.popleft()
            self.endRemoveRows()
