"""What enters the core besides the news of routines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.run.emitters import Emitter
from penstock.run.hold import ReadyActivation
from penstock.run.records import SlotQueue

StallChoice = Literal["grow", "drop", "cancel"]


@dataclass(slots=True)
class Start:
    """Begin. `params` are (``routine.slot``, checked value), `stops` as in `SetStops`.

    With a `hold_generation` the job is held before anything starts. `timeout` is in seconds of
    the job's own clock. With `keep_open` it doesn't end before `Close`.
    """

    params: tuple[tuple[str, Any], ...] = ()
    hold_generation: int | None = None
    stops: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    timeout: float | None = None
    keep_open: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """A value from outside; `reserved`: its place in the slot is kept free.

    `parks`: nobody waits for it, so without room it waits at the slot's door.
    """

    slot: SlotQueue
    value: Any
    reserved: bool = True
    parks: bool = False


@dataclass(frozen=True, slots=True)
class Emitted:
    """A value that goes on as if its routine had emitted it."""

    emitter: Emitter
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
class Close:
    """Nothing more is posted: end once everything is worked off and finished."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer of the job is due."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The pool takes no more work."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Resize:
    """Give a slot another capacity."""

    slot: SlotQueue
    capacity: int


@dataclass(frozen=True, slots=True)
class Unstall:
    """End a stall: make room for what is parked, drop it, or cancel the job."""

    choice: StallChoice


@dataclass(frozen=True, slots=True)
class Sample:
    """Tell the counters, in their place among the other events; and the hold again, if `hold`."""

    hold: bool = False


@dataclass(frozen=True, slots=True)
class SetStops:
    """Where to hold before an activation: routine -> ids of the stops there."""

    stops: Mapping[str, tuple[int, ...]]


Message = (
    Start | Posted | Emitted | Pause | Resume | Step | Cancel | Close | Tick | Refused | Resize
    | Unstall | Sample | SetStops
)  # fmt: skip
