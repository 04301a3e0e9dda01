"""Bodies that the pool interrupts, and those it leaves alone."""

from __future__ import annotations

import ctypes
import threading
from random import Random
from time import monotonic

import pytest

from helpers.bodies import Gate
from helpers.pool_work import Task, at_rest, ended, leave, stuck_at
from helpers.waiting import DEADLINE, until
from penstock.errors import Cancelled
from penstock.run.interrupt import _set_exception
from penstock.run.pool import Worker, WorkerPool


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
