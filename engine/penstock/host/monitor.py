"""The one instrument behind a client: keeps what the window has not fetched yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from penstock.host.protocol import Reply, Told
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    Instrument,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    StepIgnored,
)

DISPLAY_CAPACITY = 20_000


class Monitor(Instrument):
    """A bounded buffer between job loops and whoever drains it.

    State events and replies are never dropped; display events (failures, samples) beyond the
    capacity are counted in `lost` instead. ``_lock`` guards the buffer and counts; never held
    while calling out. `sample` makes the last counters of a job at its end, on its loop thread.
    """

    def __init__(
        self,
        sample: Callable[[str], JobProgress | None],
        capacity: int = DISPLAY_CAPACITY,
    ) -> None:
        self.lost = 0
        self._sample = sample
        self._capacity = capacity
        self._lock = threading.Lock()
        self._buffer: deque[Told] = deque()
        self._display = 0

    def drain(self) -> tuple[Told, ...]:
        """Everything since the last call, in the order it was told."""
        with self._lock:
            taken = tuple(self._buffer)
            self._buffer.clear()
            self._display = 0
        return taken

    def reply(self, reply: Reply) -> None:
        """Keep an answer to a command."""
        with self._lock:
            self._buffer.append(reply)

    def display(self, event: EngineEvent) -> None:
        """Keep an event that may be lost when nobody drains."""
        with self._lock:
            if self._display >= self._capacity:
                self.lost += 1
                return
            self._display += 1
            self._buffer.append(event)

    def _state(self, event: EngineEvent) -> None:
        with self._lock:
            self._buffer.append(event)

    def on_job_started(self, event: JobStarted) -> None:
        self._state(event)

    def on_job_held(self, event: JobHeld) -> None:
        self._state(event)

    def on_job_resumed(self, event: JobResumed) -> None:
        self._state(event)

    def on_step_ignored(self, event: StepIgnored) -> None:
        self._state(event)

    def on_job_ended(self, event: JobEnded) -> None:
        self._state(event)
        last = self._sample(event.job_id)
        if last is not None:
            self._state(last)

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self.display(event)
