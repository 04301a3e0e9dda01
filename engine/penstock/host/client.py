"""`EngineClient`: commands in, events and replies out, all of it plain data."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

from penstock.debug import Breakpoint, Debugger
from penstock.errors import PenstockError
from penstock.flow import Flow
from penstock.host.monitor import Monitor
from penstock.host.protocol import (
    BreakpointSpec,
    CommandRefused,
    EngineSnapshot,
    JobSnapshot,
    RoutineValues,
    StallChoice,
    StartRefused,
    ThreadTable,
    Told,
    ValueSample,
)
from penstock.host.threads import HOST_THREAD, ThreadCensus
from penstock.run import JobExecutor, Runtime, Sample, failure_of

Command = Callable[[], None]
KEPT_JOBS = 50
_LAST_SECONDS = 1.0
_WAKING_SECONDS = 0.03
_log = logging.getLogger(__name__)


class EngineClient:
    """An engine in this process behind a surface of plain data.

    Every call returns at once; commands are carried out in order on the host thread, which also
    imports flows, so no caller waits for user code. What came of a command
    is told by `drain`. Nothing is started before the first `start`. Of the jobs whose end was
    fetched, the newest `KEPT_JOBS` can still be asked about.

    `drain` is for one caller (a window's timer); everything else may be called on any thread.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = min(32, (os.cpu_count() or 1) + 4) if workers is None else workers
        self._monitor = Monitor()
        self._census = ThreadCensus(self._workers)
        self._commands: SimpleQueue[Command | None] = SimpleQueue()
        self._ids = count(1)
        self._runtime: Runtime | None = None
        self._debugger: Debugger | None = None
        self._breakpoints: tuple[BreakpointSpec, ...] = ()
        self._host: threading.Thread | None = None
        self._start_lock = threading.Lock()  # guards `_host`; never held while calling out
        self._closed = False
        self._before: ThreadTable | None = None
        self._before_until = 0.0
        self._ends_fetched = 0

    # ---- commands

    def start(
        self,
        flow_json: str,
        folder: str | None = None,
        entry_params: dict[str, Any] | None = None,
    ) -> str:
        """Start a job of the flow a file's text describes; returns its id before it exists.

        The flow's ``folders`` are relative to `folder`; the values of `entry_params`
        (``routine.slot``) are JSON data. This imports the flow's modules: calling it is the trust.
        A flow that can't start is told as `StartRefused`.
        """
        job_id = str(next(self._ids))
        params = dict(entry_params or {})
        self._ensure_host()
        self._commands.put(lambda: self._start(job_id, flow_json, folder, params))
        return job_id

    def pause(self, job_id: str | None = None) -> None:
        """Hold one job, or all and those started later."""
        self._send("pause", job_id, lambda debugger: debugger.pause(job_id))

    def resume(self, job_id: str | None = None) -> None:
        """Let one job, or all, go on."""
        self._send("resume", job_id, lambda debugger: debugger.resume(job_id))

    def step(self, job_id: str) -> None:
        """Let the one activation go that would go next, and hold again."""
        self._send("step", job_id, lambda debugger: debugger.step(job_id))

    def cancel(self, job_id: str) -> None:
        """End a job."""
        self._send("cancel", job_id, lambda _: self._engine().jobs.cancel(job_id))

    def unstall(self, job_id: str, choice: StallChoice) -> None:
        """End a stall: ``grow`` the full slots, ``drop`` what waits at them, or ``cancel`` the job.

        Does nothing to a job that isn't stalled.
        """
        self._send("unstall", job_id, lambda _: self._engine().jobs.unstall(job_id, choice))

    def resize(self, job_id: str, port: str, capacity: int) -> None:
        """Give a slot (``routine.slot``) of a job another capacity."""
        self._send("resize", job_id, lambda _: self._engine().jobs.resize(job_id, port, capacity))

    def breakpoints(self, specs: Sequence[BreakpointSpec]) -> None:
        """Replace the whole list, for jobs that run and for later ones."""
        self._breakpoints = tuple(specs)
        if self._host is not None:
            self._commands.put(self._set_breakpoints)

    # ---- what there is to know

    def ask(self) -> None:
        """Ask moving jobs for their counters; `drain` gives them once they have answered."""
        for job_id in self._monitor.due_samples():
            executor = self._executor(job_id)
            if executor is not None:
                executor.send(Sample())

    def drain(self, ask: bool = True) -> tuple[Told, ...]:
        """Events and replies since the last call, in order per job.

        Each call also asks moving jobs for their counters; they come with a later one.
        """
        if ask:
            self.ask()
        told = self._monitor.drain()
        if self._ends_fetched != self._monitor.ends_fetched:
            self._ends_fetched = self._monitor.ends_fetched
            self._commands.put(self._reap)
        return told

    def make_way(self, seconds: float) -> None:
        """Begin no activation for so long, because the window needs the interpreter; 0: go on.

        Only matters while window and engine share a process and routines compute. Meanwhile
        `threads` answers what was so before: workers that stand back aren't idle for their own
        reasons.
        """
        if self._runtime is None:
            return
        if seconds > 0:
            self._before = self._census.table(self._runtime)
            self._before_until = monotonic() + seconds
        elif monotonic() < self._before_until:
            self._before_until = min(self._before_until, monotonic() + _WAKING_SECONDS)
        self._runtime.pool.make_way(seconds)

    @property
    def lost(self) -> int:
        """Display events dropped because nobody drained in time."""
        return self._monitor.lost

    def snapshot(self) -> EngineSnapshot:
        """All jobs that are kept with their counters, and the pool."""
        executors = self._runtime.jobs.list() if self._runtime is not None else []
        pool = self._census.pool_use(self._runtime)
        return EngineSnapshot(tuple(map(_job_snapshot, executors)), pool, self.lost)

    def threads(self) -> ThreadTable:
        """Every live thread of this process, and the pool."""
        before = self._before
        if before is not None and monotonic() < self._before_until:
            return before
        return self._census.table(self._runtime)

    def last_values(self, job_id: str, routine: str) -> RoutineValues:
        """Summaries of the last values per port; empty for what isn't known or kept."""
        executor = self._executor(job_id)
        if executor is None:
            return RoutineValues(job_id, routine, {}, {}, kept=False)
        slots, events = executor.reads.values(routine)
        return RoutineValues(
            job_id,
            routine,
            {name: tuple(ValueSample(*v) for v in values) for name, values in slots.items()},
            {name: tuple(ValueSample(*v) for v in values) for name, values in events.items()},
        )

    def close(self, timeout: float = 5.0) -> None:
        """Cancel what runs and stop all our threads, within `timeout` seconds; idempotent."""
        deadline = monotonic() + timeout
        with self._start_lock:
            self._closed = True
            host = self._host
        if host is None:
            return
        self._commands.put(None)
        if self._runtime is not None:
            self._runtime.shutdown(timeout=max(0.0, deadline - monotonic()))
        host.join(max(0.0, deadline - monotonic()))

    # ---- on the host thread

    def _serve(self) -> None:
        while (command := self._commands.get()) is not None:
            try:
                command()
            except BaseException:  # noqa: BLE001 -- a fault of ours must not stop all later ones
                _log.exception("a command failed")
        if self._runtime is not None:
            # A start may have been under way when `close` looked: nothing of it may stay.
            self._runtime.shutdown(timeout=_LAST_SECONDS)

    def _start(
        self, job_id: str, flow_json: str, folder: str | None, params: dict[str, Any]
    ) -> None:
        if self._closed:
            return
        try:
            base = Path(folder) if folder is not None else None
            flow = Flow.from_json(flow_json, folder=base)
            self._engine().exec(flow, params, job_id=job_id, as_json=True)
        except PenstockError as error:
            self._monitor.reply(StartRefused(job_id, str(error), _trace(error)))
        except BaseException as error:  # noqa: BLE001 -- border to user code: an import may raise
            failure = failure_of("", {}, error)
            text = f"{failure.type}: {failure.text}"
            self._monitor.reply(StartRefused(job_id, text, failure.traceback))

    def _engine(self) -> Runtime:
        """The runtime, made on first use."""
        if self._runtime is None:
            runtime = Runtime(self._workers, instruments=[self._monitor])
            runtime.jobs.keep_values = True
            self._debugger = Debugger(runtime)
            self._runtime = runtime
            self._set_breakpoints()
        return self._runtime

    def _reap(self) -> None:
        """Forget old ended jobs; whatever ended since is among the newest, or told all the same."""
        if self._runtime is not None:
            self._runtime.jobs.reap(keep=KEPT_JOBS)

    def _set_breakpoints(self) -> None:
        if self._debugger is not None:
            specs = self._breakpoints
            self._debugger.breakpoints.replace(
                tuple(Breakpoint(s.id, s.place, enabled=s.enabled, job_id=s.job_id) for s in specs)
            )

    # ---- elsewhere

    def _executor(self, job_id: str) -> JobExecutor | None:
        jobs = self._runtime.jobs.list() if self._runtime is not None else []
        return next((executor for executor in jobs if executor.id == job_id), None)

    def _send(self, name: str, job_id: str | None, act: Callable[[Debugger], None]) -> None:
        def command() -> None:
            if self._debugger is None:
                return self._refuse(name, job_id, "no job has been started")
            try:
                return act(self._debugger)
            except (PenstockError, ValueError) as error:
                return self._refuse(name, job_id, str(error))

        if self._host is None:
            self._refuse(name, job_id, "no job has been started")
        else:
            self._commands.put(command)

    def _refuse(self, name: str, job_id: str | None, text: str) -> None:
        self._monitor.reply(CommandRefused(name, job_id or "", text))

    def _ensure_host(self) -> None:
        with self._start_lock:
            if self._closed:
                raise PenstockError("the engine is closed and starts no jobs")
            if self._host is None:
                self._host = threading.Thread(target=self._serve, name=HOST_THREAD, daemon=True)
                self._host.start()


def _job_snapshot(executor: JobExecutor) -> JobSnapshot:
    picture = executor.reads.snapshot()
    return JobSnapshot(
        picture.id,
        picture.flow,
        picture.status.value,
        picture.running,
        picture.created_at,
        picture.started_at,
        picture.finished_at,
        picture.routines,
        picture.stalled,
    )


def _trace(error: BaseException) -> str:
    cause = error.__cause__
    return "" if cause is None else failure_of("", {}, cause).traceback
