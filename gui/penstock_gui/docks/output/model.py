"""The lines of the output: bounded, filtered, newest at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from penstock_gui.docks.output.lines import OutputLine
from penstock_gui.widgets import CELL_ROLE, Cell, plain_tip

HEADERS = ("From", "", "Output")
FROM, STREAM, TEXT = range(3)
LIMIT = 10_000
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_TEXT_COLORS = {"lost": "state.waiting", "gone": "state.failed", "engine": "text.2"}
_Index = QModelIndex | QPersistentModelIndex
_NO_PARENT = QModelIndex()


@dataclass(frozen=True, slots=True)
class OutputFilter:
    """Which lines are shown; None leaves a thing out of account.

    What the window says itself (of losses, of the engine's end) belongs to no stream.
    """

    words: tuple[str, ...] = ()
    job_id: str | None = None
    routines: frozenset[str] | None = None
    streams: frozenset[str] = frozenset({"stdout", "stderr"})

    def passes(self, line: OutputLine) -> bool:
        """Whether the line is shown."""
        return (
            (line.kind in self.streams or line.kind not in ("stdout", "stderr"))
            and (self.job_id is None or line.job_id == self.job_id)
            and (self.routines is None or line.routine in self.routines)
            and line.matches(self.words)
        )


class OutputModel(QAbstractTableModel):
    """At most `limit` lines; what is older is dropped and counted.

    ``swatch`` gives the colour number of a routine, None when it has none. ``widest`` is the
    most characters of a shown line since the last filter.
    """

    def __init__(
        self,
        swatch: Callable[[str], int | None],
        parent: QObject | None = None,
        limit: int = LIMIT,
    ) -> None:
        super().__init__(parent)
        self._swatch = swatch
        self._limit = limit
        self._all: deque[OutputLine] = deque()
        self._shown: deque[OutputLine] = deque()
        self._filter = OutputFilter()
        self._open: list[tuple[OutputLine, bool]] = []
        self.dropped = 0
        self.widest = 0

    @property
    def total(self) -> int:
        """Lines kept, shown or filtered out."""
        return len(self._all)

    def append(self, lines: Sequence[OutputLine], extended: bool = False, dropped: int = 0) -> None:
        """Add a batch, oldest first.

        ``extended`` says that lines given before have grown, ``dropped`` how many lines of the
        batch there was no room for.
        """
        self.dropped += dropped
        if extended:
            self._follow_open()
        self._close(lines[: -self._limit])
        kept = lines[-self._limit :]
        self._drop(len(self._all) + len(kept) - self._limit)
        self._all.extend(kept)
        shown = [line for line in kept if self._filter.passes(line)]
        if shown:
            first = len(self._shown)
            self.beginInsertRows(_NO_PARENT, first, first + len(shown) - 1)
            self._shown.extend(shown)
            self._measure(shown)
            self.endInsertRows()
        self._remember_open(kept)

    def clear(self) -> None:
        """Forget every line and all counts."""
        self.beginResetModel()
        self._all.clear()
        self._shown.clear()
        self._open.clear()
        self.dropped = self.widest = 0
        self.endResetModel()

    def filter(self, wanted: OutputFilter) -> None:
        """Show only the lines that pass."""
        if wanted != self._filter:
            self._filter = wanted
            self._refilter()

    def line(self, row: int) -> OutputLine | None:
        """The line of a row, None beyond the table."""
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def last_end(self) -> int:
        """The row that says how an engine ended last, -1 when none does."""
        rows = range(len(self._shown) - 1, -1, -1)
        return next((row for row in rows if self._shown[row].kind == "gone"), -1)

    def text(self, rows: Sequence[int]) -> str:
        """These lines as they are shown, for the clipboard; all of them when none is given."""
        chosen = [self._shown[row] for row in rows] if rows else self._shown
        return "\n".join(line.text for line in chosen)

    def _refilter(self) -> None:
        self.beginResetModel()
        self._shown = deque(line for line in self._all if self._filter.passes(line))
        self.widest = 0
        self._measure(self._shown)
        self._open = [(line, self._filter.passes(line)) for line, _ in self._open]
        self.endResetModel()

    def _measure(self, lines: Sequence[OutputLine] | deque[OutputLine]) -> None:
        self.widest = max(self.widest, max((len(line.text) for line in lines), default=0))

    def _remember_open(self, fresh: Sequence[OutputLine]) -> None:
        """Lines that may still grow, with whether they are shown."""
        self._open = [(line, shown) for line, shown in self._open if line.open]
        self._open += [(line, self._filter.passes(line)) for line in fresh if line.open]

    def _follow_open(self) -> None:
        """Show unfinished lines as they are now; the words searched for may be in one only now."""
        if any(self._filter.passes(line) != shown for line, shown in self._open):
            self._refilter()
        elif self._shown:
            self._measure([line for line, shown in self._open if shown])
            last = len(self._shown) - 1
            self.dataChanged.emit(self.index(0, TEXT), self.index(last, TEXT))

    def _close(self, lines: Sequence[OutputLine]) -> None:
        """These are dropped: what would be added to one of them begins a line that is seen."""
        self.dropped += len(lines)
        for line in lines:
            line.open = False

    def _drop(self, count: int) -> None:
        if count <= 0:
            return
        old = [self._all.popleft() for _ in range(count)]
        self._close(old)
        known = {id(line) for line in old}
        gone = 0
        while gone < len(self._shown) and id(self._shown[gone]) in known:
            gone += 1
        if gone:
            self.beginRemoveRows(_NO_PARENT, 0, gone - 1)
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
        line = self.line(index.row())
        if line is None:
            return None
        if role == CELL_ROLE:
            return self._cell(line, index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(line, index.column()).text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(_tip(line, index.column()))
        return None

    def _cell(self, line: OutputLine, column: int) -> Cell:
        if column == FROM:
            return Cell(line.source, swatch=self._swatch(line.routine), color="text.2")
        if column == STREAM:
            return Cell("err" if line.kind == "stderr" else "", color="text.3", font="caption")
        return Cell(line.text, color=_TEXT_COLORS.get(line.kind, "text"), font="mono")


def _tip(line: OutputLine, column: int) -> str:
    if column == TEXT:
        return line.text
    stream = f", {line.kind}" if line.kind in ("stdout", "stderr") else ""
    return f"{line.source}{stream}"
