"""A flow that gets stuck, in the real window: it says so, and its buttons help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from helpers.real_window import RealWindow, write_flow
from penstock_gui.canvas import hints
from penstock_gui.canvas.scene import Hit
from penstock_gui.docks.inspector.routine_page import RoutinePage
from penstock_gui.docks.log import LogPanel
from penstock_gui.docks.log.model import MESSAGE

TIMEOUT = 20_000
SOURCE = '''
from penstock import Event, Routine, Slot

class Numbers(Routine):
    number = Event(int)
    def logic(self):
        for number in range(9):
            self.number.emit(number)
            yield

class Join(Routine):
    """Waits for the other half for ever."""
    left = Slot(int, capacity=3)
    right = Slot(int, capacity=3)
    def logic(self, left, right): ...
'''
names = count(1)


@pytest.fixture
def stuck(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[[], RealWindow]]:
    """Runs the flow in a window until it is stalled."""
    opened: list[RealWindow] = []

    def run() -> RealWindow:
        module = f"stuck_{next(names)}"
        (tmp_path / f"{module}.py").write_text(SOURCE, encoding="utf-8")
        flow: dict[str, object] = {
            "version": 1,
            "name": "stuck",
            "folders": ["."],
            "routines": {
                "numbers": {"type": f"{module}:Numbers"},
                "join": {"type": f"{module}:Join"},
            },
            "connections": ["numbers.number -> join.left"],
        }
        real = RealWindow(write_flow(tmp_path / "stuck.flow.json", flow))
        opened.append(real)
        assert not real.window.stall.isVisible()
        real.press("run.run")
        qtbot.waitUntil(real.window.stall.isVisible, timeout=TIMEOUT)
        return real

    yield run
    for one in opened:
        one.close()


def press(real: RealWindow, choice: str) -> None:
    button = real.window.stall.buttons[choice]  # type: ignore[index]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def joined(real: RealWindow) -> dict[str, int]:
    slot = real.view_of().routines["join"].slots["left"]
    return {"capacity": slot.capacity, "dropped": slot.dropped, "discarded": slot.discarded}


def test_a_stall_is_said_wherever_the_job_is_shown(
    qtbot: QtBot, stuck: Callable[[], RealWindow]
) -> None:
    real = stuck()

    bar = real.window.stall
    assert bar.text.startswith("Job 1 is stalled: join.left is full.")
    assert real.window.isAncestorOf(bar)
    assert bar.geometry().bottom() < real.window.view.geometry().top(), "above the canvas"
    assert real.window.status.text == "Stalled · job 1, join.left is full"
    log = real.window.findChild(LogPanel)
    assert log is not None
    said = "stalled: join.left is full, numbers can't go on"
    qtbot.waitUntil(lambda: log.model.index(0, MESSAGE).data() == said, timeout=TIMEOUT)
    qtbot.waitUntil(
        lambda: real.node("numbers").picture.look.words == "waits: slot full", timeout=TIMEOUT
    )
    press(real, "cancel")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)


def test_growing_lets_it_end_without_a_loss(qtbot: QtBot, stuck: Callable[[], RealWindow]) -> None:
    real = stuck()

    while not real.is_over():
        press(real, "grow")
        qtbot.waitUntil(
            lambda: real.is_over() or real.window.stall.buttons["grow"].isEnabled(),
            timeout=TIMEOUT,
        )

    assert real.view_of().status == "COMPLETED"
    assert joined(real) == {"capacity": 9, "dropped": 0, "discarded": 9}
    assert not real.window.stall.isVisible()


def test_dropping_lets_it_end_with_what_was_dropped_counted(
    qtbot: QtBot, stuck: Callable[[], RealWindow]
) -> None:
    real = stuck()

    while not real.is_over():
        press(real, "drop")
        qtbot.waitUntil(
            lambda: real.is_over() or real.window.stall.buttons["drop"].isEnabled(),
            timeout=TIMEOUT,
        )

    assert real.view_of().status == "COMPLETED"
    assert joined(real) == {"capacity": 3, "dropped": 6, "discarded": 3}
    real.click_node("join")
    page = real.window.findChild(RoutinePage)
    assert page is not None
    assert page.slots["left"].lost.text() == "6 dropped · 3 discarded"
    picture = real.node("join").picture
    qtbot.waitUntil(lambda: picture.look.queues["left"].dropped == 6, timeout=TIMEOUT)
    tip = hints.tip_text(real.session, real.graph, Hit("join", slot="left"))
    assert tip.splitlines()[1:] == ["holds 3", "6 dropped (to end a stall) · 3 discarded"]


def test_cancelling_ends_it(qtbot: QtBot, stuck: Callable[[], RealWindow]) -> None:
    real = stuck()

    press(real, "cancel")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    assert real.view_of().status == "CANCELLED"
    assert not real.window.stall.isVisible()
