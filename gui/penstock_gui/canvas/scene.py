"""The scene: one item per routine and connection, kept in step with the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtWidgets import QGraphicsScene

from penstock.flow import Connection, Problem, RoutineSpec
from penstock_gui.canvas import marks
from penstock_gui.canvas.arrangement import Arrangement
from penstock_gui.canvas.edge_item import EdgeItem
from penstock_gui.canvas.geometry import FAILED, HEADER, NARROWEST, PORT_HIT, NodeShape, node_shape
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.live import LiveState
from penstock_gui.canvas.node_item import NodeItem
from penstock_gui.canvas.paint_guard import PaintGuard
from penstock_gui.document import FlowDocument, Point
from penstock_gui.session import Selection, Session

_BREAKPOINT_REACH = 9.0


@dataclass(frozen=True)
class Hit:
    """What lies under a point: a routine, maybe a port or the row of a slot, or a connection."""

    routine: str | None = None
    port: tuple[str, bool] | None = None
    slot: str | None = None
    at_breakpoint: bool = False
    connection: Connection | None = None


NOTHING_HIT = Hit()


class FlowScene(QGraphicsScene):
    """Follows the document and the session by their signals.

    Signals:
        restructured(): items were added, removed, moved, reshaped or selected
        rebuilt(bool): all items are new; whether they are another flow's

    The view says by ``in_view`` what it shows, by ``is_far`` that it shows no single items.
    """

    restructured = Signal()
    rebuilt = Signal(bool)

    def __init__(self, session: Session, ink: Ink, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: dict[str, NodeItem] = {}
        self.edges: dict[Connection, EdgeItem] = {}
        self.in_view, self.is_far = QRectF(), False
        self.guard = PaintGuard()
        self._session = session
        self._document: FlowDocument = session.document
        self._ink = ink
        self._wires: dict[str, list[Connection]] = {}
        self._selection = Selection()
        self._is_other_flow = True
        self.arrangement = Arrangement(self._document, self.nodes, self.edges, self._wires)
        self._settling = QTimer(self, singleShot=True, interval=0)
        self._settling.timeout.connect(self.settle)
        self.live = LiveState(session, self, ink, parent=self)
        self._listen()
        self._on_reset()

    def _listen(self) -> None:
        document, session = self._document, self._session
        document.replaced.connect(self._on_replaced)
        document.reset.connect(self._on_reset)
        document.routine_added.connect(self._on_added)
        document.routine_removed.connect(self._on_removed)
        document.routine_renamed.connect(self._on_renamed)
        document.routine_moved.connect(self._on_moved)
        document.routine_changed.connect(self._reshape)
        document.connected.connect(self._on_connected)
        document.disconnected.connect(self._on_disconnected)
        document.problems_changed.connect(self._on_problems_changed)
        session.selection_changed.connect(self._on_selection_changed)
        session.breakpoints_changed.connect(self._on_breakpoints_changed)
        self._ink.theme.changed.connect(self._on_theme_changed)

    # Asked by the view, its gestures and the live state.

    def wires_of(self, routine_id: str) -> Iterable[Connection]:
        """All connections that begin or end at a routine."""
        return self._wires.get(routine_id, ())

    def is_seen(self, routine_id: str) -> bool:
        """Whether a routine or one of its wires may be in view."""
        node = self.nodes.get(routine_id)
        if node is None:
            return False
        if self.in_view.intersects(node.body):
            return True
        wires = self._wires.get(routine_id, ())
        return any(self.in_view.intersects(self.edges[w].boundingRect()) for w in wires)

    def spinning_in_view(self) -> Iterator[NodeItem]:
        """Items with a turning glyph that somebody can see."""
        for node in () if self.is_far else self.nodes.values():
            if node.picture.look.spins and self.in_view.intersects(node.body):
                yield node

    def bounds(self) -> QRectF:
        """The rectangle around everything."""
        self.settle()
        area = self.arrangement.around(self.nodes)
        for edge in self.edges.values():
            area = area.united(edge.path.controlPointRect())
        return area

    def routines_in(self, area: QRectF) -> frozenset[str]:
        """Routines whose bodies touch a rectangle."""
        return frozenset(i for i, node in self.nodes.items() if area.intersects(node.body))

    def hit(self, at: QPointF, *, ports: bool = True) -> Hit:
        """What lies at a point of the scene; a port wins over a body, a body over a wire."""
        reach = QRectF(at.x() - PORT_HIT, at.y() - PORT_HIT, 2 * PORT_HIT, 2 * PORT_HIT)
        items = self.items(reach, Qt.ItemSelectionMode.IntersectsItemBoundingRect)
        nodes = [item for item in items if isinstance(item, NodeItem)]
        for node in nodes if ports else ():
            found = self._part_at(node, at)
            if found is not None:
                return found
        for node in nodes:
            if node.body.contains(at):
                spot = at - node.pos()
                row = node.picture.shape.slot_in_row(spot.x(), spot.y()) if ports else None
                return Hit(node.routine_id, slot=row)
        for item in items:
            if isinstance(item, EdgeItem) and item.shape().contains(at):
                return Hit(connection=item.connection)
        return NOTHING_HIT

    def _part_at(self, node: NodeItem, at: QPointF) -> Hit | None:
        spot = at - node.pos()
        port = node.picture.shape.port_at(spot.x(), spot.y())
        if port is not None:
            return Hit(node.routine_id, port)
        beside = spot - QPointF(0, HEADER / 2)
        if beside.manhattanLength() <= _BREAKPOINT_REACH:
            return Hit(node.routine_id, at_breakpoint=True)
        return None

    def drag_to(self, places: Mapping[str, Point]) -> None:
        """Show routines elsewhere while they are dragged; the document doesn't know."""
        for routine, place in places.items():
            if routine in self.nodes:
                self.arrangement.put(routine, place)
        self.settle()

    def settle(self) -> bool:
        """Place and route what has changed, at once instead of at the next turn of the loop.

        Returns whether anything had.
        """
        self._settling.stop()
        changed = self.arrangement.settle()
        if changed:
            self.restructured.emit()
        return changed

    # Items.

    def _shape(self, routine: str, spec: RoutineSpec) -> NodeShape:
        slots, events = self._ports(routine, spec)
        title, measure = self._document.title(routine), self._ink.width
        rooms = {
            slot.name: marks.lossy_room(measure, slot.capacity)
            for slot in spec.slots
            if slot.overflow.startswith("drop")
        }
        return node_shape(title, slots, events, measure, rooms)

    def _ports(self, routine: str, spec: RoutineSpec) -> tuple[list[str], list[str]]:
        """Its ports, and at their end what is wired though the routine hasn't got it."""
        slots, events = [s.name for s in spec.slots], [e.name for e in spec.events]
        wired = dict.fromkeys(self._wired(routine))
        slots += [name for name, is_slot in wired if is_slot and name not in slots]
        own = [*events, FAILED]
        events += [name for name, is_slot in wired if not is_slot and name not in own]
        if (FAILED, False) in wired:
            events.append(FAILED)
        return slots, events

    def _wired(self, routine: str) -> list[tuple[str, bool]]:
        wires = self._wires.get(routine, ())
        return [(c.source.port, False) for c in wires if c.source.routine == routine] + [
            (c.target.port, True) for c in wires if c.target.routine == routine
        ]

    def _reshape(self, routine: str) -> None:
        node = self.nodes.get(routine)
        if node is None:
            return
        spec = self._document.spec(routine)
        node.set_shape(self._shape(routine, spec))
        node.touch.connected = frozenset(self._wired(routine))
        known = {(s.name, True) for s in spec.slots} | {(e.name, False) for e in spec.events}
        node.touch.unknown = node.touch.connected - known - {(FAILED, False)}
        node.update()
        self.arrangement.reroute(routine)
        self._settling.start()

    def _add_node(self, routine: str) -> None:
        node = NodeItem(routine, NodeShape("", (), (), NARROWEST), self._ink, self.guard)
        node.set_color(self._document.color_index(routine))
        node.touch.selected = routine in self._selection.routines
        self.nodes[routine] = node
        self._reshape(routine)
        self._show_breakpoint(node)
        self.arrangement.stand(routine)
        self.addItem(node)

    def _add_edge(self, wire: Connection) -> None:
        edge = EdgeItem(wire, self._ink, self.guard)
        edge.set_look(chosen=wire == self._selection.connection)
        self.edges[wire] = edge
        for routine in {wire.source.routine, wire.target.routine}:
            self._wires.setdefault(routine, []).append(wire)
        self.addItem(edge)

    def _drop_edge(self, wire: Connection) -> None:
        edge = self.edges.pop(wire, None)
        if edge is None:
            return
        for routine in {wire.source.routine, wire.target.routine}:
            self._wires[routine].remove(wire)
        self.removeItem(edge)

    # What the document tells.

    def _on_replaced(self) -> None:
        self._is_other_flow = True

    def _on_reset(self) -> None:
        self.clear()
        self.nodes.clear()
        self.edges.clear()
        self._wires.clear()
        is_other, self._is_other_flow = self._is_other_flow, False
        self.arrangement.clear(is_other_flow=is_other)
        for wire in self._document.connections():
            self._add_edge(wire)
        for routine in self._document.ids():
            self._add_node(routine)
        self._selection = Selection()
        self._on_selection_changed(self._session.selection)
        self._on_problems_changed()
        self.live.mark_all()
        self.settle()
        self.rebuilt.emit(is_other)

    def _on_added(self, routine: str) -> None:
        self._add_node(routine)
        self.live.mark((routine,))

    def _on_removed(self, routine: str) -> None:
        for wire in list(self._wires.get(routine, ())):
            self._drop_edge(wire)
        self._wires.pop(routine, None)
        self.arrangement.remove(routine)
        self.removeItem(self.nodes.pop(routine))
        self.restructured.emit()

    def _on_renamed(self, old: str, new: str) -> None:
        self.arrangement.rename(old, new)
        for wire in list(self._wires.get(old, ())):
            self._drop_edge(wire)
        self._wires.pop(old, None)
        self.removeItem(self.nodes.pop(old))
        wires = (*self._document.incoming(new), *self._document.outgoing(new))
        for wire in dict.fromkeys(wires):
            self._add_edge(wire)
        self._add_node(new)
        self.live.mark((new,))

    def _on_moved(self, routine: str) -> None:
        if routine in self.nodes:
            self.arrangement.stand(routine)
            self._settling.start()

    def _on_connected(self, wire: Connection) -> None:
        if wire not in self.edges:
            self._add_edge(wire)
            self._rewired(wire)

    def _on_disconnected(self, wire: Connection) -> None:
        self._drop_edge(wire)
        self._rewired(wire)

    def _rewired(self, wire: Connection) -> None:
        ends = {wire.source.routine, wire.target.routine}
        for routine in ends:
            self._reshape(routine)
        self.live.mark(ends)

    def _on_problems_changed(self) -> None:
        errors: dict[str, str] = {}
        for problem in self._document.problems():
            if problem.severity == "error" and problem.routine:
                errors.setdefault(problem.routine, _words(problem))
        changed = set(errors.items()) ^ set(self.live.problems.items())
        self.live.problems = errors
        self.live.mark(routine for routine, _ in changed)

    # What the session tells.

    def _on_selection_changed(self, selection: Selection) -> None:
        before, self._selection = self._selection, selection
        for routine in before.routines ^ selection.routines:
            node = self.nodes.get(routine)
            if node is not None:
                node.touch.selected = routine in selection.routines
                node.update()
        for wire in (before.connection, selection.connection):
            if wire is not None and wire in self.edges:
                self.edges[wire].set_look(chosen=wire == selection.connection)
        self.restructured.emit()

    def _on_breakpoints_changed(self) -> None:
        for node in self.nodes.values():
            self._show_breakpoint(node)

    def _show_breakpoint(self, node: NodeItem) -> None:
        spec = self._session.breakpoints.get(node.routine_id)
        number, on = (str(spec.id), spec.enabled) if spec is not None else ("", True)
        if (number, on) != (node.touch.breakpoint, node.touch.breakpoint_on):
            node.touch.breakpoint, node.touch.breakpoint_on = number, on
            node.update()

    def _on_theme_changed(self) -> None:
        self._ink.refresh()
        self.update()
        self.restructured.emit()


def _words(problem: Problem) -> str:
    """What is wrong, after the field or port that it is wrong with."""
    for inside in (f"{problem.routine}.config.", f"{problem.routine}."):
        part = problem.place.removeprefix(inside)
        if part != problem.place and part.isidentifier():
            return f"{part}: {problem.text}"
    return problem.text
