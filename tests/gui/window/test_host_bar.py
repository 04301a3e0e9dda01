"""The window while its engine's process comes, goes, hangs, or is steered by others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from helpers.scripted import Call, ScriptedClient, routine_count
from penstock.flow import RoutineSpec
from penstock.host import FlowPicture, SourcesChanged, StartRefused
from penstock.observe import RoutineCount
from penstock_gui.assets import example
from penstock_gui.bridge import EngineBridge
from penstock_gui.canvas.looks import look_of
from penstock_gui.document import FlowDocument
from penstock_gui.session import Placement, Session, Stopping
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import MainWindow
from penstock_gui.window.launch_dialog import LaunchDialog


class Desk:
    """A shown window whose jobs run in a process of their own, as far as it knows."""

    def __init__(self, placement: Placement = "own") -> None:
        self.client = ScriptedClient()
        self.bridge = EngineBridge(self.client, interval_ms=10_000)
        self.session = Session(FlowDocument(), self.client, self.bridge, placement)
        self.session.trusted = lambda folder: True
        self.window = MainWindow(self.session, Theme("dark"), Settings())
        assert self.window.files.load(example("code_census"))
        self.window.show()
        self.window.activateWindow()
        QTest.qWait(30)

    def hear(self) -> None:
        self.bridge.tick()
        while self.bridge.waiting:
            self.bridge.tick()

    def start(self) -> str:
        self.session.run()
        job = self.session.job_id
        assert job is not None
        self.client.tell_started(job, "code_census")
        self.client.tell_progress(
            job, {"read": routine_count("running", running=2, activations=7), "rank": ran()}
        )
        self.hear()
        return job

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier | None = None) -> None:
        QTest.keyClick(self.window, key, modifier or Qt.KeyboardModifier.NoModifier)

    def can(self, action: str) -> bool:
        return self.window.actions_table[action].isEnabled()

    def why(self, action: str) -> str:
        return self.window.actions_table[action].toolTip()

    def close(self) -> None:
        self.bridge.stop()
        self.window.vitals.stop()
        self.window.hide()
        self.window.deleteLater()


def ran() -> RoutineCount:
    return routine_count("idle", activations=3)


def press(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    one = Desk()
    one.client.tell_up()
    one.hear()
    yield one
    one.close()


@pytest.fixture
def attached(qtbot: QtBot) -> Iterator[Desk]:
    one = Desk("attached")
    yield one
    one.close()


def test_the_end_of_an_engine_is_said_with_what_ran(desk: Desk) -> None:
    desk.start()
    before = QApplication.focusWidget()
    desk.client.tell_gone("killed by SIGSEGV")
    desk.hear()

    bar = desk.window.gone
    assert bar.isVisible()
    assert bar.text == (
        "The engine's process 4711 has ended: killed by SIGSEGV. Running then: read of job 1."
    )
    assert QApplication.focusWidget() is before
    press(bar.close_button)
    assert not bar.isVisible()


def test_what_was_known_stays_and_the_job_is_lost(desk: Desk) -> None:
    job = desk.start()
    desk.client.tell_gone()
    desk.hear()

    view = desk.session.view
    assert view is not None
    assert (view.status, view.routines["read"].activations) == ("LOST", 7)
    assert desk.session.mode == "idle"
    assert desk.session.live_jobs == ()
    assert desk.window.status.text.startswith(f"Lost · job {job} after ")
    assert look_of(view, "read").words == "lost"
    assert look_of(view, "rank").words == "done"


def test_lost_jobs_are_started_again_with_the_same_input(desk: Desk) -> None:
    desk.start()
    desk.start()
    desk.session.show_job("1")
    desk.session.edits.set_config("rank", "top", 3)
    desk.client.tell_gone()
    desk.hear()
    starts = desk.client.named("start")

    press(desk.window.gone.restart_button)

    again = desk.client.named("start")[2:]
    assert [call.arguments for call in again] == [call.arguments for call in starts]
    assert desk.session.job_id == "3"
    assert desk.session.lost_jobs == ()


def test_jobs_that_an_earlier_engine_lost_aren_t_started_with_those_of_a_later(desk: Desk) -> None:
    desk.start()
    desk.client.tell_gone()
    desk.client.tell_up(4712)
    desk.hear()
    later = desk.start()
    desk.client.tell_gone(pid=4712)
    desk.hear()

    assert desk.session.lost_jobs == (later,)


def test_the_bar_goes_when_another_engine_is_there(desk: Desk) -> None:
    desk.start()
    desk.client.tell_gone()
    desk.hear()
    desk.client.tell_up(4712)
    desk.hear()

    assert not desk.window.gone.isVisible()
    assert desk.window.status.engine == "engine 4712"


def test_an_end_that_was_wanted_and_cost_nothing_is_not_worth_a_bar(desk: Desk) -> None:
    desk.client.tell_gone("ended", asked=True)
    desk.hear()
    assert not desk.window.gone.isVisible()

    desk.client.tell_up()
    desk.start()
    desk.client.tell_gone("killed by SIGKILL", asked=True)
    desk.hear()
    assert desk.window.gone.isVisible()
    assert not desk.window.gone.restart_button.isHidden()


def test_the_last_output_is_one_press_away_whatever_is_filtered(desk: Desk) -> None:
    desk.start()
    output = desk.window._output
    output.only_job.setChecked(True)
    output.streams["stderr"].setChecked(False)
    desk.client.tell_gone("killed by SIGSEGV", "Fatal Python error\n")
    desk.hear()

    press(desk.window.gone.output_button)

    assert output.isVisible()
    rows = range(output.model.rowCount())
    assert [output.model.index(row, 2).data() for row in rows][-1] == "Fatal Python error"


def test_kill_is_offered_at_the_second_stop(desk: Desk) -> None:
    desk.start()
    desk.key(Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    assert not desk.window.stuck.isVisible()
    desk.key(Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)

    assert desk.window.stuck.isVisible()
    assert desk.window.stuck.text == "Job 1 should have stopped and hasn't."
    press(desk.window.stuck.kill_button)
    assert desk.client.named("kill") == [Call("kill", ())]
    desk.client.tell_gone("killed by SIGKILL", asked=True)
    desk.hear()
    assert not desk.window.stuck.isVisible()
    assert desk.window.gone.isVisible()


def test_a_job_that_stops_in_the_end_takes_the_offer_back(desk: Desk) -> None:
    job = desk.start()
    desk.session.stop()
    desk.session.stop()
    assert desk.window.stuck.isVisible()
    desk.client.tell_ended(job, "CANCELLED")
    desk.hear()

    assert not desk.window.stuck.isVisible()


def test_a_job_is_overdue_after_a_while(qtbot: QtBot) -> None:
    client = ScriptedClient()
    bridge = EngineBridge(client, interval_ms=10_000)
    stopping = Stopping(bridge, grace_ms=1)
    client.tell_started("1", "flow", ["a"])
    client.tell_started("2", "flow", ["a"])
    bridge.tick()

    stopping.ask("1")
    stopping.ask("2")
    client.tell_ended("2", "CANCELLED")
    bridge.tick()
    qtbot.waitUntil(lambda: stopping.overdue == ("1",), timeout=2_000)

    client.tell_ended("1", "CANCELLED")
    bridge.tick()
    assert stopping.overdue == ()
    bridge.stop()


def test_killing_is_in_the_run_menu_and_says_when_it_can_t_be(desk: Desk) -> None:
    assert desk.can("run.kill")
    desk.window.actions_table["run.kill"].trigger()
    assert desk.client.named("kill")

    desk.client.tell_gone(asked=True)
    desk.hear()
    assert "no engine is running" in desk.why("run.kill")


@pytest.mark.parametrize(
    ("placement", "reason"),
    [("window", "part of this window"), ("attached", "isn't this window's")],
)
def test_what_isn_t_ours_or_is_ourselves_is_never_killed(
    qtbot: QtBot, placement: Placement, reason: str
) -> None:
    desk = Desk(placement)
    desk.client.tell_up()
    desk.start()
    desk.session.stop()
    desk.session.stop()

    assert not desk.can("run.kill")
    assert reason in desk.why("run.kill")
    assert reason in desk.window.stuck.text
    assert desk.window.stuck.kill_button.isHidden()
    desk.session.kill()
    assert not desk.client.named("kill")
    desk.close()


def test_restart_begins_the_shown_job_once_more(desk: Desk) -> None:
    assert not desk.can("run.restart")
    desk.start()
    desk.key(Qt.Key.Key_F5, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)

    assert desk.client.named("cancel") == [Call("cancel", ("1",))]
    first, second = desk.client.named("start")
    assert first.arguments == second.arguments
    assert desk.session.job_id == "2"


def test_the_status_bar_says_where_jobs_run(desk: Desk, attached: Desk) -> None:
    assert desk.window.status.engine == "engine 4711"
    desk.client.tell_gone(asked=True)
    desk.hear()
    assert desk.window.status.engine == "engine not running"

    attached.client.tell_up(99, "etl", grant="view", in_control=False)
    attached.hear()
    assert attached.window.status.engine == "attached to etl (view only)"


def test_who_only_watches_can_t_steer_and_is_told_why(attached: Desk) -> None:
    attached.client.tell_up(99, "etl", in_control=False)
    attached.client.tell_started("1", "flow", ["a"])
    attached.hear()
    attached.session.show_job("1")

    assert attached.window.watch.isVisible()
    assert attached.window.watch.text == "You watch etl: this window doesn't steer it."
    for action in ("run.run", "run.pause", "run.stop", "run.breakpoint"):
        assert not attached.can(action)
        assert "take over first" in attached.why(action)

    # Nobody tells whether another window steers at the moment, so none is said to.
    assert "if another window does so now" in attached.window.watch.take_over_button.toolTip()
    press(attached.window.watch.take_over_button)
    assert attached.client.named("take_control")
    attached.client.tell_control(True)
    attached.hear()
    assert not attached.window.watch.isVisible()
    assert attached.can("run.pause")


def test_the_header_says_whose_flow_is_drawn(attached: Desk) -> None:
    header, document = attached.window.header, attached.session.document
    document.new()
    assert header.state == "no file yet"
    attached.session.edits.add_routine(RoutineSpec("app:Read"))
    assert header.state == "unsaved"
    attached.session.undo.undo()

    attached.client.tell_up(99, "etl")
    attached.client.tell_started("7", "flow", ["a"])
    attached.client.tell(FlowPicture("7", "flow", (), ()))
    attached.hear()
    assert (header.title, header.state) == ("flow", "as etl runs it")

    document.new()
    assert header.state == "no file yet"


def test_a_program_s_name_is_no_markup_in_any_tip(attached: Desk) -> None:
    attached.client.tell_up(99, "<img src='file:///x'>", in_control=False)
    attached.client.tell_started("1", "flow", ["a"])
    attached.hear()
    attached.session.show_job("1")

    tips = [action.toolTip() for action in attached.window.findChildren(QAction)]
    tips += [widget.toolTip() for widget in attached.window.findChildren(QWidget)]
    assert sum("&lt;img" in tip for tip in tips) > 5
    assert not [tip for tip in tips if "<img" in tip]


def test_a_program_that_lets_others_watch_only_can_t_be_taken_over(attached: Desk) -> None:
    attached.client.tell_up(99, "etl", grant="view", in_control=False)
    attached.hear()

    assert attached.window.watch.text == "You watch etl: it allows no more."
    assert attached.window.watch.take_over_button.isHidden()
    assert not attached.window.watch.detach_button.isHidden()


def test_a_program_that_is_gone_is_said_by_its_name(attached: Desk) -> None:
    attached.client.tell_up(99, "etl")
    attached.client.tell_started("1", "flow", ["a"])
    attached.hear()
    attached.client.tell_gone("the connection is closed", pid=99)
    attached.hear()

    assert attached.window.gone.text == (
        "etl (process 99) is out of reach: the connection is closed."
    )
    assert attached.window.gone.restart_button.isHidden()
    assert "etl is out of reach" in attached.why("run.run")
    assert not attached.window.watch.isVisible()


def change(desk: Desk, *names: str) -> None:
    folder = desk.session.document.folder
    desk.client.tell(SourcesChanged(tuple(str(folder / name) for name in names)))
    desk.hear()


def test_while_a_job_is_held_the_window_says_which_version_runs(desk: Desk) -> None:
    job = desk.start()
    desk.client.tell_held(job, "read")
    change(desk, "routines.py")

    bar = desk.window.sources
    assert bar.isVisible()
    assert bar.text == (
        "routines.py has changed. Job 1 runs the version from before; once that job has ended, the"
        " next run starts the new one in a fresh engine."
    )
    change(desk)
    assert not bar.isVisible()
    change(desk, *(f"m{number}.py" for number in range(6)))
    assert bar.text.startswith("m0.py, m1.py, m2.py and 3 more have changed. Job 1 runs")
    press(bar.close_button)
    other = desk.start()
    assert not bar.isVisible()
    change(desk, "other.py")
    assert bar.isVisible()
    for ended in (job, other):
        desk.client.tell_ended(ended)
    desk.hear()
    assert not bar.isVisible()


def test_an_engine_in_the_window_s_process_can_t_be_fresh_and_says_so(qtbot: QtBot) -> None:
    desk = Desk("window")
    change(desk, "routines.py")
    assert "start Penstock again to run the new version" in desk.window.sources.text
    desk.close()


def test_an_engine_that_never_was_there_is_said_once(desk: Desk) -> None:
    desk.session.run()
    why = "can't be started: /x/python: there is no such file"
    desk.client.tell(StartRefused("1", f"the engine's process has ended: {why}"))
    desk.client.tell_gone(why, pid=0)
    desk.hear()

    assert not desk.window.notice.isVisible()
    assert desk.window.gone.output_button.isHidden()
    assert not desk.window.gone.settings_button.isHidden()
    press(desk.window.gone.settings_button)
    dialog = desk.window.findChildren(LaunchDialog)[-1]
    assert dialog.isVisible()
    dialog.reject()
    assert desk.window.gone.text == (
        "The engine isn't there: can't be started: /x/python: there is no such file."
    )


def test_who_may_steer_but_not_start_lets_jobs_go_on_only(attached: Desk) -> None:
    attached.client.tell_up(99, "etl", grant="control")
    attached.client.tell_started("1", "flow", ["a"])
    attached.hear()
    attached.session.show_job("1")
    assert "not start any" in attached.why("run.run")
    assert attached.can("run.pause")

    attached.client.tell_held("1", "a")
    attached.hear()
    assert attached.can("run.run")
    assert attached.can("run.step")
