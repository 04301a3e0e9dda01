"""The shared worker pool: named daemon threads, who works on what, and since when.

The protocol, in short: work lies in `ready`; idle workers lie on a stack, each behind a latch;
at most one wake-up is on its way, told by `_guard`. A woken worker frees the guard and *then*
looks at `ready`, so whoever appended and found the guard taken knows that somebody will look.
It relies on the interpreter's atomic deque and list operations.
"""

from __future__ import annotations

import threading
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Protocol


class Work(Protocol):
    """A slice to run. `run` returns nothing and never raises."""

    job_id: str
    routine: str
    since: float

    def run(self, worker: Worker) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker at one moment; `since` is `time.monotonic` of its activation or idle start."""

    name: str
    ident: int | None
    busy: bool
    outside: bool
    job_id: str
    routine: str
    since: float


class Worker(threading.Thread):
    """A pool thread. `outside` is set (under the pool's lock) while it has left the count."""

    def __init__(self, pool: WorkerPool, number: int) -> None:
        super().__init__(name=f"penstock-worker-{number}", daemon=True)
        self.pool = pool
        self.work: Work | None = None
        self.idle_since = monotonic()
        self.outside = False
        self.latch = allocate_lock()
        self.latch.acquire()

    def run(self) -> None:
        """Take work until the pool says to end."""
        pool = self.pool
        while (work := pool.next_work(self)) is not None:
            self.work = work
            work.run(self)
            self.work = None
            if self.outside and not pool.rejoin(self):
                return


class WorkerPool:
    """`workers` threads inside the count; threads that left it are replaced.

    ``_lock`` guards the worker lists and `outside` marks. Never held while calling out.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, is {workers}")
        self.workers = workers
        self.ready: deque[Work] = deque()
        self._idle: list[LockType] = []
        self._guard = allocate_lock()
        self._waking = False
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._inside: list[Worker] = []
        self._outside: list[Worker] = []
        self._stopping = False
        self._way_until = 0.0
        self._way_is_over = threading.Event()
        with self._lock:
            for _ in range(workers):
                self._start_worker()

    def submit_many(self, works: Iterable[Work]) -> None:
        """Queue slices; any thread."""
        self.ready.extend(works)
        if self._idle and not self._waking:
            self._wake()

    def next_work(self, worker: Worker) -> Work | None:
        """The next slice for `worker`, which sleeps here; None tells it to end."""
        ready, idle, latch = self.ready, self._idle, worker.latch
        while True:
            if self._way_until:
                worker.idle_since = monotonic()
                self._stand_back()
            try:
                work = ready.popleft()
            except IndexError:
                if self._stopping:
                    self._wake()  # each one that ends wakes the next
                    return None
            else:
                if ready and idle and not self._waking:
                    self._wake()
                return work
            worker.idle_since = monotonic()
            idle.append(latch)
            if ready or self._stopping:
                try:
                    idle.remove(latch)
                except ValueError:
                    pass  # somebody took the latch: its release is on the way
                else:
                    continue
            latch.acquire()
            self._waking = False
            self._guard.release()

    def make_way(self, seconds: float) -> None:
        """Begin no slice for so long, so that another thread gets the interpreter; 0: go on.

        What runs, runs on.
        """
        if seconds > 0:
            self._way_is_over.clear()
            self._way_until = monotonic() + seconds
        elif self._way_until:
            self._way_until = 0.0
            self._way_is_over.set()

    def _stand_back(self) -> None:
        left = self._way_until - monotonic()
        if left <= 0 or not self._way_is_over.wait(left):
            self._way_until = 0.0  # whoever asked has not said that it is over

    def leave(self, worker: Worker, work: Work) -> bool:
        """Take a worker that is still in `work` out of the count and start one in its place.

        False when the worker has moved on meanwhile.
        """
        with self._lock:
            if worker.work is not work or worker.outside or self._stopping:
                return False
            self._start_worker()
            worker.outside = True
            self._inside.remove(worker)
            self._outside.append(worker)
        return True

    def rejoin(self, worker: Worker) -> bool:
        """Called by a worker back from outside: whether the count has room for it."""
        with self._lock:
            self._outside.remove(worker)
            if len(self._inside) >= self.workers or self._stopping:
                return False
            worker.outside = False
            self._inside.append(worker)
            return True

    def infos(self) -> list[WorkerInfo]:
        """All live workers, inside the count first."""
        with self._lock:
            threads = [*self._inside, *self._outside]
        return [_info(worker) for worker in threads]

    @property
    def busy(self) -> int:
        """Workers inside the count that have work."""
        with self._lock:
            return sum(worker.work is not None for worker in self._inside)

    @property
    def spare(self) -> int:
        """Threads that have left the count and still run."""
        with self._lock:
            return len(self._outside)

    def shutdown(self, deadline: float) -> list[str]:
        """End all workers; returns the names of those still in a body at `deadline` (monotonic)."""
        with self._lock:
            self._stopping = True
            threads = [*self._inside, *self._outside]
        self.make_way(0.0)
        self._wake()
        for worker in threads:
            if worker is not threading.current_thread():
                worker.join(max(0.0, deadline - monotonic()))
        return [worker.name for worker in threads if worker.is_alive()]

    def _start_worker(self) -> None:
        """Under the lock, so that a shutdown joins only what has started."""
        worker = Worker(self, next(self._numbers))
        worker.start()
        self._inside.append(worker)

    def _wake(self) -> None:
        while self._guard.acquire(False):  # else one is on its way, and looks after freeing it
            try:
                latch = self._idle.pop()
            except IndexError:
                # The last idle one left meanwhile, because it saw the work. While we had the guard
                # another may have lain down, and who brought it work found the guard taken.
                self._guard.release()
                if not (self._idle and (self.ready or self._stopping)):
                    return
            else:
                self._waking = True
                latch.release()
                return


def _info(worker: Worker) -> WorkerInfo:
    work = worker.work
    if work is None:
        return WorkerInfo(
            worker.name, worker.ident, False, worker.outside, "", "", worker.idle_since
        )
    return WorkerInfo(
        worker.name, worker.ident, True, worker.outside, work.job_id, work.routine, work.since
    )
