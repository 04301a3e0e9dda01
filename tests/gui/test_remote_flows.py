"""A window that is attached: it draws what the program's jobs run, and touches nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from helpers.scripted import Call, ScriptedClient
from penstock.flow import EventSpec, Flow, RoutineSpec, SlotSpec
from penstock.host import FlowPicture, RoutinePicture
from penstock.ids import PortRef
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session

READ = RoutinePicture("read", "__main__:Read", (), (EventSpec("row", "Row"),), "Reads rows.")
SLOTS = (SlotSpec("row", "Row", 16), SlotSpec("bad", "object"))
STORE = RoutinePicture("store", "app.db:Store", SLOTS, (), "")
WIRES = (("read.row", "store.row"), ("read.failed", "store.bad"))


def picture(job_id: str, name: str = "etl") -> FlowPicture:
    return FlowPicture(job_id, name, (READ, STORE), WIRES)


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def session(qtbot: QtBot, client: ScriptedClient) -> Iterator[Session]:
    bridge = EngineBridge(client, interval_ms=10_000)
    yield Session(FlowDocument(), client, bridge, "attached")
    bridge.stop()


def hear(session: Session) -> None:
    session.bridge.tick()
    while session.bridge.waiting:
        session.bridge.tick()


def test_the_flow_of_the_shown_job_is_drawn(session: Session, client: ScriptedClient) -> None:
    client.tell_up(99, "etl")
    client.tell_started("7", "etl", ["read", "store"])
    hear(session)
    assert client.named("ask_flow") == [Call("ask_flow", ("7",))]

    client.tell(picture("7"))
    hear(session)

    document = session.document
    assert session.job_id == "7"
    assert document.flow.name == "etl"
    assert document.spec("store").slots == STORE.slots
    assert document.spec("read").doc == "Reads rows."
    assert [str(wire) for wire in document.connections()] == [
        "read.row -> store.row",
        "read.failed -> store.bad",
    ]
    assert document.problems() == []


def test_jobs_of_one_flow_share_what_is_drawn(session: Session, client: ScriptedClient) -> None:
    resets: list[int] = []
    session.document.reset.connect(lambda: resets.append(1))
    for job_id, name in (("1", "etl"), ("2", "etl"), ("3", "other")):
        client.tell_started(job_id, name, ["read", "store"])
        client.tell(picture(job_id, name))
    hear(session)
    session.show_job("1")
    session.select(("read",))
    resets.clear()

    session.show_job("2")
    assert (resets, session.selection.routine) == ([], "read")
    session.show_job("3")
    assert resets == [1]
    assert session.document.flow.name == "other"
    assert session.job_id == "3"


def test_nobody_s_breakpoints_are_changed_by_coming(
    session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "etl", ["read", "store"])
    client.tell(picture("1"))
    hear(session)
    assert not client.named("breakpoints")

    session.toggle_breakpoint("store")
    session.show_job(None)
    hear(session)
    assert set(session.breakpoints) == {"store"}


def test_a_job_that_is_held_is_looked_at_first(session: Session, client: ScriptedClient) -> None:
    for job_id in ("1", "2", "3"):
        client.tell_started(job_id, "etl", ["read", "store"])
    client.tell_held("2", "store")
    client.tell_ended("3")
    hear(session)

    assert session.job_id == "2"


def test_what_is_held_later_is_shown_until_the_person_has_chosen(
    session: Session, client: ScriptedClient
) -> None:
    for job_id in ("1", "2"):
        client.tell_started(job_id, "etl", ["read", "store"])
    hear(session)
    assert session.job_id == "2"
    client.tell_held("1", "store")
    hear(session)
    assert session.job_id == "1"

    session.show_job("2")
    client.tell_progress("1", {})
    hear(session)
    assert session.job_id == "2"


def test_a_job_that_is_forgotten_draws_nothing(session: Session, client: ScriptedClient) -> None:
    replaced: list[int] = []
    session.document.replaced.connect(lambda: replaced.append(1))
    client.tell_started("1", "etl", ["read"])
    client.tell(FlowPicture("1", "", (), (), kept=False))
    hear(session)

    assert replaced == []


def test_a_window_with_an_engine_of_its_own_asks_for_no_flow(
    qtbot: QtBot, client: ScriptedClient
) -> None:
    bridge = EngineBridge(client, interval_ms=10_000)
    session = Session(FlowDocument(), client, bridge, "own")
    client.tell_started("1", "etl", ["read"])
    hear(session)
    bridge.stop()

    assert not client.named("ask_flow")
    assert session.job_id is None


def test_what_a_program_runs_is_moved_and_nothing_else(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    told: list[str] = []
    session.notice.connect(told.append)
    client.tell_up(99, "etl")
    client.tell_started("7", "etl", ["read", "store"])
    client.tell(picture("7"))
    hear(session)
    document = session.document
    before = document.flow.to_json()

    session.select(("read",))
    session.edits.delete_selection()
    assert session.edits.add_routine(document.spec("read")) is None
    session.edits.connect_ports(PortRef("read", "row"), PortRef("store", "bad"))
    assert not session.edits.rename("read", "reads")
    session.edits.set_title("read", "Reader")
    session.edits.set_config("read", "rows", 3)

    assert document.flow.to_json() == before
    assert len(told) == 6
    assert all("as etl runs it" in text for text in told)
    session.edits.move({"read": (40.0, 60.0)})
    assert document.position("read") == (40.0, 60.0)
    assert not session.has_changes, "nobody is asked to save how it is laid out"

    path = tmp_path / "own.flow.json"
    path.write_text(Flow("own").to_json())
    document.load(path)
    assert not session.shows_program
    session.edits.add_routine(RoutineSpec("app:Read"))
    assert session.has_changes
    session.show_job(None)
    session.show_job("7")
    assert document.flow.name == "own", "edits that no file has stay"
    assert told[-1] == "Save own or undo its changes to see the job's flow drawn."

    document.save(path)
    session.show_job(None)
    session.show_job("7")
    assert document.flow.name == "etl", "the job that is shown is drawn again"
