"""The one instrument behind a client: keeps what the window has not fetched yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from penstock.host.crossing.protocol import Answer, ControlChanged, Reply, SourcesChanged, Told
from penstock.observe import (
    FINAL_STATUSES,
    ActivationFailed,
    EngineEvent,
    Instrument,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    Stalled,
    StepIgnored,
)

DISPLAY_CAPACITY = 20_000


class Monitor(Instrument):
    """A bounded buffer between job loops and whoever drains it.

    State events and replies are never dropped; display events (failures, samples) beyond the
    capacity are counted in `lost` instead. ``_lock`` guards the buffer and counts; never held
    while calling out. Counters that are as they were are dropped. It doesn't listen to single
    messages, dropped ones included: building an event for each would slow the engine down, and
    the counters tell how many there were.

    ``on_news`` is called, on the thread that tells, after anything but a display event, and
    ``on_state`` before that for what is no answer.
    """

    def __init__(
        self,
        capacity: int = DISPLAY_CAPACITY,
        on_news: Callable[[], None] | None = None,
        on_state: Callable[[], None] | None = None,
    ) -> None:
        self.lost = 0
        self._on_news = on_news
        self._on_state = on_state
        self._last: dict[str, JobProgress | None] = {}
        self._asked: set[str] = set()
        self._capacity = capacity
        self._lock = threading.Lock()
        self._buffer: deque[Told | Answer] = deque()
        self._display = 0
        self._ended = 0
        self.ends_fetched = 0

    def drain(self) -> tuple[Told | Answer, ...]:
        """Everything since the last call, in the order it was told.

        `ends_fetched` counts the jobs whose last counters and end were among it, ever.
        """
        with self._lock:
            taken = tuple(self._buffer)
            self._buffer.clear()
            self._display = 0
            self.ends_fetched = self._ended
        return taken

    def reply(self, reply: Reply | Answer | ControlChanged | SourcesChanged) -> None:
        """Keep what came of a command."""
        with self._lock:
            self._buffer.append(reply)
        self._news(is_state=not isinstance(reply, Answer))

    def tell_late(self, event: JobStarted | JobEnded) -> None:
        """Keep what a job that was there before us has done, unless it has told it itself."""
        is_live = event.job_id in self._last
        if isinstance(event, JobEnded):
            if is_live:
                self.on_job_ended(event)
        elif not is_live:
            self.on_job_started(event)

    def display(self, event: EngineEvent) -> bool:
        """Keep an event that may be lost when nobody drains; whether it was kept."""
        with self._lock:
            if self._display >= self._capacity:
                self.lost += 1
                return False
            self._display += 1
            self._buffer.append(event)
        return True

    def _state(self, event: EngineEvent) -> None:
        with self._lock:
            self._buffer.append(event)
            self._ended += isinstance(event, JobEnded)
        self._news(is_state=True)

    def _news(self, *, is_state: bool) -> None:
        if is_state and self._on_state is not None:
            self._on_state()
        if self._on_news is not None:
            self._on_news()

    @property
    def is_moving(self) -> bool:
        """Whether there is a job whose counters may change without a state event."""
        return any(not _stands_still(last) for last in list(self._last.values()))

    def due_samples(self) -> list[str]:
        """Jobs whose counters may have changed, and which haven't been asked for them yet.

        A job that stands still isn't woken: its counters change with the next state event only.
        """
        moving = [job for job, last in list(self._last.items()) if not _stands_still(last)]
        due = [job for job in moving if job not in self._asked]
        self._asked.update(due)
        return due

    def on_job_started(self, event: JobStarted) -> None:
        self._last[event.job_id] = None
        self._state(event)

    def on_job_progress(self, event: JobProgress) -> None:
        last = self._last.get(event.job_id)
        self._last[event.job_id] = event
        self._asked.discard(event.job_id)
        if event.status in FINAL_STATUSES:
            self._state(event)
        elif (last is None or _counters(last) != _counters(event)) and not self.display(event):
            self._last[event.job_id] = last  # what got lost isn't known to whoever drains

    def on_job_held(self, event: JobHeld) -> None:
        self._last[event.job_id] = None
        self._state(event)

    def on_job_resumed(self, event: JobResumed) -> None:
        self._last[event.job_id] = None
        self._state(event)

    def on_step_ignored(self, event: StepIgnored) -> None:
        self._state(event)

    def on_stalled(self, event: Stalled) -> None:
        self._last[event.job_id] = None
        self._state(event)

    def on_job_ended(self, event: JobEnded) -> None:
        self._last.pop(event.job_id, None)
        self._asked.discard(event.job_id)
        self._state(event)

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self.display(event)


def _stands_still(last: JobProgress | None) -> bool:
    return last is not None and last.status == "PAUSED"


def _counters(progress: JobProgress) -> tuple[object, ...]:
    return progress.status, progress.running, progress.routines, progress.stalled
