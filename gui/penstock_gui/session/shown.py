"""What a state, a slot's room and its losses are called wherever they are shown. Pure."""

from __future__ import annotations

from penstock.flow import SlotSpec
from penstock.host import LOST
from penstock.observe import JobView, RoutineCount, SlotCount

STALLED = "STALLED"
LOSSES = ("dropped", "superseded", "skipped", "dead", "discarded")
"""Counters of a slot for what reached it and wasn't consumed, nor will be."""

_BEYOND = {
    "drop_oldest": "drops the oldest beyond",
    "drop_newest": "drops the newest beyond",
    "fail": "fails beyond",
}
_WHY_DROPPED = {
    "drop_oldest": "the oldest, when full",
    "drop_newest": "the newest, when full",
    "hold": "to end a stall",
}


def shown_job_status(view: JobView) -> str:
    """The job's status, or `STALLED` for one that runs and can't go on."""
    return STALLED if view.stalled else view.status


def shown_status(view: JobView, routine: str, count: RoutineCount) -> str:
    """The told status, or what the end of the job makes of it."""
    if not view.is_over:
        return count.status
    if view.error is not None and view.error.routine == routine:
        return "failed"
    if count.status == "failed":
        return "failed"
    if view.status == "CANCELLED" or (view.status == LOST and count.running):
        return view.status
    return "done" if count.activations else "idle"


def shown_losses(count: SlotCount, slot: SlotSpec | None = None) -> str:
    """What reached a slot and wasn't consumed: ``3 dropped · 1 dead``; "" when nothing.

    Told how the slot is declared, it says why messages were dropped, where that is known.
    """
    found = {kind: getattr(count, kind) for kind in LOSSES}
    words = {kind: f"{number:,} {kind}" for kind, number in found.items() if number}
    why = _WHY_DROPPED.get(slot.overflow) if slot is not None else None
    if why is not None and count.dropped:
        words["dropped"] += f" ({why})"
    return " · ".join(words.values())


def shown_room(slot: SlotSpec) -> str:
    """What a slot holds, and what becomes of more: ``drops the oldest beyond 16``."""
    return f"{_BEYOND.get(slot.overflow, 'holds')} {slot.capacity:,}"
