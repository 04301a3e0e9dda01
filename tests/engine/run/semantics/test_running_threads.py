"""How many bodies run: the same, whether the routine, the job or the runtime is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from helpers.bodies import Gate, gated, gated_source
from helpers.flows import burst, chain, flow_of, routine
from helpers.full_slots import gated_sink
from helpers.kinds import AsyncGate, async_gated, post
from helpers.waiting import DEADLINE, until
from penstock import Every, JobState, JobStatus, Runtime


def running(runtime: Runtime, job: JobState, routine_id: str) -> tuple[int, int, int]:
    """As the routine, the job and the runtime count it; nothing else of the job runs."""
    everywhere = runtime.statistics().running
    assert set(everywhere.get(job.id, {})) <= {routine_id}
    return (
        job.routines[routine_id].running,
        job.snapshot().running,
        everywhere.get(job.id, {}).get(routine_id, 0),
    )


def test_a_plain_body_is_counted(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(chain(gated_source(gate)))
    gate.wait_came()

    assert running(runtime, job, "a") == (1, 1, 1)
    gate.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert running(runtime, job, "a") == (0, 0, 0)
    assert runtime.statistics().running == {}


def test_coroutines_are_counted(runtime: Runtime) -> None:
    gate = AsyncGate()
    job = runtime.exec(flow_of({"r": async_gated(gate, max_parallel=None)}), keep_open=True)
    other = runtime.exec(flow_of({"r": async_gated(gate)}), keep_open=True)
    post(runtime, job, "value", 1, 2, 3)
    post(runtime, other, "value", 4)
    until(lambda: len(gate.came) == 4)

    assert running(runtime, job, "r") == (3, 3, 3)
    assert runtime.statistics().running == {job.id: {"r": 3}, other.id: {"r": 1}}
    until(lambda: runtime.statistics().busy == 0)  # no worker is in them; one may still drain
    gate.open()

    for one in (job, other):
        runtime.jobs.close(one.id)
        assert one.wait(DEADLINE) is JobStatus.COMPLETED
    assert runtime.statistics().running == {}


def test_a_body_that_stands_in_emit_does_not_run(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[int] = []
    job = runtime.exec(chain(burst(range(20)), gated_sink(gate, seen, 2)))
    gate.wait_came()
    until(lambda: runtime.statistics().spare_threads)

    until(lambda: runtime.statistics().running == {job.id: {"b": 1}})
    count = job.routines["a"]
    assert (count.running, count.status) == (0, "gated")
    assert (job.routines["b"].running, job.snapshot().running) == (1, 1)
    gate.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert seen == list(range(20))


def test_a_body_that_stands_in_a_post_does_not_run(runtime: Runtime) -> None:
    gate = Gate()
    full = runtime.exec(chain(gated(gate, capacity=1)), keep_open=True)
    runtime.post(full.id, "a.value", 0)
    gate.wait_came()
    runtime.post(full.id, "a.value", 1)

    job = runtime.exec(chain(routine(lambda _: runtime.post(full.id, "a.value", 2))))
    until(lambda: runtime.statistics().spare_threads)

    until(lambda: running(runtime, job, "a") == (0, 0, 0))
    assert job.routines["a"].status == "gated"
    gate.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    runtime.jobs.close(full.id)
    assert full.wait(DEADLINE) is JobStatus.COMPLETED


def test_a_body_that_stands_in_checkpoint_does_not_run(runtime: Runtime) -> None:
    gate = Gate()

    def logic(self: Any) -> None:
        gate.wait_here()
        self.checkpoint()
        gate.wait_here()

    job = runtime.exec(chain(routine(logic)))
    gate.wait_came()
    runtime.jobs.pause(job.id)
    until(lambda: job.status is JobStatus.PAUSING)
    assert running(runtime, job, "a") == (1, 1, 1)
    gate.let_go()

    until(lambda: job.status is JobStatus.PAUSED)
    assert running(runtime, job, "a") == (0, 0, 0)
    assert job.routines["a"].status == "held"
    runtime.jobs.resume(job.id)
    gate.wait_came(2)
    assert running(runtime, job, "a") == (1, 1, 1)
    gate.open()

    assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_a_body_that_was_given_up_does_not_run(runtime: Runtime) -> None:
    gate = Gate()
    job = runtime.exec(chain(gated_source(gate)))
    gate.wait_came()

    runtime.jobs.cancel(job.id)

    assert job.wait(DEADLINE) is JobStatus.CANCELLED
    assert running(runtime, job, "a") == (0, 0, 0)
    assert runtime.statistics().abandoned_threads == 1
    gate.open()


def test_a_generator_that_is_held_at_its_yield_does_not_run(runtime: Runtime) -> None:
    gate = Gate()

    def logic(self: Any) -> Iterator[None]:
        gate.wait_here()
        yield

    job = runtime.exec(chain(routine(logic)))
    gate.wait_came()
    runtime.jobs.pause(job.id)
    until(lambda: job.status is JobStatus.PAUSING)
    gate.open()

    until(lambda: job.status is JobStatus.PAUSED)
    assert running(runtime, job, "a") == (0, 0, 0)
    runtime.jobs.resume(job.id)
    assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_a_timer_between_its_ticks_is_timed(runtime: Runtime) -> None:
    ticked = threading.Event()
    timer = routine(lambda _: ticked.set(), events=(), activation=Every(1000.0, times=2))
    job = runtime.exec(flow_of({"t": timer}))
    assert ticked.wait(DEADLINE)

    until(lambda: not job.routines["t"].running)
    assert job.routines["t"].status == "timed"
    runtime.jobs.pause(job.id)
    until(lambda: job.status is JobStatus.PAUSED)
    assert job.routines["t"].status == "timed"
    runtime.jobs.cancel(job.id)
    assert job.wait(DEADLINE) is JobStatus.CANCELLED
