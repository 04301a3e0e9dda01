"""What a job and its runtime need of a pool, whoever its threads belong to."""

from __future__ import annotations

from _thread import LockType
from collections.abc import Iterable, Sized
from typing import Any, Protocol

LONGEST = 1e6  # seconds; a lock can't be told to wait much longer


def wait_behind(latch: LockType, seconds: float | None) -> bool:
    """Stand behind a latch for so long, None: until it opens; whether it has opened."""
    return latch.acquire(True, LONGEST if seconds is None else min(max(0.0, seconds), LONGEST))


class Timed(Protocol):
    """Something with one deadline."""

    def due(self) -> None:
        """Its time has come; quick, never raises."""


class Drain(Protocol):
    """A job whose event loop has no thread of its own."""

    job_id: str

    def drain(self) -> None:
        """One bounded look at its task queue; never raises."""


class Clock(Protocol):
    """The time, and who calls when it has come."""

    def now(self) -> float:
        """Seconds that only go forward."""

    def wall(self) -> float:
        """The same moment as the seconds of a calendar, for people to read."""

    def call_at(self, job: Timed, when: float | None) -> None:
        """Replace the one deadline of `job`; None takes it away."""


class Pool(Protocol):
    """Runs slices (`Token.run`) and drains, `workers` at once."""

    workers: int
    has_spares: bool

    @property
    def steward(self) -> Clock: ...

    @property
    def ready(self) -> Sized: ...

    def submit_many(self, works: Iterable[Any]) -> None:
        """Queue slices; any thread."""

    def submit_drain(self, drain: Drain) -> None:
        """Queue a look at a job's queue, before all slices; any thread."""

    def leave(self, worker: Any, work: Any, abandoned: bool) -> bool:
        """Take a worker that is still in `work` out of the count."""

    def wait(self, latch: LockType, seconds: float | None) -> bool:
        """Stand behind `latch` for at most so long, None: no limit; whether it has opened.

        Called by whoever waits, on its own thread; a pool without threads works meanwhile.
        """

    def interrupt(self, job_id: str, grace: float = 2.0) -> int:
        """Raise Cancelled in bodies of the job that were abandoned so long ago; how many."""

    def make_way(self, seconds: float) -> None:
        """Begin no slice for so long."""

    def infos(self) -> list[Any]:
        """All workers and what they do."""

    @property
    def busy(self) -> int: ...

    @property
    def spare(self) -> int: ...

    @property
    def abandoned(self) -> int: ...

    def shutdown(self, deadline: float) -> list[str]:
        """End all threads; the names of those still in a body at `deadline`."""


class Coroutines(Protocol):
    """Runs activations of ``async def logic`` (`Token.run_async`)."""

    def submit_many(self, works: Iterable[Any]) -> None:
        """Begin these; any thread."""

    def cancel(self, work: Any) -> None:
        """Cancel one that runs; any thread."""

    def stop(self, deadline: float) -> None:
        """Cancel what is left and end; never raises."""
