"""When a job is complete, its finishes, and keeping it open: lines 18, 19 and 21."""

from __future__ import annotations

import threading
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
    source,
)
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import (
    AllSlots,
    Continue,
    Every,
    Flow,
    JobEnded,
    JobStatus,
    Retry,
    Routine,
    Runtime,
    Slot,
)
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run.executor import Loop


def logs(log: list[Any], name: str, emits_at_end: int = 0, capacity: int = 1000) -> Routine:
    """Logs and passes on what comes in; at its end logs that, and emits a number of values."""

    def logic(self: Any, value: Any) -> None:
        log.append((name, value))
        self.out.emit(value)

    def finish(self: Any) -> None:
        log.append((name, "finish"))
        for n in range(emits_at_end):
            self.out.emit(f"{name}{n}")

    return routine(logic, slots={"value": Slot(object, capacity=capacity)}, finish=finish)


def finishes(log: list[Any]) -> list[str]:
    return [name for name, what in log if what == "finish"]


# ---- 18: when a job is complete


def test_18_what_is_left_in_slots_counts_as_discarded_and_is_told(loop: Loop) -> None:
    recording = RecordingInstrument()
    flow = flow_of(
        {"l": burst(range(5)), "r": burst([0, 1]), "p": pair()},
        "l.out -> p.left",
        "r.out -> p.right",
    )
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["p.out"] == [(0, 0), (1, 1)]
    left = job.routines["p"].slots["left"]
    assert (left.posted, left.consumed, left.discarded, left.queued, left.depth) == (5, 2, 3, 0, 0)
    (told,) = recording.of(JobEndedEvent)
    assert {place: n for place, n in told.discarded.items() if n} == {"p.left": 3}
    assert told.status == "COMPLETED"
    check_conservation(job)


def test_18_no_other_job_ever_sees_what_was_left(loop: Loop) -> None:
    flow = flow_of({"p": pair(), "m": pair(activation=AllSlots(match=lambda v: v))})
    with Runtime(workers=2, loop=loop) as runtime:
        for side in ("left", "right", "left", "right"):
            job = runtime.exec(flow, {f"p.{side}": 1, f"m.{side}": 1})
            assert job.wait(DEADLINE) is JobStatus.COMPLETED
            assert job.outputs == {"p.out": [], "m.out": []}
            assert job.routines["p"].slots[side].discarded == 1
            check_conservation(job)


def test_18_a_flow_with_nothing_to_do_is_complete(loop: Loop) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        for flow in (Flow("empty"), chain(pass_on(), pass_on())):
            assert runtime.exec(flow).wait(DEADLINE) is JobStatus.COMPLETED


def test_18_no_job_is_complete_before_its_last_message_is_worked_off(loop: Loop) -> None:
    """Many small jobs: completion that comes a step too early shows as a result that is short."""
    flow = flow_of(
        {"s": burst(range(4)), "x": pass_on(1), "y": pass_on(2, max_parallel=None), "p": pair(1)},
        "s.out -> x.value",
        "s.out -> y.value",
        "x.out -> p.left",
        "y.out -> p.right",
    )
    with Runtime(workers=3, loop=loop) as runtime:
        jobs = [runtime.exec(flow) for _ in range(150)]
        assert runtime.jobs.wait_all(DEADLINE)

    for job in jobs:
        assert job.status is JobStatus.COMPLETED
        assert job.output_counts == {"p.out": 4}
        assert not any(count.running for count in job.routines.values())


def test_18_a_body_that_runs_keeps_its_job(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        run_another_job(runtime)
        assert job.status is JobStatus.RUNNING
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_18_a_retry_that_is_still_to_come_keeps_its_job(loop: Loop) -> None:
    class State:
        tries = 0

    def logic(self: Any) -> None:
        self.state.tries += 1
        if self.state.tries < 3:
            raise ValueError("again")
        self.out.emit(self.state.tries)

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(
            chain(routine(logic, state=State, on_error=Retry(times=5, delay=0.05)), pass_on())
        )
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["b.out"] == [3]


def test_18_a_tick_that_is_still_to_come_keeps_its_job(loop: Loop) -> None:
    clock = routine(lambda self: self.out.emit(1), activation=Every(0.02, times=4))
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(clock, pass_on()))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["b.out"] == [1, 1, 1, 1]


def test_18_what_is_held_keeps_its_job(loop: Loop) -> None:
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(source(range(3)), pass_on()), held=True)
        until(lambda: job.status is JobStatus.PAUSED)
        run_another_job(runtime)
        assert job.status is JobStatus.PAUSED
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED


# ---- 19: finish


def test_19_finish_runs_in_topological_order_and_what_it_emits_is_worked_off(loop: Loop) -> None:
    log: list[Any] = []
    flow = flow_of(
        {
            "c": logs(log, "c", 1),
            "b": logs(log, "b", 2),
            "a": logs(log, "a", 3, capacity=1),
            "s": burst(["m"]),
        },
        "s.out -> a.value",
        "a.out -> b.value",
        "b.out -> c.value",
    )
    with Runtime(workers=3, loop=loop) as runtime:
        job = runtime.exec(flow)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert finishes(log) == ["a", "b", "c"]
    at = {name: log.index((name, "finish")) for name in "abc"}
    for n in range(3):
        assert at["a"] < log.index(("b", f"a{n}")) < log.index(("c", f"a{n}")) < at["b"]
    for n in range(2):
        assert at["b"] < log.index(("c", f"b{n}")) < at["c"]
    assert job.outputs["c.out"] == ["m", "a0", "a1", "a2", "b0", "b1", "c0"]
    assert log[:3] == [("a", "m"), ("b", "m"), ("c", "m")]


def test_19_a_join_finishes_after_all_its_branches(loop: Loop) -> None:
    log: list[Any] = []

    def logic(self: Any, left: Any, right: Any) -> None:
        log.append(("j", (left, right)))

    slots = {"left": Slot(object), "right": Slot(object)}
    join = routine(logic, slots=slots, finish=lambda self: log.append(("j", "finish")))
    flow = flow_of(
        {"j": join, "x": logs(log, "x", 1), "y": logs(log, "y", 1), "s": burst([1])},
        "s.out -> x.value",
        "s.out -> y.value",
        "x.out -> j.left",
        "y.out -> j.right",
    )
    with Runtime(workers=3, loop=loop) as runtime:
        assert runtime.exec(flow).wait(DEADLINE) is JobStatus.COMPLETED

    assert sorted(finishes(log)) == ["j", "x", "y"]
    assert log[-2:] == [("j", ("x0", "y0")), ("j", "finish")]


def test_19_inside_a_cycle_finish_runs_in_the_order_of_adding(loop: Loop) -> None:
    log: list[Any] = []

    def once(name: str) -> Routine:
        def logic(self: Any, value: int) -> None:
            if value:
                self.back.emit(value - 1)
                self.out.emit(value)

        return routine(
            logic,
            slots={"value": Slot(int)},
            events=("out", "back"),
            finish=lambda self: log.append((name, "finish")),
        )

    flow = flow_of(
        {"z": once("z"), "y": once("y"), "x": once("x"), "s": burst([3])},
        "s.out -> x.value",
        "x.back -> y.value",
        "y.back -> x.value",
        "y.out -> z.value",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        assert runtime.exec(flow).wait(DEADLINE) is JobStatus.COMPLETED

    assert finishes(log) == ["y", "x", "z"]


def test_19_no_other_finish_runs_while_one_s_emissions_are_worked_off(loop: Loop) -> None:
    gate = Gate()
    log: list[Any] = []

    def slow(self: Any, value: Any) -> None:
        gate.wait_here()
        log.append(("slow", value))

    flow = flow_of(
        {
            "a": logs(log, "a", 2),
            "b": logs(log, "b"),
            "slow": routine(slow, slots={"value": Slot(object)}),
        },
        "a.out -> slow.value",
    )
    with Runtime(workers=3, loop=loop) as runtime:
        job = runtime.exec(flow)
        gate.wait_came()
        before = finishes(log)
        run_another_job(runtime)
        assert finishes(log) == before
        assert before[-1] == "a"
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert sorted(finishes(log)) == ["a", "b"]
    begin = log.index(("a", "finish"))
    assert log[begin + 1 : begin + 3] == [("slow", "a0"), ("slow", "a1")]


def test_19_finish_runs_on_the_pool_and_once(loop: Loop) -> None:
    threads: list[str] = []

    def finish(self: Any) -> None:
        threads.append(threading.current_thread().name)

    body = routine(lambda self, value: None, slots={"value": Slot(int)}, finish=finish)
    with Runtime(workers=4, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(20)), body))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    (name,) = threads
    assert name.startswith("penstock-worker")


def test_19_finish_runs_for_a_routine_that_nothing_reached(loop: Loop) -> None:
    log: list[Any] = []
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow_of({"a": logs(log, "a", 1)}))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert log == [("a", "finish")]
    assert job.outputs["a.out"] == ["a0"]


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_19_finish_is_not_run_for_a_job_that_failed_or_was_cancelled(
    loop: Loop, ending: str
) -> None:
    log: list[Any] = []
    gate = Gate()

    def logic(self: Any) -> None:
        gate.wait_here()
        raise ValueError("stop")

    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow_of({"a": logs(log, "a"), "bad": routine(logic)}), {"a.value": 1})
        gate.wait_came()
        if ending == "cancelled":
            runtime.jobs.cancel(job.id)
            assert job.wait(DEADLINE) is JobStatus.CANCELLED
        gate.open()
        status = job.wait(DEADLINE)
        run_another_job(runtime)

    assert status is (JobStatus.CANCELLED if ending == "cancelled" else JobStatus.FAILED)
    assert finishes(log) == []


def test_19_a_finish_that_raises_stops_the_job_and_the_finishes_behind_it(loop: Loop) -> None:
    log: list[Any] = []

    def finish(self: Any) -> None:
        raise ValueError("at the end")

    bad = routine(lambda self: None, finish=finish)
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(bad, logs(log, "b")))
        assert job.wait(DEADLINE) is JobStatus.FAILED

    assert job.error is not None
    assert (job.error.routine, job.error.type) == ("a", "ValueError")
    assert finishes(log) == []


def test_19_a_finish_that_raises_under_continue_lets_the_others_finish(loop: Loop) -> None:
    log: list[Any] = []

    def finish(self: Any) -> None:
        raise ValueError("at the end")

    bad = routine(lambda self: None, finish=finish, on_error=Continue())
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(bad, logs(log, "b")))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert finishes(log) == ["b"]
    assert job.routines["a"].failures == 1


def test_19_with_keep_open_finish_runs_only_after_close(loop: Loop) -> None:
    log: list[Any] = []
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(logs(log, "a", 1), logs(log, "b")), keep_open=True)
        for n in range(3):
            runtime.post(job.id, "a.value", n)
        until(lambda: job.routines["b"].slots["value"].consumed == 3)
        until(lambda: job.status is JobStatus.IDLE)
        run_another_job(runtime)
        assert finishes(log) == []
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert finishes(log) == ["a", "b"]
    assert job.outputs["b.out"] == [0, 1, 2, "a0"]


# ---- IDLE and close


def test_21_a_job_kept_open_is_idle_while_it_has_nothing_to_do(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow_of({"a": gated(gate)}), keep_open=True)
        for n in range(3):
            until(lambda: job.status is JobStatus.IDLE)
            assert not job.status.is_final
            assert job.wait(0) is JobStatus.IDLE
            runtime.post(job.id, "a.value", n)
            gate.wait_came(n + 1)
            assert job.status is JobStatus.RUNNING
            gate.let_go()
        until(lambda: job.status is JobStatus.IDLE)
        assert job.outputs["a.out"] == [0, 1, 2]
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_21_an_idle_job_may_be_paused_resumed_and_cancelled(loop: Loop) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(pass_on()), keep_open=True)
        until(lambda: job.status is JobStatus.IDLE)
        runtime.jobs.pause(job.id)
        until(lambda: job.status is JobStatus.PAUSED)
        runtime.post(job.id, "a.value", 1)
        run_another_job(runtime)
        assert job.status is JobStatus.PAUSED
        assert job.routines["a"].activations == 0
        runtime.jobs.resume(job.id)
        until(lambda: job.outputs["a.out"] == [1])
        until(lambda: job.status is JobStatus.IDLE)
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_21_a_job_kept_open_with_an_unmatched_half_is_idle_and_keeps_it(loop: Loop) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow_of({"p": pair()}), {"p.left": 1}, keep_open=True)
        until(lambda: job.status is JobStatus.IDLE)
        assert job.routines["p"].slots["left"].queued == 1
        runtime.post(job.id, "p.right", 2)
        until(lambda: job.outputs["p.out"] == [(1, 2)])
        runtime.post(job.id, "p.right", 3)
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.routines["p"].slots["right"].discarded == 1


def test_21_after_close_posts_raise_and_what_was_posted_is_worked_off(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate), pass_on()), keep_open=True)
        for n in range(100):
            runtime.post(job.id, "a.value", n)
        gate.wait_came()
        runtime.jobs.close(job.id)
        for timeout in (None, 0, 1):
            with pytest.raises(JobEnded) as caught:
                runtime.post(job.id, "a.value", -1, timeout=timeout)
            assert caught.value.job == job.id
        with pytest.raises(JobEnded):
            runtime.handle_event_emit(job.id, "b.out", -1)
        assert job.status is JobStatus.RUNNING
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["b.out"] == list(range(100))


def test_21_close_may_come_twice_late_or_to_a_job_not_kept_open(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow_of({"a": gated(gate)}), {"a.value": 1})
        gate.wait_came()
        runtime.jobs.close(job.id)
        runtime.jobs.close(job.id)
        with pytest.raises(JobEnded):
            runtime.post(job.id, "a.value", 2)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        runtime.jobs.close(job.id)
        assert job.outputs["a.out"] == [1]


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
def test_21_a_post_to_an_ended_job_raises(loop: Loop, ending: str) -> None:
    flow = flow_of({"a": failing(lambda: ValueError("x")) if ending == "failed" else pass_on()})
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow, {"a.value": 1}, keep_open=ending == "cancelled")
        if ending == "cancelled":
            runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE).name == ending.upper()
        for timeout in (None, 0):
            with pytest.raises(JobEnded) as caught:
                runtime.post(job.id, "a.value", 1, timeout=timeout)
            assert caught.value.job == job.id
        with pytest.raises(JobEnded):
            runtime.handle_event_emit(job.id, "a.out", 1)
    check_conservation(job)
