"""Actions are enabled when they can be done, and say why when not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from penstock_gui.theme import Theme
from penstock_gui.window.actions import TABLE, Actions
from penstock_gui.window.cheat_sheet import key_rows
from penstock_gui.window.situation import Situation

IDLE = Situation(routines=3)
RUNNING = Situation(mode="running", job_id="7", routines=3)
PAUSING = Situation(mode="pausing", job_id="7", routines=3)
HELD = Situation(mode="held", job_id="7", routines=3)


class Bench:
    """A window with a canvas, a field and a button, and what was triggered."""

    def __init__(self, qtbot: QtBot) -> None:
        self.done: list[str] = []
        self.window, self.canvas = QWidget(), QWidget()
        self.field, self.button = QLineEdit(), QPushButton()
        qtbot.addWidget(self.window)
        box = QVBoxLayout(self.window)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.addWidget(self.canvas)
        box.addWidget(self.field)
        box.addWidget(self.button)
        handlers = {spec.id: self._note(spec.id) for spec in TABLE}
        self.actions = Actions(Theme("dark"), handlers, self.window, self.canvas)
        self.window.show()
        self.window.activateWindow()

    def _note(self, action_id: str) -> Callable[[], object]:
        return lambda: self.done.append(action_id)

    def tip(self, action_id: str, now: Situation) -> str:
        self.actions.refresh(now)
        return self.actions[action_id].toolTip()

    def can(self, now: Situation) -> set[str]:
        """Ids of the run actions that are enabled, without those that always are."""
        self.actions.refresh(now)
        menu = self.actions.of_menu("Run")
        return {action.objectName() for action in menu if action.isEnabled()} - {
            "run.launch",
            "run.attach",
        }


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


def test_no_key_is_given_twice() -> None:
    keys = Counter(QKeySequence(key).toString() for spec in TABLE for key in spec.keys)

    assert [key for key, count in keys.items() if count > 1] == []


def test_ids_are_unique_and_have_handlers(qtbot: QtBot) -> None:
    assert len({spec.id for spec in TABLE}) == len(TABLE)
    window = QWidget()
    qtbot.addWidget(window)

    with pytest.raises(ValueError, match=r"run\.run"):
        Actions(Theme("dark"), {}, window, window)


@pytest.mark.parametrize(
    ("now", "enabled"),
    [
        (Situation(), set()),
        (IDLE, {"run.run"}),
        (Situation(mode="starting", job_id="7", routines=3), {"run.pause", "run.stop"}),
        (RUNNING, {"run.run", "run.pause", "run.stop"}),
        (PAUSING, {"run.run", "run.stop"}),
        (HELD, {"run.run", "run.step", "run.stop"}),
        (Situation(routines=3, selected=1, selected_routine="a"), {"run.run", "run.breakpoint"}),
    ],
)
def test_run_actions_follow_the_job(bench: Bench, now: Situation, enabled: set[str]) -> None:
    assert bench.can(now) == enabled


def test_what_can_t_be_done_says_why(bench: Bench) -> None:
    now = Situation()
    bench.actions.refresh(now)

    for spec in TABLE:
        action = bench.actions[spec.id]
        if not action.isEnabled():
            assert action.toolTip().partition(": ")[2], spec.id
    assert "pause the job first (F6)" in bench.tip("run.step", RUNNING)


def test_run_turns_to_continue_while_held(bench: Bench) -> None:
    assert bench.tip("run.run", RUNNING) == "Start another job of this flow (F5)"
    assert bench.actions["run.run"].text() == "Run"
    assert bench.tip("run.run", HELD) == "Let job 7 go on (F5)"
    assert bench.actions["run.run"].text() == "Continue"


def test_undo_names_what_it_undoes(bench: Bench) -> None:
    bench.actions.refresh(Situation(undo_text="move parse", redo_text=None))

    assert bench.actions["edit.undo"].text() == "Undo move parse"
    assert bench.actions["edit.undo"].isEnabled()
    assert not bench.actions["edit.redo"].isEnabled()


def test_keys_do_their_action(bench: Bench) -> None:
    bench.actions.refresh(HELD)
    bench.canvas.setFocus()
    QTest.keyClick(bench.window, Qt.Key.Key_F10)
    QTest.keyClick(bench.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    assert bench.done == ["run.step"]


def test_canvas_keys_act_only_on_the_canvas(bench: Bench) -> None:
    bench.actions.refresh(Situation(routines=3, selected=1, selected_routine="a"))
    for other in (bench.field, bench.button):
        other.setFocus()
        QTest.keyClick(other, Qt.Key.Key_F)
        QTest.keyClick(other, Qt.Key.Key_Delete)
    assert (bench.done, bench.field.text()) == ([], "f")

    bench.canvas.setFocus()
    QTest.keyClick(bench.canvas, Qt.Key.Key_F)
    QTest.keyClick(bench.canvas, Qt.Key.Key_Delete)
    assert bench.done == ["view.fit_selection", "edit.delete"]


def test_the_cheat_sheet_has_every_key() -> None:
    menus = {spec.menu for spec in TABLE}
    shown = " ".join(keys for menu in menus for keys, _ in key_rows(menu))

    assert all(QKeySequence(key).toString() in shown for spec in TABLE for key in spec.keys)
