"""The runtime's asyncio thread: each activation of an ``async def logic`` is one task on it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, Protocol

from penstock.run.worker import Worker

_log = logging.getLogger(__name__)
_NAME = "penstock-async"
CALL_THREADS = 32


class AsyncWorker(Worker):
    """The asyncio thread as its work sees it; never outside a count."""

    __slots__ = ()


class AsyncWork(Protocol):
    """An activation to run as a task; `run_async` never raises, also when it is cancelled."""

    job_id: str
    routine: str
    since: float

    async def run_async(self, worker: AsyncWorker) -> None: ...


class CoroutineThread:
    """Owns the thread ``penstock-async``, a daemon that is started when it is first needed.

    `_lock` guards its start and end. `_tasks` is written by the asyncio thread only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker = AsyncWorker(_NAME)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._incoming: deque[AsyncWork] = deque()
        self._asked = False
        self._tasks: dict[AsyncWork, asyncio.Task[None]] = {}
        self._last: asyncio.Task[None] | None = None
        self._stopping = False
        self._over = False

    # ---- any thread

    def submit_many(self, works: Iterable[AsyncWork]) -> None:
        """Begin these, each as a task in a context of its own; ignored after `stop`."""
        self._incoming.extend(works)
        if self._asked:
            return  # `_begin` is on its way, and looks after it has cleared the mark
        with self._lock:
            if self._stopping:
                self._incoming.clear()
                return
            loop = self._loop or self._start()
            self._asked = True
            loop.call_soon_threadsafe(self._begin)

    def cancel(self, work: AsyncWork) -> None:
        """Cancel its task if it is still there. One that was just submitted begins all the same."""
        with self._lock:
            if self._loop is not None and not self._stopping:
                self._loop.call_soon_threadsafe(self._cancel, work)

    @property
    def busy(self) -> int:
        """Tasks begun and not ended."""
        return len(self._tasks)

    def stop(self, deadline: float) -> None:
        """Cancel what is left and end the thread; never raises.

        Returns at `deadline` (monotonic) even when a coroutine blocks the thread or goes on in
        spite of being cancelled: then the thread ends with it.
        """
        with self._lock:
            if self._loop is not None and not self._stopping:
                self._loop.call_soon_threadsafe(self._begin_end)
            self._stopping = True
        thread = self._worker.thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - monotonic()))

    def _start(self) -> asyncio.AbstractEventLoop:
        """Under the lock."""
        loop = _Loop()
        loop.set_exception_handler(_tell)
        thread = threading.Thread(target=self._live, args=(loop,), name=_NAME, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            loop.close()
            raise
        self._worker.thread, self._loop = thread, loop
        return loop

    # ---- the asyncio thread

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not self._over:
            try:
                loop.run_forever()
            except BaseException:  # noqa: BLE001 -- SystemExit, say; tasks of ours raise nothing
                _log.exception("a task that a coroutine began ended %s's loop", _NAME)
        loop.close()

    def _begin(self) -> None:
        self._asked = False
        while self._incoming:
            work = self._incoming.popleft()
            body = work.run_async(self._worker)
            task = asyncio.get_running_loop().create_task(body, context=Context())
            self._tasks[work] = task
            task.add_done_callback(partial(self._ended, work))

    def _ended(self, work: AsyncWork, task: asyncio.Task[None]) -> None:
        del self._tasks[work]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job %s: the engine failed", work.job_id, exc_info=error)

    def _cancel(self, work: AsyncWork) -> None:
        """By way of the loop's queue, where the first step of the task lies ahead of this."""
        task = self._tasks.get(work)
        if task is not None:
            asyncio.get_running_loop().call_soon(task.cancel)

    def _begin_end(self) -> None:
        """Likewise: what has been submitted takes its first step."""
        self._last = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        """Wait for all tasks, also those that coroutines began themselves.

        However long it takes: a coroutine that is thrown away instead is closed by the garbage
        collector, and one that goes on in spite of that never lets the collector go.
        """
        loop = asyncio.get_running_loop()
        cancelled: set[asyncio.Task[Any]] = set()
        while left := asyncio.all_tasks() - {self._last}:
            for task in left - cancelled:
                task.cancel()
            cancelled = left
            await asyncio.wait(left)
        try:
            await loop.shutdown_asyncgens()
        finally:
            self._over = True
            loop.stop()


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose default executor has daemon threads: one that is stuck holds no exit up."""

    def __init__(self) -> None:
        super().__init__()
        self._daemons = _Daemons()

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As its base, which has `asyncio.to_thread` come here."""
        return super().run_in_executor(executor or self._daemons, func, *args)


class _Daemons(Executor):
    """At most `CALL_THREADS` threads, which end when no call waits.

    `_lock` guards the calls that wait and the number of threads. Never held while calling out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call as soon as there is a thread for it."""
        future: Future[Any] = Future()
        with self._lock:
            if self._threads < CALL_THREADS:
                threading.Thread(target=self._serve, name=f"{_NAME}-call", daemon=True).start()
                self._threads += 1
            self._waiting.append((future, partial(fn, *args, **kwargs)))
        return future

    def _serve(self) -> None:
        while (call := self._next()) is not None:
            future, act = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(act())
                except BaseException as error:  # noqa: BLE001 -- border to user code
                    future.set_exception(error)
            del call, future, act

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None


def _tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio has to say about tasks and callbacks that coroutines began."""
    _log.error("%s: %s", _NAME, context.get("message"), exc_info=context.get("exception"))
