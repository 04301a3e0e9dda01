"""Stop, Continue and Skip: line 14."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import finished
from helpers.failing import error_of
from helpers.flows import burst, chain, failing, flow_of, pair, pass_on, routine, sink, source
from helpers.kinds import KINDS, Kind, Steps, closed, logic_of, of_kind, post
from helpers.recording import RecordingInstrument
from helpers.waiting import Call, run_another_job, until
from penstock import Continue, JobStatus, Runtime, Skip, Slot, Stop
from penstock.observe import MessageDropped
from penstock.run.executor import Loop

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
