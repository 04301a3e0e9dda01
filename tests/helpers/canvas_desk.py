"""A canvas with a mouse, and a client that says what tests want it to say."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from helpers.scripted import ScriptedClient
from penstock.flow import Connection, describe
from penstock_gui.canvas import FlowView
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme

LEFT = Qt.MouseButton.LeftButton
REPORT = """

from penstock import Failure


class Report(Routine):
    part = Slot(Failure)

    def logic(self, part: Failure) -> None: ...
"""


@dataclass
class Desk:
    """The view and everything around it; the mouse is moved in scene coordinates."""

    view: FlowView
    session: Session
    document: FlowDocument
    client: ScriptedClient
    theme: Theme

    def run(self) -> str:
        """Start a job and let the start be told."""
        self.session.run()
        job_id = self.session.job_id
        assert job_id is not None
        self.client.tell_started(job_id)
        self.refresh()
        return job_id

    def add_report(self) -> Connection:
        """Add a routine that takes failures; returns a connection it can get."""
        source = self.document.folder / "words.py"
        source.write_text(source.read_text(encoding="utf-8") + REPORT, encoding="utf-8")
        spec = describe("words:Report", self.document.code_folders)
        self.session.edits.add_routine(spec, (480.0, 200.0))
        self.session.select()
        self.view.fit_all()
        return Connection.parse("split.failed -> report.part")

    def rewrite(self, old: str, new: str) -> None:
        """Change the routines' code and load the flow anew."""
        source, flow = self.document.folder / "words.py", self.document.path
        assert flow is not None
        text = source.read_text(encoding="utf-8")
        assert old in text
        source.write_text(text.replace(old, new), encoding="utf-8")
        self.document.load(flow)

    def refresh(self) -> None:
        """Take in what was told and bring the picture up to date."""
        self.take_in()
        self.view.graph.live.refresh()

    def take_in(self) -> None:
        """Fold all that was told, however long it takes."""
        self.session.bridge.tick()
        while self.session.bridge.waiting:
            self.session.bridge.tick()

    def pixel(self, at: QPointF) -> QPoint:
        return self.view.to_view(at)

    def title_of(self, routine: str) -> QPointF:
        """A point on the routine that is no port."""
        return self.view.graph.nodes[routine].body.topLeft() + QPointF(60, 12)

    def event(self, routine: str, name: str) -> QPointF:
        return self.view.graph.nodes[routine].event_at(name)

    def slot(self, routine: str, name: str) -> QPointF:
        return self.view.graph.nodes[routine].slot_at(name)

    def press(
        self,
        at: QPointF,
        modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        button: Qt.MouseButton = LEFT,
    ) -> None:
        QTest.mousePress(self.view.viewport(), button, modifiers, self.pixel(at))

    def move(self, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
        """Move with a button held; QTest's own move forgets the button."""
        viewport, pixel = self.view.viewport(), self.pixel(at)
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(pixel),
            QPointF(viewport.mapToGlobal(pixel)),
            Qt.MouseButton.NoButton,
            button,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(viewport, event)

    def release(self, at: QPointF, button: Qt.MouseButton = LEFT) -> None:
        none = Qt.KeyboardModifier.NoModifier
        QTest.mouseRelease(self.view.viewport(), button, none, self.pixel(at))

    def drag(self, begin: QPointF, end: QPointF) -> None:
        self.press(begin)
        self.move(begin + (end - begin) / 2)
        self.move(end)
        self.release(end)

    def click(
        self, at: QPointF, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        QTest.mouseClick(self.view.viewport(), LEFT, modifiers, self.pixel(at))

    def key(
        self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        QTest.keyClick(self.view, key, modifiers)


def assert_in_step(desk: Desk) -> None:
    """As many items as routines and connections, each where and what the document says."""
    graph, document = desk.view.graph, desk.document
    graph.settle()
    assert set(graph.nodes) == set(document.ids())
    assert set(graph.edges) == set(document.connections())
    assert len(graph.items()) == len(document.ids()) + len(document.connections())
    for routine, node in graph.nodes.items():
        assert node.picture.shape.title == document.title(routine)
        place = document.position(routine)
        assert place is None or (node.x(), node.y()) == place
    for wire, edge in graph.edges.items():
        begin, end = edge.path.elementAt(0), edge.path.currentPosition()
        source = graph.nodes[wire.source.routine].event_at(wire.source.port)
        assert QPointF(begin.x, begin.y) == source
        assert end == graph.nodes[wire.target.routine].slot_at(wire.target.port)
