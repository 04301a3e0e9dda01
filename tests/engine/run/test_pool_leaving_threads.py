"""Workers that leave the count of the pool and come back, and wake-ups that find nobody."""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from random import Random
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.pool_work import Asleep, Look, Task, at_rest, ended, idle_of, leave, stick, stuck_at
from helpers.waiting import DEADLINE, until
from penstock.run.pool import KEPT_SPARES, Work, Worker, WorkerPool

# ---- leaving the count


def test_nobody_takes_the_place_of_one_that_leaves_until_something_is_ready() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)

    assert leave(pool, task)
    assert leave(pool, task), "it is outside already"
    assert (len(pool.infos()), pool.spare, pool.abandoned, pool.busy) == (1, 1, 0, 0)

    ran = threading.Event()
    pool.submit_many([Task(ran.set)])
    assert ran.wait(DEADLINE)
    assert len(pool.infos()) == 2
    gate.open()
    ended(pool)


def test_what_is_ready_when_one_leaves_gets_another_worker() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)
    ran = threading.Event()
    pool.submit_many([Task(ran.set)])

    assert leave(pool, task)

    assert ran.wait(DEADLINE)
    gate.open()
    ended(pool)


def test_a_drain_that_is_there_when_one_leaves_gets_another_worker() -> None:
    pool, gate = WorkerPool(1, Asleep()), Gate()
    (task,) = stuck_at(pool, gate, 1)
    ran = threading.Event()
    pool.submit_drain(Look(ran.set))

    assert leave(pool, task)

    assert ran.wait(DEADLINE)
    gate.open()
    ended(pool)


def test_no_thread_starts_while_a_worker_of_the_count_is_idle() -> None:
    pool, gate = WorkerPool(3), Gate()
    (task,) = stuck_at(pool, gate, 1)
    assert leave(pool, task)
    done = threading.Semaphore(0)
    for _ in range(50):
        until(lambda: idle_of(pool) == 2)
        pool.submit_many([Task(done.release)])
        assert done.acquire(timeout=DEADLINE)

    assert len(pool.infos()) == 3
    gate.open()
    ended(pool)


def test_one_that_comes_back_joins_if_there_is_room() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)
    assert leave(pool, task)
    gate.open()
    at_rest(pool)

    (info,) = pool.infos()
    assert (info.outside, info.name, pool.spare) == (False, "penstock-worker-1", 0)
    ended(pool)


def test_one_that_comes_back_to_a_full_count_is_kept_and_used_again() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)
    assert leave(pool, task)
    ran = threading.Event()
    pool.submit_many([Task(ran.set)])
    assert ran.wait(DEADLINE)
    gate.open()
    until(lambda: len(pool._spares) == 1)
    assert pool.spare == 1
    assert [info.outside for info in pool.infos()] == [False, True]

    again = Gate()
    (task,) = stuck_at(pool, again, 1)
    assert leave(pool, task)
    by: list[str] = []
    ran.clear()
    pool.submit_many([Task(lambda: by.append(threading.current_thread().name)), Task(ran.set)])
    assert ran.wait(DEADLINE)

    assert by == ["penstock-worker-1"]
    assert len(pool.infos()) == 2
    again.open()
    ended(pool)


def test_only_a_few_are_kept() -> None:
    pool, gate = WorkerPool(2), Gate()
    for _ in range(6):
        for task in stuck_at(pool, gate, 2):
            assert leave(pool, task)
    inside = Gate()
    stuck_at(pool, inside, 2)
    assert len(pool.infos()) == 14
    gate.open()

    until(lambda: len(pool.infos()) == 2 + KEPT_SPARES)
    assert pool.spare == KEPT_SPARES
    inside.open()
    ended(pool)


def test_thousands_of_waits_in_bodies_need_a_handful_of_threads() -> None:
    pool = WorkerPool(2)
    done = threading.Semaphore(0)

    class Waiting(Task):
        """As a body at a slot of capacity 1: it leaves, and its consumer lets it go on."""

        def run(self, worker: Worker) -> None:
            room = allocate_lock()
            room.acquire()
            assert pool.leave(worker, self)
            pool.submit_many([Task(room.release)])
            assert room.acquire(timeout=DEADLINE)
            done.release()

    def nothing() -> None: ...

    pool.submit_many([Waiting(nothing) for _ in range(4)])
    for _ in range(2000):
        assert done.acquire(timeout=DEADLINE)
        pool.submit_many([Waiting(nothing)])
    for _ in range(4):
        assert done.acquire(timeout=DEADLINE)
    ended(pool)

    started = next(pool._numbers) - 1
    assert started <= 2 + 4 + KEPT_SPARES


def test_no_more_than_workers_run_inside_however_many_come_back() -> None:
    pool, outside = WorkerPool(2), Gate()
    for _ in range(4):
        for task in stuck_at(pool, outside, 2):
            assert leave(pool, task)
    inside = Gate()
    pool.submit_many([Task(inside.wait_here) for _ in range(20)])
    inside.wait_inside(2)
    outside.open()
    until(lambda: not pool._outside)
    for _ in range(18):
        inside.let_go()
    inside.wait_came(20)

    assert inside.most_inside == 2
    inside.open()
    ended(pool)


def test_one_that_has_moved_on_does_not_leave() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)
    gate.open()
    at_rest(pool)

    assert not leave(pool, task)
    assert not leave(pool, task, abandoned=True)
    assert [info.outside for info in pool.infos()] == [False]
    ended(pool)


def test_one_that_moves_on_while_it_is_marked_does_not_leave() -> None:
    task = Task(lambda: None)

    class MovesOn(Worker):
        looks = 0

        @property
        def work(self) -> Work | None:
            self.looks += 1
            return task if self.looks == 1 else None

        @work.setter
        def work(self, work: Work | None) -> None: ...

    pool = WorkerPool(1)
    worker = MovesOn("w")

    assert not pool.leave(worker, task, True)
    assert (worker.outside, worker.abandoned_at, pool.spare) == (False, None, 0)
    ended(pool)


def test_the_next_job_gets_all_workers_beside_sixteen_stuck_bodies() -> None:
    pool, gate = WorkerPool(4), Gate()
    for _ in range(4):
        for task in stuck_at(pool, gate, 4):
            assert leave(pool, task, abandoned=True)
    assert (pool.abandoned, pool.spare, pool.busy) == (16, 0, 0)
    assert sum(info.abandoned for info in pool.infos()) == 16

    together = threading.Barrier(5)
    pool.submit_many([Task(lambda: together.wait(DEADLINE)) for _ in range(4)])
    together.wait(DEADLINE)
    gate.open()
    until(lambda: pool.abandoned == 0)

    assert pool.spare <= KEPT_SPARES
    ended(pool)


def test_one_that_waits_outside_may_be_abandoned_there() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)
    assert leave(pool, task)
    assert (pool.spare, pool.abandoned) == (1, 0)
    assert leave(pool, task, abandoned=True)
    assert leave(pool, task)
    assert (pool.spare, pool.abandoned) == (0, 1)
    gate.open()
    ended(pool)


def test_without_a_further_thread_what_is_ready_waits_for_a_worker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)
    ran, drained = threading.Event(), threading.Event()
    pool.steward.wake()  # it has its thread
    with monkeypatch.context() as without:

        def refuse(*_args: Any) -> None:
            raise RuntimeError("can't start new thread")

        without.setattr(threading.Thread, "start", refuse)
        assert leave(pool, task)
        pool.submit_many([Task(ran.set)])
        pool.submit_drain(Look(drained.set))
        assert drained.wait(DEADLINE), "the steward drains"
        assert not ran.is_set()
        gate.open()
        assert ran.wait(DEADLINE)
    assert "no thread can be started" in caplog.text
    caplog.clear()
    ended(pool)


# ---- wake-ups


class Looked(deque[Any]):
    """The pool's ready work; tells when a worker that has lain down looks at it."""

    def __init__(self, idle: Callable[[], int]) -> None:
        super().__init__()
        self.looked = threading.Event()
        self._idle = idle

    def __len__(self) -> int:
        if self._idle():
            self.looked.set()
        return super().__len__()


class LastOneLeft(list[Any]):
    """The idle workers; the first to take one finds none, and work comes before it has gone."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = [meanwhile]

    def pop(self, *_index: Any) -> Any:
        if self._meanwhile:
            self._meanwhile.pop()()
            raise IndexError
        return super().pop()


def test_work_brought_while_a_wake_up_finds_nobody_is_done() -> None:
    pool = WorkerPool(1)
    inside, stuck, done = threading.Event(), threading.Event(), threading.Event()
    pool.submit_many([Task(lambda: stick(inside, stuck))])
    assert inside.wait(DEADLINE)
    pool.ready = looked = Looked(lambda: idle_of(pool))

    def a_worker_lies_down_and_work_comes() -> None:
        stuck.set()
        assert looked.looked.wait(DEADLINE)
        until(lambda: pool._inside[0].latch.locked())
        pool.submit_many([Task(done.set)])

    pool._idle = LastOneLeft(a_worker_lies_down_and_work_comes)
    pool._wake()

    assert done.wait(DEADLINE)
    ended(pool)


def test_a_worker_that_leaves_while_a_wake_up_finds_nobody_is_replaced() -> None:
    pool, gate, done = WorkerPool(1), Gate(), threading.Event()
    (task,) = stuck_at(pool, gate, 1)
    call_in = pool._call_in

    def nobody_is_missing_and_then_one_leaves() -> bool:
        pool._call_in = call_in  # type: ignore[method-assign]
        assert not call_in()
        assert leave(pool, task)
        return False

    pool._idle.append(allocate_lock())
    pool._call_in = nobody_is_missing_and_then_one_leaves  # type: ignore[method-assign]
    pool._idle = LastOneLeft(lambda: None)
    pool.ready.append(Task(done.set))
    pool._wake()

    assert done.wait(DEADLINE)
    gate.open()
    ended(pool)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_while_workers_leave_and_come_back(seed: int) -> None:
    chance = Random(seed)
    pool = WorkerPool(1 + seed % 3)
    many = 1500
    counts = {"body": 0, "drain": 0}
    lock, enough = threading.Lock(), threading.Event()

    def count(kind: str) -> None:
        with lock:
            counts[kind] += 1
            if sum(counts.values()) == 2 * many:
                enough.set()

    class Restless(Task):
        """Stays inside (0), leaves and waits for a drain (1), or is told to leave by one (2)."""

        def __init__(self, way: int) -> None:
            super().__init__(lambda: None)
            self.way = way

        def run(self, worker: Worker) -> float | None:
            if self.way == 1:
                latch = allocate_lock()
                latch.acquire()
                pool.leave(worker, self, False)
                pool.submit_drain(Look(latch.release))
                assert latch.acquire(timeout=DEADLINE)
            elif self.way == 2:
                pool.submit_drain(Look(lambda: pool.leave(worker, self, True)))
            count("body")
            return None if self.way else monotonic()

    def submit(ways: list[int]) -> None:
        for way in ways:
            pool.submit_many([Restless(way)])
            pool.submit_drain(Look(lambda: count("drain")))

    ways = [[chance.choice([0, 0, 0, 1, 2]) for _ in range(many // 5)] for _ in range(5)]
    threads = [threading.Thread(target=submit, args=(some,)) for some in ways]
    for thread in threads:
        thread.start()
    assert enough.wait(DEADLINE), (counts, pool.infos())
    for thread in threads:
        thread.join()
    until(lambda: not pool._outside and not pool.urgent)

    assert counts == {"body": many, "drain": many}
    assert len(pool._inside) + pool._missing == pool.workers
    assert len(pool._spares) <= KEPT_SPARES
    assert pool.abandoned == 0
    ended(pool)
