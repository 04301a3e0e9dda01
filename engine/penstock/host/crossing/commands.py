"""Every command of a client: plain, frozen data that an engine carries out in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.host.crossing.launch import WhenWindowGoes
from penstock.host.crossing.protocol import (
    BreakpointSpec,
    CommandRefused,
    StallChoice,
    StartRefused,
)


@dataclass(frozen=True, slots=True)
class Start:
    """Start a job of the flow a file's text describes, under an id the client chose.

    ``folder`` is what the flow's folders are relative to; the values of ``entry_params``
    (``routine.slot``) are JSON data.
    """

    job_id: str
    flow_json: str
    folder: str | None
    entry_params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold one job, or all and those started later."""

    job_id: str | None


@dataclass(frozen=True, slots=True)
class Resume:
    """Let one job, or all, go on."""

    job_id: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """Let the one activation go that would go next, and hold again."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a job."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Unstall:
    """End a stall."""

    job_id: str
    choice: StallChoice


@dataclass(frozen=True, slots=True)
class Resize:
    """Give a slot (``routine.slot``) of a job another capacity."""

    job_id: str
    port: str
    capacity: int


@dataclass(frozen=True, slots=True)
class SetBreakpoints:
    """Replace the whole list, for jobs that run and for later ones."""

    specs: tuple[BreakpointSpec, ...]


@dataclass(frozen=True, slots=True)
class AskCounters:
    """Have moving jobs tell their counters."""


@dataclass(frozen=True, slots=True)
class AskThreads:
    """Tell every live thread, as a `ThreadTable`."""


@dataclass(frozen=True, slots=True)
class AskSnapshot:
    """Tell all jobs and the pool, as an `EngineSnapshot`."""


@dataclass(frozen=True, slots=True)
class AskValues:
    """Tell a routine's last values, as `RoutineValues`."""

    job_id: str
    routine: str


@dataclass(frozen=True, slots=True)
class AskPage:
    """Tell what is inside a value, as a `ValuePage`; it is kept for this client from then on.

    ``path`` is the positions that lead to a child of it, ``most`` how many children (or characters)
    to tell.
    """

    reference: int
    path: tuple[int, ...]
    offset: int
    most: int


@dataclass(frozen=True, slots=True)
class Release:
    """This client doesn't need the value of a reference any more."""

    reference: int


@dataclass(frozen=True, slots=True)
class AskFlow:
    """Tell what flow a job runs, as a `FlowPicture`."""

    job_id: str


@dataclass(frozen=True, slots=True)
class AskSources:
    """Tell which source files are other now than what was imported, as `SourcesChanged`."""


@dataclass(frozen=True, slots=True)
class MakeWay:
    """Begin no activation for so many seconds; 0: go on. Says nothing to a host process."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TakeControl:
    """Steer from now on; whoever did watches only."""


@dataclass(frozen=True, slots=True)
class WhenGone:
    """What becomes of the jobs when this client steers and is gone.

    ``resume``: held ones go on, and its breakpoints are forgotten, as nobody would be there to
    resume. ``hold``: they stay held. ``end``: the engine ends if it is the client's own; any other
    one stays as for ``hold``.
    """

    then: WhenWindowGoes


Command = (
    Start
    | Pause
    | Resume
    | Step
    | Cancel
    | Unstall
    | Resize
    | SetBreakpoints
    | AskCounters
    | AskThreads
    | AskSnapshot
    | AskValues
    | AskFlow
    | AskSources
    | AskPage
    | Release
    | MakeWay
    | TakeControl
    | WhenGone
)
COMMAND_TYPES: tuple[type[Command], ...] = (
    Start,
    Pause,
    Resume,
    Step,
    Cancel,
    Unstall,
    Resize,
    SetBreakpoints,
    AskCounters,
    AskThreads,
    AskSnapshot,
    AskValues,
    AskFlow,
    AskSources,
    AskPage,
    Release,
    MakeWay,
    TakeControl,
    WhenGone,
)


def refusal(command: Command, text: str) -> StartRefused | CommandRefused:
    """The reply to a command that isn't carried out."""
    if isinstance(command, Start):
        return StartRefused(command.job_id, text)
    job_id = getattr(command, "job_id", None) or ""
    return CommandRefused(type(command).__name__.lower(), job_id, text)
