"""Activation rules and policies that don't go with a routine's slots, and the problems of that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from penstock.flow import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Every,
    Flow,
    Latest,
    Retry,
    Routine,
    Skip,
    Slot,
    activation_problem,
)


class Source(Routine):
    def logic(self) -> None: ...


class One(Routine):
    a = Slot()

    def logic(self, a: object) -> None: ...


class Two(Routine):
    a = Slot()
    b = Slot()

    def logic(self, a: object, b: object) -> None: ...


class TwoOptional(Routine):
    a = Slot()
    b = Slot()

    def logic(self, a: object = None, *, b: object = None) -> None: ...


class TwoGathered(Routine):
    a = Slot()
    b = Slot()

    def logic(self, **values: object) -> None: ...


class TwoNameless(Routine):
    a = Slot()
    b = Slot()

    def logic(self, a: object = None, /, b: object = None) -> None: ...


class Own(Activation):
    def take(self, queues: Mapping[str, Sequence[Any]]) -> None: ...


class OwnAll(AllSlots):
    pass


class OwnBatch(Batch):
    pass


class OwnPairs(Batch):
    def take(self, queues: Mapping[str, Sequence[Any]]) -> None: ...


class Unfinished(Activation):
    pass


@pytest.mark.parametrize(
    ("cls", "rule"),
    [
        (Source, AllSlots()),
        (Source, OwnAll()),
        (Source, Every(1)),
        (Source, Every(1, times=3)),
        (One, AnySlot()),
        (One, Batch(2)),
        (One, Latest()),
        (One, Every(1)),
        (One, Own()),
        (Two, AllSlots("x")),
        (Two, Every(1)),
        (Two, Own()),
        (Two, OwnPairs(2)),
        (TwoOptional, AnySlot()),
        (TwoGathered, AnySlot()),
    ],
)
def test_rules_that_go_with_the_slots(cls: type[Routine], rule: Activation) -> None:
    routine = cls()
    routine.activation = rule

    assert activation_problem(routine) is None


WRONG = [
    (
        Source,
        AnySlot(),
        r"activation AnySlot needs slots; a routine without any takes AllSlots\(\)",
    ),
    (Source, Batch(2), "activation Batch needs slots"),
    (Source, Latest(), "activation Latest needs slots"),
    (Source, Own(), "activation Own needs slots"),
    (Two, Batch(2), "activation Batch needs exactly one slot, there are 2: a, b"),
    (Two, OwnBatch(2), "activation OwnBatch needs exactly one slot"),
    (One, Unfinished(), r"activation Unfinished has no take: define take\(self, queues\)"),
    (Source, OwnPairs(2), "activation OwnPairs needs slots"),
    (Two, Latest(), "activation Latest needs exactly one slot, there are 2: a, b"),
    (One, Every(1, times=3), "activation Every takes times only in a routine without slots"),
    (Two, AnySlot(), "the parameters of logic need defaults: a, b"),
    (TwoNameless, AnySlot(), "passes one slot's value by its name; .*: a"),
]


@pytest.mark.parametrize(("cls", "rule", "text"), WRONG)
def test_a_rule_that_doesnt_go_with_the_slots_is_an_error(
    cls: type[Routine], rule: Activation, text: str
) -> None:
    routine = cls()
    routine.activation = rule
    flow = Flow("f")
    flow.add("here", routine)
    problems = [problem for problem in flow.problems() if problem.place == "here"]

    assert [problem.text for problem in problems] == [activation_problem(routine)]
    assert [(problem.severity, problem.routine) for problem in problems] == [("error", "here")]
    assert re.search(text, problems[0].text)


def test_the_rule_of_the_instance_counts() -> None:
    class Wrong(Two):
        activation: Activation = Batch(2)

    routine = Wrong()
    assert activation_problem(routine) is not None
    routine.activation = AllSlots()

    assert activation_problem(routine) is None


def test_a_retry_on_a_source_is_a_warning() -> None:
    class Trying(Source):
        on_error = Retry()

    flow = Flow("f")
    flow.add("a", Trying())

    assert [str(problem) for problem in flow.problems()] == [
        "warning a: on_error Retry keeps back all that a routine without slots emits"
        " until it has ended"
    ]


@pytest.mark.parametrize(
    ("cls", "policy"), [(Source, Continue()), (Source, Skip()), (One, Retry())]
)
def test_other_policies_are_fine(cls: type[Routine], policy: Any) -> None:
    routine = cls()
    routine.on_error = policy
    flow = Flow("f")
    flow.add("a", routine)

    assert [problem for problem in flow.problems() if problem.place == "a"] == []
