"""The pool: workers, making way, and the end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from time import monotonic

import pytest

from helpers.bodies import Gate
from helpers.pool_work import Look, Task, at_rest, ended, leave, stick, stuck_at
from helpers.waiting import DEADLINE, until
from penstock.run.pool import WorkerPool


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
