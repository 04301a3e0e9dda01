"""Failures, policies, retries and refused emits; a test's number names the line it asks."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from time import monotonic
from typing import Any, Literal

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.conservation import check_conservation, finished
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
from helpers.kinds import (
    KINDS,
    AsyncGate,
    Kind,
    Steps,
    async_gated,
    closed,
    logic_of,
    of_kind,
    post,
)
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, Call, run_another_job, until
from penstock import (
    Activation,
    AllSlots,
    Batch,
    Cancelled,
    Continue,
    EmitOutsideActivation,
    Every,
    Failure,
    Instrument,
    JobState,
    JobStatus,
    Latest,
    Retry,
    Routine,
    Runtime,
    Skip,
    Slot,
    Stop,
)
from penstock.observe import (
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    JobStarted,
    MessageDropped,
)
from penstock.observe import JobEnded as JobEndedEvent

Loop = Literal["thread", "pool"]
LONG = 3600.0


def fails_on(*bad: Any, **attributes: Any) -> Routine:
    """Passes on what comes, and raises ValueError on some values."""

    def logic(self: Any, value: Any) -> None:
        if value in bad:
            raise ValueError(value)
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object)}, **attributes)


class Tries:
    """A state that counts the tries of each value; one per job."""

    def __init__(self) -> None:
        self.of: dict[Any, int] = {}

    def next(self, value: Any) -> int:
        self.of[value] = self.of.get(value, 0) + 1
        return self.of[value]


def succeeds_at(
    attempt: int, error: Callable[..., BaseException] = ValueError, **attributes: Any
) -> Routine:
    """Raises until the given attempt of each value, then emits the value."""

    def logic(self: Any, value: Any) -> None:
        if self.state.next(value) < attempt:
            raise error(f"{value} again")
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object)}, state=Tries, **attributes)


class Oldest(Activation):
    """A rule of one's own: one message after the other."""

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Mapping[str, int] | None:
        return {"value": 0} if queues["value"] else None


def error_of(job: JobState) -> Failure:
    assert job.error is not None
    return job.error


def raised_by(act: Callable[[], Any]) -> type[BaseException] | None:
    try:
        act()
    except BaseException as error:  # noqa: BLE001
        return type(error)
    return None


# ---- 14: stop


def test_14_stop_fails_the_job_and_keeps_the_queues(runtime: Runtime) -> None:
    gate = Gate()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        raise ValueError(f"no {value}")

    bad = routine(logic, slots={"value": Slot(int)}, on_error=Stop())
    flow = flow_of(
        {"s": burst(range(10)), "bad": bad, "p": pair()},
        "s.out -> bad.value",
        "s.out -> p.left",
    )
    job = runtime.exec(flow)
    gate.wait_came()
    until(lambda: job.routines["p"].slots["left"].queued == 10)
    gate.open()

    finished(job, JobStatus.FAILED)
    error = error_of(job)
    assert str(error) == "bad: ValueError: no 0"
    assert (error.routine, error.type, error.text) == ("bad", "ValueError", "no 0")
    assert dict(error.slots) == {"value": 0}
    assert error.attempt == 1
    assert "in logic" in error.traceback
    slot = job.routines["bad"].slots["value"]
    assert (slot.dead, slot.queued, slot.discarded) == (1, 9, 0)
    assert job.routines["p"].slots["left"].queued == 10
    run_another_job(runtime)
    assert job.routines["bad"].slots["value"].queued == 9


@pytest.mark.parametrize("kind", KINDS)
def test_14_stop_is_the_default_and_runs_no_finish(runtime: Runtime, kind: Kind) -> None:
    ran: list[str] = []

    def body(self: Any, value: Any) -> Steps:
        yield None
        raise ValueError(value)

    def finish(self: Any) -> None:
        ran.append("finish")

    flow = chain(pass_on(finish=finish), of_kind(kind, body, finish=finish), pass_on(finish=finish))

    finished(runtime.exec(flow, {"a.value": 1}), JobStatus.FAILED)

    assert ran == []


# ---- 14: continue


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, 3])
def test_14_continue_records_the_failure_and_goes_on(
    runtime: Runtime, kind: Kind, most: int
) -> None:
    def body(self: Any, value: Any) -> Steps:
        yield None
        if value % 2:
            raise ValueError(value)
        self.out.emit(value)

    def finish(self: Any) -> None:
        self.out.emit("end")

    made = of_kind(kind, body, on_error=Continue(), max_parallel=most, finish=finish)
    job = finished(runtime.exec(chain(burst(range(20)), made)))

    assert job.error is None
    assert job.outputs["b.out"][-1] == "end"
    assert sorted(job.outputs["b.out"][:-1]) == list(range(0, 20, 2))
    dead = [failure.slots["value"] for failure in job.dead_letters]
    assert sorted(dead) == list(range(1, 20, 2))
    if most == 1:
        assert dead == sorted(dead)
    slot = job.routines["b"].slots["value"]
    assert (slot.consumed, slot.dead) == (10, 10)
    assert job.routines["b"].failures == 10


@pytest.mark.parametrize("kind", KINDS)
def test_14_what_a_body_emitted_before_it_failed_stays(runtime: Runtime, kind: Kind) -> None:
    def body(self: Any, value: Any) -> Steps:
        self.out.emit((value, 0))
        yield None
        self.out.emit((value, 1))
        raise ValueError(value)

    seen: list[Any] = []
    made = of_kind(kind, body, on_error=Continue())
    job = finished(runtime.exec(chain(burst(range(5)), made, sink(seen))))

    assert seen == [(n, i) for n in range(5) for i in range(2)]
    assert job.routines["b"].revoked == 0


def test_14_a_joined_failure_has_the_messages_of_all_slots(runtime: Runtime) -> None:
    def logic(self: Any, left: int, right: int) -> None:
        raise ValueError("both")

    slots = {"left": Slot(int), "right": Slot(int)}
    job = runtime.exec(
        flow_of({"r": routine(logic, slots=slots, on_error=Continue())}),
        {"r.left": 1, "r.right": 2},
    )
    finished(job)

    assert [dict(failure.slots) for failure in job.dead_letters] == [{"left": 1, "right": 2}]
    assert [slot.dead for slot in job.routines["r"].slots.values()] == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_14_a_source_that_fails_under_continue_has_emitted_what_it_has(
    runtime: Runtime, kind: Kind
) -> None:
    def body(self: Any) -> Steps:
        self.out.emit(1)
        yield None
        raise OSError("gone")

    made = routine(logic_of(kind, body), on_error=Continue())
    job = finished(runtime.exec(chain(made, pass_on())))

    assert job.outputs["b.out"] == [1]
    assert [(str(f), dict(f.slots)) for f in job.dead_letters] == [("a: OSError: gone", {})]


def test_14_the_last_thousand_dead_letters_are_kept_and_all_are_counted(runtime: Runtime) -> None:
    job = finished(
        runtime.exec(
            chain(source(range(1300)), failing(lambda: ValueError("x"), on_error=Continue()))
        )
    )

    assert [failure.slots["value"] for failure in job.dead_letters] == list(range(300, 1300))
    assert job.routines["b"].failures == 1300
    assert job.routines["b"].slots["value"].dead == 1300


@pytest.mark.parametrize("policy", [Continue(), Skip()])
def test_14_a_finish_that_fails_is_recorded_and_the_next_ones_run(
    runtime: Runtime, policy: Any
) -> None:
    def fails(self: Any) -> None:
        self.out.emit("before")
        raise ValueError("at the end")

    def ends(self: Any) -> None:
        self.out.emit("end")

    flow = chain(burst([1]), pass_on(finish=fails, on_error=policy), pass_on(finish=ends))
    job = finished(runtime.exec(flow))

    assert job.outputs["c.out"] == [1, "before", "end"]
    assert [str(failure) for failure in job.dead_letters] == ["b: ValueError: at the end"]
    assert job.routines["b"].failures == 1
    assert job.routines["b"].slots["value"].dead == 0


def test_14_a_finish_that_fails_under_stop_fails_the_job(runtime: Runtime) -> None:
    ran: list[int] = []

    def fails(self: Any) -> None:
        raise ValueError("at the end")

    flow = chain(burst([1]), pass_on(finish=fails), pass_on(finish=lambda self: ran.append(1)))
    job = finished(runtime.exec(flow), JobStatus.FAILED)

    assert str(error_of(job)) == "b: ValueError: at the end"
    assert ran == []


# ---- 14: skip


def test_14_skip_counts_what_is_queued_and_what_comes_as_skipped(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()
    ran: list[Any] = []

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        if value == 2:
            raise ValueError(value)
        self.out.emit(value)

    def finish(self: Any) -> None:
        ran.append("skipped")

    def ends(self: Any) -> None:
        ran.append("end")

    flow = flow_of(
        {
            "r": routine(logic, slots={"value": Slot(int)}, on_error=Skip(), finish=finish),
            "z": pass_on(finish=ends),
        },
        "r.out -> z.value",
    )
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow, keep_open=True)
        post(runtime, job, "value", *range(8))
        gate.wait_came()
        gate.open()
        until(lambda: job.routines["r"].slots["value"].skipped == 5)
        post(runtime, job, "value", 8, 9)
        closed(runtime, job)

    assert job.outputs["z.out"] == [0, 1]
    assert job.error is None
    assert [failure.slots["value"] for failure in job.dead_letters] == [2]
    slot = job.routines["r"].slots["value"]
    assert (slot.posted, slot.consumed, slot.dead, slot.skipped) == (10, 2, 1, 7)
    assert job.routines["r"].activations == 3
    assert ran == ["end"]
    dropped = recording.of(MessageDropped, job.id)
    assert [(event.slot, event.reason) for event in dropped] == [("r.value", "skipped")] * 7


def test_14_a_skipped_routine_holds_nobody_back(runtime: Runtime) -> None:
    gate = Gate()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        raise ValueError(value)

    bad = routine(logic, slots={"value": Slot(int, capacity=1)}, on_error=Skip())
    seen: list[int] = []
    flow = flow_of(
        {"s": burst(range(50)), "g": source(range(50)), "bad": bad, "z": sink(seen)},
        "s.out -> bad.value",
        "g.out -> bad.value",
        "s.out -> z.value",
        "g.out -> z.value",
    )
    job = runtime.exec(flow, keep_open=True)
    gate.wait_came()

    def posts() -> None:
        for n in range(20):
            runtime.post(job.id, "bad.value", n)

    poster = Call(posts)
    run_another_job(runtime)
    assert len(seen) < 100, "its producers wait"
    gate.open()
    poster.result()
    closed(runtime, job)

    assert len(seen) == 100
    slot = job.routines["bad"].slots["value"]
    assert (slot.dead, slot.consumed, slot.high_water) == (1, 0, 1)
    assert slot.skipped == slot.posted - 1


@pytest.mark.parametrize("kind", KINDS)
def test_14_skip_leaves_what_runs_already_its_end(runtime: Runtime, kind: Kind) -> None:
    gate, bad = Gate(), Gate()

    def body(self: Any, value: Any) -> Steps:
        if value == 1:
            yield bad.wait_here
            raise ValueError(value)
        yield gate.wait_here
        yield None
        self.out.emit(value)

    made = of_kind(kind, body, on_error=Skip(), max_parallel=2)
    job = runtime.exec(chain(burst(range(6)), made, pass_on()))
    gate.wait_came()
    bad.wait_came()
    bad.open()
    until(lambda: job.routines["b"].slots["value"].skipped == 4)
    gate.open()
    finished(job)

    assert job.outputs["c.out"] == [0]
    slot = job.routines["b"].slots["value"]
    assert (slot.consumed, slot.dead, slot.skipped) == (1, 1, 4)


def test_14_skip_of_a_join_takes_what_waits_in_all_its_slots(runtime: Runtime) -> None:
    def logic(self: Any, left: int, right: int) -> None:
        raise ValueError(left)

    slots = {"left": Slot(int, capacity=2), "right": Slot(int, capacity=2)}
    flow = flow_of(
        {"r": routine(logic, slots=slots, on_error=Skip()), "x": burst(range(9)), "y": burst([7])},
        "x.out -> r.left",
        "y.out -> r.right",
    )

    job = finished(runtime.exec(flow))

    left, right = job.routines["r"].slots["left"], job.routines["r"].slots["right"]
    assert (left.dead, left.skipped, left.discarded) == (1, 8, 0)
    assert (right.dead, right.skipped, right.discarded) == (1, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_14_skip_of_a_source_ends_it(runtime: Runtime, kind: Kind) -> None:
    def body(self: Any) -> Steps:
        self.out.emit(1)
        yield None
        raise OSError("gone")

    ran: list[int] = []
    made = routine(logic_of(kind, body), on_error=Skip(), finish=lambda self: ran.append(1))
    job = finished(runtime.exec(chain(made, pass_on())))

    assert job.outputs["b.out"] == [1]
    assert ran == []
    assert [str(failure) for failure in job.dead_letters] == ["a: OSError: gone"]


# ---- 14: retry


@pytest.mark.parametrize("kind", KINDS)
def test_14_retry_tries_again_in_order_with_the_same_messages(runtime: Runtime, kind: Kind) -> None:
    tried: list[Any] = []

    def body(self: Any, value: Any) -> Steps:
        tried.append(value)
        yield None
        if self.state.next(value) < 3:
            raise ValueError(value)
        self.out.emit(value)

    made = of_kind(kind, body, state=Tries, on_error=Retry(times=2))
    job = finished(runtime.exec(chain(burst(range(10)), made)))

    assert job.outputs["b.out"] == list(range(10))
    assert tried == [value for value in range(10) for _ in range(3)]
    count = job.routines["b"]
    assert (count.failures, count.slots["value"].consumed) == (20, 10)
    assert job.dead_letters == []
    assert job.error is None


def test_14_each_attempt_is_told_and_numbered(loop: Loop) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        flow = chain(burst([5]), failing(lambda: ValueError("x"), on_error=Retry(times=3)))
        job = finished(runtime.exec(flow), JobStatus.FAILED)

    assert error_of(job).attempt == 4
    assert dict(error_of(job).slots) == {"value": 5}
    told = recording.of(ActivationFailed)
    assert [event.failure.attempt for event in told] == [1, 2, 3, 4]
    assert [event.action for event in told] == ["retry", "retry", "retry", "stop"]
    assert job.routines["b"].failures == 4
    assert job.routines["b"].slots["value"].dead == 1


@pytest.mark.parametrize("times", [0, 1, 5])
def test_14_times_counts_retries_after_the_first_try(runtime: Runtime, times: int) -> None:
    tried: list[int] = []

    def logic(self: Any, value: int) -> None:
        tried.append(value)
        raise ValueError(value)

    again = Retry(times=times, then=Continue())
    made = routine(logic, slots={"value": Slot(int)}, on_error=again)
    job = finished(runtime.exec(chain(burst([1, 2]), made)))

    assert tried == [1] * (times + 1) + [2] * (times + 1)
    assert [failure.attempt for failure in job.dead_letters] == [times + 1] * 2


@pytest.mark.parametrize(
    ("on", "error", "attempts"),
    [
        ((Exception,), ValueError, 3),
        ((ValueError,), ValueError, 3),
        ((LookupError, OSError), KeyError, 3),
        (OSError, ConnectionError, 3),
        ((ValueError,), KeyError, 1),
        ((Exception,), SystemExit, 1),
        ((Exception,), KeyboardInterrupt, 1),
        ((BaseException,), SystemExit, 3),
    ],
)
def test_14_only_what_on_names_is_tried_again(
    runtime: Runtime, on: Any, error: type[BaseException], attempts: int
) -> None:
    again = Retry(times=2, on=on, then=Continue())
    job = finished(runtime.exec(chain(burst([1]), failing(error, on_error=again))))

    [failure] = job.dead_letters
    assert (failure.type, failure.attempt) == (error.__name__, attempts)
    assert job.routines["b"].failures == attempts


def test_14_then_stop(runtime: Runtime) -> None:
    job = finished(
        runtime.exec(chain(burst(range(3)), fails_on(1, on_error=Retry(times=1)), pass_on())),
        JobStatus.FAILED,
    )

    assert error_of(job).attempt == 2
    assert job.routines["b"].slots["value"].queued == 1


def test_14_then_continue(runtime: Runtime) -> None:
    again = Retry(times=1, then=Continue())
    job = finished(runtime.exec(chain(burst(range(3)), fails_on(1, on_error=again), pass_on())))

    assert job.outputs["c.out"] == [0, 2]
    assert [failure.attempt for failure in job.dead_letters] == [2]


def test_14_then_skip(runtime: Runtime) -> None:
    again = Retry(times=1, then=Skip())
    job = finished(runtime.exec(chain(burst(range(4)), fails_on(1, on_error=again), pass_on())))

    assert job.outputs["c.out"] == [0]
    slot = job.routines["b"].slots["value"]
    assert (slot.consumed, slot.dead, slot.skipped) == (1, 1, 2)


def test_14_a_retry_waits_on_no_worker_and_keeps_its_place(loop: Loop) -> None:
    tried: list[int] = []

    def logic(self: Any, value: int) -> None:
        tried.append(value)
        raise ValueError(value)

    made = routine(logic, slots={"value": Slot(int)}, on_error=Retry(delay=LONG))
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(5)), made))
        until(lambda: job.routines["b"].failures == 1)
        run_another_job(runtime)
        run_another_job(runtime)

        until(lambda: runtime.statistics().busy == 0)
        assert tried == [0], "with max_parallel 1 later messages wait behind it"
        slot = job.routines["b"].slots["value"]
        assert slot.queued + slot.in_flight == 5
        check_conservation(job)
        assert not job.status.is_final
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        run_another_job(runtime)
        assert tried == [0]


@pytest.mark.parametrize("rule", [Latest(), Every(0.001), Oldest()])
def test_14_a_waiting_retry_keeps_its_place_under_a_rule_that_asks_again(
    runtime: Runtime, rule: Activation
) -> None:
    tried: list[int] = []

    def logic(self: Any, value: int) -> None:
        tried.append(value)
        raise ValueError(value)

    made = routine(logic, slots={"value": Slot(int)}, on_error=Retry(delay=LONG), activation=rule)
    job = runtime.exec(flow_of({"r": made}), {"value": 0}, keep_open=True)
    until(lambda: job.routines["r"].failures == 1)
    post(runtime, job, "value", 1, 2, 3)
    run_another_job(runtime)

    assert tried == [0]
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    assert tried == [0]


def test_14_latest_tries_again_what_failed_and_not_what_is_newer(runtime: Runtime) -> None:
    gate = Gate()
    tried: list[int] = []

    def logic(self: Any, value: int) -> None:
        tried.append(value)
        if len(tried) == 1:
            gate.wait_here()
            raise ValueError(value)

    made = routine(logic, slots={"value": Slot(int)}, on_error=Retry(), activation=Latest())
    job = runtime.exec(flow_of({"r": made}), {"value": 0}, keep_open=True)
    gate.wait_came()
    post(runtime, job, "value", 1, 2)
    gate.open()
    closed(runtime, job)

    assert tried == [0, 0, 2]
    slot = job.routines["r"].slots["value"]
    assert (slot.consumed, slot.superseded) == (2, 1)


def test_14_latest_chooses_when_the_retry_is_over_and_not_before(runtime: Runtime) -> None:
    tried: list[int] = []

    def logic(self: Any, value: int) -> None:
        tried.append(value)
        if len(tried) == 1:
            raise ValueError(value)

    again = Retry(delay=0.2)
    made = routine(logic, slots={"value": Slot(int)}, on_error=again, activation=Latest())
    job = runtime.exec(flow_of({"r": made}), {"value": 0}, keep_open=True)
    until(lambda: job.routines["r"].failures == 1)
    for n in (1, 2, 3):
        post(runtime, job, "value", n)
        until(lambda: job.routines["r"].slots["value"].posted == n + 1)  # noqa: B023
    in_time = len(tried) == 1
    closed(runtime, job)

    assert tried[-1] == 3
    assert tried == [0, 0, 3] or not in_time


def test_14_a_waiting_retry_counts_for_max_parallel(runtime: Runtime) -> None:
    tried: list[int] = []

    def logic(self: Any, value: int) -> None:
        tried.append(value)
        if value in (1, 4):
            raise ValueError(value)

    again = Retry(delay=LONG)
    made = routine(logic, slots={"value": Slot(int)}, on_error=again, max_parallel=2)
    job = runtime.exec(chain(burst(range(8)), made))
    until(lambda: job.routines["b"].failures == 2)
    run_another_job(runtime)

    assert sorted(tried) in (list(range(5)), list(range(6)))  # 5 may have been beside 4
    assert job.routines["b"].activations == len(tried)
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)


def test_14_the_delay_passes_before_each_retry(runtime: Runtime) -> None:
    failed: list[float] = []
    begun: list[float] = []

    def logic(self: Any, value: int) -> None:
        begun.append(monotonic())
        if len(begun) < 4:
            failed.append(monotonic())
            raise ValueError(value)

    again = Retry(times=3, delay=0.02, backoff=2.0)
    made = routine(logic, slots={"value": Slot(int)}, on_error=again)
    finished(runtime.exec(chain(burst([1]), made)))

    waits = [start - end for end, start in zip(failed, begun[1:], strict=True)]
    for wait, least in zip(waits, [0.02, 0.04, 0.08], strict=True):
        assert wait >= least - 0.003, waits


def test_14_max_delay_limits_the_backoff(runtime: Runtime) -> None:
    """Without the limit the second retry would come after an hour."""
    again = Retry(times=4, delay=0.001, backoff=3_600_000, max_delay=0.01)

    job = finished(runtime.exec(chain(burst([1, 2]), succeeds_at(5, on_error=again))))

    assert job.outputs["b.out"] == [1, 2]


def test_14_jitter_leaves_out_a_part_of_the_delay_at_most(runtime: Runtime) -> None:
    failed: list[float] = []
    begun: list[float] = []

    def logic(self: Any, value: int) -> None:
        begun.append(monotonic())
        if len(begun) < 6:
            failed.append(monotonic())
            raise ValueError(value)

    again = Retry(times=5, delay=0.02, jitter=0.5)
    made = routine(logic, slots={"value": Slot(int)}, on_error=again)
    finished(runtime.exec(chain(burst([1]), made), seed=7))

    waits = [start - end for end, start in zip(failed, begun[1:], strict=True)]
    assert min(waits) >= 0.02 * 0.5 - 0.003, waits


def test_14_a_retry_that_waits_keeps_the_job_from_its_end(runtime: Runtime) -> None:
    log: list[str] = []

    def finish(self: Any) -> None:
        log.append("finish")

    def logic(self: Any, value: int) -> None:
        log.append("try")
        if len(log) < 3:
            raise ValueError(value)

    again = Retry(delay=0.03)
    made = routine(logic, slots={"value": Slot(int)}, on_error=again, finish=finish)
    finished(runtime.exec(chain(burst([1]), made, pass_on(finish=finish))))

    assert log == ["try", "try", "try", "finish", "finish"]


@pytest.mark.parametrize("kind", KINDS)
def test_14_a_source_is_tried_again_too(runtime: Runtime, kind: Kind) -> None:
    def body(self: Any) -> Steps:
        attempt = self.state.next("source")
        self.out.emit(attempt)
        yield None
        if attempt < 3:
            raise OSError("gone")

    made = routine(logic_of(kind, body), state=Tries, on_error=Retry(times=2))
    job = finished(runtime.exec(chain(made, pass_on())))

    assert job.outputs["b.out"] == [3]
    assert job.routines["a"].revoked == 2


def test_14_a_join_and_a_batch_are_tried_again_whole(runtime: Runtime) -> None:
    def joins(self: Any, left: int, right: int) -> None:
        if self.state.next((left, right)) < 2:
            raise ValueError("again")
        self.out.emit((left, right))

    def batches(self: Any, value: list[int]) -> None:
        if self.state.next(tuple(value)) < 2:
            raise ValueError("again")
        self.out.emit(value)

    flow = flow_of(
        {
            "x": burst(range(9)),
            "y": burst(reversed(range(9))),
            "j": routine(
                joins,
                slots={"left": Slot(int), "right": Slot(int)},
                state=Tries,
                on_error=Retry(),
                activation=AllSlots(match=lambda value: value),
            ),
            "b": routine(
                batches,
                slots={"value": Slot(int)},
                state=Tries,
                on_error=Retry(),
                activation=Batch(4),
            ),
        },
        "x.out -> j.left",
        "y.out -> j.right",
        "x.out -> b.value",
    )
    job = finished(runtime.exec(flow))

    assert sorted(job.outputs["j.out"]) == [(n, n) for n in range(9)]
    assert job.outputs["b.out"] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert job.routines["j"].failures == 9
    assert job.routines["b"].failures == 3


def test_14_a_state_that_can_not_be_made_is_a_failure_under_the_policy(runtime: Runtime) -> None:
    tried: list[int] = []
    ran: list[int] = []

    class State:
        def __init__(self) -> None:
            tried.append(1)
            if len(tried) < 3:
                raise RuntimeError("no state")

    slots = {"value": Slot(int)}

    def logic(self: Any, value: int) -> None:
        assert isinstance(self.state, State)
        ran.append(value)

    job = finished(
        runtime.exec(chain(burst([1, 2]), routine(logic, slots=slots, state=State))),
        JobStatus.FAILED,
    )
    assert str(error_of(job)) == "b: RuntimeError: no state"
    assert ran == []

    tried.clear()
    again = routine(logic, slots=slots, state=State, on_error=Retry(times=2))
    job = finished(runtime.exec(chain(burst([1, 2]), again)))
    assert ran == [1, 2]
    assert job.routines["b"].failures == 2

    class Never:
        def __init__(self) -> None:
            raise SystemExit(1)

    never = routine(logic, slots=slots, state=Never, on_error=Continue())
    job = finished(runtime.exec(chain(burst([1, 2]), never)))
    assert [failure.type for failure in job.dead_letters] == ["SystemExit"] * 2
    assert ran == [1, 2]


# ---- 15: the failed event


def failed_flow(bad: Routine, into: list[Failure], many: int = 3) -> Any:
    return flow_of(
        {"s": burst(range(many)), "bad": bad, "z": sink(into)},
        "s.out -> bad.value",
        "bad.failed -> z.value",
    )


@pytest.mark.parametrize("policy", [Stop(), Continue()])
@pytest.mark.parametrize("kind", KINDS)
def test_15_a_connected_failed_event_takes_the_failure_instead(
    runtime: Runtime, kind: Kind, policy: Any
) -> None:
    seen: list[Failure] = []

    def body(self: Any, value: Any) -> Steps:
        yield None
        raise KeyError(value)

    job = finished(runtime.exec(failed_flow(of_kind(kind, body, on_error=policy), seen)))

    assert [dict(failure.slots) for failure in seen] == [{"value": n} for n in range(3)]
    assert {type(failure) for failure in seen} == {Failure}
    assert [(f.routine, f.type, f.attempt) for f in seen] == [("bad", "KeyError", 1)] * 3
    assert job.dead_letters == []
    assert job.error is None
    slot = job.routines["bad"].slots["value"]
    assert (slot.consumed, slot.dead) == (3, 0)
    assert job.routines["bad"].failures == 3
    assert "bad.failed" not in job.outputs


@pytest.mark.parametrize("then", [Stop(), Continue()])
def test_15_a_failure_is_delivered_after_the_retries_only(runtime: Runtime, then: Any) -> None:
    seen: list[Failure] = []
    bad = fails_on(1, on_error=Retry(times=2, then=then))

    job = finished(runtime.exec(failed_flow(bad, seen)))

    assert [(f.slots["value"], f.attempt) for f in seen] == [(1, 3)]
    assert job.outputs["bad.out"] == [0, 2]
    assert job.routines["bad"].failures == 3


def test_15_a_failure_without_a_retry_left_by_its_kind_is_delivered_at_once(
    runtime: Runtime,
) -> None:
    seen: list[Failure] = []
    bad = failing(lambda: KeyError("k"), on_error=Retry(times=2, on=(ValueError,)))

    finished(runtime.exec(failed_flow(bad, seen)))

    assert [failure.attempt for failure in seen] == [1, 1, 1]


def test_15_failed_is_never_among_the_outputs(runtime: Runtime) -> None:
    job = runtime.exec(chain(burst([1]), failing(ValueError, on_error=Continue())))

    assert set(job.outputs) == {"b.out"}
    finished(job)
    assert set(job.outputs) == set(job.output_counts) == {"b.out"}


def test_15_a_source_and_a_finish_deliver_their_failures_too(runtime: Runtime) -> None:
    seen: list[Failure] = []

    def logic(self: Any) -> None:
        raise ValueError("source")

    def finish(self: Any) -> None:
        raise ValueError("finish")

    flow = flow_of({"s": routine(logic, finish=finish), "z": sink(seen)}, "s.failed -> z.value")
    job = finished(runtime.exec(flow))

    assert [(failure.text, dict(failure.slots)) for failure in seen] == [
        ("source", {}),
        ("finish", {}),
    ]
    assert job.dead_letters == []


def test_15_who_takes_failures_may_fail_under_its_own_policy(runtime: Runtime) -> None:
    flow = flow_of(
        {
            "s": burst([1, 2]),
            "bad": failing(lambda: ValueError("x")),
            "worse": failing(lambda: KeyError("y"), on_error=Continue()),
        },
        "s.out -> bad.value",
        "bad.failed -> worse.value",
    )
    job = finished(runtime.exec(flow))

    assert [failure.routine for failure in job.dead_letters] == ["worse", "worse"]
    assert [failure.slots["value"].slots["value"] for failure in job.dead_letters] == [1, 2]


def test_15_failures_wait_for_room_like_any_message(runtime: Runtime) -> None:
    seen: list[Failure] = []
    flow = flow_of(
        {"s": burst(range(40)), "bad": failing(lambda: ValueError("x")), "z": sink(seen, 1)},
        "s.out -> bad.value",
        "bad.failed -> z.value",
    )
    job = finished(runtime.exec(flow))

    assert [failure.slots["value"] for failure in seen] == list(range(40))
    assert job.routines["z"].slots["value"].high_water == 1


# ---- 16: whatever is raised


class Grim(BaseException):
    """Nothing can be learned about it."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


RAISED: list[type[BaseException]] = [
    ValueError,
    StopIteration,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    Cancelled,
    MemoryError,
    RecursionError,
    Grim,
]


def raising(kind: Kind, error: type[BaseException], **attributes: Any) -> Routine:
    def plain(self: Any, value: Any) -> None:
        raise error

    def generator(self: Any, value: Any) -> Iterator[None]:
        yield
        raise error

    async def coroutine(self: Any, value: Any) -> None:
        await asyncio.sleep(0)
        raise error

    logic = {"plain": plain, "generator": generator, "async": coroutine}[kind]
    return routine(logic, slots={"value": Slot(object)}, **attributes)


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("kind", KINDS)
def test_16_whatever_a_body_raises_is_its_failure(
    loop: Loop, kind: Kind, error: type[BaseException]
) -> None:
    # Python itself turns a StopIteration out of a generator or coroutine into this.
    name = "RuntimeError" if error is StopIteration and kind != "plain" else error.__name__
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        stopped = runtime.exec(chain(burst([1]), raising(kind, error)))
        finished(stopped, JobStatus.FAILED)
        assert (error_of(stopped).routine, error_of(stopped).type) == ("b", name)

        flow = chain(burst([1, 2]), raising(kind, error, on_error=Continue()), pass_on())
        job = finished(runtime.exec(flow))
        assert [failure.type for failure in job.dead_letters] == [name] * 2

        full = runtime.exec(chain(burst([1, 2]), gated(gate, max_parallel=None)))
        gate.wait_inside(2)
        gate.open()
        finished(full)


@pytest.mark.parametrize("error", RAISED)
def test_16_whatever_finish_raises_is_its_failure(
    runtime: Runtime, error: type[BaseException]
) -> None:
    def finish(self: Any) -> None:
        raise error

    job = finished(runtime.exec(chain(burst([1]), pass_on(finish=finish))), JobStatus.FAILED)

    assert (error_of(job).routine, error_of(job).type) == ("b", error.__name__)


def test_16_several_failures_at_once_are_all_kept(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        raise ValueError(value)

    def bad() -> Routine:
        return routine(logic, slots={"value": Slot(int)}, max_parallel=2)

    names = ["x", "y", "z"]
    flow = flow_of(
        {"s": burst([0, 1]), **{name: bad() for name in names}},
        *(f"s.out -> {name}.value" for name in names),
    )
    with Runtime(workers=6, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow)
        gate.wait_inside(6)
        gate.open()
        finished(job, JobStatus.FAILED)
        until(lambda: sum(job.routines[name].failures for name in names) == 6)
        check_conservation(job)

    kept = [(f.routine, f.slots["value"]) for f in (error_of(job), *job.dead_letters)]
    assert sorted(set(kept)) == [(name, n) for name in names for n in (0, 1)]
    assert isinstance(recording.events[-1], JobEndedEvent)


@pytest.mark.parametrize("kind", KINDS)
def test_16_letting_cancelled_pass_is_no_failure(runtime: Runtime, kind: Kind) -> None:
    gate = Gate()
    over = threading.Event()

    def body(self: Any, value: Any) -> Steps:
        try:
            self.out.emit(value)
            yield gate.wait_here
            self.out.emit("late")
        finally:
            gate.open()
            over.set()

    job = runtime.exec(chain(burst([1]), of_kind(kind, body, on_error=Continue())))
    gate.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    gate.open()
    assert over.wait(DEADLINE)
    run_another_job(runtime)
    run_another_job(runtime)

    assert job.routines["b"].failures == 0
    assert job.dead_letters == []
    assert job.error is None


def test_16_an_error_while_cleaning_up_does_not_hide_the_first(runtime: Runtime) -> None:
    def logic(self: Any, value: int) -> Iterator[None]:
        try:
            yield
            raise ValueError("first")
        finally:
            raise KeyError("second")

    made = routine(logic, slots={"value": Slot(int)})
    job = finished(runtime.exec(chain(burst([1]), made)), JobStatus.FAILED)

    assert error_of(job).type == "KeyError"
    assert "ValueError: first" in error_of(job).traceback


def test_16_a_generator_that_raises_when_it_is_closed_ends_nothing_else(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    closing = threading.Event()

    def logic(self: Any) -> Iterator[None]:
        try:
            while True:
                self.out.emit(1)
                yield
        finally:
            closing.set()
            raise SystemExit("while closing")

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic), gated(gate, capacity=1)))
        gate.wait_came()
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        gate.open()
        assert closing.wait(DEADLINE)
        run_another_job(runtime)

    assert job.status is JobStatus.CANCELLED
    caplog.clear()  # it may be logged, as the job it might fail has ended


def test_16_a_failure_s_traceback_shows_the_user_s_lines_only(runtime: Runtime) -> None:
    def deeper() -> None:
        raise ValueError("deep")

    def logic(self: Any, value: int) -> None:
        deeper()

    made = routine(logic, slots={"value": Slot(int)})
    job = finished(runtime.exec(chain(burst([1]), made)), JobStatus.FAILED)

    assert "in deeper" in error_of(job).traceback
    assert "penstock/run" not in error_of(job).traceback


class Bad(Instrument):
    """Raises in one method, or while it is looked up."""

    def __init__(self, method: str, error: type[BaseException], when: str) -> None:
        self._method = method
        self._error = error
        self._when = when

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name[:3] != "on_" or name != self._method:
            return object.__getattribute__(self, name)
        if self._when == "looked up":
            raise self._error("in look-up")

        def method(event: Any) -> None:
            raise self._error("in call")

        return method


@pytest.mark.parametrize("when", ["looked up", "called"])
@pytest.mark.parametrize("error", [ValueError, SystemExit])
@pytest.mark.parametrize(
    "method", ["on_job_started", "on_message_queued", "on_activation_ended", "on_job_ended"]
)
def test_16_an_instrument_that_raises_is_removed_and_logged_and_the_others_hear_all(
    loop: Loop, caplog: pytest.LogCaptureFixture, method: str, error: type[BaseException], when: str
) -> None:
    recording = RecordingInstrument()
    bad = Bad(method, error, when)
    with Runtime(workers=2, loop=loop, instruments=[bad, recording]) as runtime:
        for _ in range(2):
            job = finished(runtime.exec(chain(burst(range(5)), pass_on(), pass_on())))
            assert job.outputs["c.out"] == list(range(5))

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "Bad" in caplog.records[0].getMessage()
    caplog.clear()
    assert len(recording.of(JobEndedEvent)) == 2
    assert len(recording.of(ActivationEnded)) == 2 * (1 + 5 + 5)


def test_16_events_come_of_every_routine_however_far_downstream(loop: Loop) -> None:
    recording = RecordingInstrument()
    parts = 40
    ids = ["s", *(f"p{n:02}" for n in range(parts))]
    routines = {"s": burst(range(3)), **{name: pass_on() for name in ids[1:]}}
    links = [f"{one}.out -> {other}.value" for one, other in pairwise(ids)]
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = finished(runtime.exec(flow_of(routines, *links)))

    assert job.outputs == {f"{ids[-1]}.out": [0, 1, 2]}
    for told in (
        [event.routine for event in recording.of(ActivationStarted)],
        [event.routine for event in recording.of(ActivationEnded)],
    ):
        assert {name: told.count(name) for name in ids} == {"s": 1} | dict.fromkeys(ids[1:], 3)
    assert isinstance(recording.events[0], JobStarted)
    assert isinstance(recording.events[-1], JobEndedEvent)
    assert [event.seq for event in recording.events] == sorted(
        {event.seq for event in recording.events}
    )


# ---- 17: where one may emit


@pytest.mark.parametrize("policy", [Stop(), Retry()])
def test_17_a_thread_of_the_body_may_not_emit_even_with_its_context(
    runtime: Runtime, policy: Any
) -> None:
    raised: list[Any] = []

    def logic(self: Any, value: int) -> None:
        context = contextvars.copy_context()
        bare = Call(lambda: raised_by(lambda: self.out.emit("bare")))
        copied = Call(lambda: raised_by(lambda: context.run(self.out.emit, "with the context")))
        raised.extend(call.result() for call in (bare, copied))
        self.out.emit("right")

    def finish(self: Any) -> None:
        raised.append(Call(lambda: raised_by(lambda: self.out.emit("late"))).result())
        self.out.emit("end")

    made = routine(logic, slots={"value": Slot(int)}, finish=finish, on_error=policy)
    job = finished(runtime.exec(chain(burst([1]), made)))

    assert raised == [EmitOutsideActivation] * 3
    assert job.outputs["b.out"] == ["right", "end"]
    assert job.routines["b"].refused == 3


def test_17_every_refused_emit_is_counted_whatever_the_thread(runtime: Runtime) -> None:
    def logic(self: Any, value: int) -> None:
        def strays() -> None:
            for _ in range(500):
                with pytest.raises(EmitOutsideActivation):
                    self.out.emit("stray")

        for call in [Call(strays) for _ in range(4)]:
            call.result()

    job = finished(runtime.exec(chain(burst([1]), routine(logic, slots={"value": Slot(int)}))))

    assert job.routines["b"].refused == 2000
    assert job.outputs["b.out"] == []


def test_17_a_thread_left_behind_by_a_body_may_not_emit(runtime: Runtime) -> None:
    go = threading.Event()
    calls: list[Call] = []

    def logic(self: Any, value: int) -> None:
        emit = self.out.emit

        def later() -> Any:
            assert go.wait(DEADLINE)
            return raised_by(lambda: emit("stray"))

        calls.append(Call(later))
        self.out.emit(value)

    job = runtime.exec(
        chain(burst([1]), routine(logic, slots={"value": Slot(int)})), keep_open=True
    )
    until(lambda: job.outputs["b.out"] == [1])
    go.set()
    assert calls[0].result() is EmitOutsideActivation
    runtime.jobs.close(job.id)
    finished(job)

    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 1


@pytest.mark.parametrize("policy", [Stop(), Retry()])
def test_17_an_emit_that_comes_after_its_job_is_refused_and_counted(
    runtime: Runtime, policy: Any
) -> None:
    kept: list[Any] = []

    def logic(self: Any, value: int) -> None:
        kept.append(self.out)

    made = routine(logic, slots={"value": Slot(int)}, on_error=policy)
    job = finished(runtime.exec(chain(burst([1]), made)))

    assert raised_by(lambda: kept[0].emit("stray")) is EmitOutsideActivation
    assert Call(lambda: raised_by(lambda: kept[0].emit("stray"))).result() is (
        EmitOutsideActivation
    )
    assert job.outputs == {"b.out": []}
    assert job.routines["b"].refused == 2


def test_17_an_emit_in_a_match_function_is_refused(runtime: Runtime) -> None:
    kept: list[Any] = []
    raised: list[Any] = []

    def match(value: Any) -> Any:
        raised.append(raised_by(lambda: kept[0].emit("stray")))
        return value

    def logic(self: Any) -> None:
        kept.append(self.out)
        self.out.emit(1)

    flow = flow_of(
        {"s": routine(logic), "p": pair(activation=AllSlots(match=match))},
        "s.out -> p.left",
        "s.out -> p.right",
    )
    job = finished(runtime.exec(flow))

    assert set(raised) == {EmitOutsideActivation}
    assert job.outputs["p.out"] == [(1, 1)]
    assert job.routines["s"].refused == len(raised)


@pytest.mark.parametrize("policy", [Stop(), Retry()])
def test_17_a_coroutine_and_what_copies_its_context_may_emit(runtime: Runtime, policy: Any) -> None:
    async def logic(self: Any, value: int) -> None:
        self.out.emit((value, "itself"))
        await asyncio.sleep(0)
        self.out.emit((value, "after an await"))
        await asyncio.to_thread(self.out.emit, (value, "to_thread"))

        async def other(word: str) -> None:
            await asyncio.sleep(0)
            self.out.emit((value, word))

        await asyncio.create_task(other("task"))
        await asyncio.gather(other("one"), other("two"))
        context = contextvars.copy_context()
        await asyncio.to_thread(
            lambda: Call(lambda: context.run(self.out.emit, (value, "copied"))).result()
        )

    slots = {"value": Slot(int)}
    made = routine(logic, slots=slots, on_error=policy, max_parallel=None)
    job = finished(runtime.exec(chain(burst(range(10)), made)))

    words = ["itself", "after an await", "to_thread", "task", "one", "two", "copied"]
    assert len(job.outputs["b.out"]) == 70
    for value in range(10):
        mine = [word for one, word in job.outputs["b.out"] if one == value]
        assert mine[:4] == words[:4]
        assert sorted(mine) == sorted(words)
    assert job.routines["b"].refused == 0


def test_17_a_thread_without_the_coroutine_s_context_may_not_emit(runtime: Runtime) -> None:
    raised: list[Any] = []

    async def logic(self: Any, value: int) -> None:
        call = Call(lambda: raised_by(lambda: self.out.emit("stray")))
        raised.append(await asyncio.to_thread(call.result))
        self.out.emit(value)

    job = finished(runtime.exec(chain(burst([1]), routine(logic, slots={"value": Slot(int)}))))

    assert raised == [EmitOutsideActivation]
    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 1


def test_17_after_its_coroutine_ended_nobody_emits_with_its_context(runtime: Runtime) -> None:
    kept: list[tuple[contextvars.Context, Any]] = []

    async def logic(self: Any, value: int) -> None:
        kept.append((contextvars.copy_context(), self.out))
        self.out.emit(value)

    slots = {"value": Slot(int)}
    job = runtime.exec(chain(burst([1]), routine(logic, slots=slots)), keep_open=True)
    until(lambda: job.outputs["b.out"] == [1])
    until(lambda: job.routines["b"].slots["value"].consumed == 1)
    context, out = kept[0]
    assert raised_by(lambda: context.run(out.emit, "stray")) is EmitOutsideActivation
    assert Call(lambda: raised_by(lambda: context.run(out.emit, "stray"))).result() is (
        EmitOutsideActivation
    )
    runtime.jobs.close(job.id)
    finished(job)

    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 2


def test_17_a_task_that_outlives_its_coroutine_may_not_emit(runtime: Runtime) -> None:
    gate = AsyncGate()
    raised: list[Any] = []
    tasks: list[asyncio.Task[None]] = []

    async def logic(self: Any, value: int) -> None:
        async def later() -> None:
            await gate.wait_here()
            raised.append(raised_by(lambda: self.out.emit("stray")))

        tasks.append(asyncio.create_task(later()))
        await asyncio.sleep(0)
        self.out.emit(value)

    slots = {"value": Slot(int)}
    job = runtime.exec(chain(burst([1]), routine(logic, slots=slots)), keep_open=True)
    until(lambda: job.routines["b"].slots["value"].consumed == 1)
    gate.open()
    until(lambda: raised)
    runtime.jobs.close(job.id)
    finished(job)

    assert raised == [EmitOutsideActivation]
    assert job.outputs["b.out"] == [1]
    assert job.routines["b"].refused == 1


def test_17_one_coroutine_may_not_emit_for_another_routine_or_job(runtime: Runtime) -> None:
    kept: list[Any] = []
    raised: list[Any] = []
    gate = AsyncGate()

    async def logic(self: Any, value: int) -> None:
        kept.append(self.out)
        if value == 0:
            await gate.wait_here()
            self.out.emit("mine")
        else:
            raised.append(raised_by(lambda: kept[0].emit("stray")))

    flow = flow_of({"r": routine(logic, slots={"value": Slot(int)})})
    first = runtime.exec(flow, {"r.value": 0})
    until(lambda: gate.came)
    second = finished(runtime.exec(flow, {"r.value": 1}))
    gate.open()
    finished(first)

    assert raised == [EmitOutsideActivation]
    assert first.outputs == {"r.out": ["mine"]}
    assert second.outputs == {"r.out": []}
    assert first.routines["r"].refused + second.routines["r"].refused == 1


@pytest.mark.parametrize("policy", [Stop(), Retry()])
@pytest.mark.parametrize("kind", KINDS)
def test_17_in_a_body_whose_job_has_ended_emit_raises_cancelled_and_is_counted(
    runtime: Runtime, kind: Kind, policy: Any
) -> None:
    gate = Gate()
    raised: list[Any] = []
    over = threading.Event()

    def body(self: Any, value: Any) -> Steps:
        self.out.emit("before")
        try:
            yield gate.wait_here
        finally:
            gate.open()
            raised.append(self.cancelled)
            raised.extend(raised_by(lambda: self.out.emit("late")) for _ in range(3))
            raised.append(raised_by(self.checkpoint))
            over.set()

    seen: list[Any] = []
    job = runtime.exec(chain(burst([1]), of_kind(kind, body, on_error=policy), sink(seen)))
    gate.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    gate.open()
    assert over.wait(DEADLINE)

    assert raised == [True, *[Cancelled] * 4]
    until(lambda: job.routines["b"].refused == 3)
    run_another_job(runtime)
    assert "late" not in seen
    check_conservation(job)


def test_17_emits_after_another_routine_stopped_the_job_raise_cancelled(runtime: Runtime) -> None:
    gate = Gate()
    raised: list[Any] = []
    over = threading.Event()

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        raised.append(raised_by(lambda: self.out.emit("late")))
        over.set()

    def fails(self: Any, value: int) -> None:
        gate.wait_came()
        raise ValueError("stop")

    slots = {"value": Slot(int)}
    flow = flow_of(
        {"s": burst([1]), "r": routine(logic, slots=slots), "bad": routine(fails, slots=slots)},
        "s.out -> r.value",
        "s.out -> bad.value",
    )
    job = finished(runtime.exec(flow), JobStatus.FAILED)
    gate.open()
    assert over.wait(DEADLINE)

    assert raised == [Cancelled]
    assert job.outputs["r.out"] == []
    assert job.routines["r"].refused == 1


def test_17_cancel_cancels_the_coroutine_and_its_finally_runs(loop: Loop) -> None:
    gate = AsyncGate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(5)), async_gated(gate, max_parallel=None)))
        until(lambda: len(gate.came) == 5)
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        until(lambda: sorted(gate.left) == list(range(5)))
        run_another_job(runtime)

    assert job.outputs == {"b.out": []}


def test_17_a_coroutine_that_will_not_be_cancelled_changes_nothing(loop: Loop) -> None:
    gate = AsyncGate()
    raised: list[Any] = []

    async def logic(self: Any, value: int) -> None:
        try:
            await gate.wait_here()
        except asyncio.CancelledError:
            raised.append(raised_by(lambda: self.out.emit("late")))

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst([1]), routine(logic, slots={"value": Slot(int)})))
        until(lambda: gate.came)
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        until(lambda: raised)
        run_another_job(runtime)

    assert raised == [Cancelled]
    assert job.status is JobStatus.CANCELLED
    assert job.outputs == {"b.out": []}
    assert job.routines["b"].refused == 1


def test_17_stop_cancels_coroutines_too(runtime: Runtime) -> None:
    gate = AsyncGate()

    def fails(self: Any, value: int) -> None:
        until(lambda: gate.came)
        raise ValueError("stop")

    flow = flow_of(
        {
            "s": burst([1]),
            "r": async_gated(gate),
            "bad": routine(fails, slots={"value": Slot(int)}),
        },
        "s.out -> r.value",
        "s.out -> bad.value",
    )
    finished(runtime.exec(flow), JobStatus.FAILED)

    until(lambda: gate.left == [1])


def test_17_leaving_the_runtime_cancels_coroutines_and_ends_their_thread(loop: Loop) -> None:
    gate = AsyncGate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(3)), async_gated(gate, max_parallel=None)))
        until(lambda: len(gate.came) == 3)

    assert job.status is JobStatus.CANCELLED
    assert sorted(gate.left) == [0, 1, 2]
    assert not [t for t in threading.enumerate() if t.name.startswith("penstock-async")]


def test_17_leaving_the_runtime_cancels_tasks_that_coroutines_left_behind(loop: Loop) -> None:
    gate = AsyncGate()
    tasks: list[asyncio.Task[None]] = []

    async def logic(self: Any, value: int) -> None:
        tasks.append(asyncio.create_task(gate.wait_here(value)))
        await asyncio.sleep(0)

    with Runtime(workers=1, loop=loop) as runtime:
        slots = {"value": Slot(int)}
        finished(runtime.exec(chain(burst(range(3)), routine(logic, slots=slots))))
        assert gate.came == [0, 1, 2]
        assert gate.left == []

    assert sorted(gate.left) == [0, 1, 2]
    assert all(task.cancelled() for task in tasks)


def test_17_all_coroutines_run_on_one_thread_that_starts_when_it_is_needed(loop: Loop) -> None:
    names: set[str] = set()

    async def logic(self: Any, value: int) -> None:
        await asyncio.sleep(0)
        names.add(threading.current_thread().name)

    with Runtime(workers=2, loop=loop) as runtime:
        run_another_job(runtime)
        assert not [t for t in threading.enumerate() if t.name.startswith("penstock-async")]
        slots = {"value": Slot(int)}
        flow = chain(burst(range(20)), routine(logic, slots=slots, max_parallel=None))
        for job in [runtime.exec(flow) for _ in range(3)]:
            finished(job)

    assert names == {"penstock-async"}


def test_17_a_body_of_one_job_may_not_emit_for_another(runtime: Runtime) -> None:
    gate = Gate()
    kept: list[Any] = []
    raised: list[Any] = []

    def logic(self: Any) -> None:
        kept.append(self.out)
        if len(kept) == 1:
            gate.wait_here()
        else:
            raised.append(raised_by(lambda: kept[0].emit("stray")))

    flow = chain(routine(logic), pass_on())
    one = runtime.exec(flow)
    gate.wait_came()
    other = finished(runtime.exec(flow))
    gate.open()
    finished(one)

    assert raised == [EmitOutsideActivation]
    assert one.outputs == other.outputs == {"b.out": []}


def test_17_a_body_that_swallows_cancelled_is_still_of_an_ended_job(runtime: Runtime) -> None:
    gate = Gate()
    over = threading.Event()

    def logic(self: Any) -> None:
        gate.wait_here()
        for _ in range(100):
            raised_by(lambda: self.out.emit("late"))
        over.set()

    job = runtime.exec(chain(routine(logic), pass_on()))
    gate.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)
    gate.open()
    assert over.wait(DEADLINE)

    until(lambda: job.routines["a"].refused == 100)
    assert job.routines["b"].slots["value"].posted == 0


def test_17_finish_may_emit_and_a_coroutine_s_routine_may_have_a_plain_finish(
    runtime: Runtime,
) -> None:
    async def logic(self: Any, value: int) -> None:
        await asyncio.sleep(0)
        self.out.emit(value)

    def finish(self: Any) -> None:
        self.out.emit("end")

    made = routine(logic, slots={"value": Slot(int)}, finish=finish)
    job = finished(runtime.exec(chain(burst([1, 2]), made, pass_on())))

    assert job.outputs["c.out"] == [1, 2, "end"]


def test_17_gated_bodies_of_an_ended_job_do_not_take_the_next_job_s_workers(
    runtime: Runtime,
) -> None:
    stuck, gate = Gate(), Gate()
    job = runtime.exec(chain(gated_source(stuck), pass_on()))
    stuck.wait_came()
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)

    other = runtime.exec(chain(burst(range(4)), gated(gate, max_parallel=None)))
    gate.wait_inside(4)
    gate.open()
    finished(other)
    stuck.open()
    until(lambda: job.routines["a"].refused == 1)


STUCK = """
import asyncio, threading
from penstock import Flow, Routine, Runtime

class Stuck(Routine):
    async def logic(self):
        await asyncio.to_thread(self.stand)

    def stand(self):
        begun.set()
        threading.Event().wait()

begun = threading.Event()
flow = Flow("stuck")
flow.add("stuck", Stuck())
runtime = Runtime(workers=1)
runtime.exec(flow)
begun.wait(10)
runtime.shutdown(timeout=0.2)
print("out")
"""


def test_17_a_thread_that_a_coroutine_waits_for_does_not_keep_the_interpreter_from_its_end() -> (
    None
):
    try:
        done = subprocess.run(
            [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=15, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the interpreter waits for the thread")

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")
