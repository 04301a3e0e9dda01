"""Looking into values of jobs: references, pages and their end, in both placements."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from helpers.hosted import Folder, Watch
from helpers.waiting import until
from penstock.host import (
    Attached,
    BreakpointSpec,
    EngineClient,
    HeldValue,
    HostedEngine,
    HostProcess,
    HostUp,
    LaunchSettings,
    SourcesChanged,
    ValuePage,
    listen,
)
from penstock.host.crossing.commands import (
    COMMAND_TYPES,
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
)
from penstock.host.links.client import InProcess
from penstock.host.serving import attaching
from penstock.host.transport.sockets import fresh_folder, shared_folders
from penstock.observe import JobEnded, JobHeld
from penstock.run import GlobalJobManager, Runtime

SOURCE = """
import threading
import weakref
from pathlib import Path
from pydantic import BaseModel
from penstock import Event, Routine, Slot

FOLDER = Path(__file__).parent

def note_end(number):
    (FOLDER / f"end of {number}").write_text(threading.current_thread().name)

class Box:
    def __init__(self, number):
        self.number = number
        self.items = list(range(250))
        weakref.finalize(self, note_end, number)

class Boxes(Routine):
    out = Event(object)
    class Config(BaseModel):
        many: int = 3
    def logic(self):
        for number in range(self.config.many):
            self.out.emit(Box(number))
            yield

class Numbers(Routine):
    out = Event(object)
    def logic(self):
        for value in (1, [2], 3):
            self.out.emit(value)
            yield

class Take(Routine):
    value = Slot(object)
    out = Event(object)
    def logic(self, value): pass
"""


class Desk:
    """A client, its news, and a folder in which a value's end is seen."""

    def __init__(self, client: EngineClient, path: Path) -> None:
        self.client = client
        self.watch = Watch(client)
        self.folder = Folder(path, SOURCE)

    def start(self, source: str = "Boxes") -> str:
        return self.client.start(self.folder.chain(source, "Take"), str(self.folder.path))

    def hold(self, routine: str = "b", source: str = "Boxes") -> JobHeld:
        """A job that is held before a routine."""
        self.client.breakpoints([BreakpointSpec(1, routine)])
        job_id = self.start(source)
        self.watch.until(lambda: self.watch.of(JobHeld, job_id))
        held: JobHeld = self.watch.of(JobHeld, job_id)[0]
        return held

    def end(self, job_id: str) -> None:
        self.client.breakpoints([])
        self.client.resume(job_id)
        self.watch.ended(job_id)

    def page(self, reference: int, *path: int, offset: int = 0, count: int = 100) -> ValuePage:
        found: ValuePage = self.watch.answer(
            ValuePage, lambda: self.client.page(reference, path, offset, count)
        )
        return found

    def last(self, job_id: str, port: str = "b.value") -> int:
        """The reference of the last value of a port."""
        routine, _, name = port.partition(".")
        values = self.watch.values(job_id, routine)
        return (values.slots | values.events)[name][-1].reference

    def has_ended(self, number: int) -> bool:
        """Whether there is no such value any more; asks, so that all before has been done."""
        self.watch.answer(SourcesChanged, self.client.check_sources)
        return self.has_left(number)

    def has_left(self, number: int) -> bool:
        """Whether what its end leaves is there."""
        return (self.folder.path / f"end of {number}").exists()


def is_held_again(desk: Desk, before: int) -> bool:
    return len(desk.watch.of(JobHeld)) > before


def jobs_of(client: EngineClient) -> GlobalJobManager:
    """The jobs of the engine in this process, without asking it."""
    assert isinstance(client._link, InProcess)
    runtime = client._link._engine._runtime
    assert runtime is not None
    return runtime.jobs


@pytest.fixture(params=["window", "own"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    own = request.param == "own"
    link = HostProcess(LaunchSettings(workers=2)) if own else InProcess(2)
    client = EngineClient(link=link)
    yield Desk(client, tmp_path)
    client.close()


def test_what_a_held_message_has_inside_comes_in_pages(desk: Desk) -> None:
    held = desk.hold()

    found = desk.watch.values(held.job_id, "b").held
    (message,) = held.messages
    assert [(one.slot, one.number) for one in found] == [(message.slot, message.number)]
    box = desk.page(found[0].reference)
    assert (box.kind, box.total, box.value.type) == ("fields", 2, "Box")
    number = box.items[0]
    assert (number.label, number.value.text, number.opens) == ("number", "0", False)
    assert box.items[1].opens
    items = desk.page(found[0].reference, 1, offset=200)
    assert (items.total, items.path, items.offset) == (250, (1,), 200)
    assert [item.label for item in items.items] == [str(n) for n in range(200, 250)]
    desk.end(held.job_id)
    assert desk.watch.values(held.job_id, "b").held == ()


def test_only_the_newest_value_of_a_port_has_a_reference_and_only_if_there_is_more_to_it(
    desk: Desk,
) -> None:
    held = desk.hold(source="Numbers")
    number = held.messages[0].number
    assert desk.watch.values(held.job_id, "b").held == (HeldValue("value", number, 0),)
    desk.end(held.job_id)
    samples = desk.watch.values(held.job_id, "b").slots["value"]
    assert samples[-1].value.text == "3"
    assert not any(sample.reference for sample in samples)

    held = desk.hold("a")
    for _ in range(3):
        before = len(desk.watch.of(JobHeld))
        desk.client.step(held.job_id)
        desk.watch.until(partial(is_held_again, desk, before))
    job_id = held.job_id
    values = desk.watch.values(job_id, "b").slots["value"]
    assert len(values) > 1
    assert [bool(sample.reference) for sample in values] == [*[False] * (len(values) - 1), True]
    assert desk.page(values[-1].reference).items[0].value.text == str(len(values) - 1)
    assert desk.last(job_id) == desk.last(job_id), "another one each time"
    desk.end(job_id)


def test_a_value_somebody_looked_at_is_kept_until_it_is_released(desk: Desk) -> None:
    held = desk.hold()
    (found,) = desk.watch.values(held.job_id, "b").held
    desk.page(found.reference)
    desk.end(held.job_id)

    assert desk.has_ended(1), "nobody looked at the one after"
    assert not desk.has_ended(0)
    assert desk.page(found.reference).items[0].value.text == "0"
    desk.client.release(found.reference)

    assert desk.has_ended(0)
    assert not desk.page(found.reference).kept


def test_a_value_nobody_looked_at_goes_its_way(desk: Desk) -> None:
    held = desk.hold()
    (found,) = desk.watch.values(held.job_id, "b").held
    desk.end(held.job_id)

    assert desk.has_ended(0)
    page = desk.page(found.reference)
    assert (page.kept, page.reference, page.items) == (False, found.reference, ())


def test_what_another_engine_called_a_value_means_nothing(desk: Desk) -> None:
    job_id = desk.start()
    desk.watch.ended(job_id)
    reference = desk.last(job_id)
    other = EngineClient(workers=1)
    watch = Watch(other)
    again = other.start(desk.folder.chain("Boxes", "Take"), str(desk.folder.path))
    watch.ended(again)
    values = watch.values(again, "b").slots["value"]

    assert values[-1].reference != reference
    assert not watch.answer(ValuePage, lambda: other.page(reference)).kept
    other.close()


def test_an_engine_that_has_not_started_keeps_nothing(tmp_path: Path) -> None:
    desk = Desk(EngineClient(workers=1), tmp_path)

    desk.client.release(7)

    assert not desk.page(7).kept
    assert not [told for told in desk.watch.told if not isinstance(told, ValuePage)]
    desk.client.close()


def test_a_value_ends_on_no_thread_of_its_client(tmp_path: Path) -> None:
    """Its end may run code of its class, which takes what time it likes."""
    desk = Desk(EngineClient(workers=2), tmp_path)
    held = desk.hold()
    (found,) = desk.watch.values(held.job_id, "b").held
    desk.page(found.reference)
    desk.end(held.job_id)
    assert not desk.has_ended(0)

    desk.client.release(found.reference)

    assert desk.has_ended(0)
    assert (desk.folder.path / "end of 0").read_text() == "penstock-host"
    desk.client.close()


def test_what_is_looked_at_ends_with_the_engine(tmp_path: Path) -> None:
    desk = Desk(EngineClient(workers=2), tmp_path)
    held = desk.hold()
    (found,) = desk.watch.values(held.job_id, "b").held
    desk.page(found.reference)
    desk.end(held.job_id)
    assert not desk.has_ended(0)

    desk.client.close()

    assert desk.has_left(0)


def test_a_reference_keeps_neither_the_value_nor_its_job(tmp_path: Path) -> None:
    desk = Desk(EngineClient(workers=2), tmp_path)
    job_id = desk.start()
    desk.watch.ended(job_id)
    reference = desk.last(job_id)
    jobs = jobs_of(desk.client)
    job = weakref.ref(jobs.get(job_id))

    jobs.reap()

    gc.collect()
    assert job() is None
    assert desk.has_ended(2)
    assert not desk.page(reference).kept
    desk.client.close()


def test_what_a_client_has_looked_at_is_let_go_when_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = fresh_folder()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    monkeypatch.setattr(attaching, "shared_folders", lambda: shared_folders()[:1])
    with Runtime(workers=2) as runtime, listen(runtime, name="etl", grant="evaluate") as host:
        one = Desk(EngineClient(link=Attached(host.info)), tmp_path / "1")
        one.watch.until(lambda: one.watch.of(HostUp))  # the first one steers
        other = Desk(EngineClient(link=Attached(host.info)), tmp_path / "2")
        held = one.hold()
        (found,) = one.watch.values(held.job_id, "b").held
        for desk in (one, other):
            desk.page(found.reference)
        one.end(held.job_id)

        one.client.close()
        until(lambda: len(host._server._peers) == 1)
        assert not one.has_left(0), "the other one still looks"
        assert other.page(found.reference).kept
        other.client.close()
        until(lambda: one.has_left(0))
    shutil.rmtree(base)


EVERY: tuple[Command, ...] = (
    Start("1", "{}", None, {}),
    Pause("77"),
    Resume("77"),
    Step("77"),
    Cancel("77"),
    Unstall("77", "grow"),
    Resize("77", "a.value", 3),
    SetBreakpoints(()),
    AskCounters(),
    AskThreads(),
    AskSnapshot(),
    AskValues("77", "a"),
    AskFlow("77"),
    AskPage(7, (), 0, 10),
    Release(7),
    MakeWay(0.0),
    TakeControl(),
    WhenGone("hold"),
    AskSources(),
)


def test_no_command_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that nobody carries out is an error, which the host thread logs."""
    assert {type(command) for command in EVERY} == set(COMMAND_TYPES)
    engine = HostedEngine(workers=1)
    folder = Folder(tmp_path, SOURCE)
    engine.submit(Start("1", folder.chain("Boxes", "Take"), str(folder.path), {}))
    told: list[Any] = []

    for command in EVERY:
        engine.submit(command)

    def has_come(kind: type[Any]) -> Callable[[], bool]:
        def come() -> bool:
            told.extend(engine.drain())
            return any(isinstance(one, kind) for one in told)

        return come

    until(has_come(SourcesChanged))
    until(has_come(JobEnded))
    engine.submit(object())  # type: ignore[arg-type]
    engine.close()

    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [AssertionError]
    caplog.clear()
