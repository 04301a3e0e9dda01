"""What is told to one client and not sent yet, and what a client must hear that comes late."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from penstock.host.crossing.protocol import (
    DisplayLost,
    EngineSnapshot,
    FlowPicture,
    Printed,
    RoutineValues,
    ThreadTable,
    ValuePage,
)
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    Stalled,
)

DISPLAY_CHARACTERS = 4_000_000
"""Of failures and printed text that wait for one client."""
MAX_BACKLOG = 100_000
"""Whoever lets so much wait is let go: when it comes again, it gets the present state."""
BATCH = 200
KEPT_FAILURES = 100
"""Of each job, for who comes later."""


class Outbox:
    """A queue between the host and a client that may be slow. All methods on any thread.

    State is never dropped. Of counters and answers only the newest wait; failures and printed text
    beyond `DISPLAY_CHARACTERS` are dropped. What was dropped or overtaken of events and text is
    counted, and told as `DisplayLost`. ``_condition`` guards all of it; never held while calling
    out.
    """

    def __init__(self, characters: int = DISPLAY_CHARACTERS, backlog: int = MAX_BACKLOG) -> None:
        self._characters = characters
        self._backlog = backlog
        self._condition = threading.Condition()
        self._waiting: OrderedDict[int, object] = OrderedDict()
        self._number = 0
        self._newest: dict[object, int] = {}
        self._display = 0
        self._lost = 0
        self._lost_told = 0
        self._lost_elsewhere = 0
        self._closed = False

    def put(self, told: object) -> bool:
        """Have it sent; False when too much waits already."""
        with self._condition:
            if self._closed:
                return True
            if isinstance(told, Printed | ActivationFailed):
                more = weight(told)
                if self._display + more > self._characters:
                    self._lost += 1
                    return True
                self._display += more
            self._number += 1
            key = _only_newest(told)
            if key is not None:
                self._overtake(key, told)
            self._waiting[self._number] = told
            self._condition.notify()
            return len(self._waiting) <= self._backlog

    def lose_elsewhere(self, total: int) -> None:
        """So many events in all were dropped before they came here."""
        with self._condition:
            self._lost_elsewhere = total

    def take(self) -> list[object] | None:
        """The next to be sent, in order; waits for it. None when it is closed and all is taken."""
        with self._condition:
            while not self._waiting:
                if self._closed:
                    return None
                self._condition.wait()
            taken = [self._pop() for _ in range(min(BATCH, len(self._waiting)))]
            total = self._lost + self._lost_elsewhere
            if total != self._lost_told:
                self._lost_told = total
                taken.append(DisplayLost(total))
            return taken

    def close(self, *, discard: bool = False) -> None:
        """Take nothing more in; what waits is still sent, unless it is to be discarded."""
        with self._condition:
            self._closed = True
            if discard:
                self._waiting.clear()
                self._newest.clear()
            self._condition.notify()

    def _overtake(self, key: object, told: object) -> None:
        older = self._newest.get(key)
        if older is not None:
            del self._waiting[older]
            self._lost += isinstance(told, JobProgress)
        self._newest[key] = self._number

    def _pop(self) -> object:
        _, told = self._waiting.popitem(last=False)
        if isinstance(told, Printed | ActivationFailed):
            self._display -= weight(told)
        self._newest.pop(_only_newest(told), None)
        return told


def _only_newest(told: object) -> object:
    """What a later one of would make this one superfluous; None if nothing."""
    match told:
        case JobProgress():
            return told.job_id
        case RoutineValues():
            return RoutineValues, told.job_id, told.routine
        case FlowPicture():
            return FlowPicture, told.job_id
        case ValuePage():
            return ValuePage, told.reference, told.path, told.offset
        case ThreadTable() | EngineSnapshot():
            return type(told)
        case _:
            return None


def weight(told: Printed | ActivationFailed) -> int:
    """Of how many characters it is, about."""
    if isinstance(told, Printed):
        return 100 + len(told.text)
    failure = told.failure
    slots = sum(len(name) + len(value.text) for name, value in failure.slots.items())
    return 300 + len(failure.text) + len(failure.traceback) + slots


@dataclass(slots=True)
class _Job:
    """The events of a job whose fold is its present picture, each with when it came."""

    rows: dict[str, tuple[int, EngineEvent]] = field(default_factory=dict)
    failures: deque[tuple[int, EngineEvent]] = field(
        default_factory=lambda: deque(maxlen=KEPT_FAILURES)
    )


class Present:
    """What makes up the present state of all live jobs and the newest ended ones. One thread."""

    def __init__(self, kept_jobs: int) -> None:
        self._kept_jobs = kept_jobs
        self._order = count()
        self._jobs: dict[str, _Job] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def hear(self, event: EngineEvent) -> None:
        """Take an event in, in the order they are told."""
        row = _ROWS.get(type(event))
        if row is not None:
            if row == "started":
                self._jobs[event.job_id] = _Job()
                self._ended.pop(event.job_id, None)
            job = self._jobs.get(event.job_id)
            if job is None:
                return
            job.rows[row] = next(self._order), event
            if row == "ended":
                self._end(event.job_id, job)
        elif isinstance(event, ActivationFailed) and event.job_id in self._jobs:
            self._jobs[event.job_id].failures.append((next(self._order), event))

    def live_flows(self) -> tuple[str, ...]:
        """The flow's name of each job that lives, the oldest first."""
        live = (
            job.rows["started"][1]
            for job_id, job in self._jobs.items()
            if job_id not in self._ended
        )
        return tuple(started.flow for started in live if isinstance(started, JobStarted))

    def events(self) -> Iterator[EngineEvent]:
        """In their order, so that their fold is that of all there were."""
        rows = [row for job in self._jobs.values() for row in (*job.rows.values(), *job.failures)]
        for _, event in sorted(rows, key=lambda row: row[0]):
            yield event

    def _end(self, job_id: str, job: _Job) -> None:
        job.rows.pop("hold", None)
        job.rows.pop("stall", None)
        self._ended[job_id] = None
        while len(self._ended) > self._kept_jobs:
            oldest, _ = self._ended.popitem(last=False)
            del self._jobs[oldest]


_ROWS: dict[type[EngineEvent], str] = {
    JobStarted: "started",
    JobProgress: "progress",
    JobHeld: "hold",
    JobResumed: "hold",
    Stalled: "stall",
    JobEnded: "ended",
}
