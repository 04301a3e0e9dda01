"""Stalls: told, named and resolved: line 12."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.conservation import check_conservation
from helpers.flows import (
    burst,
    chain,
    flow_of,
    pair,
    pass_on,
    routine,
    sink,
    source,
)
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import (
    AllSlots,
    Continue,
    Every,
    JobState,
    JobStatus,
    Retry,
    Routine,
    Runtime,
    Slot,
)
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    MessageDropped,
    Stalled,
)
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run.executor import Loop


def doubling(capacity: int) -> Routine:
    """Emits its value less one, twice, until it is 0."""

    def logic(self: Any, value: int) -> None:
        for _ in range(2 if value else 0):
            self.out.emit(value - 1)

    return routine(logic, slots={"value": Slot(int, capacity=capacity)})


def self_loop(capacity: int = 1) -> Any:
    return flow_of({"a": doubling(capacity)}, "a.out -> a.value")


def ring(capacity: int = 1) -> Any:
    return flow_of(
        {"a": doubling(capacity), "b": doubling(capacity), "c": doubling(capacity)},
        "a.out -> b.value",
        "b.out -> c.value",
        "c.out -> a.value",
    )


def odd_join(make: Callable[[Iterable[Any]], Routine] = burst, **more: Routine) -> Any:
    """A matching join whose left slot is full of what the right one never brings, but for 5."""
    return flow_of(
        {
            "l": make([1, 2, 3, 4, 5]),
            "r": burst([5]),
            "p": pair(2, activation=AllSlots(match=lambda value: value)),
        }
        | more,
        "l.out -> p.left",
        "r.out -> p.right",
    )


def next_stall(recording: RecordingInstrument, job: JobState, behind: int = 0) -> Stalled | None:
    """The first stall told after that sequence number; None when the job ended instead."""

    def fits(event: EngineEvent) -> bool:
        return (
            event.job_id == job.id
            and event.seq > behind
            and isinstance(event, Stalled | JobEndedEvent)
        )

    event = recording.wait_for(EngineEvent, fits, DEADLINE)
    return event if isinstance(event, Stalled) else None


def settle(runtime: Runtime, recording: RecordingInstrument, job: JobState, choice: str) -> int:
    """Answer every stall with the choice until the job has ended; how many there were."""
    stall = next_stall(recording, job)
    many = 0
    while stall is not None:
        many += 1
        runtime.jobs.unstall(job.id, choice)  # type: ignore[arg-type]
        stall = next_stall(recording, job, stall.seq)
    return many


def test_12_a_cycle_that_is_full_on_all_sides_is_told_with_its_slots(loop: Loop) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        flow = ring()
        flow.add("idle", pass_on())
        job = runtime.exec(flow, {"a.value": 8})
        stall = next_stall(recording, job)
        assert stall is not None
        assert set(stall.slots) == {"a.value", "b.value", "c.value"}
        assert set(stall.routines) == {"a", "b", "c"}
        assert set(job.stalled) == set(stall.slots)
        assert set(job.snapshot().stalled) == set(stall.slots)
        assert job.status is JobStatus.RUNNING
        assert all(job.routines[name].slots["value"].high_water == 1 for name in "abc")
        check_conservation(job)
        for capacity in (5, 6, 7):  # each time the loop looks again at the same stall
            runtime.jobs.resize(job.id, "idle.value", capacity)
            until(lambda n=capacity: job.routines["idle"].slots["value"].capacity == n)  # type: ignore[misc]
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED

    assert recording.of(Stalled) == [stall], "told once"


def test_12_a_routine_that_fills_its_own_slot_is_told(loop: Loop) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=1, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(self_loop(), {"a.value": 3})
        stall = next_stall(recording, job)
        assert stall is not None
        assert (tuple(stall.slots), tuple(stall.routines)) == (("a.value",), ("a",))
        assert job.stalled == ("a.value",)
        check_conservation(job)


@pytest.mark.parametrize("make", [burst, source], ids=["plain", "generator"])
def test_12_a_join_that_can_never_match_while_its_producer_waits_is_told(
    loop: Loop, make: Callable[[Iterable[Any]], Routine]
) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join(make))
        stall = next_stall(recording, job)
        assert stall is not None
        assert (tuple(stall.slots), tuple(stall.routines)) == (("p.left",), ("l",))
        assert job.stalled == ("p.left",)
        assert job.wait(0) is JobStatus.RUNNING


def test_12_a_stall_nobody_listens_to_is_logged_with_its_slots(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(odd_join())
        until(lambda: "p.left" in caplog.text)
        assert job.stalled == ("p.left",)
    caplog.clear()


def test_12_a_job_that_does_not_stall_never_says_so(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(chain(burst(range(50)), gated(gate, 1), sink([], 1)))
        gate.wait_came()
        assert job.stalled == ()
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.stalled == ()
    assert recording.of(Stalled) == []


@pytest.mark.parametrize("shape", [self_loop, ring])
def test_12_growing_lets_a_full_cycle_come_to_its_end(loop: Loop, shape: Callable[[], Any]) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(shape(), {"a.value": 6})
        assert settle(runtime, recording, job, "grow") >= 1
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    consumed = sum(count.slots["value"].consumed for count in job.routines.values())
    assert consumed == 2**7 - 1
    assert all(count.slots["value"].dropped == 0 for count in job.routines.values())
    assert job.stalled == ()
    check_conservation(job)


@pytest.mark.parametrize("shape", [self_loop, ring])
def test_12_dropping_lets_a_full_cycle_come_to_its_end(
    loop: Loop, shape: Callable[[], Any]
) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(shape(), {"a.value": 6})
        assert settle(runtime, recording, job, "drop") >= 1
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    dropped = sum(count.slots["value"].dropped for count in job.routines.values())
    told = recording.of(MessageDropped)
    assert len(told) == dropped >= 1
    assert {event.reason for event in told} == {"stall"}
    assert all(count.slots["value"].high_water == 1 for count in job.routines.values())
    check_conservation(job)


@pytest.mark.parametrize("shape", [self_loop, ring])
def test_12_cancelling_ends_a_stalled_job(loop: Loop, shape: Callable[[], Any]) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(shape(), {"a.value": 6})
        assert settle(runtime, recording, job, "cancel") == 1
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        run_another_job(runtime)
    check_conservation(job)


@pytest.mark.parametrize("make", [burst, source], ids=["plain", "generator"])
@pytest.mark.parametrize("choice", ["grow", "drop", "cancel"])
def test_12_each_choice_ends_the_stall_of_a_join(
    loop: Loop, choice: str, make: Callable[[Iterable[Any]], Routine]
) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join(make))
        assert settle(runtime, recording, job, choice) >= 1
        status = job.wait(DEADLINE)

    left, right = (job.routines["p"].slots[name] for name in ("left", "right"))
    dropped = [event.value.text for event in recording.of(MessageDropped)]
    if choice == "grow":
        assert status is JobStatus.COMPLETED
        assert job.outputs["p.out"] == [(5, 5)]
        assert (left.discarded, right.discarded, left.dropped) == (4, 0, 0)
    elif choice == "drop":
        assert status is JobStatus.COMPLETED
        assert job.outputs["p.out"] == []
        assert (left.discarded, right.discarded, left.dropped) == (2, 1, 3)
        assert dropped == ["3", "4", "5"]
        assert left.high_water == 2
    else:
        assert status is JobStatus.CANCELLED
    check_conservation(job)


def test_12_room_made_by_hand_or_a_post_ends_a_stall(loop: Loop) -> None:
    recording = RecordingInstrument()
    flow = flow_of({"l": burst(range(5)), "p": pair(2)}, "l.out -> p.left")
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow)
        first = next_stall(recording, job)
        assert first is not None
        assert job.stalled == first.slots == ("p.left",)

        runtime.post(job.id, "p.right", "x")
        until(lambda: job.outputs["p.out"] == [(0, "x")])
        second = next_stall(recording, job, first.seq)
        assert second is not None
        assert second.slots == ("p.left",)

        runtime.jobs.resize(job.id, "p.left", 100)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert not job.stalled
    assert job.routines["p"].slots["left"].discarded == 4
    check_conservation(job)


def test_12_no_stall_is_told_while_something_still_runs(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()
    with Runtime(workers=3, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join(source, busy=gated_source(gate)))
        gate.wait_came()
        until(lambda: job.routines["l"].status == "gated" and is_full(job, "p.left"))
        run_another_job(runtime)
        assert recording.of(Stalled) == []
        assert not job.stalled
        gate.open()
        assert next_stall(recording, job) is not None
        assert job.stalled == ("p.left",)


def is_full(job: JobState, place: str) -> bool:
    routine_id, _, name = place.partition(".")
    slot = job.routines[routine_id].slots[name]
    return slot.depth == slot.capacity


def test_12_no_stall_is_told_while_a_timer_is_pending(loop: Loop) -> None:
    def tick(self: Any) -> None:
        self.out.emit(1)

    recording = RecordingInstrument()
    clock = routine(tick, activation=Every(3600))
    with Runtime(workers=3, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join(source, clock=clock))
        until(lambda: job.outputs["clock.out"] == [1])
        until(lambda: job.routines["l"].status == "gated" and is_full(job, "p.left"))
        until(lambda: not any(count.running for count in job.routines.values()))
        run_another_job(runtime)
        assert recording.of(Stalled) == []
        assert job.stalled == ()


def test_12_a_stall_is_told_when_the_last_retry_is_over(loop: Loop) -> None:
    def fail(self: Any) -> None:
        raise ValueError("again")

    recording = RecordingInstrument()
    fickle = routine(fail, on_error=Retry(times=2, delay=0.1, then=Continue()))
    with Runtime(workers=3, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join(source, fickle=fickle))
        stall = next_stall(recording, job)
        assert stall is not None
        failures = recording.of(ActivationFailed)
        assert [event.action for event in failures] == ["retry", "retry", "continue"]
        assert failures[-1].seq < stall.seq
        assert recording.of(Stalled) == [stall]


def test_12_a_time_out_of_the_job_does_not_hide_a_stall(loop: Loop) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join(), timeout=3600)
        assert next_stall(recording, job) is not None


def test_12_the_stall_of_one_job_is_not_that_of_another(loop: Loop) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        stuck = [runtime.exec(odd_join()) for _ in range(5)]
        for job in stuck:
            assert next_stall(recording, job) is not None
        run_another_job(runtime)
        runtime.jobs.unstall(stuck[0].id, "cancel")
        assert stuck[0].wait(DEADLINE) is JobStatus.CANCELLED
        assert all(job.stalled == ("p.left",) for job in stuck[1:])


def test_12_a_stalled_job_can_be_held_and_resumed(loop: Loop) -> None:
    recording = RecordingInstrument()
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(odd_join())
        assert next_stall(recording, job) is not None
        runtime.jobs.pause(job.id)
        until(lambda: job.status is JobStatus.PAUSED)
        runtime.jobs.resume(job.id)
        until(lambda: job.status is JobStatus.RUNNING)
        # However often it is told again, the choices still work.
        for _ in range(10):
            if job.wait(0).is_final:
                break
            until(lambda: job.stalled or job.status.is_final)
            runtime.jobs.unstall(job.id, "grow")
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["p.out"] == [(5, 5)]


@pytest.mark.parametrize("choice", ["grow", "drop", "cancel"])
def test_12_a_body_that_waits_for_itself_is_told_and_let_go(loop: Loop, choice: str) -> None:
    """A body that posts more into its own routine's slot than fits can only wait for itself."""
    recording = RecordingInstrument()
    known = threading.Event()
    over = threading.Event()
    jobs: list[JobState] = []

    def logic(self: Any, value: int) -> None:
        try:
            assert known.wait(DEADLINE)
            for _ in range(5 if value else 0):
                runtime.post(jobs[0].id, "a.value", 0)
        finally:
            over.set()

    slots = {"value": Slot(int, capacity=1)}
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        flow = flow_of({"a": routine(logic, slots=slots, on_error=Continue())})
        job = runtime.exec(flow, {"a.value": 1})
        jobs.append(job)
        known.set()
        stall = next_stall(recording, job)
        assert stall is not None
        assert stall.slots == ("a.value",)
        settle(runtime, recording, job, choice)
        assert over.wait(DEADLINE)
        ended = JobStatus.CANCELLED if choice == "cancel" else JobStatus.COMPLETED
        assert job.wait(DEADLINE) is ended
    check_conservation(job)
