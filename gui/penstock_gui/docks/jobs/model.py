"""The table of jobs, newest on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QObject

from penstock.observe import JobView
from penstock_gui.docks.jobs.line import JobLine, job_line
from penstock_gui.widgets import NO_PARENT, Cell, CellModel

HEADERS = ("Job", "State", "Progress", "Started", "Duration")
JOB, STATE, PROGRESS, STARTED, DURATION = range(5)


class JobsModel(CellModel):
    """Rows of jobs; each row is one `JobLine`, recomputed only when told to."""

    def __init__(self, views: Mapping[str, JobView], parent: QObject | None = None) -> None:
        super().__init__(HEADERS, (STARTED, DURATION), parent)
        self._views = views
        self._lines: list[JobLine] = []

    def update(self, job_ids: Iterable[str], now: float) -> None:
        """Show the present state of these jobs; unknown ones become new rows on top."""
        rows = {line.job_id: row for row, line in enumerate(self._lines)}
        fresh = []
        for job_id in job_ids:
            view = self._views.get(job_id)
            if view is None:
                continue
            line = job_line(view, now)
            row = rows.get(job_id)
            if row is None:
                fresh.append(line)
            else:
                self._change(row, line)
        if fresh:
            self.beginInsertRows(NO_PARENT, 0, len(fresh) - 1)
            self._lines[:0] = reversed(fresh)
            self.endInsertRows()

    def _change(self, row: int, line: JobLine) -> None:
        """Show a job's new line; cells that look as before aren't painted again."""
        before, self._lines[row] = self._lines[row], line
        for column, (old, new) in enumerate(zip(_cells(before), _cells(line), strict=True)):
            if old != new:
                index = self.index(row, column)
                self.dataChanged.emit(index, index)

    def line(self, row: int) -> JobLine | None:
        """The job of a row, None beyond the table."""
        return self._lines[row] if 0 <= row < len(self._lines) else None

    def row(self, job_id: str | None) -> int:
        """The row of a job, -1 when it isn't shown."""
        return next((r for r, line in enumerate(self._lines) if line.job_id == job_id), -1)

    def live(self) -> list[str]:
        """The jobs that haven't ended."""
        return [line.job_id for line in self._lines if line.is_live]

    def summary(self) -> str:
        """``2 running, 1 paused, 1 stalled``; "" when all have ended."""
        held = sum(line.is_held for line in self._lines)
        stalled = sum(line.is_stalled for line in self._lines)
        running = len(self.live()) - held - stalled
        parts = ((running, "running"), (held, "paused"), (stalled, "stalled"))
        return ", ".join(f"{count} {word}" for count, word in parts if count)

    def count(self) -> int:
        return len(self._lines)

    def cell(self, row: int, column: int) -> Cell:
        return _cells(self._lines[row])[column]

    def tip(self, row: int, column: int) -> str:
        line = self._lines[row]
        return line.why if column == PROGRESS else f"job {line.job_id} {line.state}"


def _cells(line: JobLine) -> tuple[Cell, ...]:
    held = line.is_held
    color, font = ("text", "body.strong") if line.is_live else ("text.2", "body")
    quiet = "text.2"
    return (
        Cell(line.name, color=color, font=font, held=held),
        Cell(line.state, chip=line.status, held=held),
        Cell(
            line.progress,
            bar=line.bar,
            color="state.failed" if line.error else "queue.high" if line.is_stalled else quiet,
            held=held,
        ),
        Cell(line.started, color=quiet, right=True, held=held),
        Cell(line.duration, color=color, right=True, held=held),
    )
