"""What crosses between a window and the engine besides events: plain, frozen, JSON-able data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from penstock.observe import EngineEvent, RoutineCount, ValueSummary
from penstock.observe import from_json as event_from_json
from penstock.observe import to_json as event_to_json

StallChoice = Literal["grow", "drop", "cancel"]
"""What to do about a stall: give the full slots room, drop what waits at them, end the job."""


@dataclass(frozen=True, slots=True)
class BreakpointSpec:
    """A breakpoint before a routine, in every job or in one; ``id`` is the client's choice."""

    id: int
    place: str
    enabled: bool = True
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class StartRefused:
    """Reply to a ``start`` that made no job: the flow or its parameters are wrong.

    ``text`` is one line naming file, place and what was expected; ``details`` a traceback or "".
    """

    job_id: str
    text: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """Reply to a command that could not be done."""

    command: str
    job_id: str
    text: str


@dataclass(frozen=True, slots=True)
class PoolUse:
    """The worker pool at one moment; ``backlog`` is slices waiting for a worker.

    ``spare`` counts workers above its size: their bodies stand waiting, or they are kept for
    reuse. ``abandoned`` ones are in bodies whose activation is over.
    """

    size: int
    busy: int
    idle: int
    backlog: int
    threads: int
    threads_high_water: int
    spare: int = 0
    abandoned: int = 0


@dataclass(frozen=True, slots=True)
class ThreadInfo:
    """One live thread. ``role``: worker, loop, steward, async, host, window or foreign.

    ``state`` of a worker: running, idle, waits (its body stands waiting, so it doesn't count) or
    abandoned (its activation is over, the body isn't); of a loop: running or waits; of the
    asyncio thread: running or idle; "" where nobody knows. ``since`` is seconds since the present
    activation (or idle time) began, on the asyncio thread since the oldest; None when nobody
    knows.
    """

    name: str
    ident: int
    role: str
    state: str
    job_id: str
    routine: str
    since: float | None
    daemon: bool


@dataclass(frozen=True, slots=True)
class ThreadTable:
    """The pool's book-keeping joined with the interpreter's list of threads."""

    pool: PoolUse
    threads: tuple[ThreadInfo, ...]


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """One job as it is now; ``stalled`` names the full slots of a stall."""

    job_id: str
    flow: str
    status: str
    running: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    routines: dict[str, RoutineCount]
    stalled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """All jobs the engine keeps, oldest first, and its pool; of ended ones it keeps the newest."""

    jobs: tuple[JobSnapshot, ...]
    pool: PoolUse
    lost_events: int


@dataclass(frozen=True, slots=True)
class ValueSample:
    """A value that passed a port: message number, wall-clock time, bounded summary."""

    number: int
    time: float
    value: ValueSummary


@dataclass(frozen=True, slots=True)
class RoutineValues:
    """The last values per port of one routine in one job, newest last.

    ``kept`` is False for a job the engine has forgotten: there may have been values.
    """

    job_id: str
    routine: str
    slots: dict[str, tuple[ValueSample, ...]]
    events: dict[str, tuple[ValueSample, ...]]
    kept: bool = True


Reply = StartRefused | CommandRefused
Told = EngineEvent | Reply

PLAIN_TYPES: tuple[type[Any], ...] = (
    BreakpointSpec,
    StartRefused,
    CommandRefused,
    PoolUse,
    ThreadInfo,
    ThreadTable,
    JobSnapshot,
    EngineSnapshot,
    ValueSample,
    RoutineValues,
)
_BY_NAME = {kind.__name__: kind for kind in PLAIN_TYPES}


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_BY_NAME[name])


def to_json(data: object) -> dict[str, Any]:
    """Any event or any of `PLAIN_TYPES` as dicts, lists, strings and numbers."""
    if isinstance(data, EngineEvent):
        return event_to_json(data)
    if type(data) not in PLAIN_TYPES:
        raise TypeError(f"{type(data).__name__} doesn't cross between window and engine")
    return {"data": type(data).__name__, **asdict(data)}  # type: ignore[call-overload]


def from_json(data: dict[str, Any]) -> object:
    """What `to_json` was given; raises ValueError on any other shape."""
    if "event" in data:
        return event_from_json(data)
    fields = dict(data)
    kind = _BY_NAME.get(str(fields.pop("data", "")))
    if kind is None:
        raise ValueError(f"no plain type is called {data.get('data')!r}")
    return _adapter(kind.__name__).validate_python(fields)
