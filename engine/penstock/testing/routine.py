"""One routine on given messages, and what it made of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from penstock.errors import JobEnded
from penstock.flow import Failure, Flow, Routine, Shape, shape_of
from penstock.observe import ActivationFailed, FailureSummary, Instrument, RoutineCount
from penstock.run import JobExecutor, JobState, JobStatus
from penstock.testing.clock import ManualClock
from penstock.testing.pool import LIMIT
from penstock.testing.runtime import InlineRuntime

_ID = "routine"


@dataclass(frozen=True, slots=True)
class Gap:
    """Among messages: those before it are worked on, then so many seconds pass.

    >>> run_routine(Double(), 1, Gap(2.5), 2).seconds
    2.5
    """

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RoutineResult:
    """What came of a routine; ``result["word"]`` is the list of what it emitted on ``word``.

    ``emissions`` has a key for every event, ``failures`` every try that raised, also those that
    were tried again; ``error`` is the failure that ended the job. ``state`` is its
    ``self.state``. ``counts`` are its counters at the end, ``seconds`` what passed on the clock.
    """

    status: JobStatus
    emissions: Mapping[str, tuple[Any, ...]]
    failures: tuple[FailureSummary, ...]
    dead_letters: tuple[Failure, ...]
    error: Failure | None
    state: Any
    counts: RoutineCount
    seconds: float

    def __getitem__(self, event: str) -> list[Any]:
        """What was emitted, in order; raises KeyError for an event it doesn't have."""
        if event not in self.emissions:
            known = ", ".join(self.emissions) or "none"
            raise KeyError(f"there is no event {event!r} (its events: {known})")
        return list(self.emissions[event])

    @property
    def dropped(self) -> dict[str, int]:
        """Slot -> messages that were dropped because it was full."""
        return {name: slot.dropped for name, slot in self.counts.slots.items()}


def run_routine(
    routine: Routine,
    *messages: Any,
    seconds: float | None = None,
    timeout: float | None = None,
    seed: int | None = 0,
    workers: int = 1,
    check_types: bool = False,
    clock: ManualClock | None = None,
    limit: int = LIMIT,
) -> RoutineResult:
    """Run a routine on messages, here and at once.

    One slot takes the messages as they are, several take a dict slot -> value each; a source
    takes none:

        >>> from penstock.testing import run_routine
        >>> result = run_routine(Double(), 1, 2, 3)
        >>> result["twice"]
        [2, 4, 6]
        >>> run_routine(Pair(), {"left": 1}, {"left": 2, "right": "b"})["both"]
        [(1, 'b')]

    All messages are there before the first is worked on, unless a `Gap` lies between them; under
    ``Latest`` the first is taken as soon as it is there. Retry delays, ``Batch(max_wait=…)``,
    ``Every`` and sleeping take no time but on `clock`. After the last message ``finish`` has its
    turn. With `seconds` the job is cancelled if it hasn't ended
    by so long after the last message: for what is endless.

    Raises InvalidValue for a message of a wrong type, SlotFull where one finds no room however
    long it waits, NeverEnds when the job can't end. What the routine raises is in the result.
    """
    shape = shape_of(type(routine))
    flow = Flow(type(routine).__name__)
    flow.add(_ID, routine)
    told = _Failures()
    with InlineRuntime(workers, [told], check_types, clock) as runtime:
        began = runtime.clock.now()
        job = runtime.exec(flow, keep_open=True, timeout=timeout, seed=seed)
        executor = runtime.jobs.get(job.id)
        _keep_all(executor, shape)
        _give(runtime, job, shape, messages, limit)
        runtime.jobs.close(job.id)
        if seconds is None:
            runtime.run_to_end(job, limit)
        else:
            runtime.advance(seconds, limit)
        passed = runtime.clock.now() - began
    return RoutineResult(
        status=job.status,
        emissions=MappingProxyType(
            {event: tuple(job.outputs[f"{_ID}.{event}"]) for event in shape.events}
        ),
        failures=tuple(told.failures),
        dead_letters=tuple(job.dead_letters),
        error=job.error,
        state=executor.core.by_id[_ID].instance.state,
        counts=job.routines[_ID],
        seconds=passed,
    )


class _Failures(Instrument):
    def __init__(self) -> None:
        self.failures: list[FailureSummary] = []

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self.failures.append(event.failure)


def _keep_all(executor: JobExecutor, shape: Shape) -> None:
    """A job keeps the last thousand emissions; here all are wanted."""
    for event in shape.events:
        emitter = executor.emitter(_ID, event)
        if emitter is not None:
            emitter.outputs = deque()


def _give(
    runtime: InlineRuntime, job: JobState, shape: Shape, messages: tuple[Any, ...], limit: int
) -> None:
    for message in messages:
        if isinstance(message, Gap):
            runtime.advance(message.seconds, limit)
            continue
        for slot, value in _by_slot(shape, message):
            try:
                runtime.post(job.id, f"{_ID}.{slot}", value)
            except JobEnded:
                return  # the routine has failed; the result tells


def _by_slot(shape: Shape, message: Any) -> Iterator[tuple[str, Any]]:
    if not shape.slots:
        raise ValueError(f"a source takes no messages, got {message!r}")
    if len(shape.slots) == 1:
        yield next(iter(shape.slots)), message
    elif isinstance(message, Mapping):
        yield from message.items()
    else:
        names = ", ".join(shape.slots)
        raise ValueError(
            f"with the slots {names} a message is a dict slot -> value, got {message!r}"
        )
