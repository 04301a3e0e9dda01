"""Building and editing flows in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.errors import FlowError, UnknownPort
from penstock.flow import (
    Connection,
    Event,
    EventSpec,
    Failure,
    Flow,
    Routine,
    RoutineSpec,
    Slot,
    SlotSpec,
)
from penstock.ids import PortRef


class Source(Routine):
    out = Event(int)
    other = Event(str)

    def logic(self) -> None: ...


class Sink(Routine):
    value = Slot(int)

    def logic(self, value: int) -> None: ...


class Complaints(Routine):
    failure = Slot(Failure)

    def logic(self, failure: Failure) -> None: ...


SPEC = RoutineSpec("m:Class", slots=(SlotSpec("value", "int"),), events=(EventSpec("out", "int"),))


def pipeline() -> Flow:
    flow = Flow("pipeline")
    flow.add("a", Source(), title="Quelle ✓", position=(1, 2))
    flow.add("b", Sink())
    flow.add("c", Sink())
    flow.connect("a.out", "b.value")
    flow.connect("a.out", "c.value")
    return flow


def texts(flow: Flow) -> list[str]:
    return [str(connection) for connection in flow.connections]


def test_routines_and_connections_keep_their_order() -> None:
    flow = pipeline()

    assert list(flow.routines) == ["a", "b", "c"]
    assert texts(flow) == ["a.out -> b.value", "a.out -> c.value"]
    assert flow.titles == {"a": "Quelle ✓"}
    assert flow.positions == {"a": (1, 2)}


def test_the_views_cant_be_written() -> None:
    with pytest.raises(TypeError):
        pipeline().routines["x"] = Sink()  # type: ignore[index]


@pytest.mark.parametrize("bad", ["", "1a", "a b", "a.b", "ä", "a\n", "-a", None, 3])
def test_a_malformed_id_is_refused(bad: str) -> None:
    with pytest.raises(FlowError, match="is no routine id: expected a letter or _"):
        Flow("f").add(bad, Sink())


@pytest.mark.parametrize("good", ["a", "_", "a-1", "A_b-3"])
def test_ids_that_are_possible(good: str) -> None:
    flow = Flow("f")
    flow.add(good, Sink())

    assert list(flow.routines) == [good]


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda f: f.add("a", Sink()), "has a routine 'a' already"),
        (lambda f: f.add("d", Sink), r"expected an instance: Sink\(\)"),
        (lambda f: f.add("d", 3), "d: expected a Routine, got int"),
        (lambda f: f.connect("a.out", "b.value"), "a.out -> b.value is connected already"),
        (lambda f: f.remove("z"), "no routine 'z'"),
        (lambda f: f.rename("z", "y"), "no routine 'z'"),
        (lambda f: f.rename("a", "b"), "has a routine 'b' already"),
        (lambda f: f.rename("a", "b c"), "is no routine id"),
        (lambda f: f.disconnect("a.other", "b.value"), "no connection a.other -> b.value"),
        (lambda f: f.spec("z"), "no routine 'z'"),
        (lambda f: f.replace("z", Sink()), "no routine 'z'"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(edit: Callable[[Flow], None], text: str) -> None:
    flow = pipeline()

    with pytest.raises(FlowError, match=text):
        edit(flow)

    assert (list(flow.routines), len(flow.connections)) == (["a", "b", "c"], 2)


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        ("z.out", "b.value", "the flow has no routine 'z'"),
        ("a.out", "z.value", "the flow has no routine 'z'"),
        ("a.outt", "b.value", "a has no event 'outt'; it has out, other, failed"),
        ("a.out", "b.valu", "b has no slot 'valu'; it has value"),
        ("a.out", "a.value", "a has no slot 'value'; it has none"),
        ("a.out", "b", "'b' is no port: expected 'routine.port'"),
        ("a.out", "b.value.x", "is no port"),
    ],
)
def test_an_unknown_port_is_named(source: str, target: str, text: str) -> None:
    with pytest.raises(UnknownPort, match=text):
        pipeline().connect(source, target)


def test_failed_is_an_event_of_every_routine_and_never_a_slot() -> None:
    flow = pipeline()
    flow.add("d", Complaints())
    flow.connect("a.failed", "d.failure")
    flow.connect("d.failed", "d.failure")

    assert texts(flow)[-2:] == ["a.failed -> d.failure", "d.failed -> d.failure"]
    with pytest.raises(UnknownPort, match="no slot 'failed'"):
        flow.connect("a.out", "b.failed")


def test_removing_takes_connections_title_and_position_along() -> None:
    flow = pipeline()
    flow.remove("a")

    assert (list(flow.routines), flow.connections) == (["b", "c"], ())
    assert (flow.titles, flow.positions) == ({}, {})


def test_renaming_keeps_order_and_connections() -> None:
    flow = pipeline()
    flow.rename("a", "start")
    flow.rename("b", "b")

    assert list(flow.routines) == ["start", "b", "c"]
    assert texts(flow) == ["start.out -> b.value", "start.out -> c.value"]
    assert flow.titles == {"start": "Quelle ✓"}
    assert flow.positions == {"start": (1, 2)}


def test_what_was_removed_can_go_back_to_its_place() -> None:
    flow = pipeline()
    flow.remove("a")
    flow.add("a", Source(), index=0)
    flow.connect("a.out", "c.value")
    flow.connect("a.out", "b.value", index=0)

    assert list(flow.routines) == ["a", "b", "c"]
    assert texts(flow) == ["a.out -> b.value", "a.out -> c.value"]


def test_a_routine_may_feed_itself() -> None:
    flow = Flow("f")
    flow.add("a", SPEC)
    flow.connect("a.out", "a.value")

    assert flow.connections[0].touches("a")


def test_a_spec_has_ports_to_connect_and_a_config_to_change() -> None:
    flow = Flow("f")
    flow.add("a", SPEC)
    flow.add("b", SPEC, title="B")
    flow.connect("a.out", "b.value")
    flow.configure("a", {"x": 1})

    assert flow.spec("a").config == {"x": 1}
    assert flow.spec("b").title == "B"
    assert SPEC.config == {}
    with pytest.raises(UnknownPort, match="a has no event 'nothing'; it has out, failed"):
        flow.connect("a.nothing", "b.value")


def test_ports_of_a_type_that_isnt_found_cant_be_doubted() -> None:
    flow = Flow("f")
    flow.add("a", RoutineSpec("m:Gone", error="not found"))
    flow.add("b", SPEC)
    flow.connect("a.whatever", "b.value")

    assert texts(flow) == ["a.whatever -> b.value"]


def test_a_copy_is_independent() -> None:
    flow = pipeline()
    copy = flow.copy()
    flow.remove("b")
    copy.rename("a", "z")
    copy.positions["z"] = (9, 9)
    copy.folders.append("x")

    assert (list(flow.routines), list(copy.routines)) == (["a", "c"], ["z", "b", "c"])
    assert texts(copy) == ["z.out -> b.value", "z.out -> c.value"]
    assert (flow.positions["a"], flow.folders) == ((1, 2), [])


def test_the_graph_has_an_edge_per_connection() -> None:
    flow = pipeline()
    flow.add("d", Sink())
    graph = flow.graph()

    assert list(graph.nodes) == ["a", "b", "c", "d"]
    assert list(graph.edges(keys=True, data=True)) == [
        ("a", "b", "a.out -> b.value", {"event": "out", "slot": "value"}),
        ("a", "c", "a.out -> c.value", {"event": "out", "slot": "value"}),
    ]


@pytest.mark.parametrize(
    "text", ["a.b", "a.b ->", "-> a.b", "a -> b.c", "a.b -> c.d.e", "a.b - c.d"]
)
def test_a_malformed_connection_is_refused(text: str) -> None:
    with pytest.raises(UnknownPort, match="expected"):
        Connection.parse(text)


def test_a_connection_reads_as_it_is_written() -> None:
    connection = Connection.parse("a.out->b-1.value")

    assert str(connection) == "a.out -> b-1.value"
    assert connection == Connection(PortRef("a", "out"), PortRef("b-1", "value"))
