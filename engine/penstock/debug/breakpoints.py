"""Breakpoints: frozen values in an immutable list that is swapped whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from penstock.run import StopPoint


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Hold the job before an activation of the routine `place`.

    A place that no running flow has is unbound, not an error: it may come with the next job.
    """

    id: int
    place: str
    when: str = "before"
    suspend: str = "job"
    enabled: bool = True
    job_id: str | None = None


class Breakpoints:
    """The debugger's breakpoints; any thread. `_lock` guards the list, never held calling out."""

    def __init__(self, changed: Callable[[tuple[StopPoint, ...]], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._all: tuple[Breakpoint, ...] = ()
        self._ids = count(1)

    def add(
        self,
        place: str,
        when: str | None = None,
        *,
        suspend: str = "job",
        enabled: bool = True,
        job_id: str | None = None,
    ) -> Breakpoint:
        """Set one before a routine, for jobs that run and for later ones.

        Raises ValueError for a `when` or `suspend` other than "before" and "job".
        """
        _check("when", when or "before", "before")
        _check("suspend", suspend, "job")
        if "." in place or "->" in place:
            raise ValueError(f"place must be a routine's id, is {place!r}")
        with self._lock:
            taken = {one.id for one in self._all}
            new_id = next(i for i in self._ids if i not in taken)
            made = Breakpoint(new_id, place, "before", "job", enabled, job_id)
            self._all = (*self._all, made)
        self._tell()
        return made

    def remove(self, breakpoint_id: int) -> None:
        """Take one away; an unknown id is ignored."""
        with self._lock:
            self._all = tuple(b for b in self._all if b.id != breakpoint_id)
        self._tell()

    def clear(self) -> None:
        """Take all away."""
        with self._lock:
            self._all = ()
        self._tell()

    def list(self) -> list[Breakpoint]:
        """All of them, in the order they were added."""
        return [*self._all]

    def replace(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        """Swap the whole list, ids included."""
        with self._lock:
            self._all = breakpoints
        self._tell()

    def _tell(self) -> None:
        self._changed(tuple(StopPoint(b.id, b.place, b.job_id) for b in self._all if b.enabled))


def _check(name: str, value: str, only: str) -> None:
    if value != only:
        raise ValueError(f"{name} must be {only!r}, is {value!r}")
