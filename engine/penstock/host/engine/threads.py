"""Every live thread: the pool's and the jobs' book-keeping joined with the interpreter's list."""

from __future__ import annotations

import threading
from time import monotonic

from penstock.host.crossing.protocol import PoolUse, ThreadInfo, ThreadTable
from penstock.run import JobExecutor, Runtime, WorkerInfo

HOST_THREAD = "penstock-host"
_STEWARD_THREAD = "penstock-steward"
_ASYNC_THREAD = "penstock-async"


class ThreadCensus:
    """Counts threads and remembers the most there were. One caller at a time.

    ``main_role`` is what the process's main thread is for.
    """

    def __init__(self, workers: int, main_role: str = "window") -> None:
        self._workers = workers
        self._main_role = main_role
        self._high_water = 0

    def pool_use(self, runtime: Runtime | None) -> PoolUse:
        """The pool now; before the first job there are no workers."""
        live = threading.active_count()
        self._high_water = max(self._high_water, live)
        if runtime is None:
            return PoolUse(self._workers, 0, 0, 0, live, self._high_water)
        use = runtime.statistics()
        return PoolUse(
            use.workers,
            use.busy,
            use.idle,
            use.backlog,
            live,
            self._high_water,
            use.spare_threads,
            use.abandoned_threads,
        )

    def table(self, runtime: Runtime | None) -> ThreadTable:
        """Pool use and one row per live thread, ours first."""
        now = monotonic()
        known: dict[int | None, ThreadInfo] = {}
        if runtime is not None:
            for worker in runtime.pool.infos():
                known[worker.ident] = _worker_row(worker, now)
            for executor in runtime.jobs.list():
                thread = executor.event_loop_thread
                if thread is not None and thread.is_alive():
                    known[thread.ident] = _loop_row(executor, thread, now)
        rows = [
            _async_row(t, runtime, now)
            if t.name == _ASYNC_THREAD and runtime is not None
            else known.get(t.ident) or self._other_row(t)
            for t in threading.enumerate()
        ]
        rows.sort(key=lambda row: (_ROLES.index(row.role), len(row.name), row.name))
        return ThreadTable(self.pool_use(runtime), tuple(rows))

    def _other_row(self, thread: threading.Thread) -> ThreadInfo:
        role = "foreign"
        if thread.name.startswith(HOST_THREAD):
            role = "host"
        elif thread.name == _STEWARD_THREAD:
            role = "steward"
        elif thread is threading.main_thread():
            role = self._main_role
        return ThreadInfo(thread.name, thread.ident or 0, role, "", "", "", None, thread.daemon)


_ROLES = ("worker", "loop", "steward", "async", "host", "window", "foreign")


def _worker_row(worker: WorkerInfo, now: float) -> ThreadInfo:
    return ThreadInfo(
        name=worker.name,
        ident=worker.ident or 0,
        role="worker",
        state=_worker_state(worker),
        job_id=worker.job_id,
        routine=worker.routine,
        since=max(0.0, now - worker.since) if worker.since else None,
        daemon=True,
    )


def _worker_state(worker: WorkerInfo) -> str:
    if not worker.busy:
        return "idle"
    if worker.abandoned:
        return "abandoned"
    return "waits" if worker.outside else "running"


def _loop_row(executor: JobExecutor, thread: threading.Thread, now: float) -> ThreadInfo:
    state = "running" if executor.loop_busy else "waits"
    since = max(0.0, now - executor.loop_since)
    return ThreadInfo(
        thread.name, thread.ident or 0, "loop", state, executor.id, "", since, thread.daemon
    )


def _async_row(thread: threading.Thread, runtime: Runtime, now: float) -> ThreadInfo:
    """The asyncio thread: its one coroutine, or how long the oldest of several has run."""
    tasks = [
        (token.since, executor.id, token.routine)
        for executor in runtime.jobs.list()
        for run in executor.core.runs
        if run.plan.is_async
        for token in tuple(run.tokens)
        if token.worker is not None
    ]
    state = "running" if tasks else "idle"
    since, job_id, routine = min(tasks, default=(0.0, "", ""))
    if len({task[1:] for task in tasks}) > 1:
        job_id = routine = ""
    return ThreadInfo(
        thread.name,
        thread.ident or 0,
        "async",
        state,
        job_id,
        routine,
        max(0.0, now - since) if since else None,
        thread.daemon,
    )
