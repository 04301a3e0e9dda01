"""Where things of a node lie: its size, its rows, its ports. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF

HEADER = 30.0
ROW = 24.0
ROW_PAD = 5.0
FOOTER = 24.0
NARROWEST = 140
WIDEST = 224
WIDTH_STEP = 4
PILL_ROOM = 71.0
PORT_HIT = 12.0
FAILED = "failed"

_SLOT_LEFT = 15.0
_EVENT_RIGHT = 12.0
_GAP = 6.0
_TITLE_MARGIN = 73.0

Measure = Callable[[str, str], float]
"""Width of a text in a font use: ``measure("body", "path")``."""


class PillRoom(NamedTuple):
    """Width kept in a row for what is said of a slot's queue, and that in a crowded one."""

    wanted: float
    least: float


_PLAIN, _NONE = PillRoom(PILL_ROOM, PILL_ROOM), PillRoom(0.0, 0.0)


@dataclass(frozen=True)
class NodeShape:
    """Size of one node and where its ports are, in its own coordinates (top left is 0, 0).

    ``events`` has ``failed`` last when it is connected; otherwise that port sits in the footer
    at the right edge, so that a failure can be wired without a row kept free for it.
    """

    title: str
    slots: tuple[str, ...]
    events: tuple[str, ...]
    width: float
    slot_room: float = 200.0
    event_room: float = 200.0

    @cached_property
    def rows(self) -> int:
        """Rows of ports; a node without ports has one, empty."""
        return max(len(self.slots), len(self.events), 1)

    @cached_property
    def height(self) -> float:
        return HEADER + 2 * ROW_PAD + ROW * self.rows + FOOTER

    @cached_property
    def body(self) -> QRectF:
        return QRectF(0.0, 0.0, self.width, self.height)

    @property
    def has_failed_row(self) -> bool:
        """Whether ``failed`` has a row of its own."""
        return FAILED in self.events

    def row_y(self, row: int) -> float:
        """The middle of a row."""
        return HEADER + ROW_PAD + ROW * row + ROW / 2

    def slot_y(self, name: str) -> float:
        """Height of a slot's port; raises ValueError for one the node hasn't."""
        return self.row_y(self.slots.index(name))

    def event_y(self, name: str) -> float:
        """Height of an event's port; raises ValueError for one the node hasn't."""
        if name == FAILED and not self.has_failed_row:
            return self.height - FOOTER / 2
        return self.row_y(self.events.index(name))

    def slot_at(self, name: str) -> QPointF:
        return QPointF(0.0, self.slot_y(name))

    def event_at(self, name: str) -> QPointF:
        return QPointF(self.width, self.event_y(name))

    def pill_x(self, name_width: float) -> float:
        """Where the marks behind a slot's name begin."""
        return _SLOT_LEFT + min(self.slot_room, name_width) + _GAP

    def pill_end(self, row: int, event_width: float) -> float:
        """Where they have to end: before the event of that row, of such a width, if it has one."""
        if row >= len(self.events):
            return self.width - _EVENT_RIGHT
        return self.width - _EVENT_RIGHT - min(self.event_room, event_width) - _GAP

    def slot_in_row(self, x: float, y: float) -> str | None:
        """The slot in whose row a point lies, with all that is said of it there."""
        row = math.floor((y - HEADER - ROW_PAD) / ROW)
        if not 0 <= row < len(self.slots):
            return None
        return self.slots[row] if 0 <= x < self.pill_end(row, self.event_room) else None

    def port_at(self, x: float, y: float, reach: float = PORT_HIT) -> tuple[str, bool] | None:
        """The port within `reach` of a point, as name and whether it is a slot."""
        nearest: tuple[float, str, bool] | None = None
        events = self.events if self.has_failed_row else (*self.events, FAILED)
        for side, names, is_slot in ((0.0, self.slots, True), (self.width, events, False)):
            if abs(x - side) > reach:
                continue
            for name in names:
                at = self.slot_y(name) if is_slot else self.event_y(name)
                far = math.hypot(x - side, y - at)
                if far <= reach and (nearest is None or far < nearest[0]):
                    nearest = (far, name, is_slot)
        return nearest and nearest[1:]


def node_shape(
    title: str,
    slots: Sequence[str],
    events: Sequence[str],
    measure: Measure,
    rooms: Mapping[str, PillRoom] | None = None,
) -> NodeShape:
    """The shape for a title and port names.

    A slot and an event share a row, and room for the slot's queue is kept, so that nothing
    moves when a queue fills; `rooms` has the slots for which that isn't `PILL_ROOM`. Where
    it would be wider than `WIDEST`, they get the least, then the names give way, the longer
    one more.
    """
    kept = [(rooms or {}).get(name, _PLAIN) for name in slots]
    left = max((measure("body", name) for name in slots), default=0.0)
    right = max((measure("body", name) for name in events), default=0.0)
    needed = wanted = measure("node.title", title) + _TITLE_MARGIN
    for row in range(max(len(slots), len(events))):
        pill = kept[row] if row < len(slots) else _NONE
        wide = _row_width(row, slots, events, measure)
        needed, wanted = max(needed, wide + pill.least), max(wanted, wide + pill.wanted)
    width = float(min(WIDEST, max(NARROWEST, math.ceil(wanted / WIDTH_STEP) * WIDTH_STEP)))
    free = width - _SLOT_LEFT - _EVENT_RIGHT - _GAP
    if slots:
        free -= max(pill.least for pill in kept) + _GAP
    if needed > width and left + right > free:
        half = free / 2
        left, right = (
            (free - right, right)
            if right <= half
            else (left, free - left)
            if left <= half
            else (half, half)
        )
    return NodeShape(title, tuple(slots), tuple(events), width, left + 1, right + 1)


def _row_width(row: int, slots: Sequence[str], events: Sequence[str], measure: Measure) -> float:
    """Width of a row but for the room of its pill."""
    left = right = 0.0
    if row < len(slots):
        left = _SLOT_LEFT + measure("body", slots[row]) + _GAP
    if row < len(events):
        right = measure("body", events[row]) + _EVENT_RIGHT
    return left + right + (_GAP if left and right else 10)
