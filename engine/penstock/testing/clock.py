"""A clock that stands still until somebody moves it."""

from __future__ import annotations

from itertools import count

from penstock.run.pools import Timed


class ManualClock:
    """Time that passes only when it is told to.

        >>> clock = ManualClock()
        >>> clock.advance(2.5)
        >>> clock.now()
        2.5

    Give one to several runtimes and they share their time. For one thread.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._numbers = count()
        self._deadlines: dict[Timed, tuple[float, int]] = {}

    def now(self) -> float:
        """Seconds; `start` at first."""
        return self._now

    def wall(self) -> float:
        """The same: times of events and jobs are read from this clock too."""
        return self._now

    def call_at(self, job: Timed, when: float | None) -> None:
        """Have `job.due` called once this clock shows `when`; it replaces the job's former time.

        None takes it away. A time that has passed is called by the next `advance`.
        """
        self._deadlines.pop(job, None)
        if when is not None:
            self._deadlines[job] = (when, next(self._numbers))

    @property
    def next_deadline(self) -> float | None:
        """When somebody wants to be called next; None for never."""
        return min(self._deadlines.values())[0] if self._deadlines else None

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass; see `advance_to`."""
        if not seconds >= 0:
            raise ValueError(f"seconds: time only goes forward, got {seconds!r}")
        self.advance_to(self._now + seconds)

    def advance_to(self, when: float) -> None:
        """Let time pass until `when`; whoever is due is called in order, each at its time.

        What they then queue in a pool doesn't run here: see `InlineRuntime.advance` for that.
        """
        while self._deadlines:
            job, (due_at, _) = min(self._deadlines.items(), key=lambda item: item[1])
            if due_at > when:
                break
            del self._deadlines[job]
            self._now = max(self._now, due_at)
            job.due()
        self._now = max(self._now, when)
