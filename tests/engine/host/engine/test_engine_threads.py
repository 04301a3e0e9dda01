"""`HostedEngine`: on its own, and around the runtime of somebody else's program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate
from helpers.hosted import DEADLINE, Folder
from helpers.waiting import until
from penstock import Event, Flow, JobStatus, Routine, Runtime, Slot
from penstock.host import (
    Answer,
    BreakpointSpec,
    CommandRefused,
    ControlChanged,
    EngineSnapshot,
    HostedEngine,
    RoutineValues,
    ThreadTable,
    Told,
)
from penstock.host.crossing.commands import (
    AskCounters,
    AskSnapshot,
    AskThreads,
    AskValues,
    Cancel,
    Pause,
    Resume,
    SetBreakpoints,
    Start,
    Step,
    TakeControl,
)
from penstock.host.engine.monitor import Monitor
from penstock.observe import JobEnded, JobHeld, JobProgress, JobStarted


class Hears:
    """Drains an engine until something was told."""

    def __init__(self, engine: HostedEngine) -> None:
        self.engine = engine
        self.told: list[Told | Answer] = []
        self._tick = threading.Event()

    def until(self, is_so: Callable[[], object]) -> None:
        end = monotonic() + DEADLINE
        while not is_so():
            assert monotonic() < end, self.told
            self.told += self.engine.drain()
            self._tick.wait(0.002)

    def of(self, kind: type, job_id: str | None = None) -> list[Any]:
        found = [told for told in self.told if isinstance(told, kind)]
        return [told for told in found if job_id in (None, getattr(told, "job_id", None))]


@pytest.fixture
def folder(tmp_path: Any, forgets_modules: None) -> Folder:
    return Folder(tmp_path)


def test_news_is_called_for_what_must_not_wait_and_not_for_counters(folder: Folder) -> None:
    """A server that sleeps until then sends state at once."""
    called: list[type] = []
    news = threading.Event()

    def on_news() -> None:
        called.extend(type(told) for told in engine.drain())
        news.set()

    engine = HostedEngine(workers=1, on_news=on_news)
    engine.submit(Step("1"))
    assert called == [CommandRefused]
    engine.submit(Start("1", folder.chain("Numbers"), str(folder.path), {}))
    end = monotonic() + DEADLINE
    while JobEnded not in called:
        assert news.wait(end - monotonic()), called
        news.clear()
    engine.submit(AskThreads())
    engine.submit(TakeControl())

    assert called[1] is JobStarted
    assert called[-2:] == [ThreadTable, ControlChanged]
    engine.close()


def test_state_is_called_for_what_is_no_answer(folder: Folder) -> None:
    """A host makes computing bodies give way for that."""
    states: list[int] = []
    engine = HostedEngine(workers=1, on_state=lambda: states.append(1))
    engine.submit(AskThreads())
    engine.submit(AskValues("1", "a"))
    assert not states

    engine.submit(Step("1"))
    assert len(states) == 1
    engine.submit(Start("1", folder.chain("Numbers"), str(folder.path), {}))
    told: list[Any] = []
    end = monotonic() + DEADLINE
    while JobEnded not in map(type, told):
        assert monotonic() < end, told
        told += engine.drain()
        threading.Event().wait(0.002)
    engine.close()

    assert len(states) == sum(not isinstance(one, ThreadTable | RoutineValues) for one in told)


def test_questions_are_answered_before_anything_was_started() -> None:
    engine = HostedEngine(workers=3)

    for ask in (AskThreads(), AskSnapshot(), AskValues("1", "a"), AskCounters()):
        engine.submit(ask)

    table, snapshot, values = engine.drain()
    assert isinstance(table, ThreadTable)
    assert table.pool.size == 3
    assert isinstance(snapshot, EngineSnapshot)
    assert values == RoutineValues("1", "a", {}, {}, kept=False)
    assert not engine.is_moving
    engine.close()


def test_whether_counters_may_change_is_known(folder: Folder) -> None:
    engine = HostedEngine(workers=1)
    hears = Hears(engine)
    engine.submit(SetBreakpoints((BreakpointSpec(1, "a"),)))
    engine.submit(Start("1", folder.chain("Numbers"), str(folder.path), {}))
    hears.until(lambda: hears.of(JobHeld))
    assert engine.is_moving, "its counters haven't been told since it is held"
    engine.submit(AskCounters())
    hears.until(lambda: hears.of(JobProgress))
    assert not engine.is_moving

    engine.submit(SetBreakpoints(()))
    engine.submit(Resume("1"))
    hears.until(lambda: hears.of(JobEnded))

    assert not engine.is_moving
    engine.close()


# ---- around somebody else's runtime

gate = Gate()


class Source(Routine):
    out = Event(int)

    def logic(self) -> Iterator[None]:
        for n in range(3):
            self.out.emit(n)
            yield


class Waits(Routine):
    value = Slot(int)

    def logic(self, value: int) -> None:
        gate.wait_here()


def program() -> Flow:
    flow = Flow("program")
    flow.add("a", Source())
    flow.add("b", Waits())
    flow.connect("a.out", "b.value")
    return flow


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    global gate
    gate = Gate()
    with Runtime(workers=2) as made:
        yield made
        gate.open()


def test_a_running_program_is_watched_steered_and_left_alone(runtime: Runtime) -> None:
    over = runtime.exec(Flow("empty"), job_id="over")
    over.wait(DEADLINE)
    job = runtime.exec(program(), job_id="before")
    gate.wait_came()

    engine = HostedEngine(runtime=runtime)
    hears = Hears(engine)
    hears.until(lambda: hears.of(JobStarted))
    engine.submit(AskCounters())
    hears.until(lambda: hears.of(JobProgress, "before"))
    assert [told.job_id for told in hears.of(JobStarted)] == ["before"]
    assert hears.of(JobProgress)[-1].routines["b"].running == 1
    engine.submit(AskThreads())
    hears.until(lambda: hears.of(ThreadTable))
    main = [t for t in hears.of(ThreadTable)[0].threads if t.ident == threading.main_thread().ident]
    assert [row.role for row in main] == ["foreign"], "it isn't a window's"
    later = runtime.exec(program(), job_id="later", held=True)
    hears.until(lambda: hears.of(JobHeld, "later"))
    engine.submit(Cancel("later"))
    hears.until(lambda: hears.of(JobEnded, "later"))
    assert later.wait(DEADLINE).name == "CANCELLED"
    engine.submit(Pause("before"))
    hears.until(lambda: hears.of(JobHeld, "before"))
    engine.submit(Resume("before"))
    engine.submit(SetBreakpoints((BreakpointSpec(1, "b"),)))
    engine.close()

    gate.open()
    assert job.wait(DEADLINE).name == "COMPLETED", "neither ended nor held by us any more"
    again = runtime.exec(program(), job_id="again")
    assert again.wait(DEADLINE).name == "COMPLETED", "a breakpoint stayed"
    assert not hears.of(JobStarted, "again")
    assert not engine.drain(), "it still listens"
    assert not runtime.jobs.keep_values


def test_a_job_held_before_anybody_watched_says_where_and_its_values_are_kept_from_then_on(
    runtime: Runtime,
) -> None:
    gate.open()
    job = runtime.exec(program(), job_id="before", held=True)
    until(lambda: job.status is JobStatus.PAUSED)
    engine = HostedEngine(runtime=runtime)
    hears = Hears(engine)
    hears.until(lambda: hears.of(JobHeld))
    (held,) = hears.of(JobHeld)
    assert (held.job_id, held.place) == ("before", "a")

    engine.submit(Resume("before"))
    hears.until(lambda: hears.of(JobEnded))
    engine.submit(AskValues("before", "b"))
    hears.until(lambda: hears.of(RoutineValues))
    assert hears.of(RoutineValues)[-1].slots["value"], "a job that had begun keeps them too"
    engine.close()


def test_what_happens_while_it_begins_to_listen_is_not_missed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a look at the jobs and its first event of them one ends and one starts."""
    ends = runtime.exec(program(), job_id="ends")
    gate.wait_came()
    add = runtime.instruments.add

    def add_late(instrument: object) -> None:
        if isinstance(instrument, Monitor):
            runtime.jobs.cancel("ends")
            ends.wait(DEADLINE)
            runtime.exec(program(), job_id="starts")
            gate.wait_came(2)
        add(instrument)

    monkeypatch.setattr(runtime.instruments, "add", add_late)
    engine = HostedEngine(runtime=runtime)

    news = [one for one in engine.drain() if isinstance(one, JobStarted | JobEnded)]
    told = [(type(one), one.job_id) for one in news]
    assert told == [(JobStarted, "ends"), (JobEnded, "ends"), (JobStarted, "starts")]
    assert engine.is_moving
    engine.close()


def test_jobs_of_a_running_program_are_not_forgotten(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.host.engine.hosted.KEPT_JOBS", 0)
    engine = HostedEngine(runtime=runtime)
    hears = Hears(engine)
    runtime.exec(Flow("empty"), job_id="1")
    hears.until(lambda: hears.of(JobEnded))
    hears.until(lambda: True)
    engine.close()

    assert [job.id for job in runtime.jobs.list()] == ["1"]
