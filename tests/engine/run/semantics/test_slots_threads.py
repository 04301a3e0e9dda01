"""One queue per slot, joins and matching: lines 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import finished
from helpers.flows import burst, flow_of, pair, routine, sink, source
from helpers.kinds import closed, opened, post, posted, recorder
from helpers.recording import RecordingInstrument
from helpers.values import Model, Named
from helpers.waiting import run_another_job, until
from penstock import AllSlots, JobStatus, Routine, Runtime
from penstock.observe import JobEnded
from penstock.run.executor import Loop

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
