"""What crosses between a window and the engine besides events: plain, frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from penstock.flow import EventSpec, SlotSpec
from penstock.observe import EngineEvent, RoutineCount, ValueSummary

StallChoice = Literal["grow", "drop", "cancel"]
"""What to do about a stall: give the full slots room, drop what waits at them, end the job."""
Grant = Literal["view", "control", "evaluate"]
"""What a client may do, each more than the one before: look, also steer, also run its own code."""

PageKind = Literal["items", "entries", "members", "fields", "text", "bytes", "nothing"]
"""What a value has inside."""


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
    """A value that passed a port: message number, wall-clock time, bounded summary.

    ``reference`` is what its pages are asked for by; 0 where its summary says all there is, or it
    isn't kept any more.
    """

    number: int
    time: float
    value: ValueSummary
    reference: int = 0


@dataclass(frozen=True, slots=True)
class HeldValue:
    """What the pages of a held message are asked for by, as of a `ValueSample`."""

    slot: str
    number: int
    reference: int


@dataclass(frozen=True, slots=True)
class RoutineValues:
    """The last values per port of one routine in one job, newest last.

    While the job is held, ``held`` has the messages that the routine's next activation takes: of
    the routine that `JobHeld` names, those it told. ``kept`` is False for a job the engine has
    forgotten: there may have been values.
    """

    job_id: str
    routine: str
    slots: dict[str, tuple[ValueSample, ...]]
    events: dict[str, tuple[ValueSample, ...]]
    kept: bool = True
    held: tuple[HeldValue, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueItem:
    """A child of a value: an item, entry, member or field.

    ``label`` is its index, key or name, empty for members of a set. ``opens``: a page of it shows
    more than its summary.
    """

    position: int
    label: str
    value: ValueSummary
    opens: bool


@dataclass(frozen=True, slots=True)
class ValuePage:
    """What is inside a value that is in the host, or in a child of it, from ``offset`` on.

    ``path`` is the positions that lead to the child. ``total`` counts children, or characters or
    bytes of a text, of which ``text`` is a piece (bytes as hexadecimal digits). ``cut``: there are
    fewer than asked for, as reading took too long. ``kept`` is False when there is no such value
    any more.
    """

    reference: int
    path: tuple[int, ...]
    kind: PageKind
    value: ValueSummary
    total: int
    offset: int
    items: tuple[ValueItem, ...]
    text: str = ""
    cut: bool = False
    kept: bool = True


@dataclass(frozen=True, slots=True)
class RoutinePicture:
    """A routine of a job as one draws it: its type as ``module:Class``, its ports, its docstring.

    ``events`` is without the implicit ``failed``.
    """

    id: str
    type: str
    slots: tuple[SlotSpec, ...]
    events: tuple[EventSpec, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class FlowPicture:
    """The flow of a job, for whoever hasn't its file; connections are (event, slot) references.

    ``kept`` is False for a job the engine has forgotten.
    """

    job_id: str
    flow: str
    routines: tuple[RoutinePicture, ...]
    connections: tuple[tuple[str, str], ...]
    kept: bool = True


@dataclass(frozen=True, slots=True)
class HostUp:
    """The first thing a host tells: which process it is and what this client may do there.

    ``name`` is what a person would call the program; ``python`` its version, as in ``3.11.7``.
    ``in_control`` is False for a client that only watches.
    """

    pid: int
    name: str
    python: str
    executable: str
    grant: Grant
    in_control: bool


@dataclass(frozen=True, slots=True)
class HostGone:
    """The host is no more, or no longer reached. Made on the client's side; always the last.

    ``text`` says in one line how it ended (``killed by SIGKILL``); ``output`` is the last of what
    it wrote to its terminal; ``running`` the (job id, routine) pairs that ran when last heard;
    ``asked`` whether this client wanted it so.
    """

    pid: int
    text: str
    output: str
    running: tuple[tuple[str, str], ...] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True)
class ControlChanged:
    """This client steers from now on, or watches only because another one took over."""

    in_control: bool


@dataclass(frozen=True, slots=True)
class Printed:
    """Text that code of a flow wrote to stdout or stderr; empty job id: nobody's in particular.

    ``number`` rises by one with each of a host; ``lost`` counts the characters left out before
    this text.
    """

    number: int
    job_id: str
    routine: str
    stream: Literal["stdout", "stderr"]
    text: str
    lost: int = 0


@dataclass(frozen=True, slots=True)
class SourcesChanged:
    """Source files that are other than what the host has imported, as absolute paths; or none are.

    Jobs run the version that was imported; a job of the new one needs a fresh host.
    """

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisplayLost:
    """How many display events this client hasn't got in all, because it was too slow."""

    total: int


Reply = StartRefused | CommandRefused
HostNews = HostUp | HostGone | ControlChanged | Printed | SourcesChanged
Told = EngineEvent | Reply | HostNews
Answer = ThreadTable | EngineSnapshot | RoutineValues | ValuePage | FlowPicture | DisplayLost
"""What a client also keeps, to answer from."""

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
    HeldValue,
    RoutineValues,
    RoutinePicture,
    FlowPicture,
    ValueItem,
    ValuePage,
    HostUp,
    HostGone,
    ControlChanged,
    Printed,
    SourcesChanged,
    DisplayLost,
)
