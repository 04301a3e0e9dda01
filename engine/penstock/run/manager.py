"""The life cycles of a runtime's jobs: start, find, list, wait for, steer."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from time import monotonic
from typing import Any

from penstock.errors import PenstockError, UnknownPort
from penstock.flow import is_count, port_ref
from penstock.observe import Instruments
from penstock.run.coroutines import CoroutineThread
from penstock.run.executor import JobExecutor, Loop
from penstock.run.hold import StopPoint, stops_of
from penstock.run.instructions import Wants
from penstock.run.messages import (
    Cancel,
    Pause,
    Resize,
    Resume,
    SetStops,
    StallChoice,
    Start,
    Unstall,
)
from penstock.run.pools import Coroutines, Pool
from penstock.run.records import SlotQueue
from penstock.run.routing import Plan
from penstock.run.state import JobStatus


class GlobalJobManager:
    """All jobs of one runtime. One per runtime, as ``runtime.jobs``; any thread may call it.

    ``_lock`` guards the table, the stops and the hold on new jobs. Never held while calling out.
    """

    def __init__(
        self,
        pool: Pool,
        instruments: Instruments,
        *,
        loop: Loop = "thread",
        check_types: bool = False,
        coroutines: Callable[[], Coroutines] = CoroutineThread,
    ) -> None:
        self._pool = pool
        self._instruments = instruments
        self._loop = loop
        self._check_types = check_types
        self._lock = threading.Lock()
        self._jobs: dict[str, JobExecutor] = {}
        self._ids = count(1)
        self._generations = _Generations(self)
        self._wants = Wants(instruments.kinds)
        self._newest_generation = 0
        self._stops: tuple[StopPoint, ...] = ()
        self._hold_new: int | None = None
        self._closed = False
        self._make_coroutines = coroutines
        self._get_coroutines = self._coroutines  # one bound method for all jobs
        self._coroutine_thread: Coroutines | None = None
        self._coroutine_lock = threading.Lock()  # guards the one above

    @property
    def keep_values(self) -> bool:
        """Whether jobs, running and later ones, keep the last value of each port."""
        return self._wants.values

    @keep_values.setter
    def keep_values(self, keep: bool) -> None:
        self._wants.values = keep

    def start(
        self,
        plan: Plan,
        params: Iterable[tuple[str, Any]] = (),
        *,
        job_id: str | None = None,
        loop: Loop | None = None,
        timeout: float | None = None,
        keep_open: bool = False,
        held: bool = False,
        seed: int | None = None,
    ) -> JobExecutor:
        """Make a job of a plan and start its loop; `params` are checked already."""
        generation = self._next_generation() if held else None
        with self._lock:
            if self._closed:
                raise PenstockError("the runtime is shut down and starts no jobs")
            new_id = self._new_id(job_id)
            executor = JobExecutor(
                new_id,
                plan,
                self._pool,
                self._instruments,
                loop=self._loop if loop is None else loop,
                coroutines=self._get_coroutines,
                generations=self._generations,
                wants=self._wants,
                check_types=self._check_types,
                seed=seed,
            )
            hold = self._hold_new if generation is None else generation
            stops = stops_of(new_id, self._stops) if self._stops else {}
            # Inside the lock: whoever changes stops or pauses later finds the job's queue begun.
            executor.start(Start(tuple(params), hold, stops, timeout, keep_open))
            self._jobs[new_id] = executor  # a job whose thread can't be started is none
        return executor

    def get(self, job_id: str) -> JobExecutor:
        """The executor of a job; raises PenstockError for a stranger."""
        with self._lock:
            executor = self._jobs.get(job_id)
        if executor is None:
            raise PenstockError(f"there is no job {job_id!r}", job=job_id)
        return executor

    def list(self) -> list[JobExecutor]:
        """All jobs, oldest first."""
        with self._lock:
            return [*self._jobs.values()]

    def pause(self, job_id: str | None = None) -> int:
        """Hold a job, or all and those started later; returns the generation of this pause."""
        generation = self._next_generation()
        if job_id is None:
            with self._lock:
                self._hold_new = generation
        for executor in self._chosen(job_id):
            executor.send(Pause(generation))
        return generation

    def resume(
        self, job_id: str | None = None, generation: int | None = None, held_id: int | None = None
    ) -> None:
        """Lift the hold of a job, or of all; one meant for an earlier pause does nothing."""
        with self._lock:
            newest = self._newest_generation if generation is None else generation
            if job_id is None and self._hold_new is not None and self._hold_new <= newest:
                self._hold_new = None
        for executor in self._chosen(job_id):
            executor.send(Resume(newest, held_id))

    def cancel(self, job_id: str) -> None:
        """End a job as CANCELLED; returns before that, `wait` shows it."""
        self.get(job_id).send(Cancel())

    def close(self, job_id: str) -> None:
        """Let a job that was kept open end: later posts raise JobEnded, what is there is done."""
        self.get(job_id).close()

    def resize(self, job_id: str, port: str, capacity: int) -> None:
        """Give a slot (``routine.slot``) another capacity; what is above it stays until taken."""
        if not is_count(capacity):
            raise ValueError(f"capacity: expected a whole number from 1 on, got {capacity!r}")
        executor = self.get(job_id)
        executor.send(Resize(self.slot(executor, port), capacity))

    def unstall(self, job_id: str, choice: StallChoice) -> None:
        """End the job's stall: ``grow`` its full slots by what waits, ``drop`` that, or ``cancel``.

        Does nothing to a job that isn't stalled.
        """
        if choice not in ("grow", "drop", "cancel"):
            raise ValueError(f"choice must be 'grow', 'drop' or 'cancel', is {choice!r}")
        self.get(job_id).send(Unstall(choice))

    def interrupt(self, job_id: str, grace: float = 2.0) -> int:
        """Raise Cancelled inside bodies of an ended job that still run `grace` seconds after.

        Only on request: a body that holds a lock in that moment may leave it locked. Reaches
        Python code only, not what waits in C, and no foreign pool; before Python 3.12 nothing while
        threads are traced (debugger, coverage). Returns how many were reached.
        """
        self.get(job_id)
        return self._pool.interrupt(job_id, grace)

    def reap(self, keep: int = 0) -> builtins.list[str]:
        """Forget ended jobs but for the newest `keep`; returns the ids of those forgotten.

        A `JobState` somebody holds stays readable.
        """
        with self._lock:
            over = [i for i, executor in self._jobs.items() if executor.status.is_final]
            gone = over[: max(0, len(over) - keep)]
            for job_id in gone:
                del self._jobs[job_id]
        return gone

    def wait(self, job_id: str, timeout: float | None = None) -> JobStatus:
        """Like `JobState.wait`."""
        return self.get(job_id).wait(timeout)

    def wait_all(self, timeout: float | None = None) -> bool:
        """Until every job has ended; False when `timeout` seconds were over first."""
        deadline = None if timeout is None else monotonic() + timeout
        for executor in self.list():
            left = None if deadline is None else max(0.0, deadline - monotonic())
            if not executor.wait(left).is_final:
                return False
        return True

    def set_stops(self, stops: Iterable[StopPoint]) -> None:
        """Replace where jobs, running and later ones, are held before an activation."""
        with self._lock:
            self._stops = tuple(stops)
            jobs = dict(self._jobs)
        for job_id, executor in jobs.items():
            found: Mapping[str, tuple[int, ...]] = stops_of(job_id, self._stops)
            executor.send(SetStops(found))

    def cancel_all(self) -> None:
        """Start no more jobs and cancel those that run."""
        with self._lock:
            self._closed = True
        for executor in self.list():
            executor.send(Cancel())

    def stop_coroutines(self, deadline: float) -> None:
        """End the asyncio thread, if there is one; the last thing to happen."""
        with self._coroutine_lock:
            thread = self._coroutine_thread
        if thread is not None:
            thread.stop(deadline)

    @staticmethod
    def slot(executor: JobExecutor, port: str) -> SlotQueue:
        """The slot of a job named ``routine.slot``; raises UnknownPort."""
        ref = port_ref(port)
        slot = executor.slot(ref.routine, ref.port)
        if slot is None:
            raise UnknownPort(f"job {executor.id} has no slot {port}", job=executor.id, port=port)
        return slot

    def _coroutines(self) -> Coroutines:
        """The one asyncio thread, made on first use."""
        with self._coroutine_lock:
            if self._coroutine_thread is None:
                self._coroutine_thread = self._make_coroutines()
            return self._coroutine_thread

    def _chosen(self, job_id: str | None) -> Iterable[JobExecutor]:
        return self.list() if job_id is None else [self.get(job_id)]

    def _new_id(self, wanted: str | None) -> str:
        if wanted is None:
            while (new_id := str(next(self._ids))) in self._jobs:
                pass
            return new_id
        if wanted in self._jobs:
            raise PenstockError(f"there is a job {wanted!r} already", job=wanted)
        return wanted

    def _next_generation(self) -> int:
        with self._lock:
            self._newest_generation += 1
            return self._newest_generation


class _Generations:
    """The numbers of a manager's holds, for jobs that hold themselves."""

    def __init__(self, manager: GlobalJobManager) -> None:
        self._manager = manager

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return self._manager._next_generation()
