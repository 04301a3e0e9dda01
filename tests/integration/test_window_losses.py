"""A slot that drops messages, in the real window: all that counts them agrees."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from helpers.real_window import RealWindow, write_flow
from penstock_gui.canvas import hints
from penstock_gui.canvas.looks import QueueLook
from penstock_gui.docks.inspector.routine_page import RoutinePage
from penstock_gui.docks.jobs import JobsPanel

TIMEOUT = 20_000
SOURCE = '''
from penstock import Event, Latest, Routine, Slot

class Numbers(Routine):
    """Emits all at once; hardly any is taken meanwhile."""
    number = Event(int)
    def logic(self):
        for number in range(1300):
            self.number.emit(number)

class Newest(Routine):
    number = Slot(int, capacity=8, overflow="{overflow}")
    activation = Latest()
    def logic(self, number): ...
'''


@pytest.mark.parametrize(
    ("overflow", "which"), [("drop_oldest", "oldest"), ("drop_newest", "newest")]
)
def test_mark_tip_inspector_and_jobs_tell_the_same_losses(
    qtbot: QtBot, tmp_path: Path, overflow: str, which: str
) -> None:
    module = f"lossy_{overflow}"
    (tmp_path / f"{module}.py").write_text(SOURCE.replace("{overflow}", overflow), encoding="utf-8")
    flow: dict[str, object] = {
        "version": 1,
        "name": "lossy",
        "folders": ["."],
        "routines": {
            "numbers": {"type": f"{module}:Numbers"},
            "newest": {"type": f"{module}:Newest"},
        },
        "connections": ["numbers.number -> newest.number"],
    }
    real = RealWindow(write_flow(tmp_path / "lossy.flow.json", flow), workers=1)
    try:
        real.press("run.run")
        qtbot.waitUntil(real.is_over, timeout=TIMEOUT)
        slot = real.view_of().routines["newest"].slots["number"]
        assert slot.posted == 1300
        assert slot.dropped > 0
        assert slot.superseded > 0

        node = real.node("newest")
        shown = QueueLook(0, 8, slot.dropped)
        qtbot.waitUntil(
            lambda: dict(node.picture.look.queues) == {"number": shown}, timeout=TIMEOUT
        )

        pill = node.slot_at("number") + QPointF(70, 0)
        tip = hints.tip_text(real.session, real.graph, real.graph.hit(pill))
        assert tip.splitlines() == [
            "number: int",
            f"drops the {which} beyond 8",
            f"{slot.dropped:,} dropped (the {which}, when full) · {slot.superseded:,} superseded",
        ]
        real.click_node("newest")
        page, jobs = real.window.findChild(RoutinePage), real.window.findChild(JobsPanel)
        assert page is not None
        assert jobs is not None
        told = f"{slot.dropped:,} dropped · {slot.superseded:,} superseded"
        assert page.slots["number"].lost.text() == told
        qtbot.waitUntil(lambda: jobs.losses.full_text == told, timeout=TIMEOUT)
    finally:
        real.close()
