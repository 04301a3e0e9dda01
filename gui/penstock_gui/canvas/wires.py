"""The ways wires take between nodes. Pure.

A wire to what lies ahead with nothing in between is a curve. One that would pass behind a node,
or goes back, takes a lane: out, down below everything between, along, and up to its slot.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QPainterPath

LANE_STEP = 18.0
FIRST_LANE = 25.0
LANE_RADIUS = 10.0
MOST_LANES = 400
_STUB, _STUB_STEP, _LONGEST_STUB = 16.0, 10.0, 46.0
_LEAST_AHEAD = 24.0
_BUCKET = 64.0
_SAMPLE = 48.0
_MOST_SAMPLES = 32
_CLEARANCE = 6.0


class Ends(NamedTuple):
    """A wire to find a way for: where it leaves an event and where it reaches a slot."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Lane:
    """The horizontal part of a detour, and how far from its ports it goes down and up."""

    y: float
    out: float = _STUB
    into: float = _STUB


def curve(a: QPointF, b: QPointF) -> QPainterPath:
    """A cubic with level ends."""
    reach = max(28.0, abs(b.x() - a.x()) / 2)
    path = QPainterPath(a)
    path.cubicTo(QPointF(a.x() + reach, a.y()), QPointF(b.x() - reach, b.y()), b)
    return path


def detour(a: QPointF, b: QPointF, lane: Lane) -> QPainterPath:
    """Right angles with rounded corners by way of a lane."""
    down, up = a.x() + lane.out, b.x() - lane.into
    corners = [
        a,
        QPointF(down, a.y()),
        QPointF(down, lane.y),
        QPointF(up, lane.y),
        QPointF(up, b.y()),
        b,
    ]
    path = QPainterPath(a)
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        near, far = QLineF(corner, before), QLineF(corner, after)
        radius = min(LANE_RADIUS, near.length() / 2, far.length() / 2)
        if radius > 0:
            near.setLength(radius)
            far.setLength(radius)
            path.lineTo(near.p2())
            path.quadTo(corner, far.p2())
    path.lineTo(b)
    return path


def wire_path(ends: Ends, lane: Lane | None) -> QPainterPath:
    """The path of a wire, straight when its ends are level."""
    a, b = QPointF(ends.x1, ends.y1), QPointF(ends.x2, ends.y2)
    return curve(a, b) if lane is None else detour(a, b, lane)


def find_lanes(bodies: Iterable[QRectF], wires: Mapping[int, Ends]) -> dict[int, Lane]:
    """A lane for each wire (by its number) that needs one; the others are curves.

    Past `MOST_LANES` lanes would be a wall: then only wires going back get one, and the others
    pass behind the nodes.
    """
    ground = _Ground(bodies)
    blocked = [n for n, ends in wires.items() if _goes_back(ends) or ground.is_in_way(ends)]
    if len(blocked) > MOST_LANES:
        blocked = [n for n in blocked if _goes_back(wires[n])][:MOST_LANES]
    blocked.sort(key=lambda n: (abs(wires[n].x2 - wires[n].x1), wires[n].y1))
    depth = {n: ground.take_lane(wires[n]) for n in blocked}
    outs = _stubs(blocked, {n: (wires[n].x1, -wires[n].y1) for n in blocked})
    intos = _stubs(blocked, {n: (wires[n].x2, -depth[n]) for n in blocked})
    return {n: Lane(depth[n], outs[n], intos[n]) for n in blocked}


def _goes_back(ends: Ends) -> bool:
    return ends.x2 - ends.x1 < _LEAST_AHEAD


def _stubs(wires: Sequence[int], keys: Mapping[int, tuple[float, float]]) -> dict[int, float]:
    """How far each wire goes level before it turns: further for each one in the same gap."""
    stubs: dict[int, float] = {}
    last_x, stub, last_key = float("-inf"), _STUB, 0.0
    for wire in sorted(wires, key=keys.__getitem__):
        x, key = keys[wire]
        if x - last_x > _LEAST_AHEAD:
            stub = _STUB
        elif key != last_key:
            stub = min(stub + _STUB_STEP, _LONGEST_STUB)
        stubs[wire] = stub
        last_x, last_key = x, key
    return stubs


class _Ground:
    """The nodes' bodies, by place, and how low the ground is already taken."""

    def __init__(self, bodies: Iterable[QRectF]) -> None:
        self._bodies = sorted(
            (
                r.left() - _CLEARANCE,
                r.top() - _CLEARANCE,
                r.right() + _CLEARANCE,
                r.bottom() + _CLEARANCE,
            )
            for r in bodies
        )
        self._cells: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
        self._low: dict[int, float] = {}
        for body in self._bodies:
            left, top, right, bottom = body
            for column in range(int(left // _BUCKET), int(right // _BUCKET) + 1):
                floor = bottom - _CLEARANCE + FIRST_LANE - LANE_STEP
                self._low[column] = max(self._low.get(column, floor), floor)
                for row in range(int(top // _BUCKET), int(bottom // _BUCKET) + 1):
                    self._cells.setdefault((column, row), []).append(body)

    def is_in_way(self, ends: Ends) -> bool:
        """Whether the curve between two ports would pass behind a node."""
        x1, y1, x2, y2 = ends
        if not self._stands_between(x1 + _CLEARANCE, x2 - _CLEARANCE):
            return False
        reach = max(28.0, (x2 - x1) / 2)
        count = min(_MOST_SAMPLES, max(4, int((abs(x2 - x1) + abs(y2 - y1)) / _SAMPLE)))
        for step in range(1, count):
            t = step / count
            u = 1 - t
            x = x1 + 3 * u * u * t * reach + (3 * u * t * t) * (x2 - x1 - reach) + t**3 * (x2 - x1)
            y = y1 + (y2 - y1) * t * t * (3 - 2 * t)
            if x1 + _CLEARANCE < x < x2 - _CLEARANCE and self._covers(x, y):
                return True
        return False

    def take_lane(self, ends: Ends) -> float:
        """The next free height below everything between two ports, taken from now on."""
        left, right = sorted((ends.x1, ends.x2))
        columns = range(int((left - _STUB) // _BUCKET), int((right + _STUB) // _BUCKET) + 1)
        lowest = max(ends.y1, ends.y2)
        y = max((self._low[c] for c in columns if c in self._low), default=lowest) + LANE_STEP
        for column in columns:
            self._low[column] = max(self._low.get(column, y), y)
        return y

    def _stands_between(self, left: float, right: float) -> bool:
        """Whether any node begins between two ports: most wires lead to the next column."""
        first = bisect_left(self._bodies, (left,))
        return first < len(self._bodies) and self._bodies[first][0] < right - 2 * _CLEARANCE

    def _covers(self, x: float, y: float) -> bool:
        for left, top, right, bottom in self._cells.get((int(x // _BUCKET), int(y // _BUCKET)), ()):
            if left < x < right and top < y < bottom:
                return True
        return False
