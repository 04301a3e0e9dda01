"""Bodies of the three kinds (plain, generator, coroutine), and jobs of one routine fed by posts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Literal

from helpers.conservation import DEADLINE, finished
from helpers.flows import flow_of, routine
from helpers.waiting import until
from penstock import JobState, JobStatus, Routine, Runtime, Slot

Kind = Literal["plain", "generator", "async"]
KINDS: tuple[Kind, ...] = ("plain", "generator", "async")
Steps = Iterator[Callable[[], Any] | None]


class Nothing:
    """What `logic` has where no value was passed."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


def logic_of(kind: Kind, body: Callable[..., Steps]) -> Callable[..., Any]:
    """A `logic` whose body is written as a generator of calls that may wait, or None."""

    def plain(self: Any, value: Any = NOTHING) -> None:
        for wait in _steps(body, self, value):
            if wait is not None:
                wait()

    def generator(self: Any, value: Any = NOTHING) -> Iterator[None]:
        for wait in _steps(body, self, value):
            if wait is not None:
                wait()
            yield

    async def coroutine(self: Any, value: Any = NOTHING) -> None:
        for wait in _steps(body, self, value):
            if wait is not None:
                await asyncio.to_thread(wait)

    return {"plain": plain, "generator": generator, "async": coroutine}[kind]


def _steps(body: Callable[..., Steps], routine: Any, value: Any) -> Steps:
    return body(routine) if value is NOTHING else body(routine, value)


def of_kind(kind: Kind, body: Callable[[Any, Any], Steps], **attributes: Any) -> Routine:
    """A routine of one slot, ``value``, whose body is written as for `logic_of`."""
    return routine(logic_of(kind, body), slots={"value": Slot(object)}, **attributes)


class AsyncGate:
    """Where coroutines wait until it is opened, from any thread."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.came: list[Any] = []
        self.left: list[Any] = []

    async def wait_here(self, who: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        self.came.append(who)
        try:
            await self._event.wait()
        finally:
            self.left.append(who)

    def open(self) -> None:
        assert self._loop is not None, "nobody came"
        self._loop.call_soon_threadsafe(self._event.set)


def async_gated(gate: AsyncGate, **attributes: Any) -> Routine:
    """A coroutine that waits at the gate, then emits its ``value`` on ``out``."""

    async def logic(self: Any, value: Any) -> None:
        await gate.wait_here(value)
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object)}, **attributes)


def recorder(into: list[Any], *slots: str, **attributes: Any) -> Routine:
    """Appends, as a tuple, what each activation is given.

    The slots are ``value``, or ``left`` and ``right``, or ``x``, ``y`` and ``z``; an attribute of
    such a name is the slot's declaration.
    """

    def of_one(self: Any, value: Any = NOTHING) -> None:
        into.append((value,))

    def of_two(self: Any, left: Any = NOTHING, right: Any = NOTHING) -> None:
        into.append((left, right))

    def of_three(self: Any, x: Any = NOTHING, y: Any = NOTHING, z: Any = NOTHING) -> None:
        into.append((x, y, z))

    declared = {name: attributes.pop(name, Slot(object)) for name in slots}
    logic = (of_one, of_two, of_three)[len(slots) - 1]
    return routine(logic, slots=declared, events=(), **attributes)


def opened(runtime: Runtime, made: Routine) -> JobState:
    """A job of one routine, ``r``, that takes posts until it is closed."""
    return runtime.exec(flow_of({"r": made}), keep_open=True)


def post(runtime: Runtime, job: JobState, slot: str, *values: Any) -> None:
    """Put each value into a slot of ``r``."""
    for value in values:
        runtime.post(job.id, f"r.{slot}", value, timeout=DEADLINE)


def posted(job: JobState, place: str, many: int) -> None:
    """Until that many messages have come to the slot."""
    routine_id, _, name = place.partition(".")
    until(lambda: job.routines[routine_id].slots[name].posted == many)


def closed(runtime: Runtime, job: JobState, status: JobStatus = JobStatus.COMPLETED) -> JobState:
    """The job, closed and ended."""
    runtime.jobs.close(job.id)
    return finished(job, status)
