from __future__ import annotations

import pytest

from penstock.debug import Breakpoint, Breakpoints
from penstock.run import StopPoint


class Changes:
    """What the breakpoints told."""

    def __init__(self) -> None:
        self.stops: list[tuple[StopPoint, ...]] = []

    def __call__(self, stops: tuple[StopPoint, ...]) -> None:
        self.stops.append(stops)


def test_added_and_removed_ones_are_told_whole() -> None:
    changes = Changes()
    breakpoints = Breakpoints(changes)

    one = breakpoints.add("a")
    two = breakpoints.add("b", when="before", suspend="job", job_id="7")

    assert breakpoints.list() == [one, two]
    assert (one.id, two.id) == (1, 2)
    assert changes.stops[-1] == (StopPoint(1, "a", None), StopPoint(2, "b", "7"))
    breakpoints.remove(one.id)
    breakpoints.remove(99)
    assert breakpoints.list() == [two]
    breakpoints.clear()
    assert breakpoints.list() == []
    assert not changes.stops[-1]


def test_a_disabled_one_is_kept_and_stops_nothing() -> None:
    changes = Changes()
    breakpoints = Breakpoints(changes)

    made = breakpoints.add("a", enabled=False)

    assert breakpoints.list() == [made]
    assert changes.stops[-1] == ()


def test_an_id_is_never_used_twice() -> None:
    breakpoints = Breakpoints(Changes())
    first = breakpoints.add("a")
    breakpoints.clear()

    assert breakpoints.add("a").id != first.id


def test_ids_stay_apart_after_the_list_was_replaced() -> None:
    breakpoints = Breakpoints(Changes())
    breakpoints.replace((Breakpoint(1, "a"), Breakpoint(2, "b")))

    added = breakpoints.add("c")

    assert len({one.id for one in breakpoints.list()}) == 3
    breakpoints.remove(added.id)
    assert [one.place for one in breakpoints.list()] == ["a", "b"]


def test_a_breakpoint_is_frozen() -> None:
    made = Breakpoints(Changes()).add("a")

    with pytest.raises(AttributeError):
        made.place = "b"  # type: ignore[misc]


@pytest.mark.parametrize("more", [{"when": "sometimes"}, {"suspend": "nobody"}])
def test_a_word_nobody_knows_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Breakpoints(Changes()).add("a", **more)  # type: ignore[arg-type]
