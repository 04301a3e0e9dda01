from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from penstock.run.pool import Worker, WorkerPool

DEADLINE = 20.0


def _stick(inside: threading.Event, stuck: threading.Event) -> None:
    inside.set()
    stuck.wait(DEADLINE)


class Task:
    """A piece of work that calls a function."""

    job_id = "j"
    routine = "r"

    def __init__(self, act: Callable[[], object]) -> None:
        self.since = monotonic()
        self._act = act

    def run(self, worker: Worker) -> None:
        self._act()


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(3)
    yield made
    assert made.shutdown(monotonic() + DEADLINE) == []


@pytest.mark.parametrize("workers", [0, -1])
def test_a_pool_has_at_least_one_worker(workers: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        WorkerPool(workers)


def test_workers_are_named_daemon_threads(pool: WorkerPool) -> None:
    assert [info.name for info in pool.infos()] == [f"penstock-worker-{n}" for n in (1, 2, 3)]
    threads = [t for t in threading.enumerate() if t.name.startswith("penstock-worker")]
    assert all(thread.daemon for thread in threads)


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


def test_a_worker_that_leaves_is_replaced_and_may_come_back() -> None:
    pool = WorkerPool(1)
    stuck, inside = threading.Event(), threading.Event()
    task = Task(lambda: _stick(inside, stuck))
    pool.submit_many([task])
    assert inside.wait(DEADLINE)
    worker = next(w for w in threading.enumerate() if isinstance(w, Worker))

    assert pool.leave(worker, task)
    assert not pool.leave(worker, task)
    assert pool.spare == 1
    ran = threading.Event()
    pool.submit_many([Task(ran.set)])
    assert ran.wait(DEADLINE)
    stuck.set()
    worker.join(DEADLINE)

    assert not worker.is_alive(), "the count is full: it ends"
    assert pool.spare == 0
    assert len(pool.infos()) == 1
    assert pool.shutdown(monotonic() + DEADLINE) == []


def test_shutdown_names_those_that_do_not_end() -> None:
    pool = WorkerPool(2)
    stuck, inside = threading.Event(), threading.Event()
    pool.submit_many([Task(lambda: _stick(inside, stuck))])
    assert inside.wait(DEADLINE)

    left = pool.shutdown(monotonic() + 0.1)

    assert len(left) == 1
    stuck.set()
    assert pool.shutdown(monotonic() + DEADLINE) == []


def test_while_it_makes_way_nothing_begins_and_then_all_of_it_runs(pool: WorkerPool) -> None:
    began, gone = threading.Semaphore(0), threading.Event()
    running = threading.Event()
    pool.submit_many([Task(lambda: _stick(running, gone))])
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


def test_a_pool_that_makes_way_still_ends() -> None:
    pool = WorkerPool(2)
    pool.make_way(DEADLINE)
    pool.submit_many([Task(lambda: None)])

    assert pool.shutdown(monotonic() + DEADLINE / 2) == []


class Looked(deque[Any]):
    """The pool's ready work; tells when a worker that lies down has found none."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = threading.Event()

    def __len__(self) -> int:
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
    pool.submit_many([Task(lambda: _stick(inside, stuck))])
    assert inside.wait(DEADLINE)
    pool.ready = looked = Looked()

    def a_worker_lies_down_and_work_comes() -> None:
        stuck.set()
        assert looked.looked.wait(DEADLINE)
        pool.submit_many([Task(done.set)])

    pool._idle = LastOneLeft(a_worker_lies_down_and_work_comes)
    pool._wake()

    assert done.wait(DEADLINE)
    assert pool.shutdown(monotonic() + DEADLINE) == []


def test_a_worker_that_stands_back_is_idle_since_then() -> None:
    pool = WorkerPool(1)
    stands, inside = threading.Event(), threading.Event()

    class Way(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            stands.set()
            return super().wait(timeout)

    pool._way_is_over = Way()
    gone = threading.Event()
    pool.submit_many([Task(lambda: _stick(inside, gone))])
    assert inside.wait(DEADLINE)

    pool.make_way(DEADLINE)
    before = monotonic()
    gone.set()
    assert stands.wait(DEADLINE)

    assert [(info.busy, info.since >= before) for info in pool.infos()] == [(False, True)]
    assert pool.shutdown(monotonic() + DEADLINE) == []
