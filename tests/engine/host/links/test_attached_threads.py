"""A client of a program that listens: it sees and steers, and leaves without ending anything."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from helpers.flows import chain, pass_on
from penstock import Event, Flow, JobStatus, PenstockError, Routine, Runtime
from penstock.host import (
    Attached,
    EngineClient,
    FlowPicture,
    HostGone,
    HostUp,
    ThreadTable,
)
from penstock.host.links import attached
from penstock.host.serving import attaching
from penstock.host.serving.attaching import Host, Listening, listen
from penstock.host.transport.sockets import (
    bind,
    fresh_folder,
    key_path,
    private_folder,
    shared_folders,
    write_private,
)
from penstock.observe import EngineEvent, JobEnded, JobHeld, JobResumed, JobStarted

DEADLINE = 20.0


class Held(Routine):
    """Emits once, and waits until it is cancelled."""

    out = Event(int)

    def logic(self) -> None:
        self.out.emit(1)
        self.checkpoint()
        while not self.cancelled:
            self.sleep(0.005)


def endless() -> Flow:
    made = Flow("endless")
    made.add("held", Held())
    made.add("on", pass_on())
    made.connect("held.out", "on.value")
    return made


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where programs of this test meet, and nobody else."""
    base = fresh_folder()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    monkeypatch.setattr(attaching, "shared_folders", lambda: shared_folders()[:1])
    yield
    shutil.rmtree(base)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(workers=2) as made:
        yield made


@pytest.fixture
def host(runtime: Runtime) -> Iterator[Host]:
    with listen(runtime, name="etl", grant="evaluate") as made:
        yield made


class Guest:
    """A client that is attached, and what it was told."""

    def __init__(self, info: Listening, **more: Any) -> None:
        self.client = EngineClient(link=Attached(info, **more))
        self.told: list[Any] = []
        self._pause = threading.Event()

    def until(self, is_so: Callable[[], object]) -> None:
        end = monotonic() + DEADLINE
        while not is_so():
            assert monotonic() < end, self.told
            self.told += self.client.drain()
            self._pause.wait(0.002)

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()


def test_it_sees_what_runs_already_and_steers_it(runtime: Runtime, host: Host) -> None:
    job = runtime.exec(endless())
    with Guest(host.info) as guest:
        guest.until(lambda: guest.of(JobStarted))
        up = guest.of(HostUp)[0]
        assert (up.name, up.grant, up.in_control) == ("etl", "evaluate", True)

        guest.client.ask_flow(job.id)
        guest.until(lambda: guest.of(FlowPicture))
        assert guest.of(FlowPicture)[0].connections == (("held.out", "on.value"),)
        guest.client.cancel(job.id)
        guest.until(lambda: guest.of(JobEnded))
    assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_a_flow_is_told_to_who_has_asked(runtime: Runtime, host: Host) -> None:
    job = runtime.exec(endless())
    with Guest(host.info) as guest, Guest(host.info) as other:
        other.until(lambda: other.of(JobStarted))
        guest.until(lambda: guest.of(JobStarted))
        guest.client.ask_flow(job.id)
        guest.until(lambda: guest.of(FlowPicture))
        other.client.threads()
        other.until(lambda: other.of(ThreadTable))

        assert not other.of(FlowPicture)


def test_a_fault_of_ours_in_connecting_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_wire(*given: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(attached, "Wire", no_wire)
    with Guest(host.info) as guest:
        guest.until(lambda: guest.of(HostGone))
        assert guest.of(HostGone)[0].text == "RuntimeError: can't start new thread"
    caplog.clear()


def test_leaving_ends_nothing_there(runtime: Runtime, host: Host) -> None:
    job = runtime.exec(endless())
    with Guest(host.info) as guest:
        guest.until(lambda: guest.of(JobStarted))
        for end in (guest.client.kill, guest.client.restart):
            with pytest.raises(PenstockError, match="isn't this window's to end"):
                end()
    with Guest(host.info) as other:
        other.until(lambda: other.of(JobStarted))
        assert not other.of(JobEnded)
        other.client.take_control()  # that nobody steers any more may not be known there yet
        other.client.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED


@pytest.mark.parametrize(("held", "goes_on"), [("resume", True), ("hold", False)])
def test_what_becomes_of_held_jobs_is_as_was_wanted(
    runtime: Runtime, host: Host, held: str, goes_on: bool
) -> None:
    job = runtime.exec(endless())
    with Guest(host.info) as watching:
        watching.until(lambda: watching.of(JobStarted))
        with Guest(host.info, held=held) as steering:
            steering.client.take_control()
            steering.until(lambda: steering.of(JobStarted))
            steering.client.pause(job.id)
            steering.until(lambda: steering.of(JobHeld))
        if goes_on:
            watching.until(lambda: watching.of(JobResumed))
        else:
            watching.client.take_control()
            watching.client.cancel(job.id)
            watching.until(lambda: watching.of(JobEnded))
            assert not watching.of(JobResumed)
    runtime.jobs.cancel(job.id)
    assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_the_end_of_a_program_is_told_with_its_jobs(runtime: Runtime) -> None:
    host = listen(runtime, name="etl")
    job = runtime.exec(endless())
    with Guest(host.info) as guest:
        guest.until(lambda: guest.of(JobStarted))
        host.close()
        guest.until(lambda: guest.of(HostGone))

        assert [(end.job_id, end.status) for end in guest.of(JobEnded)] == [(job.id, "LOST")]
        gone = guest.of(HostGone)[0]
        assert (gone.pid, gone.asked) == (host.info.pid, False)
        before = len(guest.told)
        guest.client.pause(job.id)
        guest.until(lambda: len(guest.told) > before)
        assert "etl is out of reach" in guest.told[-1].text


def test_a_program_that_isn_t_there_is_told_so(runtime: Runtime) -> None:
    host = listen(runtime, name="etl")
    host.close()
    with Guest(host.info) as guest:
        guest.until(lambda: guest.of(HostGone))

        assert not guest.of(EngineEvent)
        assert "doesn't listen any more" in guest.of(HostGone)[0].text


def test_leaving_waits_for_no_program_that_stands_still() -> None:
    folder = private_folder(fresh_folder())
    path = folder / "stopped"
    write_private(key_path(path), bytes(32))
    with bind(path):
        link = Attached(Listening(1, "stopped", str(path), "control", 0.0), timeout=DEADLINE)
        link.close(2 * DEADLINE)
        assert link._connecting.is_alive(), "it was waited for"
    link._connecting.join(DEADLINE)

    assert link._wire is None
    shutil.rmtree(folder)


def test_ids_of_jobs_of_both_don_t_meet(runtime: Runtime, host: Host) -> None:
    theirs = [runtime.exec(chain(pass_on())) for _ in range(3)]
    with Guest(host.info) as guest:
        guest.until(lambda: len(guest.of(JobStarted)) == 3)
        ours = guest.client.start('{"version": 1, "name": "n", "routines": {}, "connections": []}')

    assert ours not in {job.id for job in theirs}
