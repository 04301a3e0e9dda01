"""The launch settings of a flow: the form, its checks, and where they are kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from helpers.real_window import small_census
from helpers.scripted import ScriptedClient
from penstock.errors import LaunchError
from penstock.host import LaunchSettings, launch_file, load_launch, save_launch
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import MainWindow
from penstock_gui.window.launch_dialog import FLOW, USER, LaunchDialog, LaunchQuestion
from penstock_gui.window.launch_text import (
    BadField,
    arguments_of,
    arguments_text,
    environment_of,
    environment_text,
    settings_of,
)

FULL = LaunchSettings(
    interpreter="/opt/venv/bin/python",
    working_folder="data",
    environment={"A": "1 = one", "GONE": None, "EMPTY": ""},
    arguments=("--name", "two words", "it's"),
    workers=3,
    loop="pool",
    when_window_goes="hold",
)


class Answering:
    """A check of an interpreter that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.version: str | None = "3.12.1"

    def __call__(self, path: str) -> str:
        self.asked.append(path)
        assert self.go.wait(10)
        if self.version is None:
            raise LaunchError(f"{path}: is no Python")
        return self.version


@pytest.fixture
def check() -> Iterator[Answering]:
    one = Answering()
    yield one
    one.go.set()


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def ask(parent: QWidget, check: Answering, **more: object) -> tuple[LaunchDialog, list[object]]:
    question = LaunchQuestion(
        **({"flow": "etl", "settings": LaunchSettings(), "folder": None, "beside": None} | more)  # type: ignore[arg-type]
    )
    dialog = LaunchDialog(Theme("dark"), question, check, parent)
    chosen: list[object] = []
    dialog.chosen.connect(lambda settings, kept: chosen.append((settings, kept)))
    dialog.open()
    return dialog, chosen


def press(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_texts_of_settings_can_be_read_back() -> None:
    assert environment_of(environment_text(FULL.environment)) == FULL.environment
    assert arguments_of(arguments_text(FULL.arguments)) == FULL.arguments


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("environment", {"environment": "A=1\nnonsense"}),
        ("environment", {"environment": "-A=1\n=2"}),
        ("arguments", {"arguments": "'open"}),
        ("interpreter", {"interpreter": "a\0b"}),
    ],
)
def test_what_can_t_be_used_names_its_field(field: str, given: dict[str, str]) -> None:
    texts = {"interpreter": "", "folder": "", "environment": "", "arguments": ""} | given
    with pytest.raises(BadField) as caught:
        settings_of(**texts, workers=0, loop="thread", when_gone="end")
    assert caught.value.field == field


def test_the_form_gives_back_what_it_was_given(parent: QWidget, check: Answering) -> None:
    dialog, chosen = ask(parent, check, settings=FULL, beside=Path("etl.launch.json"), kept=FLOW)
    press(dialog.save_button)

    assert chosen == [(FULL, FLOW)]
    assert not dialog.isVisible()


def test_empty_fields_leave_all_to_the_engine(parent: QWidget, check: Answering) -> None:
    dialog, chosen = ask(parent, check)
    QTest.keyClicks(dialog.arguments, "--fast 'a b'")
    QTest.keyClick(dialog.arguments, Qt.Key.Key_Return)

    assert chosen == [(LaunchSettings(arguments=("--fast", "a b")), USER)]


def test_a_mistake_is_said_at_its_field_and_keeps_the_form(
    parent: QWidget, check: Answering
) -> None:
    dialog, chosen = ask(parent, check)
    QTest.keyClicks(dialog.arguments, "'open")
    press(dialog.save_button)

    assert chosen == []
    assert dialog.isVisible()
    assert dialog.fields["arguments"].words == "no closing quotation"
    assert dialog.arguments.objectName() == "error"
    QTest.keyClicks(dialog.arguments, "'")
    press(dialog.save_button)
    assert len(chosen) == 1


def test_escape_changes_nothing(parent: QWidget, check: Answering) -> None:
    dialog, chosen = ask(parent, check, settings=FULL)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)

    assert chosen == []
    assert not dialog.isVisible()


def test_an_interpreter_is_checked_when_asked_and_the_window_goes_on(
    qtbot: QtBot, parent: QWidget, check: Answering
) -> None:
    dialog, _ = ask(parent, check)
    field = dialog.fields["interpreter"]
    assert not dialog.check_button.isEnabled()
    QTest.keyClicks(dialog.interpreter, "/opt/python")
    assert field.words.startswith("Not checked")
    assert check.asked == []

    press(dialog.check_button)
    assert field.words == "Checking…"
    check.go.set()
    qtbot.waitUntil(lambda: field.words == "Python 3.12.1: the engine can run there", timeout=5_000)

    check.version = None
    press(dialog.check_button)
    qtbot.waitUntil(lambda: field.words == "/opt/python: is no Python", timeout=5_000)
    assert dialog.interpreter.objectName() == "error"
    QTest.keyClicks(dialog.interpreter, "3")
    assert dialog.interpreter.objectName() == ""
    dialog.close()


def test_a_relative_interpreter_is_looked_for_in_the_flow_s_folder(
    qtbot: QtBot, parent: QWidget, check: Answering
) -> None:
    dialog, _ = ask(parent, check, folder=Path("/flows/etl"))
    QTest.keyClicks(dialog.interpreter, "venv/bin/python")
    press(dialog.check_button)
    check.go.set()

    qtbot.waitUntil(lambda: "can run there" in dialog.fields["interpreter"].words, timeout=5_000)
    assert check.asked == ["/flows/etl/venv/bin/python"]
    dialog.close()


def test_an_answer_about_another_interpreter_is_dropped(
    qtbot: QtBot, parent: QWidget, check: Answering
) -> None:
    dialog, _ = ask(parent, check)
    QTest.keyClicks(dialog.interpreter, "/old")
    press(dialog.check_button)
    QTest.keyClicks(dialog.interpreter, "er")
    check.go.set()
    qtbot.wait(120)

    assert dialog.fields["interpreter"].words.startswith("Not checked")
    dialog.close()


class Desk:
    """A window with a flow file in a folder."""

    def __init__(self, flow: Path, settings: Settings) -> None:
        self.client = ScriptedClient()
        self.bridge = EngineBridge(self.client, interval_ms=10_000)
        self.session = Session(FlowDocument(), self.client, self.bridge, "own")
        self.session.trusted = lambda folder: True
        self.window = MainWindow(self.session, Theme("dark"), settings)
        assert self.window.files.load(flow)
        self.window.show()
        self.window.activateWindow()
        QTest.qWait(30)

    def dialog(self) -> LaunchDialog | None:
        found = self.window.findChildren(LaunchDialog)
        return next((one for one in found if one.isVisible()), None)

    def close(self) -> None:
        self.bridge.stop()
        self.window.vitals.stop()
        self.window.hide()
        self.window.deleteLater()


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    return small_census(tmp_path)


def test_settings_that_came_with_the_flow_are_shown_once_before_they_are_used(
    qtbot: QtBot, flow: Path
) -> None:
    save_launch(FULL, launch_file(flow))
    settings = Settings()
    desk = Desk(flow, settings)
    assert desk.dialog() is None
    QTest.keyClick(desk.window, Qt.Key.Key_F5)

    dialog = desk.dialog()
    assert dialog is not None
    assert dialog.save_button.text() == "Run"
    assert not desk.client.named("start")
    press(dialog.save_button)
    assert len(desk.client.named("start")) == 1
    assert desk.session.launch.interpreter == FULL.interpreter
    assert desk.session.launch.working_folder == str(flow.parent / "data")
    desk.close()

    again = Desk(flow, settings)
    QTest.keyClick(again.window, Qt.Key.Key_F5)
    assert again.dialog() is None
    assert again.client.named("start")
    again.close()

    save_launch(LaunchSettings(interpreter="/tmp/other"), launch_file(flow))
    changed = Desk(flow, settings)
    QTest.keyClick(changed.window, Qt.Key.Key_F5)
    assert changed.dialog() is not None
    assert not changed.client.named("start")
    changed.close()


def note_launches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[LaunchSettings]:
    """What the engine would be launched with, at each start."""
    used: list[LaunchSettings] = []
    start = desk.client.start

    def noted(flow_json: str, folder: str | None = None) -> str:
        used.append(desk.session.launch)
        return start(flow_json, folder)

    monkeypatch.setattr(desk.client, "start", noted)
    return used


def test_a_job_of_another_flow_is_started_again_with_its_own_settings(
    qtbot: QtBot, flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the flow under edit may never have been seen."""
    (tmp_path / "foreign").mkdir()
    foreign = small_census(tmp_path / "foreign")
    save_launch(LaunchSettings(interpreter="/tmp/any program"), launch_file(foreign))
    desk = Desk(flow, Settings())
    desk.window.launching.keep(LaunchSettings(workers=3), USER)
    used = note_launches(desk, monkeypatch)
    desk.session.run()
    job_id = desk.session.job_id
    assert job_id is not None
    desk.client.tell_started(job_id)
    desk.client.tell_ended(job_id)
    desk.bridge.tick()
    assert desk.window.files.load(foreign)
    desk.session.show_job(job_id)
    desk.session.restart()

    assert [(one.workers, one.interpreter) for one in used] == [(3, None)] * 2
    assert desk.window.launching.must_be_seen
    assert desk.session.launch.interpreter is None
    desk.window.launching.use_unseen()
    assert desk.session.launch.interpreter == "/tmp/any program"
    desk.close()


def test_a_job_of_the_same_flow_is_started_again_with_its_present_settings(
    qtbot: QtBot, flow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(flow, Settings())
    used = note_launches(desk, monkeypatch)
    desk.session.run()
    job_id = desk.session.job_id
    assert job_id is not None
    desk.client.tell_started(job_id)
    desk.client.tell_ended(job_id)
    desk.bridge.tick()
    desk.window.launching.keep(LaunchSettings(workers=3), USER)

    desk.session.restart()

    assert [one.workers for one in used] == [None, 3]
    desk.close()


def test_a_flow_without_settings_runs_without_a_word(qtbot: QtBot, flow: Path) -> None:
    desk = Desk(flow, Settings())
    QTest.keyClick(desk.window, Qt.Key.Key_F5)

    assert desk.dialog() is None
    assert desk.client.named("start")
    desk.close()


@pytest.mark.parametrize("kept", [FLOW, USER])
def test_settings_are_kept_where_the_user_wants_them(qtbot: QtBot, flow: Path, kept: str) -> None:
    settings = Settings()
    desk = Desk(flow, settings)
    desk.window.actions_table["run.launch"].trigger()
    dialog = desk.dialog()
    assert dialog is not None
    dialog.kept.setCurrentIndex(dialog.kept.findData(kept))
    dialog.workers.setValue(3)
    press(dialog.save_button)
    assert desk.session.launch.workers == 3
    desk.close()

    assert launch_file(flow).exists() == (kept == FLOW)
    if kept == FLOW:
        assert load_launch(launch_file(flow)).workers == 3
    again = Desk(flow, settings)
    assert again.session.launch.workers == 3
    assert not again.window.launching.must_be_seen
    again.close()


def test_the_user_s_own_go_before_those_beside_the_flow(qtbot: QtBot, flow: Path) -> None:
    save_launch(LaunchSettings(workers=9), launch_file(flow))
    settings = Settings()
    desk = Desk(flow, settings)
    desk.window.launching.keep(LaunchSettings(workers=2), USER)
    desk.close()

    again = Desk(flow, settings)
    assert again.session.launch.workers == 2
    again.window.launching.keep(LaunchSettings(workers=4), FLOW)
    again.close()
    third = Desk(flow, settings)
    assert third.session.launch.workers == 4
    third.close()


def test_settings_that_can_t_be_read_are_said_and_not_used(qtbot: QtBot, flow: Path) -> None:
    launch_file(flow).write_text('{"version": 1, "workers": "many"}')
    desk = Desk(flow, Settings())

    assert "workers" in desk.window.notice.text
    assert desk.session.launch.workers is None
    desk.close()
