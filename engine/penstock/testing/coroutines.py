"""Coroutines on the caller's thread, by a manual clock."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from itertools import count
from math import inf, nextafter
from typing import TypeVar, TypeVarTuple, Unpack

from penstock.run.coroutines import AsyncWork, AsyncWorker
from penstock.testing.clock import ManualClock

_log = logging.getLogger(__name__)
_LAST_TURNS = 1000

_Ts = TypeVarTuple("_Ts")
_T = TypeVar("_T")


class InlineCoroutines:
    """Each activation of an ``async def logic`` as a task of a private event loop.

    The loop turns when `turn` is called and never waits. Its time is the clock's, so
    ``asyncio.sleep`` and ``asyncio.timeout`` end when that is moved. ``asyncio.to_thread`` runs
    its function at once, on this thread. What waits for anything else outside, a socket or a
    thread, isn't waited for: its activation doesn't end.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._worker = AsyncWorker("inline-async")
        self._loop: _Loop | None = None
        self._tasks: dict[AsyncWork, asyncio.Task[None]] = {}
        self._stopping = False

    def submit_many(self, works: Iterable[AsyncWork]) -> None:
        """Make a task of each; they begin with the next turn. Ignored after `stop`."""
        if self._stopping:
            return
        if self._loop is None:
            self._loop = _Loop(self._clock)
        for work in works:
            task = self._loop.create_task(work.run_async(self._worker), context=Context())
            self._tasks[work] = task
            task.add_done_callback(partial(self._ended, work))

    def cancel(self, work: AsyncWork) -> None:
        """Cancel its task if it is still there; one that was just submitted begins all the same."""
        task = self._tasks.get(work)
        if task is not None and self._loop is not None:
            self._loop.call_soon(task.cancel)

    @property
    def wants_turn(self) -> bool:
        """Whether there is something to do now, and it can be done here."""
        loop = self._loop
        return loop is not None and loop.is_wanted and not loop.is_running()

    def turn(self) -> None:
        """Run what is ready in the loop, once."""
        loop = self._loop
        if loop is not None:
            loop.turn()
            self._clock.call_at(self, loop.next_timer())

    def due(self) -> None:
        """The time of a timer of the loop has come."""
        if self._loop is not None:
            self._loop.is_wanted = True

    def stop(self, deadline: float) -> None:
        """Cancel what is left and close the loop; time moves on if they wait for it."""
        loop, self._loop, self._stopping = self._loop, None, True
        self._clock.call_at(self, None)
        if loop is None:
            return
        loop.turn()  # what has been submitted takes its first step
        for task in asyncio.all_tasks(loop):
            task.cancel()
        if not loop.turn_until(lambda: not asyncio.all_tasks(loop), _LAST_TURNS):
            left = asyncio.all_tasks(loop)
            _log.warning("%d coroutines don't end when they are cancelled", len(left))
            for task in left:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # told already
        closing = loop.create_task(loop.shutdown_asyncgens())
        loop.turn_until(closing.done, _LAST_TURNS)
        loop.close()

    def _ended(self, work: AsyncWork, task: asyncio.Task[None]) -> None:
        del self._tasks[work]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job %s: the engine failed", work.job_id, exc_info=error)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is a manual clock's. `is_wanted`: something is ready in it."""

    def __init__(self, clock: ManualClock) -> None:
        self._manual = clock
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        self.is_wanted = False
        super().__init__()

    def turn(self) -> None:
        """Run what is ready, once, without waiting."""
        self.call_soon(self.stop)
        self.is_wanted = False
        with _alone():
            self.run_forever()

    def turn_until(self, is_so: Callable[[], bool], most: int) -> bool:
        """Turn, and let time pass where that is waited for, until it is so; whether it is."""
        for _ in range(most):
            if is_so():
                break
            when = self.next_timer()
            if not self.is_wanted and when is not None:
                self._manual.advance_to(when)
            self.turn()
        return is_so()

    def next_timer(self) -> float | None:
        """When the next timer is due that hasn't been."""
        while self._timers and (
            self._timers[0][2].cancelled() or self._timers[0][0] <= self._manual.now()
        ):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    # ---- what asyncio calls

    def time(self) -> float:
        return self._manual.now()

    def call_soon(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self.is_wanted = True
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self.is_wanted = True
        return super().call_soon_threadsafe(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        # asyncio runs what lies before now, plus a resolution that large times swallow.
        handle = super().call_at(nextafter(when, -inf), callback, *args, context=context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- border to user code: whoever awaits gets it
            future.set_exception(error)
        return future


@contextmanager
def _alone() -> Iterator[None]:
    """Hides a loop that runs on this thread already, that of an async test say."""
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)
