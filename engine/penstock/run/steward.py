"""The steward: one thread that drains jobs while every worker is busy, and keeps the deadlines.

In short: `_guard` is held from a wake-up until the steward has looked at everything; it frees the
guard and *then* looks once more, so whoever left something and found the guard taken knows that
it is seen. With nothing due it sleeps on a plain lock without a time limit.
"""

from __future__ import annotations

import heapq
import logging
import threading
from _thread import allocate_lock
from collections import deque
from itertools import count
from time import monotonic, time
from typing import Protocol

from penstock.run.worker import Drain

_log = logging.getLogger(__name__)
_NAME = "penstock-steward"
_FEW = 64
NEVER = float("inf")


class Timed(Protocol):
    """A job that asked to be called at a time.

    `due` is quick and never raises; it is called on the steward, without a lock of the steward's.
    """

    def due(self) -> None: ...


_Entry = tuple[float, int, Timed]


class Steward:
    """Owns the thread ``penstock-steward``, a daemon that is started when it is first needed.

    `_lock` guards the deadlines. Never held while calling out.
    """

    def __init__(self) -> None:
        self.now = monotonic  # the clock of all deadlines
        self.wall = time
        self._guard = allocate_lock()
        self._latch = allocate_lock()
        self._latch.acquire()
        self._lock = threading.Lock()
        self._numbers = count()
        self._heap: list[_Entry] = []
        self._next: dict[Timed, _Entry] = {}
        self._sleeps_until = NEVER
        self._urgent: list[deque[Drain]] = []
        self._thread: threading.Thread | None = None
        self._stopping = False

    def serve(self, urgent: deque[Drain]) -> None:
        """Take drains from this deque whenever `wake` asks; called while its pool is made."""
        self._urgent.append(urgent)

    def wake(self) -> None:
        """See to it that the steward looks at drains and deadlines; any thread, at once."""
        if self._guard.acquire(False):
            if self._thread is not None:
                self._latch.release()
            elif self._stopping or not self._start():
                self._guard.release()

    def call_at(self, job: Timed, when: float | None) -> None:
        """Have `job.due` called at `when`, instead of at its former time; None: not at all.

        Any thread. A deadline that has passed is called at once, on the steward.
        """
        if when is None and job not in self._next:
            return
        with self._lock:
            if self._stopping:
                return
            if when is None:
                self._next.pop(job, None)
            else:
                entry = (when, next(self._numbers), job)
                self._next[job] = entry
                heapq.heappush(self._heap, entry)
            if len(self._heap) > 2 * len(self._next) + _FEW:
                self._heap = list(self._next.values())
                heapq.heapify(self._heap)
            earlier = when is not None and when < self._sleeps_until
        if earlier:
            self.wake()

    def stop(self, deadline: float) -> None:
        """End the thread, once no drain is left; deadlines are forgotten.

        Returns at `deadline` (monotonic) even when it is still at work.
        """
        with self._lock:
            self._stopping = True
            self._heap.clear()
            self._next.clear()
        self.wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - monotonic()))

    def _start(self) -> bool:
        """Called by the holder of the guard, which the new thread takes over."""
        self._thread = threading.Thread(target=self._live, name=_NAME, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
            _log.exception("%s can't be started", _NAME)
            return False
        return True

    def _live(self) -> None:
        guard, latch = self._guard, self._latch
        while True:
            while self._drain_one() | self._call_due():
                pass
            if self._stopping:
                return
            guard.release()
            if (any(self._urgent) or self._stopping) and guard.acquire(False):
                continue
            if not latch.acquire(True, self._time_left()) and not guard.acquire(False):
                latch.acquire()  # woken in the moment in which its time was over

    def _drain_one(self) -> bool:
        """One drain of each pool; whether there was any."""
        found = False
        for urgent in self._urgent:
            try:
                drain = urgent.popleft()
            except IndexError:
                continue
            found = True
            try:
                drain.drain()
            except BaseException:  # noqa: BLE001 -- it drains for everybody
                _log.exception("job %s: the engine failed", drain.job_id)
        return found

    def _call_due(self) -> bool:
        """Call the job whose deadline passed longest ago; whether there was one."""
        with self._lock:
            self._drop_replaced()
            if not self._heap or self._heap[0][0] > monotonic():
                return False
            job = heapq.heappop(self._heap)[2]
            del self._next[job]
        try:
            job.due()
        except BaseException:  # noqa: BLE001 -- it keeps everybody's time
            _log.exception("a deadline of %r failed", job)
        return True

    def _time_left(self) -> float:
        """Seconds to the next deadline, -1 without one; from now on an earlier one wakes it."""
        with self._lock:
            self._drop_replaced()
            self._sleeps_until = self._heap[0][0] if self._heap else NEVER
            if not self._heap:
                return -1.0
            return min(max(0.0, self._sleeps_until - monotonic()), threading.TIMEOUT_MAX)

    def _drop_replaced(self) -> None:
        """Under the lock: the first entry of the heap is one that still holds."""
        heap = self._heap
        while heap and self._next.get(heap[0][2]) is not heap[0]:
            heapq.heappop(heap)
