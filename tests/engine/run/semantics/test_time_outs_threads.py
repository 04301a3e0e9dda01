"""Cancel, Stop and time-outs: line 20."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.conservation import check_conservation
from helpers.flows import (
    burst,
    chain,
    failing,
    flow_of,
    pair,
    pass_on,
    routine,
    sink,
    source,
)
from helpers.waiting import DEADLINE, let_pass, raised_by, run_another_job, until
from penstock import (
    Cancelled,
    Continue,
    Every,
    Failure,
    Flow,
    JobStatus,
    PenstockError,
    Retry,
    Routine,
    Runtime,
    Slot,
)
from penstock.run.executor import Loop

# ---- 20: cancel, Stop, time-outs


@pytest.mark.parametrize("ending", ["cancel", "stop", "time-out"])
def test_20_the_end_is_final_at_once_and_spares_replace_what_still_runs(
    loop: Loop, ending: str
) -> None:
    stuck, gate = Gate(), Gate()
    raised: list[Any] = []
    over = threading.Barrier(3)

    def late(self: Any, value: int) -> None:
        self.out.emit(value)
        stuck.wait_here()
        raised.append(self.cancelled)
        raised.extend(raised_by(lambda: self.out.emit(-1)) for _ in range(3))
        raised.append(raised_by(self.checkpoint))
        raised.append(raised_by(lambda: self.sleep(3600)))
        over.wait(DEADLINE)

    def fail(self: Any) -> None:
        gate.wait_here()
        raise ValueError("stop")

    flow = flow_of(
        {
            "s": burst(range(2)),
            "late": routine(late, slots={"value": Slot(int)}, max_parallel=2),
            "bad": routine(fail) if ending == "stop" else source([]),
        },
        "s.out -> late.value",
    )
    with Runtime(workers=3, loop=loop) as runtime:
        job = runtime.exec(flow, timeout=0.5 if ending == "time-out" else None)
        stuck.wait_inside(2)
        if ending == "cancel":
            runtime.jobs.cancel(job.id)
        gate.open()
        status = job.wait(DEADLINE)
        assert stuck.inside == 2
        assert status is (JobStatus.CANCELLED if ending == "cancel" else JobStatus.FAILED)
        finished_at = job.finished_at
        outputs = job.outputs["late.out"]
        assert sorted(outputs) == [0, 1]

        meet = threading.Barrier(3)
        together = routine(
            lambda self, value: meet.wait(DEADLINE), slots={"value": Slot(int)}, max_parallel=None
        )
        assert runtime.exec(chain(burst(range(3)), together)).wait(DEADLINE) is JobStatus.COMPLETED

        stuck.open()
        over.wait(DEADLINE)
        assert raised.count(True) == 2
        assert raised.count(Cancelled) == 2 * 5
        until(lambda: job.routines["late"].refused == 6)
        assert job.status is status
        assert job.finished_at == finished_at
        assert job.outputs["late.out"] == outputs
        assert job.routines["late"].running == 0

    errors = {"cancel": None, "stop": "ValueError", "time-out": "JobTimeout"}
    assert (job.error.type if job.error else None) == errors[ending]
    check_conservation(job)


def test_20_cancel_keeps_the_queues_for_inspection_and_starts_nothing_more(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(10)), gated(gate), pass_on()))
        gate.wait_came()
        until(lambda: job.routines["b"].slots["value"].queued == 9)
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        gate.open()
        run_another_job(runtime)
        runtime.jobs.cancel(job.id)

    assert gate.came == 1
    assert job.routines["b"].slots["value"].queued == 9
    assert job.outputs["c.out"] == []
    check_conservation(job)


def test_20_a_job_in_any_state_can_be_cancelled(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        clock = routine(lambda self: self.out.emit(1), activation=Every(3600))
        retry = failing(lambda: ValueError("x"), on_error=Retry(times=9, delay=3600))
        jobs = {
            "idle": runtime.exec(chain(pass_on()), keep_open=True),
            "held": runtime.exec(chain(source([1])), held=True),
            "clock": runtime.exec(chain(clock)),
            "retry": runtime.exec(chain(burst([1]), retry)),
            "running": runtime.exec(chain(gated_source(gate))),
        }
        gate.wait_came()
        pausing = runtime.exec(chain(gated_source(gate)))
        gate.wait_came(2)
        runtime.jobs.pause(pausing.id)
        until(lambda: pausing.status is JobStatus.PAUSING)
        for job in [*jobs.values(), pausing]:
            assert not job.status.is_final
            runtime.jobs.cancel(job.id)
            assert job.wait(DEADLINE) is JobStatus.CANCELLED
        gate.open()


def test_20_a_time_out_that_is_not_reached_changes_nothing(loop: Loop) -> None:
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(source(range(5)), pass_on()), timeout=0.3)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        let_pass(runtime, 0.4)
        assert job.status is JobStatus.COMPLETED

    assert job.error is None
    assert job.outputs["b.out"] == list(range(5))


@pytest.mark.parametrize("waits_for", ["retry", "tick", "stall", "body"])
def test_20_a_time_out_ends_a_job_whatever_it_waits_for(
    loop: Loop, waits_for: str, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    flows: dict[str, Callable[[], Flow]] = {
        "retry": lambda: chain(
            burst([1]), failing(lambda: ValueError("x"), on_error=Retry(times=9, delay=3600))
        ),
        "tick": lambda: chain(routine(lambda self: None, activation=Every(3600))),
        "stall": lambda: flow_of({"l": burst(range(9)), "p": pair(1)}, "l.out -> p.left"),
        "body": lambda: chain(gated_source(gate)),
    }
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flows[waits_for](), timeout=0.1)
        assert job.wait(DEADLINE) is JobStatus.FAILED
        assert isinstance(job.error, Failure)
        assert job.error.type == "JobTimeout"
        gate.open()
    check_conservation(job)
    if waits_for == "stall":
        caplog.clear()


def test_20_a_time_out_ends_a_job_that_waits_for_a_worker(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        occupied = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        let_pass(runtime, 0.1)
        gate.open()
        assert occupied.wait(DEADLINE) is JobStatus.COMPLETED


@pytest.mark.parametrize("bad", [0, -1, float("nan"), "1"])
def test_20_a_time_out_that_makes_no_sense_is_refused(loop: Loop, bad: Any) -> None:
    with (
        Runtime(workers=1, loop=loop) as runtime,
        pytest.raises((ValueError, TypeError, PenstockError)),
    ):
        runtime.exec(chain(source([1])), timeout=bad)


# ---- 20: a routine's time-out


def stuck_on(gate: Gate, bad: int, **attributes: Any) -> Routine:
    """Emits its value twice; on one value it waits at the gate in between, at its first try."""

    class State:
        tries = 0

    def logic(self: Any, value: int) -> None:
        if value == bad:
            self.state.tries += 1
            if self.state.tries == 1:
                gate.wait_here()
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(int)}, state=State, timeout=0.25, **attributes)


def test_20_a_routine_s_time_out_stops_the_job_at_once(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst([0, 1]), stuck_on(gate, 0)))
        assert job.wait(DEADLINE) is JobStatus.FAILED
        assert gate.inside == 1
        assert isinstance(job.error, Failure)
        assert (job.error.routine, job.error.type) == ("b", "RoutineTimeout")
        assert dict(job.error.slots) == {"value": 0}
        run_another_job(runtime)
        gate.open()
        until(lambda: job.routines["b"].refused == 1)

    assert job.outputs["b.out"] == []
    check_conservation(job)


@pytest.mark.parametrize("workers", [1, 2])
def test_20_after_a_time_out_continue_goes_on_while_the_body_is_still_stuck(
    loop: Loop, workers: int
) -> None:
    gate = Gate()
    with Runtime(workers=workers, loop=loop) as runtime:
        job = runtime.exec(
            chain(burst([0, 1, 2]), stuck_on(gate, 0, on_error=Continue()), pass_on())
        )
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert gate.inside == 1
        run_another_job(runtime)
        assert job.outputs["c.out"] == [1, 2]
        gate.open()
        until(lambda: job.routines["b"].refused == 1)
        until(lambda: runtime.statistics().abandoned_threads == 0)

    (letter,) = job.dead_letters
    assert (letter.routine, letter.type, dict(letter.slots)) == (
        "b",
        "RoutineTimeout",
        {"value": 0},
    )
    assert job.routines["b"].failures == 1
    assert job.routines["b"].slots["value"].dead == 1
    assert job.outputs["c.out"] == [1, 2]
    check_conservation(job)


def test_20_a_late_body_finds_its_activation_cancelled_and_its_job_running(loop: Loop) -> None:
    gate = Gate()
    seen: list[Any] = []
    over = threading.Event()

    def logic(self: Any, value: int) -> None:
        if value:
            gate.wait_here()
            seen.extend([self.cancelled, raised_by(self.checkpoint)])
            seen.append(raised_by(lambda: self.out.emit(value)))
            over.set()

    body = routine(logic, slots={"value": Slot(int)}, timeout=0.1, on_error=Continue())
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow_of({"a": body}), {"a.value": 1}, keep_open=True)
        until(lambda: len(job.dead_letters) == 1)
        gate.open()
        assert over.wait(DEADLINE)
        assert seen == [True, Cancelled, Cancelled]
        until(lambda: job.routines["a"].refused == 1)
        until(lambda: job.status is JobStatus.IDLE)
        runtime.post(job.id, "a.value", 0)
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.routines["a"].slots["value"].consumed == 1
    check_conservation(job)


def test_20_after_a_time_out_retry_tries_again_while_the_body_is_still_stuck(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(
            chain(burst([0, 1]), stuck_on(gate, 0, on_error=Retry(times=1)), pass_on())
        )
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert gate.inside == 1
        gate.open()
        until(lambda: runtime.statistics().abandoned_threads == 0)

    assert job.outputs["c.out"] == [0, 1]
    assert job.dead_letters == []
    assert job.routines["b"].failures == 1
    check_conservation(job)


def test_20_retries_that_all_time_out_end_in_then(loop: Loop) -> None:
    gate = Gate()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        self.out.emit(value)

    policy = Retry(times=2, then=Continue())
    body = routine(logic, slots={"value": Slot(int)}, timeout=0.05, on_error=policy)
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst([7]), body))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert gate.inside == 3
        gate.open()

    (letter,) = job.dead_letters
    assert (letter.type, letter.attempt, dict(letter.slots)) == ("RoutineTimeout", 3, {"value": 7})
    assert job.outputs["b.out"] == []
    check_conservation(job)


def test_20_a_time_out_goes_to_a_connected_failed_event(loop: Loop) -> None:
    gate = Gate()
    failures: list[Failure] = []
    flow = chain(burst([0, 1]), stuck_on(gate, 0))
    flow.add("f", sink(failures))
    flow.connect("b.failed", "f.value")
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        gate.open()

    assert [(f.routine, f.type) for f in failures] == [("b", "RoutineTimeout")]
    assert job.outputs["b.out"] == [1]
    assert job.dead_letters == []


def test_20_what_timed_out_no_longer_counts_for_max_parallel(loop: Loop) -> None:
    """Two at once, both stuck: after their time-out two more may run at once."""
    stuck, gate = Gate(), Gate()

    def logic(self: Any, value: int) -> None:
        if value < 2:
            stuck.wait_here()
        else:
            gate.wait_here()

    body = routine(
        logic, slots={"value": Slot(int)}, timeout=0.5, max_parallel=2, on_error=Continue()
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(4)), body))
        gate.wait_inside(2)
        assert stuck.inside == 2
        assert job.routines["b"].running == 2
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        stuck.open()

    assert len(job.dead_letters) == 2
    assert stuck.most_inside == gate.most_inside == 2


@pytest.mark.parametrize("way", ["stands", "runs"])
def test_20_a_generator_times_out(loop: Loop, way: str) -> None:
    gate = Gate()

    def logic(self: Any) -> Iterator[None]:
        while True:
            if way == "stands":
                gate.wait_here()
            yield

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic, timeout=0.1, on_error=Continue())))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        gate.open()

    assert [letter.type for letter in job.dead_letters] == ["RoutineTimeout"]


def test_20_a_coroutine_times_out_and_is_cancelled(loop: Loop) -> None:
    cancelled = threading.Event()

    async def logic(self: Any) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic, timeout=0.1, on_error=Continue())))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert cancelled.wait(DEADLINE)

    assert [letter.type for letter in job.dead_letters] == ["RoutineTimeout"]


def test_20_a_routine_s_time_out_begins_with_its_body(loop: Loop) -> None:
    """What waits for a thread doesn't time out."""
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        occupied = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        job = runtime.exec(chain(source([1], timeout=0.2)))
        let_pass(runtime, 0.4)
        assert job.status is JobStatus.RUNNING
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert occupied.wait(DEADLINE) is JobStatus.COMPLETED


def test_20_a_body_within_its_time_is_left_alone(loop: Loop) -> None:
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(2000)), pass_on(timeout=30.0), sink([])))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.routines["b"].failures == 0
    assert job.routines["c"].slots["value"].consumed == 2000
