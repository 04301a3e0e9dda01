"""Activation rules, error policies, failures: frozen values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass

import pytest

from penstock.flow import AllSlots, Continue, Failure, Stop, key_function


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


def test_rules_and_policies_are_values() -> None:
    assert AllSlots("path") == AllSlots(match="path") != AllSlots()
    assert (Stop(), Continue()) == (Stop(), Continue())
    with pytest.raises(FrozenInstanceError):
        AllSlots().match = "x"  # type: ignore[misc]


def test_a_failure_reads_as_routine_type_and_text() -> None:
    failure = Failure("parse", {"source": "x"}, "SyntaxError", "bad", "Traceback ...")

    assert str(failure) == "parse: SyntaxError: bad"
    assert failure.attempt == 1
    with pytest.raises(FrozenInstanceError):
        failure.text = "good"  # type: ignore[misc]
