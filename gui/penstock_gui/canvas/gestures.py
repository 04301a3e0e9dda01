"""What hands do on the canvas: one class per gesture, from press to release or Esc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTransform
from PySide6.QtWidgets import QApplication

from penstock.ids import PortRef
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.offers import Anchor, Offer, offers
from penstock_gui.canvas.scene import FlowScene
from penstock_gui.canvas.wire_painting import paint_dragged_wire, paint_plate
from penstock_gui.canvas.wires import curve
from penstock_gui.session import Session

if TYPE_CHECKING:
    from penstock_gui.document import Point

_ADDING = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier


class Stage(Protocol):
    """What a gesture needs of the view. Points `at` are in viewport pixels."""

    graph: FlowScene
    ink: Ink
    session: Session

    def to_scene(self, at: QPoint) -> QPointF: ...
    def to_view(self, at: QPointF) -> QPoint: ...
    def scroll_by(self, delta: QPoint) -> None: ...
    def repaint_all(self) -> None: ...
    def viewportTransform(self) -> QTransform: ...
    @property
    def is_overview(self) -> bool: ...


class Gesture:
    """Begins with the press that made it. After `release` or `cancel` it is not used again."""

    cursor = Qt.CursorShape.ArrowCursor

    def __init__(self, stage: Stage, at: QPoint) -> None:
        self.stage = stage
        self.begin = at

    def move(self, at: QPoint) -> None:
        """The pointer is elsewhere."""

    def release(self, at: QPoint) -> None:
        """The button was let go: do it."""

    def cancel(self) -> None:
        """Esc: everything is as before."""

    def paint(self, painter: QPainter) -> None:
        """Paint over the scene, in viewport pixels."""

    def is_far(self, at: QPoint) -> bool:
        """Whether the pointer has left the place of the press far enough to mean it."""
        return (at - self.begin).manhattanLength() >= QApplication.startDragDistance()


class Pan(Gesture):
    """Moves the view with the hand."""

    cursor = Qt.CursorShape.ClosedHandCursor

    def __init__(self, stage: Stage, at: QPoint) -> None:
        super().__init__(stage, at)
        self._last = at

    def move(self, at: QPoint) -> None:
        self.stage.scroll_by(self._last - at)
        self._last = at


class DragNodes(Gesture):
    """Selects on press; drags what is selected; one edit on release."""

    def __init__(
        self, stage: Stage, at: QPoint, routine: str, modifiers: Qt.KeyboardModifier
    ) -> None:
        super().__init__(stage, at)
        self._routine = routine
        self._adds = bool(modifiers & _ADDING)
        self._was_selected = routine in stage.session.selection.routines
        self._moving = False
        if not self._was_selected:
            before = stage.session.selection.routines if self._adds else frozenset()
            stage.session.select(before | {routine})
        self._from: dict[str, Point] = {}

    def move(self, at: QPoint) -> None:
        if not self._moving:
            if not self.is_far(at):
                return
            self._moving = True
            self._from = self.stage.graph.arrangement.places(self.stage.session.selection.routines)
        self.stage.graph.drag_to(self._places(at))

    def release(self, at: QPoint) -> None:
        session = self.stage.session
        if self._moving:
            moved = self._places(at)
            # Pinning the routines the layout had placed keeps them where they are seen.
            session.edits.move(self.stage.graph.arrangement.unsaved_places() | moved)
        elif self._adds and self._was_selected:
            session.select(session.selection.routines - {self._routine})
        elif not self._adds:
            session.select((self._routine,))

    def cancel(self) -> None:
        if self._moving:
            self.stage.graph.drag_to(self._from)

    def _places(self, at: QPoint) -> dict[str, Point]:
        by = self.stage.to_scene(at) - self.stage.to_scene(self.begin)
        return {
            routine: (float(round(x + by.x())), float(round(y + by.y())))
            for routine, (x, y) in self._from.items()
        }


class RubberBand(Gesture):
    """Selects what a rectangle touches; a click on nothing selects nothing."""

    def __init__(self, stage: Stage, at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        super().__init__(stage, at)
        self._origin = stage.to_scene(at)
        self._before = stage.session.selection
        self._kept = self._before.routines if modifiers & _ADDING else frozenset()
        self._area: QRectF | None = None

    def move(self, at: QPoint) -> None:
        if self._area is None and not self.is_far(at):
            return
        self._area = QRectF(self._origin, self.stage.to_scene(at)).normalized()
        self.stage.session.select(self._kept | self.stage.graph.routines_in(self._area))
        self.stage.repaint_all()

    def release(self, at: QPoint) -> None:
        if self._area is None:
            self.stage.session.select(self._kept)
        self.stage.repaint_all()

    def cancel(self) -> None:
        self.stage.session.select(self._before.routines, self._before.connection)
        self.stage.repaint_all()

    def paint(self, painter: QPainter) -> None:
        if self._area is None:
            return
        corner, end = (
            self.stage.to_view(self._area.topLeft()),
            self.stage.to_view(self._area.bottomRight()),
        )
        fill = self.stage.ink.theme.color("accent")
        fill.setAlphaF(0.10)
        painter.setPen(QPen(self.stage.ink.color("accent"), 1))
        painter.setBrush(fill)
        painter.drawRect(QRectF(QPointF(corner), QPointF(end)))


class DrawWire(Gesture):
    """Draws a wire from an event or backwards from a slot; connects where it fits."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, stage: Stage, at: QPoint, anchor: Anchor) -> None:
        super().__init__(stage, at)
        self._anchor = anchor
        self._at = at
        self._over: str | None = None
        self._target: PortRef | None = None
        graph = stage.graph
        self._offers = offers(
            stage.session.document, graph.edges, anchor, graph.routines_in(graph.in_view)
        )
        self._light()
        self.move(at)

    @property
    def target(self) -> PortRef | None:
        """The port a release would connect to now."""
        return self._target

    def move(self, at: QPoint) -> None:
        self._at = at
        self._over, self._target = self._aim(at)
        self.stage.repaint_all()

    def release(self, at: QPoint) -> None:
        self.move(at)
        self._put_out()
        if self._target is not None:
            wire = self._anchor.wire_to(self._target)
            self.stage.session.edits.connect_ports(wire.source, wire.target)

    def cancel(self) -> None:
        self._put_out()

    def paint(self, painter: QPainter) -> None:
        anchor = self._anchor
        painter.save()
        painter.setWorldTransform(self.stage.viewportTransform())
        start = self._port_place(anchor.ref, anchor.is_slot)
        end = self.stage.to_scene(self._at)
        if self._target is not None:
            end = self._port_place(self._target, not anchor.is_slot)
        path = curve(end, start) if anchor.is_slot else curve(start, end)
        paint_dragged_wire(painter, self.stage.ink, path)
        painter.restore()
        title, words, icon, token = self._plate()
        paint_plate(painter, self.stage.ink, QPointF(self._at), title, words, icon, token)

    def _plate(self) -> tuple[str, str, str, str]:
        """What a release would do: a line, a reason, its glyph and colour."""
        anchor = self._anchor
        if self._target is not None:
            wire = anchor.wire_to(self._target)
            words = "release to connect"
            return f"{wire.source} → {wire.target}", words, "check", "state.done"
        here = f"→ {anchor.ref}" if anchor.is_slot else f"{anchor.ref} →"
        if self._over is not None and self._over != anchor.ref.routine:
            reason = self._offers.get(self._over, Offer()).reason
            return f"{here} {self._over}", reason or "doesn't fit", "ban", "state.failed"
        kind = "an event" if anchor.is_slot else "a slot"
        return f"{here} …", f"drop on {kind}; Esc cancels", "mail", "text.3"

    def _aim(self, at: QPoint) -> tuple[str | None, PortRef | None]:
        """The routine under the pointer, and its port that a wire would be drawn to."""
        hit = self.stage.graph.hit(self.stage.to_scene(at))
        if hit.routine is None:
            return None, None
        offer = self._offers.get(hit.routine, Offer())
        if hit.port is not None:
            name, is_slot = hit.port
            if is_slot != self._anchor.is_slot and name in offer.ports:
                return hit.routine, PortRef(hit.routine, name)
        if hit.routine == self._anchor.ref.routine or not offer.ports or hit.port is not None:
            return hit.routine, None
        height = self.stage.to_scene(at).y()
        nearest = min(
            (PortRef(hit.routine, name) for name in offer.ports),
            key=lambda ref: abs(self._port_place(ref, not self._anchor.is_slot).y() - height),
        )
        return hit.routine, nearest

    def _port_place(self, ref: PortRef, is_slot: bool) -> QPointF:
        node = self.stage.graph.nodes[ref.routine]
        return node.slot_at(ref.port) if is_slot else node.event_at(ref.port)

    def _light(self) -> None:
        """Fitting ports lit, other routines dimmed with the reason."""
        anchor = self._anchor
        for routine, offer in self._offers.items():
            touch = self.stage.graph.nodes[routine].touch
            lit = {(name, not anchor.is_slot) for name in offer.ports}
            if routine == anchor.ref.routine:
                lit.add((anchor.ref.port, anchor.is_slot))
            elif not offer.ports:
                touch.dimmed, touch.reason = True, offer.reason
            touch.lit = frozenset(lit)
        for edge in self.stage.graph.edges.values():
            edge.set_look(dimmed=True)
        self.stage.repaint_all()

    def _put_out(self) -> None:
        for routine in self._offers:
            node = self.stage.graph.nodes.get(routine)
            if node is not None:
                node.touch.dimmed, node.touch.reason = False, ""
                node.touch.lit = frozenset()
        for edge in self.stage.graph.edges.values():
            edge.set_look(dimmed=False)
        self.stage.repaint_all()
