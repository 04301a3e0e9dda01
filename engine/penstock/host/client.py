"""`EngineClient`: commands in, events and replies out, all of it plain data."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from time import time
from typing import Any, Protocol

from penstock.errors import PenstockError
from penstock.host.commands import (
    AskCounters,
    AskSnapshot,
    AskThreads,
    AskValues,
    Cancel,
    Command,
    MakeWay,
    Pause,
    Resize,
    Resume,
    SetBreakpoints,
    Start,
    Step,
    TakeControl,
    Unstall,
)
from penstock.host.engine import HostedEngine
from penstock.host.launch import Loop
from penstock.host.protocol import (
    Answer,
    BreakpointSpec,
    DisplayLost,
    EngineSnapshot,
    HostGone,
    JobSnapshot,
    PoolUse,
    RoutineValues,
    StallChoice,
    StartRefused,
    ThreadTable,
    Told,
)
from penstock.observe import EngineEvent, JobEnded, JobHeld, JobProgress, JobStarted

LOST = "LOST"
"""How a job has ended whose process is gone: nobody knows what it would have come to."""
KEPT_VALUES = 200
_NO_POOL = PoolUse(0, 0, 0, 0, 0, 0)
_Ask = AskThreads | AskSnapshot | AskValues


class Link(Protocol):
    """The way to an engine, wherever it is. Every call but `close` returns at once."""

    @property
    def lost(self) -> int:
        """Display events that were dropped on this side, ever."""
        ...

    @property
    def answers(self) -> bool:
        """Whether there is an engine that answers questions."""
        ...

    def send(self, command: Command) -> None:
        """Have a command carried out, in order; what comes of it is told."""
        ...

    def drain(self) -> tuple[Told | Answer, ...]:
        """What was told since the last call; for one caller."""
        ...

    def kill(self) -> None:
        """End the engine's process at once; raises PenstockError where it isn't this link's own."""
        ...

    def restart(self) -> None:
        """End the engine's process in order, so that the next start has a fresh one; as `kill`."""
        ...

    def close(self, timeout: float) -> None:
        """Leave, within `timeout` seconds, and take along what is this link's own; idempotent."""
        ...


class InProcess:
    """The link to an engine in this process."""

    def __init__(self, workers: int | None = None, loop: Loop = "thread") -> None:
        self._engine = HostedEngine(workers, loop)
        self.send = self._engine.submit
        self.drain = self._engine.drain
        self.close = self._engine.close

    @property
    def lost(self) -> int:
        """Display events that were dropped because nobody drained in time."""
        return self._engine.lost

    @property
    def answers(self) -> bool:
        """An engine answers before it has started anything."""
        return True

    def kill(self) -> None:
        raise PenstockError("the engine runs in this process, which would end as well")

    restart = kill


class EngineClient:
    """An engine behind a surface of plain data: in this process, or at the end of a `link`.

    Every call returns at once; commands are carried out in order. What came of a command
    is told by `drain`. Nothing is started before the first `start`. Of the jobs whose end was
    fetched, the engine keeps the newest that can be asked about.

    `threads`, `snapshot` and `last_values` give the last answer told, and ask for a newer one,
    which comes with a later `drain`; one question at a time of each kind and port is under way.

    When the engine's process is gone, its jobs are told as ended (status `LOST`), starts under
    way as refused, and then the `HostGone`; ids of jobs go on counting.

    `drain` is for one caller (a window's timer); everything else may be called on any thread.
    """

    def __init__(self, workers: int | None = None, link: Link | None = None) -> None:
        self._link: Link = InProcess(workers) if link is None else link
        self._ids = count(1)
        self._closed = False
        self._lock = threading.Lock()  # guards `_asked`; never held while calling out
        self._asked: set[_Ask] = set()
        self._threads = ThreadTable(_NO_POOL, ())
        self._snapshot = EngineSnapshot((), _NO_POOL, 0)
        self._values: OrderedDict[tuple[str, str], RoutineValues] = OrderedDict()
        self._jobs = _JobsHeard()
        self._lost_there = 0
        self._lost_before = 0

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
        A flow that can't start is told as `StartRefused`. Raises PenstockError after `close`.
        """
        if self._closed:
            raise PenstockError("the engine is closed and starts no jobs")
        job_id = str(next(self._ids))
        self._jobs.starting(job_id)
        self._link.send(Start(job_id, flow_json, folder, dict(entry_params or {})))
        return job_id

    def pause(self, job_id: str | None = None) -> None:
        """Hold one job, or all and those started later."""
        self._link.send(Pause(job_id))

    def resume(self, job_id: str | None = None) -> None:
        """Let one job, or all, go on."""
        self._link.send(Resume(job_id))

    def step(self, job_id: str) -> None:
        """Let the one activation go that would go next, and hold again."""
        self._link.send(Step(job_id))

    def cancel(self, job_id: str) -> None:
        """End a job."""
        self._link.send(Cancel(job_id))

    def unstall(self, job_id: str, choice: StallChoice) -> None:
        """End a stall: ``grow`` the full slots, ``drop`` what waits at them, or ``cancel`` the job.

        Does nothing to a job that isn't stalled.
        """
        self._link.send(Unstall(job_id, choice))

    def resize(self, job_id: str, port: str, capacity: int) -> None:
        """Give a slot (``routine.slot``) of a job another capacity."""
        self._link.send(Resize(job_id, port, capacity))

    def breakpoints(self, specs: Sequence[BreakpointSpec]) -> None:
        """Replace the whole list, for jobs that run and for later ones."""
        self._link.send(SetBreakpoints(tuple(specs)))

    def take_control(self) -> None:
        """Steer from now on; whoever did watches only. `ControlChanged` tells that it is so."""
        self._link.send(TakeControl())

    # ---- what there is to know

    def ask(self) -> None:
        """Ask moving jobs for their counters; `drain` gives them once they have answered."""
        self._link.send(AskCounters())

    def drain(self, ask: bool = True) -> tuple[Told | Answer, ...]:
        """Events, replies and answers since the last call, events in order per job.

        Each call also asks moving jobs for their counters; they come with a later one.
        """
        if ask:
            self.ask()
        return tuple(self._heard(self._link.drain()))

    def make_way(self, seconds: float) -> None:
        """Begin no activation for so long, because the window needs the interpreter; 0: go on.

        Only matters while window and engine share a process and routines compute. Meanwhile
        `threads` answers what was so before: workers that stand back aren't idle for their own
        reasons.
        """
        self._link.send(MakeWay(seconds))

    @property
    def lost(self) -> int:
        """Display events that were dropped on their way here, because something was too slow."""
        return self._link.lost + self._lost_before + self._lost_there

    def snapshot(self) -> EngineSnapshot:
        """All jobs that are kept with their counters, and the pool."""
        self._ask(AskSnapshot())
        return self._snapshot

    def threads(self) -> ThreadTable:
        """Every live thread of the engine's process, and the pool."""
        self._ask(AskThreads())
        return self._threads

    def last_values(self, job_id: str, routine: str) -> RoutineValues:
        """Summaries of the last values per port; empty for what isn't known or kept.

        Of a job whose process is gone, what was told last.
        """
        is_lost = self._jobs.is_lost(job_id)
        if not is_lost:
            self._ask(AskValues(job_id, routine))
        nothing = RoutineValues(job_id, routine, {}, {}, kept=not is_lost)
        return self._values.setdefault((job_id, routine), nothing)

    def kill(self) -> None:
        """End the engine's process at once, whatever it does; `HostGone` tells when it is so.

        Raises PenstockError where the engine has no process of its own that is ours.
        """
        self._link.kill()

    def restart(self) -> None:
        """End the engine's process in order; the next `start` begins in a fresh one. As `kill`."""
        self._link.restart()

    def close(self, timeout: float = 5.0) -> None:
        """Cancel what runs and end what is ours, within `timeout` seconds; idempotent.

        An engine that others watch too, or that is a user's program, stays.
        """
        self._closed = True
        self._link.close(timeout)

    # ---- the way

    def _ask(self, ask: _Ask) -> None:
        if self._closed or not self._link.answers:
            return
        with self._lock:
            if ask in self._asked:
                return
            self._asked.add(ask)
        self._link.send(ask)

    def _heard(self, told: Iterable[Told | Answer]) -> Iterator[Told | Answer]:
        for one in told:
            if isinstance(one, EngineEvent):
                self._jobs.hear(one)
            elif isinstance(one, StartRefused):
                self._jobs.refused(one.job_id)
            elif isinstance(one, HostGone):
                yield from self._after(one)
                continue
            else:
                self._keep(one)
            yield one

    def _keep(self, answer: Told | Answer) -> None:
        match answer:
            case ThreadTable():
                self._threads = answer
                self._answered(AskThreads())
            case EngineSnapshot():
                self._snapshot = answer
                self._answered(AskSnapshot())
            case RoutineValues():
                key = answer.job_id, answer.routine
                self._values[key] = answer
                self._values.move_to_end(key)
                while len(self._values) > KEPT_VALUES:
                    self._values.popitem(last=False)
                self._answered(AskValues(*key))
            case DisplayLost():
                self._lost_there = answer.total
            case _:
                pass

    def _answered(self, ask: _Ask) -> None:
        with self._lock:
            self._asked.discard(ask)

    def _after(self, gone: HostGone) -> Iterator[Told]:
        """What its end means for the jobs, then the end itself."""
        with self._lock:
            self._asked.clear()
        self._lost_before, self._lost_there = self._lost_before + self._lost_there, 0
        running = self._jobs.running()
        self._threads = ThreadTable(_NO_POOL, ())
        self._snapshot = replace(
            self._snapshot, jobs=tuple(map(_lost_job, self._snapshot.jobs)), pool=_NO_POOL
        )
        yield from self._jobs.lose(gone.text)
        yield replace(gone, running=running)


def _lost_job(job: JobSnapshot) -> JobSnapshot:
    return replace(job, status=LOST, running=0) if job.finished_at is None else job


class _JobsHeard:
    """Which jobs live, as far as was heard, and what ran in them. Written by who drains.

    But for `starting`, which may be called on any thread, before the job can be heard of.
    """

    def __init__(self) -> None:
        self._starting: dict[str, None] = {}
        self._live: dict[str, EngineEvent] = {}
        self._ran: dict[str, tuple[str, ...]] = {}
        self._lost: set[str] = set()

    def starting(self, job_id: str) -> None:
        self._starting[job_id] = None

    def refused(self, job_id: str) -> None:
        self._starting.pop(job_id, None)

    def hear(self, event: EngineEvent) -> None:
        job_id = event.job_id
        if isinstance(event, JobEnded):
            self._starting.pop(job_id, None)
            self._live.pop(job_id, None)
            self._ran.pop(job_id, None)
            return
        if isinstance(event, JobStarted):
            self._starting.pop(job_id, None)
        elif job_id not in self._live:
            return
        self._live[job_id] = event
        if isinstance(event, JobProgress):
            self._ran[job_id] = tuple(r for r, seen in event.routines.items() if seen.running)
        elif isinstance(event, JobHeld):
            self._ran[job_id] = tuple(dict.fromkeys(event.running))

    def running(self) -> tuple[tuple[str, str], ...]:
        """(job id, routine) of all that ran when last heard."""
        return tuple((job_id, r) for job_id, ran in self._ran.items() for r in ran)

    def is_lost(self, job_id: str) -> bool:
        return job_id in self._lost

    def lose(self, text: str) -> Iterator[Told]:
        """End all that lives, in the order it began."""
        for job_id, last in self._live.items():
            self._lost.add(job_id)
            yield JobEnded(last.seq + 1, job_id, max(time(), last.time), LOST, None, {})
        for job_id in tuple(self._starting):
            yield StartRefused(job_id, f"the engine's process ended before job {job_id}: {text}")
        for table in (self._live, self._ran, self._starting):
            table.clear()
