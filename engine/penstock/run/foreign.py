"""The pool's work on the threads of an executor that belongs to somebody else.

A *turn* is one call of ours in the executor: it takes what is ready until nothing is left or
`TURN_SECONDS` are over. At most `workers` turns are in flight; one at a time is on its way, told
by `_guard`, as in the worker pool. Drains are never left to the executor alone: its threads may
be busy with other things for any time, so the steward is woken as well.
"""

from __future__ import annotations

import logging
import os
import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from time import monotonic
from typing import Protocol, runtime_checkable

from penstock.run.pools import wait_behind
from penstock.run.steward import Steward
from penstock.run.worker import Drain, Draining, Way, Work, Worker, WorkerInfo

_log = logging.getLogger(__name__)

TURN_SECONDS = 0.01


@runtime_checkable
class Refusable(Protocol):
    """Work that wants to know when no thread will ever run it.

    `refuse` is called instead of `run`, on any thread, also the one that submits; it is quick and
    never raises.
    """

    def refuse(self, error: BaseException) -> None: ...


class _Turn:
    """`guarded`: it is on its way and has the guard. `begun`: the executor has called it."""

    __slots__ = ("begun", "guarded")

    def __init__(self) -> None:
        self.begun = False
        self.guarded = True


class ForeignPool:
    """Like `WorkerPool`, over `thread_pool`, which stays its owner's and is never shut down here.

    There are no spares: `leave` only counts and `interrupt` does nothing. `workers` defaults to
    the executor's own number of threads. When the executor takes no more calls, running turns do
    what is ready as long as they last; what nobody is left to do is refused (`Refusable`), and
    logged.

    `_lock` guards the turns in flight. Never held while calling out.
    """

    has_spares = False
    wait = staticmethod(wait_behind)
    spare = 0

    def __init__(
        self, thread_pool: Executor, workers: int | None = None, steward: Steward | None = None
    ) -> None:
        if workers is None:
            workers = getattr(thread_pool, "_max_workers", min(32, (os.cpu_count() or 1) + 4))
        if workers < 1:
            raise ValueError(f"workers must be at least 1, is {workers}")
        self.workers = workers
        self.ready: deque[Work] = deque()
        self.urgent: deque[Drain] = deque()
        self.steward = Steward() if steward is None else steward
        self.steward.serve(self.urgent)
        self._executor = thread_pool
        self._way = Way()
        self._guard = allocate_lock()
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)
        self._in_flight = 0
        self._coming: Future[None] | None = None
        self._running: list[Worker] = []
        self._stopping = False

    # ---- work in

    def submit_many(self, works: Iterable[Work]) -> None:
        """Queue slices; any thread. After `shutdown` nobody takes them."""
        self.ready.extend(works)
        if self._in_flight < self.workers:
            self._send()

    def submit_drain(self, drain: Drain) -> None:
        """Queue a look at a job's task queue; any thread. After `shutdown` nobody takes it."""
        self.urgent.append(drain)
        self.steward.wake()

    def _send(self) -> None:
        """One more turn, if there is a place and none is on its way."""
        while self._guard.acquire(False):
            with self._lock:
                free = self._is_wanted()
                self._in_flight += free
            if free:
                self._submit(_Turn())
                return
            # While we had the guard another turn may have ended, or work came and found it taken.
            self._guard.release()
            if not self._is_wanted():
                return

    def _is_wanted(self) -> bool:
        return self._in_flight < self.workers and bool(self.ready) and not self._stopping

    def _submit(self, turn: _Turn) -> None:
        try:
            future = self._executor.submit(self._take_turn, turn)
        except Exception as error:  # noqa: BLE001 -- a stranger's executor may refuse in any way
            self._lost(turn, error)
            return
        self._coming = future
        future.add_done_callback(lambda done: self._turn_over(turn, done))

    def _turn_over(self, turn: _Turn, future: Future[None]) -> None:
        if not turn.begun:
            error = None if future.cancelled() else future.exception()
            self._lost(turn, error or RuntimeError("a call was cancelled"))
            return
        with self._lock:
            self._in_flight -= 1
            self._quiet.notify_all()
        if self.ready:
            self._send()

    def _lost(self, turn: _Turn, error: BaseException) -> None:
        """A turn that will never be taken."""
        with self._lock:
            self._in_flight -= 1
            self._quiet.notify_all()
        if turn.guarded:
            self._guard.release()
        # Turns in flight look at `ready` when they are over; whoever is last refuses the rest.
        if self._in_flight:
            return
        refused = 0
        while self.ready:
            try:
                work = self.ready.popleft()
            except IndexError:
                break
            refused += 1
            self._refuse(work, error)
        if refused:
            _log.error("the thread pool takes no more work (%s); %d slices refused", error, refused)

    def _refuse(self, work: Work, error: BaseException) -> None:
        if not isinstance(work, Refusable):
            _log.error("job %s: a slice of %r will never run", work.job_id, work.routine)
            return
        try:
            work.refuse(error)
        except BaseException:  # noqa: BLE001 -- others are to be told, too
            _log.exception("job %s: the engine failed", work.job_id)

    # ---- on the executor's threads

    def _take_turn(self, turn: _Turn) -> None:
        worker = Worker(threading.current_thread().name, threading.current_thread())
        turn.begun = True
        with self._lock:
            self._running.append(worker)
        if turn.guarded:
            turn.guarded = False
            self._guard.release()
        self._serve(worker)
        with self._lock:
            self._running.remove(worker)

    def _serve(self, worker: Worker) -> None:
        end = monotonic() + TURN_SECONDS
        while (work := self.next_work(worker)) is not None:
            worker.work = work
            try:
                worker.now = work.run(worker)
            except BaseException:  # noqa: BLE001 -- the thread isn't ours to end
                worker.now = None
                _log.exception("job %s: the engine failed", work.job_id)
            with self._lock:
                worker.work = worker.abandoned_at = None
            if (worker.now or monotonic()) > end and not self._stopping:
                return  # others may want the thread; what is ready gets another turn

    def next_work(self, worker: Worker) -> Work | None:
        """The next drain or slice; None when nothing is left."""
        ready, urgent, way = self.ready, self.urgent, self._way
        while True:
            try:
                if urgent:
                    return Draining(urgent.popleft())
                if way.until:
                    worker.idle_since = monotonic()
                    way.stand_back()
                    continue
                work = ready.popleft()
            except IndexError:
                if urgent or ready:
                    continue
                return None
            if ready and self._in_flight < self.workers:
                self._send()
            return work

    def make_way(self, seconds: float) -> None:
        """Begin no slice for so long, so that another thread gets the interpreter; 0: go on."""
        self._way.make(seconds)

    def leave(self, worker: Worker, work: Work, abandoned: bool = False) -> bool:
        """False: the threads aren't ours to replace. An abandoned body is only counted."""
        with self._lock:
            if abandoned and worker.work is work and worker.abandoned_at is None:
                worker.abandoned_at = monotonic()
        return False

    def interrupt(self, job_id: str, grace: float = 2.0) -> int:
        """Nothing: the threads aren't ours."""
        return 0

    # ---- looking, ending

    def infos(self) -> list[WorkerInfo]:
        """The executor's threads that are in a turn of ours."""
        with self._lock:
            return [worker.info() for worker in self._running]

    @property
    def abandoned(self) -> int:
        """Threads in a body whose activation is over."""
        with self._lock:
            return sum(worker.abandoned_at is not None for worker in self._running)

    @property
    def busy(self) -> int:
        """Turns that have work."""
        with self._lock:
            return sum(worker.work is not None for worker in self._running)

    def shutdown(self, deadline: float) -> list[str]:
        """Wait until no turn is in flight, and end the steward; the executor goes on.

        Returns the names of threads still in a body at `deadline` (monotonic). A turn the
        executor hasn't come to by then is cancelled.
        """
        self._stopping = True
        self.make_way(0.0)
        with self._lock:
            self._quiet.wait_for(lambda: not self._in_flight, max(0.0, deadline - monotonic()))
            names = [worker.name for worker in self._running]
        if self._coming is not None and self._in_flight > len(names):
            self.ready.clear()
            self._coming.cancel()
        self.steward.stop(deadline)
        return names
