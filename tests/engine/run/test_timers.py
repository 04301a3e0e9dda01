"""The timers of a job and the clock they go by."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from penstock.run.timers import Timers


def noting(done: list[str], what: str) -> Callable[[], None]:
    return lambda: done.append(what)


def test_timers_act_once_when_their_time_has_come_the_earliest_first() -> None:
    timers, done = Timers(), list[str]()
    for when in (3.0, 1.0, 2.0):
        timers.add(when, noting(done, str(when)), keeps=False)
    assert timers.next() == 1.0

    timers.fire(0.5)
    assert done == []
    timers.fire(2.0)
    assert done == ["1.0", "2.0"]
    assert timers.next() == 3.0
    timers.fire(99.0)
    timers.fire(99.0)

    assert done == ["1.0", "2.0", "3.0"]
    assert timers.next() is None


def test_those_of_one_time_act_in_the_order_in_which_they_were_added() -> None:
    timers, done = Timers(), list[str]()
    for what in "abc":
        timers.add(1.0, noting(done, what), keeps=False)

    timers.fire(1.0)

    assert done == ["a", "b", "c"]


def test_what_was_called_off_does_not_happen() -> None:
    timers, done = Timers(), list[str]()
    first = timers.add(1.0, noting(done, "first"), keeps=True)
    timers.add(2.0, noting(done, "second"), keeps=False)

    timers.call_off(first)
    timers.call_off(first)
    timers.call_off(None)
    assert (timers.next(), timers.keeping) == (2.0, 0)
    timers.fire(9.0)

    assert done == ["second"]


def test_only_those_that_keep_are_pending_work_until_they_have_happened() -> None:
    timers, done = Timers(), list[str]()
    timers.add(1.0, noting(done, "keeps"), keeps=True)
    timers.add(2.0, noting(done, "watches"), keeps=False)
    kept = timers.add(3.0, noting(done, "keeps"), keeps=True)
    assert timers.keeping == 2

    timers.fire(1.0)
    assert timers.keeping == 1
    timers.call_off(kept)
    assert timers.keeping == 0
    timers.fire(2.0)
    assert timers.keeping == 0


def test_one_that_has_happened_can_be_called_off_without_harm() -> None:
    timers, done = Timers(), list[str]()
    one = timers.add(1.0, noting(done, "one"), keeps=True)
    timers.add(2.0, noting(done, "two"), keeps=True)
    timers.fire(1.0)

    timers.call_off(one)

    assert timers.keeping == 1


def test_the_clock_stands_still_and_goes_on_from_there() -> None:
    timers, done = Timers(), list[str]()
    timers.go(3.0)  # it goes already
    timers.add(10.0, noting(done, "ten"), keeps=False)
    timers.stop(4.0)
    timers.stop(5.0)
    assert (timers.clock(8.0), timers.next()) == (4.0, None)
    timers.fire(50.0)
    assert done == []

    timers.go(104.0)
    assert (timers.clock(104.0), timers.next()) == (4.0, 110.0)
    timers.fire(109.0)
    assert done == []
    timers.fire(110.0)

    assert done == ["ten"]


def test_the_wall_clock_may_go_back_while_it_stands() -> None:
    timers = Timers()
    timers.stop(10.0)
    timers.go(5.0)

    assert timers.clock(10.0) == 10.0


def test_what_stops_the_clock_keeps_the_rest_from_happening() -> None:
    timers, done = Timers(), list[str]()
    timers.add(1.0, lambda: timers.stop(1.0), keeps=False)
    timers.add(1.0, noting(done, "after"), keeps=False)
    timers.fire(5.0)
    assert done == []

    timers.go(6.0)
    timers.fire(6.0)

    assert done == ["after"]


def test_what_acts_may_set_the_next_one() -> None:
    timers, done = Timers(), list[str]()

    def again() -> None:
        done.append("tick")
        if len(done) < 3:
            timers.add(float(len(done)), again, keeps=True)

    timers.add(0.0, again, keeps=True)
    timers.fire(1.5)
    assert len(done) == 2
    timers.fire(2.0)

    assert (len(done), timers.keeping) == (3, 0)


def test_clear_calls_off_all_of_them() -> None:
    timers, done = Timers(), list[str]()
    one = timers.add(1.0, noting(done, "one"), keeps=True)
    timers.clear()
    timers.call_off(one)
    timers.fire(9.0)

    assert (done, timers.next(), timers.keeping) == ([], None, 0)


def test_those_called_off_take_no_memory_behind_one_that_lasts() -> None:
    timers, done = Timers(), list[str]()
    timers.add(1.0, noting(done, "lasts"), keeps=False)
    for n in range(10_000):
        timers.call_off(timers.add(2.0 + n, noting(done, "never"), keeps=True))
    assert len(timers.heap) < 200

    timers.add(0.5, noting(done, "earlier"), keeps=False)
    timers.fire(1e9)

    assert done == ["earlier", "lasts"]


@given(
    when=st.floats(0, 1e6),
    held=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=5),
    start=st.floats(0, 2e9),
)
def test_at_the_time_that_next_names_it_is_due(
    when: float, held: list[tuple[float, float]], start: float
) -> None:
    """However the sums are rounded: else the job would be called again and again."""
    timers, done = Timers(), list[str]()
    now = start
    for ran, stood in held:
        now += ran
        timers.stop(now)
        now += stood
        timers.go(now)
    timers.add(timers.clock(now) + when, noting(done, "due"), keeps=False)

    due = timers.next()
    assert due is not None
    timers.fire(due)

    assert done == ["due"]
