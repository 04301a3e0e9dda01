"""A job's timers and the clock they go by, which stands still while the job is held. Pure."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf, nextafter


class Timer:
    """Something that happens once at `when`, in seconds of the job's clock, unless called off.

    One that `keeps` is pending work: the job doesn't complete before it.
    """

    __slots__ = ("act", "keeps", "when")

    def __init__(self, when: float, act: Callable[[], object], keeps: bool) -> None:
        self.when = when
        self.act: Callable[[], object] | None = act
        self.keeps = keeps


class Timers:
    """The timers of one job. The clock is wall-clock time less what it stood still."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._lost = 0.0
        self._stopped_at: float | None = None
        self.keeping = 0

    def clock(self, now: float) -> float:
        """What the job's clock shows when the wall clock shows `now`."""
        return (now if self._stopped_at is None else self._stopped_at) - self._lost

    def stop(self, now: float) -> None:
        """Stand still from now on; a clock that stands already goes on standing."""
        if self._stopped_at is None:
            self._stopped_at = now

    def go(self, now: float) -> None:
        """Go on from where it stood."""
        if self._stopped_at is not None:
            self._lost += max(0.0, now - self._stopped_at)
            self._stopped_at = None

    def add(self, when: float, act: Callable[[], object], *, keeps: bool) -> Timer:
        """Have `act` called by `fire` once the job's clock shows `when`."""
        timer = Timer(when, act, keeps)
        self.keeping += keeps
        heappush(self._heap, (when, next(self._order), timer))
        return timer

    def call_off(self, timer: Timer | None) -> None:
        """It won't happen; one that has happened, and None, are ignored."""
        if timer is not None and timer.act is not None:
            timer.act = None
            self.keeping -= timer.keeps

    def fire(self, now: float) -> None:
        """Do what is due, the earliest first."""
        while (first := self._first()) is not None and first.when <= self.clock(now):
            if self._stopped_at is not None:
                return  # the clock was stopped by what was just done
            heappop(self._heap)
            act = first.act
            self.call_off(first)
            if act is not None:
                act()

    def next(self) -> float | None:
        """The wall-clock time of the next one; None while the clock stands or there is none."""
        first = self._first()
        if first is None or self._stopped_at is not None:
            return None
        when = first.when + self._lost
        # The sum may be rounded down: at `when` the clock would show a little less than is due.
        return when if self.clock(when) >= first.when else nextafter(when, inf)

    def clear(self) -> None:
        """Call all of them off."""
        self._heap.clear()
        self.keeping = 0

    def _first(self) -> Timer | None:
        while self._heap and self._heap[0][2].act is None:
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None
