from __future__ import annotations

import ctypes
import subprocess
import sys
import textwrap
import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.waiting import until
from penstock.errors import Cancelled
from penstock.run.interrupt import _set_exception
from penstock.run.pool import KEPT_SPARES, Work, Worker, WorkerPool
from penstock.run.steward import Steward

DEADLINE = 20.0


class Task:
    """A piece of work that calls a function."""

    routine = "r"

    def __init__(self, act: Callable[[], object], job_id: str = "j") -> None:
        self.job_id = job_id
        self.since = monotonic()
        self.worker: Worker | None = None
        self._act = act

    def run(self, worker: Worker) -> float | None:
        self.worker = worker
        now = self._act()
        return now if isinstance(now, float) else None


class Look:
    """A drain that calls a function."""

    job_id = "d"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def drain(self) -> None:
        self._act()


class Asleep(Steward):
    """A steward that only counts who asks for it."""

    asked = 0

    def wake(self) -> None:
        self.asked += 1


def idle_of(pool: WorkerPool) -> int:
    return len(pool._idle)


def at_rest(pool: WorkerPool) -> None:
    """Until nobody is outside and every worker inside lies idle."""
    until(lambda: not pool._outside and idle_of(pool) == len(pool._inside))


def ended(pool: WorkerPool) -> None:
    assert pool.shutdown(monotonic() + DEADLINE) == []


def stick(inside: threading.Event, stuck: threading.Event) -> None:
    inside.set()
    stuck.wait(DEADLINE)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(3)
    yield made
    ended(made)


@pytest.mark.parametrize("workers", [0, -1])
def test_a_pool_has_at_least_one_worker(workers: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        WorkerPool(workers)


def test_workers_are_named_daemon_threads(pool: WorkerPool) -> None:
    assert [info.name for info in pool.infos()] == [f"penstock-worker-{n}" for n in (1, 2, 3)]
    threads = [t for t in threading.enumerate() if t.name.startswith("penstock-worker")]
    assert all(thread.daemon for thread in threads)
    assert {info.ident for info in pool.infos()} == {thread.ident for thread in threads}


def test_as_many_run_at_once_as_there_are_workers(pool: WorkerPool) -> None:
    together = threading.Barrier(4)
    pool.submit_many([Task(lambda: together.wait(DEADLINE)) for _ in range(3)])

    together.wait(DEADLINE)


def test_no_work_is_lost_however_it_is_submitted(pool: WorkerPool) -> None:
    done: list[int] = []
    enough = threading.Event()

    def act(n: int) -> None:
        done.append(n)
        if n < 900:
            pool.submit_many([Task(lambda: act(n + 300))])
        if len(done) == 1200:
            enough.set()

    def submit(first: int) -> None:
        for n in range(first, 300, 10):
            pool.submit_many([Task(lambda n=n: act(n))])  # type: ignore[misc]

    threads = [threading.Thread(target=submit, args=(first,)) for first in range(10)]
    for thread in threads:
        thread.start()
    assert enough.wait(DEADLINE), len(done)
    for thread in threads:
        thread.join()

    assert sorted(done) == list(range(1200))


def test_a_work_that_raises_costs_no_worker(
    pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> None:
        raise SystemExit

    together = threading.Barrier(4)
    pool.submit_many([Task(fault) for _ in range(6)])
    pool.submit_many([Task(lambda: together.wait(DEADLINE)) for _ in range(3)])

    together.wait(DEADLINE)
    assert caplog.text.count("the engine failed") == 6
    caplog.clear()


# ---- drains


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


# ---- leaving the count


def stuck_at(pool: WorkerPool, gate: Gate, many: int) -> list[Task]:
    """That many more bodies at the gate."""
    tasks = [Task(gate.wait_here) for _ in range(many)]
    already = gate.inside
    pool.submit_many(tasks)
    gate.wait_inside(already + many)
    return tasks


def leave(pool: WorkerPool, task: Task, abandoned: bool = False) -> bool:
    assert task.worker is not None
    return pool.leave(task.worker, task, abandoned)


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


# ---- making way


def test_while_it_makes_way_nothing_begins_and_then_all_of_it_runs(pool: WorkerPool) -> None:
    began, gone = threading.Semaphore(0), threading.Event()
    running = threading.Event()
    pool.submit_many([Task(lambda: stick(running, gone))])
    assert running.wait(DEADLINE)

    pool.make_way(DEADLINE)
    pool.submit_many([Task(began.release) for _ in range(20)])
    gone.set()

    assert not began.acquire(timeout=0.05), "work began while the pool made way"
    pool.make_way(0.0)
    assert all(began.acquire(timeout=DEADLINE) for _ in range(20))


def test_making_way_ends_by_itself_when_nobody_says_so(pool: WorkerPool) -> None:
    began = threading.Event()

    pool.make_way(0.01)
    pool.submit_many([Task(began.set)])

    assert began.wait(DEADLINE)


def test_while_it_makes_way_jobs_are_still_drained() -> None:
    pool = WorkerPool(2)
    at_rest(pool)
    pool.make_way(DEADLINE)
    pool.submit_many([Task(lambda: None) for _ in range(4)])
    drained = threading.Semaphore(0)
    for _ in range(20):
        pool.submit_drain(Look(drained.release))
        assert drained.acquire(timeout=DEADLINE)

    assert len(pool.ready) == 4
    ended(pool)


def test_a_pool_that_makes_way_still_ends() -> None:
    pool = WorkerPool(2)
    pool.make_way(DEADLINE)
    pool.submit_many([Task(lambda: None)])

    assert pool.shutdown(monotonic() + DEADLINE / 2) == []


def test_a_worker_that_stands_back_is_idle_since_then() -> None:
    pool = WorkerPool(1)
    stands, inside = threading.Event(), threading.Event()

    class Way(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            stands.set()
            return super().wait(timeout)

    pool._way._is_over = Way()
    gone = threading.Event()
    pool.submit_many([Task(lambda: stick(inside, gone))])
    assert inside.wait(DEADLINE)

    pool.make_way(DEADLINE)
    before = monotonic()
    gone.set()
    assert stands.wait(DEADLINE)

    assert [(info.busy, info.since >= before) for info in pool.infos()] == [(False, True)]
    ended(pool)


# ---- interrupting


def endless() -> tuple[Task, threading.Event, list[str]]:
    """A body of plain Python that never ends, whether it has begun, and how it ended."""
    began, how = threading.Event(), list[str]()

    def act() -> None:
        try:
            while True:
                if not began.is_set():
                    began.set()
        except BaseException as error:
            how.append(type(error).__name__)
            raise

    return Task(act), began, how


@pytest.mark.usefixtures("untraced_threads")
def test_an_abandoned_body_is_interrupted_and_its_thread_ends() -> None:
    pool = WorkerPool(1)
    task, began, how = endless()
    pool.submit_many([task])
    assert began.wait(DEADLINE)
    assert leave(pool, task, abandoned=True)
    assert task.worker is not None
    assert task.worker.thread is not None

    assert pool.interrupt("j", grace=DEADLINE) == 0, "its time isn't over"
    assert pool.interrupt("other", grace=0.0) == 0
    until(lambda: pool.interrupt("j", grace=0.0) == 1)
    assert pool.interrupt("j", grace=0.0) == 0, "once is enough for now"
    task.worker.thread.join(DEADLINE)

    assert how == ["Cancelled"]
    assert pool.infos() == []
    ran = threading.Event()
    pool.submit_many([Task(ran.set)])
    assert ran.wait(DEADLINE)
    assert [info.name for info in pool.infos()] == ["penstock-worker-2"]
    ended(pool)


def test_a_body_that_counts_is_never_interrupted() -> None:
    pool, gate = WorkerPool(1), Gate()
    (task,) = stuck_at(pool, gate, 1)

    assert pool.interrupt("j", grace=0.0) == 0
    assert leave(pool, task)
    assert pool.interrupt("j", grace=0.0) == 0
    gate.open()
    at_rest(pool)
    ended(pool)


def test_a_body_that_is_inside_the_engine_is_left_alone() -> None:
    pool = WorkerPool(2)
    calling, go_on = threading.Event(), threading.Event()
    said: list[str] = []

    class Way(threading.Event):
        """Stands for a lock of the engine: `make_way` waits here."""

        def clear(self) -> None:
            calling.set()
            assert go_on.wait(DEADLINE)

    pool._way._is_over = Way()

    def act() -> None:
        pool.make_way(1.0)
        said.append("the engine's part was done")

    task = Task(act)
    pool.submit_many([task])
    assert calling.wait(DEADLINE)
    assert leave(pool, task, abandoned=True)

    assert pool.interrupt("j", grace=0.0) == 0
    go_on.set()
    until(lambda: pool.abandoned == 0)
    pool.make_way(0.0)
    assert said == ["the engine's part was done"]
    assert len(pool.infos()) == 2
    ended(pool)


@pytest.mark.usefixtures("untraced_threads")
def test_an_interruption_that_comes_after_its_body_hurts_nobody() -> None:
    pool = WorkerPool(1)
    left: list[threading.Thread] = []
    left_out: list[int] = []

    class Late(Task):
        """Interrupts itself where the interpreter has no reason to look before it has ended."""

        def run(self, worker: Worker) -> None:
            assert pool.leave(worker, self, True)
            worker.interrupted_at = monotonic()
            left.append(threading.current_thread())
            ident = ctypes.c_ulong(threading.get_ident())
            asking = map(_set_exception, [ident], [ctypes.py_object(Cancelled)])
            left_out[:] = asking  # no call of Python's and no jump back

    pool.submit_many([Late(lambda: None)])
    until(lambda: bool(left))
    left[0].join(DEADLINE)

    assert not left[0].is_alive()
    assert left[0] not in threading.enumerate()
    assert pool.infos() == []
    ran = threading.Event()
    pool.submit_many([Task(ran.set)])
    assert ran.wait(DEADLINE)
    ended(pool)


# What falls into a callback of the garbage collector goes no further.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("untraced_threads")
def test_interrupting_bodies_that_call_the_engine_leaves_the_pool_whole(seed: int) -> None:
    pool, chance = WorkerPool(2), Random(seed)
    done: list[None] = []
    submitted: list[None] = []
    stop = threading.Event()

    class Calls(Task):
        """An abandoned body that calls the engine all the time, and ends soon or never."""

        def run(self, worker: Worker) -> None:
            pool.leave(worker, self, True)
            for n in range(spins.pop()):
                if n % 50 == 0:
                    submitted.append(None)
                    pool.submit_many([Task(lambda: done.append(None), "other")])

    def interrupt() -> None:
        while not stop.is_set():
            interrupted.append(pool.interrupt("j", grace=0.0))

    spins = [chance.choice([chance.randrange(30_000), 1 << 40]) for _ in range(30)]
    interrupted: list[int] = []
    thread = threading.Thread(target=interrupt)
    thread.start()
    for _ in range(30):
        pool.submit_many([Calls(lambda: None)])
    until(lambda: not pool.ready and not pool._outside)
    stop.set()
    thread.join(DEADLINE)
    together = threading.Barrier(3)
    pool.submit_many([Task(lambda: together.wait(DEADLINE), "other") for _ in range(2)])
    together.wait(DEADLINE)

    assert sum(interrupted) > 0
    assert len(pool._inside) + pool._missing == 2
    ended(pool)
    assert 0 <= len(submitted) - len(done) <= sum(interrupted)


# ---- the end


def test_shutdown_names_those_that_do_not_end() -> None:
    pool = WorkerPool(2)
    stuck, inside = threading.Event(), threading.Event()
    pool.submit_many([Task(lambda: stick(inside, stuck))])
    assert inside.wait(DEADLINE)

    left = pool.shutdown(monotonic() + 0.1)

    assert len(left) == 1
    stuck.set()
    ended(pool)


def test_nothing_of_the_pool_stays_after_shutdown() -> None:
    before = set(threading.enumerate())
    pool, gate, done = WorkerPool(2), Gate(), threading.Event()
    for _ in range(2):
        for task in stuck_at(pool, gate, 2):
            assert leave(pool, task)
    pool.submit_many([Task(done.set)])
    assert done.wait(DEADLINE)
    gate.open()
    until(lambda: not pool._outside)
    assert pool._spares
    pool.steward.wake()
    ended(pool)

    assert set(threading.enumerate()) == before
    assert pool.infos() == []
    pool.submit_many([Task(done.clear)])
    pool.submit_drain(Look(done.clear))
    assert set(threading.enumerate()) == before
    assert done.is_set()


def test_what_was_submitted_before_shutdown_is_done() -> None:
    pool, gate = WorkerPool(1), Gate()
    stuck_at(pool, gate, 1)
    done: list[str] = []

    def one_more() -> None:
        pool.submit_many([Task(lambda: done.append("more"))])

    pool.submit_many([Task(lambda: done.append("body")), Task(one_more)])

    def open_late() -> None:
        until(lambda: pool._stopping)
        gate.open()

    opener = threading.Thread(target=open_late)
    opener.start()
    ended(pool)
    opener.join(DEADLINE)

    assert done == ["body", "more"]


@pytest.mark.parametrize("end", ["pool.shutdown(time.monotonic() + 0.2)", ""])
def test_an_abandoned_body_never_keeps_the_interpreter(end: str) -> None:
    code = f"""
        import threading, time
        from penstock.run.pool import WorkerPool

        class Stuck:
            job_id, routine, since = "j", "r", 0.0
            def run(self, worker):
                pool.leave(worker, self, True)
                began.set()
                threading.Event().wait()

        began = threading.Event()
        pool = WorkerPool(2)
        pool.submit_many([Stuck()])
        began.wait()
        {end}
        print("out")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")
