"""The table of threads, brought up to date row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject

from penstock.host import ThreadInfo
from penstock_gui.docks.threads.roles import meaning_of, place_of, role_of, short_name
from penstock_gui.theme import state_word
from penstock_gui.widgets import NO_PARENT, Cell, CellModel
from penstock_gui.widgets.wording import NONE, duration, one_line

HEADERS = ("Thread", "State", "Job", "Routine", "Since")
THREAD, STATE, JOB, ROUTINE, SINCE = range(5)
_Key = tuple[int, str, str]
_Cells = tuple[Cell, ...]


class ThreadsModel(CellModel):
    """Rows of live threads. Rows stay where they are while their thread lives.

    Only cells that look different are told as changed: the window has little time to paint while
    routines compute. ``swatch`` gives the colour number of a routine in a job, None when it has
    no colour here.
    """

    def __init__(
        self, swatch: Callable[[str, str], int | None], parent: QObject | None = None
    ) -> None:
        super().__init__(HEADERS, (SINCE,), parent)
        self._swatch = swatch
        self._rows: list[ThreadInfo] = []
        self._cells: list[_Cells] = []
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
        self._rows = now
        self._show()

    def _remove(self, row: int) -> None:
        self.beginRemoveRows(NO_PARENT, row, row)
        del self._rows[row], self._cells[row]
        self.endRemoveRows()

    def _insert(self, row: int, info: ThreadInfo) -> None:
        self.beginInsertRows(NO_PARENT, row, row)
        self._rows.insert(row, info)
        self._cells.insert(row, self._cells_of(info))
        self.endInsertRows()

    def _show(self) -> None:
        """Make all cells anew and tell which differ."""
        for row, info in enumerate(self._rows):
            before, self._cells[row] = self._cells[row], self._cells_of(info)
            for column, cell in enumerate(self._cells[row]):
                if cell != before[column]:
                    index = self.index(row, column)
                    self.dataChanged.emit(index, index)

    def _cells_of(self, info: ThreadInfo) -> _Cells:
        role = role_of(info)
        marked = self._is_marked(info)
        name, routine = one_line(short_name(info), 80), one_line(info.routine, 80)
        color, font = ("accent", "body.strong") if marked else ("text", "body")
        return (
            Cell(name, icon=role.icon, icon_color="text.3", color=color, font=font),
            Cell(state_word(info.state), chip=info.state) if info.state else _NOTHING,
            Cell(f"#{info.job_id}", color="text.2") if info.job_id else _NOTHING,
            Cell(routine, swatch=self._swatch(info.job_id, info.routine), color=color, font=font)
            if routine
            else Cell(role.work, color="text.2")
            if role.work
            else _NOTHING,
            Cell(NONE if info.since is None else duration(info.since), color="text.2", right=True),
        )

    def mark(self, job_id: str | None, routines: frozenset[str]) -> None:
        """Set the threads in these routines of that job apart."""
        marked = (job_id or "", routines)
        if marked != self._marked:
            self._marked = marked
            self._show()

    def _is_marked(self, info: ThreadInfo) -> bool:
        job_id, routines = self._marked
        return info.job_id == job_id and info.routine in routines

    def info(self, row: int) -> ThreadInfo | None:
        """The thread of a row, None beyond the table."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def count(self) -> int:
        return len(self._rows)

    def cell(self, row: int, column: int) -> Cell:
        return self._cells[row][column]

    def tip(self, row: int, column: int) -> str:
        info = self._rows[row]
        kind = "daemon" if info.daemon else "not a daemon: the process waits for it at its end"
        name = one_line(info.name, 200)
        return f"{name}\n{meaning_of(info)}\nnumber {info.ident}, {kind}"


_NOTHING = Cell(NONE, color="text.3")


def _key(info: ThreadInfo) -> _Key:
    return info.ident, info.name, info.role
