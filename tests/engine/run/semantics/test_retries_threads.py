"""Retry: line 14."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import check_conservation, finished
from helpers.failing import error_of, fails_on
from helpers.flows import burst, chain, failing, flow_of, pass_on, routine
from helpers.kinds import KINDS, Kind, Steps, closed, logic_of, of_kind, post
from helpers.recording import RecordingInstrument
from helpers.waiting import run_another_job, until
from penstock import (
    Activation,
    AllSlots,
    Batch,
    Continue,
    Every,
    JobStatus,
    Latest,
    Retry,
    Routine,
    Runtime,
    Skip,
    Slot,
)
from penstock.observe import ActivationFailed
from penstock.run.executor import Loop

LONG = 3600.0


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
