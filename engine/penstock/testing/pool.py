"""A pool without threads: what it is given runs on the thread that asks for it."""

from __future__ import annotations

import threading
from _thread import LockType
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from penstock.errors import PenstockError
from penstock.run import WorkerInfo
from penstock.run.emitters import local
from penstock.run.pools import Drain
from penstock.run.slices import Token
from penstock.run.worker import Worker
from penstock.testing.clock import ManualClock
from penstock.testing.coroutines import InlineCoroutines

LIMIT = 100_000
"""How many steps are taken before something counts as endless."""

_NAME = "inline"


class NeverEnds(PenstockError):
    """What was to end hasn't, and won't; the text says what it waits for."""


class InlinePool:
    """Runs slices and drains in the order in which they were queued, one activation at a time.

    Nothing happens before `run` or `step`, and time passes on `clock` only. A body can't wait
    while others go on: what it emits beyond the room downstream parks. Where it sleeps, time moves
    on by so much, and meanwhile other bodies run if fewer than `workers` have begun. For one
    thread.
    """

    has_spares = False
    spare = 0
    abandoned = 0

    def __init__(self, clock: ManualClock | None = None, workers: int = 1) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, is {workers}")
        self.workers = workers
        self.clock = ManualClock() if clock is None else clock
        self.coroutines = InlineCoroutines(self.clock)
        self.ready: deque[Any] = deque()
        self.urgent: deque[Drain] = deque()
        self._worker = Worker(_NAME, threading.current_thread())
        self._running: list[Any] = []
        self._turned = False
        self._stopping = False

    # ---- work in

    @property
    def steward(self) -> ManualClock:
        """Its clock."""
        return self.clock

    def submit_many(self, works: Iterable[Any]) -> None:
        """Queue slices. Ignored after `shutdown`."""
        if not self._stopping:
            self.ready.extend(works)

    def submit_drain(self, drain: Drain) -> None:
        """Queue a look at a job's task queue, before all slices. Ignored after `shutdown`."""
        if not self._stopping:
            self.urgent.append(drain)

    # ---- work done

    def step(self) -> bool:
        """Do one thing: a drain, else an activation or a turn of the coroutines, in turns.

        For a generator an activation's part up to its next bare ``yield``. False when there is
        nothing to do at this moment.
        """
        can_start = bool(self.ready) and len(self._running) < self.workers
        with _apart():
            if self.urgent:
                self.urgent.popleft().drain()
            elif self.coroutines.wants_turn and not (can_start and self._turned):
                self._turned = True
                self.coroutines.turn()
            elif can_start:
                self._turned = False
                self._start(self.ready.popleft())
            else:
                return False
        return True

    def go_on(self, until: float | None = None) -> bool:
        """One step; when there is none, move time on to the next deadline, not beyond `until`.

        False when nothing happens up to then.
        """
        if self.step():
            return True
        when = self.clock.next_deadline
        if when is None or (until is not None and when > until):
            return False
        self.clock.advance_to(when)
        return True

    def run(self, limit: int = LIMIT) -> int:
        """Do all that can be done without time passing; returns how many steps that took.

        Raises NeverEnds after `limit` steps.
        """
        for steps in range(limit):
            if not self.go_on(self.clock.now()):
                return steps
        raise NeverEnds(f"there is still work after {limit:,} steps, without time passing")

    def wait(self, latch: LockType, seconds: float | None) -> bool:
        """Work until the latch opens or so many seconds have passed on the clock.

        Without a limit, until nothing is left to do; in any case for so many steps as count as
        endless.
        """
        until = None if seconds is None else self.clock.now() + max(0.0, seconds)
        for _ in range(LIMIT):
            if latch.acquire(False):
                return True
            if not self.go_on(until):
                if until is not None:
                    self.clock.advance_to(until)
                break
        return latch.acquire(False)

    def _start(self, work: Any) -> None:
        if isinstance(work, Token):
            work.limit = min(work.limit, 1)  # else the real time that passes would end slices
        self._running.append(work)
        try:
            work.run(self._worker)
        finally:
            self._running.pop()

    # ---- looking, ending

    def leave(self, worker: Any, work: Any, abandoned: bool = False) -> bool:
        """Nothing: there is no other thread to take its place."""
        return False

    def make_way(self, seconds: float) -> None:
        """Nothing: there is no other thread to make way for."""

    def interrupt(self, job_id: str, grace: float = 2.0) -> int:
        """Nothing: whoever could ask waits for the body to end."""
        return 0

    def infos(self) -> list[WorkerInfo]:
        """The bodies that have begun, outermost first."""
        ident = self._worker.ident
        return [
            WorkerInfo(_NAME, ident, True, False, work.job_id, work.routine, work.since)
            for work in self._running
        ]

    @property
    def busy(self) -> int:
        """How many bodies have begun."""
        return len(self._running)

    def shutdown(self, deadline: float) -> list[str]:
        """Do what is queued and take no more."""
        self._stopping = True
        while self.urgent or (self.ready and len(self._running) < self.workers):
            self.step()
        return []


@contextmanager
def _apart() -> Iterator[None]:
    """What runs here may lie inside a body, whose marks on this thread are kept for it."""
    outer = local.token
    local.token = None
    try:
        yield
    finally:
        local.token = outer
