"""Slots and events as declared, and emitting where no job runs."""

from __future__ import annotations

import pytest

from penstock.errors import EmitOutsideActivation
from penstock.flow import Event, Routine, Slot


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
    with pytest.raises(ValueError, match="possible is hold; got 'drop'"):
        Slot(str, overflow="drop")


def test_emitting_without_a_job_raises_with_routine_and_port() -> None:
    with pytest.raises(EmitOutsideActivation) as caught:
        Echo().word.emit("x")

    assert (caught.value.routine, caught.value.port) == ("Echo", "word")


def test_the_class_itself_gives_the_event() -> None:
    assert isinstance(Echo.word, Event)
    assert Echo.failed.name == "failed"
