"""The pool that works on the thread that asks it to."""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from penstock.run.emitters import local
from penstock.testing import InlinePool, ManualClock, NeverEnds


class Task:
    """A slice or a drain that does one thing."""

    routine = "r"

    def __init__(self, act: Callable[[], object], job_id: str = "j") -> None:
        self._act = act
        self.job_id = job_id
        self.since = monotonic()

    def run(self, worker: object) -> None:
        self._act()

    def drain(self) -> None:
        self._act()

    def due(self) -> None:
        self._act()


@pytest.fixture
def pool() -> InlinePool:
    return InlinePool()


@pytest.fixture
def log() -> list[str]:
    return []


def noting(log: list[str], name: str) -> Task:
    return Task(lambda: log.append(name))


def test_nothing_runs_before_it_is_asked_to(pool: InlinePool, log: list[str]) -> None:
    pool.submit_many([noting(log, "slice")])
    pool.submit_drain(noting(log, "drain"))

    assert log == []
    assert pool.run() == 2
    assert log == ["drain", "slice"]


def test_everything_runs_on_the_thread_that_asks(pool: InlinePool) -> None:
    threads: list[int] = []
    pool.submit_many([Task(lambda: threads.append(threading.get_ident()))])
    pool.submit_drain(Task(lambda: threads.append(threading.get_ident())))

    pool.run()

    assert threads == [threading.get_ident()] * 2


def test_slices_run_in_the_order_in_which_they_were_queued(
    pool: InlinePool, log: list[str]
) -> None:
    pool.submit_many([noting(log, "a"), noting(log, "b")])
    pool.submit_many([noting(log, "c")])

    pool.run()

    assert log == ["a", "b", "c"]


def test_one_step_does_one_thing_and_drains_go_first(pool: InlinePool, log: list[str]) -> None:
    pool.submit_many([Task(lambda: pool.submit_drain(noting(log, "drain"))), noting(log, "slice")])

    assert pool.step()
    assert log == []
    assert pool.step()
    assert log == ["drain"]
    assert pool.step()
    assert log == ["drain", "slice"]
    assert not pool.step()


@pytest.mark.parametrize(("workers", "order"), [(1, ["outer", "inner"]), (2, ["inner", "outer"])])
def test_inside_a_body_another_begins_only_where_there_is_a_worker_for_it(
    workers: int, order: list[str], log: list[str]
) -> None:
    pool = InlinePool(workers=workers)

    def body() -> None:
        pool.wait(closed(), 1.0)
        log.append("outer")

    pool.submit_many([Task(body), noting(log, "inner")])
    pool.run()

    assert log == order


def test_a_body_that_another_ran_inside_keeps_its_mark(pool: InlinePool) -> None:
    before = local.token
    mark: Any = object()

    def inner() -> None:
        assert local.token is None
        local.token = mark

    local.token = outer = mark
    try:
        pool.submit_many([Task(inner)])
        pool.run()
        assert local.token is outer
    finally:
        local.token = before


def test_what_runs_is_shown(pool: InlinePool) -> None:
    shown: list[Any] = []

    def body() -> None:
        shown.extend(pool.infos())
        shown.append(pool.busy)

    pool.submit_many([Task(body, job_id="7")])
    pool.run()

    info, busy = shown
    assert (info.job_id, info.routine, info.busy, info.outside) == ("7", "r", True, False)
    assert info.ident == threading.get_ident()
    assert busy == 1
    assert pool.infos() == []
    assert pool.busy == 0


def test_work_that_never_ends_is_told_instead_of_hanging(pool: InlinePool) -> None:
    def again() -> None:
        pool.submit_many([Task(again)])

    again()

    with pytest.raises(NeverEnds, match="after 50 steps"):
        pool.run(limit=50)


def test_running_does_what_is_due_by_now_and_lets_no_time_pass(log: list[str]) -> None:
    clock = ManualClock(5.0)
    pool = InlinePool(clock)
    clock.call_at(noting(log, "passed"), 4.0)
    clock.call_at(noting(log, "to come"), 6.0)

    pool.run()

    assert log == ["passed"]
    assert clock.now() == 5.0


def test_going_on_works_first_and_then_moves_time_to_the_next_deadline(
    pool: InlinePool, log: list[str]
) -> None:
    pool.clock.call_at(noting(log, "deadline"), 3.0)
    pool.submit_many([noting(log, "slice")])

    assert pool.go_on()
    assert (log, pool.clock.now()) == (["slice"], 0.0)
    assert not pool.go_on(until=2.0)
    assert pool.go_on(until=3.0)
    assert (log, pool.clock.now()) == (["slice", "deadline"], 3.0)
    assert not pool.go_on()


def test_who_waits_works_until_the_latch_opens(pool: InlinePool, log: list[str]) -> None:
    latch = closed()
    pool.submit_many([noting(log, "a"), Task(latch.release), noting(log, "left")])

    assert pool.wait(latch, None)
    assert log == ["a"]
    assert pool.clock.now() == 0.0


def test_waiting_in_vain_takes_the_clock_s_time(pool: InlinePool, log: list[str]) -> None:
    pool.clock.call_at(noting(log, "deadline"), 2.0)
    pool.clock.call_at(noting(log, "later"), 9.0)

    assert not pool.wait(closed(), 5.0)
    assert log == ["deadline"]
    assert pool.clock.now() == 5.0


def test_waiting_without_a_limit_ends_when_nothing_is_left_to_do(
    pool: InlinePool, log: list[str]
) -> None:
    pool.clock.call_at(noting(log, "deadline"), 2.0)

    assert not pool.wait(closed(), None)
    assert log == ["deadline"]
    assert pool.clock.now() == 2.0


def test_shutdown_does_what_is_queued_and_takes_no_more(pool: InlinePool, log: list[str]) -> None:
    pool.submit_many([noting(log, "slice")])

    assert pool.shutdown(0.0) == []
    pool.submit_many([noting(log, "late")])
    pool.submit_drain(noting(log, "late"))
    pool.run()

    assert log == ["slice"]


def test_it_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        InlinePool(workers=0)


def closed() -> Any:
    latch = allocate_lock()
    latch.acquire()
    return latch
