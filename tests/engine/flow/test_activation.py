"""Activation rules and failures: frozen values that refuse wrong arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest

from penstock.flow import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Every,
    Failure,
    Latest,
    key_function,
)


@dataclass
class Row:
    path: str


def test_a_name_finds_a_field_or_a_key() -> None:
    key_of = key_function("path")

    assert key_of(Row("a")) == "a"
    assert key_of({"path": "b"}) == "b"


def test_a_function_is_used_as_it_is() -> None:
    assert key_function(len)("abc") == 3


@pytest.mark.parametrize(
    ("value", "error"), [({}, KeyError), (Row("a"), AttributeError), (None, AttributeError)]
)
def test_looking_for_a_missing_key_raises(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        key_function("nothing")(value)


def test_a_match_that_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a field or key name or a function, got 3"):
        AllSlots(match=3)  # type: ignore[arg-type]


def test_rules_are_values() -> None:
    assert AllSlots("path") == AllSlots(match="path") != AllSlots()
    assert (AnySlot(), Latest()) == (AnySlot(), Latest())
    assert Batch(3) == Batch(size=3, max_wait=None) != Batch(3, 1)
    assert Every(0.5) == Every(seconds=0.5, times=None) != Every(0.5, 2)
    assert {Batch(3): 1}[Batch(3)] == 1
    with pytest.raises(FrozenInstanceError):
        AllSlots().match = "x"  # type: ignore[misc]


@pytest.mark.parametrize("rule", [AllSlots(), AnySlot(), Batch(1), Latest(), Every(1)])
def test_every_rule_is_an_activation(rule: object) -> None:
    assert isinstance(rule, Activation)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Batch(0), "size: expected a whole number from 1 on, got 0"),
        (lambda: Batch(2.0), "size: expected a whole number"),  # type: ignore[arg-type]
        (lambda: Batch(True), "size: expected a whole number"),
        (lambda: Batch(1, 0), "max_wait: expected None or seconds above 0, got 0"),
        (lambda: Batch(1, -1.0), "max_wait: "),
        (lambda: Batch(1, float("inf")), "max_wait: "),
        (lambda: Batch(1, "5"), "max_wait: "),  # type: ignore[arg-type]
        (lambda: Every(0), "seconds: expected seconds above 0, got 0"),
        (lambda: Every(float("nan")), "seconds: "),
        (lambda: Every(True), "seconds: "),
        (lambda: Every(10**400), "seconds: "),
        (lambda: Every(1, 0), "times: expected None or a whole number from 1 on, got 0"),
        (lambda: Every(1, 1.5), "times: "),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_of_a_rule_is_named(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        make()


class Pairs(Activation):
    """Two at a time of the first slot."""

    def __init__(self, first: str) -> None:
        self.first = first

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[int]] | None:
        return {self.first: (0, 1)} if len(queues[self.first]) >= 2 else None


@dataclass(frozen=True, slots=True)
class Newest(Activation):
    """The newest of one slot."""

    slot: str = "a"

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Mapping[str, int] | None:
        return {self.slot: len(queues[self.slot]) - 1} if queues[self.slot] else None


def test_a_rule_of_ones_own_is_a_plain_class_or_a_frozen_value() -> None:
    assert Pairs("a").take({"a": "xyz"}) == {"a": (0, 1)}
    assert Pairs("a").take({"a": "x"}) is None
    assert Newest().take({"a": "xyz"}) == {"a": 2}
    assert Newest("b") == Newest("b") != Newest()
    assert not hasattr(Newest(), "__dict__")
    with pytest.raises(FrozenInstanceError):
        Newest().slot = "b"  # type: ignore[misc]


def test_a_rule_without_take_says_so() -> None:
    class Lazy(Activation):
        pass

    with pytest.raises(NotImplementedError, match=r"Lazy has no take: define take\(self, queues\)"):
        Lazy().take({})


def test_a_failure_reads_as_routine_type_and_text() -> None:
    failure = Failure("parse", {"source": "x"}, "SyntaxError", "bad", "Traceback ...")

    assert str(failure) == "parse: SyntaxError: bad"
    assert failure.attempt == 1
    with pytest.raises(FrozenInstanceError):
        failure.text = "good"  # type: ignore[misc]
