"""Painting wires, and the plate beside a pointer that draws one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from penstock_gui.canvas.ink import LEFT, NO_BRUSH, Ink


@dataclass(frozen=True, slots=True)
class WireLook:
    """How a wire is painted; ``glow`` is 1 just after a message and 0 a moment later."""

    failed: bool = False
    glow: float = 0.0
    full: bool = False
    held: bool = False
    chosen: bool = False
    dimmed: bool = False


def paint_wire(p: QPainter, ink: Ink, path: QPainterPath, look: WireLook, zoom: float) -> None:
    """A wire over its halo, so that crossings read as over and under."""
    p.setOpacity(0.35 if look.dimmed else 1.0)
    p.setBrush(NO_BRUSH)
    p.setPen(ink.pen("bg.canvas", 5.5))
    p.drawPath(path)
    active = "state.failed" if look.failed else "state.running"
    rest = "wire.failed" if look.failed else "wire"
    if look.glow and not look.failed:
        band = QPen(ink.mix(active, "bg.canvas", 0.3 * look.glow), 5.0)
        band.setCapStyle(Qt.PenCapStyle.FlatCap)
        p.setPen(band)
        p.drawPath(path)
    color = ink.mix(active, rest, look.glow) if look.glow else ink.color(rest)
    pen = QPen(color, max(1.25 if look.failed else 1.75, 1 / zoom))
    if look.failed:
        pen.setDashPattern([4, 3])
    if look.held:
        pen = ink.pen("held.edge", 2.5)
    elif look.chosen:
        pen.setColor(ink.color("accent"))
        pen.setWidthF(max(2.0, 1 / zoom))
    if look.full and not look.held:
        p.setPen(ink.pen("accent" if look.chosen else "queue.high", 5.0))
        p.drawPath(path)
        pen = ink.pen("bg.canvas", 2.0)
    p.setPen(pen)
    p.drawPath(path)


def paint_dragged_wire(p: QPainter, ink: Ink, path: QPainterPath) -> None:
    """The wire that hangs from the pointer."""
    p.setBrush(NO_BRUSH)
    p.setPen(ink.pen("bg.canvas", 5.5))
    p.drawPath(path)
    p.setPen(ink.pen("wire.compat", 2))
    p.drawPath(path)


def paint_plate(
    p: QPainter, ink: Ink, at: QPointF, title: str, words: str, icon: str, token: str
) -> None:
    """Two lines beside the pointer, in screen pixels: what is about to happen."""
    wide = max(ink.width("mono", title), ink.width("chip", words) + 18)
    rect = QRectF(at.x() + 20, at.y() + 20, wide + 22, 44)
    p.setPen(ink.pen("line", 1))
    p.setBrush(ink.color("bg.raised"))
    p.drawRoundedRect(rect, 6, 6)
    line = QRectF(rect.x() + 11, rect.y() + 5, wide + 2, 17)
    ink.text(p, line, LEFT, "mono", ink.color("text"), title)
    ink.icon(p, icon, rect.x() + 11, rect.y() + 25, ink.color(token), 12)
    line = QRectF(rect.x() + 29, rect.y() + 22, wide, 18)
    ink.text(p, line, LEFT, "chip", ink.color("text.2"), words)
