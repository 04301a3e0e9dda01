"""Waiting for jobs, and clocks that stand still: lines 21 and 22."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.conservation import check_conservation
from helpers.flows import (
    chain,
    flow_of,
    pair,
    pass_on,
    routine,
    sink,
    source,
)
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, Call, let_pass, run_another_job, until
from penstock import (
    AllSlots,
    Every,
    Instrument,
    JobState,
    JobStatus,
    Retry,
    Runtime,
    Slot,
)
from penstock.observe import (
    ActivationFailed,
    ActivationStarted,
    JobHeld,
)
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run.executor import Loop

# ---- 21: waiting


def test_21_wait_joins_the_loop_thread(loop: Loop) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(source(range(3))))
        thread = runtime.jobs.get(job.id).event_loop_thread
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        if loop == "pool":
            assert thread is None
            assert runtime.jobs.get(job.id).event_loop_thread is None
        else:
            assert thread is not None
            assert thread.name == f"penstock-job-{job.id}"
            assert not thread.is_alive()
        assert runtime.statistics().loop_threads == 0


def test_21_wait_never_raises_and_gives_the_status_at_its_time_out(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        for timeout in (0, 0.01, -1):
            assert job.wait(timeout) is JobStatus.RUNNING
        assert runtime.jobs.wait(job.id, 0.01) is JobStatus.RUNNING
        assert runtime.jobs.wait_all(0.01) is False
        waiting = [Call(job.wait) for _ in range(5)]
        gate.open()
        assert [call.result() for call in waiting] == [JobStatus.COMPLETED] * 5
        assert job.wait(0) is JobStatus.COMPLETED


def test_21_wait_in_the_job_s_own_code_gives_the_present_status(loop: Loop) -> None:
    known = threading.Event()
    seen: dict[str, Any] = {}
    jobs: list[JobState] = []

    def look(where: str) -> None:
        assert known.wait(DEADLINE)
        seen[where] = jobs[0].wait()

    class State:
        def __init__(self) -> None:
            look("State")

    def plain(self: Any) -> None:
        look("plain")
        self.out.emit(1)

    def generator(self: Any, value: int) -> Iterator[None]:
        look("generator")
        yield
        self.out.emit(value)

    async def coroutine(self: Any, value: int) -> None:
        look("coroutine")
        self.out.emit(value)

    def key(value: int) -> int:
        look("match")
        return value

    parts = {
        "a": routine(plain, state=State),
        "b": routine(generator, slots={"value": Slot(int)}),
        "c": routine(coroutine, slots={"value": Slot(int)}, finish=lambda self: look("finish")),
        "p": pair(activation=AllSlots(match=key)),
    }
    flow = flow_of(parts, "a.out -> b.value", "b.out -> c.value", "c.out -> p.left")
    with Runtime(workers=2, loop=loop) as runtime:
        jobs.append(runtime.exec(flow))
        known.set()
        assert jobs[0].wait(DEADLINE) is JobStatus.COMPLETED

    assert set(seen) == {"State", "plain", "generator", "coroutine", "match", "finish"}
    assert set(seen.values()) == {JobStatus.RUNNING}


def test_21_wait_in_an_instrument_gives_the_present_status(loop: Loop) -> None:
    seen: list[tuple[str, JobStatus]] = []

    class Waits(Instrument):
        def on_activation_started(self, event: ActivationStarted) -> None:
            seen.append(("started", runtime.jobs.get(event.job_id).wait()))

        def on_job_ended(self, event: JobEndedEvent) -> None:
            seen.append(("ended", runtime.jobs.wait(event.job_id, None)))

    with Runtime(workers=1, loop=loop, instruments=[Waits()]) as runtime:
        job = runtime.exec(chain(source([1])))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert [where for where, _ in seen] == ["started", "ended"]
    assert seen[-1] == ("ended", JobStatus.COMPLETED)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("way", ["handle", "manager"])
def test_21_a_body_may_wait_for_another_job(loop: Loop, workers: int, way: str) -> None:
    def logic(self: Any) -> None:
        other = runtime.exec(chain(source(range(5)), pass_on()))
        wait = other.wait if way == "handle" else partial(runtime.jobs.wait, other.id)
        self.out.emit((wait(DEADLINE), other.outputs["b.out"]))

    with Runtime(workers=workers, loop=loop) as runtime:
        for _ in range(3):
            job = runtime.exec(chain(routine(logic)))
            assert job.wait(DEADLINE) is JobStatus.COMPLETED
            assert job.outputs["a.out"] == [(JobStatus.COMPLETED, list(range(5)))]


def test_21_jobs_may_wait_for_each_other_deeper_than_there_are_workers(loop: Loop) -> None:
    def logic(self: Any, depth: int) -> None:
        if depth:
            inner = runtime.exec(flow, {"a.depth": depth - 1})
            assert inner.wait(DEADLINE) is JobStatus.COMPLETED
            depth = inner.outputs["a.out"][0] + 1
        self.out.emit(depth)

    flow = chain(routine(logic, slots={"depth": Slot(int)}))
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow, {"a.depth": 12})
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"] == [12]


def test_21_a_body_that_waits_for_another_job_leaves_the_count_and_comes_back(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        other = runtime.exec(chain(pass_on()), keep_open=True)

        def logic(self: Any) -> None:
            for _ in range(3):
                other.wait(0)
            gate.wait_here()
            other.wait(DEADLINE)

        job = runtime.exec(chain(routine(logic)))
        gate.wait_came()
        assert runtime.statistics().spare_threads == 0, "who only looks doesn't leave"
        gate.open()
        until(lambda: runtime.statistics().spare_threads == 1)

        run_another_job(runtime)
        assert (job.status, job.routines["a"].running) == (JobStatus.RUNNING, 1)
        assert runtime.statistics().running == {job.id: {"a": 1}}
        runtime.jobs.close(other.id)

        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        most = Gate()
        two = [runtime.exec(chain(gated_source(most))) for _ in range(2)]
        most.wait_came()
        most.let_go()
        most.wait_came(2)
        most.open()
        assert {one.wait(DEADLINE) for one in two} == {JobStatus.COMPLETED}
        assert most.most_inside == 1, "one worker is in the count again"


def test_21_a_body_waits_for_another_job_as_long_as_it_says(loop: Loop) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        other = runtime.exec(chain(pass_on()), keep_open=True)
        until(lambda: other.status is JobStatus.IDLE)

        job = runtime.exec(chain(routine(lambda self: self.out.emit(other.wait(0.01)))))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"] == [JobStatus.IDLE]


def test_21_a_job_that_is_cancelled_while_its_body_waits_ends_at_once(loop: Loop) -> None:
    over = threading.Event()
    with Runtime(workers=1, loop=loop) as runtime:
        other = runtime.exec(chain(pass_on()), keep_open=True)

        def logic(self: Any) -> None:
            assert other.wait(DEADLINE) is JobStatus.COMPLETED
            over.set()

        job = runtime.exec(chain(routine(logic)))
        until(lambda: runtime.statistics().spare_threads == 1)
        runtime.jobs.cancel(job.id)

        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        until(lambda: runtime.statistics().abandoned_threads == 1)
        run_another_job(runtime)
        assert not over.is_set()
        runtime.jobs.close(other.id)
        assert over.wait(DEADLINE)


def test_21_all_events_are_told_before_wait_returns(loop: Loop) -> None:
    for _ in range(30):
        recording = RecordingInstrument()
        with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
            job = runtime.exec(chain(source(range(5)), pass_on(2), sink([])))
            job.wait(DEADLINE)
            told = len(recording.events)
            assert isinstance(recording.events[-1], JobEndedEvent)
        assert len(recording.events) == told
        assert [event.seq for event in recording.events] == list(range(1, told + 1))


# ---- 22: clocks stand still


def test_22_held_starts_paused_with_nothing_started_and_says_so(loop: Loop) -> None:
    recording = RecordingInstrument()
    made: list[int] = []

    class State:
        def __init__(self) -> None:
            made.append(1)

    def logic(self: Any) -> None:
        self.out.emit(1)

    flow = flow_of({"s": routine(logic, state=State), "p": pass_on()}, "s.out -> p.value")
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow, {"p.value": 0}, held=True)
        recording.wait_for(JobHeld, lambda event: event.job_id == job.id)
        assert job.status is JobStatus.PAUSED
        runtime.post(job.id, "p.value", 5)
        until(lambda: job.routines["p"].slots["value"].queued == 2)
        run_another_job(runtime)
        assert job.status is JobStatus.PAUSED
        assert made == []
        assert recording.of(ActivationStarted, job.id) == []
        assert [count.activations for count in job.routines.values()] == [0, 0]
        check_conservation(job)
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert sorted(job.outputs["p.out"]) == [0, 1, 5]
    assert made == [1]


def test_22_a_held_job_s_time_out_stands_still_and_goes_on_afterwards(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(gated_source(gate)), timeout=0.2, held=True)
        let_pass(runtime, 0.4)
        assert job.status is JobStatus.PAUSED
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.FAILED
        assert gate.inside == 1
        assert job.error is not None
        assert job.error.type == "JobTimeout"
        gate.open()


def test_22_a_job_s_time_out_stands_still_while_bodies_of_it_still_run_in_a_hold(
    loop: Loop,
) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(gated_source(gate), pass_on()), timeout=0.4)
        gate.wait_came()
        runtime.jobs.pause(job.id)
        let_pass(runtime, 0.6)
        assert job.status is JobStatus.PAUSING
        gate.open()
        until(lambda: job.status is JobStatus.PAUSED)
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_22_a_job_s_time_out_stands_still_while_it_is_idle(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow_of({"a": gated(gate)}), keep_open=True, timeout=0.3)
        until(lambda: job.status is JobStatus.IDLE)
        let_pass(runtime, 0.5)
        assert job.status is JobStatus.IDLE
        runtime.post(job.id, "a.value", 1)
        assert job.wait(DEADLINE) is JobStatus.FAILED
        assert job.error is not None
        assert job.error.type == "JobTimeout"
        assert gate.inside == 1
        gate.open()


def test_22_every_stands_still_while_its_job_is_held(loop: Loop) -> None:
    clock = routine(lambda self: self.out.emit(1), activation=Every(0.02))
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(clock, sink([])))
        until(lambda: job.routines["a"].activations >= 3)
        runtime.jobs.pause(job.id)
        until(lambda: job.status is JobStatus.PAUSED)
        ticks = job.routines["a"].activations
        let_pass(runtime, 0.2)
        assert job.routines["a"].activations == ticks
        runtime.jobs.resume(job.id)
        until(lambda: job.routines["a"].activations >= ticks + 3)
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_22_a_retry_s_delay_stands_still_while_its_job_is_held(loop: Loop) -> None:
    class State:
        tries = 0

    def logic(self: Any) -> None:
        self.state.tries += 1
        if self.state.tries == 1:
            raise ValueError("again")
        self.out.emit(self.state.tries)

    recording = RecordingInstrument()
    fickle = routine(logic, state=State, on_error=Retry(times=1, delay=0.3))
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(chain(fickle))
        recording.wait_for(ActivationFailed)
        runtime.jobs.pause(job.id)
        until(lambda: job.status is JobStatus.PAUSED)
        let_pass(runtime, 0.5)
        assert job.outputs["a.out"] == []
        assert job.status is JobStatus.PAUSED
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"] == [2]


def test_22_a_routine_s_time_out_stands_still_while_its_job_is_held(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(gated_source(gate, timeout=0.3)))
        gate.wait_came()
        runtime.jobs.pause(job.id)
        let_pass(runtime, 0.5)
        assert job.status is JobStatus.PAUSING
        assert job.routines["a"].failures == 0
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.FAILED
        assert job.error is not None
        assert job.error.type == "RoutineTimeout"
        gate.open()
