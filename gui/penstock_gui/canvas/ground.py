"""The canvas's ground: one colour and a grid of dots."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPen, QPolygonF

from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.painting import FULL_FROM

GRID = 24
_COARSE_GRID = 96
_CLOSEST = 24


def paint_ground(p: QPainter, ink: Ink, area: QRectF, zoom: float) -> None:
    """Fill a part of the scene; the dots thin out with the zoom and are gone from afar."""
    p.fillRect(area, ink.color("bg.canvas"))
    step = GRID if zoom >= FULL_FROM else _COARSE_GRID
    if step * zoom < _CLOSEST:
        return
    dots = QPen(ink.color("bg.canvas.dot"), 2)
    dots.setCosmetic(True)
    p.save()
    p.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    p.setPen(dots)
    columns = range(math.floor(area.left() / step), math.ceil(area.right() / step) + 1)
    rows = range(math.floor(area.top() / step), math.ceil(area.bottom() / step) + 1)
    row = QPolygonF([QPointF(x * step, 0) for x in columns])
    p.translate(0, rows.start * step)
    for _ in rows:
        p.drawPoints(row)
        p.translate(0, step)
    p.restore()
