"""A window that is attached: it draws what the program's jobs run, and touches nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
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


@pytest.fixture
def refused(session: Session, client: ScriptedClient, tmp_path: Path) -> Path:
    """The file of a flow with an edit that kept the flow of the shown job from being drawn."""
    path = tmp_path / "own.flow.json"
    path.write_text(Flow("own").to_json())
    session.document.load(path)
    session.edits.add_routine(RoutineSpec("app:Read"))
    client.tell_started("7", "etl", ["read", "store"])
    client.tell(picture("7"))
    hear(session)
    assert (session.job_id, session.document.flow.name) == ("7", "own")
    return path


@pytest.mark.parametrize("way", ["save", "undo"])
def test_what_was_refused_is_drawn_once_nothing_is_lost_by_it(
    qtbot: QtBot, session: Session, refused: Path, way: str
) -> None:
    seen: list[Path | None] = []
    session.document.saved.connect(lambda: seen.append(session.document.path))
    if way == "save":
        session.document.save(refused)
        assert seen == [refused], "whoever hears of the saving still finds what was saved"
    else:
        session.undo.undo()

    qtbot.waitUntil(lambda: session.document.flow.name == "etl", timeout=10_000)
    assert session.shows_program


@pytest.mark.parametrize("way", ["load", "new"])
def test_a_flow_that_is_opened_instead_is_not_replaced_by_the_job_s(
    qtbot: QtBot, session: Session, refused: Path, way: str
) -> None:
    drawn: list[int] = []
    assert session.remote_flows is not None
    session.remote_flows.shown.connect(lambda: drawn.append(1))
    if way == "load":
        session.document.load(refused)
    else:
        session.document.new()
    let_timers_run(qtbot)
    session.edits.add_routine(RoutineSpec("app:Read"))
    session.undo.undo()
    let_timers_run(qtbot)

    assert (session.shows_program, drawn) == (False, [])


def test_an_own_flow_that_nobody_was_refused_for_stays_when_saved(
    qtbot: QtBot, session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    client.tell_started("7", "etl", ["read", "store"])
    client.tell(picture("7"))
    hear(session)
    path = tmp_path / "own.flow.json"
    path.write_text(Flow("own").to_json())
    session.document.load(path)
    session.edits.add_routine(RoutineSpec("app:Read"))
    session.document.save(path)
    let_timers_run(qtbot)

    assert session.document.flow.name == "own"


def test_whose_the_flow_is_is_known_to_all_who_hear_of_it(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    told: list[tuple[str, bool]] = []
    document = session.document
    document.reset.connect(lambda: told.append((document.flow.name, session.shows_program)))
    client.tell_started("7", "etl", ["read", "store"])
    client.tell(picture("7"))
    hear(session)
    path = tmp_path / "own.flow.json"
    path.write_text(Flow("own").to_json())
    document.load(path)

    assert told == [("etl", True), ("own", False)]


def let_timers_run(qtbot: QtBot) -> None:
    """Until whatever is due now in the event loop has been done, and what that made due."""
    for _ in range(2):
        timer = QTimer(singleShot=True, interval=0)
        with qtbot.waitSignal(timer.timeout, timeout=10_000):
            timer.start()
