"""The lines of the output: bounded, filtered, newest at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject

from penstock_gui.docks.output.lines import OutputLine
from penstock_gui.widgets import Cell, LineModel

HEADERS = ("From", "", "Output")
FROM, STREAM, TEXT = range(3)
LIMIT = 10_000
_TEXT_COLORS = {"lost": "state.waiting", "gone": "state.failed", "engine": "text.2"}


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


class OutputModel(LineModel[OutputLine]):
    """The newest line at the end; lines that aren't finished grow.

    ``swatch`` gives the colour number of a routine, None when it has none. ``widest`` is the
    most characters of a shown line since the last filter.
    """

    def __init__(
        self,
        swatch: Callable[[str], int | None],
        parent: QObject | None = None,
        limit: int = LIMIT,
    ) -> None:
        super().__init__(HEADERS, limit, parent=parent)
        self._swatch = swatch
        self._filter = OutputFilter()
        self._open: list[tuple[OutputLine, bool]] = []
        self.widest = 0

    def append(self, lines: Sequence[OutputLine], extended: bool = False, dropped: int = 0) -> None:
        """Add a batch, oldest first.

        ``extended`` says that lines given before have grown, ``dropped`` how many lines of the
        batch there was no room for.
        """
        self.dropped += dropped
        if extended:
            self._follow_open()
        super().append(lines)
        self._open = [(line, shown) for line, shown in self._open if line.open]
        self._open += [(line, self.passes(line)) for line in lines if line.open]

    def clear(self) -> None:
        """Forget every line and all counts."""
        self._open.clear()
        self.widest = 0
        super().clear()

    def filter(self, wanted: OutputFilter) -> None:
        """Show only the lines that pass."""
        if wanted != self._filter:
            self._filter = wanted
            self.refilter()

    def refilter(self) -> None:
        """Show the lines that pass now."""
        self.widest = 0
        super().refilter()
        self._open = [(line, self.passes(line)) for line, _ in self._open]

    def last_end(self) -> int:
        """The row that says how an engine ended last, -1 when none does."""
        rows = range(len(self._shown) - 1, -1, -1)
        return next((row for row in rows if self._shown[row].kind == "gone"), -1)

    def text(self, rows: Sequence[int]) -> str:
        """These lines as they are shown, for the clipboard; all of them when none is given."""
        chosen = [self._shown[row] for row in rows] if rows else self._shown
        return "\n".join(line.text for line in chosen)

    def passes(self, line: OutputLine) -> bool:
        return self._filter.passes(line)

    def note_shown(self, lines: Sequence[OutputLine]) -> None:
        self.widest = max(self.widest, max((len(line.text) for line in lines), default=0))

    def note_dropped(self, lines: Sequence[OutputLine]) -> None:
        """What would be added to one of them begins a line that is seen."""
        for line in lines:
            line.open = False

    def _follow_open(self) -> None:
        """Show unfinished lines as they are now; the words searched for may be in one only now."""
        if any(self.passes(line) != shown for line, shown in self._open):
            self.refilter()
        elif self._shown:
            self.note_shown([line for line, shown in self._open if shown])
            last = len(self._shown) - 1
            self.dataChanged.emit(self.index(0, TEXT), self.index(last, TEXT))

    def cell(self, row: int, column: int) -> Cell:
        line = self._shown[row]
        if column == FROM:
            return Cell(line.source, swatch=self._swatch(line.routine), color="text.2")
        if column == STREAM:
            return Cell("err" if line.kind == "stderr" else "", color="text.3", font="caption")
        return Cell(line.text, color=_TEXT_COLORS.get(line.kind, "text"), font="mono")

    def tip(self, row: int, column: int) -> str:
        line = self._shown[row]
        if column == TEXT:
            return line.text
        stream = f", {line.kind}" if line.kind in ("stdout", "stderr") else ""
        return f"{line.source}{stream}"
