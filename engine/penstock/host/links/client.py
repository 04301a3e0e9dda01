"""`EngineClient`: commands in, events and replies out, all of it plain data."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from penstock.errors import PenstockError
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
)
from penstock.host.crossing.launch import Loop
from penstock.host.crossing.protocol import (
    Answer,
    BreakpointSpec,
    DisplayLost,
    EngineSnapshot,
    FlowPicture,
    HostGone,
    JobSnapshot,
    PoolUse,
    RoutineValues,
    SourcesChanged,
    StallChoice,
    ThreadTable,
    Told,
    ValuePage,
    ValueSample,
)
from penstock.host.engine.hosted import HostedEngine
from penstock.host.engine.values import no_page
from penstock.host.links.wire import LOST
from penstock.observe import JobEnded, JobStarted

KEPT_VALUES = 200
KEPT_PAGES = 200
MAX_PAGE = 100
_LONGEST_ID = 15
_NO_POOL = PoolUse(0, 0, 0, 0, 0, 0)
_Ask = AskThreads | AskSnapshot | AskValues | AskFlow | AskSources
_Place = tuple[int, tuple[int, ...], int]
"""What a page is of: reference, path and offset."""


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

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Call that when there is something to drain that shouldn't wait for the next refresh.

        Once until the next drain, on any thread; it returns at once.
        """
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

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Nothing is: a window drains more often than it should only at the routines' cost."""

    def kill(self) -> None:
        raise PenstockError("the engine runs in this process, which would end as well")

    restart = kill


class EngineClient:
    """An engine behind a surface of plain data: in this process, or at the end of a `link`.

    Every call returns at once; commands are carried out in order. What came of a command
    is told by `drain`. Nothing is started before the first `start`. Of the jobs whose end was
    fetched, the engine keeps the newest that can be asked about.

    `threads`, `snapshot`, `last_values` and `page` give the last answer told, and ask for a newer
    one, which comes with a later `drain`; one question at a time of each kind, port and page is
    under way.

    When the engine's process is gone, its jobs are told as ended (status `LOST`), starts under
    way as refused, and then the `HostGone`; ids of jobs go on counting.

    `drain` is for one caller (a window's timer); everything else may be called on any thread.
    """

    def __init__(self, workers: int | None = None, link: Link | None = None) -> None:
        self._link: Link = InProcess(workers) if link is None else link
        self._last_id = 0
        self._closed = False
        # Guards `_asked`, `_last_id` and `_pages`; never held while calling out.
        self._lock = threading.Lock()
        self._asked: set[_Ask | _Place] = set()
        self._threads = ThreadTable(_NO_POOL, ())
        self._snapshot = EngineSnapshot((), _NO_POOL, 0)
        self._values: OrderedDict[tuple[str, str], RoutineValues] = OrderedDict()
        self._pages: OrderedDict[_Place, ValuePage] = OrderedDict()
        self._lost_jobs: set[str] = set()
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
        with self._lock:
            self._last_id += 1
            job_id = str(self._last_id)
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
        told = self._link.drain()
        for one in told:
            self._hear(one)
        return told

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Call that when there is state or an answer to drain of an engine the window doesn't slow.

        Once until the next drain, on any thread; it has to return at once.
        """
        self._link.when_urgent(call)

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
        is_lost = job_id in self._lost_jobs
        if not is_lost:
            self._ask(AskValues(job_id, routine))
        nothing = RoutineValues(job_id, routine, {}, {}, kept=not is_lost)
        return self._values.setdefault((job_id, routine), nothing)

    def page(
        self, reference: int, path: Sequence[int] = (), offset: int = 0, count: int = MAX_PAGE
    ) -> ValuePage | None:
        """What is inside a value, or in the child of it that `path` leads to, from `offset` on.

        `count` is of children, or characters. None before it was told; where there is no engine
        any more, a page that says that the value isn't kept. The value is kept for this client
        from the first page on: `release` it.
        """
        place = reference, tuple(path), offset
        if self._closed or not self._link.answers:
            return no_page(*place)
        self._send_once(place, AskPage(*place, count))
        with self._lock:
            return self._pages.get(place)

    def release(self, reference: int) -> None:
        """Need a value no more, and forget its pages; returns at once."""
        with self._lock:
            for place in [place for place in self._pages if place[0] == reference]:
                del self._pages[place]
            # Who looks again asks anew: what is under way is answered before the release.
            self._asked = {ask for ask in self._asked if not _is_page(ask, reference)}
        if not self._closed and self._link.answers:
            self._link.send(Release(reference))

    def kill(self) -> None:
        """End the engine's process at once, whatever it does; `HostGone` tells when it is so.

        Raises PenstockError where the engine has no process of its own that is ours.
        """
        self._link.kill()

    def restart(self) -> None:
        """End the engine's process in order; the next `start` begins in a fresh one. As `kill`."""
        self._link.restart()

    def ask_flow(self, job_id: str) -> None:
        """Have the flow told that a job runs, as a `FlowPicture`."""
        self._ask(AskFlow(job_id))

    def check_sources(self) -> None:
        """Have it told as `SourcesChanged` which source files aren't those that were imported.

        A start looks by itself where a fresh process is to be had.
        """
        self._ask(AskSources())

    def close(self, timeout: float = 5.0) -> None:
        """Cancel what runs and end what is ours, within `timeout` seconds; idempotent.

        An engine that others watch too, or that is a user's program, stays.
        """
        self._closed = True
        self._link.close(timeout)

    # ---- the way

    def _ask(self, ask: _Ask) -> None:
        if not self._closed and self._link.answers:
            self._send_once(ask, ask)

    def _send_once(self, question: _Ask | _Place, command: Command) -> None:
        """Ask, unless the question is under way."""
        with self._lock:
            if question in self._asked:
                return
            self._asked.add(question)
        self._link.send(command)

    def _hear(self, told: Told | Answer) -> None:
        match told:
            case JobStarted():
                self._skip_id(told.job_id)
            case JobEnded():
                if told.status == LOST:
                    self._lost_jobs.add(told.job_id)
            case ThreadTable():
                self._threads = told
                self._answered(AskThreads())
            case EngineSnapshot():
                self._snapshot = told
                self._answered(AskSnapshot())
            case RoutineValues():
                key = told.job_id, told.routine
                self._values[key] = told
                self._values.move_to_end(key)
                while len(self._values) > KEPT_VALUES:
                    self._values.popitem(last=False)
                self._answered(AskValues(*key))
            case ValuePage():
                self._keep_page(told)
            case FlowPicture():
                self._answered(AskFlow(told.job_id))
            case DisplayLost():
                self._lost_there = told.total
            case SourcesChanged():
                self._answered(AskSources())
            case HostGone():
                self._after(told)
            case _:
                pass

    def _skip_id(self, job_id: str) -> None:
        """Somebody else may start jobs there, too; ids of both are counted."""
        if job_id.isdecimal() and len(job_id) < _LONGEST_ID:
            with self._lock:
                self._last_id = max(self._last_id, int(job_id))

    def _keep_page(self, page: ValuePage) -> None:
        place = page.reference, page.path, page.offset
        with self._lock:
            self._pages[place] = page
            self._pages.move_to_end(place)
            if len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)
            self._asked.discard(place)

    def _answered(self, ask: _Ask) -> None:
        with self._lock:
            self._asked.discard(ask)

    def _after(self, gone: HostGone) -> None:
        with self._lock:
            self._asked.clear()
            self._pages.clear()
        self._lost_before, self._lost_there = self._lost_before + self._lost_there, 0
        self._threads = ThreadTable(_NO_POOL, ())
        jobs = tuple(map(_lost_job, self._snapshot.jobs))
        self._snapshot = replace(self._snapshot, jobs=jobs, pool=_NO_POOL)
        for key, values in self._values.items():
            self._values[key] = _without_references(values)


def _lost_job(job: JobSnapshot) -> JobSnapshot:
    return replace(job, status=LOST, running=0) if job.finished_at is None else job


def _without_references(values: RoutineValues) -> RoutineValues:
    """What is left of last values where nobody keeps them."""

    def bare(ports: dict[str, tuple[ValueSample, ...]]) -> dict[str, tuple[ValueSample, ...]]:
        return {
            port: tuple(replace(sample, reference=0) for sample in samples)
            for port, samples in ports.items()
        }

    return replace(values, slots=bare(values.slots), events=bare(values.events), held=())


def _is_page(ask: _Ask | _Place, reference: int) -> bool:
    return isinstance(ask, tuple) and ask[0] == reference
