"""`HostedEngine`: a runtime that carries out commands and keeps what there is to tell."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic, time, time_ns
from typing import Any, assert_never

from penstock.debug import Breakpoint, Debugger
from penstock.errors import PenstockError
from penstock.flow import Flow
from penstock.host.crossing.commands import (
    AskCounters,
    AskFlow,
    AskPage,
    AskSnapshot,
    AskSources,
    AskThreads,
    AskValues,
    Cancel,
    Command,
    MakeWay,
    Pause,
    Release,
    Resize,
    Resume,
    SetBreakpoints,
    Start,
    Step,
    TakeControl,
    Unstall,
    WhenGone,
    refusal,
)
from penstock.host.crossing.launch import Loop
from penstock.host.crossing.protocol import (
    Answer,
    ControlChanged,
    EngineSnapshot,
    FlowPicture,
    HeldValue,
    JobSnapshot,
    RoutineValues,
    SourcesChanged,
    StartRefused,
    ThreadTable,
    Told,
    ValueSample,
)
from penstock.host.engine.monitor import Monitor
from penstock.host.engine.picture import flow_picture, no_picture
from penstock.host.engine.sources import SourceBook
from penstock.host.engine.threads import HOST_THREAD, ThreadCensus
from penstock.host.engine.values import ValueStore, opens
from penstock.observe import JobEnded, JobStarted
from penstock.run import JobExecutor, Runtime, Sample, failure_of
from penstock.run.telling import summary_of

KEPT_JOBS = 50
_LAST_SECONDS = 1.0
_WAKING_SECONDS = 0.03
_log = logging.getLogger(__name__)
_AT_ONCE = (AskCounters, AskThreads, AskSnapshot, AskValues, AskFlow, MakeWay, TakeControl)
_UNSTARTED = (AskSources, AskPage, Release)
"""What is done on the host thread, but has an answer also while there is none."""
_Steering = Pause | Resume | Step | Cancel | Unstall | Resize


class _Reap:
    """What the engine tells its own thread: ends were fetched."""


def default_workers() -> int:
    """How many workers an engine has when nobody says."""
    return min(32, (os.cpu_count() or 1) + 4)


class HostedEngine:
    """An engine in this process: commands go in, `drain` gives what came of them.

    Commands are carried out in order on the host thread, which also imports flows, so no caller
    waits for user code. Questions, and what only changes who gets the interpreter, are done on
    the caller's thread: an import doesn't hold them up. Not so pages of values, and releases: with
    the last reference to a value goes what its class does at its end. Nothing is started before the
    first `Start`. Of the jobs whose end was fetched, the newest `KEPT_JOBS` can still be asked
    about.

    Around a `runtime` of somebody else it watches and steers that one's jobs; it forgets none of
    them, and `close` leaves them alone.

    `drain` is for one caller; everything else may be called on any thread. ``on_news`` is called
    on threads of the engine (or the caller's, for answers) when something was told that mustn't
    wait: state, replies, answers; ``on_state`` before it, for all but answers.
    """

    def __init__(
        self,
        workers: int | None = None,
        loop: Loop = "thread",
        *,
        runtime: Runtime | None = None,
        on_news: Callable[[], None] | None = None,
        on_state: Callable[[], None] | None = None,
    ) -> None:
        self._workers = default_workers() if workers is None else workers
        self._loop = loop
        self._monitor = Monitor(on_news=on_news, on_state=on_state)
        self._census = ThreadCensus(self._workers, "window" if runtime is None else "foreign")
        self._asking = threading.Lock()  # guards the census and `_before`; calls out to jobs' locks
        self._commands: SimpleQueue[Command | _Reap | None] = SimpleQueue()
        self._runtime: Runtime | None = None
        self._debugger: Debugger | None = None
        self._breakpoints = SetBreakpoints(())
        self._host: threading.Thread | None = None
        self._start_lock = threading.Lock()  # guards `_host`; never held while calling out
        self._closed = False
        self._before: ThreadTable | None = None
        self._before_until = 0.0
        self._ends_fetched = 0
        self._sources = SourceBook()
        self._store = ValueStore()
        self._is_ours = runtime is None
        self._kept_values = False
        if runtime is not None:
            self._adopt(runtime)

    def submit(self, command: Command) -> None:
        """Carry out a command soon; returns at once. What can't be done is told.

        Raises PenstockError for a `Start` after `close`.
        """
        if isinstance(command, _AT_ONCE):
            self._do(command)
            return
        if isinstance(command, Start):
            self._ensure_host()
        elif isinstance(command, SetBreakpoints):
            self._breakpoints = command
        elif isinstance(command, _UNSTARTED) and self._host is None:
            self._do(command)  # nothing has been imported, and no value is there
            return
        if self._host is not None:
            self._commands.put(command)
        elif not isinstance(command, SetBreakpoints):
            self._refuse(command, "no job has been started")

    def drain(self) -> tuple[Told | Answer, ...]:
        """Events, replies and answers since the last call, events in order per job."""
        told = self._monitor.drain()
        if self._is_ours and self._ends_fetched != self._monitor.ends_fetched:
            self._ends_fetched = self._monitor.ends_fetched
            self._commands.put(_Reap())
        return told

    @property
    def is_moving(self) -> bool:
        """Whether `AskCounters` may bring anything: some job isn't over and isn't held."""
        return self._monitor.is_moving

    @property
    def lost(self) -> int:
        """Display events dropped because nobody drained in time."""
        return self._monitor.lost

    def close(self, timeout: float = 5.0) -> None:
        """Cancel what runs and stop all our threads, within `timeout` seconds; idempotent.

        A runtime of somebody else goes on, without our breakpoints.
        """
        deadline = monotonic() + timeout
        with self._start_lock:
            self._closed = True
            host = self._host
        if host is None:
            return
        self._commands.put(None)
        if self._runtime is not None and self._is_ours:
            self._runtime.shutdown(timeout=max(0.0, deadline - monotonic()))
        host.join(max(0.0, deadline - monotonic()))

    # ---- on the host thread

    def _serve(self) -> None:
        while (command := self._commands.get()) is not None:
            try:
                self._do(command)
            except BaseException:  # noqa: BLE001 -- a fault of ours must not stop all later ones
                _log.exception("a command failed")
        self._store.leave()
        if self._runtime is None:
            return
        if self._is_ours:
            # A start may have been under way when `close` looked: nothing of it may stay.
            self._runtime.shutdown(timeout=_LAST_SECONDS)
        else:
            self._leave()

    def _do(self, command: Command | _Reap) -> None:
        match command:
            case Start():
                self._start(command)
            case SetBreakpoints():
                self._set_breakpoints()
            case AskSources():
                changed = tuple(map(str, self._sources.changed()))
                self._monitor.reply(SourcesChanged(changed))
            case AskCounters():
                self._ask_counters()
            case AskThreads():
                self._monitor.reply(self._threads())
            case AskSnapshot():
                self._monitor.reply(self._snapshot())
            case AskValues():
                self._monitor.reply(self._values(command))
            case AskFlow():
                self._monitor.reply(self._picture(command.job_id))
            case AskPage():
                self._monitor.reply(
                    self._store.page(command.reference, command.path, command.offset, command.most)
                )
            case Release():
                self._store.release(command.reference)
            case MakeWay():
                self._make_way(command.seconds)
            case TakeControl():
                self._monitor.reply(ControlChanged(in_control=True))
            case _Reap():
                self._reap()
            case WhenGone():
                pass  # whoever commands an engine directly doesn't go before it
            case _:
                self._steer(command)

    def _start(self, start: Start) -> None:
        if self._closed:
            return
        try:
            folder = Path(start.folder) if start.folder is not None else None
            flow = Flow.from_json(start.flow_json, folder=folder)
            since = time_ns()
            try:
                self._engine().exec(flow, start.entry_params, job_id=start.job_id, as_json=True)
            finally:
                self._sources.note(flow, since)
        except PenstockError as error:
            self._monitor.reply(StartRefused(start.job_id, str(error), _trace(error)))
        except BaseException as error:  # noqa: BLE001 -- border to user code: an import may raise
            failure = failure_of("", {}, error)
            text = f"{failure.type}: {failure.text}"
            self._monitor.reply(StartRefused(start.job_id, text, failure.traceback))

    def _engine(self) -> Runtime:
        """The runtime, made on first use."""
        if self._runtime is None:
            runtime = Runtime(self._workers, loop=self._loop, instruments=[self._monitor])
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
            specs = self._breakpoints.specs
            self._debugger.breakpoints.replace(
                tuple(Breakpoint(s.id, s.place, enabled=s.enabled, job_id=s.job_id) for s in specs)
            )

    def _steer(self, command: _Steering) -> None:
        runtime, debugger = self._runtime, self._debugger
        if runtime is None or debugger is None:
            self._refuse(command, "no job has been started")
            return
        try:
            match command:
                case Pause():
                    debugger.pause(command.job_id)
                case Resume():
                    debugger.resume(command.job_id)
                case Step():
                    debugger.step(command.job_id)
                case Cancel():
                    runtime.jobs.cancel(command.job_id)
                case Unstall():
                    runtime.jobs.unstall(command.job_id, command.choice)
                case Resize():
                    runtime.jobs.resize(command.job_id, command.port, command.capacity)
                case _:
                    assert_never(command)
        except (PenstockError, ValueError) as error:
            self._refuse(command, str(error))

    # ---- on the caller's thread

    def _ask_counters(self) -> None:
        for job_id in self._monitor.due_samples():
            executor = self._executor(job_id)
            if executor is not None:
                executor.send(Sample())

    def _threads(self) -> ThreadTable:
        with self._asking:
            before = self._before
            if before is not None and monotonic() < self._before_until:
                return before
            return self._census.table(self._runtime)

    def _snapshot(self) -> EngineSnapshot:
        executors = self._runtime.jobs.list() if self._runtime is not None else []
        with self._asking:
            pool = self._census.pool_use(self._runtime)
        return EngineSnapshot(tuple(map(_job_snapshot, executors)), pool, self.lost)

    def _values(self, ask: AskValues) -> RoutineValues:
        executor = self._executor(ask.job_id)
        if executor is None:
            return RoutineValues(ask.job_id, ask.routine, {}, {}, kept=False)
        slots, events = executor.reads.values(ask.routine)
        held = executor.reads.held(ask.routine)

        def samples(port: str, values: tuple[Any, ...]) -> tuple[ValueSample, ...]:
            found = [ValueSample(*value) for value in values]
            if found:  # of those before, the engine keeps the summary only
                reference = self._reference(executor, ask.routine, port, found[-1].number)
                found[-1] = replace(found[-1], reference=reference)
            return tuple(found)

        return RoutineValues(
            ask.job_id,
            ask.routine,
            {name: samples(name, values) for name, values in slots.items()},
            {name: samples(name, values) for name, values in events.items()},
            held=tuple(
                HeldValue(slot, number, self._reference(executor, ask.routine, slot, number))
                for slot, number in held
            ),
        )

    def _reference(self, executor: JobExecutor, routine: str, port: str, number: int) -> int:
        """What a value is called by, which keeps neither it nor its job; 0 for none to look into.

        Under the job's lock: what is looked at here can't become ours alone, and end here.
        """
        with executor.lock:
            try:
                if not opens(executor.reads.value(routine, port, number)):
                    return 0
            except LookupError:
                return 0
        job = weakref.ref(executor)
        return self._store.offer(
            (job, routine, port, number), partial(_find, job, routine, port, number)
        )

    def _picture(self, job_id: str) -> FlowPicture:
        executor = self._executor(job_id)
        if executor is None:
            return no_picture(job_id)
        return flow_picture(job_id, executor.core.plan)

    def _make_way(self, seconds: float) -> None:
        """Begin no activation for so long; meanwhile threads are told as they were before.

        Workers that stand back aren't idle for their own reasons.
        """
        if self._runtime is None:
            return
        with self._asking:
            if seconds > 0:
                self._before = self._census.table(self._runtime)
                self._before_until = monotonic() + seconds
            elif monotonic() < self._before_until:
                self._before_until = min(self._before_until, monotonic() + _WAKING_SECONDS)
        self._runtime.pool.make_way(seconds)

    def _executor(self, job_id: str) -> JobExecutor | None:
        jobs = self._runtime.jobs.list() if self._runtime is not None else []
        return next((executor for executor in jobs if executor.id == job_id), None)

    def _refuse(self, command: Command, text: str) -> None:
        self._monitor.reply(refusal(command, text))

    def _ensure_host(self) -> None:
        with self._start_lock:
            if self._closed:
                raise PenstockError("the engine is closed and starts no jobs")
            if self._host is None:
                self._host = threading.Thread(target=self._serve, name=HOST_THREAD, daemon=True)
                self._host.start()

    # ---- around a runtime of somebody else

    def _adopt(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept_values = runtime.jobs.keep_values
        runtime.jobs.keep_values = True
        known = self._tell_present(runtime, frozenset())
        runtime.instruments.add(self._monitor)
        self._tell_present(runtime, known)
        for executor in runtime.jobs.list():
            executor.send(Sample(hold=True))
        self._debugger = Debugger(runtime)
        self._ensure_host()

    def _tell_present(self, runtime: Runtime, known: frozenset[str]) -> frozenset[str]:
        """Tell the jobs that run already, as far as nobody has, and which of `known` have ended.

        Told twice, before and after the monitor listens, no job is missed. Their counters are
        asked for as everybody's are.
        """
        pictures = [executor.reads.snapshot() for executor in runtime.jobs.list()]
        for job in pictures:
            if job.status.is_final and job.id in known:
                error = None if job.error is None else summary_of(job.error)
                end = job.finished_at or time()
                self._monitor.tell_late(JobEnded(0, job.id, end, job.status.value, error, {}))
            elif job.started_at is not None and not job.status.is_final:
                begin = JobStarted(0, job.id, job.started_at, job.flow, tuple(job.routines))
                self._monitor.tell_late(begin)
        return frozenset(job.id for job in pictures if not job.status.is_final)

    def _leave(self) -> None:
        runtime = self._runtime
        if runtime is None:
            return
        if self._breakpoints.specs:
            self._breakpoints = SetBreakpoints(())
            self._set_breakpoints()
        runtime.instruments.remove(self._monitor)
        runtime.jobs.keep_values = self._kept_values


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


def _find(job: weakref.ref[JobExecutor], routine: str, port: str, number: int) -> object:
    """The value, as long as its job keeps it; raises LookupError."""
    executor = job()
    if executor is None:
        raise LookupError(f"the job of message {number} is forgotten")
    return executor.reads.value(routine, port, number)


def _trace(error: BaseException) -> str:
    cause = error.__cause__
    return "" if cause is None else failure_of("", {}, cause).traceback
