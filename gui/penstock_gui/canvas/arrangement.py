"""Where the routines stand and which ways the wires take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from PySide6.QtCore import QRectF

from penstock.flow import Connection
from penstock_gui.canvas.edge_item import EdgeItem
from penstock_gui.canvas.geometry import FAILED
from penstock_gui.canvas.layout import GROUP_GAP, Link, layered
from penstock_gui.canvas.node_item import NodeItem
from penstock_gui.canvas.wires import Ends, find_lanes
from penstock_gui.document import FlowDocument, Point

_ROUTE_ALL_UP_TO = 500


class Arrangement:
    """Places and routes the scene's items; `settle` catches up with what was told before.

    A routine stands where the document says. One without a position goes where the automatic
    layout puts it, once, and stays there: others may come and go without its moving.
    """

    def __init__(
        self,
        document: FlowDocument,
        nodes: Mapping[str, NodeItem],
        edges: Mapping[Connection, EdgeItem],
        wires: Mapping[str, list[Connection]],
    ) -> None:
        self._document = document
        self._nodes = nodes
        self._edges = edges
        self._wires = wires
        self._automatic: dict[str, Point] = {}
        self._unrouted: set[str] = set()
        self._some_unplaced = False

    # What has happened.

    def stand(self, routine: str) -> None:
        """Go where the document or an earlier layout says; else wait for the next one."""
        place = self._place(routine)
        if place is None:
            self._some_unplaced = True
        else:
            self.put(routine, place)

    def put(self, routine: str, place: Point) -> None:
        """Show a routine at a place, whatever the document says."""
        node = self._nodes[routine]
        if (node.x(), node.y()) != place:
            node.place(*place)
        self._unrouted.add(routine)

    def reroute(self, routine: str) -> None:
        """Its wires or its ports are others."""
        self._unrouted.add(routine)

    def remove(self, routine: str) -> None:
        self._unrouted.discard(routine)

    def rename(self, old: str, new: str) -> None:
        self._unrouted.discard(old)
        if old in self._automatic:
            self._automatic[new] = self._automatic.pop(old)

    def clear(self, *, is_other_flow: bool) -> None:
        """All items are new; of the same flow they keep their places."""
        self._unrouted.clear()
        if is_other_flow:
            self._automatic.clear()

    def settle(self) -> bool:
        """Place what has no place yet and find the ways that are out of date; whether any were.

        In a big flow only wires of what has changed are routed anew, past their own ends.
        """
        if self._some_unplaced:
            self._place_the_unplaced()
        if not self._unrouted:
            return False
        changed, self._unrouted = self._unrouted, set()
        if len(self._edges) <= _ROUTE_ALL_UP_TO or 2 * len(changed) > len(self._nodes):
            self._route(list(self._edges), self._nodes)
        else:
            wires = dict.fromkeys(c for r in changed for c in self._wires.get(r, ()))
            ends = {r for c in wires for r in (c.source.routine, c.target.routine)}
            self._route(list(wires), ends)
        return True

    # Answers.

    def places(self, routines: Iterable[str]) -> dict[str, Point]:
        """Where routines stand now."""
        return {
            routine: (self._nodes[routine].x(), self._nodes[routine].y())
            for routine in routines
            if routine in self._nodes
        }

    def unsaved_places(self) -> dict[str, Point]:
        """Where routines stand that the document has no position for."""
        return self.places(i for i in self._nodes if self._document.position(i) is None)

    def automatic_places(self) -> dict[str, Point]:
        """Where the automatic layout would put everything."""
        return self._lay_out(list(self._nodes))

    def around(self, routines: Iterable[str]) -> QRectF:
        """The rectangle around some routines."""
        area = QRectF()
        for routine in routines:
            if routine in self._nodes:
                area = area.united(self._nodes[routine].body)
        return area

    # Placing.

    def _place(self, routine: str) -> Point | None:
        return self._document.position(routine) or self._automatic.get(routine)

    def _place_the_unplaced(self) -> None:
        """Lay out what has no place: by itself, or below what has one."""
        self._some_unplaced = False
        lost = [i for i in self._nodes if self._place(i) is None]
        left, top = 0.0, 0.0
        if len(lost) < len(self._nodes):
            placed = self.around(set(self._nodes) - set(lost))
            left, top = placed.left(), placed.bottom() + GROUP_GAP
        for routine, (x, y) in self._lay_out(lost).items():
            self._automatic[routine] = (x + left, y + top)
            self.put(routine, self._automatic[routine])

    def _lay_out(self, routines: Collection[str]) -> dict[str, Point]:
        shapes = {i: self._nodes[i].picture.shape for i in routines}
        links = []
        for wire in self._edges:
            a, b = wire.source, wire.target
            if a.routine in shapes and b.routine in shapes:
                out_y = shapes[a.routine].event_y(a.port)
                in_y = shapes[b.routine].slot_y(b.port)
                links.append(Link(a.routine, b.routine, out_y, in_y, a.port == FAILED))
        return layered({i: (s.width, s.height) for i, s in shapes.items()}, links)

    # Routing.

    def _route(self, wires: list[Connection], bodies: Iterable[str]) -> None:
        ends = {
            number: self._ends(wire)
            for number, wire in enumerate(wires)
            if wire.source.routine in self._nodes and wire.target.routine in self._nodes
        }
        lanes = find_lanes((self._nodes[i].body for i in bodies), ends)
        for number, way in ends.items():
            self._edges[wires[number]].route(way, lanes.get(number))

    def _ends(self, wire: Connection) -> Ends:
        a = self._nodes[wire.source.routine].event_at(wire.source.port)
        b = self._nodes[wire.target.routine].slot_at(wire.target.port)
        return Ends(a.x(), a.y(), b.x(), b.y())
