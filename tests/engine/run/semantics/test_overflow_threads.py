"""Slots that drop or fail when they are full: line 10."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import check_conservation
from helpers.flows import (
    burst,
    flow_of,
    pass_on,
    routine,
    sink,
)
from helpers.full_slots import after, gated_sink, is_at_work
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, until
from penstock import (
    AllSlots,
    Continue,
    Failure,
    JobState,
    JobStatus,
    Retry,
    Routine,
    Runtime,
    Slot,
    SlotFull,
)
from penstock.flow import Overflow
from penstock.observe import (
    ActivationFailed,
    MessageDropped,
)
from penstock.run.executor import Loop

DROPS = {"drop_oldest": ([0, 4, 5], ["1", "2", "3"]), "drop_newest": ([0, 1, 2], ["3", "4", "5"])}


@pytest.mark.parametrize("overflow", DROPS)
@pytest.mark.parametrize("way", ["posted", "emitted"])
def test_10_drops_count_and_tell_exactly_what_is_gone(
    loop: Loop, overflow: Overflow, way: str
) -> None:
    kept, gone = DROPS[overflow]
    gate, signal = Gate(), Gate()
    seen: list[int] = []
    recording = RecordingInstrument()
    emitted = range(1, 6) if way == "emitted" else ()
    flow = flow_of(
        {"s": after(signal, emitted), "z": gated_sink(gate, seen, 2, overflow)},
        "s.out -> z.value",
    )
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow, {"z.value": 0})
        gate.wait_came()
        until(lambda: is_at_work(job, "z"))
        if way == "posted":
            for n in range(1, 6):
                runtime.post(job.id, "z.value", n)
        signal.open()
        until(lambda: job.routines["z"].slots["value"].dropped == 3)
        slot = job.routines["z"].slots["value"]
        assert (slot.posted, slot.depth, slot.queued, slot.in_flight) == (6, 2, 2, 1)
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == kept
    told = recording.of(MessageDropped, job.id)
    assert [event.value.text for event in told] == gone
    assert {(event.slot, event.reason) for event in told} == {("z.value", overflow)}
    assert len({event.number for event in told}) == 3
    slot = job.routines["z"].slots["value"]
    assert (slot.posted, slot.consumed, slot.dropped, slot.high_water) == (6, 3, 3, 2)
    assert job.dead_letters == []
    check_conservation(job)


@pytest.mark.parametrize("overflow", DROPS)
def test_10_a_slot_that_drops_never_holds_its_producer_back(loop: Loop, overflow: Overflow) -> None:
    gate, signal = Gate(), Gate()
    over = threading.Event()
    seen: list[int] = []
    flow = flow_of(
        {"s": after(signal, range(5000), over), "z": gated_sink(gate, seen, 3, overflow)},
        "s.out -> z.value",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, {"z.value": -1})
        gate.wait_came()
        until(lambda: is_at_work(job, "z"))
        signal.open()
        assert over.wait(DEADLINE)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == [-1, *([4997, 4998, 4999] if overflow == "drop_oldest" else [0, 1, 2])]
    assert job.routines["z"].slots["value"].dropped == 4997
    assert job.routines["z"].slots["value"].high_water == 3


@pytest.mark.parametrize(
    ("overflow", "paired"),
    [("drop_oldest", [(4, 10), (5, 11)]), ("drop_newest", [(1, 10), (2, 11)])],
)
def test_10_a_join_gets_what_survived(loop: Loop, overflow: Overflow, paired: list[Any]) -> None:
    recording = RecordingInstrument()
    signal = Gate()
    flow = flow_of(
        {"left": burst(range(1, 6)), "right": after(signal, [10, 11]), "p": join(2, overflow)},
        "left.out -> p.left",
        "right.out -> p.right",
    )
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(flow)
        until(lambda: job.routines["p"].slots["left"].dropped == 3)
        check_conservation(job)
        signal.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["p.out"] == paired
    survivors = {str(left) for left, _ in paired}
    told = recording.of(MessageDropped)
    assert {event.value.text for event in told} == {"1", "2", "3", "4", "5"} - survivors
    assert {(event.slot, event.reason) for event in told} == {("p.left", overflow)}
    assert job.routines["p"].slots["right"].dropped == 0
    check_conservation(job)


def join(capacity: int, overflow: Overflow, **attributes: Any) -> Routine:
    """A join whose left slot overflows as said."""

    def logic(self: Any, left: Any, right: Any) -> None:
        self.out.emit((left, right))

    slots = {"left": Slot(object, capacity=capacity, overflow=overflow), "right": Slot(object)}
    return routine(logic, slots=slots, **attributes)


def test_10_a_matching_join_forgets_what_was_dropped(loop: Loop) -> None:
    """A dropped half finds no partner any more; the halves that are left still do."""
    signal = Gate()
    match = AllSlots(match=lambda value: value % 10)
    flow = flow_of(
        {
            "left": burst([1, 2, 3, 4]),
            "right": after(signal, [11, 13, 14]),
            "p": join(2, "drop_oldest", activation=match),
        },
        "left.out -> p.left",
        "right.out -> p.right",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow)
        until(lambda: job.routines["p"].slots["left"].dropped == 2)
        signal.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["p.out"] == [(3, 13), (4, 14)]
    assert job.routines["p"].slots["right"].discarded == 1
    check_conservation(job)


def test_10_one_branch_drops_and_the_other_gets_everything(loop: Loop) -> None:
    gate, signal = Gate(), Gate()
    dropping: list[int] = []
    holding: list[int] = []
    flow = flow_of(
        {
            "s": after(signal, range(1, 30)),
            "d": gated_sink(gate, dropping, 1, "drop_oldest"),
            "h": sink(holding, 2),
        },
        "s.out -> d.value",
        "s.out -> h.value",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, {"d.value": 0})
        gate.wait_came()
        until(lambda: is_at_work(job, "d"))
        signal.open()
        until(lambda: len(holding) == 29)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert holding == list(range(1, 30))
    assert dropping == [0, 29]
    assert job.routines["d"].slots["value"].dropped == 28


# ---- 10: fail


def test_10_fail_raises_slot_full_inside_the_emitting_body_and_delivers_nothing(
    loop: Loop,
) -> None:
    gate, signal = Gate(), Gate()
    seen: list[int] = []
    refused: list[int] = []
    errors: list[SlotFull] = []

    def logic(self: Any) -> None:
        signal.wait_here()
        for n in range(1, 6):
            try:
                self.out.emit(n)
            except SlotFull as error:
                refused.append(n)
                errors.append(error)

    flow = flow_of(
        {"s": routine(logic), "z": gated_sink(gate, seen, 2, "fail")}, "s.out -> z.value"
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, {"z.value": 0})
        gate.wait_came()
        until(lambda: is_at_work(job, "z"))
        signal.open()
        until(lambda: len(refused) == 3)
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert refused == [3, 4, 5]
    assert seen == [0, 1, 2]
    assert {(error.job, error.port) for error in errors} == {(job.id, "z.value")}
    slot = job.routines["z"].slots["value"]
    assert (slot.posted, slot.consumed, slot.dropped, slot.high_water) == (3, 3, 0, 2)


def test_10_fail_delivers_to_no_branch_when_one_has_no_room(loop: Loop) -> None:
    gate, signal = Gate(), Gate()
    full: list[int] = []
    roomy: list[int] = []
    refused: list[int] = []

    def logic(self: Any) -> None:
        signal.wait_here()
        for n in range(1, 5):
            try:
                self.out.emit(n)
            except SlotFull:
                refused.append(n)

    flow = flow_of(
        {"s": routine(logic), "r": sink(roomy), "f": gated_sink(gate, full, 1, "fail")},
        "s.out -> r.value",
        "s.out -> f.value",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, {"f.value": 0})
        gate.wait_came()
        until(lambda: is_at_work(job, "f"))
        signal.open()
        until(lambda: len(refused) == 3)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert refused == [2, 3, 4]
    assert full == [0, 1]
    assert roomy == [1]


def test_10_fail_gives_back_the_places_it_had_taken_in_other_branches(loop: Loop) -> None:
    gate, signal, later = Gate(), Gate(), Gate()
    full: list[int] = []
    roomy: list[int] = []
    refused: list[int] = []

    def logic(self: Any) -> None:
        signal.wait_here()
        for n in range(1, 10):
            try:
                self.out.emit(n)
            except SlotFull:
                refused.append(n)

    flow = flow_of(
        {
            "s": routine(logic),
            "t": after(later, [20, 21]),
            "r": gated_sink(gate, roomy, 3, "fail"),
            "f": gated_sink(gate, full, 1, "fail"),
        },
        "s.out -> r.value",
        "s.out -> f.value",
        "t.out -> r.value",
    )
    with Runtime(workers=4, loop=loop) as runtime:
        job = runtime.exec(flow, {"f.value": 0, "r.value": 0})
        gate.wait_came(2)
        until(lambda: is_at_work(job, "f") and is_at_work(job, "r"))
        signal.open()
        until(lambda: len(refused) == 8)
        later.open()  # two places are left in r
        until(lambda: job.routines["r"].slots["value"].queued == 3 or job.status.is_final)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert full == [0, 1]
    assert roomy == [0, 1, 20, 21]


def failing_chain(gate: Gate, seen: list[int], **attributes: Any) -> Any:
    """``p`` passes on into a slot of two that fails when it is full."""
    return flow_of(
        {"p": pass_on(**attributes), "z": gated_sink(gate, seen, 2, "fail")}, "p.out -> z.value"
    )


def fill(runtime: Runtime, job: JobState, gate: Gate) -> None:
    """One message with the consumer at its gate, then five more for ``p``."""
    gate.wait_came()
    until(lambda: is_at_work(job, "z"))
    for n in range(1, 6):
        runtime.post(job.id, "p.value", n)


def test_10_fail_with_stop_fails_the_job_at_the_emitting_routine(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(failing_chain(gate, seen), {"p.value": 0})
        fill(runtime, job, gate)
        assert job.wait(DEADLINE) is JobStatus.FAILED
        gate.open()

    assert isinstance(job.error, Failure)
    assert (job.error.routine, job.error.type) == ("p", "SlotFull")
    assert dict(job.error.slots) == {"value": 3}
    assert job.routines["z"].slots["value"].queued == 2
    check_conservation(job)


def test_10_fail_with_continue_makes_dead_letters_of_the_emitting_activations(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(failing_chain(gate, seen, on_error=Continue()), {"p.value": 0})
        fill(runtime, job, gate)
        until(lambda: len(job.dead_letters) == 3)
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert [(f.type, f.slots["value"]) for f in job.dead_letters] == [
        ("SlotFull", n) for n in (3, 4, 5)
    ]
    assert seen == [0, 1, 2]
    assert job.routines["p"].slots["value"].dead == 3
    check_conservation(job)


def test_10_fail_with_retry_delivers_everything_once_there_is_room(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    recording = RecordingInstrument()
    patient = Retry(times=10_000, delay=0.002)
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(failing_chain(gate, seen, on_error=patient), {"p.value": 0})
        fill(runtime, job, gate)
        recording.wait_for(ActivationFailed, lambda event: event.action == "retry")
        assert job.routines["z"].slots["value"].queued == 2
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(6))
    assert job.routines["z"].slots["value"].high_water == 2
    check_conservation(job)


def test_10_fail_goes_to_a_connected_failed_event(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    failures: list[Failure] = []
    flow = failing_chain(gate, seen)
    flow.add("f", sink(failures))
    flow.connect("p.failed", "f.value")
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, {"p.value": 0})
        fill(runtime, job, gate)
        until(lambda: len(failures) == 3)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert [(f.routine, f.type, f.slots["value"]) for f in failures] == [
        ("p", "SlotFull", n) for n in (3, 4, 5)
    ]
    assert seen == [0, 1, 2]
    assert job.dead_letters == []


def test_10_a_post_to_a_full_slot_that_fails_raises_at_once(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow_of({"z": gated_sink(gate, seen, 2, "fail")}), {"z.value": 0})
        gate.wait_came()
        until(lambda: is_at_work(job, "z"))
        for n in (1, 2):
            runtime.post(job.id, "z.value", n)
        with pytest.raises(SlotFull) as caught:
            runtime.post(job.id, "z.value", 3)
        assert (caught.value.job, caught.value.port) == (job.id, "z.value")
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == [0, 1, 2]
    assert job.routines["z"].slots["value"].posted == 3


def test_10_many_producers_of_a_slot_that_fails_lose_exactly_what_raised(loop: Loop) -> None:
    seen: list[Any] = []
    refused: list[Any] = []

    def producer(who: int) -> Routine:
        def logic(self: Any) -> None:
            for n in range(200):
                try:
                    self.out.emit((who, n))
                except SlotFull:
                    refused.append((who, n))

        return routine(logic)

    def slowly(self: Any, value: Any) -> None:
        seen.append(value)

    flow = flow_of(
        {f"p{who}": producer(who) for who in range(6)}
        | {"z": routine(slowly, slots={"value": Slot(object, 3, overflow="fail")}, events=())},
        *(f"p{who}.out -> z.value" for who in range(6)),
    )
    with Runtime(workers=4, loop=loop) as runtime:
        job = runtime.exec(flow)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert sorted(seen + refused) == [(who, n) for who in range(6) for n in range(200)]
    assert job.routines["z"].slots["value"].high_water <= 3
    check_conservation(job)
