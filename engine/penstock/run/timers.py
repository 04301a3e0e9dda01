"""A job's timers and the clock they go by, which stands still while the job is held. Pure."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf, nextafter

_FEW = 64


class Timer:
    """Something that happens once at `when`, in seconds of the job's clock, unless called off.

    One that `keeps` is pending work: the job doesn't complete before it. `is_over` when it has
    happened or was called off.
    """

    __slots__ = ("act", "is_over", "keeps", "when")

    def __init__(self, when: float, act: Callable[[], object], keeps: bool) -> None:
        self.when = when
        self.act = act
        self.keeps = keeps
        self.is_over = False


_NONE: list[tuple[float, int, Timer]] = []  # most jobs have no timer: this list stays empty


class Timers:
    """The timers of one job. The clock is wall-clock time less what it stood still.

    `heap` is empty when none is to come.
    """

    __slots__ = ("_called_off", "_lost", "_order", "_stopped_at", "heap", "keeping")

    def __init__(self) -> None:
        self.heap = _NONE
        self._order = 0
        self._called_off = 0  # of those in the heap
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
        self._order += 1
        if self.heap is _NONE:
            self.heap = []
        heappush(self.heap, (when, self._order, timer))
        return timer

    def call_off(self, timer: Timer | None) -> None:
        """It won't happen; one that has happened, and None, are ignored."""
        if timer is None or timer.is_over:
            return
        self._end(timer)
        self._called_off += 1
        if self._called_off > _FEW and self._called_off * 2 > len(self.heap):
            self.heap = [entry for entry in self.heap if not entry[2].is_over]
            heapify(self.heap)
            self._called_off = 0

    def fire(self, now: float) -> None:
        """Do what is due, the earliest first."""
        while (first := self._first()) is not None and first.when <= self.clock(now):
            if self._stopped_at is not None:
                return  # the clock was stopped by what was just done
            heappop(self.heap)
            self._end(first)
            first.act()

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
        for _, _, timer in self.heap:
            timer.is_over = True
        self.heap = _NONE
        self._called_off = self.keeping = 0

    def _end(self, timer: Timer) -> None:
        timer.is_over = True
        self.keeping -= timer.keeps

    def _first(self) -> Timer | None:
        while self.heap and self.heap[0][2].is_over:
            heappop(self.heap)
            self._called_off -= 1
        return self.heap[0][2] if self.heap else None
