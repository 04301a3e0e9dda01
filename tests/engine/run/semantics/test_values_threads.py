"""Values that are shared, copied and checked: lines 6 and 7."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.conservation import finished
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink
from helpers.kinds import KINDS, Kind, closed, of_kind, recorder
from helpers.values import Model
from helpers.waiting import until
from penstock import (
    Continue,
    Event,
    InvalidValue,
    JobStatus,
    Retry,
    Routine,
    Runtime,
    Slot,
    UnknownPort,
)
from penstock.run.executor import Loop

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
