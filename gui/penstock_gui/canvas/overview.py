"""The whole graph from afar: rectangles and lines painted in batches, no items involved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QPainter, QPainterPath, QPen

from penstock_gui.canvas.edge_item import EdgeItem
from penstock_gui.canvas.ink import NO_BRUSH, Ink
from penstock_gui.canvas.node_item import NodeItem

DETAILED_UP_TO = 600
"""So many nodes get rounded corners and real wires; beyond it one couldn't see them."""


@dataclass
class _Batches:
    """Everything to paint, by how it is painted."""

    bodies: dict[tuple[str, float], list[QRectF]] = field(default_factory=dict)
    lines: dict[str, list[QLineF]] = field(default_factory=dict)
    paths: dict[str, list[QPainterPath]] = field(default_factory=dict)
    chosen: list[QRectF] = field(default_factory=list)


class Overview:
    """Paints what it collected; `forget` when anything has moved or changed its state."""

    def __init__(self) -> None:
        self._batches: _Batches | None = None

    def forget(self) -> None:
        self._batches = None

    def paint(
        self,
        p: QPainter,
        ink: Ink,
        nodes: Iterable[NodeItem],
        edges: Iterable[EdgeItem],
        zoom: float,
    ) -> None:
        """Wires as thin lines, a routine as one rectangle in its state's colour."""
        if self._batches is None:
            self._batches = _collect(list(nodes), edges)
        batches = self._batches
        detailed = not batches.lines
        p.setRenderHint(QPainter.RenderHint.Antialiasing, detailed)
        _wires(p, ink, batches)
        _bodies(p, ink, batches, rounded=detailed)
        if batches.chosen:
            p.setPen(_thin(ink, "accent", 2.0))
            p.setBrush(NO_BRUSH)
            gap = 3 / zoom
            p.drawRects([body.adjusted(-gap, -gap, gap, gap) for body in batches.chosen])


def _collect(nodes: list[NodeItem], edges: Iterable[EdgeItem]) -> _Batches:
    batches = _Batches()
    for node in nodes:
        look = node.picture.look
        token = "held.fill" if look.held is not None else look.color
        part = 0.45 if look.is_lively else 0.15
        batches.bodies.setdefault((token, part), []).append(node.body)
        if node.touch.selected:
            batches.chosen.append(node.body)
    detailed = len(nodes) <= DETAILED_UP_TO
    for edge in edges:
        if detailed:
            batches.paths.setdefault(_wire_token(edge), []).append(edge.path)
        else:
            batches.lines.setdefault(_wire_token(edge), []).append(edge.line)
    return batches


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


def _wires(p: QPainter, ink: Ink, batches: _Batches) -> None:
    p.setBrush(NO_BRUSH)
    for token, paths in batches.paths.items():
        p.setPen(_thin(ink, token, 1.0))
        for path in paths:
            p.drawPath(path)
    for token, lines in batches.lines.items():
        p.setPen(_thin(ink, token, 1.0))
        p.drawLines(lines)


def _bodies(p: QPainter, ink: Ink, batches: _Batches, *, rounded: bool) -> None:
    for (token, part), bodies in batches.bodies.items():
        held = token == "held.fill"
        p.setPen(_thin(ink, "held.edge" if held else token, 2.5 if held else 1.0))
        p.setBrush(ink.mix(token, "bg.raised", part))
        if rounded:
            for body in bodies:
                p.drawRoundedRect(body, 8, 8)
        else:
            p.drawRects(bodies)


def _thin(ink: Ink, token: str, width: float) -> QPen:
    pen = QPen(ink.color(token), width)
    pen.setCosmetic(True)
    return pen
