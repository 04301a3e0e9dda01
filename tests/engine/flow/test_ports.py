"""Slots and events as declared, and emitting where no job runs."""

from __future__ import annotations

import pytest

from penstock.errors import EmitOutsideActivation
from penstock.flow import Event, Overflow, Routine, Slot


class Echo(Routine):
    line = Slot(str, capacity=7, doc="What to repeat.")
    word = Event(str)

    def logic(self, line: str) -> None:
        self.word.emit(line)


def test_a_slot_knows_its_name_type_and_capacity() -> None:
    assert (Echo.line.name, Echo.line.type, Echo.line.capacity) == ("line", str, 7)
    assert Echo.line.doc == "What to repeat."
    assert Slot().capacity == 1000


@pytest.mark.parametrize("capacity", [0, -1, True, 1.5, "3"])
def test_a_capacity_that_holds_nothing_is_refused(capacity: object) -> None:
    with pytest.raises(ValueError, match="capacity: expected a whole number from 1 on"):
        Slot(str, capacity)  # type: ignore[arg-type]


def test_an_unknown_overflow_is_refused_saying_what_is_possible() -> None:
    with pytest.raises(ValueError, match="drop_newest, fail; got 'drop'"):
        Slot(str, overflow="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize("overflow", ["hold", "drop_oldest", "drop_newest", "fail"])
def test_a_slot_knows_what_to_do_when_full(overflow: Overflow) -> None:
    assert Slot(str, 5, overflow).overflow == overflow


def test_a_full_slot_holds_unless_it_says_otherwise() -> None:
    assert Slot().overflow == "hold"


def test_an_event_copies_only_when_told_to() -> None:
    assert not Event(str).copy
    assert Event(str, True).copy
    with pytest.raises(ValueError, match="copy: expected True or False, got 1"):
        Event(str, copy=1)  # type: ignore[arg-type]


def test_emitting_without_a_job_raises_with_routine_and_port() -> None:
    with pytest.raises(EmitOutsideActivation) as caught:
        Echo().word.emit("x")

    assert (caught.value.routine, caught.value.port) == ("Echo", "word")


def test_the_class_itself_gives_the_event() -> None:
    assert isinstance(Echo.word, Event)
    assert Echo.failed.name == "failed"
