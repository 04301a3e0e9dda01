from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from helpers.scripted import IDLE_POOL, ScriptedClient
from penstock.host import PoolUse, ThreadInfo
from penstock_gui.assets import resource
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.threads import ThreadsPanel
from penstock_gui.docks.threads.model import JOB, ROUTINE, SINCE, STATE, THREAD
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import CELL_ROLE, Cell
from penstock_gui.widgets.chip import chip_width

MAIN = ThreadInfo("MainThread", 1, "window", "", "", "", None, False)
LOOP = ThreadInfo("penstock-job-7", 30, "loop", "waits", "7", "", 0.014, True)
OTHER = ThreadInfo("Thread-9 (serve)", 40, "foreign", "", "", "", None, True)


def worker(number: int, routine: str = "", since: float = 0.002) -> ThreadInfo:
    state, job = ("running", "7") if routine else ("idle", "")
    return ThreadInfo(
        f"penstock-worker-{number}", 100 - number, "worker", state, job, routine, since, True
    )


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
def panel(qtbot: QtBot, session: Session) -> ThreadsPanel:
    made = ThreadsPanel(session, Theme("dark"))
    qtbot.addWidget(made)
    made.resize(520, 300)
    made.show()
    return made


def poll(panel: ThreadsPanel) -> None:
    """Ask, and hear the answer."""
    panel.poll()
    panel._session.bridge.tick()


def cell(
    panel: ThreadsPanel, row: int, column: int, role: int = Qt.ItemDataRole.DisplayRole
) -> object:
    return panel.model.index(row, column).data(role)


def look(panel: ThreadsPanel, row: int, column: int) -> Cell:
    found = cell(panel, row, column, CELL_ROLE)
    assert isinstance(found, Cell)
    return found


def names(panel: ThreadsPanel) -> list[object]:
    return [cell(panel, row, THREAD) for row in range(panel.model.rowCount())]


def hears(panel: ThreadsPanel) -> list[object]:
    """The names after what was told is heard."""
    panel._session.bridge.tick()
    return names(panel)


def click(qtbot: QtBot, panel: ThreadsPanel, row: int) -> None:
    middle = panel.table.visualRect(panel.model.index(row, THREAD)).center()
    QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=middle)


def test_threads_are_sorted_by_role_then_number(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([OTHER, MAIN, LOOP, worker(10), worker(2)])
    poll(panel)

    assert names(panel) == ["worker-2", "worker-10", "job-7", "MainThread", "Thread-9 (serve)"]


def test_a_row_tells_state_job_routine_and_since(
    panel: ThreadsPanel, client: ScriptedClient, session: Session
) -> None:
    client.show_threads([worker(1, "parse", 1.44), worker(2), LOOP, OTHER])
    poll(panel)

    columns = (STATE, JOB, ROUTINE, SINCE)
    assert [cell(panel, 0, column) for column in columns] == ["running", "#7", "parse", "1.4 s"]
    assert [cell(panel, 1, column) for column in columns] == ["idle", "—", "—", "2 ms"]
    assert [cell(panel, 2, column) for column in columns] == ["waits", "#7", "event loop", "14 ms"]
    assert [cell(panel, 3, column) for column in columns] == ["—", "—", "foreign", "—"]
    assert look(panel, 3, STATE).chip is None
    assert look(panel, 0, ROUTINE).swatch == session.document.color_index("parse")


def test_a_routine_the_flow_does_not_have_gets_no_colour(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([worker(1, "elsewhere")])
    poll(panel)

    assert look(panel, 0, ROUTINE).swatch is None


def test_the_line_above_tells_the_use_of_the_pool(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([worker(1)], PoolUse(8, 7, 1, 41, 12, 14))
    poll(panel)

    assert panel.strip.text == "7/8 busy  41 backlog  12 threads (max 14)"


def test_bodies_that_stand_or_are_over_are_told_from_others(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    stands = replace(worker(1, "parse"), state="waits")
    over = replace(worker(2, "read"), state="abandoned")
    client.show_threads([stands, over, worker(3)], PoolUse(8, 1, 7, 0, 12, 14, 2, 1))
    poll(panel)

    assert [look(panel, row, STATE).chip for row in range(3)] == ["waits", "abandoned", "idle"]
    assert [cell(panel, row, ROUTINE) for row in range(3)] == ["parse", "read", "—"]
    tips = [cell(panel, row, THREAD, Qt.ItemDataRole.ToolTipRole) for row in range(3)]
    assert "stands waiting" in str(tips[0])
    assert "its activation is over" in str(tips[1])
    assert "place" not in str(tips[2])
    assert panel.strip.text == "1/8 busy  0 backlog  2 spare  1 abandoned  12 threads (max 14)"


def test_steward_and_coroutines_have_rows_of_their_own(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    steward = ThreadInfo("penstock-steward", 50, "steward", "", "", "", None, True)
    coroutines = ThreadInfo("penstock-async", 51, "async", "running", "", "", 1.5, True)
    client.show_threads([MAIN, coroutines, steward, LOOP, worker(1)])
    poll(panel)

    assert names(panel) == ["worker-1", "job-7", "steward", "async", "MainThread"]
    assert [cell(panel, row, ROUTINE) for row in (2, 3)] == ["timers", "coroutines"]
    assert [look(panel, row, THREAD).icon for row in (2, 3)] == ["timer", "zap"]
    assert [cell(panel, 3, column) for column in (STATE, SINCE)] == ["running", "1.5 s"]


def test_the_longest_state_fits_its_column(panel: ThreadsPanel) -> None:
    wanted = chip_width(Theme("dark"), "abandoned")

    assert wanted <= panel.table.columnWidth(STATE) - 16, "the cells pad 8 on both sides"


def test_rows_change_in_place_so_that_selection_and_scroll_stay(
    qtbot: QtBot, panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([worker(number) for number in range(1, 60)])
    poll(panel)
    panel.table.selectRow(40)
    panel.table.verticalScrollBar().setValue(500)
    resets: list[object] = []
    panel.model.modelReset.connect(lambda: resets.append(1))

    changed = [worker(number, "parse") for number in range(1, 60) if number not in (3, 58)]
    client.show_threads([*changed, worker(61)])
    poll(panel)

    chosen = panel.table.selectionModel().selectedRows()
    assert [index.data() for index in chosen] == ["worker-41"]
    assert panel.table.verticalScrollBar().value() == 500
    assert names(panel) == [f"worker-{n}" for n in range(1, 62) if n not in (3, 58, 60)]
    assert not resets


def test_a_reused_thread_number_is_another_thread(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([LOOP, replace(OTHER, ident=50)])
    poll(panel)
    client.show_threads([LOOP, replace(worker(1), ident=50)])
    poll(panel)

    assert names(panel) == ["worker-1", "job-7"]


def test_clicking_a_thread_shows_its_job_and_selects_its_routine(
    qtbot: QtBot, panel: ThreadsPanel, client: ScriptedClient, session: Session
) -> None:
    client.show_threads([worker(1), worker(2, "parse")])
    poll(panel)

    click(qtbot, panel, 1)

    assert session.job_id == "7"
    assert session.selection.routines == {"parse"}


def test_threads_in_the_selected_routine_are_set_apart(
    panel: ThreadsPanel, client: ScriptedClient, session: Session
) -> None:
    other_job = replace(worker(3, "parse"), job_id="6")
    client.show_threads([worker(1, "read"), worker(2, "parse"), other_job])
    poll(panel)

    session.show_job("7")
    session.select_routine("parse")

    assert [look(panel, row, THREAD).font for row in range(3)] == ["body", "body.strong", "body"]


def test_without_a_pool_the_dock_says_what_fills_it(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([MAIN, OTHER], replace(IDLE_POOL, threads=0))
    poll(panel)
    before = panel.is_empty

    client.show_threads([MAIN, worker(1)])
    poll(panel)

    assert before
    assert not panel.is_empty


def test_threads_are_asked_for_only_while_the_dock_is_seen(
    qtbot: QtBot, panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([worker(1)])
    qtbot.waitUntil(lambda: hears(panel) == ["worker-1"], timeout=1000)

    panel.hide()
    client.show_threads([worker(2)])
    qtbot.wait(500)
    hidden = hears(panel)
    panel.show()
    hears(panel)

    assert hidden == ["worker-1"]
    assert names(panel) == ["worker-2"]


def test_names_of_foreign_threads_are_one_bounded_line(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([worker(1), replace(OTHER, name="a\n<b>" * 1000)])
    poll(panel)

    name = str(cell(panel, 1, THREAD))
    assert len(name) == 80
    assert "\n" not in name
    assert "<b>" not in str(cell(panel, 1, THREAD, Qt.ItemDataRole.ToolTipRole))


def test_only_cells_that_look_different_are_painted_again(
    panel: ThreadsPanel, client: ScriptedClient
) -> None:
    client.show_threads([worker(1, "parse", 0.5), worker(2, "read", 0.1)])
    poll(panel)
    changed: list[tuple[int, int]] = []
    panel.model.dataChanged.connect(
        lambda first, last: changed.append((first.row(), last.column()))
    )

    client.show_threads([worker(1, "parse", 0.7), worker(2, "lines", 0.1)])
    poll(panel)

    assert changed == [(0, SINCE), (1, ROUTINE)]
