"""Frozen descriptions of what is held and where to stop; the core reads them when granting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StopPoint:
    """A breakpoint as the core sees it: hold the job before an activation of `routine`."""

    id: int
    routine: str
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of one job: why; and which activation was hit by which stops, if one was.

    `generation` tells a resume meant for an earlier pause from one meant for this.
    """

    id: int
    generation: int
    why: str
    at: str = ""
    number: int = 0
    stops: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadyActivation:
    """An activation that could start: its routine, the number of its newest message."""

    routine: str
    number: int


def stops_of(job_id: str, stops: Iterable[StopPoint]) -> dict[str, tuple[int, ...]]:
    """Routine -> the ids of the stops before it that concern the job."""
    found: dict[str, tuple[int, ...]] = {}
    for stop in stops:
        if stop.job_id in (None, job_id):
            found[stop.routine] = (*found.get(stop.routine, ()), stop.id)
    return found
