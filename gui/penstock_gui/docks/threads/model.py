"""The table of threads, brought up to date row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from penstock.host import ThreadInfo
from penstock_gui.docks.threads.roles import place_of, role_of, short_name
from penstock_gui.theme import state_word
from penstock_gui.widgets import (
    CHIP_ROLE,
    COLOR_ROLE,
    ICON_COLOR_ROLE,
    ICON_ROLE,
    STRONG_ROLE,
    SWATCH_ROLE,
    plain_tip,
)
from penstock_gui.widgets.wording import NONE, duration, one_line

HEADERS = ("Thread", "State", "Job", "Routine", "Since")
THREAD, STATE, JOB, ROUTINE, SINCE = range(5)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_Index = QModelIndex | QPersistentModelIndex
_NO_PARENT = QModelIndex()
_Key = tuple[int, str, str]


class ThreadsModel(QAbstractTableModel):
    """Rows of live threads. Rows stay where they are while their thread lives.

    ``swatch`` gives the colour number of a routine in a job, None when it has no colour here.
    """

    def __init__(
        self, swatch: Callable[[str, str], int | None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._swatch = swatch
        self._rows: list[ThreadInfo] = []
        self._marked: tuple[str, frozenset[str]] = ("", frozenset())

    def update(self, threads: Iterable[ThreadInfo]) -> None:
        """Take the present threads: ended ones go, new ones are put in, others change in place."""
        now = sorted(threads, key=place_of)
        keys = {_key(info) for info in now}
        for row in range(len(self._rows) - 1, -1, -1):
            if _key(self._rows[row]) not in keys:
                self._remove(row)
        for row, info in enumerate(now):
            if row == len(self._rows) or _key(self._rows[row]) != _key(info):
                self._insert(row, info)
        self._change(now)

    def _remove(self, row: int) -> None:
        self.beginRemoveRows(_NO_PARENT, row, row)
        del self._rows[row]
        self.endRemoveRows()

    def _insert(self, row: int, info: ThreadInfo) -> None:
        self.beginInsertRows(_NO_PARENT, row, row)
        self._rows.insert(row, info)
        self.endInsertRows()

    def _change(self, now: list[ThreadInfo]) -> None:
        changed = [row for row, info in enumerate(now) if self._rows[row] != info]
        if changed:
            self._rows = now
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], SINCE))

    def mark(self, job_id: str | None, routines: frozenset[str]) -> None:
        """Set the threads in these routines of that job apart."""
        marked = (job_id or "", routines)
        if marked != self._marked:
            self._marked = marked
            if self._rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, SINCE))

    def is_marked(self, row: int) -> bool:
        """Whether the row's thread is in a marked routine."""
        info = self.info(row)
        job_id, routines = self._marked
        return info is not None and info.job_id == job_id and info.routine in routines

    def info(self, row: int) -> ThreadInfo | None:
        """The thread of a row, None beyond the table."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def rowCount(self, parent: _Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(HEADERS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section == SINCE else _LEFT
        return HEADERS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        info = self.info(index.row())
        if info is None:
            return None
        column = index.column()
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _text(info, column)
            case Qt.ItemDataRole.ToolTipRole:
                return _tooltip(info)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if column == SINCE else _LEFT
            case _:
                return self._painted(index.row(), info, column, role)

    def _color(self, row: int, info: ThreadInfo, column: int) -> str:
        if column == THREAD or (column == ROUTINE and info.routine):
            return "accent" if self.is_marked(row) else "text"
        return "text.3" if _text(info, column) == NONE else "text.2"

    def _painted(self, row: int, info: ThreadInfo, column: int, role: int) -> Any:
        if role == COLOR_ROLE:
            return self._color(row, info, column)
        if role == ICON_ROLE and column == THREAD:
            return role_of(info).icon
        if role == ICON_COLOR_ROLE:
            return "text.3"
        if role == STRONG_ROLE:
            return self.is_marked(row)
        if role == CHIP_ROLE and column == STATE:
            return info.state or None
        if role == SWATCH_ROLE and column == ROUTINE and info.routine:
            return self._swatch(info.job_id, info.routine)
        return None


def _key(info: ThreadInfo) -> _Key:
    return info.ident, info.name, info.role


def _text(info: ThreadInfo, column: int) -> str:
    match column:
        case 0:
            return one_line(short_name(info), 80)
        case 1:
            return state_word(info.state) if info.state else NONE
        case 2:
            return f"#{info.job_id}" if info.job_id else NONE
        case 3:
            return one_line(info.routine, 80) or role_of(info).work or NONE
        case _:
            return NONE if info.since is None else duration(info.since)


def _tooltip(info: ThreadInfo) -> str:
    kind = "daemon" if info.daemon else "not a daemon: the process waits for it at its end"
    name = one_line(info.name, 200)
    return plain_tip(f"{name}\n{role_of(info).meaning}\nnumber {info.ident}, {kind}")
