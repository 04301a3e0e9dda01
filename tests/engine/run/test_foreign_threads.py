from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from random import Random
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.locks import ActingLock
from helpers.waiting import until
from penstock.run import foreign as foreign_module
from penstock.run.foreign import ForeignPool
from penstock.run.steward import Steward
from penstock.run.worker import Worker

DEADLINE = 20.0


class Task:
    """A piece of work that calls a function; `refused` is why it was never run."""

    routine = "r"

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.job_id = "j"
        self.since = monotonic()
        self.worker: Worker | None = None
        self.refused: BaseException | None = None
        self.over = threading.Event()
        self._act = act

    def run(self, worker: Worker) -> float | None:
        self.worker = worker
        self._act()
        self.over.set()
        return None

    def refuse(self, error: BaseException) -> None:
        self.refused = error
        self.over.set()

    def wait(self) -> None:
        assert self.over.wait(DEADLINE)


class Unaware:
    """Work that has no `refuse`."""

    job_id, routine, since = "j", "r", 0.0

    def run(self, worker: Worker) -> float | None:
        raise AssertionError("there is nobody to run it")


class Look:
    job_id = "d"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def drain(self) -> None:
        self._act()


class Counting(Executor):
    """Counts calls in its hands: submitted, and not over."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)
        self._lock = threading.Lock()
        self.now = self.most = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

        future = self._pool.submit(fn, *args, **kwargs)
        future.add_done_callback(self._over)
        return future

    def _over(self, _future: Future[Any]) -> None:
        with self._lock:
            self.now -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def ended(pool: ForeignPool) -> None:
    assert pool.shutdown(monotonic() + DEADLINE) == []


@pytest.fixture
def theirs() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3, thread_name_prefix="theirs") as made:
        yield made


@pytest.fixture
def pool(theirs: ThreadPoolExecutor) -> Iterator[ForeignPool]:
    made = ForeignPool(theirs)
    yield made
    ended(made)


# ---- what it takes


def test_workers_are_those_of_the_executor_unless_told(theirs: ThreadPoolExecutor) -> None:
    assert ForeignPool(theirs).workers == 3
    assert ForeignPool(theirs, 2).workers == 2
    assert 1 <= ForeignPool(Executor()).workers <= 32
    with pytest.raises(ValueError, match="at least 1"):
        ForeignPool(theirs, 0)


def test_work_runs_on_the_executor_s_threads(pool: ForeignPool) -> None:
    task = Task(lambda: names.append(threading.current_thread().name))
    names: list[str] = []
    pool.submit_many([task])
    task.wait()

    assert names[0].startswith("theirs")
    assert task.worker is not None
    assert (task.worker.name, task.worker.outside) == (names[0], False)


def test_no_work_is_lost_however_it_is_submitted(pool: ForeignPool) -> None:
    done = threading.Semaphore(0)

    def act(left: int) -> None:
        done.release()
        if left:
            pool.submit_many([Task(lambda: act(left - 1))])

    def submit() -> None:
        for _ in range(50):
            pool.submit_many([Task(lambda: act(3))])
            pool.submit_drain(Look(done.release))

    threads = [threading.Thread(target=submit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(6 * 50 * 5):
        assert done.acquire(timeout=DEADLINE)
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("turn", [0.0, 0.01])
@pytest.mark.parametrize("threads", [1, 8])
def test_never_more_than_workers_are_submitted_and_all_of_them_are_used(
    threads: int, turn: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_module, "TURN_SECONDS", turn)
    theirs = Counting(threads)
    pool, chance, gate = ForeignPool(theirs, 3), Random(3), Gate()
    for _ in range(200):
        pool.submit_many([Task() for _ in range(chance.randrange(1, 6))])
    pool.submit_many([Task(gate.wait_here) for _ in range(6)])
    gate.wait_inside(min(3, threads))
    gate.open()
    last = Task()
    pool.submit_many([last])
    last.wait()
    ended(pool)

    assert theirs.most == min(3, threads + 1)  # one at a time is on its way
    theirs.shutdown()


def test_no_turn_is_sent_when_all_places_are_taken() -> None:
    theirs, gate = Counting(8), Gate()
    pool = ForeignPool(theirs, 2)
    pool.submit_many([Task(gate.wait_here) for _ in range(4)])
    gate.wait_inside(2)
    pool._send()

    assert theirs.now == 2
    gate.open()
    ended(pool)
    theirs.shutdown()


def test_work_that_comes_while_a_turn_is_found_needless_is_done(pool: ForeignPool) -> None:
    guard, task = ActingLock(pool._guard), Task()
    guard.at_release = lambda: pool.submit_many([task])
    pool._guard = guard  # type: ignore[assignment]
    pool._send()

    task.wait()


def test_one_of_many_turns_does_not_keep_a_thread_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreign_module, "TURN_SECONDS", 0.0)
    with ThreadPoolExecutor(1) as theirs:
        pool, gate, order = ForeignPool(theirs), Gate(), list[str]()
        pool.submit_many([Task(gate.wait_here), *[Task(lambda: order.append("ours"))] * 3])
        gate.wait_inside(1)
        other = theirs.submit(order.append, "theirs")
        gate.open()
        other.result(DEADLINE)
        ended(pool)

    assert order == ["theirs", "ours", "ours", "ours"]


# ---- drains


def test_drains_go_before_bodies(theirs: ThreadPoolExecutor) -> None:
    class Asleep(Steward):
        asked = 0

        def wake(self) -> None:
            self.asked += 1

    steward = Asleep()
    pool, gate, order = ForeignPool(theirs, 1, steward), Gate(), list[str]()
    pool.submit_many([Task(gate.wait_here), Task(lambda: order.append("body"))])
    gate.wait_inside(1)
    pool.submit_drain(Look(lambda: order.append("drain")))
    gate.open()
    ended(pool)

    assert order == ["drain", "body"]
    assert steward.asked > 0


def test_drains_never_wait_for_the_executor(pool: ForeignPool) -> None:
    gate, drained = Gate(), threading.Event()
    pool.submit_many([Task(gate.wait_here) for _ in range(3)])
    gate.wait_inside(3)
    pool.submit_drain(Look(drained.set))
    assert drained.wait(DEADLINE)
    gate.open()


def test_drains_never_wait_for_what_others_run_there(theirs: ThreadPoolExecutor) -> None:
    pool, gate, drained = ForeignPool(theirs), Gate(), threading.Event()
    others = [theirs.submit(gate.wait_here) for _ in range(3)]
    gate.wait_inside(3)
    body = Task()
    pool.submit_many([body])
    pool.submit_drain(Look(drained.set))
    assert drained.wait(DEADLINE)
    assert not body.over.is_set()
    gate.open()
    body.wait()
    for other in others:
        other.result(DEADLINE)
    ended(pool)


# ---- looking


def test_who_works_on_what(pool: ForeignPool) -> None:
    gate = Gate()
    pool.submit_many([Task(gate.wait_here) for _ in range(2)])
    gate.wait_inside(2)

    infos = pool.infos()
    assert [(i.busy, i.outside, i.job_id, i.routine) for i in infos] == [
        (True, False, "j", "r"),
        (True, False, "j", "r"),
    ]
    assert (pool.busy, pool.spare, pool.abandoned) == (2, 0, 0)
    gate.open()
    until(lambda: pool.infos() == [])
    assert pool.busy == 0


def test_nobody_leaves_the_count_but_abandoned_bodies_are_counted(pool: ForeignPool) -> None:
    gate = Gate()
    task = Task(gate.wait_here)
    pool.submit_many([task])
    gate.wait_inside(1)
    assert task.worker is not None

    assert not pool.leave(task.worker, task, abandoned=False)
    assert pool.abandoned == 0
    assert not pool.leave(task.worker, Task(), abandoned=True)
    assert pool.abandoned == 0
    assert not pool.leave(task.worker, task, abandoned=True)
    assert (pool.abandoned, pool.spare, pool.infos()[0].outside) == (1, 0, False)
    assert pool.interrupt("j", grace=0.0) == 0
    gate.open()
    task.wait()
    until(lambda: pool.abandoned == 0)
    assert not pool.leave(task.worker, task, abandoned=True)
    assert pool.abandoned == 0


def test_a_turn_goes_on_after_an_abandoned_body(
    theirs: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_module, "TURN_SECONDS", DEADLINE)
    pool, gate, next_gate = ForeignPool(theirs, 1), Gate(), Gate()
    task, after = Task(gate.wait_here), Task(next_gate.wait_here)
    pool.submit_many([task, after])
    gate.wait_inside(1)
    assert task.worker is not None
    pool.leave(task.worker, task, abandoned=True)
    gate.open()
    next_gate.wait_inside(1)

    assert after.worker is task.worker
    assert (pool.abandoned, pool.busy) == (0, 1)
    next_gate.open()
    ended(pool)


def test_while_it_makes_way_nothing_begins(pool: ForeignPool) -> None:
    began, drained = threading.Semaphore(0), threading.Event()
    pool.make_way(DEADLINE)
    pool.submit_many([Task(began.release) for _ in range(10)])
    pool.submit_drain(Look(drained.set))
    assert drained.wait(DEADLINE)
    assert not began.acquire(timeout=0.05), "work began while the pool made way"

    pool.make_way(0.0)
    assert all(began.acquire(timeout=DEADLINE) for _ in range(10))


def test_a_work_that_raises_costs_no_turn(
    pool: ForeignPool, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> None:
        raise SystemExit

    after = Task()
    pool.submit_many([Task(fault), after])
    after.wait()
    until(lambda: "job j: the engine failed" in caplog.text)
    caplog.clear()


# ---- an executor that takes nothing more


def test_an_executor_that_was_shut_down_refuses_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    theirs = ThreadPoolExecutor(1)
    theirs.shutdown()
    pool, drained = ForeignPool(theirs), threading.Event()
    tasks = [Task(), Task()]
    pool.submit_many(tasks)
    pool.submit_many([Unaware()])
    pool.submit_drain(Look(drained.set))
    assert drained.wait(DEADLINE), "the job's loop goes on"

    assert all(isinstance(task.refused, RuntimeError) for task in tasks)
    assert "takes no more work" in caplog.text
    assert "a slice of 'r' will never run" in caplog.text
    assert not pool.ready
    caplog.clear()
    ended(pool)


@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_one_that_is_shut_down_meanwhile_runs_or_refuses_everything(
    cancel: bool, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(15):
        theirs = ThreadPoolExecutor(2)
        pool = ForeignPool(theirs, workers)
        tasks: list[Task] = []
        far = threading.Event()

        def submit(to: ForeignPool, all_of: list[Task], reached: threading.Event) -> None:
            for count in range(200):
                task = Task()
                all_of.append(task)
                to.submit_many([task])
                if count == 20:
                    reached.set()

        thread = threading.Thread(target=submit, args=(pool, tasks, far))
        thread.start()
        if n % 3:
            assert far.wait(DEADLINE)
        theirs.shutdown(wait=bool(n % 2), cancel_futures=cancel)
        thread.join()
        for task in tasks:
            task.wait()
        assert all((task.worker is None) == (task.refused is not None) for task in tasks)
        ended(pool)
        assert pool._in_flight == 0
        theirs.shutdown()
    caplog.clear()


def test_a_turn_that_is_cancelled_before_it_begins_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    theirs, gate = ThreadPoolExecutor(1), Gate()
    theirs.submit(gate.wait_here)
    gate.wait_inside(1)
    pool, task = ForeignPool(theirs), Task()
    pool.submit_many([task])
    assert not task.over.is_set()

    theirs.shutdown(wait=False, cancel_futures=True)
    task.wait()

    assert "cancelled" in str(task.refused)
    caplog.clear()
    gate.open()
    theirs.shutdown()
    ended(pool)


def test_running_turns_do_what_is_ready_when_the_executor_is_shut_down(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_module, "TURN_SECONDS", DEADLINE)
    theirs, gate = ThreadPoolExecutor(1), Gate()
    pool = ForeignPool(theirs, 2)
    tasks = [Task(gate.wait_here), Task()]
    pool.submit_many(tasks[:1])
    gate.wait_inside(1)
    theirs.shutdown(wait=False)
    pool.submit_many(tasks[1:])
    assert not tasks[1].over.is_set()

    gate.open()
    for task in tasks:
        task.wait()
    ended(pool)
    theirs.shutdown()
    caplog.clear()


def test_an_executor_of_other_processes_refuses(caplog: pytest.LogCaptureFixture) -> None:
    class Pickles(ProcessPoolExecutor):
        """What a process pool makes of a call that can't be sent: an error in its future."""

        def __init__(self) -> None: ...

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(TypeError("cannot pickle"))
            return future

    pool, task = ForeignPool(Pickles(), 2), Task()
    pool.submit_many([task])
    task.wait()

    assert isinstance(task.refused, TypeError)
    caplog.clear()
    ended(pool)


def test_work_that_cannot_be_refused_does_not_keep_others_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Raises(Task):
        def refuse(self, error: BaseException) -> None:
            raise ValueError

    theirs = ThreadPoolExecutor(1)
    theirs.shutdown()
    pool, task = ForeignPool(theirs), Task()
    pool.submit_many([Raises(), task])

    assert task.refused is not None
    assert "the engine failed" in caplog.text
    caplog.clear()
    ended(pool)


# ---- the end


def test_shutdown_waits_for_what_is_ready_and_leaves_the_executor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreign_module, "TURN_SECONDS", 0.0)
    with ThreadPoolExecutor(1) as theirs:
        pool, gate = ForeignPool(theirs), Gate()
        tasks = [Task(gate.wait_here), Task(), Task()]
        pool.submit_many(tasks)
        gate.wait_inside(1)

        def open_late() -> None:
            until(lambda: pool._stopping)
            gate.open()

        opener = threading.Thread(target=open_late)
        opener.start()
        ended(pool)
        opener.join()

        assert all(task.over.is_set() for task in tasks)
        assert theirs.submit(lambda: 5).result(DEADLINE) == 5
        late = Task()
        pool.submit_many([late])
        pool.submit_drain(Look(lambda: None))
        theirs.submit(lambda: None).result(DEADLINE)
        assert not late.over.is_set()


def test_shutdown_names_those_still_in_a_body(theirs: ThreadPoolExecutor) -> None:
    pool, gate = ForeignPool(theirs), Gate()
    pool.submit_many([Task(gate.wait_here)])
    gate.wait_inside(1)

    (name,) = pool.shutdown(monotonic() + 0.05)

    assert name.startswith("theirs")
    gate.open()
    ended(pool)


def test_shutdown_takes_back_what_the_executor_has_not_come_to(
    theirs: ThreadPoolExecutor,
) -> None:
    pool, gate, task = ForeignPool(theirs), Gate(), Task()
    others = [theirs.submit(gate.wait_here) for _ in range(3)]
    gate.wait_inside(3)
    pool.submit_many([task])

    assert pool.shutdown(monotonic() + 0.05) == []
    assert pool._in_flight == 0
    gate.open()
    for other in others:
        other.result(DEADLINE)
    theirs.submit(lambda: None).result(DEADLINE)
    assert not task.over.is_set()
