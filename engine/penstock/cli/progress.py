"""How far a headless run is: a live line while it lasts, a table of its routines afterwards."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TextIO

from penstock.flow import Failure
from penstock.observe import ActivationFailed, Instrument, RoutineCount
from penstock.run import JobSnapshot, JobState, JobStatus

SECONDS_PER_LINE = 2.0  # where lines stay: in a file, a pipe, a log of CI
SECONDS_PER_UPDATE = 0.1  # where one line is overwritten: on a terminal
CLEAR_LINE = "\r\x1b[K"
LETTERS_SHOWN = 5
_LETTER_LENGTH = 200
_ALWAYS = ("activations", "failures", "seconds")
_LOSSES = ("dead", "dropped", "superseded", "skipped", "discarded")
_COLUMNS = ("activations", "failures", "retries", *_LOSSES, "revoked", "seconds")


class Retries(Instrument):
    """Counts per routine how often an activation is tried again."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self.counts[event.failure.routine] += event.action == "retry"


def wait(job: JobState, *, shown: bool) -> JobStatus:
    """Wait for the job, telling on stderr how far it is if `shown`; the status at the end.

    Called on the main thread, so Ctrl-C raises KeyboardInterrupt in here.
    """
    if not shown:
        return job.wait()
    line = _Line(sys.stderr)
    try:
        while True:
            status = job.wait(line.seconds)
            line.show(summary(job.snapshot()))
            if status.is_final:
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
    busy = ", ".join(text for name, r in job.routines.items() if (text := _doing(name, r)))
    return f"{told}; {busy}" if busy else told


def _doing(name: str, routine: RoutineCount) -> str:
    if routine.running:
        return f"{name} {routine.running}"
    return f"{name} {routine.status}" if routine.status in ("retrying", "skipped") else ""


def report(job: JobSnapshot, retries: Mapping[str, int]) -> str:
    """The table, and below it the last dead letters."""
    letters = job.dead_letters
    lines = [table(job, retries)]
    if letters:
        shown = letters[-LETTERS_SHOWN:]
        of = (
            f"the last {len(shown)} of the {len(letters):,} kept"
            if len(letters) > len(shown)
            else "all"
        )
        lines += [f"dead letters, {of}:", *map(_letter, shown)]
    return "\n".join(lines)


def _letter(failure: Failure) -> str:
    text = " ".join(str(failure).split())
    if len(text) > _LETTER_LENGTH:
        text = text[: _LETTER_LENGTH - 1] + "…"
    return f"  {text} (attempt {failure.attempt})" if failure.attempt > 1 else f"  {text}"


def table(job: JobSnapshot, retries: Mapping[str, int]) -> str:
    """A row per routine: what it did, what was lost, and how full its slots were at most.

    What was tried again or lost has a column only where there is any.
    """
    rows = {name: _numbers(name, routine, retries) for name, routine in job.routines.items()}
    wanted = [
        column
        for column in _COLUMNS
        if column in _ALWAYS or any(row[column] != "0" for row in rows.values())
    ]
    lines = [("routine", *wanted, "high water")]
    for name, row in rows.items():
        lines.append((name, *(row[column] for column in wanted), _high_water(job.routines[name])))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(_formatted(line, widths) for line in lines)


def _numbers(name: str, routine: RoutineCount, retries: Mapping[str, int]) -> dict[str, str]:
    numbers = {
        "activations": routine.activations,
        "failures": routine.failures,
        "retries": retries.get(name, 0),
        "revoked": routine.revoked,
    }
    for loss in _LOSSES:
        numbers[loss] = sum(getattr(slot, loss) for slot in routine.slots.values())
    found = {column: f"{number:,}" for column, number in numbers.items()}
    return found | {"seconds": f"{routine.seconds:.2f}"}


def _high_water(routine: RoutineCount) -> str:
    slots = (f"{n} {slot.high_water}/{slot.capacity}" for n, slot in routine.slots.items())
    return "  ".join(slots) or "-"


def _formatted(row: Sequence[str], widths: list[int]) -> str:
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
