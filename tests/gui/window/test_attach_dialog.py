"""The dialog that lists programs to attach to, and what the window does with the choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient
from penstock.errors import PenstockError
from penstock.host import Grant
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import Placement, Session
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import MainWindow
from penstock_gui.window.attach_dialog import CODE, AttachDialog, Attaching, Listens

NOW = 1_700_000_100.0


@dataclass(frozen=True)
class Program:
    name: str
    pid: int
    since: float
    grant: Grant = "control"


ETL = Program("etl", 4711, NOW - 65)
WEB = Program("<b>web</b>\nshop", 815, NOW - 5, "view")


class Machine:
    """The programs that listen now."""

    def __init__(self, *programs: Program) -> None:
        self.programs = list(programs)

    def __call__(self) -> list[Program]:
        return list(self.programs)


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def opened(parent: QWidget, machine: Machine) -> tuple[AttachDialog, list[tuple[object, str]]]:
    dialog = AttachDialog(Theme("dark"), machine, parent, lambda: NOW)
    chosen: list[tuple[object, str]] = []
    dialog.chosen.connect(lambda one, leaving: chosen.append((one, leaving)))
    dialog.open()
    return dialog, chosen


def press(button: QPushButton | QToolButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def rows(dialog: AttachDialog) -> list[list[str]]:
    model = dialog.model
    return [
        [str(model.index(row, column).data()) for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_it_lists_what_listens_the_newest_first(parent: QWidget) -> None:
    dialog, _ = opened(parent, Machine(ETL, WEB))

    assert rows(dialog) == [
        ["<b>web</b> shop", "815", "5.0 s", "watch"],
        ["etl", "4711", "1 min 05 s", "steer"],
    ]
    assert "&lt;b&gt;" in dialog.model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "&lt;b&gt;web" in dialog.attach_button.toolTip()
    dialog.close()


def test_without_any_it_says_what_makes_a_program_listen(parent: QWidget) -> None:
    dialog, _ = opened(parent, Machine())

    assert not dialog.table.isVisible()
    assert not dialog.attach_button.isEnabled()
    press(dialog.copy_button)
    assert QGuiApplication.clipboard().text() == CODE
    dialog.close()


def test_it_looks_again_by_itself_and_keeps_the_choice(qtbot: QtBot, parent: QWidget) -> None:
    machine = Machine(ETL)
    dialog, chosen = opened(parent, machine)
    machine.programs.append(WEB)
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 2, timeout=5_000)
    press(dialog.attach_button)
    assert chosen == [(ETL, "resume")]

    dialog, _ = opened(parent, machine)
    machine.programs.clear()
    dialog.refresh()
    assert not dialog.table.isVisible()
    assert not dialog.attach_button.isEnabled()
    dialog.close()


def test_a_choice_is_made_by_keys_or_a_double_click(parent: QWidget) -> None:
    dialog, chosen = opened(parent, Machine(ETL, WEB))
    dialog.leaving.setCurrentIndex(1)
    dialog.table.setFocus()
    QTest.keyClick(dialog.table, Qt.Key.Key_Down)
    QTest.keyClick(dialog.table, Qt.Key.Key_Return)
    assert chosen == [(ETL, "hold")]
    assert not dialog.isVisible()

    dialog, chosen = opened(parent, Machine(ETL, WEB))
    place = dialog.table.visualRect(dialog.model.index(0, 0)).center()
    QTest.mouseClick(dialog.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(dialog.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen == [(WEB, "resume")]


def test_escape_attaches_to_nothing(parent: QWidget) -> None:
    dialog, chosen = opened(parent, Machine(ETL))
    QTest.keyClick(dialog, Qt.Key.Key_Escape)

    assert chosen == []
    assert not dialog.isVisible()


class Desk:
    """A window that can attach to the programs of a machine."""

    def __init__(self, placement: Placement = "own") -> None:
        self.machine = Machine(ETL)
        self.attached: list[tuple[Listens, str]] = []
        self.fails = False
        self.client = ScriptedClient()
        self.bridge = EngineBridge(self.client, interval_ms=10_000)
        session = Session(FlowDocument(), self.client, self.bridge, placement)
        attaching = Attaching(self.machine, self.attach)
        self.window = MainWindow(session, Theme("dark"), Settings(), attaching=attaching)
        self.window.show()
        self.window.activateWindow()
        QTest.qWait(30)

    def attach(self, listener: Listens, leaving: str) -> None:
        if self.fails:
            raise PenstockError("nobody answers")
        self.attached.append((listener, leaving))

    def choose(self) -> None:
        self.window.actions_table["run.attach"].trigger()
        dialog = self.window.findChildren(AttachDialog)[-1]
        press(dialog.attach_button)

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


def test_the_window_attaches_to_what_was_chosen_or_says_why_not(desk: Desk) -> None:
    desk.choose()
    assert desk.attached == [(ETL, "resume")]
    assert not desk.window.notice.isVisible()

    desk.fails = True
    desk.choose()
    assert desk.window.notice.text == "etl isn't attached: nobody answers"


def test_detaching_closes_the_window_without_a_question_and_cancels_nothing(qtbot: QtBot) -> None:
    desk = Desk("attached")
    desk.client.tell_up(99, "etl")
    desk.client.tell_started("1", "flow", ["a"])
    desk.bridge.tick()
    detach = desk.window.actions_table["run.detach"]
    assert detach.isVisible()
    assert desk.window.live_jobs() == 0

    with qtbot.waitSignal(desk.window.closed):
        detach.trigger()
    assert not desk.client.named("cancel")
    assert not desk.client.named("kill")
    desk.close()


def test_a_window_of_its_own_engine_has_nothing_to_detach_from(desk: Desk) -> None:
    assert not desk.window.actions_table["run.detach"].isVisible()
