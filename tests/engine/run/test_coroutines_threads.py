from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.waiting import until
from penstock.run.coroutines import CALL_THREADS, AsyncWorker, CoroutineThread

DEADLINE = 20.0
Act = Callable[[], Awaitable[object]]
variable: ContextVar[int] = ContextVar("variable", default=0)


class Activation:
    """Runs a coroutine function; `how` says how it ended."""

    routine = "r"

    def __init__(self, act: Act, job_id: str = "j") -> None:
        self.job_id = job_id
        self.since = monotonic()
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.how: BaseException | None = None
        self.worker: AsyncWorker | None = None
        self._act = act

    async def run_async(self, worker: AsyncWorker) -> None:
        self.worker = worker
        self.begun.set()
        try:
            await self._act()
        except BaseException as error:  # noqa: BLE001 -- as a slice does
            self.how = error
        self.ended.set()

    def wait(self) -> None:
        assert self.ended.wait(DEADLINE)


class Careless(Activation):
    """Lets out what its coroutine raises, which no work of ours does."""

    async def run_async(self, worker: AsyncWorker) -> None:
        await self._act()


async def nothing() -> None: ...


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def refusing(go_on: threading.Event) -> Act:
    """A coroutine that goes on in spite of being cancelled, until it is let go."""

    async def act() -> None:
        while not go_on.is_set():
            try:
                await asyncio.sleep(0.01)
            except BaseException:  # noqa: BLE001 -- what it is about
                continue

    return act


def thread_of(coroutines: CoroutineThread) -> threading.Thread | None:
    return coroutines._worker.thread


def is_alive(coroutines: CoroutineThread) -> bool:
    thread = thread_of(coroutines)
    return thread is not None and thread.is_alive()


@pytest.fixture
def coroutines() -> Iterator[CoroutineThread]:
    made = CoroutineThread()
    yield made
    made.stop(monotonic() + DEADLINE)
    assert not is_alive(made)


def test_there_is_no_thread_until_it_is_needed(coroutines: CoroutineThread) -> None:
    before = set(threading.enumerate())
    activation = Activation(nothing)
    coroutines.cancel(activation)
    assert coroutines.busy == 0
    assert set(threading.enumerate()) == before

    coroutines.submit_many([activation])
    activation.wait()

    (thread,) = set(threading.enumerate()) - before
    assert (thread.name, thread.daemon) == ("penstock-async", True)
    assert activation.worker is not None
    assert activation.worker.name == thread.name
    assert activation.worker.ident == thread.ident
    assert not activation.worker.outside


def test_all_run_on_one_thread_at_once(coroutines: CoroutineThread) -> None:
    here, threads = list[int](), set[int]()
    all_here = asyncio.Event()

    async def act() -> None:
        threads.add(threading.get_ident())
        here.append(1)
        if len(here) == 200:
            all_here.set()
        await all_here.wait()

    activations = [Activation(act) for _ in range(200)]
    coroutines.submit_many(activations)
    for activation in activations:
        activation.wait()

    assert len(threads) == 1
    assert all(activation.how is None for activation in activations)


def test_none_is_lost_whoever_submits(coroutines: CoroutineThread) -> None:
    activations = [Activation(nothing) for _ in range(2000)]

    def submit(first: int) -> None:
        for activation in activations[first::8]:
            coroutines.submit_many([activation])

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for activation in activations:
        activation.wait()
    for thread in threads:
        thread.join()
    until(lambda: coroutines.busy == 0)


def test_each_has_a_context_of_its_own(coroutines: CoroutineThread) -> None:
    seen: list[int] = []

    async def act() -> None:
        seen.append(variable.get())
        variable.set(5)

    token = variable.set(7)
    activations = [Activation(act) for _ in range(3)]
    coroutines.submit_many(activations)
    for activation in activations:
        activation.wait()
    variable.reset(token)

    assert seen == [0, 0, 0]


def test_what_runs_is_counted(coroutines: CoroutineThread) -> None:
    first, second = Activation(forever), Activation(forever)
    coroutines.submit_many([first, second])
    assert second.begun.wait(DEADLINE)

    assert coroutines.busy == 2

    coroutines.cancel(first)
    coroutines.cancel(second)
    until(lambda: coroutines.busy == 0)


# ---- cancelling


def test_only_the_one_that_is_meant_is_cancelled(coroutines: CoroutineThread) -> None:
    stays, goes = Activation(forever), Activation(forever)
    coroutines.submit_many([stays, goes])
    assert goes.begun.wait(DEADLINE)

    coroutines.cancel(goes)
    goes.wait()

    assert isinstance(goes.how, asyncio.CancelledError)
    assert not stays.ended.is_set()
    coroutines.cancel(goes)
    coroutines.cancel(Activation(nothing))
    coroutines.cancel(stays)
    stays.wait()


def test_one_that_is_cancelled_at_once_begins_and_tells_its_end(
    coroutines: CoroutineThread,
) -> None:
    for _ in range(200):
        activation = Activation(forever)
        coroutines.submit_many([activation])
        coroutines.cancel(activation)
        activation.wait()
        assert isinstance(activation.how, asyncio.CancelledError)


# ---- what coroutines may do to the thread


def test_a_work_that_raises_is_logged(
    coroutines: CoroutineThread, caplog: pytest.LogCaptureFixture
) -> None:
    async def fault() -> None:
        raise ValueError("x")

    coroutines.submit_many([Careless(fault)])
    until(lambda: "job j: the engine failed" in caplog.text)
    caplog.clear()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_task_of_theirs_does_not_end_the_thread(
    coroutines: CoroutineThread, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    async def fault() -> None:
        raise error

    async def act() -> None:
        task = asyncio.create_task(fault())
        await asyncio.wait([task])
        assert isinstance(task.exception(), error)

    activation, after = Activation(act), Activation(nothing)
    coroutines.submit_many([activation])
    activation.wait()
    coroutines.submit_many([after])
    after.wait()

    assert activation.how is None
    assert "ended penstock-async's loop" in caplog.text
    caplog.clear()


def test_a_coroutine_that_stops_the_loop_stops_nothing(coroutines: CoroutineThread) -> None:
    async def act() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)

    activation = Activation(act)
    coroutines.submit_many([activation])
    activation.wait()


def test_calls_on_other_threads_are_answered(coroutines: CoroutineThread) -> None:
    answers: list[object] = []

    def fault() -> None:
        raise ValueError("x")

    async def act() -> None:
        daemons = [
            await asyncio.to_thread(lambda: threading.current_thread().daemon)
            for _ in range(CALL_THREADS + 1)
        ]
        answers.append(all(daemons))
        try:
            await asyncio.to_thread(fault)
        except ValueError as error:
            answers.append(str(error))

    activation = Activation(act)
    coroutines.submit_many([activation])
    activation.wait()

    assert (activation.how, answers) == (None, [True, "x"])


def test_calls_on_other_threads_need_a_bounded_number_of_them(coroutines: CoroutineThread) -> None:
    gate = Gate()

    async def act() -> None:
        await asyncio.gather(*(asyncio.to_thread(gate.wait_here) for _ in range(100)))

    activation = Activation(act)
    coroutines.submit_many([activation])
    gate.wait_inside(CALL_THREADS)
    for n in range(20):
        gate.let_go()
        gate.wait_came(CALL_THREADS + n + 1)
    gate.open()
    activation.wait()

    assert activation.how is None
    assert (gate.came, gate.most_inside) == (100, CALL_THREADS)


# ---- the end


def test_stop_cancels_what_is_left_and_what_it_began() -> None:
    coroutines = CoroutineThread()
    inner: list[asyncio.Task[None]] = []
    kept: list[AsyncIterator[int]] = []
    closed: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("generator")

    async def act() -> None:
        inner.append(asyncio.create_task(forever()))
        generator = numbers()
        kept.append(generator)
        await anext(generator)
        await forever()

    activations = [Activation(act) for _ in range(20)]
    coroutines.submit_many(activations)
    coroutines.stop(monotonic() + DEADLINE)

    assert not is_alive(coroutines)
    assert all(isinstance(a.how, asyncio.CancelledError) for a in activations)
    assert [task.cancelled() for task in inner] == [True] * 20
    assert closed == ["generator"] * 20


def test_tasks_begun_while_it_ends_are_cancelled_too() -> None:
    coroutines = CoroutineThread()
    late: list[asyncio.Task[None]] = []

    async def act() -> None:
        try:
            await forever()
        finally:
            late.append(asyncio.create_task(forever()))

    activation = Activation(act)
    coroutines.submit_many([activation])
    coroutines.stop(monotonic() + DEADLINE)

    assert not is_alive(coroutines)
    assert late[0].cancelled()


def test_after_stop_nothing_begins() -> None:
    before = set(threading.enumerate())
    used, unused = CoroutineThread(), CoroutineThread()
    activation = Activation(nothing)
    used.submit_many([activation])
    activation.wait()
    for coroutines in (used, unused):
        coroutines.stop(monotonic() + DEADLINE)
        late = Activation(nothing)
        coroutines.submit_many([late])
        coroutines.cancel(late)
        coroutines.stop(monotonic() + DEADLINE)
        assert not late.begun.is_set()
        assert coroutines.busy == 0

    assert set(threading.enumerate()) == before


def test_stop_comes_back_from_a_coroutine_that_blocks_the_thread() -> None:
    coroutines, gate = CoroutineThread(), Gate()

    async def act() -> None:
        gate.wait_here()
        await forever()

    activation = Activation(act)
    coroutines.submit_many([activation])
    gate.wait_inside(1)
    coroutines.stop(monotonic() + 0.05)
    assert is_alive(coroutines)

    gate.open()
    activation.wait()
    coroutines.stop(monotonic() + DEADLINE)
    assert isinstance(activation.how, asyncio.CancelledError)
    assert not is_alive(coroutines)


def test_a_coroutine_that_refuses_to_end_ends_the_thread_when_it_does() -> None:
    coroutines, go_on = CoroutineThread(), threading.Event()
    activation = Activation(refusing(go_on))
    coroutines.submit_many([activation])
    assert activation.begun.wait(DEADLINE)
    coroutines.stop(monotonic() + 0.05)
    assert is_alive(coroutines)

    go_on.set()
    coroutines.stop(monotonic() + DEADLINE)
    assert not is_alive(coroutines)


def test_a_coroutine_may_call_stop() -> None:
    coroutines = CoroutineThread()

    async def act() -> None:
        coroutines.stop(monotonic() + DEADLINE)
        await forever()

    activation = Activation(act)
    coroutines.submit_many([activation])
    activation.wait()
    coroutines.stop(monotonic() + DEADLINE)
    assert isinstance(activation.how, asyncio.CancelledError)
    assert not is_alive(coroutines)


def test_stop_and_submit_at_once_begin_it_or_leave_it() -> None:
    for _ in range(50):
        coroutines = CoroutineThread()
        first, activation = Activation(forever), Activation(forever)
        coroutines.submit_many([first])
        together = threading.Barrier(2)

        def submit(to: CoroutineThread, late: Activation, start: threading.Barrier) -> None:
            start.wait(DEADLINE)
            to.submit_many([late])

        thread = threading.Thread(target=submit, args=(coroutines, activation, together))
        thread.start()
        together.wait(DEADLINE)
        coroutines.stop(monotonic() + DEADLINE)
        thread.join()

        assert not is_alive(coroutines)
        assert first.ended.is_set()
        assert activation.begun.is_set() == activation.ended.is_set()


@pytest.mark.parametrize("end", ["coroutines.stop(time.monotonic() + 0.2)", ""])
@pytest.mark.parametrize("way", ["refuses", "blocks", "calls"])
def test_a_stuck_coroutine_never_keeps_the_interpreter(way: str, end: str) -> None:
    code = f"""
        import asyncio, threading, time
        from penstock.run.coroutines import CoroutineThread

        async def refuses():
            began.set()
            while True:
                try:
                    await asyncio.sleep(3600)
                except BaseException:
                    pass

        async def blocks():
            began.set()
            threading.Event().wait()

        async def calls():
            began.set()
            await asyncio.to_thread(threading.Event().wait)

        class Stuck:
            job_id, routine, since = "j", "r", 0.0
            async def run_async(self, worker):
                await {way}()

        began = threading.Event()
        coroutines = CoroutineThread()
        coroutines.submit_many([Stuck()])
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


def test_without_a_thread_to_be_had_it_raises_and_tries_again(
    coroutines: CoroutineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    activation, other = Activation(nothing), Activation(nothing)
    with monkeypatch.context() as without:

        def refuse(*_args: Any) -> None:
            raise RuntimeError("can't start new thread")

        without.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            coroutines.submit_many([activation])

    coroutines.submit_many([other])
    activation.wait()
    other.wait()
