"""What pools and their work know of each other: work, drains, and the threads that run them."""

from __future__ import annotations

import threading
from _thread import allocate_lock
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

LONG_AGO = float("-inf")


class Work(Protocol):
    """A slice to run; never raises.

    `run` returns `time.monotonic` of its end when it knows it. `since` is when what it runs now
    began.
    """

    job_id: str
    routine: str
    since: float

    def run(self, worker: Worker) -> float | None: ...


class Drain(Protocol):
    """A job whose event loop has no thread of its own.

    `drain` is one bounded look at its task queue; it submits itself again when there is more, and
    never raises.
    """

    job_id: str

    def drain(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker at one moment; `since` is `time.monotonic` of its activation or idle start.

    `outside`: it has left the count. `abandoned`: so it has, in a body whose activation is over.
    """

    name: str
    ident: int | None
    busy: bool
    outside: bool
    job_id: str
    routine: str
    since: float
    abandoned: bool = False


class Worker:
    """A thread that runs work.

    Its own thread writes `work`, `now` (end of its last work, None: not known), `looked` (when it
    last drained or was woken) and `idle_since`. `outside` and the times of `abandoned_at` and
    `interrupted_at` are written under its pool's lock.
    """

    __slots__ = (
        "abandoned_at", "idle_since", "interrupted_at", "latch", "looked", "name", "now",
        "outside", "thread", "work",
    )  # fmt: skip

    def __init__(self, name: str, thread: threading.Thread | None = None) -> None:
        self.name = name
        self.thread = thread
        self.work: Work | None = None
        self.now: float | None = None
        self.looked = LONG_AGO
        self.idle_since = monotonic()
        self.outside = False
        self.abandoned_at: float | None = None
        self.interrupted_at: float | None = None
        self.latch = allocate_lock()
        self.latch.acquire()

    @property
    def ident(self) -> int | None:
        """The interpreter's number of its thread."""
        return None if self.thread is None else self.thread.ident

    def info(self) -> WorkerInfo:
        """What it does now; any thread."""
        work, abandoned = self.work, self.abandoned_at is not None
        if work is None:
            return WorkerInfo(
                self.name, self.ident, False, self.outside, "", "", self.idle_since, abandoned
            )
        return WorkerInfo(
            self.name,
            self.ident,
            True,
            self.outside,
            work.job_id,
            work.routine,
            work.since,
            abandoned,
        )


class Draining:
    """A drain as a worker's work."""

    __slots__ = ("_drain", "job_id", "routine", "since")

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self.job_id = drain.job_id
        self.routine = ""
        self.since = monotonic()

    def run(self, worker: Worker) -> float:
        """Drain once; the time at its end."""
        self._drain.drain()
        worker.looked = now = monotonic()
        return now


class Way:
    """Keeps workers from beginning slices for a while, so that another thread gets the interpreter.

    `until` is 0 when nobody asks for it.
    """

    def __init__(self) -> None:
        self.until = 0.0
        self._is_over = threading.Event()

    def make(self, seconds: float) -> None:
        """Ask for so long; 0: it is over."""
        if seconds > 0:
            self._is_over.clear()
            self.until = monotonic() + seconds
        elif self.until:
            self.until = 0.0
            self._is_over.set()

    def stand_back(self) -> None:
        """Wait while it lasts; called by workers."""
        left = self.until - monotonic()
        if left <= 0 or not self._is_over.wait(left):
            self.until = 0.0  # whoever asked has not said that it is over
