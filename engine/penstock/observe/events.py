"""What can be told about a run: frozen events of ids, numbers, times and bounded summaries.

Every event has ``seq`` (rising per job), ``job_id`` and ``time`` (wall-clock seconds; within a
job it never goes back). ``to_json`` and ``from_json`` turn any of them into plain data and back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from penstock.observe.summary import ValueSummary

Kind = TypeVar("Kind", bound="EngineEvent")


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Base of all events."""

    seq: int
    job_id: str
    time: float


def quick(kind: type[Kind]) -> type[Kind]:
    """Decorator of events that are told by the thousand: they are made in half the time.

    The constructor of a frozen dataclass looks up `object.__setattr__` for each field; this one
    writes the fields through their slots. For kinds without defaults.
    """
    names = [one.name for one in fields(kind)]
    writers = {f"write_{name}": getattr(kind, name).__set__ for name in names}
    lines = [f"def __init__(self, {', '.join(names)}):"]
    lines += [f"    write_{name}(self, {name})" for name in names]
    made: dict[str, Any] = {}
    exec("\n".join(lines), writers, made)
    kind.__init__ = made["__init__"]  # type: ignore[method-assign]
    return kind


@dataclass(frozen=True, slots=True)
class FailureSummary:
    """A failure as a window shows it: the values of its slots are bounded summaries."""

    routine: str
    type: str
    text: str
    traceback: str
    slots: dict[str, ValueSummary] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message bound to the activation that is held."""

    slot: str
    number: int
    value: ValueSummary


@dataclass(frozen=True, slots=True)
class JobStarted(EngineEvent):
    """The job exists; its first activations come after this."""

    flow: str
    routines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobEnded(EngineEvent):
    """The final status. ``discarded`` counts what was left in each ``routine.slot``.

    Status ``LOST`` is told by whoever watched from outside: the job's process is gone, and nobody
    knows what the job would have come to.
    """

    status: str
    error: FailureSummary | None
    discarded: dict[str, int]


@dataclass(frozen=True, slots=True)
class JobHeld(EngineEvent):
    """No activation of the job starts after this.

    ``place`` is the routine that would go next ("" when none is ready), ``why`` one of pause,
    breakpoint, step; ``running`` names a routine once per activation that had begun;
    ``waiting`` counts the further activations that are ready.
    """

    held_id: int
    generation: int
    why: str
    place: str
    breakpoints: tuple[int, ...]
    messages: tuple[HeldMessage, ...]
    running: tuple[str, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class JobResumed(EngineEvent):
    """The hold was lifted; ``stepping`` when only for one activation of ``place``."""

    held_id: int
    stepping: bool
    place: str


@dataclass(frozen=True, slots=True)
class StepIgnored(EngineEvent):
    """A step that did nothing, and why."""

    reason: str


@quick
@dataclass(frozen=True, slots=True)
class MessageQueued(EngineEvent):
    """A message reached ``target`` ("routine.slot"); ``source`` is its event or "" from outside.

    ``depth`` is what waited in the slot then, ``parked`` whether it waits at the connection.
    """

    source: str
    target: str
    number: int
    depth: int
    parked: bool
    value: ValueSummary


@quick
@dataclass(frozen=True, slots=True)
class ActivationStarted(EngineEvent):
    """``logic`` began on messages; ``number`` is that of the newest one."""

    routine: str
    number: int
    thread: str


@quick
@dataclass(frozen=True, slots=True)
class ActivationEnded(EngineEvent):
    """``logic`` returned (or its generator ended) after ``seconds``."""

    routine: str
    number: int
    thread: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ActivationFailed(EngineEvent):
    """``logic`` raised; ``action`` is what came of it: stop, continue, deliver, skip or retry."""

    failure: FailureSummary
    action: str


@dataclass(frozen=True, slots=True)
class MessageDropped(EngineEvent):
    """A message in (or on its way into) ``slot`` won't be consumed; the slot counts it.

    ``reason``: drop_oldest, drop_newest, superseded, skipped, or stall.
    """

    slot: str
    number: int
    reason: str
    value: ValueSummary


@dataclass(frozen=True, slots=True)
class Stalled(EngineEvent):
    """Nothing can go on: ``routines`` wait for room in ``slots`` that nothing will empty.

    The job goes on once a slot grows, what waits is dropped, or it is cancelled.
    """

    slots: tuple[str, ...]
    routines: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True)
class SliceEnded(EngineEvent):
    """A worker finished a slice of ``count`` activations of one routine in a row."""

    routine: str
    thread: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SlotCount:
    """Counters of one slot; always ``posted`` is the sum of where the messages are now.

    That is ``consumed + queued + in_flight + dropped + superseded + dead + skipped + discarded``.
    """

    depth: int
    capacity: int
    high_water: int
    posted: int
    consumed: int
    queued: int
    in_flight: int
    dead: int
    discarded: int
    dropped: int = 0
    superseded: int = 0
    skipped: int = 0


FINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
"""Of a job whose engine is there: nothing comes after it."""
ROUTINE_STATUSES = {
    "idle": "nothing waits and nothing runs",
    "queued": "activations are ready and about to be handed to the pool",
    "waiting": "activations are ready and wait for a thread",
    "matching": "messages wait, but no activation can be formed from them",
    "gated": "a slot it emits to is full, so it isn't activated or stands waiting",
    "timed": "its next activation waits for its time",
    "retrying": "an activation failed and is tried again later",
    "skipped": "it failed and is activated no more",
    "running": "at least one activation runs",
    "held": "activations are ready, or stand in checkpoint, and the job is held",
    "done": "the job has ended",
    "failed": "a failure of this routine ended the job",
}


@dataclass(frozen=True, slots=True)
class RoutineCount:
    """Counters of one routine at one moment.

    ``status`` is one of `ROUTINE_STATUSES`. ``running`` counts bodies that run, not those that
    stand in emit, checkpoint or post; ``ready`` counts activations that could start, ``seconds``
    is the time spent in ended slices, ``emitted`` maps events to how many values each has emitted.
    """

    status: str
    activations: int
    failures: int
    running: int
    ready: int
    seconds: float
    refused: int
    slots: dict[str, SlotCount]
    emitted: dict[str, int]
    revoked: int = 0


@dataclass(frozen=True, slots=True)
class JobProgress(EngineEvent):
    """Absolute counters of a job, sampled once per display tick; a lost one costs no truth.

    ``stalled`` names the full slots of a stall that lasts, () when there is none.
    """

    status: str
    running: int
    routines: dict[str, RoutineCount]
    stalled: tuple[str, ...] = ()


EVENT_TYPES: tuple[type[EngineEvent], ...] = (
    JobStarted,
    JobEnded,
    JobHeld,
    JobResumed,
    StepIgnored,
    MessageQueued,
    MessageDropped,
    ActivationStarted,
    ActivationEnded,
    ActivationFailed,
    Stalled,
    SliceEnded,
    JobProgress,
)
_BY_NAME = {kind.__name__: kind for kind in EVENT_TYPES}


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_BY_NAME[name])


def to_json(event: EngineEvent) -> dict[str, Any]:
    """Plain data (dicts, lists, strings, numbers) with the class name under ``event``."""
    return {"event": type(event).__name__, **asdict(event)}


def from_json(data: dict[str, Any]) -> EngineEvent:
    """The event `to_json` was given; raises ValueError (pydantic's) on any other shape."""
    fields = dict(data)
    kind = _BY_NAME.get(str(fields.pop("event", "")))
    if kind is None:
        raise ValueError(f"no event is called {data.get('event')!r}")
    event: EngineEvent = _adapter(kind.__name__).validate_python(fields)
    return event
