from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient, routine_count, slot_count
from penstock.observe import (
    FailureSummary,
    JobProgress,
    JobStarted,
    JobView,
    RoutineCount,
    Stalled,
)
from penstock_gui.assets import resource
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.jobs import JobsPanel
from penstock_gui.docks.jobs.line import job_line
from penstock_gui.docks.jobs.model import DURATION, JOB, PROGRESS, STARTED, STATE
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import CELL_ROLE, Cell

START = 1_700_000_000.0


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def session(qtbot: QtBot, client: ScriptedClient) -> Iterator[Session]:
    document = FlowDocument()
    document.load(resource("examples", "code_census", "code_census.flow.json"))
    bridge = EngineBridge(client, interval_ms=10_000)
    made = Session(document, client, bridge)
    yield made
    bridge.stop()


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> JobsPanel:
    made = JobsPanel(session, Theme("dark"), clock=lambda: START + 75.01)
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    return made


def cell(
    panel: JobsPanel, row: int, column: int, role: int = Qt.ItemDataRole.DisplayRole
) -> object:
    return panel.model.index(row, column).data(role)


def look(panel: JobsPanel, row: int, column: int) -> Cell:
    found = cell(panel, row, column, CELL_ROLE)
    assert isinstance(found, Cell)
    return found


def take_in(session: Session) -> None:
    """Let all that was told arrive, however little a tick manages."""
    session.bridge.tick()
    while session.bridge.waiting:
        session.bridge.tick()


def view_of(routines: dict[str, RoutineCount], status: str = "RUNNING") -> JobView:
    view = JobView("1")
    view.apply(JobStarted(1, "1", START, "flow", tuple(routines)))
    view.apply(JobProgress(2, "1", START + 1, status, 0, routines))
    return view


def test_no_percentage_is_claimed_while_a_source_still_emits() -> None:
    source = routine_count("running", running=1)
    worker = routine_count(slots={"path": slot_count(40, posted=100, consumed=60)})

    line = job_line(view_of({"find": source, "read": worker}), START + 2)

    assert (line.bar, line.progress) == (None, "60 msgs")
    assert "No percentage" in line.why


def test_the_share_is_shown_once_the_sources_have_ended() -> None:
    source = routine_count(activations=1)
    worker = routine_count(slots={"path": slot_count(40, posted=100, consumed=60)})

    line = job_line(view_of({"find": source, "read": worker}), START + 2)

    assert (line.bar, line.progress) == (0.6, "60%")
    assert "60 messages done of 100" in line.why


def test_what_was_lost_is_counted_by_kind_and_worked_off() -> None:
    slot = slot_count(10, posted=100, consumed=60, dropped=12, superseded=8, skipped=7, dead=3)
    worker = routine_count(slots={"path": slot}, revoked=4)

    line = job_line(view_of({"find": routine_count(activations=1), "read": worker}), START + 2)

    lost = ["12 dropped", "8 superseded", "7 skipped", "3 dead", "4 revoked"]
    assert line.losses == " · ".join(lost)
    assert ", ".join(lost) in line.why
    assert (line.bar, line.progress) == (0.9, "90%"), "of 100 messages 10 wait"


def test_without_losses_none_are_named() -> None:
    worker = routine_count(slots={"path": slot_count(40, posted=100, consumed=60)})

    assert job_line(view_of({"read": worker}), START + 2).losses == ""


def test_a_stalled_job_says_so_and_what_is_full() -> None:
    view = view_of({"read": routine_count()})
    view.apply(Stalled(3, "1", START + 2, ("read.path", "read.more"), ("find",)))

    line = job_line(view, START + 2)

    assert (line.state, line.status, line.bar) == ("stalled", "STALLED", None)
    assert line.progress == "read.path, read.more are full"
    assert line.is_live
    assert not line.is_held


def test_an_idle_job_is_live() -> None:
    line = job_line(view_of({"read": routine_count()}, "IDLE"), START + 2)

    assert (line.state, line.is_live) == ("idle", True)


def test_the_strip_names_the_losses_of_the_chosen_job(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    for job_id, lost in (("1", 3), ("2", 0)):
        client.tell_started(job_id, "census", ["read"])
        count = routine_count(slots={"path": slot_count(0, posted=9, dropped=lost)})
        client.tell_progress(job_id, {"read": count})
        client.tell_ended(job_id)
    take_in(session)

    session.show_job("1")
    assert panel.losses.full_text == "3 dropped"
    session.show_job("2")
    assert panel.losses.full_text == ""


def test_stalled_jobs_are_counted_apart(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    for job_id in ("1", "2", "3"):
        client.tell_started(job_id, "census", ["read"])
    client.tell_stalled("2", ["read.path"])
    take_in(session)

    assert panel.summary == "2 running, 1 stalled"
    assert cell(panel, 1, STATE) == "stalled"


def test_a_job_that_goes_on_counts_its_duration_by_the_clock() -> None:
    view = view_of({"read": routine_count()})

    assert job_line(view, START + 8.4).duration == "8.4 s"


def test_new_jobs_come_on_top(panel: JobsPanel, session: Session, client: ScriptedClient) -> None:
    for job_id in ("1", "2", "3"):
        client.tell_started(job_id, "census", ["read"])
    take_in(session)

    assert [cell(panel, row, JOB) for row in range(3)] == ["#3 census", "#2 census", "#1 census"]


def test_jobs_that_ran_before_the_dock_was_made_are_listed(
    qtbot: QtBot, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    client.tell_started("2", "census", ["read"])
    take_in(session)

    panel = JobsPanel(session, Theme("dark"))
    qtbot.addWidget(panel)

    assert [cell(panel, row, JOB) for row in range(2)] == ["#2 census", "#1 census"]


def test_choosing_a_row_shows_that_job(
    qtbot: QtBot, panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    client.tell_started("2", "census", ["read"])
    take_in(session)
    middle = panel.table.visualRect(panel.model.index(1, JOB)).center()

    QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=middle)

    assert session.job_id == "1"


def test_the_row_follows_the_job_that_is_shown(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    client.tell_started("2", "census", ["read"])
    take_in(session)

    session.show_job("1")
    chosen = [index.row() for index in panel.table.selectionModel().selectedRows()]
    session.show_job(None)

    assert chosen == [1]
    assert not panel.table.selectionModel().hasSelection()


def test_a_job_started_here_becomes_the_chosen_row(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    session.trusted = lambda folder: True
    session.run()
    client.tell_started("1", "code_census")
    take_in(session)

    assert [index.row() for index in panel.table.selectionModel().selectedRows()] == [0]
    assert panel.stop_action.isEnabled()


def test_the_buttons_act_on_the_chosen_job(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    client.tell_started("2", "census", ["read"])
    take_in(session)
    session.show_job("1")

    panel.pause_action.trigger()
    client.tell_held("1", "read")
    take_in(session)
    panel.resume_action.trigger()
    panel.stop_action.trigger()

    asked = [(call.method, call.arguments) for call in client.calls]
    assert [one for one in asked if one[0] != "check_sources"] == [
        ("pause", ("1",)),
        ("resume", ("1",)),
        ("cancel", ("1",)),
    ]


def test_an_impossible_action_says_why(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    assert panel.pause_action.toolTip() == "Choose a job first"

    client.tell_started("1", "census", ["read"])
    take_in(session)
    session.show_job("1")
    assert not panel.resume_action.isEnabled()
    assert panel.resume_action.toolTip() == "The job isn't paused"

    client.tell_ended("1")
    take_in(session)
    assert not panel.stop_action.isEnabled()
    assert panel.stop_action.toolTip() == "The job has ended"


def test_a_held_job_has_an_amber_row_and_the_number_still_running(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    client.tell_held("1", "read", running=["read", "parse"])
    take_in(session)

    assert look(panel, 0, JOB).held
    assert look(panel, 0, STATE).chip == "PAUSING"
    assert cell(panel, 0, STATE) == "pausing · 2"


def test_a_failed_job_shows_its_error_as_one_plain_line(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    client.tell_ended("1", "FAILED", FailureSummary("read", "OSError", "no\nroom <b>", ""))
    take_in(session)

    assert cell(panel, 0, PROGRESS) == "OSError: no room <b>"
    assert "&lt;b&gt;" in str(cell(panel, 0, PROGRESS, Qt.ItemDataRole.ToolTipRole))
    assert look(panel, 0, PROGRESS).bar is None
    assert cell(panel, 0, STATE) == "failed"


def test_progress_is_brought_up_to_date_a_few_times_a_second(
    qtbot: QtBot, panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "census", ["read"])
    take_in(session)
    changes: list[object] = []
    panel.model.dataChanged.connect(lambda *_: changes.append(1))

    for number in range(50):
        slots = {"path": slot_count(posted=100, consumed=number)}
        client.tell_progress("1", {"read": routine_count(slots=slots)})
        take_in(session)
    qtbot.waitUntil(lambda: cell(panel, 0, PROGRESS) == "49 msgs", timeout=1000)

    assert len(changes) <= 6
    assert cell(panel, 0, DURATION) == "1 min 15 s"


def test_an_empty_dock_offers_to_run(qtbot: QtBot, session: Session) -> None:
    run = QAction("Run")
    asked: list[object] = []
    run.triggered.connect(lambda: asked.append(1))
    panel = JobsPanel(session, Theme("dark"), run)
    qtbot.addWidget(panel)
    panel.show()

    button = next(b for b in panel.findChildren(QPushButton) if b.isVisible())
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    assert len(asked) == 1


def test_nothing_is_refreshed_while_hidden(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    panel.hide()

    assert not panel.is_refreshing
    panel.show()
    assert panel.is_refreshing


def test_the_summary_counts_running_and_paused_jobs(
    panel: JobsPanel, session: Session, client: ScriptedClient
) -> None:
    said: list[str] = []
    panel.summary_changed.connect(said.append)
    for job_id in ("1", "2", "3"):
        client.tell_started(job_id, "census", ["read"])
    client.tell_held("2", "read")
    client.tell_ended("3")
    take_in(session)

    assert panel.summary == said[-1] == "1 running, 1 paused"


def test_in_a_narrow_dock_progress_has_room(panel: JobsPanel) -> None:
    for wide, hidden in ((324, [True, True]), (380, [True, False]), (600, [False, False])):
        panel.resize(wide, 300)
        assert [panel.table.isColumnHidden(one) for one in (STARTED, DURATION)] == hidden
        assert panel.table.columnWidth(PROGRESS) > 80
