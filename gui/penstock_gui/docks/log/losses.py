"""What slots have lost, as a few lines of the log made from absolute counters: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.observe import JobView, SlotCount
from penstock_gui.docks.log.entry import LogEntry
from penstock_gui.widgets.wording import one_line

RAREST = 60.0
"""Seconds between two lines of a slot that loses messages all the time."""

_SOONEST = 1.0
_KINDS = {
    "dropped": ("triangle-alert", "state.waiting"),
    "superseded": ("info", "text.3"),
    "skipped": ("skip-forward", "text.3"),
}
_Place = tuple[str, str, str, str]  # job, routine, slot, kind


@dataclass(slots=True)
class _Loss:
    """What was lost by now, what was told of it, and when to tell more."""

    total: int = 0
    told: int = 0
    next_at: float = 0.0
    pause: float = _SOONEST


class LossWatch:
    """Counts as they are noted; lines when they are due. Each is exact, none comes twice."""

    def __init__(self) -> None:
        self._losses: dict[_Place, _Loss] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether something was lost that no line says yet."""
        return any(loss.total > loss.told for loss in self._losses.values())

    def note(self, view: JobView, routines: Iterable[str]) -> bool:
        """Take the counters of these routines; whether there is something to tell."""
        if view.is_over:
            return False
        found = False
        for routine in routines:
            count = view.routines.get(routine)
            for name, slot in (count.slots if count is not None else {}).items():
                found |= self._note(view, routine, name, slot)
        return found

    def due(self, now: float) -> list[LogEntry]:
        """A line per slot and kind of loss whose time has come at `now`."""
        return [
            self._line(place, loss, now)
            for place, loss in self._losses.items()
            if loss.total > loss.told and now >= loss.next_at
        ]

    def ended(self, view: JobView) -> list[LogEntry]:
        """What was left to say of a job that has ended; it is forgotten then."""
        for routine, count in view.routines.items():
            for name, slot in count.slots.items():
                self._note(view, routine, name, slot)
        own = [place for place in self._losses if place[0] == view.job_id]
        losses = [(place, self._losses.pop(place)) for place in own]
        return [
            self._line(place, loss, view.now) for place, loss in losses if loss.total > loss.told
        ]

    def _note(self, view: JobView, routine: str, name: str, slot: SlotCount) -> bool:
        found = False
        for kind in _KINDS:
            total = getattr(slot, kind)
            if not total:
                continue
            loss = self._losses.setdefault((view.job_id, routine, name, kind), _Loss())
            loss.total = max(loss.total, total)
            found |= loss.total > loss.told
        return found

    def _line(self, place: _Place, loss: _Loss, now: float) -> LogEntry:
        job_id, routine, slot, kind = place
        icon, color = _KINDS[kind]
        text = f"{slot}: {loss.total - loss.told:,} {kind}"
        if loss.told:
            text += f", {loss.total:,} so far"
        loss.told = loss.total
        loss.next_at, loss.pause = now + loss.pause, min(RAREST, 2 * loss.pause)
        return LogEntry(
            time=now,
            icon=icon,
            color=color,
            source=one_line(routine, 80),
            message=one_line(text),
            job_id=job_id,
            routine=routine,
        )
