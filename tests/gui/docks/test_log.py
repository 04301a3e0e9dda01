from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient, routine_count, slot_count, text_value
from penstock.host import CommandRefused, StartRefused
from penstock.observe import FailureSummary, HeldMessage, StepIgnored
from penstock_gui.assets import resource
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.log import LogPanel
from penstock_gui.docks.log.model import FROM, MESSAGE, TIME
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets.wording import clock_ms

NOW = 1_700_000_123.402


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
def panel(qtbot: QtBot, session: Session) -> LogPanel:
    made = LogPanel(session, Theme("dark"), clock=lambda: NOW, limit=100)
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def tell(panel: LogPanel, session: Session) -> None:
    """Let all that was told arrive and be shown."""
    take_in(session)
    panel.flush()


def take_in(session: Session) -> None:
    session.bridge.tick()
    while session.bridge.waiting:
        session.bridge.tick()


def lines(panel: LogPanel) -> list[tuple[object, object]]:
    """From and message of every row, newest first."""
    model = panel.model
    return [
        (model.index(row, FROM).data(), model.index(row, MESSAGE).data())
        for row in range(model.rowCount())
    ]


def click(qtbot: QtBot, panel: LogPanel, row: int) -> None:
    middle = panel.table.visualRect(panel.model.index(row, MESSAGE)).center()
    QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=middle)


def test_a_job_leaves_a_line_per_state(
    panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    message = HeldMessage("source", 12, text_value("x"))
    client.tell_started("7", "census", ["read", "parse"])
    client.tell_held("7", "parse", [message], why="breakpoint", waiting=4, breakpoints=[3])
    client.tell_resumed("7", "parse", stepping=True)
    client.tell_held("7", "", why="step", running=["read"])
    client.tell_resumed("7")
    client.tell(StepIgnored(9, "7", NOW, "a step is under way"))
    client.tell_ended("7")
    tell(panel, session)

    assert lines(panel)[::-1] == [
        ("job 7", "started census, 2 routines"),
        ("job 7", "paused by breakpoint 3 before parse with source #12, 4 more waiting"),
        ("job 7", "steps parse"),
        ("job 7", "pausing after a step, nothing is ready to go next, 1 still running"),
        ("job 7", "continues"),
        ("job 7", "no step: a step is under way"),
        ("job 7", "completed"),
    ]


def test_a_failure_is_told_with_its_routine_and_counted(
    panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_failed("7", "read", "UnicodeDecodeError", "bad\nbyte <b>0xe9</b>")
    tell(panel, session)

    assert lines(panel) == [("read", "UnicodeDecodeError: bad byte <b>0xe9</b>")]
    assert "&lt;b&gt;" in panel.model.index(0, MESSAGE).data(Qt.ItemDataRole.ToolTipRole)
    assert panel.count.text() == "1 failure"
    assert panel.model.index(0, TIME).data() == clock_ms(client.time)


def test_a_failed_job_says_where_and_why_without_counting_twice(
    panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    failure = FailureSummary("read", "OSError", "no room", "Traceback…")
    client.tell_failed("7", "read", "OSError", "no room", action="stop")
    client.tell_ended("7", "FAILED", failure)
    tell(panel, session)

    assert lines(panel)[0] == ("job 7", "failed in read: OSError: no room")
    assert panel.model.failures == 1


def test_an_engine_s_begin_and_end_are_lines(
    panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_up(11, "etl")
    client.tell_gone("killed by SIGKILL", pid=11)
    client.tell_gone("ended as asked", pid=12, asked=True)
    client.tell_gone("can't be started: no such file", pid=0)
    tell(panel, session)

    assert lines(panel)[::-1] == [
        ("engine", "process 11: etl, Python 3.11.7"),
        ("engine", "process 11 has ended: killed by SIGKILL"),
        ("engine", "process 12 ended as asked"),
        ("engine", "can't be started: no such file"),
    ]


def test_refusals_are_lines_too(panel: LogPanel, session: Session, client: ScriptedClient) -> None:
    client.tell(StartRefused("3", "flow.json: routines.a: no such type", "Traceback…"))
    client.tell(CommandRefused("step", "3", "the job isn't held"))
    tell(panel, session)

    assert lines(panel)[::-1] == [
        ("job 3", "not started: flow.json: routines.a: no such type"),
        ("job 3", "step refused: the job isn't held"),
    ]
    assert panel.model.index(0, TIME).data() == clock_ms(NOW)


def test_clicking_a_failure_goes_to_its_routine_in_its_job(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("7", "census", ["read"])
    client.tell_failed("7", "read")
    tell(panel, session)
    centred: list[str] = []
    session.centre_requested.connect(centred.append)

    click(qtbot, panel, 0)

    assert session.job_id == "7"
    assert session.selection.routines == {"read"}
    assert centred == ["read"]


def test_the_details_show_the_traceback_and_what_went_in_and_can_be_copied(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_failed("7", "read", traceback="Traceback:\n  <b>line 3</b>\nValueError: no good")
    tell(panel, session)
    assert not panel.details.isVisible()

    click(qtbot, panel, 0)
    panel.details.copy_button.click()

    shown = panel.details.text.toPlainText()
    assert panel.details.isVisible()
    assert "read, job 7: sent on as a failed event" in shown
    assert "  <b>line 3</b>\nValueError: no good" in shown
    assert QGuiApplication.clipboard().text() == shown


def test_a_huge_traceback_is_cut_where_it_says_so(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_failed("7", "read", traceback="x" * 1_000_000)
    tell(panel, session)

    click(qtbot, panel, 0)

    shown = panel.details.text.toPlainText()
    assert "characters left out" in shown
    assert max(len(line) for line in shown.splitlines()) <= 500


def test_the_filter_takes_all_words_and_may_be_narrowed_to_failures(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("7", "census", ["read"])
    client.tell_failed("7", "read", text="first")
    client.tell_failed("7", "parse", text="second")
    tell(panel, session)

    panel.search.setText("VALUEERROR parse")
    by_words = lines(panel)
    panel.search.clear()
    panel.only_failures.setChecked(True)

    assert by_words == [("parse", "ValueError: second")]
    assert [source for source, _ in lines(panel)] == ["parse", "read"]

    client.tell_ended("7")
    client.tell_failed("7", "rank")
    tell(panel, session)
    assert [source for source, _ in lines(panel)] == ["rank", "parse", "read"]


def test_older_lines_are_dropped_and_counted(
    panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("7", "census", ["read"])
    for number in range(250):
        client.tell_failed("7", "read", text=f"number {number}")
        if number == 60:
            tell(panel, session)
            panel.search.setText("number")
    tell(panel, session)

    assert panel.model.rowCount() == 100
    assert lines(panel)[0][1] == "ValueError: number 249"
    assert lines(panel)[-1][1] == "ValueError: number 150"
    assert panel.dropped.text() == "151 older dropped"
    assert panel.count.text() == "250 failures"


def test_lines_in_view_stay_where_they_are_unless_the_top_is_shown(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    for number in range(60):
        client.tell_failed("7", "read", text=f"number {number}")
    tell(panel, session)
    bar = panel.table.verticalScrollBar()
    client.tell_failed("7", "read", text="followed")
    tell(panel, session)
    at_top = bar.value()

    bar.setValue(251)
    place = panel.table.rowAt(30)
    seen = panel.model.index(place, MESSAGE).data()
    height = panel.table.rowViewportPosition(place)
    for number in range(20):
        client.tell_failed("7", "read", text=f"later {number}")
    tell(panel, session)

    assert at_top == 0
    assert panel.model.index(place + 20, MESSAGE).data() == seen
    assert panel.table.rowViewportPosition(place + 20) == height


def test_a_flood_of_failures_is_put_in_few_batches(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    batches: list[int] = []
    panel.model.rowsInserted.connect(lambda _parent, first, last: batches.append(last - first + 1))
    for _ in range(3000):
        client.tell_failed("7", "read")

    take_in(session)
    qtbot.waitUntil(lambda: panel.model.failures == 3000, timeout=2000)

    assert len(batches) == 1
    assert panel.model.dropped == 2900


def test_losses_are_told_by_and_by_and_before_the_job_s_end(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    def lose(many: int) -> None:
        slot = slot_count(0, posted=many, dropped=many)
        client.tell_progress("7", {"read": routine_count(slots={"path": slot})})

    client.tell_started("7", "census", ["read"])
    lose(3)
    take_in(session)
    lose(70)
    take_in(session)
    qtbot.waitUntil(lambda: ("read", "path: 70 dropped") in lines(panel), timeout=3000)

    lose(90)
    client.tell_ended("7")
    tell(panel, session)

    assert lines(panel)[:3] == [
        ("job 7", "completed"),
        ("read", "path: 20 dropped, 90 so far"),
        ("read", "path: 70 dropped"),
    ]


def test_a_stall_is_a_line(panel: LogPanel, session: Session, client: ScriptedClient) -> None:
    client.tell_started("7", "census", ["read"])
    client.tell_stalled("7", ["read.path"], ["find"])
    tell(panel, session)

    assert lines(panel)[0] == ("job 7", "stalled: read.path is full, find can't go on")


def test_clearing_forgets_lines_and_counts(
    qtbot: QtBot, panel: LogPanel, session: Session, client: ScriptedClient
) -> None:
    client.tell_failed("7", "read")
    tell(panel, session)
    click(qtbot, panel, 0)

    QTest.mouseClick(panel.clear_button, Qt.MouseButton.LeftButton)

    assert lines(panel) == []
    assert not panel.details.isVisible()
    assert not panel.count.isVisible()
