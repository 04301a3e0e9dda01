"""One routine on the canvas: a single item that paints its own ports."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPainterPath
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from penstock_gui.canvas import marks
from penstock_gui.canvas.geometry import NodeShape
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.looks import Look
from penstock_gui.canvas.paint_guard import PaintGuard
from penstock_gui.canvas.painting import OVERVIEW_BELOW, NodePicture, Touch, paint_node

NODE_LAYER, HELD_LAYER = 10.0, 30.0
_MARGIN = 20.0
_CORNER = QPointF(_MARGIN, _MARGIN)


class NodeItem(QGraphicsItem):
    """Shows what it was last told; it asks nobody and changes nobody.

    ``body`` is its rectangle in the scene; `place` moves it.
    """

    def __init__(self, routine_id: str, shape: NodeShape, ink: Ink, guard: PaintGuard) -> None:
        super().__init__()
        self.routine_id = routine_id
        self.picture = NodePicture(shape)
        self.body = QRectF(shape.body)
        self._ink = ink
        self._guard = guard
        self.setZValue(NODE_LAYER)

    @property
    def touch(self) -> Touch:
        """Marks of the person's hands; call `update` after changing them."""
        return self.picture.touch

    def place(self, x: float, y: float) -> None:
        """Stand elsewhere."""
        self.setPos(x, y)
        self.body = self.picture.shape.body.translated(x, y)

    def slot_at(self, name: str) -> QPointF:
        return self.pos() + self.picture.shape.slot_at(name)

    def event_at(self, name: str) -> QPointF:
        return self.pos() + self.picture.shape.event_at(name)

    def set_shape(self, shape: NodeShape) -> None:
        if shape != self.picture.shape:
            self.prepareGeometryChange()
            self.picture.shape = shape
            self.body = shape.body.translated(self.pos())
            self.update()

    def set_color(self, index: int) -> None:
        if index != self.picture.color:
            self.picture.color = index
            self.update()

    def set_look(self, look: Look) -> None:
        """Show another state of a run."""
        before = self.picture.look
        if look == before:
            return
        if (look.held is None) != (before.held is None):
            self.prepareGeometryChange()
            self.setZValue(NODE_LAYER if look.held is None else HELD_LAYER)
        self.picture.look = look
        self.update()

    def boundingRect(self) -> QRectF:
        """Body, ports and marks; while held also the arrow and the message above."""
        shape = self.picture.shape
        if self.picture.look.held is None:
            return shape.body.adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
        largest = marks.SMALLEST_PLATE / OVERVIEW_BELOW
        left = shape.width - marks.WIDEST_PLATE * largest
        top = -(marks.PLATE_GAP + marks.PLATE_HEIGHT) * largest - _MARGIN
        right = max(shape.width, marks.WIDEST_PLATE * largest)
        return QRectF(QPointF(left, top), QPointF(right, shape.height) + _CORNER)

    def shape(self) -> QPainterPath:
        path = QPainterPath()
        path.addRect(self.picture.shape.body)
        return path

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        with self._guard.watch():
            paint_node(painter, self._ink, self.picture, painter.worldTransform().m11())
