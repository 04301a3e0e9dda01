"""The life cycles of a runtime's jobs: start, find, list, wait for, steer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from time import monotonic
from typing import Any

from penstock.errors import PenstockError
from penstock.observe import Instruments
from penstock.run.executor import JobExecutor
from penstock.run.hold import StopPoint, stops_of
from penstock.run.messages import Cancel, Pause, Resume, SetStops, Start
from penstock.run.pool import WorkerPool
from penstock.run.routing import Plan
from penstock.run.state import JobStatus


class GlobalJobManager:
    """All jobs of one runtime. One per runtime, as ``runtime.jobs``; any thread may call it.

    ``_lock`` guards the table, the stops and the hold on new jobs. Never held while calling out.
    """

    def __init__(self, pool: WorkerPool, instruments: Instruments) -> None:
        self._pool = pool
        self._instruments = instruments
        self._lock = threading.Lock()
        self._jobs: dict[str, JobExecutor] = {}
        self._ids = count(1)
        self._generations = count(1)
        self._newest_generation = 0
        self._stops: tuple[StopPoint, ...] = ()
        self._hold_new: int | None = None
        self._closed = False
        self.keep_values = False

    def start(
        self, plan: Plan, params: Iterable[tuple[str, Any]] = (), *, job_id: str | None = None
    ) -> JobExecutor:
        """Make a job of a plan and start its loop; `params` are checked already."""
        with self._lock:
            if self._closed:
                raise PenstockError("the runtime is shut down and starts no jobs")
            new_id = self._new_id(job_id)
            executor = JobExecutor(
                new_id,
                plan,
                self._pool,
                self._instruments,
                generations=self._generation_numbers(),
                keep_values=self.keep_values,
            )
            stops, hold = stops_of(new_id, self._stops), self._hold_new
            # Inside the lock: whoever changes stops or pauses later finds the job's queue begun.
            executor.start(Start(tuple(params), hold, stops))
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

    def close(self) -> None:
        """Start no more jobs and cancel those that run."""
        with self._lock:
            self._closed = True
        for executor in self.list():
            executor.send(Cancel())

    def _chosen(self, job_id: str | None) -> Iterable[JobExecutor]:
        return self.list() if job_id is None else [self.get(job_id)]

    def _new_id(self, wanted: str | None) -> str:
        if wanted is None:
            return next(i for i in map(str, self._ids) if i not in self._jobs)
        if wanted in self._jobs:
            raise PenstockError(f"there is a job {wanted!r} already", job=wanted)
        return wanted

    def _generation_numbers(self) -> Iterator[int]:
        while True:
            yield self._next_generation()

    def _next_generation(self) -> int:
        with self._lock:
            self._newest_generation = next(self._generations)
            return self._newest_generation
