"""Looking inside a held message in the real window: the value stays where its job runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from helpers.real_window import RealWindow, write_flow
from penstock_gui.docks.inspector import InspectorPanel
from penstock_gui.docks.inspector.opening import Opening
from penstock_gui.docks.inspector.routine_page import RoutinePage
from penstock_gui.docks.inspector.value_tree import ValueTree

TIMEOUT = 20_000
pytestmark = pytest.mark.usefixtures("placement")

SOURCE = """
import weakref
from dataclasses import dataclass
from pathlib import Path
from penstock import Event, Routine, Slot

@dataclass
class Order:
    number: int
    lines: list
    def __post_init__(self):
        end = Path(__file__).with_name(f"end of {self.number}")
        weakref.finalize(self, end.touch)

class Orders(Routine):
    order = Event(Order)
    def logic(self):
        for number in range(3):
            self.order.emit(Order(number, [{"item": n} for n in range(250)]))
            yield

class Ship(Routine):
    order = Slot(Order)
    def logic(self, order): pass
"""


@pytest.fixture
def real(qtbot: QtBot, tmp_path: Path) -> Iterator[RealWindow]:
    module = f"orders_of_{tmp_path.name}"  # this process may have imported another test's
    (tmp_path / f"{module}.py").write_text(SOURCE)
    flow: dict[str, object] = {
        "version": 1,
        "name": "orders",
        "folders": ["."],
        "routines": {
            "orders": {"type": f"{module}:Orders", "config": {}},
            "ship": {"type": f"{module}:Ship", "config": {}},
        },
        "connections": ["orders.order -> ship.order"],
    }
    made = RealWindow(write_flow(tmp_path / "orders.flow.json", flow))
    yield made
    made.close()


def said(tree: ValueTree, *path: int) -> list[str]:
    model, above = tree.model(), QModelIndex()
    for row in path:
        above = model.index(row, 0, above)
    return [model.index(row, 0, above).data() for row in range(model.rowCount(above))]


def held_message(real: RealWindow) -> Opening | None:
    panel = real.window.findChild(InspectorPanel)
    page = panel.page if panel is not None else None
    openings = page.held.openings.values() if isinstance(page, RoutinePage) else ()
    return next((one for one in openings if one.expander.isVisible()), None)


def test_a_held_message_is_opened_by_keys_kept_while_it_is_shown_and_then_let_go(
    qtbot: QtBot, real: RealWindow, tmp_path: Path
) -> None:
    real.session.toggle_breakpoint("ship")
    real.click_node("ship")
    real.press("run.run")
    qtbot.waitUntil(lambda: held_message(real) is not None, timeout=TIMEOUT)
    opening = held_message(real)
    assert opening is not None

    opening.expander.setFocus()
    QTest.keyClick(opening.expander, Qt.Key.Key_Right)
    tree = opening.tree
    assert tree is not None
    qtbot.waitUntil(lambda: said(tree)[0] == "number: 0", timeout=TIMEOUT)
    QTest.keyClick(opening.expander, Qt.Key.Key_Right)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right):
        QTest.keyClick(tree, key)
    qtbot.waitUntil(lambda: len(said(tree, 1)) > 1, timeout=TIMEOUT)
    assert said(tree, 1)[0] == "0: {'item': 0}"
    assert said(tree, 1)[-1] == "100 more of 250 items"
    tree.setCurrentIndex(tree.model().index(100, 0, tree.currentIndex()))
    QTest.keyClick(tree, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(said(tree, 1)) == 201, timeout=TIMEOUT)
    assert said(tree, 1)[199] == "199: {'item': 199}"

    ended = tmp_path / "end of 0"
    assert not ended.exists()
    real.click_node("orders")
    real.press("run.run")
    qtbot.waitUntil(ended.exists, timeout=TIMEOUT)


def test_the_last_value_of_an_ended_job_is_opened_by_a_click(
    qtbot: QtBot, real: RealWindow
) -> None:
    real.click_node("orders")
    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)
    page = real.window.findChild(InspectorPanel).page  # type: ignore[union-attr]
    assert isinstance(page, RoutinePage)
    opening = page.event_openings["order"]
    qtbot.waitUntil(opening.expander.isVisible, timeout=TIMEOUT)
    QTest.mouseClick(opening.expander, Qt.MouseButton.LeftButton)
    tree = opening.tree
    assert tree is not None
    qtbot.waitUntil(lambda: said(tree)[0] == "number: 2", timeout=TIMEOUT)

    assert said(tree)[1].startswith("lines: [{'item': 0}")
    assert opening.caption is not None
    assert opening.caption.text().endswith("Order, 2 fields")
