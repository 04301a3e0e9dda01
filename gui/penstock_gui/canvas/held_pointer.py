"""A held routine that is out of view: the amber arrow at the view's edge shows the way."""

from __future__ import annotations

import math
from typing import Protocol

from PySide6.QtCore import QPoint, QPointF, QRectF
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.marks import held_arrow
from penstock_gui.canvas.scene import FlowScene
from penstock_gui.session import Session

_FROM_EDGE, _FROM_FOOT = 26.0, 70.0
_HALF = 14.0
_TIP = 22.0


class _Seen(Protocol):
    graph: FlowScene
    ink: Ink
    session: Session

    def viewport(self) -> QWidget: ...
    def to_view(self, at: QPointF) -> QPoint: ...


class HeldPointer:
    """Where the arrow is, if anywhere; `place` after anything has moved."""

    def __init__(self, seen: _Seen) -> None:
        self._seen = seen
        self._spot: QRectF | None = None

    @property
    def routine(self) -> str:
        """The routine that would go next, "" when nothing is held."""
        view = self._seen.session.view
        return view.held.place if view is not None and view.held is not None else ""

    def contains(self, at: QPoint) -> bool:
        """Whether a pixel lies on the arrow."""
        return self._spot is not None and self._spot.contains(QPointF(at))

    def place(self) -> None:
        """Find its place anew and have it painted where that is another."""
        before, self._spot = self._spot, self._find()
        if before != self._spot:
            self._seen.viewport().update()

    def paint(self, p: QPainter) -> None:
        """In viewport pixels."""
        body, spot = self._body(), self._spot
        if body is None or spot is None:
            return
        way = QPointF(self._seen.to_view(body.center())) - spot.center()
        angle = math.atan2(way.y(), way.x())
        tip = QPointF(math.cos(angle), math.sin(angle)) * _TIP
        held_arrow(p, self._seen.ink, spot.center() + tip, math.degrees(angle))

    def _body(self) -> QRectF | None:
        node = self._seen.graph.nodes.get(self.routine)
        return node.body if node is not None else None

    def _find(self) -> QRectF | None:
        body = self._body()
        if body is None or self._seen.graph.in_view.intersects(body):
            return None
        frame = QRectF(self._seen.viewport().rect())
        frame.adjust(_FROM_EDGE, _FROM_EDGE, -_FROM_EDGE, -_FROM_FOOT)
        way = QPointF(self._seen.to_view(body.center()))
        x = min(max(way.x(), frame.left()), frame.right())
        y = min(max(way.y(), frame.top()), frame.bottom())
        return QRectF(x - _HALF, y - _HALF, 2 * _HALF, 2 * _HALF)
