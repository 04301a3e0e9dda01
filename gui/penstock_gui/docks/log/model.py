"""The lines of the log: bounded, filtered, newest on top."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject

from penstock_gui.docks.log.entry import LogEntry
from penstock_gui.widgets import Cell, LineModel
from penstock_gui.widgets.wording import clock_ms

HEADERS = ("Time", "From", "Message")
TIME, FROM, MESSAGE = range(3)
LIMIT = 10_000


class LogModel(LineModel[LogEntry]):
    """Row 0 is the newest line; ``failures`` counts those of all lines there ever were."""

    def __init__(self, parent: QObject | None = None, limit: int = LIMIT) -> None:
        super().__init__(HEADERS, limit, newest_on_top=True, parent=parent)
        self._words: tuple[str, ...] = ()
        self._failures_only = False
        self.failures = 0

    def append(self, lines: Sequence[LogEntry]) -> None:
        """Add a batch, oldest first."""
        self.failures += sum(entry.is_failure for entry in lines)
        super().append(lines)

    def clear(self) -> None:
        """Forget every line and all counts."""
        self.failures = 0
        super().clear()

    def filter(self, text: str, failures_only: bool) -> None:
        """Show only lines in which all words of `text` occur, and only failures if asked."""
        words = tuple(text.lower().split())
        if (words, failures_only) != (self._words, self._failures_only):
            self._words, self._failures_only = words, failures_only
            self.refilter()

    def passes(self, line: LogEntry) -> bool:
        return (line.is_failure or not self._failures_only) and line.matches(self._words)

    def cell(self, row: int, column: int) -> Cell:
        entry = self._shown[-1 - row]
        if column == TIME:
            return Cell(clock_ms(entry.time), color="text.3", font="mono")
        if column == FROM:
            return Cell(entry.source, icon=entry.icon, icon_color=entry.color)
        return Cell(entry.message, color="text" if entry.is_failure else "text.2")

    def tip(self, row: int, column: int) -> str:
        return self._shown[-1 - row].message if column == MESSAGE else ""
