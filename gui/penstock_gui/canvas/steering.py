"""Going from routine to routine by keyboard. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from PySide6.QtCore import QRectF

_SIDEWAYS = 2.5


def nearest(bodies: Mapping[str, QRectF], origin: Collection[str], dx: int, dy: int) -> str | None:
    """The closest routine in a direction from the selected ones; the first when none is."""
    start = QRectF()
    for routine in origin:
        start = start.united(bodies[routine]) if routine in bodies else start
    if start.isEmpty():
        return next_in_order(bodies, None, forwards=True)
    best: tuple[float, str] | None = None
    for routine, body in bodies.items():
        if routine in origin:
            continue
        away = body.center() - start.center()
        along = away.x() * dx + away.y() * dy
        across = abs(away.x() * dy) + abs(away.y() * dx)
        if along <= 1 or across > along * _SIDEWAYS:
            continue
        distance = along + across * 1.5
        if best is None or (distance, routine) < best:
            best = (distance, routine)
    return best[1] if best is not None else None


def next_in_order(bodies: Mapping[str, QRectF], current: str | None, forwards: bool) -> str | None:
    """The routine after (or before) one, by column and then by height; None at the end."""
    order = sorted(bodies, key=lambda r: (bodies[r].left(), bodies[r].top(), r))
    if not forwards:
        order.reverse()
    if current is None or current not in bodies:
        return order[0] if order else None
    place = order.index(current) + 1
    return order[place] if place < len(order) else None
