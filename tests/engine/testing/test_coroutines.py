"""Async logic on the test's own thread, by the manual clock."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from helpers.flows import burst, chain, flow_of, routine
from penstock import Continue, JobStatus, Retry, Routine, Slot
from penstock.testing import InlineRuntime, ManualClock, NeverEnds, run_flow


@pytest.fixture
def runtime() -> Iterator[InlineRuntime]:
    with InlineRuntime() as runtime:
        yield runtime


def awaiting(body: Callable[[Any, Any], Any], **attributes: Any) -> Routine:
    """An ``async def logic`` that awaits what `body` gives for each value."""

    async def logic(self: Any, value: Any) -> None:
        await body(self, value)

    return routine(logic, slots={"value": Slot(object)}, **attributes)


def test_sleeping_goes_by_the_clock(runtime: InlineRuntime) -> None:
    async def body(self: Any, value: float) -> None:
        await asyncio.sleep(value)
        self.out.emit((value, runtime.clock.now()))

    flow = chain(burst([3.0, 1.0, 2.0]), awaiting(body, max_parallel=None))
    job = runtime.run_to_end(runtime.exec(flow))

    assert job.outputs["b.out"] == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert job.finished_at == 3.0


def test_one_at_a_time_stays_in_order(runtime: InlineRuntime) -> None:
    async def body(self: Any, value: float) -> None:
        await asyncio.sleep(value)
        self.out.emit((value, runtime.clock.now()))

    job = runtime.run_to_end(runtime.exec(chain(burst([3.0, 1.0]), awaiting(body))))

    assert job.outputs["b.out"] == [(3.0, 3.0), (1.0, 4.0)]


@pytest.mark.parametrize("start", [0.0, 1.7e9])
def test_timers_end_however_late_it_is(start: float) -> None:
    async def body(self: Any, value: float) -> None:
        for _ in range(3):
            await asyncio.sleep(value)
        self.out.emit(value)

    clock = ManualClock(start)
    job = run_flow(chain(burst([0.1, 7.0]), awaiting(body)), clock=clock)

    assert job.outputs["b.out"] == [0.1, 7.0]
    assert clock.now() == pytest.approx(start + 21.3)


def test_what_asyncio_makes_of_timers_works(runtime: InlineRuntime) -> None:
    async def body(self: Any, value: float) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(value):
                await asyncio.sleep(10 * value)
        self.out.emit(runtime.clock.now())
        slept = await asyncio.gather(*[asyncio.sleep(i, i) for i in range(3)])
        self.out.emit((slept, runtime.clock.now()))

    job = runtime.run_to_end(runtime.exec(chain(burst([2.0]), awaiting(body))))

    assert job.outputs["b.out"] == [2.0, ([0, 1, 2], 4.0)]


def test_what_goes_to_a_thread_runs_here_at_once() -> None:
    async def body(self: Any, value: Any) -> None:
        self.out.emit(await asyncio.to_thread(threading.get_ident))
        try:
            await asyncio.to_thread(int, "no number")
        except ValueError as error:
            self.out.emit(type(error))

    job = run_flow(chain(burst([1]), awaiting(body)))

    assert job.outputs["b.out"] == [threading.get_ident(), ValueError]


def test_bodies_and_coroutines_take_turns(runtime: InlineRuntime) -> None:
    """Neither a coroutine nor a routine that always has something to do keeps the other waiting."""
    turns = {"coroutine": 0, "generator": 0}

    async def spin(self: Any) -> None:
        while not self.cancelled:
            turns["coroutine"] += 1
            await asyncio.sleep(0)

    def spin_too(self: Any) -> Iterator[None]:
        while not self.cancelled:
            turns["generator"] += 1
            yield

    job = runtime.exec(flow_of({"a": routine(spin), "b": routine(spin_too)}))
    for _ in range(300):
        runtime.step()

    assert job.status is JobStatus.RUNNING
    assert min(turns.values()) > 50


def test_coroutines_go_on_while_a_body_sleeps(runtime: InlineRuntime) -> None:
    async def body(self: Any, value: float) -> None:
        await asyncio.sleep(1.0)
        self.out.emit(runtime.clock.now())

    def stay(self: Any, value: float) -> None:
        self.sleep(5.0)
        self.out.emit(runtime.clock.now())

    flow = flow_of(
        {
            "a": burst([0]),
            "async": awaiting(body, timeout=3.0),
            "plain": routine(stay, slots={"value": Slot(object)}),
        },
        "a.out -> async.value",
        "a.out -> plain.value",
    )
    job = runtime.run_to_end(runtime.exec(flow))

    assert job.status is JobStatus.COMPLETED
    assert job.outputs == {"async.out": [1.0], "plain.out": [5.0]}


def test_a_coroutine_times_out_in_time(runtime: InlineRuntime) -> None:
    ended: list[float] = []

    async def body(self: Any, value: float) -> None:
        try:
            await asyncio.sleep(value)
        finally:
            ended.append(runtime.clock.now())
        self.out.emit(value)

    slow = awaiting(body, timeout=2.0, on_error=Continue())
    job = runtime.run_to_end(runtime.exec(chain(burst([1.0, 9.0, 1.5]), slow)))

    assert job.outputs["b.out"] == [1.0, 1.5]
    assert ended == [1.0, 3.0, 4.5]
    assert [failure.type for failure in job.dead_letters] == ["RoutineTimeout"]


def test_a_failing_coroutine_is_tried_again(runtime: InlineRuntime) -> None:
    times: list[float] = []

    async def body(self: Any, value: float) -> None:
        times.append(runtime.clock.now())
        await asyncio.sleep(1.0)
        self.out.emit(value)
        if len(times) < 3:
            raise ValueError

    flaky = awaiting(body, on_error=Retry(times=3, delay=10.0))
    job = runtime.run_to_end(runtime.exec(chain(burst([7]), flaky)))

    assert times == [0.0, 11.0, 22.0]
    assert job.outputs["b.out"] == [7]
    assert job.routines["b"].revoked == 2


def test_one_that_waits_for_something_outside_is_told() -> None:
    async def body(self: Any, value: float) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NeverEnds, match="RUNNING, and b waits for what is neither here nor"):
        run_flow(chain(burst([1]), awaiting(body)))


def test_coroutines_are_cancelled_with_their_job(runtime: InlineRuntime) -> None:
    log: list[str] = []

    async def body(self: Any, value: float) -> None:
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)
            log.append(f"cleaned up at {runtime.clock.now()}")
            raise

    job = runtime.exec(chain(burst([1]), awaiting(body)))
    runtime.run()
    runtime.jobs.cancel(job.id)
    runtime.advance(2.0)

    assert job.status is JobStatus.CANCELLED
    assert log == ["cleaned up at 1.0"]


def test_leaving_ends_what_is_left() -> None:
    log: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            log.append("async generator closed")

    async def linger() -> None:
        kept.append(numbers())
        await anext(kept[0])
        try:
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(5.0)
            log.append("own task ended")

    async def body(self: Any, value: float) -> None:
        tasks.append(asyncio.get_running_loop().create_task(linger()))
        await asyncio.sleep(0)

    kept: list[AsyncIterator[int]] = []
    tasks: list[asyncio.Task[None]] = []
    with InlineRuntime() as runtime:
        job = runtime.exec(chain(burst([1]), awaiting(body)))
        runtime.run()
        assert job.status is JobStatus.COMPLETED
        assert log == []

    assert log == ["own task ended", "async generator closed"]
    assert runtime.clock.now() == 5.0


def test_one_that_refuses_to_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def body(self: Any, value: float) -> None:
        while True:
            try:
                await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                continue

    with InlineRuntime() as runtime:
        runtime.exec(chain(burst([1]), awaiting(body)))
        runtime.run()
    told = caplog.messages[:]
    gc.collect()
    assert caplog.messages == told
    caplog.clear()

    assert told == ["1 coroutines don't end when they are cancelled"]


def test_an_event_loop_that_runs_on_the_thread_already_is_left_alone() -> None:
    async def body(self: Any, value: float) -> None:
        await asyncio.sleep(value)
        self.out.emit((value, asyncio.get_running_loop() in loops))

    async def test() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        loops.append(loop)
        job = run_flow(chain(burst([1e6, 2.0]), awaiting(body)))
        assert job.outputs["b.out"] == [(1e6, False), (2.0, False)]
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
        await asyncio.sleep(0)

    loops: list[asyncio.AbstractEventLoop] = []
    asyncio.run(test())
