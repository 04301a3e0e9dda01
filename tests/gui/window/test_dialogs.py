"""The window's questions, as real dialogs with real buttons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from penstock.host import WhenWindowGoes
from penstock_gui.theme import Theme
from penstock_gui.window.dialogs import CANCEL, DISCARD, END, SAVE, STAY, ChoiceDialog, Dialogs


@pytest.fixture
def dialogs(qtbot: QtBot) -> Dialogs:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    made = Dialogs(Theme("dark"), window)
    made.kept = window  # type: ignore[attr-defined]
    return made


class Person:
    """Does something with the dialog that opens next, and remembers what it said."""

    def __init__(self, act: Callable[[ChoiceDialog], None]) -> None:
        self.read: list[str] = []
        self._act = act
        self._timer = QTimer(interval=5)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, ChoiceDialog) and dialog.isVisible():
            self._timer.stop()
            self.read = [label.text() for label in dialog.findChildren(QLabel)]
            self._act(dialog)


def press(words: str) -> Person:
    def act(dialog: ChoiceDialog) -> None:
        button = next(b for b in dialog.findChildren(QPushButton) if b.text() == words)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    return Person(act)


def hit(key: Qt.Key) -> Person:
    return Person(lambda dialog: QTest.keyClick(dialog, key))


def test_trust_names_the_folder_and_what_running_means(dialogs: Dialogs) -> None:
    person = press("Trust and run")

    assert dialogs.trust(Path("/some/<b>folder</b>"))

    assert "/some/<b>folder</b>" in person.read
    assert any("with your rights" in text for text in person.read)


def test_without_consent_a_folder_is_not_trusted(dialogs: Dialogs) -> None:
    person = press("Cancel")
    assert not dialogs.trust(Path("/x"))

    person = hit(Qt.Key.Key_Escape)
    assert not dialogs.trust(Path("/x"))
    assert person.read


@pytest.mark.parametrize(
    ("words", "answer"), [("Save", SAVE), ("Discard", DISCARD), ("Cancel", CANCEL)]
)
def test_unsaved_changes_can_be_saved_discarded_or_kept(
    dialogs: Dialogs, words: str, answer: str
) -> None:
    person = press(words)

    assert dialogs.unsaved("census") == answer

    assert "census" in person.read


def test_closing_a_dialog_changes_nothing(dialogs: Dialogs) -> None:
    person = hit(Qt.Key.Key_Escape)

    assert dialogs.unsaved("census") == CANCEL
    assert person.read


@pytest.mark.parametrize(("jobs", "title"), [(1, "1 job is still running"), (3, "3 jobs are")])
def test_closing_while_jobs_run_says_how_many(dialogs: Dialogs, jobs: int, title: str) -> None:
    person = press("Cancel and close")

    assert dialogs.close_running(jobs, None) == END

    assert person.read[0].startswith(title)
    assert "cancels" in person.read[1]


@pytest.mark.parametrize(
    ("words", "answer"),
    [("Keep open", CANCEL), ("Cancel and close", END), ("Leave running", STAY)],
)
def test_jobs_that_can_go_on_may_be_left(dialogs: Dialogs, words: str, answer: str) -> None:
    person = press(words)

    assert dialogs.close_running(2, "resume") == answer

    assert "they go on without a window" in person.read[1]


@pytest.mark.parametrize(
    ("when_gone", "answer", "text"),
    [("end", END, "goes on, too"), ("resume", STAY, "goes on, too"), ("hold", STAY, "stays held")],
)
def test_what_was_set_for_jobs_without_a_window_is_the_default(
    dialogs: Dialogs, when_gone: WhenWindowGoes, answer: str, text: str
) -> None:
    person = hit(Qt.Key.Key_Return)

    assert dialogs.close_running(1, when_gone) == answer

    assert f"What is held {text}." in person.read[1]


def test_escape_keeps_the_window_open(dialogs: Dialogs) -> None:
    person = hit(Qt.Key.Key_Escape)

    assert dialogs.close_running(1, "hold") == CANCEL
    assert person.read


def test_enter_takes_the_default_button(dialogs: Dialogs) -> None:
    person = hit(Qt.Key.Key_Return)

    assert dialogs.unsaved("census") == SAVE
    assert person.read


def test_files_are_asked_for_where_they_are(
    dialogs: Dialogs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def choose(parent: QWidget, title: str, start: str, kinds: str) -> tuple[str, str]:
        asked.append(start)
        return (str(tmp_path / "a.flow.json") if len(asked) < 3 else "", kinds)

    monkeypatch.setattr(QFileDialog, "getOpenFileName", choose)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)

    assert dialogs.open_path(tmp_path) == tmp_path / "a.flow.json"
    assert dialogs.save_path(tmp_path / "b.flow.json") == tmp_path / "a.flow.json"
    assert dialogs.open_path(tmp_path) is None
    assert dialogs.save_path(tmp_path) is None
    assert asked[:2] == [str(tmp_path), str(tmp_path / "b.flow.json")]
