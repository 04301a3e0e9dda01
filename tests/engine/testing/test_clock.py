"""Time that passes when it is told to."""

from __future__ import annotations

import pytest

from penstock.testing import ManualClock


class Alarm:
    """Notes when it was called, and may ask for more."""

    def __init__(self, clock: ManualClock, log: list[tuple[str, float]], name: str = "") -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self.again: list[float] = []

    def due(self) -> None:
        self._log.append((self._name, self._clock.now()))
        if self.again:
            self._clock.call_at(self, self.again.pop(0))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> list[tuple[str, float]]:
    return []


def test_it_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(start=7.0)

    assert (clock.now(), clock.wall()) == (7.0, 7.0)
    clock.advance(1.5)
    assert (clock.now(), clock.wall()) == (8.5, 8.5)


@pytest.mark.parametrize("seconds", [-0.1, float("nan")])
def test_it_only_goes_forward(clock: ManualClock, seconds: float) -> None:
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(seconds)
    clock.advance(2)
    clock.advance_to(1)

    assert clock.now() == 2


def test_who_is_due_is_called_in_order_each_at_its_time(
    clock: ManualClock, log: list[tuple[str, float]]
) -> None:
    for name, when in (("late", 3.0), ("early", 1.0), ("never", 9.0), ("early too", 1.0)):
        clock.call_at(Alarm(clock, log, name), when)

    clock.advance(5)

    assert log == [("early", 1.0), ("early too", 1.0), ("late", 3.0)]
    assert clock.now() == 5
    assert clock.next_deadline == 9.0


def test_a_deadline_replaces_the_one_before_and_can_be_taken_away(
    clock: ManualClock, log: list[tuple[str, float]]
) -> None:
    moved, gone = Alarm(clock, log, "moved"), Alarm(clock, log, "gone")
    clock.call_at(moved, 1.0)
    clock.call_at(moved, 2.0)
    clock.call_at(gone, 1.0)
    clock.call_at(gone, None)

    clock.advance(3)

    assert log == [("moved", 2.0)]
    assert clock.next_deadline is None


def test_who_asks_again_on_the_way_is_called_again(
    clock: ManualClock, log: list[tuple[str, float]]
) -> None:
    alarm = Alarm(clock, log)
    alarm.again = [2.0, 4.0, 6.0]
    clock.call_at(alarm, 1.0)

    clock.advance(5)

    assert [when for _, when in log] == [1.0, 2.0, 4.0]
    assert clock.next_deadline == 6.0


def test_a_time_that_has_passed_is_called_next_and_time_does_not_go_back(
    clock: ManualClock, log: list[tuple[str, float]]
) -> None:
    clock.advance(5)
    clock.call_at(Alarm(clock, log), 2.0)

    assert log == []
    clock.advance(0)
    assert log == [("", 5.0)]
