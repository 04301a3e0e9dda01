"""Messages, slots, rules, emissions and entry; a test's number names the line it asks."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from helpers.bodies import Gate, gated
from helpers.conservation import finished
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source
from helpers.kinds import (
    KINDS,
    NOTHING,
    AsyncGate,
    Kind,
    async_gated,
    closed,
    of_kind,
    opened,
    post,
    recorder,
)
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Event,
    Every,
    InvalidValue,
    JobState,
    JobStatus,
    Latest,
    PenstockError,
    Retry,
    Routine,
    Runtime,
    Slot,
    UnknownPort,
)
from penstock.observe import JobEnded, MessageDropped

Loop = Literal["thread", "pool"]
LONG = 3600.0


def posted(job: JobState, place: str, many: int) -> None:
    """Until that many messages have come to the slot."""
    routine_id, _, name = place.partition(".")
    until(lambda: job.routines[routine_id].slots[name].posted == many)


# ---- 1: one queue per slot


def test_1_several_connections_and_posts_merge_in_arrival_order(runtime: Runtime) -> None:
    gates = {"x": Gate(), "y": Gate()}
    seen: list[Any] = []

    def told(name: str) -> Routine:
        def logic(self: Any) -> None:
            for n in range(4):
                gates[name].wait_here()
                self.out.emit((name, n))

        return routine(logic)

    flow = flow_of(
        {"x": told("x"), "y": told("y"), "z": sink(seen)},
        "x.out -> z.value",
        "y.out -> z.value",
    )
    job = runtime.exec(flow)
    order = "xy!yxyx!xy"
    for many, name in enumerate(order, 1):
        if name == "!":
            runtime.post(job.id, "z.value", ("!", many))
        else:
            gates[name].let_go()
        posted(job, "z.value", many)

    finished(job)
    assert [name for name, _ in seen] == list(order)


@pytest.mark.parametrize("capacity", [1, 7, 1000])
def test_1_fifo_holds_per_connection(runtime: Runtime, capacity: int) -> None:
    seen: list[Any] = []
    producers = {
        f"p{who}": (burst if who % 2 else source)([(who, n) for n in range(100)])
        for who in range(4)
    }
    flow = flow_of(
        {**producers, "z": sink(seen, capacity)}, *(f"{name}.out -> z.value" for name in producers)
    )

    finished(runtime.exec(flow))

    assert len(seen) == 400
    for who in range(4):
        assert [n for one, n in seen if one == who] == list(range(100))


@pytest.mark.parametrize("capacity", [1, 1000])
def test_1_two_events_of_one_body_arrive_in_one_slot_as_they_were_emitted(
    runtime: Runtime, capacity: int
) -> None:
    seen: list[int] = []

    def logic(self: Any) -> None:
        for n in range(0, 200, 2):
            self.one.emit(n)
            self.two.emit(n + 1)

    flow = flow_of(
        {"s": routine(logic, events=("one", "two")), "z": sink(seen, capacity)},
        "s.one -> z.value",
        "s.two -> z.value",
    )

    finished(runtime.exec(flow))

    assert seen == list(range(200))


def test_1_one_event_fills_two_slots_of_one_routine(runtime: Runtime) -> None:
    flow = flow_of({"s": burst(range(50)), "p": pair(3)}, "s.out -> p.left", "s.out -> p.right")

    job = finished(runtime.exec(flow))

    assert job.outputs["p.out"] == [(n, n) for n in range(50)]


# ---- 2: all slots


def test_2_all_slots_takes_the_oldest_of_each_and_the_rest_is_discarded(loop: Loop) -> None:
    recording = RecordingInstrument()
    seen: list[Any] = []
    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = opened(runtime, recorder(seen, "left", "right"))
        post(runtime, job, "left", 1, 2, 3, 4)
        run_another_job(runtime)
        assert seen == []
        post(runtime, job, "right", "a")
        until(lambda: seen == [(1, "a")])
        post(runtime, job, "right", "b", "c")
        closed(runtime, job)

    assert seen == [(1, "a"), (2, "b"), (3, "c")]
    slots = job.routines["r"].slots
    assert (slots["left"].consumed, slots["left"].discarded) == (3, 1)
    assert (slots["right"].consumed, slots["right"].discarded) == (3, 0)
    [ended] = recording.of(JobEnded, job.id)
    assert {place: many for place, many in ended.discarded.items() if many} == {"r.left": 1}


@dataclass(frozen=True)
class Named:
    path: str
    who: str


class Model(BaseModel):
    path: str
    who: str


MATCHES: dict[str, tuple[Any, Callable[[str, str], Any]]] = {
    "field of a dataclass": ("path", Named),
    "field of a model": ("path", lambda path, who: Model(path=path, who=who)),
    "key of a dict": ("path", lambda path, who: {"path": path, "who": who}),
    "function": (lambda value: value[0], lambda path, who: (path, who)),
    "function of two": (lambda value: value[0].lower(), lambda path, who: (path.upper(), who)),
}


def who_of(value: Any) -> str:
    found = value["who"] if isinstance(value, dict) else getattr(value, "who", None)
    return str(value[1] if found is None else found)


@pytest.mark.parametrize("how", MATCHES)
def test_2_match_takes_the_oldest_with_equal_keys_and_the_unmatched_wait(
    runtime: Runtime, how: str
) -> None:
    match, make = MATCHES[how]
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=AllSlots(match=match)))

    post(runtime, job, "left", *(make(*at) for at in [("a", "1"), ("b", "2"), ("a", "3")]))
    post(runtime, job, "right", make("c", "4"))
    run_another_job(runtime)
    assert seen == []
    post(runtime, job, "right", make("b", "5"))
    until(lambda: len(seen) == 1)
    post(runtime, job, "right", make("a", "6"), make("a", "7"), make("a", "8"))
    closed(runtime, job)

    pairs = [(who_of(left), who_of(right)) for left, right in seen]
    assert pairs == [("2", "5"), ("1", "6"), ("3", "7")]
    slots = job.routines["r"].slots
    assert (slots["left"].consumed, slots["left"].discarded) == (3, 0)
    assert (slots["right"].consumed, slots["right"].discarded) == (3, 2)


def test_2_match_over_three_slots(runtime: Runtime) -> None:
    seen: list[Any] = []
    names = ("x", "y", "z")
    made = recorder(seen, *names, activation=AllSlots(match=lambda value: value // 10))
    flow = flow_of(
        {
            "r": made,
            "x": burst(range(0, 400, 10)),
            "y": source(range(391, 0, -10)),
            "z": burst([n * 170 % 400 + 2 for n in range(0, 40)]),
        },
        *(f"{name}.out -> r.{name}" for name in names),
    )

    finished(runtime.exec(flow))

    assert sorted(seen) == [(n, n + 1, n + 2) for n in range(0, 400, 10)]


def test_2_match_looks_no_harder_the_more_messages_wait(runtime: Runtime) -> None:
    asked = 0

    class Key:
        def __init__(self, value: int) -> None:
            nonlocal asked
            asked += 1
            self.value = value

        def __hash__(self) -> int:
            nonlocal asked
            asked += 1
            return hash(self.value)

        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return isinstance(other, Key) and other.value == self.value

    many = 3000
    made = pair(many, activation=AllSlots(match=Key))
    flow = flow_of(
        {"r": made, "x": burst(range(many)), "y": burst(reversed(range(many)))},
        "x.out -> r.left",
        "y.out -> r.right",
    )
    job = finished(runtime.exec(flow))

    assert job.output_counts["r.out"] == many
    assert all(left == right for left, right in job.outputs["r.out"])
    # By far the most of them waited at once, whoever came first.
    assert asked <= 30 * 2 * many


def raises(error: type[BaseException]) -> Callable[[Any], Any]:
    def match(value: Any) -> Any:
        raise error("no key")

    return match


@pytest.mark.parametrize(
    ("match", "value", "error"),
    [
        ("path", object(), "AttributeError"),
        ("path", {"other": 1}, "KeyError"),
        (raises(ValueError), 1, "ValueError"),
        (raises(SystemExit), 1, "SystemExit"),
        (raises(KeyboardInterrupt), 1, "KeyboardInterrupt"),
        (lambda value: [value], 1, "TypeError"),
    ],
)
def test_2_a_match_that_raises_fails_the_job_and_says_where(
    runtime: Runtime, match: Any, value: Any, error: str
) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=AllSlots(match=match)))

    post(runtime, job, "left", value)

    finished(job, JobStatus.FAILED)
    assert job.error is not None
    assert (job.error.routine, job.error.type) == ("r", error)
    assert seen == []
    slot = job.routines["r"].slots["left"]
    assert (slot.dead + slot.queued, slot.in_flight) == (1, 0)
    run_another_job(runtime)


def test_2_a_match_that_raises_among_others_loses_none_of_the_counts(runtime: Runtime) -> None:
    def match(value: int) -> int:
        if value == 30:
            raise ValueError("thirty")
        return value

    flow = flow_of(
        {"r": pair(activation=AllSlots(match=match)), "x": burst(range(50)), "y": burst(range(60))},
        "x.out -> r.left",
        "y.out -> r.right",
    )

    job = finished(runtime.exec(flow), JobStatus.FAILED)

    assert job.error is not None
    assert str(job.error).startswith("r: ValueError")
    slots = job.routines["r"].slots.values()
    assert all(slot.posted == slot.queued + slot.in_flight + slot.dead for slot in slots)
    assert sum(slot.dead for slot in slots) <= 1


# ---- 3: any slot


def test_3_any_slot_takes_the_oldest_across_its_slots_and_leaves_defaults(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[Any] = []

    def logic(self: Any, left: Any = NOTHING, right: Any = NOTHING) -> None:
        gate.wait_here()
        seen.append((left, right))

    slots = {"left": Slot(int), "right": Slot(int)}
    job = opened(runtime, routine(logic, slots=slots, activation=AnySlot()))
    post(runtime, job, "left", 0)
    gate.wait_came()
    for number, slot in enumerate(["right", "left", "left", "right", "right", "left"], 1):
        post(runtime, job, slot, number)
    gate.open()
    closed(runtime, job)

    n = NOTHING
    assert seen == [(0, n), (n, 1), (2, n), (3, n), (n, 4), (n, 5), (6, n)]
    assert job.routines["r"].activations == 7


def test_3_any_slot_keeps_each_connection_in_order(runtime: Runtime) -> None:
    seen: list[Any] = []
    flow = flow_of(
        {
            "r": recorder(seen, "left", "right", activation=AnySlot(), left=Slot(int, capacity=2)),
            "x": burst(range(100)),
            "y": source(range(100)),
        },
        "x.out -> r.left",
        "y.out -> r.right",
    )

    finished(runtime.exec(flow))

    assert [left for left, right in seen if right is NOTHING] == list(range(100))
    assert [right for left, right in seen if left is NOTHING] == list(range(100))


def logic_of_two(self: Any, left: Any, right: Any) -> None:
    raise AssertionError("never runs")


def one_and_any(self: Any, left: Any, right: Any = None) -> None:
    raise AssertionError("never runs")


@pytest.mark.parametrize(
    ("logic", "rule"),
    [
        (logic_of_two, AnySlot()),
        (one_and_any, AnySlot()),
        (logic_of_two, Batch(2)),
        (logic_of_two, Latest()),
    ],
)
def test_3_a_rule_that_does_not_go_with_the_slots_is_a_problem_and_no_job(
    runtime: Runtime, logic: Any, rule: Activation
) -> None:
    slots = {"left": Slot(int), "right": Slot(int)}
    flow = flow_of({"r": routine(logic, slots=slots, activation=rule)})

    errors = [problem for problem in flow.problems() if problem.severity == "error"]
    assert [problem.routine for problem in errors] == ["r"]
    with pytest.raises(PenstockError):
        runtime.exec(flow)
    assert runtime.jobs.list() == []


# ---- 3: batches


def test_3_batch_takes_lists_of_its_size_and_last_what_is_left(runtime: Runtime) -> None:
    seen: list[Any] = []

    job = finished(runtime.exec(chain(burst(range(10)), sink(seen, activation=Batch(3)))))

    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert job.routines["b"].slots["value"].consumed == 10
    assert job.routines["b"].activations == 4


def test_3_a_batch_of_one_is_a_list(runtime: Runtime) -> None:
    seen: list[Any] = []

    finished(runtime.exec(chain(burst(range(3)), sink(seen, activation=Batch(1)))))

    assert seen == [[0], [1], [2]]


@pytest.mark.parametrize("capacity", [1, 2, 3, 5])
def test_3_a_batch_passes_all_on_in_order_through_a_small_slot(
    runtime: Runtime, capacity: int
) -> None:
    size = min(3, capacity)
    seen: list[list[int]] = []

    finished(runtime.exec(chain(source(range(20)), sink(seen, capacity, activation=Batch(size)))))

    assert [value for batch in seen for value in batch] == list(range(20))
    assert [len(batch) for batch in seen[:-1]] == [size] * (len(seen) - 1)


def test_3_a_batch_larger_than_its_slot_is_told_as_a_stall(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    job = runtime.exec(chain(source(range(5)), sink(seen, 2, activation=Batch(3))))

    until(lambda: job.stalled == ("b.value",))
    assert seen == []
    runtime.jobs.unstall(job.id, "grow")

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert seen == [[0, 1, 2], [3, 4]]
    assert ["b.value" in record.getMessage() for record in caplog.records] == [True]
    caplog.clear()


def test_3_a_batch_waits_until_it_is_full(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(3)))

    post(runtime, job, "value", 0, 1)
    run_another_job(runtime)

    assert seen == []
    slot = job.routines["r"].slots["value"]
    assert (slot.queued, slot.depth) == (2, 2)
    post(runtime, job, "value", 2)
    until(lambda: seen == [[0, 1, 2]])
    post(runtime, job, "value", 3)
    run_another_job(runtime)
    assert seen == [[0, 1, 2]]
    closed(runtime, job)
    assert seen == [[0, 1, 2], [3]]


def test_3_a_batch_flushes_in_its_turn_right_before_its_finish(runtime: Runtime) -> None:
    log: list[Any] = []

    def passes(self: Any, value: Any) -> None:
        self.out.emit(value)

    def ends(who: str, last: Any = None) -> Callable[[Any], None]:
        def finish(self: Any) -> None:
            log.append((who, "finish"))
            if last is not None:
                self.out.emit(last)

        return finish

    def batches(self: Any, value: list[Any]) -> None:
        log.append(("b", value))
        self.out.emit(len(value))

    def counts(self: Any, value: int) -> None:
        log.append(("c", value))

    slots = {"value": Slot(object)}
    job = runtime.exec(
        chain(
            burst(range(4)),
            routine(passes, slots=slots, finish=ends("a", 9)),
            routine(batches, slots=slots, finish=ends("b", 0), activation=Batch(3)),
            routine(counts, slots=slots, finish=ends("c")),
        )
    )

    finished(job)
    assert log == [
        ("b", [0, 1, 2]),
        ("c", 3),
        ("a", "finish"),
        ("b", [3, 9]),
        ("c", 2),
        ("b", "finish"),
        ("c", 0),
        ("c", "finish"),
    ] or log == [
        ("b", [0, 1, 2]),
        ("c", 3),
        ("a", "finish"),
        ("b", [3, 9]),
        ("b", "finish"),
        ("c", 2),
        ("c", 0),
        ("c", "finish"),
    ]


def test_3_one_batch_after_another_flushes_in_topological_order(runtime: Runtime) -> None:
    seen: list[Any] = []

    def logic(self: Any, value: list[int]) -> None:
        self.out.emit(sum(value))

    slots = {"value": Slot(int)}
    first = routine(logic, slots=slots, activation=Batch(4))
    flow = chain(burst([1] * 10), first, sink(seen, activation=Batch(2)))

    finished(runtime.exec(flow))

    assert seen == [[4, 4], [2]]


def test_3_a_batch_is_flushed_after_max_wait(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(100, max_wait=0.02)))

    for n in range(3):
        post(runtime, job, "value", n)
        until(lambda: len(seen) == n + 1)  # noqa: B023  waited for here
    assert not job.status.is_final
    post(runtime, job, "value", 3, 4, 5)
    until(lambda: sum(map(len, seen)) == 6)
    closed(runtime, job)

    assert seen[:3] == [[0], [1], [2]]
    assert [value for batch in seen for value in batch] == list(range(6))


def test_3_a_full_batch_does_not_wait_and_leaves_no_timer_behind(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(2, max_wait=LONG)))

    for n in range(6):
        post(runtime, job, "value", n)
        posted(job, "r.value", n + 1)
    closed(runtime, job)

    assert seen == [[0, 1], [2, 3], [4, 5]]


def test_3_max_wait_counts_from_the_oldest_that_waits(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(2, max_wait=0.05)))

    begin = monotonic()
    post(runtime, job, "value", 0, 1, 2)
    until(lambda: sum(map(len, seen)) == 3)
    if seen == [[0, 1], [2]]:
        assert monotonic() - begin >= 0.045
    closed(runtime, job)
    assert [value for batch in seen for value in batch] == [0, 1, 2]


def test_3_a_batch_that_fails_is_dead_message_by_message(runtime: Runtime) -> None:
    def logic(self: Any, value: list[int]) -> None:
        if 4 in value:
            raise ValueError(value)

    made = routine(logic, slots={"value": Slot(int)}, activation=Batch(3), on_error=Continue())
    job = finished(runtime.exec(chain(burst(range(7)), made)))

    assert [failure.slots["value"] for failure in job.dead_letters] == [[3, 4, 5]]
    slot = job.routines["b"].slots["value"]
    assert (slot.dead, slot.consumed) == (3, 4)


def test_3_what_a_batch_of_a_cancelled_job_holds_is_not_flushed(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(3)))
    post(runtime, job, "value", 0, 1)

    runtime.jobs.cancel(job.id)

    finished(job, JobStatus.CANCELLED)
    assert seen == []


# ---- 3: the latest


def test_3_latest_takes_the_newest_and_counts_what_it_passes_over(loop: Loop) -> None:
    recording = RecordingInstrument()
    gate = Gate()
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        seen.append(value)

    with Runtime(workers=2, loop=loop, instruments=[recording]) as runtime:
        job = opened(runtime, routine(logic, slots={"value": Slot(int)}, activation=Latest()))
        post(runtime, job, "value", 0)
        gate.wait_came()
        post(runtime, job, "value", *range(1, 10))
        gate.let_go()
        gate.wait_came(2)
        post(runtime, job, "value", 10, 11)
        gate.open()
        closed(runtime, job)

    assert seen == [0, 9, 11]
    slot = job.routines["r"].slots["value"]
    assert (slot.consumed, slot.superseded, slot.discarded) == (3, 9, 0)
    told = [event for event in recording.of(MessageDropped) if event.reason == "superseded"]
    assert len(told) == 9
    assert {event.slot for event in told} == {"r.value"}


def test_3_latest_takes_every_message_while_it_keeps_up(runtime: Runtime) -> None:
    seen: list[int] = []
    job = opened(runtime, sink(seen, activation=Latest()))

    for n in range(20):
        post(runtime, job, "value", n)
        until(lambda: len(seen) == n + 1)  # noqa: B023  waited for here
    closed(runtime, job)

    assert seen == list(range(20))
    assert job.routines["r"].slots["value"].superseded == 0


@pytest.mark.parametrize("capacity", [1, 2, 1000])
def test_3_the_last_message_always_reaches_latest(runtime: Runtime, capacity: int) -> None:
    seen: list[int] = []
    flow = chain(source(range(200)), pass_on(capacity), sink(seen, capacity, activation=Latest()))

    job = finished(runtime.exec(flow))

    assert seen == sorted(seen)
    assert seen[-1] == 199
    slot = job.routines["c"].slots["value"]
    assert (slot.consumed, slot.superseded) == (len(seen), 200 - len(seen))


# ---- 3: every


def ticks(into: list[float], **attributes: Any) -> Routine:
    def logic(self: Any) -> None:
        into.append(monotonic())
        self.out.emit(len(into))

    return routine(logic, **attributes)


def test_3_every_on_a_source_is_a_timer_of_so_many_times(runtime: Runtime) -> None:
    at: list[float] = []
    begin = monotonic()
    job = runtime.exec(chain(ticks(at, activation=Every(0.02, times=5)), pass_on()))

    finished(job)

    assert job.outputs["b.out"] == [1, 2, 3, 4, 5]
    assert at[-1] - begin >= 4 * 0.02 - 0.005
    assert job.routines["a"].activations == 5


def test_3_every_on_a_source_runs_at_once_and_until_cancel(runtime: Runtime) -> None:
    at: list[float] = []
    job = runtime.exec(chain(ticks(at, activation=Every(0.005)), pass_on()))
    hourly: list[float] = []
    slow = runtime.exec(chain(ticks(hourly, activation=Every(LONG)), pass_on()))

    until(lambda: len(at) >= 5)
    until(lambda: len(hourly) == 1)
    assert not job.status.is_final
    assert not slow.status.is_final
    for one in (job, slow):
        runtime.jobs.cancel(one.id)
        finished(one, JobStatus.CANCELLED)
    told = len(at)
    run_another_job(runtime)
    assert len(at) <= told + 1
    assert len(hourly) == 1


def test_3_every_with_slots_activates_at_most_once_per_interval(runtime: Runtime) -> None:
    seen: list[int] = []
    begin = monotonic()

    finished(runtime.exec(chain(burst(range(5)), sink(seen, activation=Every(0.03)))))

    assert monotonic() - begin >= 4 * 0.03 - 0.005
    assert seen == list(range(5))


def test_3_every_with_slots_takes_the_oldest_of_each(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=Every(0.005)))

    post(runtime, job, "left", 1, 2, 3)
    run_another_job(runtime)
    assert seen == []
    post(runtime, job, "right", "a", "b")
    closed(runtime, job)

    assert seen == [(1, "a"), (2, "b")]
    assert job.routines["r"].slots["left"].discarded == 1


def test_3_every_lets_the_first_go_at_once_and_the_next_wait(runtime: Runtime) -> None:
    seen: list[int] = []
    job = opened(runtime, sink(seen, activation=Every(LONG)))

    post(runtime, job, "value", 0, 1)
    until(lambda: seen == [0])
    run_another_job(runtime)

    assert seen == [0]
    assert job.routines["r"].slots["value"].queued == 1
    assert not job.status.is_final
    runtime.jobs.cancel(job.id)
    finished(job, JobStatus.CANCELLED)


# ---- 3: rules of one's own


Queues = Mapping[str, Sequence[Any]]


class TwoAndOne(Activation):
    """Two of ``left`` with one of ``right``."""

    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        if len(queues["left"]) < 2 or not queues["right"]:
            return None
        return {"left": [0, 1], "right": 0}


class FirstAndThird(Activation):
    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        return {"value": (0, 2)} if len(queues["value"]) > 2 else None


class LeftAlone(Activation):
    """``left`` without ``right`` when there is one, else ``right``."""

    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        for name in ("left", "right"):
            if queues[name]:
                return {name: 0}
        return None


class Highest(Activation):
    def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
        waiting = list(queues["value"])
        return {"value": waiting.index(max(waiting))} if waiting else None


def test_3_a_rule_of_one_s_own_takes_positions(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=TwoAndOne()))

    post(runtime, job, "right", "a", "b", "c")
    post(runtime, job, "left", 1)
    run_another_job(runtime)
    assert seen == []
    post(runtime, job, "left", 2, 3, 4, 5)
    closed(runtime, job)

    assert seen == [([1, 2], "a"), ([3, 4], "b")]
    slots = job.routines["r"].slots
    assert (slots["left"].consumed, slots["left"].discarded) == (4, 1)
    assert (slots["right"].consumed, slots["right"].discarded) == (2, 1)


def test_3_a_rule_of_one_s_own_may_leave_older_ones_waiting(runtime: Runtime) -> None:
    seen: list[Any] = []

    job = finished(runtime.exec(chain(burst(range(8)), sink(seen, activation=FirstAndThird()))))

    assert seen == [[0, 2], [1, 4], [3, 6]]
    assert job.routines["b"].slots["value"].discarded == 2


def test_3_a_slot_that_a_rule_leaves_out_is_not_passed(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, recorder(seen, "left", "right", activation=LeftAlone()))

    post(runtime, job, "left", 1)
    post(runtime, job, "right", 2)
    closed(runtime, job)

    assert sorted(seen, key=repr) == sorted([(1, NOTHING), (NOTHING, 2)], key=repr)


def test_3_a_rule_of_one_s_own_chooses_among_all_that_waits(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        gate.wait_here()
        seen.append(value)

    job = opened(runtime, routine(logic, slots={"value": Slot(int)}, activation=Highest()))
    post(runtime, job, "value", 0)
    gate.wait_came()
    post(runtime, job, "value", 2, 5, 1)
    gate.let_go()
    gate.wait_came(2)
    post(runtime, job, "value", 4, 9)
    gate.open()
    closed(runtime, job)

    assert seen == [0, 5, 9, 4, 2, 1]


def test_3_a_rule_of_one_s_own_sees_every_slot_oldest_first(runtime: Runtime) -> None:
    looks: list[dict[str, list[Any]]] = []

    class Looks(Activation):
        def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
            looks.append({name: list(values) for name, values in queues.items()})
            return None

    job = opened(runtime, recorder([], "left", "right", activation=Looks()))
    post(runtime, job, "left", 1, 2)
    post(runtime, job, "right", 3)
    closed(runtime, job)

    assert {"left": [1, 2], "right": [3]} in looks
    assert all(set(look) == {"left", "right"} for look in looks)
    assert job.routines["r"].slots["left"].discarded == 2


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit])
def test_3_a_take_that_raises_fails_the_job_and_says_where(
    runtime: Runtime, error: type[BaseException]
) -> None:
    class Raises(Activation):
        def take(self, queues: Queues) -> Mapping[str, int | Sequence[int]] | None:
            if 3 in queues["value"]:
                raise error("no three")
            return {"value": 0} if queues["value"] else None

    seen: list[int] = []
    flow = chain(burst(range(6)), pass_on(), sink(seen, activation=Raises()))

    job = finished(runtime.exec(flow), JobStatus.FAILED)

    assert job.error is not None
    assert (job.error.routine, job.error.type) == ("c", error.__name__)
    assert seen == list(range(len(seen)))
    assert len(seen) <= 3
    run_another_job(runtime)


@pytest.mark.parametrize(
    "answer",
    [
        {"nope": 0},
        {"value": 5},
        {"value": -1},
        {"value": [0, 0]},
        {"value": [0, 7]},
        {"value": []},
        {"value": "0"},
        {"value": 0.0},
        {"value": None},
        {},
        7,
        "value",
        [("value", 0)],
        False,
    ],
    ids=repr,
)
def test_3_a_take_whose_answer_makes_no_sense_fails_the_job_and_says_where(
    runtime: Runtime, answer: Any
) -> None:
    class Nonsense(Activation):
        def take(self, queues: Queues) -> Any:
            return answer if queues["value"] else None

    seen: list[int] = []
    job = opened(runtime, sink(seen, activation=Nonsense()))

    post(runtime, job, "value", 1)

    finished(job, JobStatus.FAILED)
    assert job.error is not None
    assert job.error.routine == "r"
    assert job.error.text
    assert seen == []
    run_another_job(runtime)


def test_3_a_rule_without_take_is_a_problem_and_no_job(runtime: Runtime) -> None:
    class Empty(Activation):
        pass

    flow = flow_of({"r": sink([], activation=Empty())})

    errors = [problem for problem in flow.problems() if problem.severity == "error"]
    assert [problem.routine for problem in errors] == ["r"]
    with pytest.raises(PenstockError):
        runtime.exec(flow)
    assert runtime.jobs.list() == []


# ---- 4: when emissions are visible


@pytest.mark.parametrize("kind", KINDS)
def test_4_emissions_are_visible_downstream_when_emitted(runtime: Runtime, kind: Kind) -> None:
    arrived = [threading.Event(), threading.Event()]
    seen: list[int] = []

    def body(self: Any, value: Any) -> Iterator[Any]:
        for n in range(2):
            self.out.emit(n)
            yield lambda n=n: seen.append(arrived[n].wait(DEADLINE))

    def marks(self: Any, value: int) -> None:
        arrived[value].set()

    flow = chain(of_kind(kind, body), routine(marks, slots={"value": Slot(int)}))

    finished(runtime.exec(flow, {"a.value": 1}))

    assert seen == [True, True]


@pytest.mark.parametrize("kind", KINDS)
def test_4_retry_keeps_back_an_attempts_emissions(runtime: Runtime, kind: Kind) -> None:
    gate = Gate()
    seen: list[int] = []

    def body(self: Any, value: Any) -> Iterator[Any]:
        self.out.emit(1)
        yield
        self.out.emit(2)
        yield gate.wait_here
        self.out.emit(3)

    job = runtime.exec(
        chain(of_kind(kind, body, on_error=Retry(), events=("out",)), sink(seen)), {"a.value": 0}
    )
    gate.wait_came()
    run_another_job(runtime)
    assert job.routines["b"].slots["value"].posted == 0
    gate.open()
    finished(job)

    assert seen == [1, 2, 3]
    assert job.routines["a"].revoked == 0


@pytest.mark.parametrize("kind", KINDS)
def test_4_what_a_failed_attempt_emitted_is_revoked_and_counted(
    runtime: Runtime, kind: Kind
) -> None:
    seen: list[Any] = []

    class State:
        attempt = 0

    def body(self: Any, value: Any) -> Iterator[Any]:
        self.state.attempt += 1
        for n in range(3):
            self.out.emit((value, self.state.attempt, n))
            yield
        if self.state.attempt < 3:
            raise ValueError("again")
        self.state.attempt = 0

    made = of_kind(kind, body, state=State, on_error=Retry(times=2))
    job = finished(runtime.exec(chain(burst(range(4)), made, sink(seen))))

    assert seen == [(value, 3, n) for value in range(4) for n in range(3)]
    count = job.routines["b"]
    assert count.revoked == 4 * 2 * 3
    assert count.failures == 4 * 2
    assert job.dead_letters == []
    assert count.slots["value"].consumed == 4


@pytest.mark.parametrize("kind", KINDS)
def test_4_all_is_revoked_when_no_attempt_succeeds(runtime: Runtime, kind: Kind) -> None:
    seen: list[Any] = []

    def body(self: Any, value: Any) -> Iterator[Any]:
        self.out.emit(value)
        self.other.emit(value)
        yield
        raise ValueError("never")

    made = of_kind(kind, body, events=("out", "other"), on_error=Retry(times=1, then=Continue()))
    flow = flow_of(
        {"s": burst(range(5)), "r": made, "z": sink(seen)}, "s.out -> r.value", "r.out -> z.value"
    )
    job = finished(runtime.exec(flow))

    assert seen == []
    assert job.outputs["r.other"] == []
    assert job.routines["r"].revoked == 5 * 2 * 2
    assert job.routines["r"].slots["value"].dead == 5


def test_4_kept_back_emissions_of_two_events_come_in_the_order_of_their_emission(
    runtime: Runtime,
) -> None:
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        for n in range(0, 20, 2):
            self.one.emit(n)
            self.two.emit(n + 1)

    made = routine(logic, slots={"value": Slot(int)}, events=("one", "two"), on_error=Retry())
    flow = flow_of({"r": made, "z": sink(seen, 1)}, "r.one -> z.value", "r.two -> z.value")

    finished(runtime.exec(flow, {"r.value": 0}))

    assert seen == list(range(20))


def test_4_a_source_under_retry_is_warned_of_and_emits_when_it_has_ended(runtime: Runtime) -> None:
    seen: list[Any] = []
    gate = Gate()

    class State:
        attempt = 0

    def logic(self: Any) -> Iterator[None]:
        self.state.attempt += 1
        for n in range(3):
            self.out.emit((self.state.attempt, n))
            yield
        if self.state.attempt == 1:
            raise ValueError("again")
        gate.wait_here()

    flow = chain(routine(logic, state=State, on_error=Retry()), sink(seen))
    assert [(p.severity, p.routine) for p in flow.problems()] == [("warning", "a")]

    job = runtime.exec(flow)
    gate.wait_came()
    run_another_job(runtime)
    assert job.routines["b"].slots["value"].posted == 0
    gate.open()
    finished(job)
    assert seen == [(2, 0), (2, 1), (2, 2)]
    assert job.routines["a"].revoked == 3


def test_4_what_was_kept_back_waits_for_room_without_holding_up_its_body(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[Any] = []
    over = threading.Event()

    def logic(self: Any, value: int) -> None:
        for n in range(20):
            self.out.emit((value, n))
        if value == 0:
            over.set()

    def stands(self: Any, value: Any) -> None:
        gate.wait_here()
        seen.append(value)

    made = routine(logic, slots={"value": Slot(int)}, on_error=Retry())
    stand = routine(stands, slots={"value": Slot(object, capacity=1)})
    job = runtime.exec(chain(burst(range(3)), made, stand))
    assert over.wait(DEADLINE)
    gate.wait_came()
    gate.open()
    finished(job)

    assert seen == [(value, n) for value in range(3) for n in range(20)]
    assert job.routines["c"].slots["value"].high_water == 1


def test_4_attempts_at_once_are_each_kept_back_and_delivered_in_one_piece(
    runtime: Runtime,
) -> None:
    seen: list[Any] = []

    class State:
        def __init__(self) -> None:
            self.tried: set[int] = set()

    def logic(self: Any, value: int) -> None:
        for n in range(5):
            self.out.emit((value, n))
        if value % 3 == 0 and value not in self.state.tried:
            self.state.tried.add(value)
            raise ValueError("again")

    made = routine(logic, slots={"value": Slot(int)}, state=State, max_parallel=4, on_error=Retry())
    job = finished(runtime.exec(chain(burst(range(30)), made, sink(seen))))

    assert sorted(seen) == [(value, n) for value in range(30) for n in range(5)]
    for start in range(0, 150, 5):
        assert seen[start : start + 5] == [(seen[start][0], n) for n in range(5)]
    assert job.routines["b"].revoked == 10 * 5


def test_4_kept_back_emissions_that_do_not_fit_a_refusing_slot_fail_the_attempt_whole(
    runtime: Runtime,
) -> None:
    gate = Gate()
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        for n in range(value):
            self.out.emit(n)

    def stands(self: Any, value: int) -> None:
        gate.wait_here()
        seen.append(value)

    again = Retry(times=1, then=Continue())
    made = routine(logic, slots={"value": Slot(int)}, on_error=again)
    stand = routine(stands, slots={"value": Slot(int, capacity=2, overflow="fail")})
    flow = flow_of({"r": made, "z": stand}, "r.out -> z.value")
    job = runtime.exec(flow, {"r.value": 1}, keep_open=True)
    gate.wait_came()

    post(runtime, job, "value", 3)
    until(lambda: job.routines["r"].failures == 2)
    assert job.routines["z"].slots["value"].posted == 1
    post(runtime, job, "value", 2)
    posted(job, "z.value", 3)
    gate.open()
    closed(runtime, job)

    assert seen == [0, 0, 1]
    assert [(failure.type, failure.attempt) for failure in job.dead_letters] == [("SlotFull", 2)]
    assert job.routines["r"].revoked == 6


# ---- 5: how many at once, and in which order


def test_5_one_at_a_time_works_in_order_and_alone_on_the_state(runtime: Runtime) -> None:
    class State:
        total = 0
        inside = 0

    def logic(self: Any, value: int) -> None:
        self.state.inside += 1
        assert self.state.inside == 1
        self.state.total += value
        self.out.emit(value)
        self.state.inside -= 1

    def finish(self: Any) -> None:
        self.out.emit(self.state.total)

    made = routine(logic, slots={"value": Slot(int)}, state=State, finish=finish)
    flow = chain(burst(range(1000)), made)

    for job in [runtime.exec(flow) for _ in range(3)]:
        assert finished(job).outputs["b.out"][-3:] == [998, 999, sum(range(1000))]
        assert job.output_counts["b.out"] == 1001


@pytest.mark.parametrize("most", [1, 2, 3])
def test_5_exactly_max_parallel_bodies_at_once(runtime: Runtime, most: int) -> None:
    gate = Gate()
    job = runtime.exec(chain(burst(range(9)), gated(gate, max_parallel=most)))

    gate.wait_inside(most)
    assert job.routines["b"].running == most
    run_another_job(runtime)
    assert gate.came == most
    for _ in range(4):
        came = gate.came
        gate.let_go()
        gate.wait_came(came + 1)
    gate.open()
    finished(job)

    assert gate.most_inside == most
    assert sorted(job.outputs["b.out"]) == list(range(9))


def test_5_none_is_as_many_as_the_pool_has_workers(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=5, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(20)), gated(gate, max_parallel=None)))
        gate.wait_inside(5)
        run = job.routines["b"]
        assert run.running == 5
        gate.open()
        finished(job)

    assert gate.most_inside == 5
    assert sorted(job.outputs["b.out"]) == list(range(20))


def test_5_messages_are_taken_in_order_by_several_at_once(runtime: Runtime) -> None:
    gate = Gate()
    taken: list[int] = []

    def logic(self: Any, value: int) -> None:
        taken.append(value)
        gate.wait_here()

    made = routine(logic, slots={"value": Slot(int)}, max_parallel=3)
    job = runtime.exec(chain(burst(range(10)), made))
    gate.wait_inside(3)
    assert sorted(taken) == [0, 1, 2]
    for n in range(3, 10):
        gate.let_go()
        gate.wait_came(n + 1)
        assert taken[n] == n
    gate.open()
    finished(job)


def test_5_emissions_of_several_at_once_interleave_each_in_its_own_order(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[Any] = []

    def logic(self: Any, value: int) -> None:
        for n in range(50):
            self.out.emit((value, n))
            if n == 10:
                gate.wait_here()

    made = routine(logic, slots={"value": Slot(int)}, max_parallel=4)
    job = runtime.exec(chain(burst(range(8)), made, sink(seen)))
    gate.wait_inside(4)
    gate.open()
    finished(job)

    assert len(seen) == 400
    for value in range(8):
        assert [n for one, n in seen if one == value] == list(range(50))
    beginnings = [value for value, n in seen if n == 0]
    assert seen.index((beginnings[1], 0)) < seen.index((beginnings[0], 49)), "they interleave"


def test_5_none_is_no_limit_for_coroutines_and_they_use_no_worker(loop: Loop) -> None:
    gate = AsyncGate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(300)), async_gated(gate, max_parallel=None)))
        until(lambda: len(gate.came) == 300)
        assert job.routines["b"].running == 300
        run_another_job(runtime)
        until(lambda: runtime.statistics().busy == 0)
        gate.open()
        finished(job)

    assert sorted(job.outputs["b.out"]) == list(range(300))


@pytest.mark.parametrize("most", [1, 3])
def test_5_exactly_max_parallel_coroutines_at_once(runtime: Runtime, most: int) -> None:
    gate = AsyncGate()
    inside: list[int] = []
    high: list[int] = []

    async def logic(self: Any, value: int) -> None:
        inside.append(value)
        high.append(len(inside))
        if value < most:
            await gate.wait_here(value)
        else:
            await asyncio.sleep(0)
        inside.remove(value)
        self.out.emit(value)

    made = routine(logic, slots={"value": Slot(int)}, max_parallel=most)
    job = runtime.exec(chain(burst(range(20)), made))
    until(lambda: len(gate.came) == most)
    run_another_job(runtime)
    assert inside == list(range(most))
    gate.open()
    finished(job)

    assert max(high) == most
    assert sorted(job.outputs["b.out"]) == list(range(20))
    if most == 1:
        assert job.outputs["b.out"] == list(range(20))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, None])
def test_5_state_is_made_once_on_a_worker_before_the_first_activation(
    runtime: Runtime, kind: Kind, most: int | None
) -> None:
    made: list[str] = []
    seen: set[int] = set()

    class State:
        def __init__(self) -> None:
            made.append(threading.current_thread().name)

    def body(self: Any, value: Any) -> Iterator[Any]:
        assert isinstance(self.state, State)
        seen.add(id(self.state))
        yield

    job = runtime.exec(chain(burst(range(20)), of_kind(kind, body, state=State, max_parallel=most)))

    finished(job)
    assert len(made) == 1
    assert made[0].startswith("penstock-worker")
    assert len(seen) == 1


def test_5_a_routine_that_is_never_activated_makes_no_state(runtime: Runtime) -> None:
    made: list[int] = []

    class State:
        def __init__(self) -> None:
            made.append(1)

    finished(runtime.exec(chain(burst([]), pass_on(state=State))))

    assert made == []


# ---- 6: payloads are shared


class Both:
    """Two sinks that keep what they are given."""

    def __init__(self) -> None:
        self.x: list[Any] = []
        self.y: list[Any] = []

    def flow(self, emits: Callable[[Any], None], copy: bool, **attributes: Any) -> Any:
        made = routine(
            lambda self: emits(self), events=(), slots={}, out=Event(copy=copy), **attributes
        )
        return flow_of(
            {"s": made, "x": sink(self.x), "y": sink(self.y)},
            "s.out -> x.value",
            "s.out -> y.value",
        )


def test_6_branches_share_the_object_that_was_emitted(runtime: Runtime) -> None:
    value = {"words": ["a"]}
    both = Both()

    finished(runtime.exec(both.flow(lambda self: self.out.emit(value), copy=False)))

    assert both.x[0] is value
    assert both.y[0] is value


def test_6_outputs_hold_the_object_that_was_emitted(runtime: Runtime) -> None:
    value = [1]

    job = finished(runtime.exec(chain(burst([value]), pass_on())))

    assert job.outputs["b.out"][0] is value


@pytest.mark.parametrize("policy", [None, Retry()])
def test_6_with_copy_each_branch_has_its_own_as_it_was_when_emitted(
    runtime: Runtime, policy: Any
) -> None:
    value = {"words": ["a"]}
    both = Both()

    def emits(self: Any) -> None:
        self.out.emit(value)
        value["words"].append("b")
        self.out.emit(value)

    attributes = {} if policy is None else {"on_error": policy}
    finished(runtime.exec(both.flow(emits, copy=True, **attributes)))

    assert both.x == both.y == [{"words": ["a"]}, {"words": ["a", "b"]}]
    own = [given["words"] for given in (*both.x, *both.y)]
    assert len({id(words) for words in own}) == 4
    own[0].append("mine")
    assert both.y[0] == {"words": ["a"]}


def test_6_with_copy_messages_that_wait_for_room_are_copies_too(runtime: Runtime) -> None:
    gate = Gate()
    kept: list[Any] = []
    value = [0]

    def emits(self: Any) -> None:
        for n in range(10):
            value[0] = n
            self.out.emit(value)

    def stands(self: Any, value: Any) -> None:
        gate.wait_here()
        kept.append(value)

    other: list[Any] = []
    flow = flow_of(
        {
            "s": routine(emits, events=(), out=Event(list, copy=True)),
            "x": routine(stands, slots={"value": Slot(list, capacity=2)}),
            "y": sink(other),
        },
        "s.out -> x.value",
        "s.out -> y.value",
    )
    job = runtime.exec(flow)
    gate.wait_came()
    gate.open()
    finished(job)

    assert kept == other == [[n] for n in range(10)]


def test_6_a_value_that_can_not_be_copied_fails_the_body_that_emits_it(runtime: Runtime) -> None:
    both = Both()
    raised: list[type[BaseException]] = []

    def emits(self: Any) -> None:
        try:
            self.out.emit(threading.Lock())
        except TypeError as error:
            raised.append(type(error))
        self.out.emit([1])
        self.out.emit(threading.Lock())

    job = finished(runtime.exec(both.flow(emits, copy=True)), JobStatus.FAILED)

    assert raised == [TypeError]
    assert job.error is not None
    assert (job.error.routine, job.error.type) == ("s", "TypeError")


# ---- 7: which values are checked


class Strange:
    """A type pydantic doesn't know."""


WRONG: list[tuple[Any, Any]] = [
    (int, "1"),
    (int, True),
    (int, 1.0),
    (str, 1),
    (bool, 1),
    (list[int], [1, "2"]),
    (dict[str, int], {1: 1}),
    (Strange, object()),
    (Model, {"path": "a", "who": "b"}),
]
RIGHT: list[tuple[Any, Any]] = [
    (int, 1),
    (str, ""),
    (list[int], [1, 2]),
    (Strange, Strange()),
    (Model, Model(path="a", who="b")),
    (int | None, None),
    (object, object()),
    (Any, 1),
]


def _named(value: object) -> str:
    """Its repr, without an address: a test is called the same in each run."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@pytest.mark.parametrize(("type_", "value"), WRONG, ids=_named)
def test_7_a_wrong_value_is_refused_and_nothing_is_delivered(
    runtime: Runtime, type_: Any, value: Any
) -> None:
    def logic(self: Any, value: Any) -> None:
        self.out.emit(value)

    body = {"logic": logic, "value": Slot(type_), "out": Event(type_)}
    made: Routine = type("Made", (Routine,), body)()
    flow = flow_of({"r": made})
    with pytest.raises(InvalidValue):
        runtime.exec(flow, {"r.value": value})
    assert runtime.jobs.list() == []

    job = runtime.exec(flow, keep_open=True)
    with pytest.raises(InvalidValue):
        runtime.post(job.id, "r.value", value)
    with pytest.raises(InvalidValue):
        runtime.handle_event_emit(job.id, "r.out", value)
    closed(runtime, job)
    assert job.routines["r"].slots["value"].posted == 0
    assert job.outputs == {"r.out": []}


@pytest.mark.parametrize(("type_", "value"), RIGHT, ids=_named)
def test_7_a_right_value_is_delivered_as_it_is(runtime: Runtime, type_: Any, value: Any) -> None:
    seen: list[Any] = []
    flow = flow_of({"r": recorder(seen, "value", value=Slot(type_))})
    job = runtime.exec(flow, {"r.value": value}, keep_open=True)

    runtime.post(job.id, "r.value", value)
    closed(runtime, job)

    assert len(seen) == 2
    assert all(given is value for (given,) in seen)


def test_7_values_as_json_are_read_under_the_slot_s_type(runtime: Runtime) -> None:
    seen: list[Any] = []
    flow = flow_of({"r": recorder(seen, "value", value=Slot(tuple[int, ...]))})

    finished(runtime.exec(flow, {"r.value": [1, 2]}, as_json=True))
    with pytest.raises(InvalidValue):
        runtime.exec(flow, {"r.value": [1, "2"]}, as_json=True)
    with pytest.raises(InvalidValue):
        runtime.exec(flow, {"r.value": [1, 2]})

    assert seen == [((1, 2),)]


@pytest.mark.parametrize("kind", KINDS)
def test_7_emissions_are_not_checked_unless_asked_for(loop: Loop, kind: Kind) -> None:
    def body(self: Any, value: Any) -> Iterator[Any]:
        self.out.emit("text")
        yield

    seen: list[Any] = []
    made = of_kind(kind, body, events=(), out=Event(int))
    flow = chain(made, recorder(seen, "value", value=Slot(int)))
    with Runtime(workers=2, loop=loop) as runtime:
        finished(runtime.exec(flow, {"a.value": 1}))
        assert seen == [("text",)]
    with Runtime(workers=2, loop=loop, check_types=True) as runtime:
        job = finished(runtime.exec(flow, {"a.value": 1}), JobStatus.FAILED)

    assert seen == [("text",)]
    assert job.error is not None
    assert (job.error.routine, job.error.type) == ("a", "InvalidValue")
    assert "a.out" in job.error.text


def test_7_a_checked_emission_raises_in_the_body_that_emits(loop: Loop) -> None:
    """First the event's own type is asked, then that of each slot it goes to."""
    raised: list[Any] = []
    seen: list[Any] = []
    wide: list[Any] = []

    def logic(self: Any) -> None:
        for value in (1, "text", 2.5, None, 2):
            try:
                self.out.emit(value)
            except InvalidValue:
                raised.append(value)

    flow = flow_of(
        {
            "s": routine(logic, events=(), out=Event(int | str)),
            "x": recorder(seen, "value", value=Slot(int)),
            "y": recorder(wide, "value", value=Slot(object)),
        },
        "s.out -> x.value",
        "s.out -> y.value",
    )
    with Runtime(workers=2, loop=loop, check_types=True) as runtime:
        job = finished(runtime.exec(flow))

    assert raised == ["text", 2.5, None]
    assert seen == wide == [(1,), (2,)]
    assert job.routines["s"].failures == 0


def test_7_checks_hold_in_finish_and_under_retry_too(loop: Loop) -> None:
    def logic(self: Any, value: int) -> None:
        self.out.emit(value)
        self.out.emit("text" if value else value)

    def finish(self: Any) -> None:
        self.out.emit("text")

    slots = {"value": Slot(int)}
    again = Retry(times=1, then=Continue())
    flow = flow_of(
        {
            "r": routine(logic, slots=slots, events=(), out=Event(int), on_error=again),
            "f": routine(
                lambda self, value: None,
                slots=slots,
                events=(),
                out=Event(int),
                finish=finish,
                on_error=Continue(),
            ),
        }
    )
    with Runtime(workers=2, loop=loop, check_types=True) as runtime:
        job = finished(runtime.exec(flow, {"r.value": 1, "f.value": 1}))

    assert job.outputs == {"r.out": [], "f.out": []}
    assert sorted((f.routine, f.type) for f in job.dead_letters) == [
        ("f", "InvalidValue"),
        ("r", "InvalidValue"),
    ]
    assert job.routines["r"].revoked == 2


def test_7_an_emitted_event_from_outside_takes_every_connection(runtime: Runtime) -> None:
    x: list[Any] = []
    y: list[Any] = []
    flow = flow_of(
        {"r": pass_on(), "x": sink(x), "y": sink(y)}, "r.out -> x.value", "r.out -> y.value"
    )
    job = runtime.exec(flow, keep_open=True)

    runtime.handle_event_emit(job.id, "r.out", 5)
    with pytest.raises(UnknownPort):
        runtime.handle_event_emit(job.id, "r.nope", 5)
    with pytest.raises(UnknownPort):
        runtime.handle_event_emit(job.id, "nope.out", 5)
    closed(runtime, job)

    assert x == y == [5]


def test_7_an_emitted_event_from_outside_without_connections_is_an_output(
    runtime: Runtime,
) -> None:
    job = runtime.exec(flow_of({"r": pass_on()}), {"r.value": 1}, keep_open=True)
    until(lambda: job.outputs == {"r.out": [1]})

    runtime.handle_event_emit(job.id, "r.out", 2)
    closed(runtime, job)

    assert job.outputs == {"r.out": [1, 2]}
    assert job.output_counts == {"r.out": 2}


def test_7_an_emitted_event_from_outside_is_copied_for_each_branch_if_the_event_says_so(
    runtime: Runtime,
) -> None:
    x: list[Any] = []
    y: list[Any] = []
    made = routine(
        lambda self, value: None, slots={"value": Slot(int)}, events=(), out=Event(copy=True)
    )
    flow = flow_of({"r": made, "x": sink(x), "y": sink(y)}, "r.out -> x.value", "r.out -> y.value")
    job = runtime.exec(flow, keep_open=True)
    value = {"words": ["a"]}

    runtime.handle_event_emit(job.id, "r.out", value)
    value["words"].append("b")
    closed(runtime, job)

    assert x == y == [{"words": ["a"]}]
    assert x[0]["words"] is not y[0]["words"]


def test_7_an_emitted_event_that_can_not_be_copied_takes_no_place(runtime: Runtime) -> None:
    seen: list[Any] = []
    made = routine(
        lambda self, value: None, slots={"value": Slot(int)}, events=(), out=Event(copy=True)
    )
    full = recorder(seen, "value", value=Slot(object, capacity=1, overflow="fail"))
    job = runtime.exec(flow_of({"r": made, "z": full}, "r.out -> z.value"), keep_open=True)

    with pytest.raises(TypeError):
        runtime.handle_event_emit(job.id, "r.out", threading.Lock())
    runtime.handle_event_emit(job.id, "r.out", [1])
    closed(runtime, job)

    assert seen == [([1],)]


# ---- 8: entry parameters


def test_8_entry_params_put_one_message_in_each_slot_they_name(runtime: Runtime) -> None:
    seen: list[int] = []
    flow = flow_of(
        {"s": burst([1]), "a": pass_on(), "p": pair(), "z": sink(seen)},
        "s.out -> a.value",
        "a.out -> z.value",
    )

    job = finished(runtime.exec(flow, {"p.left": "l", "p.right": "r", "z.value": 7}))

    assert job.outputs["p.out"] == [("l", "r")]
    assert sorted(seen) == [1, 7], "a slot that something is connected to may be named"
    assert job.routines["p"].slots["left"].posted == 1


def test_8_a_bare_slot_name_means_the_one_entry_routine(runtime: Runtime) -> None:
    seen: list[Any] = []
    flow = flow_of({"p": pair(), "z": sink(seen)}, "p.out -> z.value")

    finished(runtime.exec(flow, {"left": 1, "right": 2}))

    assert seen == [(1, 2)]


@pytest.mark.parametrize("name", ["nope", "p.nope", "nope.value", "p.left.x", "", ".", "z."])
def test_8_an_unknown_entry_param_raises_before_a_job_exists(runtime: Runtime, name: str) -> None:
    flow = flow_of({"p": pair(), "z": sink([])}, "p.out -> z.value")

    with pytest.raises(UnknownPort):
        runtime.exec(flow, {"left": 1, name: 1})

    assert runtime.jobs.list() == []
    assert runtime.statistics().loop_threads == 0


def test_8_a_bare_slot_name_needs_exactly_one_entry_routine(runtime: Runtime) -> None:
    two = flow_of({"x": pass_on(), "y": pass_on()})
    with pytest.raises(UnknownPort):
        runtime.exec(two, {"value": 1})

    none = flow_of({"s": burst([1]), "z": sink([])}, "s.out -> z.value")
    with pytest.raises(UnknownPort):
        runtime.exec(none, {"value": 1})

    assert runtime.jobs.list() == []


def test_8_an_entry_param_beyond_the_capacity_of_its_slot_still_fits_one(runtime: Runtime) -> None:
    seen: list[int] = []

    finished(runtime.exec(flow_of({"z": sink(seen, 1)}), {"z.value": 1}))

    assert seen == [1]
