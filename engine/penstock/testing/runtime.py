"""A runtime without threads, and whole flows run on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.errors import SlotFull
from penstock.flow import Flow
from penstock.run import JobState, JobStatus, Runtime
from penstock.run.emitters import local
from penstock.testing.clock import ManualClock
from penstock.testing.pool import LIMIT, InlinePool, NeverEnds


class InlineRuntime(Runtime):
    """Like `Runtime`, on the thread that uses it and without waiting.

        >>> from penstock.testing import InlineRuntime
        >>> with InlineRuntime() as runtime:
        ...     job = runtime.exec(flow, {"double.number": 4}, keep_open=True)
        ...     runtime.run()
        ...     job.status, job.outputs
        (<JobStatus.IDLE: 'IDLE'>, {'double.twice': [8]})

    Nothing happens before `run`, `step`, `advance`, `run_to_end` or a ``job.wait``, which work
    until they have what they want. Timers, delays, time-outs and ``self.sleep`` go by `clock`,
    which stands still but for those that move it: `advance`, `run_to_end`, waiting and sleeping.
    The same input gives the same events in the same order, all but how many seconds were measured.
    A `Debugger` works as usual: give it a command, then `run`.
    """

    def __init__(
        self,
        workers: int = 1,
        instruments: Iterable[object] = (),
        check_types: bool = False,
        clock: ManualClock | None = None,
    ) -> None:
        self._inline = InlinePool(clock, workers)
        self.clock = self._inline.clock
        self._put_together(
            self._inline, "pool", instruments, check_types, lambda: self._inline.coroutines
        )

    def exec(
        self,
        flow: Flow | str,
        entry_params: Mapping[str, Any] | None = None,
        *,
        seed: int | None = 0,
        loop: str | None = None,
        **options: Any,
    ) -> JobState:
        """As `Runtime.exec`, but that `loop` is ignored and `seed` is 0 unless told otherwise."""
        return super().exec(flow, entry_params, seed=seed, loop="pool", **options)

    def post(self, job_id: str, port: str, value: Any, timeout: float | None = None) -> None:
        """As `Runtime.post`; for room in a full slot it works, and moves time on where need be.

        Raises SlotFull when nothing that is left to do makes room.
        """
        if local.token is not None or self._is_refusing(job_id, port):
            super().post(job_id, port, value, timeout)
            return
        until = None if timeout is None else self.clock.now() + timeout
        for _ in range(LIMIT):
            try:
                super().post(job_id, port, value, timeout=0)
            except SlotFull:
                if not self._inline.go_on(until):
                    break
            else:
                return
        super().post(job_id, port, value, timeout=0)

    def _is_refusing(self, job_id: str, port: str) -> bool:
        return self.jobs.slot(self.jobs.get(job_id), port).overflow == "fail"

    def step(self) -> bool:
        """Do one thing, see `InlinePool.step`; False when there is nothing to do at this moment."""
        return self._inline.step()

    def run(self, limit: int = LIMIT) -> None:
        """Do all that can be done at this moment.

        Raises NeverEnds when that is more than `limit` steps.
        """
        self._inline.run(limit)

    def advance(self, seconds: float, limit: int = LIMIT) -> None:
        """Let so many seconds pass, and do on the way what each moment brings.

        Raises NeverEnds when that is more than `limit` steps.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds: time only goes forward, got {seconds!r}")
        until = self.clock.now() + seconds
        for _ in range(limit):
            if not self._inline.go_on(until):
                self.clock.advance_to(until)
                return
        raise NeverEnds(
            f"there is still work after {limit:,} steps, at {self.clock.now():g} of {until:g} s"
        )

    def run_to_end(self, job: JobState, limit: int = LIMIT) -> JobState:
        """Work until the job has ended, moving time on from deadline to deadline; returns it.

        Raises NeverEnds, saying why, when it can't end or hasn't after `limit` steps.
        """
        for _ in range(limit):
            if job.status.is_final:
                return job
            if not self._inline.go_on(self.clock.now() if job.stalled else None):
                raise NeverEnds(f"job {job.id} can't end: {_reason(job)}", job=job.id)
        raise NeverEnds(
            f"job {job.id} is still {job.status.value} after {limit:,} steps, at"
            f" {self.clock.now():g} s; activations so far: {_activations(job)}",
            job=job.id,
        )


def run_flow(
    flow: Flow,
    entry_params: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
    seed: int | None = 0,
    workers: int = 1,
    instruments: Iterable[object] = (),
    check_types: bool = False,
    clock: ManualClock | None = None,
    limit: int = LIMIT,
) -> JobState:
    """Run a flow from beginning to end, here and at once; returns the job, which has ended.

        >>> from penstock.testing import run_flow
        >>> run_flow(flow, {"double.number": 4}).outputs
        {'double.twice': [8]}

    Whatever waits for a time gets it without waiting. Raises NeverEnds, with the reason, for a job
    that can't end; give an endless one a `timeout`.
    """
    with InlineRuntime(workers, instruments, check_types, clock) as runtime:
        job = runtime.exec(flow, entry_params, timeout=timeout, seed=seed)
        return runtime.run_to_end(job, limit)


def _reason(job: JobState) -> str:
    if job.stalled:
        full = ", ".join(job.stalled)
        return f"it is stalled; full are {full}, and nothing will take from there"
    if job.status is JobStatus.IDLE:
        return "it is IDLE, as it was kept open; runtime.jobs.close(job.id) comes first"
    if job.status is JobStatus.RUNNING:
        running = ", ".join(_running(job)) or "something"
        return f"it is RUNNING, and {running} waits for what is neither here nor a matter of time"
    return f"it is {job.status.value}; somebody must resume it"


def _running(job: JobState) -> Iterator[str]:
    return (name for name, count in job.routines.items() if count.running)


def _activations(job: JobState) -> str:
    counts = sorted(job.routines.items(), key=lambda item: -item[1].activations)
    return ", ".join(f"{name} {count.activations:,}" for name, count in counts[:5])
