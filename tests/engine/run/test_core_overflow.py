"""Slots that drop or refuse what doesn't fit, in a job fed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, routine, sink
from penstock import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Event,
    Flow,
    Routine,
    Slot,
    SlotFull,
)
from penstock.observe import MessageDropped, MessageQueued, summarize
from penstock.run.messages import Close, Emitted, Pause, Posted, Resize, Resume, Start, Step

Overflow = Literal["hold", "drop_oldest", "drop_newest", "fail"]


def dropping(into: list[Any], how: Overflow, capacity: int = 2, **attributes: Any) -> Routine:
    """A sink whose slot drops."""

    def logic(self: Any, value: Any) -> None:
        into.append(value)

    slots = {"value": Slot(object, capacity=capacity, overflow=how)}
    return routine(logic, slots=slots, events=(), **attributes)


def held(flow: Flow) -> Driven:
    """A job that is held from the start and takes posts."""
    job = Driven(flow)
    job.feed(Start(hold_generation=1, keep_open=True))
    return job


def put(job: Driven, ref: str, *values: Any) -> None:
    """Post values one after the other, as to a slot that drops."""
    for value in values:
        job.feed(Posted(job.slot(ref), value, reserved=False))


def let_go(job: Driven) -> Driven:
    """The job, no longer held and worked off to its end."""
    job.feed(Resume(10**6), Close())
    job.work()
    assert job.status == "COMPLETED"
    return job


def dropped(job: Driven) -> list[tuple[str, int, str, str]]:
    """(slot, number, reason, value) of what was told as dropped."""
    told = job.of(MessageDropped)
    return [(event.slot, event.number, event.reason, event.value.text) for event in told]


@pytest.mark.parametrize(
    ("how", "kept", "gone"),
    [("drop_oldest", [3, 4], [1, 2]), ("drop_newest", [1, 2], [3, 4])],
)
def test_what_does_not_fit_is_dropped_counted_and_told(
    how: Overflow, kept: list[int], gone: list[int]
) -> None:
    seen: list[Any] = []
    job = held(flow_of({"a": dropping(seen, how)}))

    put(job, "a.value", 1, 2, 3, 4)

    count = job.slot_count("a.value")
    assert (count.posted, count.depth, count.dropped, count.high_water) == (4, 2, 2, 2)
    assert dropped(job) == [("a.value", n, how, str(n)) for n in gone]
    assert let_go(job).slot_count("a.value").consumed == 2
    assert seen == kept


@pytest.mark.parametrize(
    ("how", "kept", "gone"),
    [("drop_oldest", [8, 9], [0, *range(1, 8)]), ("drop_newest", [0, 1], [*range(2, 10)])],
)
def test_more_than_the_slot_holds_at_once_keeps_as_many_as_fit(
    how: Overflow, kept: list[int], gone: list[int]
) -> None:
    seen: list[Any] = []
    job = held(chain(burst(range(1, 10)), dropping(seen, how)))
    put(job, "b.value", 0)
    job.feed(Step())
    job.work()

    let_go(job)

    assert [int(text) for *_, text in dropped(job)] == gone
    assert seen == kept


def test_what_was_granted_and_not_begun_can_still_be_dropped() -> None:
    seen: list[Any] = []
    job = Driven(flow_of({"a": dropping(seen, "drop_oldest")}))
    job.feed(Start(keep_open=True))
    put(job, "a.value", 1, 2)
    assert len(job.core.by_id["a"].grant) == 2

    put(job, "a.value", 3)
    job.feed(Close())
    job.work()

    assert seen == [2, 3]


def test_what_has_begun_takes_no_place_and_is_not_dropped() -> None:
    seen: list[Any] = []

    def logic(self: Any, value: int) -> None:
        if value == 1:
            put(job, "a.value", 2, 3, 4)
        seen.append(value)

    slots = {"value": Slot(object, capacity=2, overflow="drop_oldest")}
    job = Driven(flow_of({"a": routine(logic, slots=slots, max_parallel=1)}))
    job.start(a__value=1)
    job.work()

    assert seen == [1, 3, 4]
    assert job.slot_count("a.value").dropped == 1


def test_a_slot_that_was_made_smaller_keeps_what_it_has() -> None:
    seen: list[Any] = []
    job = held(flow_of({"a": dropping(seen, "drop_oldest", capacity=3)}))
    put(job, "a.value", 1, 2, 3)
    job.feed(Resize(job.slot("a.value"), 1))
    put(job, "a.value", 4)

    let_go(job)

    assert seen == [2, 3, 4], "each one that comes costs one that is there"


@pytest.mark.parametrize("how", ["drop_oldest", "drop_newest"])
def test_a_step_ends_also_when_what_it_let_go_is_dropped(how: Overflow) -> None:
    seen: list[Any] = []
    job = held(flow_of({"a": dropping(seen, how)}))
    put(job, "a.value", 1, 2)
    job.feed(Step())
    put(job, "a.value", 3)
    job.work()
    assert job.status == "PAUSED"

    let_go(job)

    count = job.slot_count("a.value")
    assert (count.consumed, count.dropped) == (2, 1)


# ---- sets of messages are formed anew


def joined(seen: list[Any], activation: Activation, how: Overflow = "drop_oldest") -> Flow:
    """A join ``p`` whose left slot holds two and drops."""

    def logic(self: Any, left: Any = None, right: Any = None) -> None:
        seen.append((left, right))

    slots = {"left": Slot(object, capacity=2, overflow=how), "right": Slot(object)}
    return flow_of({"p": routine(logic, slots=slots, events=(), activation=activation)})


def test_a_set_that_loses_a_message_is_formed_anew() -> None:
    seen: list[Any] = []
    job = held(joined(seen, AllSlots()))
    put(job, "p.left", "a", "b")
    put(job, "p.right", 1)
    assert len(job.core.ready()) == 1

    put(job, "p.left", "c")
    put(job, "p.right", 2)
    let_go(job)

    assert seen == [("b", 1), ("c", 2)]
    assert dropped(job) == [("p.left", 1, "drop_oldest", "'a'")]


def test_a_set_whose_partner_is_dropped_waits_again() -> None:
    seen: list[Any] = []
    job = held(joined(seen, AllSlots(match=lambda value: value[0])))
    put(job, "p.left", "a1", "b1")
    put(job, "p.right", "a2")
    assert len(job.core.ready()) == 1

    put(job, "p.left", "b3")
    assert job.core.ready() == ()
    put(job, "p.right", "b4")
    let_go(job)

    assert seen == [("b1", "b4")]
    left, right = job.slot_count("p.left"), job.slot_count("p.right")
    assert (left.dropped, left.discarded) == (1, 1)
    assert (right.consumed, right.discarded) == (1, 1)


def test_of_any_slot_only_the_full_one_loses_its_oldest() -> None:
    seen: list[Any] = []
    job = held(joined(seen, AnySlot()))
    put(job, "p.left", "a")
    put(job, "p.right", 1)
    put(job, "p.left", "b")

    put(job, "p.left", "c")
    let_go(job)

    assert seen == [(None, 1), ("b", None), ("c", None)]


def test_a_batch_that_loses_a_message_is_filled_up() -> None:
    seen: list[Any] = []
    job = held(flow_of({"a": dropping(seen, "drop_oldest", 3, activation=Batch(2))}))
    put(job, "a.value", 1, 2, 3)

    put(job, "a.value", 4)
    let_go(job)

    assert seen == [[2, 3], [4]]


def test_a_batch_whose_time_was_over_waits_anew_when_it_lost_a_message() -> None:
    seen: list[Any] = []
    made = dropping(seen, "drop_oldest", 2, activation=Batch(3, max_wait=1000.0), max_parallel=1)
    job = Driven(flow_of({"a": made}))
    job.feed(Start(keep_open=True))
    put(job, "a.value", 1, 2)
    job.pass_time(1000)
    put(job, "a.value", 3)
    job.work()
    assert seen == []

    job.pass_time(1000)
    job.work()

    assert seen == [[2, 3]]


def test_a_rule_of_ones_own_sees_what_is_left() -> None:
    class FromB(Activation):
        def take(self, queues: Mapping[str, Sequence[Any]]) -> Any:
            return {"left": 0} if queues["left"] and queues["left"][0] > "a" else None

    seen: list[Any] = []
    job = held(joined(seen, FromB()))
    put(job, "p.left", "a", "b")
    assert job.core.ready() == ()

    put(job, "p.left", "c")
    let_go(job)

    assert seen == [("b", None), ("c", None)]


def test_a_rule_that_raises_at_what_is_left_fails_the_job_there() -> None:
    class Raising(Activation):
        def take(self, queues: Mapping[str, Sequence[Any]]) -> Any:
            if queues["left"][0] == "b":
                raise ValueError("b comes first")

    job = Driven(joined([], Raising()))
    job.feed(Start(keep_open=True))
    put(job, "p.left", "a", "b")

    put(job, "p.left", "c")
    job.work()

    assert str(job.core.error) == "p: ValueError: b comes first"
    count = job.slot_count("p.left")
    assert (count.queued, count.dropped) == (2, 1)


# ---- slots that refuse


def refusing(into: list[Any], capacity: int = 2) -> Routine:
    return dropping(into, "fail", capacity)


def test_an_emit_that_is_refused_fails_the_activation() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(5)), refusing(seen)))

    job.start()
    job.work()

    assert job.status == "FAILED"
    assert job.core.error is not None
    assert (job.core.error.routine, job.core.error.type) == ("a", "SlotFull")
    count = job.slot_count("b.value")
    assert (count.posted, count.high_water) == (2, 2)


def test_where_one_of_two_refuses_neither_gets_the_message() -> None:
    wide: list[Any] = []
    narrow: list[Any] = []
    caught: list[type[BaseException]] = []

    def logic(self: Any) -> None:
        for value in range(4):
            try:
                self.out.emit(value)
            except SlotFull as error:
                caught.append(type(error))

    job = Driven(
        flow_of(
            {"s": routine(logic), "w": refusing(wide, 5), "n": refusing(narrow, 3)},
            "s.out -> w.value",
            "s.out -> n.value",
        )
    )
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert wide == narrow == [0, 1, 2]
    assert caught == [SlotFull]
    assert job.slot("w.value").reserved == job.slot("n.value").reserved == 0


def test_a_slot_that_refuses_has_room_again_when_its_messages_are_taken() -> None:
    seen: list[Any] = []

    def logic(self: Any) -> None:
        for value in range(6):
            self.out.emit(value)
            if value % 2:
                job.news()
                job.run("b")
                job.news()

    job = Driven(chain(routine(logic), refusing(seen)))
    job.start()
    job.run("a")
    job.work()

    assert job.status == "COMPLETED"
    assert seen == list(range(6))


def test_a_failure_that_goes_to_a_full_slot_waits_at_its_connection() -> None:
    """It isn't emitted by a body that could be refused."""
    seen: list[Any] = []

    def logic(self: Any, value: int) -> None:
        raise ValueError(value)

    bad = routine(logic, slots={"value": Slot(int)}, on_error=Continue())
    job = Driven(
        flow_of(
            {"s": burst(range(4)), "bad": bad, "z": refusing(seen, 1)},
            "s.out -> bad.value",
            "bad.failed -> z.value",
        )
    )
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert [failure.slots["value"] for failure in seen] == [0, 1, 2, 3]
    assert job.slot_count("z.value").high_water == 1


# ---- copies


def copying(targets: int) -> tuple[Flow, list[list[Any]], list[Any]]:
    """A source whose event makes copies, its sinks' lists, and what it emitted."""
    values = [[1], [2]]

    class Source(Routine):
        out = Event(object, copy=True)

        def logic(self) -> None:
            for value in values:
                self.out.emit(value)

    lists: list[list[Any]] = [[] for _ in range(targets)]
    parts: dict[str, Routine] = {"s": Source()}
    parts |= {f"z{i}": sink(into) for i, into in enumerate(lists)}
    return flow_of(parts, *[f"s.out -> z{i}.value" for i in range(targets)]), lists, values


def test_each_branch_of_an_event_that_copies_gets_its_own() -> None:
    flow, lists, values = copying(2)
    job = Driven(flow)
    job.start()
    job.work()

    assert lists == [values, values]
    everything = [id(value) for into in [values, *lists] for value in into]
    assert len(set(everything)) == 6


def test_the_last_value_of_an_event_that_copies_is_the_value() -> None:
    """Not what was made of it for the branches."""
    copying = routine(lambda self: self.out.emit([1]), events=(), out=Event(copy=True))
    flow = flow_of(
        {"a": copying, "b": sink([]), "c": sink([])}, "a.out -> b.value", "a.out -> c.value"
    )
    job = Driven(flow, values=True)
    job.start()
    job.work()

    values = job.core.by_id["a"].emitters[0].values
    assert values is not None
    assert [summary for _, _, summary in values] == [summarize([1])]


def test_the_output_of_an_event_that_copies_is_a_copy() -> None:
    flow, _, values = copying(0)
    job = Driven(flow)
    job.start()
    job.work()

    assert job.outputs["s.out"] == values
    assert all(one is not other for one, other in zip(job.outputs["s.out"], values, strict=True))


def test_what_is_sent_on_for_a_routine_takes_the_places_kept_for_it() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst([]), refusing(seen)))
    job.feed(Start(keep_open=True))
    emitter = job.core.by_id["a"].emitters[0]
    job.reserve(emitter.refusing)

    job.feed(Emitted(emitter, 7))
    job.feed(Close())
    job.work()

    assert seen == [7]
    assert job.slot("b.value").reserved == 0
    assert job.count("a").emitted["out"] == 1
    assert [event.source for event in job.of(MessageQueued)] == ["a.out"]


def test_what_is_sent_on_to_a_full_slot_waits_at_its_connection() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst([]), sink(seen, capacity=1)))
    job.feed(Start(keep_open=True))
    job.work()
    job.feed(Pause(1))
    emitter = job.core.by_id["a"].emitters[0]

    for value in range(3):
        job.feed(Emitted(emitter, value))
    count = job.slot_count("b.value")
    assert (count.depth, count.queued, count.high_water) == (1, 3, 1)
    let_go(job)

    assert seen == [0, 1, 2]
