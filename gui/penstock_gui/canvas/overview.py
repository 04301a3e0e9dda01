"""The whole graph from afar: rectangles and lines painted in batches, no items involved."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QPainter, QPen

from penstock_gui.canvas.edge_item import EdgeItem
from penstock_gui.canvas.ink import NO_BRUSH, Ink
from penstock_gui.canvas.node_item import NodeItem

_ROUNDED_UP_TO = 600


def paint_overview(
    p: QPainter,
    ink: Ink,
    nodes: Iterable[NodeItem],
    edges: Iterable[EdgeItem],
    zoom: float,
    exposed: QRectF,
) -> None:
    """Wires as thin lines, a routine as one rectangle in its state's colour."""
    seen = [node for node in nodes if exposed.intersects(node.body)]
    _wires(p, ink, edges, exposed, detailed=len(seen) <= _ROUNDED_UP_TO)
    _bodies(p, ink, seen, zoom)


def _wires(
    p: QPainter, ink: Ink, edges: Iterable[EdgeItem], exposed: QRectF, *, detailed: bool
) -> None:
    p.setBrush(NO_BRUSH)
    lines: dict[str, list[QLineF]] = {}
    for edge in edges:
        token = _wire_token(edge)
        if detailed:
            p.setPen(_thin(ink, token))
            p.drawPath(edge.path)
        else:
            lines.setdefault(token, []).append(QLineF(*edge.ends))
    p.setRenderHint(QPainter.RenderHint.Antialiasing, detailed)
    for token, batch in lines.items():
        p.setPen(_thin(ink, token))
        p.drawLines(batch)


def _wire_token(edge: EdgeItem) -> str:
    look = edge.look
    if look.held:
        return "held.edge"
    if look.chosen:
        return "accent"
    if look.full:
        return "queue.high"
    if look.failed:
        return "state.failed" if look.glow else "wire.failed"
    return "state.running" if look.glow else "wire"


def _bodies(p: QPainter, ink: Ink, nodes: list[NodeItem], zoom: float) -> None:
    rounded = len(nodes) <= _ROUNDED_UP_TO
    p.setRenderHint(QPainter.RenderHint.Antialiasing, rounded)
    batches: dict[tuple[str, float], list[QRectF]] = {}
    chosen: list[QRectF] = []
    for node in nodes:
        look = node.picture.look
        part = 0.45 if look.is_lively else 0.15
        token = "held.fill" if look.held is not None else look.color
        batches.setdefault((token, part), []).append(node.body)
        if node.touch.selected:
            chosen.append(node.body)
    for (token, part), batch in batches.items():
        held = token == "held.fill"
        pen = QPen(ink.color("held.edge" if held else token), 2.5 if held else 1.0)
        pen.setCosmetic(True)
        p.setPen(pen)
        p.setBrush(ink.mix(token, "bg.raised", part))
        if rounded:
            for body in batch:
                p.drawRoundedRect(body, 8, 8)
        else:
            p.drawRects(batch)
    if chosen:
        pen = QPen(ink.color("accent"), 2)
        pen.setCosmetic(True)
        p.setPen(pen)
        p.setBrush(NO_BRUSH)
        gap = 3 / zoom
        p.drawRects([body.adjusted(-gap, -gap, gap, gap) for body in chosen])


def _thin(ink: Ink, token: str) -> QPen:
    pen = QPen(ink.color(token), 1)
    pen.setCosmetic(True)
    return pen
