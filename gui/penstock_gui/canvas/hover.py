"""What the pointer lies on is shown: a ring at a port, a lit wire, where a breakpoint goes."""

from __future__ import annotations

from typing import Protocol

from penstock_gui.canvas.scene import NOTHING_HIT, FlowScene, Hit
from penstock_gui.session import Session


class _Place(Protocol):
    graph: FlowScene
    session: Session


class Hover:
    """Marks one thing at a time; ``hit`` is what it is."""

    def __init__(self, place: _Place) -> None:
        self.hit = NOTHING_HIT
        self._place = place

    def forget(self) -> None:
        """The items are others now."""
        self.hit = NOTHING_HIT

    def show(self, hit: Hit) -> None:
        """Mark this instead of what was marked."""
        before, self.hit = self.hit, hit
        if hit == before:
            return
        for routine in {before.routine, hit.routine}:
            if routine is not None:
                self._mark_node(routine, hit)
        graph, chosen = self._place.graph, self._place.session.selection.connection
        for wire in (before.connection, hit.connection):
            if wire is not None and wire in graph.edges:
                graph.edges[wire].set_look(chosen=wire in (hit.connection, chosen))

    def _mark_node(self, routine: str, hit: Hit) -> None:
        node = self._place.graph.nodes.get(routine)
        if node is None:
            return
        here = routine == hit.routine
        node.touch.hovered = here
        node.touch.ringed = hit.port if here else None
        node.touch.ghost = here and hit.at_breakpoint
        node.update()
