"""The line that says which job is stalled, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from helpers.scripted import Call, ScriptedClient, routine_count, slot_count
from penstock.host import CommandRefused
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.window.stall_bar import StallBar


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def session(qtbot: QtBot, client: ScriptedClient) -> Iterator[Session]:
    bridge = EngineBridge(client, interval_ms=10_000)
    yield Session(FlowDocument(), client, bridge)
    bridge.stop()


@pytest.fixture
def bar(qtbot: QtBot, session: Session) -> StallBar:
    made = StallBar(session, Theme("dark"))
    qtbot.addWidget(made)
    made.resize(700, 36)
    return made


def stall(client: ScriptedClient, session: Session, job_id: str, *slots: str) -> None:
    client.tell_started(job_id, "flow", ["a", "b"])
    client.tell_stalled(job_id, slots, ["a"])
    session.bridge.tick()


def go_on(client: ScriptedClient, session: Session, job_id: str) -> None:
    client.tell_progress(job_id, {"b": routine_count("running", running=1)})
    session.bridge.tick()


def click(bar: StallBar, choice: str) -> None:
    QTest.mouseClick(bar.buttons[choice], Qt.MouseButton.LeftButton)  # type: ignore[index]


def enabled(bar: StallBar) -> list[bool]:
    return [button.isEnabled() for button in bar.buttons.values()]


def test_without_a_stall_it_is_hidden(bar: StallBar, client: ScriptedClient) -> None:
    assert not bar.isVisible()


def test_it_names_job_and_slots_and_goes_with_the_stall(
    bar: StallBar, session: Session, client: ScriptedClient
) -> None:
    stall(client, session, "1", "x.a", "y.b")

    assert bar.isVisible()
    assert bar.text.startswith("Job 1 is stalled: x.a and y.b are full.")
    assert [button.text() for button in bar.buttons.values()] == ["Grow", "Drop", "Cancel job"]
    go_on(client, session, "1")
    assert not bar.isVisible()


def test_it_takes_the_keyboard_from_nobody(
    bar: StallBar, session: Session, client: ScriptedClient
) -> None:
    before = QApplication.focusWidget()

    stall(client, session, "1", "x.a")

    assert QApplication.focusWidget() is before
    assert {b.focusPolicy() for b in bar.buttons.values()} == {Qt.FocusPolicy.TabFocus}


@pytest.mark.parametrize("choice", ["grow", "drop", "cancel"])
def test_each_button_sends_its_choice_once(
    bar: StallBar, session: Session, client: ScriptedClient, choice: str
) -> None:
    stall(client, session, "1", "x.a")

    click(bar, choice)
    click(bar, choice)

    assert client.named("unstall") == [Call("unstall", ("1", choice))]


def test_the_buttons_come_back_with_the_next_stall_of_the_same_slots(
    bar: StallBar, session: Session, client: ScriptedClient
) -> None:
    stall(client, session, "1", "x.a")
    click(bar, "grow")
    assert enabled(bar) == [False] * 3

    client.tell_progress("1", {})
    client.tell_stalled("1", ["x.a"])
    session.bridge.tick()

    assert bar.isVisible()
    assert enabled(bar) == [True] * 3


def test_a_refused_choice_can_be_made_again(
    bar: StallBar, session: Session, client: ScriptedClient
) -> None:
    stall(client, session, "1", "x.a")
    click(bar, "drop")

    client.tell(CommandRefused("unstall", "1", "no"))
    session.bridge.tick()

    assert enabled(bar) == [True] * 3


def test_the_shown_job_goes_before_others_and_they_are_counted(
    bar: StallBar, session: Session, client: ScriptedClient
) -> None:
    stall(client, session, "1", "x.a")
    stall(client, session, "2", "y.b")
    assert bar.text.startswith("Job 1 is stalled: x.a is full.")
    assert bar.text.endswith("(1 more stalled job)")

    session.show_job("2")
    assert bar.text.startswith("Job 2 is stalled: y.b is full.")
    click(bar, "cancel")
    client.tell_ended("2", "CANCELLED")
    session.bridge.tick()

    assert client.named("unstall") == [Call("unstall", ("2", "cancel"))]
    assert bar.text.startswith("Job 1 is stalled")
    assert "more" not in bar.text
    assert enabled(bar) == [True] * 3


def test_the_buttons_say_how_many_messages_wait(
    bar: StallBar, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("1", "flow", ["x"])
    client.tell_stalled("1", ["x.a"])
    slot = slot_count(5, capacity=5, queued=12)
    count = routine_count("matching", slots={"a": slot})
    client.tell_progress("1", {"x": count}, stalled=["x.a"])
    session.bridge.tick()

    tips = {choice: button.toolTip() for choice, button in bar.buttons.items()}
    assert tips["grow"] == "Give x.a room for 7 messages; nothing is lost"
    assert tips["drop"].startswith("Drop 7 messages at x.a")
    assert tips["cancel"] == "End job 1 as cancelled"
