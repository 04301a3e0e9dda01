"""The real window over the real engine, as the application puts it together, offscreen."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from penstock.host import (
    EngineClient,
    EngineSnapshot,
    HostProcess,
    LaunchSettings,
    RoutineValues,
    ThreadTable,
    WhenWindowGoes,
)
from penstock.observe import JobView
from penstock_gui.app.collector import Collector
from penstock_gui.app.guards import share_the_interpreter
from penstock_gui.assets import resource
from penstock_gui.bridge import EngineBridge
from penstock_gui.canvas.node_item import NodeItem
from penstock_gui.document import FlowDocument
from penstock_gui.session import Placement, Session
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme
from penstock_gui.window import MainWindow

PATIENCE = 10.0
CENSUS = resource("examples", "code_census")


@dataclass
class Answers:
    """A person's answers to the window's questions, and which were asked."""

    trusts: bool = True
    closes: str = "end"
    leaves: str = "discard"
    path: Path | None = None
    asked: list[str] = field(default_factory=list)

    def trust(self, folder: Path) -> bool:
        self.asked.append(f"trust {folder.name}")
        return self.trusts

    def close_running(self, jobs: int, when_gone: WhenWindowGoes | None) -> str:
        self.asked.append(f"close {jobs}")
        return self.closes

    def unsaved(self, name: str) -> str:
        self.asked.append(f"unsaved {name}")
        return self.leaves

    def open_path(self, folder: Path) -> Path | None:
        return self.path

    def save_path(self, suggestion: Path) -> Path | None:
        return self.path

    def new_id(self, routine_id: str, why_not: Callable[[str], str | None]) -> str | None:
        return None


class RealWindow:
    """Window, session and engine, with the hands of a person.

    Garbage is collected on this thread only and threads take turns as often as in the program.
    Jobs run where `placement` says: in this process, or in one of their own.
    """

    placement: Placement = "window"

    def __init__(self, flow: Path | None = None, workers: int = 4) -> None:
        self._switch_interval = sys.getswitchinterval()
        share_the_interpreter()
        self._collector = Collector(lambda: False)
        launch = LaunchSettings(workers=workers)
        own = HostProcess(launch) if self.placement == "own" else None
        self.client = EngineClient(workers) if own is None else EngineClient(link=own)
        self.bridge = EngineBridge(self.client)
        self.document = FlowDocument()
        self.session = Session(self.document, self.client, self.bridge, self.placement)
        self.theme = Theme("dark")
        self.answers = Answers()
        self.window = MainWindow(self.session, self.theme, Settings(), self.answers)
        if own is not None:
            self.window.jobs_left.connect(own.choose)
        self.graph = self.window.view.graph
        if flow is not None:
            assert self.window.files.load(flow)
        self.window.resize(1600, 1000)
        self.window.show()
        self.window.activateWindow()
        QApplication.processEvents()  # the window is shown, and asks for its layout
        QApplication.processEvents()  # which is made now, before anybody measures it
        self.window.view.setFocus()

    def close(self) -> None:
        """Leave as the application does: drain no more, end the engine, then the widgets."""
        self.window.vitals.stop()
        self.client.close()
        self.bridge.stop()
        self.window.hide()
        self.window.deleteLater()
        self._collector.stop()
        sys.setswitchinterval(self._switch_interval)

    def press(self, action: str) -> None:
        """Press the key of an action, once it can be done, while the canvas has the keyboard."""
        chosen = self.window.actions_table[action]
        deadline = time.monotonic() + PATIENCE
        while not (chosen.isEnabled() and self.window.isActiveWindow()):
            assert time.monotonic() < deadline, f"can't be done: {chosen.toolTip()}"
            self.window.activateWindow()
            QTest.qWait(2)
        QTest.keySequence(self.window.view, chosen.shortcut())

    def view_of(self, job_id: str | None = None) -> JobView:
        """The fold of a job's events; of the shown job without an id."""
        return self.bridge.views[job_id or self.session.job_id or ""]

    def is_over(self, job_id: str | None = None) -> bool:
        """Whether a job has ended and the window knows it."""
        shown = job_id or self.session.job_id or ""
        return shown in self.bridge.views and self.bridge.views[shown].is_over

    def activations(self, routine: str) -> int:
        """Ended activations of a routine in the shown job."""
        view = self.session.view
        return view.routines[routine].activations if view and routine in view.routines else 0

    def threads(self) -> ThreadTable:
        """The engine's threads, asked for now."""
        found: ThreadTable = self._asked(self.client.threads)
        return found

    def snapshot(self) -> EngineSnapshot:
        """The engine's jobs, asked for now."""
        found: EngineSnapshot = self._asked(self.client.snapshot)
        return found

    def last_values(self, job_id: str, routine: str) -> RoutineValues:
        """A routine's last values, asked for now."""
        found: RoutineValues = self._asked(lambda: self.client.last_values(job_id, routine))
        return found

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """The second new answer: the first may be one that was on its way."""
        deadline = time.monotonic() + PATIENCE
        answer = ask()
        for _ in range(2):
            former = answer
            while (answer := ask()) is former:
                assert time.monotonic() < deadline, "no answer comes"
                QTest.qWait(2)
        return answer

    def node(self, routine: str) -> NodeItem:
        """The item of a routine on the canvas."""
        return self.graph.nodes[routine]

    def click_node(self, routine: str) -> None:
        """Click the title of a routine."""
        place = self.node(routine).pos() + QPointF(60, 12)
        QTest.mouseClick(
            self.window.view.viewport(), Qt.MouseButton.LeftButton, pos=self.pixel(place)
        )

    def drag_wire(self, source: str, event: str, target: str, slot: str) -> None:
        """Drag from an event's port to a slot's port."""
        begin = self.pixel(self.node(source).event_at(event))
        end = self.pixel(self.node(target).slot_at(slot))
        viewport, left = self.window.view.viewport(), Qt.MouseButton.LeftButton
        QTest.mousePress(viewport, left, pos=begin)
        for part in (0.1, 0.5, 0.9, 1.0):
            QTest.mouseMove(viewport, begin + (end - begin) * part)
        QTest.mouseRelease(viewport, left, pos=end)

    def pixel(self, place: QPointF) -> QPoint:
        """Where a point of the scene is seen in the viewport."""
        return self.window.view.mapFromScene(place)


def write_flow(path: Path, flow: dict[str, object]) -> Path:
    """Write a flow file."""
    path.write_text(json.dumps(flow), encoding="utf-8")
    return path


def small_census(folder: Path) -> Path:
    """A flow file of the census over a folder of Python sources in `folder`."""
    flow = json.loads((CENSUS / "code_census.flow.json").read_text(encoding="utf-8"))
    flow["folders"] = [str(CENSUS)]
    flow["routines"]["find"]["config"] = {"folder": str(folder)}
    return write_flow(folder / "census.flow.json", flow)
