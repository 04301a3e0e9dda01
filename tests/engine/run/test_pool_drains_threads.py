"""Drains: who of the pool does them, and when."""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.pool_work import Asleep, Look, Task, at_rest, ended, stick
from helpers.waiting import DEADLINE
from penstock.run.pool import WorkerPool


def test_a_drain_is_done_by_an_idle_worker_and_not_by_the_steward() -> None:
    steward = Asleep()
    pool = WorkerPool(2, steward)
    by: list[str] = []
    done = threading.Semaphore(0)

    def look() -> None:
        by.append(threading.current_thread().name)
        done.release()

    for _ in range(50):
        at_rest(pool)
        pool.submit_drain(Look(look))
        assert done.acquire(timeout=DEADLINE)

    assert len(by) == 50
    assert all(name.startswith("penstock-worker") for name in by)
    assert steward.asked == 0
    ended(pool)


def test_a_drain_never_waits_behind_bodies(pool: WorkerPool) -> None:
    gate, by = Gate(), list[str]()
    drained = threading.Event()

    def look() -> None:
        by.append(threading.current_thread().name)
        drained.set()

    pool.submit_many([Task(gate.wait_here) for _ in range(100)])
    gate.wait_inside(3)
    pool.submit_drain(Look(look))

    assert drained.wait(DEADLINE)
    assert by == ["penstock-steward"]
    assert len(pool.ready) == 97
    gate.open()


def test_a_worker_that_drains_says_so() -> None:
    pool = WorkerPool(1)
    at_rest(pool)
    gate = Gate()
    pool.submit_drain(Look(gate.wait_here))
    gate.wait_inside(1)

    (info,) = pool.infos()
    assert (info.busy, info.job_id, info.routine, pool.busy) == (True, "d", "", 1)
    gate.open()
    ended(pool)


def test_a_drain_that_fails_costs_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    def fault() -> None:
        raise KeyError

    pool = WorkerPool(1)
    done = threading.Event()
    pool.submit_drain(Look(fault))
    pool.submit_many([Task(done.set)])

    assert done.wait(DEADLINE)
    ended(pool)
    assert caplog.text.count("job d: the engine failed") == 1
    caplog.clear()


def one_worker_at(gate: Gate, first: Callable[[WorkerPool], None]) -> WorkerPool:
    """A pool of one whose worker is at the gate, and whose steward does nothing."""
    pool = WorkerPool(1, Asleep())
    at_rest(pool)
    first(pool)
    gate.wait_inside(1)
    return pool


def test_a_worker_that_has_not_looked_drains_before_it_takes_a_body() -> None:
    gate, order = Gate(), list[str]()
    pool = one_worker_at(gate, lambda p: p.submit_many([Task(gate.wait_here)]))
    pool.submit_many([Task(lambda: order.append("body"))])
    pool.submit_drain(Look(lambda: order.append("drain")))
    gate.open()
    ended(pool)

    assert order == ["drain", "body"]


def test_right_after_a_drain_bodies_go_first_until_half_a_millisecond_is_spent() -> None:
    gate, order = Gate(), list[str]()
    pool = one_worker_at(gate, lambda p: p.submit_drain(Look(gate.wait_here)))

    def body(name: str, spent: float) -> Task:
        def act() -> float:
            order.append(name)
            assert task.worker is not None
            return task.worker.looked + spent

        task = Task(act)
        return task

    pool.submit_many([body("a", 0.0), body("b", 0.0004), body("c", 0.0006), body("d", 0.0)])
    pool.submit_drain(Look(lambda: order.append("drain")))
    gate.open()
    ended(pool)

    assert order == ["a", "b", "c", "drain", "d"]


def test_whoever_takes_a_body_and_leaves_a_drain_asks_the_steward() -> None:
    gate = Gate()
    pool = one_worker_at(gate, lambda p: p.submit_drain(Look(gate.wait_here)))
    steward = pool.steward
    assert isinstance(steward, Asleep)
    pool.urgent.append(Look(lambda: None))
    began, go_on = threading.Event(), threading.Event()
    pool.submit_many([Task(lambda: stick(began, go_on))])
    assert steward.asked == 0
    gate.open()
    assert began.wait(DEADLINE)

    assert steward.asked == 1
    go_on.set()
    ended(pool)


def test_a_drain_that_comes_as_the_last_idle_worker_gets_up_goes_to_the_steward() -> None:
    class GotUp(list[Any]):
        """Somebody is idle, but has gone when asked."""

        def pop(self, *_index: Any) -> Any:
            self.clear()
            raise IndexError

    gate, drained = Gate(), threading.Event()
    pool = WorkerPool(1)
    pool.submit_many([Task(gate.wait_here)])
    gate.wait_inside(1)
    pool._idle = GotUp([allocate_lock()])

    pool.submit_drain(Look(drained.set))

    assert drained.wait(DEADLINE)
    gate.open()
    ended(pool)
