"""New, open and save lose nothing without a question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient
from penstock.host import WhenWindowGoes
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.settings import Settings
from penstock_gui.window.dialogs import CANCEL, DISCARD, SAVE
from penstock_gui.window.files import Files


class Answers:
    """What a person would answer, and what was asked."""

    def __init__(self) -> None:
        self.leave = DISCARD
        self.path: Path | None = None
        self.asked: list[str] = []

    def trust(self, folder: Path) -> bool:
        return True

    def close_running(self, jobs: int, when_gone: WhenWindowGoes | None) -> str:
        return CANCEL

    def unsaved(self, name: str) -> str:
        self.asked.append("unsaved")
        return self.leave

    def open_path(self, folder: Path) -> Path | None:
        self.asked.append("open")
        return self.path

    def save_path(self, suggestion: Path) -> Path | None:
        self.asked.append(f"save {suggestion.name}")
        return self.path


class Desk:
    """Files over a document with one routine type in its folder."""

    def __init__(self, folder: Path) -> None:
        (folder / "steps.py").write_text(
            "from penstock import Routine\n\n\nclass Step(Routine):\n"
            "    def logic(self):\n        pass\n",
            encoding="utf-8",
        )
        self.flow = folder / "a.flow.json"
        routines = {"one": {"type": "steps:Step"}}
        data = {"version": 1, "name": "a", "folders": ["."], "routines": routines}
        self.flow.write_text(json.dumps(data | {"connections": []}), encoding="utf-8")
        client = ScriptedClient()
        self.bridge = EngineBridge(client)
        self.session = Session(FlowDocument(), client, self.bridge)
        self.settings = Settings()
        self.answers = Answers()
        self.files = Files(self.session, self.settings, self.answers)
        self.failures: list[str] = []
        self.files.failed.connect(self.failures.append)

    @property
    def ids(self) -> tuple[str, ...]:
        return self.session.document.ids()

    def edit(self) -> None:
        """Make an unsaved change."""
        self.session.edits.rename("one", "changed")


@pytest.fixture
def desk(tmp_path: Path, qtbot: QtBot) -> Iterator[Desk]:
    one = Desk(tmp_path)
    assert one.files.load(one.flow)
    yield one
    one.bridge.stop()


def test_opening_is_remembered(desk: Desk) -> None:
    assert desk.ids == ("one",)
    assert desk.settings.recent == [str(desk.flow)]
    assert desk.failures == []


def test_a_clean_flow_is_left_without_a_question(desk: Desk) -> None:
    desk.files.new()

    assert (desk.ids, desk.answers.asked) == ((), [])


@pytest.mark.parametrize(("answer", "left"), [(CANCEL, False), (DISCARD, True), (SAVE, True)])
def test_unsaved_changes_are_asked_about(desk: Desk, answer: str, left: bool) -> None:
    desk.edit()
    desk.answers.leave = answer
    desk.files.new()

    assert desk.answers.asked == ["unsaved"]
    assert (desk.ids == ()) is left
    assert ("changed" in desk.flow.read_text(encoding="utf-8")) is (answer == SAVE)


def test_a_bad_file_is_told_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    bad = tmp_path / "bad.flow.json"
    bad.write_text("{", encoding="utf-8")
    desk.edit()
    desk.answers.path = bad
    desk.files.open()

    assert len(desk.failures) == 1
    assert str(bad) in desk.failures[0]
    assert desk.ids == ("changed",)
    assert str(bad) not in desk.settings.recent
    assert not desk.session.undo.isClean()


def test_a_dialog_that_is_cancelled_changes_nothing(desk: Desk) -> None:
    desk.files.open()
    desk.session.document.new()
    assert not desk.files.save()

    assert desk.answers.asked == ["open", "save untitled.flow.json"]


def test_a_new_flow_is_named_after_its_file(desk: Desk, tmp_path: Path) -> None:
    desk.files.new()
    desk.answers.path = tmp_path / "fresh"
    assert desk.files.save()

    assert (tmp_path / "fresh.flow.json").is_file()
    assert desk.session.document.flow.name == "fresh"
    assert desk.session.undo.isClean()


def test_a_save_that_fails_is_told_and_stays_unsaved(desk: Desk, tmp_path: Path) -> None:
    desk.edit()
    desk.answers.path = tmp_path / "missing" / "a.flow.json"
    assert not desk.files.save_as()

    assert len(desk.failures) == 1
    assert not desk.session.undo.isClean()
    assert desk.session.document.path == desk.flow


def test_leaving_stops_when_the_save_fails(desk: Desk, tmp_path: Path) -> None:
    desk.session.document.new()
    desk.session.document.load(desk.flow)
    desk.edit()
    desk.answers.leave = SAVE
    desk.flow.unlink()
    desk.flow.mkdir()
    desk.files.new()

    assert desk.ids == ("changed",)
