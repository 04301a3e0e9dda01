"""The lines of the log: bounded, filtered, newest on top."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from penstock_gui.docks.log.entry import LogEntry
from penstock_gui.widgets import CELL_ROLE, Cell, plain_tip
from penstock_gui.widgets.wording import clock_ms

HEADERS = ("Time", "From", "Message")
TIME, FROM, MESSAGE = range(3)
LIMIT = 10_000
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_Index = QModelIndex | QPersistentModelIndex
_NO_PARENT = QModelIndex()


class LogModel(QAbstractTableModel):
    """At most `limit` lines; what is older is dropped and counted.

    Both deques hold the newest line last; row 0 is the newest line.
    """

    def __init__(self, parent: QObject | None = None, limit: int = LIMIT) -> None:
        super().__init__(parent)
        self._limit = limit
        self._all: deque[LogEntry] = deque()
        self._shown: deque[LogEntry] = deque()
        self._words: tuple[str, ...] = ()
        self._failures_only = False
        self.dropped = 0
        self.failures = 0

    @property
    def total(self) -> int:
        """Lines kept, shown or filtered out."""
        return len(self._all)

    def append(self, entries: Sequence[LogEntry]) -> None:
        """Add a batch, oldest first, in at most one removal and one insertion of rows."""
        self.failures += sum(entry.is_failure for entry in entries)
        kept = entries[-self._limit :]
        self.dropped += len(entries) - len(kept)
        self._drop(len(self._all) + len(kept) - self._limit)
        self._all.extend(kept)
        shown = [entry for entry in kept if self._passes(entry)]
        if shown:
            self.beginInsertRows(_NO_PARENT, 0, len(shown) - 1)
            self._shown.extend(shown)
            self.endInsertRows()

    def clear(self) -> None:
        """Forget every line and all counts."""
        self.beginResetModel()
        self._all.clear()
        self._shown.clear()
        self.dropped = self.failures = 0
        self.endResetModel()

    def filter(self, text: str, failures_only: bool) -> None:
        """Show only lines in which all words of `text` occur, and only failures if asked."""
        words = tuple(text.lower().split())
        if (words, failures_only) == (self._words, self._failures_only):
            return
        self.beginResetModel()
        self._words, self._failures_only = words, failures_only
        self._shown = deque(entry for entry in self._all if self._passes(entry))
        self.endResetModel()

    def entry(self, row: int) -> LogEntry | None:
        """The line of a row, None beyond the table."""
        return self._shown[-1 - row] if 0 <= row < len(self._shown) else None

    def _passes(self, entry: LogEntry) -> bool:
        return (entry.is_failure or not self._failures_only) and entry.matches(self._words)

    def _drop(self, count: int) -> None:
        if count <= 0:
            return
        self.dropped += count
        old = [self._all.popleft() for _ in range(count)]
        gone = sum(self._passes(entry) for entry in old)
        if gone:
            rows = len(self._shown)
            self.beginRemoveRows(_NO_PARENT, rows - gone, rows - 1)
            for _ in range(gone):
                self._shown.popleft()
            self.endRemoveRows()

    def rowCount(self, parent: _Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(HEADERS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT
        return HEADERS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        if entry is None:
            return None
        column = index.column()
        if role == CELL_ROLE:
            return _cell(entry, column)
        if role == Qt.ItemDataRole.DisplayRole:
            return _cell(entry, column).text
        if role == Qt.ItemDataRole.ToolTipRole and column == MESSAGE:
            return plain_tip(entry.message)
        return None


def _cell(entry: LogEntry, column: int) -> Cell:
    if column == TIME:
        return Cell(clock_ms(entry.time), color="text.3", font="mono")
    if column == FROM:
        return Cell(entry.source, icon=entry.icon, icon_color=entry.color)
    return Cell(entry.message, color="text" if entry.is_failure else "text.2")
