"""The shared worker pool: named daemon threads, who works on what, and since when.

The protocol, in short: bodies lie in `ready`, drains in `urgent`; idle workers lie on a stack,
each behind a latch; at most one wake-up is on its way, told by `_guard`. A woken worker frees the
guard and *then* looks at both, so whoever appended and found the guard taken knows that somebody
will look. Whoever finds no idle worker calls one in for those that left the count, by the same
guard; when there is none to call in either, drains are left to the steward. It relies on the
interpreter's atomic deque and list operations and its ordering of attribute writes.
"""

from __future__ import annotations

import logging
import threading
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Iterable
from itertools import count
from time import monotonic

from penstock.errors import Cancelled
from penstock.run.interrupt import forget_raise, raise_in_body
from penstock.run.pools import wait_behind
from penstock.run.steward import Steward
from penstock.run.worker import LONG_AGO, Drain, Draining, Way, Work, Worker, WorkerInfo

__all__ = ["Drain", "Work", "Worker", "WorkerInfo", "WorkerPool"]

_log = logging.getLogger(__name__)

KEPT_SPARES = 4
LOOK_SECONDS = 0.0005
AGAIN_SECONDS = 1.0


class WorkerPool:
    """`workers` threads inside the count; threads that left it are replaced.

    `steward` is stopped with the pool. `_lock` guards the worker lists and the marks of workers;
    held while a thread starts, never while calling out.
    """

    has_spares = True
    wait = staticmethod(wait_behind)

    def __init__(self, workers: int, steward: Steward | None = None) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, is {workers}")
        self.workers = workers
        self.ready: deque[Work] = deque()
        self.urgent: deque[Drain] = deque()
        self.steward = Steward() if steward is None else steward
        self.steward.serve(self.urgent)
        self._idle: list[LockType] = []
        self._guard = allocate_lock()
        self._waking = False
        self._way = Way()
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._inside: list[Worker] = []
        self._outside: list[Worker] = []
        self._spares: list[Worker] = []
        self._missing = 0
        self._stopping = False
        with self._lock:
            for _ in range(workers):
                self._start_worker(called=False)

    # ---- work in, work out

    def submit_many(self, works: Iterable[Work]) -> None:
        """Queue slices; any thread. After `shutdown` nobody takes them."""
        self.ready.extend(works)
        if (self._idle or self._missing) and not self._waking:
            self._wake()

    def submit_drain(self, drain: Drain) -> None:
        """Queue a look at a job's task queue; any thread. After `shutdown` nobody takes it."""
        self.urgent.append(drain)
        if not self._waking:
            if self._idle or self._missing:
                self._wake()
            else:
                self.steward.wake()

    def next_work(self, worker: Worker) -> Work | None:
        """The next slice or drain for `worker`, which sleeps here; None tells it to end.

        Drains go first for a worker that was just woken or has spent `LOOK_SECONDS` on bodies,
        and when nothing else is there. Else bodies do, so that what they report gathers.
        """
        ready, urgent, way = self.ready, self.urgent, self._way
        while True:
            try:
                if urgent and (not ready or way.until or _is_to_look(worker)):
                    work: Work = Draining(urgent.popleft())
                elif way.until:
                    worker.idle_since = monotonic()
                    way.stand_back()
                    continue
                else:
                    work = ready.popleft()
            except IndexError:
                if not urgent and not ready:
                    if self._stopping:
                        self._wake()  # each one that ends wakes the next
                        return None
                    self._lie_down(worker)
                continue
            if (ready or urgent) and not self._waking:
                if self._idle or self._missing:
                    self._wake()
                elif urgent:
                    self.steward.wake()
            return work

    def _lie_down(self, worker: Worker) -> None:
        """Sleep until woken, or not at all when something is there by now."""
        idle, latch = self._idle, worker.latch
        worker.idle_since = monotonic()
        idle.append(latch)
        if self.ready or self.urgent or self._stopping:
            try:
                idle.remove(latch)
            except ValueError:
                pass  # somebody took the latch: its release is on the way
            else:
                return
        latch.acquire()
        self._arrive(worker)

    def _arrive(self, worker: Worker) -> None:
        """The wake-up that was on its way is here."""
        worker.looked = LONG_AGO
        self._waking = False
        self._guard.release()

    def _wake(self) -> None:
        while self._guard.acquire(False):  # else one is on its way, and looks after freeing it
            try:
                latch = self._idle.pop()
            except IndexError:
                if self._call_in():
                    return
            else:
                self._waking = True
                latch.release()
                return
            # The last idle one got up meanwhile, because it saw the work. While we had the guard
            # another may have lain down or left the count, and who brought work, or left, found
            # the guard taken.
            self._guard.release()
            wanted = self.ready or self.urgent or self._stopping
            if not wanted or not (self._idle or self._missing):
                if self.urgent:
                    self.steward.wake()
                return

    def make_way(self, seconds: float) -> None:
        """Begin no slice for so long, so that another thread gets the interpreter; 0: go on.

        What runs, runs on, and drains are done.
        """
        self._way.make(seconds)

    # ---- the count

    def leave(self, worker: Worker, work: Work, abandoned: bool = False) -> bool:
        """Take a worker that is still in `work` out of the count; another one may take its place.

        Any thread, also the worker's own. `abandoned`: the activation is over, only its body runs
        on; this may be told later of one that is outside already. False when the worker has moved
        on meanwhile.
        """
        with self._lock:
            if worker.work is not work or self._stopping:
                return False
            if not worker.outside:
                # The worker clears `work` and then reads `outside`: either it sees the mark, or
                # this second look sees that it has gone on.
                worker.outside = True
                if worker.work is not work:
                    worker.outside = False
                    return False
                self._inside.remove(worker)
                self._outside.append(worker)
                self._missing += 1
            if abandoned and worker.abandoned_at is None:
                worker.abandoned_at = monotonic()
        if (self.ready or self.urgent) and not self._waking:
            self._wake()
        return True

    def _call_in(self) -> bool:
        """By the holder of the guard: get a worker for one that left; it takes over the guard.

        False, with the guard still held, when none is missing.
        """
        with self._lock:
            if not self._missing or not (self.ready or self.urgent):
                return False
            self._waking = True
            if self._spares:
                worker = self._spares.pop()
                worker.outside = False
                self._inside.append(worker)
                worker.latch.release()
            else:
                try:
                    self._start_worker(called=True)
                except RuntimeError:
                    _log.exception("no thread can be started; what is ready waits for a worker")
                    self._waking = False
                    self._guard.release()
                    self.steward.wake()
                    return True
            self._missing -= 1
        return True

    def _come_back(self, worker: Worker) -> bool:
        """By a worker that was outside, at the end of its work; False when it is to end.

        When the count is full it sleeps here until it is called in.
        """
        with self._lock:
            if not worker.outside:
                return True  # it had ended its work before it left
            worker.abandoned_at = None
            self._outside.remove(worker)
            if self._missing:
                self._missing -= 1
                worker.outside = False
                self._inside.append(worker)
                return True
            if self._stopping or len(self._spares) >= KEPT_SPARES:
                return False
            worker.idle_since = monotonic()
            self._spares.append(worker)
        worker.latch.acquire()
        if worker.outside:
            return False
        self._arrive(worker)
        return True

    def _start_worker(self, called: bool) -> None:
        """Under the lock, so that a shutdown joins only what has started."""
        worker = Worker(f"penstock-worker-{next(self._numbers)}")
        worker.thread = threading.Thread(
            target=self._live, args=(worker, called), name=worker.name, daemon=True
        )
        worker.thread.start()
        self._inside.append(worker)

    # ---- what a worker does

    def _live(self, worker: Worker, called: bool) -> None:
        if called:
            self._arrive(worker)
        try:
            self._serve(worker)
            if worker.interrupted_at is not None:
                self._wait_for_raise(worker)
        except Cancelled:  # what was raised in a body came a moment after its end
            worker.work = None
        with self._lock:
            for workers in (self._inside, self._outside):
                if worker in workers:
                    workers.remove(worker)

    def _serve(self, worker: Worker) -> None:
        """Take work until the pool says to end, or an interrupted body is over."""
        ready, urgent, way = self.ready, self.urgent, self._way
        while True:
            nobody_to_wake = self._waking or not (self._idle or self._missing)
            if ready and nobody_to_wake and not (urgent or way.until):
                try:
                    work = ready.popleft()  # the short way of most slices
                except IndexError:
                    continue
            elif (found := self.next_work(worker)) is not None:
                work = found
                found = None
            else:
                return
            worker.work = work
            try:
                worker.now = work.run(worker)
            except BaseException:  # noqa: BLE001 -- the worker serves everybody
                worker.now = None
                if worker.interrupted_at is None:
                    _log.exception("job %s: the engine failed", work.job_id)
            worker.work = None
            del work  # whoever waits for more keeps no job
            if worker.outside and (
                worker.interrupted_at is not None or not self._come_back(worker)
            ):
                return

    # ---- interrupting

    def interrupt(self, job_id: str, grace: float = 2.0) -> int:
        """Raise Cancelled in the abandoned bodies of a job that run on after `grace` seconds.

        Returns in how many. A body that is inside the engine at this moment is left alone, so is
        one that was interrupted a moment ago: ask again, also when a body catches it or it fell
        into a callback of the garbage collector. Python code is interrupted anywhere, so what the
        body itself holds half done stays half done; one that waits in C isn't interrupted before
        it comes back. Its thread ends with the body. Before Python 3.12 nothing is interrupted
        while threads are traced (`interrupt`).
        """
        with self._lock:
            return sum([self._interrupt(w, job_id, grace) for w in self._outside])

    def _interrupt(self, worker: Worker, job_id: str, grace: float) -> bool:
        """Under the lock.

        What is raised can't hurt the pool's books: the mark is written first. A worker clears
        `work` and then reads the mark, so one whose `work` still stands here will see it, and
        from there on it only waits for the exception (`_wait_for_raise`) before it touches a lock
        or a list again.
        """
        work, now = worker.work, monotonic()
        if work is None or work.job_id != job_id or worker.ident is None:
            return False
        if worker.abandoned_at is None or now - worker.abandoned_at < grace:
            return False
        before = worker.interrupted_at
        if before is not None and now - before < AGAIN_SECONDS:
            return False
        worker.interrupted_at = now
        if worker.work is work and raise_in_body(worker.ident, Cancelled):
            return True
        worker.interrupted_at = before
        return False

    def _wait_for_raise(self, worker: Worker) -> None:
        """By an interrupted worker: what is being raised in it is raised in here at the latest."""
        with self._lock:
            pass  # whoever interrupts it is through
        forget_raise(threading.get_ident())

    # ---- looking, ending

    def infos(self) -> list[WorkerInfo]:
        """All live workers, inside the count first."""
        with self._lock:
            return [w.info() for w in (*self._inside, *self._outside, *self._spares)]

    @property
    def busy(self) -> int:
        """Workers inside the count that have work."""
        with self._lock:
            return sum(worker.work is not None for worker in self._inside)

    @property
    def spare(self) -> int:
        """Threads outside the count in a body that counts, and those kept for reuse."""
        with self._lock:
            return len(self._spares) + sum(w.abandoned_at is None for w in self._outside)

    @property
    def abandoned(self) -> int:
        """Threads outside the count in a body whose activation is over."""
        with self._lock:
            return sum(w.abandoned_at is not None for w in self._outside)

    def shutdown(self, deadline: float) -> list[str]:
        """End all workers and the steward.

        Returns the names of those still in a body at `deadline` (monotonic).
        """
        with self._lock:
            self._stopping = True
            self._missing = 0
            workers = [*self._inside, *self._outside, *self._spares]
            for spare in self._spares:
                spare.latch.release()
            self._spares.clear()
        self.make_way(0.0)
        self._wake()
        threads = [worker.thread for worker in workers if worker.thread is not None]
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - monotonic()))
        self.steward.stop(deadline)
        return [thread.name for thread in threads if thread.is_alive()]


def _is_to_look(worker: Worker) -> bool:
    now = monotonic() if worker.now is None else worker.now
    return now - worker.looked > LOOK_SECONDS
