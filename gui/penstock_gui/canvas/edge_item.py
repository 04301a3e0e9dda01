"""One connection on the canvas: a wire from an event to a slot."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QPainter, QPainterPath, QPainterPathStroker
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from penstock.flow import Connection
from penstock_gui.canvas.geometry import FAILED
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.paint_guard import PaintGuard
from penstock_gui.canvas.wire_painting import WireLook, paint_wire
from penstock_gui.canvas.wires import Ends, Lane, wire_path

WIRE_LAYER, FAILED_LAYER, CHOSEN_LAYER = 1.0, 0.5, 2.0
_GRIP = 10.0
_MARGIN = 4.0


class EdgeItem(QGraphicsItem):
    """Shows one connection along the path it was last given."""

    def __init__(self, connection: Connection, ink: Ink, guard: PaintGuard) -> None:
        super().__init__()
        self.connection = connection
        self.ends = Ends(0, 0, 0, 0)
        self.lane: Lane | None = None
        self.line = QLineF()
        self.path = QPainterPath()
        self.look = WireLook(failed=connection.source.port == FAILED)
        self._ink = ink
        self._guard = guard
        self._bounds = QRectF()
        self._grip: QPainterPath | None = None
        self._raise()

    def route(self, ends: Ends, lane: Lane | None) -> None:
        """Take another way."""
        if ends == self.ends and lane == self.lane:
            return
        self.prepareGeometryChange()
        self.ends, self.lane = ends, lane
        self.line = QLineF(*ends)
        self.path = wire_path(ends, lane)
        self._bounds = self.path.controlPointRect().adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
        self._grip = None
        self.update()

    def set_look(self, **changes: bool | float) -> None:
        """Change parts of the look: ``glow``, ``full``, ``held``, ``chosen``, ``dimmed``."""
        if all(getattr(self.look, name) == value for name, value in changes.items()):
            return
        self.look = replace(self.look, **changes)  # type: ignore[arg-type]
        self._raise()
        self.update()

    def middle(self) -> QPointF:
        """The middle of the wire, in the scene."""
        return self.path.pointAtPercent(0.5)

    def _raise(self) -> None:
        if self.look.chosen or self.look.held:
            self.setZValue(CHOSEN_LAYER)
        else:
            self.setZValue(FAILED_LAYER if self.look.failed else WIRE_LAYER)

    def boundingRect(self) -> QRectF:
        return self._bounds

    def shape(self) -> QPainterPath:
        """Wide enough to be met by a pointer."""
        if self._grip is None:
            stroker = QPainterPathStroker()
            stroker.setWidth(_GRIP)
            self._grip = stroker.createStroke(self.path)
        return self._grip

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        with self._guard.watch():
            zoom = painter.worldTransform().m11()
            paint_wire(painter, self._ink, self.path, self.look, zoom)
