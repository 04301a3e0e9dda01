"""Painting nodes, in as much detail as the zoom has room for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from penstock_gui.canvas import marks
from penstock_gui.canvas.geometry import FAILED, FOOTER, HEADER, NodeShape
from penstock_gui.canvas.ink import LEFT, NO_BRUSH, RIGHT, Ink
from penstock_gui.canvas.looks import Look, QueueLook

FULL_FROM = 0.7
COMPACT_FROM = 0.5
OVERVIEW_BELOW = 0.3
SHADOW_FROM = 0.6
DIM = 0.5
_RADIUS = 6.0
_SHADOW = ((2.5, 0.05), (1.5, 0.07), (0.75, 0.10))
_SHADOW_DOWN = 1.5
_MARGIN = 6.0
_LEAST_NAME = 20.0


@dataclass(slots=True)
class Touch:
    """What the person's hands and marks add to a node; held and changed by its item."""

    selected: bool = False
    hovered: bool = False
    dimmed: bool = False
    reason: str = ""
    breakpoint: str = ""
    breakpoint_on: bool = True
    ghost: bool = False
    ringed: tuple[str, bool] | None = None
    lit: frozenset[tuple[str, bool]] = frozenset()
    hot: frozenset[str] = frozenset()
    connected: frozenset[tuple[str, bool]] = frozenset()
    unknown: frozenset[tuple[str, bool]] = frozenset()


class _Outline(NamedTuple):
    """Filling is much cheaper than stroking, and a frame much cheaper than a whole body."""

    shadows: tuple[QPainterPath, ...]
    body: QPainterPath
    header: QPainterPath
    footer: QPainterPath


@lru_cache(maxsize=512)
def _outline(width: float, height: float) -> _Outline:
    r = _RADIUS
    header = QPainterPath(QPointF(0, HEADER))
    header.lineTo(0, r)
    header.quadTo(0, 0, r, 0)
    header.lineTo(width - r, 0)
    header.quadTo(width, 0, width, r)
    header.lineTo(width, HEADER)
    header.closeSubpath()
    top = height - FOOTER
    footer = QPainterPath(QPointF(0, top))
    footer.lineTo(width, top)
    footer.lineTo(width, height - r)
    footer.quadTo(width, height, width - r, height)
    footer.lineTo(r, height)
    footer.quadTo(0, height, 0, height - r)
    footer.closeSubpath()
    body = QPainterPath()
    body.addRoundedRect(QRectF(0, 0, width, height), r, r)
    shadows = tuple(_frame(width, height, reach) for reach, _ in _SHADOW)
    return _Outline(shadows, body, header, footer)


def _frame(width: float, height: float, reach: float) -> QPainterPath:
    """What of a shadow shows beside the body, and a pixel under it."""
    path, r = QPainterPath(), _RADIUS + reach
    low = _SHADOW_DOWN - reach
    path.addRoundedRect(QRectF(-reach, low, width + 2 * reach, height + 2 * reach), r, r)
    path.addRoundedRect(QRectF(1, 1, width - 2, height - 2), _RADIUS, _RADIUS)
    return path


@dataclass(slots=True)
class NodePicture:
    """Everything a node's picture is made of."""

    shape: NodeShape
    color: int = 0
    look: Look = field(default_factory=Look)
    touch: Touch = field(default_factory=Touch)


def paint_node(p: QPainter, ink: Ink, node: NodePicture, zoom: float) -> None:
    """Body and content for the zoom, then ports and what the debugger adds outside."""
    p.setOpacity(DIM if node.touch.dimmed else 1.0)
    _body(p, ink, node, zoom)
    if zoom >= FULL_FROM:
        _full(p, ink, node)
    elif zoom >= COMPACT_FROM:
        _in_pixels(p, zoom, _compact, ink, node)
    else:
        _in_pixels(p, zoom, _small, ink, node)
    p.setOpacity(1.0)
    _ports(p, ink, node)
    touch, held = node.touch, node.look.held
    if touch.breakpoint:
        at = QPointF(0, HEADER / 2)
        marks.breakpoint_mark(p, ink, at, touch.breakpoint, touch.breakpoint_on, zoom)
    elif touch.ghost:
        marks.breakpoint_ghost(p, ink, QPointF(0, HEADER / 2))
    if held is not None:
        slots = node.shape.slots
        y = node.shape.row_y(slots.index(held.slot) if held.slot in slots else 0)
        marks.held_marks(p, ink, held, node.shape.width, y, zoom)


def _body(p: QPainter, ink: Ink, node: NodePicture, zoom: float) -> None:
    """Shadow, body and outline, from a picture of them when there is one."""
    shape, look = node.shape, node.look
    held = look.held is not None
    is_small, has_shadow = zoom < COMPACT_FROM, zoom > SHADOW_FROM
    key = (shape.width, shape.height, look.color, look.is_lively, look.is_failed, held, is_small)
    rect = shape.body.adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
    ink.sprite(p, (key, has_shadow), rect, lambda q: _paint_body(q, ink, node, zoom))
    if node.touch.selected:
        p.setBrush(NO_BRUSH)
        p.setPen(ink.pen("accent", _line(2.0, zoom)))
        p.drawRoundedRect(shape.body.adjusted(-3, -3, 3, 3), 8, 8)


def _line(width: float, zoom: float) -> float:
    """A line's width that doesn't get thinner than on the screen at 80 %."""
    return max(width, 0.8 * width / zoom)


def _paint_body(p: QPainter, ink: Ink, node: NodePicture, zoom: float) -> None:
    shape, look = node.shape, node.look
    outline = _outline(shape.width, shape.height)
    if zoom > SHADOW_FROM:
        strength = 1.0 if ink.theme.name == "dark" else 0.55
        for path, (_, part) in zip(outline.shadows, _SHADOW, strict=True):
            p.fillPath(path, QColor(0, 0, 0, int(255 * part * strength)))
    p.fillPath(outline.body, ink.color("bg.raised"))
    if zoom < COMPACT_FROM:
        tint = ink.mix(look.color, "bg.raised", 0.16 if look.is_lively else 0.03)
        p.fillPath(outline.body, tint)
        p.fillPath(outline.header, ink.color("bg.head"))
        p.fillRect(QRectF(0, HEADER - 1, shape.width, 11), ink.color("bg.head"))
    else:
        p.fillPath(outline.header, ink.color("bg.head"))
        tint = ink.mix(look.color, "bg.raised", 0.12 if look.is_lively else 0.04)
        p.fillPath(outline.footer, tint)
        p.setPen(ink.pen("line.subtle", 1))
        p.drawLine(QLineF(0, HEADER, shape.width, HEADER))
    if look.held is not None:
        p.setPen(ink.pen("held.edge", _line(2.0, zoom)))
    elif look.is_failed:
        p.setPen(QPen(ink.mix(look.color, "bg.raised", 0.8), 1.25))
    else:
        p.setPen(ink.pen("line", 1))
    p.setBrush(NO_BRUSH)
    p.drawPath(outline.body)


def _full(p: QPainter, ink: Ink, node: NodePicture) -> None:
    shape, look, touch = node.shape, node.look, node.touch
    fill, edge = ink.routine(node.color)
    p.setPen(edge)
    p.setBrush(fill)
    p.drawRoundedRect(QRectF(11.5, HEADER / 2 - 4.5, 9, 9), 2, 2)
    chip = marks.state_chip(p, ink, shape.width - 7, HEADER / 2, look)
    title = QRectF(27, 0, chip - 27 - 4, HEADER)
    ink.text(p, title, LEFT, "node.title", ink.color("text"), shape.title)
    for row, name in enumerate(shape.slots):
        _slot(p, ink, node, row, name)
    for row, name in enumerate(shape.events):
        color = "text.2"
        if (name, False) in touch.unknown or name in touch.hot:
            color = "state.failed"
        elif name == FAILED:
            color = "text.3"
        y = shape.row_y(row)
        rect = QRectF(shape.width - 12 - shape.event_room, y - 12, shape.event_room, 24)
        ink.text(p, rect, RIGHT, "body", ink.color(color), name)
    _footer(p, ink, node)


def _slot(p: QPainter, ink: Ink, node: NodePicture, row: int, name: str) -> None:
    y = node.shape.row_y(row)
    color = "state.failed" if (name, True) in node.touch.unknown else "text.2"
    shape = node.shape
    ink.text(p, QRectF(15, y - 12, shape.slot_room, 24), LEFT, "body", ink.color(color), name)
    queue = node.look.queues.get(name)
    if queue is not None:
        x = shape.pill_x(ink.width("body", name))
        event = ink.width("body", shape.events[row]) if row < len(shape.events) else 0.0
        marks.slot_marks(p, ink, x, y - 9, shape.pill_end(row, event) - x, queue)


def _footer(p: QPainter, ink: Ink, node: NodePicture) -> None:
    shape, look = node.shape, node.look
    y, right = shape.height - FOOTER, shape.width - 11
    if node.touch.reason:
        p.setOpacity(1.0)
        ink.icon(p, "ban", 11, y + 6, ink.color("text.3"), 12)
        rect = QRectF(28, y, right - 28, FOOTER)
        ink.text(p, rect, LEFT, "chip", ink.color("text.2"), node.touch.reason)
        return
    if look.count:
        rect = QRectF(11, y, right - 11, FOOTER)
        ink.text(p, rect, RIGHT, "caption", ink.color("text.2"), look.count)
        right -= ink.width("caption", look.count) + 8
    if look.failures:
        failures = f"{look.failures:,}"
        color = ink.color("state.failed")
        left = right - ink.width("pill", failures)
        ink.text(p, QRectF(left, y, right - left + 1, FOOTER), RIGHT, "pill", color, failures)
        ink.icon(p, "x", left - 13, y + 6, color, 12)
        right = left - 20
    rect = QRectF(11, y, right - 11, FOOTER)
    ink.text(p, rect, LEFT, "chip", ink.color(look.color), look.words)


def _ports(p: QPainter, ink: Ink, node: NodePicture) -> None:
    shape, touch = node.shape, node.touch
    for is_slot, names in ((True, shape.slots), (False, shape.events)):
        x = 0.0 if is_slot else shape.width
        for row, name in enumerate(names):
            _port(p, ink, touch, QPointF(x, shape.row_y(row)), name, is_slot)
    if not shape.has_failed_row:
        key = (FAILED, False)
        if touch.hovered or touch.selected or key in touch.lit or touch.ringed == key:
            _port(p, ink, touch, shape.event_at(FAILED), FAILED, is_slot=False)


def _port(p: QPainter, ink: Ink, touch: Touch, at: QPointF, name: str, is_slot: bool) -> None:
    key = (name, is_slot)
    failed = name == FAILED and not is_slot
    token = "wire.failed" if name == FAILED else "wire"
    if failed and name in touch.hot:
        token = "state.failed"
    lit = key in touch.lit
    fades = touch.dimmed and not lit
    if fades:
        token = "text.disabled"
    filled = key in touch.connected and not fades
    marks.port(p, ink, at, token, failed=name == FAILED, filled=filled, lit=lit)
    if touch.ringed == key:
        marks.focus_ring(p, ink, at)


class _Pixels(NamedTuple):
    """A node's measures on the screen."""

    width: float
    height: float
    header: float
    footer: float


def _in_pixels(
    p: QPainter,
    zoom: float,
    paint: Callable[[QPainter, Ink, NodePicture, _Pixels], None],
    ink: Ink,
    node: NodePicture,
) -> None:
    """Paint with text in screen pixels instead of scaled."""
    shape = node.shape
    p.save()
    p.scale(1 / zoom, 1 / zoom)
    size = _Pixels(shape.width * zoom, shape.height * zoom, HEADER * zoom, FOOTER * zoom)
    paint(p, ink, node, size)
    p.restore()


def _stripe(p: QPainter, ink: Ink, node: NodePicture, width: float, height: float) -> None:
    """The routine's colour along the left edge, inside the rounded corner."""
    p.fillRect(QRectF(0, 1.5, width, height - 1.5), ink.routine(node.color)[0])


def _compact(p: QPainter, ink: Ink, node: NodePicture, size: _Pixels) -> None:
    look = node.look
    _stripe(p, ink, node, 4, size.header)
    title = QRectF(9, 0, size.width - 28, size.header)
    ink.text(p, title, LEFT, "caption.strong", ink.color("text"), node.shape.title)
    color = ink.color(look.color)
    marks.glyph(p, ink, look, size.width - 17, size.header / 2 - 6, color, 12)
    if look.foremost is not None:
        name, queue = look.foremost
        middle = (size.header + size.height - size.footer) / 2
        _compact_slot(p, ink, QRectF(8, middle - 12.5, size.width - 16, 18), name, queue)
    words = node.touch.reason or look.words
    rect = QRectF(8, size.height - size.footer, size.width - 14, size.footer)
    ink.text(p, rect, LEFT, "chip", ink.color("text.2") if node.touch.reason else color, words)


def _compact_slot(p: QPainter, ink: Ink, rect: QRectF, name: str, queue: QueueLook) -> None:
    """One slot in a line, numbers at the right: the name gives way to them."""
    tint = ink.color(queue.color if queue.color != "state.done" else "text.2")
    if queue.depth:
        marks.bar(p, ink, QRectF(rect.x(), rect.y() + 18.5, rect.width(), 3), queue)
        ink.text(p, rect, RIGHT, "chip", tint, f"{queue.depth}")
    if queue.depth or queue.dropped:
        # The mark stays where it is while the queue changes.
        most = queue.capacity if queue.dropped else queue.depth
        rect.setRight(rect.right() - ink.width("chip", f"{most}") - 4)
    if queue.dropped:
        whole = marks.drop_mark_width(ink.width, queue.lost)
        lost = queue.lost if whole <= rect.width() else ""
        rect.setRight(rect.right() - marks.drop_mark_width(ink.width, lost))
        marks.drop_mark(p, ink, rect.right(), rect.center().y(), lost)
        rect.setRight(rect.right() - 3)
    if rect.width() >= _LEAST_NAME:
        ink.text(p, rect, LEFT, "chip", tint, name)


def _small(p: QPainter, ink: Ink, node: NodePicture, size: _Pixels) -> None:
    look = node.look
    _stripe(p, ink, node, 4, size.height - 1.5)
    title = QRectF(8, 0, size.width - 10, size.header * 4 / 3)
    ink.text(p, title, LEFT, "caption.strong", ink.color("text"), node.shape.title)
    marks.glyph(p, ink, look, 8, size.height - 17, ink.color(look.color), 12)
    if look.foremost is not None:
        queue, right = look.foremost[1], size.width - 5
        if queue.dropped:
            right -= marks.DROP_CROSS
            marks.drop_mark(p, ink, right, size.height - 11, "")
            right -= 2
        if queue.depth:
            marks.bar(p, ink, QRectF(24, size.height - 12.5, right - 24, 3), queue)
