"""The problems of a flow, and field values by simple rules."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.flow import (
    Connection,
    Event,
    EventSpec,
    FieldSpec,
    Flow,
    Problem,
    Routine,
    RoutineSpec,
    Slot,
    SlotSpec,
    validate_field,
)

STEP = RoutineSpec(
    "m:Step",
    slots=(SlotSpec("line", "str"),),
    events=(EventSpec("word", "str"), EventSpec("count", "int")),
    fields=(FieldSpec("lower", "bool", True), FieldSpec("limit", "int")),
    config={"limit": 3},
)


def flow_of(*connections: str, **routines: RoutineSpec) -> Flow:
    flow = Flow("f")
    for routine_id, spec in routines.items():
        flow.add(routine_id, spec)
    for text in connections:
        flow._connections[Connection.parse(text)] = 1
    return flow


def errors(flow: Flow) -> list[str]:
    return [str(problem) for problem in flow.problems() if problem.severity == "error"]


def warnings(flow: Flow) -> list[str]:
    return [str(problem) for problem in flow.problems() if problem.severity == "warning"]


def test_a_sound_flow_has_only_loose_ends() -> None:
    flow = flow_of("a.word -> b.line", a=STEP, b=STEP)

    assert errors(flow) == []
    assert warnings(flow) == [
        "warning a.line: slot line has no connection",
        "warning a.count: event count has no connection",
        "warning b.word: event word has no connection",
        "warning b.count: event count has no connection",
    ]


def test_a_cycle_is_fine() -> None:
    assert errors(flow_of("a.word -> b.line", "b.word -> a.line", a=STEP, b=STEP)) == []


def test_a_problem_names_place_routine_and_text() -> None:
    assert flow_of(a=RoutineSpec("m:Gone", error="module m isn't found")).problems() == [
        Problem("error", "a", "a", "module m isn't found")
    ]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, "error a.config.limit: a value is required, there is none"),
        ({"limit": "3"}, "error a.config.limit: expected a whole number, got '3'"),
        ({"limit": 1, "lower": 1}, "error a.config.lower: expected true or false, got 1"),
        (
            {"limit": 1, "lowr": 1},
            "error a.config.lowr: its Config has no field 'lowr'; it has lower, limit",
        ),
        ({"limit": 1, "x\ny": 1}, r"error a.config.'x\ny': its Config has no field"),
    ],
)
def test_a_wrong_config_is_told(config: dict[str, Any], text: str) -> None:
    told = errors(flow_of(a=STEP.with_config(config)))

    assert len(told) == 1
    assert told[0].startswith(text)
    assert "\n" not in told[0]


@pytest.mark.parametrize(
    ("connection", "text"),
    [
        ("a.wrd -> b.line", "a has no event 'wrd'; it has word, count"),
        ("a.word -> b.lin", "b has no slot 'lin'; it has line"),
        ("a.word -> b.failed", "b has no slot 'failed'; it has line"),
        ("z.word -> b.line", "the flow has no routine 'z'"),
        ("a.word -> z.line", "the flow has no routine 'z'"),
        ("a.count -> b.line", "takes str, not int"),
        ("a.failed -> b.line", "takes str, not Failure"),
    ],
)
def test_a_wrong_connection_is_told(connection: str, text: str) -> None:
    assert errors(flow_of(connection, a=STEP, b=STEP)) == [f"error {connection}: {text}"]


def test_both_ends_of_a_connection_can_be_wrong() -> None:
    assert len(errors(flow_of("z.a -> y.b"))) == 2


@pytest.mark.parametrize(
    "spec", [RoutineSpec("m:Gone", error="gone"), RoutineSpec("m:Odd", complete=False)]
)
def test_ports_of_an_unknown_class_arent_doubted(spec: RoutineSpec) -> None:
    told = errors(flow_of("a.anything -> b.line", "b.word -> a.more", a=spec, b=STEP))

    assert [text for text in told if "->" in text] == []


def test_a_config_that_takes_more_isnt_doubted() -> None:
    spec = RoutineSpec("m:Open", open_config=True, config={"anything": 1})

    assert errors(flow_of(a=spec)) == []


class Animal:
    pass


class Dog(Animal):
    pass


class Kennel(Routine):
    dog = Event(Dog)
    animal = Slot(Animal)
    cat = Slot(str)

    def logic(self, animal: Animal, cat: str) -> None: ...


def test_live_routines_are_checked_by_their_real_types() -> None:
    flow = Flow("f")
    flow.add("a", Kennel())
    flow.connect("a.dog", "a.animal")
    flow.connect("a.dog", "a.cat")

    assert errors(flow) == ["error a.dog -> a.cat: takes str, not Dog"]
    assert warnings(flow) == []


def _text(**constraints: Any) -> FieldSpec:
    return FieldSpec("f", "str", constraints=constraints)


def _json(annotation: str, **more: Any) -> FieldSpec:
    return FieldSpec("f", "json", None, annotation=annotation, **more)


@pytest.mark.parametrize(
    ("spec", "value", "reason"),
    [
        (FieldSpec("f", "bool"), True, None),
        (FieldSpec("f", "bool"), 1, "expected true or false, got 1"),
        (FieldSpec("f", "int"), 3, None),
        (FieldSpec("f", "int"), True, "expected a whole number, got True"),
        (FieldSpec("f", "int"), 3.0, "expected a whole number, got 3.0"),
        (FieldSpec("f", "float"), 3, None),
        (FieldSpec("f", "float"), "3", "expected a number, got '3'"),
        (FieldSpec("f", "float"), float("inf"), "expected a number, got inf"),
        (FieldSpec("f", "str"), "", None),
        (FieldSpec("f", "str"), None, "expected text, got null"),
        (FieldSpec("f", "str"), [1], "expected text, got a list"),
        (FieldSpec("f", "str"), {}, "expected text, got an object"),
        (FieldSpec("f", "Literal", choices=("a", 1)), "a", None),
        (FieldSpec("f", "Literal", choices=("a", 1)), True, "expected one of 'a', 1"),
        (FieldSpec("f", "int", constraints={"ge": 1}), 0, "expected at least 1"),
        (FieldSpec("f", "int", constraints={"gt": 1}), 1, "expected more than 1"),
        (FieldSpec("f", "int", constraints={"le": 1}), 2, "expected at most 1"),
        (FieldSpec("f", "int", constraints={"lt": 1}), 1, "expected less than 1"),
        (FieldSpec("f", "int", constraints={"ge": 1, "le": 3}), 2, None),
        (FieldSpec("f", "int", constraints={"ge": "x"}), 2, None),
        (
            _text(min_length=2),
            "a",
            "expected a length of at least 2",
        ),
        (
            _text(max_length=1),
            "ab",
            "expected a length of at most 1",
        ),
        (_text(pattern="x"), "ab", None),
        (_json("str | None"), None, None),
        (_json("str | None"), "x", None),
        (_json("str | None"), 3, "expected str | None, got 3"),
        (
            _json("str | None", constraints={"min_length": 2}),
            "x",
            "expected a length of at least 2",
        ),
        (_json("int | None", constraints={"ge": 2}), None, None),
        (_json("list[int]"), "anything", None),
        (_json("Thing | None"), 3, None),
    ],
)
def test_simple_rules_for_fields(spec: FieldSpec, value: object, reason: str | None) -> None:
    assert validate_field(spec, value) == reason
