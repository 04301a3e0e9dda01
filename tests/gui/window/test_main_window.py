"""The window as a whole, over a scripted engine: what it shows, asks and remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QMenu, QTabBar, QToolBar, QToolButton
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient
from penstock.host import LaunchSettings, PoolUse, StartRefused, WhenWindowGoes
from penstock_gui.assets import example
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import MainWindow

CENSUS = example("code_census")


@dataclass
class Answers:
    """What a person would answer, and what was asked."""

    trusts: bool = True
    closes: str = "end"
    leave: str = "discard"
    asked: list[str] = field(default_factory=list)
    when_gone: WhenWindowGoes | None = None

    def trust(self, folder: Path) -> bool:
        self.asked.append(f"trust {folder.name}")
        return self.trusts

    def close_running(self, jobs: int, when_gone: WhenWindowGoes | None) -> str:
        self.asked.append(f"close {jobs}")
        self.when_gone = when_gone
        return self.closes

    def unsaved(self, name: str) -> str:
        self.asked.append(f"unsaved {name}")
        return self.leave

    def open_path(self, folder: Path) -> Path | None:
        return None

    def save_path(self, suggestion: Path) -> Path | None:
        return None


class Desk:
    """A shown window with the census open."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.client = ScriptedClient()
        self.bridge = EngineBridge(self.client)
        self.session = Session(FlowDocument(), self.client, self.bridge)
        self.session.trusted = lambda folder: True
        self.answers = Answers()
        self.settings = settings or Settings()
        self.theme = Theme("dark")
        self.window = MainWindow(self.session, self.theme, self.settings, self.answers)
        assert self.window.files.load(CENSUS)
        self.window.show()
        self.window.activateWindow()
        QTest.qWait(30)

    def tip(self, action_id: str) -> str:
        return self.window.actions_table[action_id].toolTip()

    def hear(self) -> None:
        """Let the window hear what the client tells."""
        self.bridge.tick()

    def start(self) -> str:
        """Run the flow; returns the job."""
        self.session.run()
        job = self.session.job_id
        assert job is not None
        self.client.tell_started(job, "code_census")
        self.hear()
        return job

    def close(self) -> None:
        self.bridge.stop()
        self.window.vitals.stop()
        self.window.hide()
        self.window.deleteLater()


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    one = Desk()
    yield one
    one.close()


def test_the_status_bar_follows_the_job(desk: Desk) -> None:
    assert desk.window.status.text == "Ready · code_census"
    job = desk.start()
    assert desk.window.status.text == "Running · job 1, code_census"
    desk.client.tell_held(job, "parse", why="breakpoint")
    desk.hear()
    assert desk.window.status.text == "Held before parse · breakpoint"
    desk.client.tell_ended(job)
    desk.hear()
    assert desk.window.status.text.startswith("Completed · job 1 in ")


def test_the_status_bar_shows_the_pool(desk: Desk) -> None:
    desk.client.show_threads((), PoolUse(8, 7, 1, 41, 12, 14))
    desk.window.vitals.poll()
    desk.hear()

    assert desk.window.status.numbers[:2] == ("pool 7/8 busy, 41 waiting", "threads 12 (max 14)")


def test_what_the_display_skipped_is_no_alarm(desk: Desk) -> None:
    desk.client.lost = 91
    desk.client.show_threads((), PoolUse(8, 7, 1, 41, 12, 14))
    desk.window.vitals.poll()
    desk.hear()

    number = next(
        one for one in desk.window.status.findChildren(QLabel) if one.text().startswith("display")
    )
    assert number.text() == "display: 91 skipped"
    assert "counters that newer ones had overtaken" in number.toolTip()
    assert "No job lost anything" in number.toolTip()


def test_f5_runs_and_continues_and_f10_steps(desk: Desk) -> None:
    QTest.keyClick(desk.window, Qt.Key.Key_F5)
    assert [call.method for call in desk.client.named("start")] == ["start"]
    desk.client.tell_started("1", "code_census")
    desk.hear()
    QTest.keyClick(desk.window, Qt.Key.Key_F6)
    assert desk.client.named("pause")[0].arguments == ("1",)
    desk.client.tell_held("1", "parse")
    desk.hear()
    QTest.keyClick(desk.window, Qt.Key.Key_F10)
    QTest.keyClick(desk.window, Qt.Key.Key_F5)
    QTest.keyClick(desk.window, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)

    for method in ("step", "resume", "cancel"):
        assert desk.client.named(method)[0].arguments == ("1",), method


def test_f9_sets_a_breakpoint_before_the_selected_routine(desk: Desk) -> None:
    assert "select one routine first" in desk.tip("run.breakpoint")
    desk.session.select(("parse",))
    QTest.keyClick(desk.window, Qt.Key.Key_F9)
    assert set(desk.session.breakpoints) == {"parse"}
    assert desk.window.actions_table["run.breakpoint"].text() == "Remove breakpoint"

    QTest.keyClick(desk.window, Qt.Key.Key_F9)
    assert not desk.session.breakpoints


def test_an_edit_marks_the_flow_unsaved_and_undo_takes_it_back(desk: Desk) -> None:
    assert (desk.window.header.title, desk.window.header.state) == ("code_census", "saved")
    desk.session.edits.rename("parse", "parse_it")
    assert (desk.window.header.title, desk.window.header.state) == ("code_census •", "unsaved")
    assert desk.window.windowTitle().startswith("code_census •")

    QTest.keyClick(desk.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.window.header.title == "code_census"


def test_the_header_says_when_a_job_runs_another_version(desk: Desk) -> None:
    desk.start()
    assert "job 1" not in desk.window.header.state
    desk.session.edits.rename("parse", "parse_it")

    assert "job 1 runs the flow as it was at start" in desk.window.header.state
    desk.client.tell_ended("1")
    desk.hear()
    assert "job 1 ran the flow as it was at start" in desk.window.header.state


def test_f2_puts_the_cursor_into_the_id(desk: Desk) -> None:
    desk.session.select(("parse",))
    QTest.qWait(50)
    QTest.keyClick(desk.window, Qt.Key.Key_F2)
    focused = desk.window.focusWidget()

    assert isinstance(focused, QLineEdit)
    assert focused.selectedText() == "parse"


def test_an_entered_id_gives_the_keyboard_back_to_the_canvas(desk: Desk) -> None:
    desk.session.select(("parse",))
    QTest.qWait(50)
    QTest.keyClick(desk.window, Qt.Key.Key_F2)
    line = desk.window.focusWidget()
    assert line is not None
    QTest.keyClicks(line, "trees")
    QTest.keyClick(line, Qt.Key.Key_Return)
    QTest.qWait(20)

    assert desk.session.selection.routine == "trees"
    assert desk.window.focusWidget() is desk.window.view


def test_what_stands_in_a_field_counts_though_it_wasn_t_entered(desk: Desk) -> None:
    desk.session.select(("find",))
    QTest.qWait(50)
    line = next(w for w in desk.window.findChildren(QLineEdit) if w.accessibleName() == "folder")
    line.setFocus()
    QTest.keyClicks(line, "/elsewhere")
    QTest.keyClick(line, Qt.Key.Key_F5)
    focused = desk.window.focusWidget()

    started = json.loads(desk.client.named("start")[-1].arguments[0])
    assert started["routines"]["find"]["config"] == {"folder": "/elsewhere"}
    assert isinstance(focused, QLineEdit)
    assert focused.accessibleName() == "folder", "the page is new, the person types on"


def test_the_run_button_is_as_wide_whatever_it_says(desk: Desk) -> None:
    button = desk.window.findChild(QToolButton, "run")
    assert isinstance(button, QToolButton)
    before = button.sizeHint()
    action = desk.window.actions_table["run.run"]
    action.setText("Continue")

    assert button.sizeHint() == before


def test_trust_is_asked_once_and_remembered(desk: Desk) -> None:
    desk.session.trusted = desk.settings.is_trusted
    desk.answers.trusts = False
    desk.session.run()
    assert desk.client.named("start") == []
    desk.answers.trusts = True
    desk.session.run()
    desk.session.run()

    assert desk.answers.asked == ["trust code_census"] * 2
    assert len(desk.client.named("start")) == 2
    assert desk.settings.is_trusted(CENSUS.parent)


def test_a_refused_start_is_told_with_its_details(desk: Desk) -> None:
    desk.session.run()
    desk.client.tell(StartRefused("1", "flow.json: parse: no module 'census'", "Traceback …"))
    desk.hear()

    assert desk.window.notice.isVisible()
    assert desk.window.notice.text == "flow.json: parse: no module 'census'"
    desk.start()
    assert not desk.window.notice.isVisible()


def test_a_file_that_can_t_be_read_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.window.files.load(tmp_path / "no.flow.json")

    assert desk.window.notice.isVisible()
    assert str(tmp_path / "no.flow.json") in desk.window.notice.text
    assert desk.window.header.title == "code_census"

    desk.session.document.save(tmp_path / "yes.flow.json")
    assert not desk.window.notice.isVisible(), "what failed before is over"


def test_closing_asks_once_while_jobs_run(desk: Desk) -> None:
    desk.start()
    desk.answers.closes = "cancel"
    desk.window.close()
    assert desk.window.isVisible()
    desk.answers.closes = "end"
    desk.window.close()

    assert not desk.window.isVisible()
    assert desk.answers.asked == ["close 1", "close 1"]
    assert desk.answers.when_gone is None, "they run in the window's process"


@pytest.mark.parametrize(
    ("settings", "answer", "wanted"),
    [
        ("end", "cancel", []),
        ("end", "end", ["end"]),
        ("end", "stay", ["resume"]),
        ("resume", "stay", ["resume"]),
        ("hold", "stay", ["hold"]),
        ("hold", "end", ["end"]),
    ],
)
def test_jobs_of_an_engine_of_its_own_may_be_left(
    desk: Desk, settings: WhenWindowGoes, answer: str, wanted: list[str]
) -> None:
    heard: list[str] = []
    desk.window.jobs_left.connect(heard.append)
    desk.window.closed.connect(lambda: heard.append("closed"))
    desk.session.engine.placement = "own"
    desk.session.use_launch(LaunchSettings(when_window_goes=settings))
    desk.start()
    desk.answers.closes = answer

    desk.window.close()

    assert heard == [*wanted, "closed"] if wanted else not heard
    assert desk.answers.asked == ["close 1"]
    assert desk.answers.when_gone == settings


def test_closing_asks_about_unsaved_changes_first(desk: Desk) -> None:
    desk.session.edits.rename("parse", "other")
    desk.answers.leave = "cancel"
    desk.window.close()

    assert desk.window.isVisible()
    assert desk.answers.asked == ["unsaved code_census"]


def test_an_empty_flow_offers_the_example(desk: Desk) -> None:
    assert not desk.window.hint.isVisible()
    desk.window.files.new()
    assert desk.window.hint.isVisible()
    assert "flow is empty" in desk.tip("run.run")

    desk.window.hint.press()
    assert not desk.window.hint.isVisible()
    assert desk.session.document.path == CENSUS.resolve()


def seen(desk: Desk) -> set[str]:
    """The docks one can see; one behind another is visible to Qt, and moved out of sight."""
    docks = desk.window.docking.docks
    return {dock.spec.id for dock in docks if not dock.visibleRegion().isEmpty()}


def test_layout_survives_and_can_be_reset(desk: Desk, qtbot: QtBot) -> None:
    docks = {dock.spec.id: dock for dock in desk.window.docking.docks}
    assert not docks["palette"].isVisible()
    docks["log"].close()
    docks["palette"].show()
    desk.window.save_layout()

    again = Desk(desk.settings)
    shown = seen(again)
    again.window.reset_layout()
    QTest.qWait(30)
    reset = seen(again)
    behind = next(dock for dock in again.window.docking.docks if dock.spec.id == "output")
    again.close()
    assert shown == {"palette", "inspector", "jobs", "threads", "output"}
    assert reset == {"inspector", "jobs", "threads", "log"}
    assert not behind.isHidden()


def test_log_and_output_share_a_place_with_a_tab_each(desk: Desk) -> None:
    docks = {dock.spec.id: dock for dock in desk.window.docking.docks}
    log, output = docks["log"], docks["output"]
    bar = next(
        bar
        for bar in desk.window.findChildren(QTabBar)
        if [bar.tabText(tab) for tab in range(bar.count())] == ["Log", "Output"]
    )
    assert "log" in seen(desk)
    assert "output" not in seen(desk)
    assert not log.header.isVisible()

    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(1).center())
    assert "output" in seen(desk)
    assert "log" not in seen(desk)

    log.close()
    QTest.qWait(10)
    assert output.header.isVisible()


def test_the_stripe_brings_a_dock_forward_and_hides_the_one_in_front(desk: Desk) -> None:
    output = next(dock for dock in desk.window.docking.docks if dock.spec.id == "output")
    stripe = desk.window.findChild(QToolBar, "stripe")
    assert stripe is not None
    button = next(
        button
        for button in stripe.findChildren(QToolButton)
        if button.defaultAction() is output.toggleViewAction()
    )

    states = []
    for _ in range(3):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        QTest.qWait(10)
        states.append((output.isHidden(), "output" in seen(desk), button.isChecked()))

    assert states == [(False, True, True), (True, False, False), (False, True, True)]


def test_the_docks_lie_as_designed(desk: Desk) -> None:
    docks = {dock.spec.id: dock.geometry() for dock in desk.window.docking.docks}
    view = desk.window.view.geometry()

    assert docks["jobs"].right() < docks["threads"].left()
    assert docks["threads"].right() < docks["log"].left()
    assert docks["inspector"].bottom() < docks["log"].top()
    assert docks["log"].right() == docks["inspector"].right()
    assert view.width() > 1000 or desk.window.width() < 1500


def test_the_theme_is_switched_at_once_and_remembered(desk: Desk) -> None:
    desk.window.actions_table["theme.light"].trigger()

    assert (desk.theme.name, desk.settings.theme) == ("light", "light")
    assert desk.window.actions_table["theme.light"].isChecked()
    assert not desk.window.actions_table["theme.dark"].isChecked()


def test_no_menu_has_a_dead_entry(desk: Desk) -> None:
    dead = [
        action.text()
        for menu in desk.window.menuBar().findChildren(QMenu)
        for action in menu.actions()
        if not action.isSeparator() and not action.isEnabled() and not action.toolTip()
    ]

    assert not dead


def test_add_routine_shows_the_palette_ready_to_type(desk: Desk) -> None:
    desk.window.actions_table["edit.add"].trigger()
    palette = next(d for d in desk.window.docking.docks if d.spec.id == "palette")

    assert palette.isVisible()
    assert palette.isAncestorOf(desk.window.focusWidget())
