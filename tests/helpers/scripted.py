"""A client with EngineClient's methods and no engine: tests say what it tells, and read calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.host import (
    LOST,
    Answer,
    BreakpointSpec,
    ControlChanged,
    EngineSnapshot,
    HostGone,
    HostUp,
    JobSnapshot,
    PoolUse,
    RoutineValues,
    StallChoice,
    ThreadInfo,
    ThreadTable,
    Told,
    ValuePage,
)
from penstock.observe import (
    ActivationFailed,
    ActivationStarted,
    EngineEvent,
    FailureSummary,
    HeldMessage,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    JobView,
    RoutineCount,
    SlotCount,
    Stalled,
    ValueSummary,
)

IDLE_POOL = PoolUse(size=4, busy=0, idle=4, backlog=0, threads=5, threads_high_water=5)


def text_value(text: str) -> ValueSummary:
    """The summary of a str."""
    return ValueSummary("str", repr(text), len(text))


def slot_count(depth: int = 0, capacity: int = 1000, **more: int) -> SlotCount:
    """Counters of a slot in which `depth` messages wait; anything not named is 0."""
    numbers = {
        "high_water": depth,
        "posted": depth,
        "consumed": 0,
        "queued": depth,
        "in_flight": 0,
        "dead": 0,
        "discarded": 0,
    }
    return SlotCount(depth=depth, capacity=capacity, **(numbers | more))


def routine_count(status: str = "idle", **more: Any) -> RoutineCount:
    """Counters of a routine; anything not named is 0 or empty."""
    numbers: dict[str, Any] = {
        "activations": 0,
        "failures": 0,
        "running": 0,
        "ready": 0,
        "seconds": 0.0,
        "refused": 0,
        "slots": {},
        "emitted": {},
    }
    return RoutineCount(status=status, **(numbers | more))


@dataclass(frozen=True)
class Call:
    """One call of the client: its method and the arguments."""

    method: str
    arguments: tuple[Any, ...]


@dataclass
class ScriptedClient:
    """Does nothing by itself. `calls` is what was asked, `tell…` what `drain` gives next.

    The methods that make events number them per job and keep a `JobView` of each job, from
    which `snapshot` answers. Set `table`, `values` and `lost` to what a test wants to see; as with
    an engine, `threads` and `last_values` answer what `drain` has told before.
    """

    workers: int | None = None
    calls: list[Call] = field(default_factory=list)
    views: dict[str, JobView] = field(default_factory=dict)
    table: ThreadTable = field(default_factory=lambda: ThreadTable(IDLE_POOL, ()))
    values: dict[tuple[str, str], RoutineValues] = field(default_factory=dict)
    lost: int = 0
    closed: bool = False
    ring: Callable[[], object] | None = None
    ways: list[float] = field(default_factory=list)
    asked: int = 0
    time: float = 1_700_000_000.0
    _told: list[Told | Answer] = field(default_factory=list)
    _told_table: ThreadTable = field(default_factory=lambda: ThreadTable(IDLE_POOL, ()))
    _told_values: dict[tuple[str, str], RoutineValues] = field(default_factory=dict)
    _seqs: Counter[str] = field(default_factory=Counter)
    _jobs: int = 0

    # What a session calls.

    def start(
        self,
        flow_json: str,
        folder: str | None = None,
        entry_params: dict[str, Any] | None = None,
    ) -> str:
        self._jobs += 1
        self._note("start", flow_json, folder, entry_params)
        return str(self._jobs)

    def pause(self, job_id: str | None = None) -> None:
        self._note("pause", job_id)

    def resume(self, job_id: str | None = None) -> None:
        self._note("resume", job_id)

    def step(self, job_id: str) -> None:
        self._note("step", job_id)

    def cancel(self, job_id: str) -> None:
        self._note("cancel", job_id)

    def unstall(self, job_id: str, choice: StallChoice) -> None:
        self._note("unstall", job_id, choice)

    def breakpoints(self, specs: Sequence[BreakpointSpec]) -> None:
        self._note("breakpoints", *specs)

    def ask_flow(self, job_id: str) -> None:
        self._note("ask_flow", job_id)

    def check_sources(self) -> None:
        self._note("check_sources")

    def take_control(self) -> None:
        self._note("take_control")

    def kill(self) -> None:
        self._note("kill")

    def snapshot(self) -> EngineSnapshot:
        jobs = tuple(
            JobSnapshot(
                view.job_id,
                view.flow,
                view.status,
                view.running,
                view.started or 0.0,
                view.started,
                view.ended,
                dict(view.routines),
            )
            for view in self.views.values()
        )
        return EngineSnapshot(jobs, self.table.pool, self.lost)

    def threads(self) -> ThreadTable:
        self._told.append(self.table)
        return self._told_table

    def last_values(self, job_id: str, routine: str) -> RoutineValues:
        nothing = RoutineValues(job_id, routine, {}, {})
        self._told.append(self.values.get((job_id, routine), nothing))
        return self._told_values.get((job_id, routine), nothing)

    def page(
        self, reference: int, path: Sequence[int] = (), offset: int = 0, count: int = 100
    ) -> ValuePage | None:
        self._note("page", reference, tuple(path), offset, count)
        return None

    def release(self, reference: int) -> None:
        self._note("release", reference)

    def ask(self) -> None:
        self.asked += 1

    def drain(self, ask: bool = True) -> tuple[Told | Answer, ...]:
        told, self._told = tuple(self._told), []
        for one in told:
            if isinstance(one, ThreadTable):
                self._told_table = one
            elif isinstance(one, RoutineValues):
                self._told_values[one.job_id, one.routine] = one
        return told

    def when_urgent(self, call: Callable[[], object]) -> None:
        self.ring = call

    def make_way(self, seconds: float) -> None:
        self.ways.append(seconds)

    def close(self, timeout: float = 5.0) -> None:
        self.closed = True

    # What a test calls.

    def named(self, method: str) -> list[Call]:
        """The calls of one method so far."""
        return [call for call in self.calls if call.method == method]

    def tell(self, *told: Told | Answer) -> None:
        """Put ready-made events and replies in the queue, as they are."""
        for one in told:
            if isinstance(one, EngineEvent):
                self.views.setdefault(one.job_id, JobView(one.job_id)).apply(one)
        self._told.extend(told)

    def tell_started(
        self, job_id: str, flow: str = "flow", routines: Sequence[str] | None = None
    ) -> None:
        """The job started; without `routines`, those of the JSON it was started with."""
        ids = tuple(routines) if routines is not None else self._started_routines(job_id)
        self.tell(JobStarted(*self._next(job_id), flow, ids))

    def tell_progress(
        self,
        job_id: str,
        routines: Mapping[str, RoutineCount],
        status: str = "RUNNING",
        running: int | None = None,
        stalled: Sequence[str] = (),
    ) -> None:
        """Absolute counters of a job."""
        total = sum(count.running for count in routines.values()) if running is None else running
        self.tell(JobProgress(*self._next(job_id), status, total, dict(routines), tuple(stalled)))

    def tell_stalled(self, job_id: str, slots: Sequence[str], routines: Sequence[str] = ()) -> None:
        """These slots are full, and nothing goes on."""
        self.tell(Stalled(*self._next(job_id), tuple(slots), tuple(routines)))

    def tell_activation(self, job_id: str, routine: str, thread: str = "penstock-worker-1") -> None:
        """An activation began."""
        self.tell(ActivationStarted(*self._next(job_id), routine, self._seqs[job_id], thread))

    def tell_held(
        self,
        job_id: str,
        place: str,
        messages: Sequence[HeldMessage] = (),
        *,
        why: str = "pause",
        running: Sequence[str] = (),
        waiting: int = 0,
        breakpoints: Sequence[int] = (),
    ) -> None:
        """The job is held, `place` would go next."""
        seq, job, when = self._next(job_id)
        self.tell(
            JobHeld(
                seq,
                job,
                when,
                seq,
                1,
                why,
                place,
                tuple(breakpoints),
                tuple(messages),
                tuple(running),
                waiting,
            )
        )

    def tell_resumed(self, job_id: str, place: str = "", stepping: bool = False) -> None:
        """The hold is lifted."""
        seq, job, when = self._next(job_id)
        self.tell(JobResumed(seq, job, when, seq, stepping, place))

    def tell_failed(
        self,
        job_id: str,
        routine: str,
        kind: str = "ValueError",
        text: str = "no good",
        traceback: str = "Traceback (most recent call last):\n  …\nValueError: no good",
        action: str = "deliver",
    ) -> None:
        """An activation raised."""
        failure = FailureSummary(routine, kind, text, traceback)
        self.tell(ActivationFailed(*self._next(job_id), failure, action))

    def tell_ended(
        self, job_id: str, status: str = "COMPLETED", error: FailureSummary | None = None
    ) -> None:
        """The job ended."""
        self.tell(JobEnded(*self._next(job_id), status, error, {}))

    def tell_up(self, pid: int = 4711, name: str = "etl", **more: Any) -> None:
        """A process is there; it lets this client do all unless `more` says otherwise."""
        told: dict[str, Any] = {
            "python": "3.11.7",
            "executable": "/usr/bin/python3",
            "grant": "evaluate",
            "in_control": True,
        }
        self.tell(HostUp(pid, name, **(told | more)))

    def tell_control(self, in_control: bool) -> None:
        """This client steers from now on, or no longer."""
        self.tell(ControlChanged(in_control))

    def tell_gone(
        self, text: str = "killed by SIGKILL", output: str = "", pid: int = 4711, **more: Any
    ) -> None:
        """The process has ended, and with it every job that lived: those end first."""
        live = [view for view in self.views.values() if not view.is_over]
        running = tuple(
            (view.job_id, routine)
            for view in live
            for routine, count in view.routines.items()
            if count.running
        )
        for view in live:
            self.tell_ended(view.job_id, LOST)
        self.tell(HostGone(pid, text, output, running, **more))

    def show_threads(self, threads: Sequence[ThreadInfo], pool: PoolUse = IDLE_POOL) -> None:
        """What `threads()` answers from now on."""
        self.table = ThreadTable(pool, tuple(threads))

    def _note(self, method: str, *arguments: Any) -> None:
        self.calls.append(Call(method, arguments))

    def _next(self, job_id: str) -> tuple[int, str, float]:
        self._seqs[job_id] += 1
        self.time += 0.01
        return self._seqs[job_id], job_id, self.time

    def _started_routines(self, job_id: str) -> tuple[str, ...]:
        text = self.named("start")[int(job_id) - 1].arguments[0]
        return tuple(json.loads(text)["routines"])
