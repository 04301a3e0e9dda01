"""How far a headless run is: a live line while it lasts, a table of its routines afterwards."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from penstock.observe import RoutineCount
from penstock.run import JobSnapshot, JobState, JobStatus

SECONDS_PER_LINE = 2.0  # where lines stay: in a file, a pipe, a log of CI
SECONDS_PER_UPDATE = 0.1  # where one line is overwritten: on a terminal
CLEAR_LINE = "\r\x1b[K"


def wait(job: JobState, timeout: float | None, *, shown: bool) -> JobStatus:
    """Wait for the job, telling on stderr how far it is if `shown`; the status at the end.

    Called on the main thread, so Ctrl-C raises KeyboardInterrupt in here.
    """
    if not shown:
        return job.wait(timeout)
    line = _Line(sys.stderr)
    end = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            left = line.seconds if end is None else min(line.seconds, end - time.monotonic())
            status = job.wait(max(0.0, left))
            line.show(summary(job.snapshot()))
            if status.is_final or (end is not None and time.monotonic() >= end):
                return status
    finally:
        line.close()


def summary(job: JobSnapshot) -> str:
    """One line: ``12.3 s running: 20,161 of 20,405 messages, 9 failures; parse 3, lines 1``."""
    slots = [slot for routine in job.routines.values() for slot in routine.slots.values()]
    consumed, posted = sum(s.consumed for s in slots), sum(s.posted for s in slots)
    failures = sum(routine.failures for routine in job.routines.values())
    seconds = (job.finished_at or time.time()) - job.created_at
    told = f"{seconds:.1f} s {job.status.value.lower()}: {consumed:,} of {posted:,} messages"
    if failures:
        told += f", {failures:,} failed"
    busy = ", ".join(f"{name} {r.running}" for name, r in job.routines.items() if r.running)
    return f"{told}; {busy}" if busy else told


def table(job: JobSnapshot) -> str:
    """A row per routine: what it did, and how full its slots were at most."""
    rows: list[tuple[str, ...]] = [("routine", "activations", "failures", "seconds", "high water")]
    rows += [_row(name, routine) for name, routine in job.routines.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(_formatted(row, widths) for row in rows)


def _row(name: str, routine: RoutineCount) -> tuple[str, ...]:
    slots = (f"{n} {slot.high_water}/{slot.capacity}" for n, slot in routine.slots.items())
    return (
        name,
        f"{routine.activations:,}",
        f"{routine.failures:,}",
        f"{routine.seconds:.2f}",
        "  ".join(slots) or "-",
    )


def _formatted(row: tuple[str, ...], widths: list[int]) -> str:
    name, *numbers, slots = row
    cells = [f"{number:>{width}}" for number, width in zip(numbers, widths[1:-1], strict=True)]
    return "  ".join([f"{name:<{widths[0]}}", *cells, slots])


class _Line:
    """A line that is overwritten on a terminal; elsewhere a line whenever the text has changed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._overwrites = stream.isatty()
        self._last = ""
        self.seconds = SECONDS_PER_UPDATE if self._overwrites else SECONDS_PER_LINE

    def show(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        self._stream.write(CLEAR_LINE + text if self._overwrites else text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the last line where it is and go below it."""
        if self._overwrites and self._last:
            self._stream.write("\n")
            self._stream.flush()
