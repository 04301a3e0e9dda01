"""What enters the core besides the news of routines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.run.hold import ReadyActivation
from penstock.run.slices import SlotQueue


@dataclass(frozen=True, slots=True)
class Start:
    """Begin. `params` are (``routine.slot``, checked value), `stops` as in `SetStops`.

    With a `hold_generation` the job is held before anything starts.
    """

    params: tuple[tuple[str, Any], ...] = ()
    hold_generation: int | None = None
    stops: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posted:
    """A value from outside whose place in the slot is reserved."""

    slot: SlotQueue
    value: Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold the job; `generation` was allotted when the caller asked."""

    generation: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Lift the hold, unless it is newer than `generation` or another than `held_id`."""

    generation: int
    held_id: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Let exactly one activation go: the oldest ready one, or this."""

    activation: ReadyActivation | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the job as CANCELLED."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Tell the counters, in their place among the other events."""


@dataclass(frozen=True, slots=True)
class SetStops:
    """Where to hold before an activation: routine -> ids of the stops there."""

    stops: Mapping[str, tuple[int, ...]]


Message = Start | Posted | Pause | Resume | Step | Cancel | Sample | SetStops
