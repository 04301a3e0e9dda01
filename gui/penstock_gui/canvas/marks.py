"""Small parts painted on and beside nodes: pill, drops, chip, ports, breakpoint, arrow, plate.

Pure painting: everything is given, nothing is kept.
"""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from penstock_gui.canvas.geometry import PILL_ROOM, Measure, PillRoom
from penstock_gui.canvas.ink import CENTER, LEFT, NO_BRUSH, NO_PEN, Ink
from penstock_gui.canvas.looks import HeldLook, Look, QueueLook

CHIP = 18.0
PLATE_HEIGHT = 26.0
PLATE_GAP = 18.0
WIDEST_PLATE = 480.0
PILL_PAD = 10.0
DROP_GAP, DROP_CROSS = 5.0, 11.0
SMALLEST_MARK, SMALLEST_PLATE = 0.7, 0.92
_STEM, _IN_VIEW = -28.0, 6.0
_LONGEST_DROP = "\N{MINUS SIGN}888k"
_ARROW = ((-33, -5), (-23, -5), (-23, -11), (-10.5, 0), (-23, 11), (-23, 5), (-33, 5))


def slot_marks(p: QPainter, ink: Ink, x: float, y: float, room: float, queue: QueueLook) -> None:
    """What waits in a slot and what was dropped there, in a row that has so much `room`.

    The drop mark stands behind the place of the fullest pill, so it doesn't move with the queue.
    Where room is short the pill's capacity gives way to the mark's number, else both do.
    """
    lost, with_capacity = queue.lost, True
    if lost:
        lost, with_capacity = _what_fits(ink.width, queue, room)
        after = x + _fullest_pill(ink.width, queue.capacity, with_capacity) + DROP_GAP
        drop_mark(p, ink, after, y + CHIP / 2, lost)
    if queue.depth:
        queue_pill(p, ink, x, y, queue, with_capacity=with_capacity)


def lossy_room(measure: Measure, capacity: int) -> PillRoom:
    """Room for what is said of a slot that drops messages, at its longest."""
    mark = DROP_GAP + drop_mark_width(measure, _LONGEST_DROP)
    wanted, least = (_fullest_pill(measure, capacity, told) + mark for told in (True, False))
    return PillRoom(max(PILL_ROOM, wanted), max(PILL_ROOM, least))


def _what_fits(measure: Measure, queue: QueueLook, room: float) -> tuple[str, bool]:
    """The text of the drop mark, and whether the pill says its capacity."""
    for lost, with_capacity in ((queue.lost, True), (queue.lost, False), ("", True)):
        pill = _fullest_pill(measure, queue.capacity, with_capacity)
        if pill + DROP_GAP + drop_mark_width(measure, lost) <= room:
            return lost, with_capacity
    return "", False


def _fullest_pill(measure: Measure, capacity: int, with_capacity: bool) -> float:
    tail = measure("caption", f"/{capacity}") if with_capacity else 0.0
    return measure("pill", f"{capacity}") + tail + PILL_PAD


def drop_mark_width(measure: Measure, lost: str) -> float:
    """Width of the cross and the number behind it."""
    return DROP_CROSS + (measure("pill", lost) + 1 if lost else 0.0)


def drop_mark(p: QPainter, ink: Ink, x: float, middle: float, lost: str) -> None:
    """A cross and how many messages were dropped; only the cross for ""."""
    color = ink.color("state.failed")
    ink.icon(p, "x", x - 1, middle - 6, color, 12)
    if lost:
        rect = QRectF(x + DROP_CROSS, middle - CHIP / 2, ink.width("pill", lost) + 1, CHIP)
        ink.text(p, rect, LEFT, "pill", color, lost)


def queue_pill(
    p: QPainter, ink: Ink, x: float, y: float, queue: QueueLook, *, with_capacity: bool = True
) -> float:
    """Depth and capacity on an opaque plate with a bar; returns its width."""
    depth, capacity = f"{queue.depth}", f"/{queue.capacity}" if with_capacity else ""
    wide = ink.width("pill", depth)
    width = wide + ink.width("caption", capacity) + PILL_PAD
    warns = queue.color != "state.done"
    edge = ink.mix(queue.color, "bg.plate", 0.55) if warns else ink.color("line")
    p.setPen(edge)
    p.setBrush(ink.color("bg.plate"))
    p.drawRoundedRect(QRectF(x, y, width, CHIP), 4, 4)
    line = QRectF(x + 5, y - 1, width, CHIP - 1)
    ink.text(p, line, LEFT, "pill", ink.color(queue.color if warns else "text"), depth)
    ink.text(p, line.translated(wide, 0), LEFT, "caption", ink.color("text.3"), capacity)
    bar(p, ink, QRectF(x + 5, y + 14.5, width - 10, 2), queue)
    return width


def bar(p: QPainter, ink: Ink, rect: QRectF, queue: QueueLook) -> None:
    """How full a slot is."""
    p.fillRect(rect, ink.color("line"))
    filled = max(2.0, rect.width() * queue.part)
    p.fillRect(QRectF(rect.x(), rect.y(), filled, rect.height()), ink.color(queue.color))


def state_chip(p: QPainter, ink: Ink, right: float, middle: float, look: Look) -> float:
    """The glyph at the header's right end, a chip when it has a number; returns its left edge."""
    color = ink.color(look.color)
    if not look.chip:
        glyph(p, ink, look, right - 16, middle - 7, color, 14)
        return right - 16
    use = "pill"
    width = ink.width(use, look.chip) + 28
    rect = QRectF(right - width, middle - CHIP / 2, width, CHIP)
    if look.held is not None:
        p.setPen(ink.pen("held.edge", 1))
        p.setBrush(ink.color("held.fill"))
        color = ink.color("on.held")
    else:
        p.setPen(NO_PEN)
        p.setBrush(ink.mix(look.color, "bg.head", 0.12))
    p.drawRoundedRect(rect, CHIP / 2, CHIP / 2)
    glyph(p, ink, look, rect.x() + 6, rect.y() + 3, color, 12)
    ink.text(p, rect.adjusted(21, 0, 0, 0), LEFT, use, color, look.chip)
    return rect.x()


def glyph(p: QPainter, ink: Ink, look: Look, x: float, y: float, color: QColor, size: int) -> None:
    """The state's glyph, turning while the routine runs."""
    if look.spins:
        ink.spinner(p, x, y, color, size)
    else:
        ink.icon(p, look.icon, x, y, color, size)


def port(
    p: QPainter,
    ink: Ink,
    at: QPointF,
    token: str,
    *,
    failed: bool = False,
    filled: bool = True,
    lit: bool = False,
) -> None:
    """A circle, or a diamond for failures; a ring when nothing is connected."""
    radius = 4.5
    if lit:
        token, radius = "wire.compat", 6.5
        p.setPen(NO_PEN)
        p.setBrush(ink.mix("wire.compat", "bg.canvas", 0.28))
        p.drawEllipse(at, 12, 12)
    p.setPen(ink.pen(token, 1.75))
    p.setBrush(ink.color(token if filled else "bg.canvas"))
    if failed:
        x, y, r = at.x(), at.y(), radius + 1
        p.drawPolygon(
            QPolygonF([QPointF(x, y - r), QPointF(x + r, y), QPointF(x, y + r), QPointF(x - r, y)])
        )
    else:
        p.drawEllipse(at, radius, radius)


def focus_ring(p: QPainter, ink: Ink, at: QPointF) -> None:
    """Around the port under the pointer or the keyboard."""
    p.setPen(ink.pen("accent", 2))
    p.setBrush(NO_BRUSH)
    p.drawEllipse(at, 10, 10)


def breakpoint_mark(
    p: QPainter, ink: Ink, at: QPointF, number: str, enabled: bool, zoom: float
) -> None:
    """A filled circle with its number; a ring when it is off."""
    size = max(1.0, SMALLEST_MARK / zoom)
    p.save()
    p.translate(at)
    p.scale(size, size)
    p.setPen(ink.pen("bp", 1.5))
    p.setBrush(ink.color("bp" if enabled else "bg.plate"))
    p.drawEllipse(QPointF(0, 0), 7, 7)
    color = ink.color("on.bp" if enabled else "bp")
    ink.text(p, QRectF(-8, -7, 16, 14), CENTER, "badge", color, number)
    p.restore()


def breakpoint_ghost(p: QPainter, ink: Ink, at: QPointF) -> None:
    """Where one click sets a breakpoint."""
    p.setPen(QPen(ink.color("bp"), 1.5, Qt.PenStyle.DotLine))
    p.setBrush(ink.color("bg.canvas"))
    p.drawEllipse(at, 7, 7)


def held_arrow(p: QPainter, ink: Ink, tip: QPointF, angle: float = 0.0, size: float = 1.0) -> None:
    """The amber arrow, pointing at a port (or, turned, past the view's edge)."""
    p.save()
    p.translate(tip)
    p.rotate(angle)
    p.scale(size, size)
    arrow = QPolygonF([QPointF(x, y) for x, y in _ARROW])
    halo = QPen(ink.color("bg.canvas"), 5)
    halo.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    p.setPen(halo)
    p.setBrush(NO_BRUSH)
    p.drawPolygon(arrow)
    edge = QPen(ink.color("held.edge"), 1.25)
    edge.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    p.setPen(edge)
    p.setBrush(ink.color("held.fill"))
    p.drawPolygon(arrow)
    p.restore()


def plate_width(ink: Ink, held: HeldLook) -> float:
    """How wide the message and the number of those that follow are."""
    more = ink.width("pill", held.more) + 20 if held.more else 0.0
    return 27 + ink.width("mono", held.text) + 12 + more


def message_plate(p: QPainter, ink: Ink, held: HeldLook) -> None:
    """The message that would go next, its lower right corner at the origin."""
    width = plate_width(ink, held)
    more = ink.width("pill", held.more) + 12 if held.more else 0.0
    rect = QRectF(-width, -PLATE_HEIGHT, width, PLATE_HEIGHT)
    p.setPen(ink.pen("held.edge", 1.5))
    p.setBrush(ink.color("held.bg"))
    p.drawRoundedRect(rect, 6, 6)
    ink.icon(p, "mail", rect.x() + 8, rect.y() + 6.5, ink.color("state.held"), 13)
    ink.text(p, rect.adjusted(27, 0, 0, 0), LEFT, "mono", ink.color("text"), held.text)
    if held.more:
        pill = QRectF(rect.right() - more - 6, rect.y() + 4, more, CHIP)
        p.setPen(NO_PEN)
        p.setBrush(ink.color("held.fill"))
        p.drawRoundedRect(pill, CHIP / 2, CHIP / 2)
        ink.text(p, pill, CENTER, "pill", ink.color("on.held"), held.more)


def held_marks(
    p: QPainter, ink: Ink, held: HeldLook, width: float, port_y: float, zoom: float
) -> None:
    """Arrow, plate and the stem between them at a node; from afar no smaller than readable.

    The plate's right end is the node's, further right only where its begin would be out of view.
    """
    arrow, plate = max(1.0, SMALLEST_MARK / zoom), max(1.0, SMALLEST_PLATE / zoom)
    long = plate_width(ink, held) * plate
    view_left = p.worldTransform().inverted()[0].map(QPointF(_IN_VIEW, 0)).x()
    left = max(width - long, min(view_left, _STEM * arrow - 10 * plate))
    p.save()
    p.translate(left + long, -PLATE_GAP * plate)
    p.scale(plate, plate)
    message_plate(p, ink, held)
    p.restore()
    stem = max(left + 10 * plate, _STEM * arrow)
    end = port_y - 6 * arrow if stem < 0 else 0.0
    p.setPen(ink.pen("held.edge", 1.5))
    p.drawLine(QLineF(stem, -PLATE_GAP * plate, stem, end))
    held_arrow(p, ink, QPointF(0, port_y), size=arrow)
