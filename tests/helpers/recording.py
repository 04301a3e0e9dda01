"""An instrument that keeps every event, and waits for them with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from penstock.observe import (
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    EngineEvent,
    Instrument,
    JobEnded,
    JobHeld,
    JobResumed,
    JobStarted,
    MessageDropped,
    MessageQueued,
    SliceEnded,
    Stalled,
    StepIgnored,
)

AnyEvent = TypeVar("AnyEvent", bound=EngineEvent)


class RecordingInstrument(Instrument):
    """Keeps all events in the order they are told, over all jobs."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self._changed = threading.Condition()

    def _keep(self, event: EngineEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def of(self, kind: type[AnyEvent], job_id: str | None = None) -> list[AnyEvent]:
        """The events of one kind so far."""
        with self._changed:
            found = [event for event in self.events if isinstance(event, kind)]
        return [event for event in found if job_id in (None, event.job_id)]

    def wait_for(
        self,
        kind: type[AnyEvent],
        fits: Callable[[AnyEvent], bool] = lambda _: True,
        timeout: float = 10.0,
    ) -> AnyEvent:
        """The first event of that kind that fits; fails after `timeout` seconds."""

        def first() -> AnyEvent | None:
            return next((e for e in self.events if isinstance(e, kind) and fits(e)), None)

        with self._changed:
            assert self._changed.wait_for(lambda: first() is not None, timeout), kind.__name__
            found = first()
        assert found is not None
        return found

    def on_job_started(self, event: JobStarted) -> None:
        self._keep(event)

    def on_job_ended(self, event: JobEnded) -> None:
        self._keep(event)

    def on_message_dropped(self, event: MessageDropped) -> None:
        self._keep(event)

    def on_stalled(self, event: Stalled) -> None:
        self._keep(event)

    def on_job_held(self, event: JobHeld) -> None:
        self._keep(event)

    def on_job_resumed(self, event: JobResumed) -> None:
        self._keep(event)

    def on_step_ignored(self, event: StepIgnored) -> None:
        self._keep(event)

    def on_message_queued(self, event: MessageQueued) -> None:
        self._keep(event)

    def on_activation_started(self, event: ActivationStarted) -> None:
        self._keep(event)

    def on_activation_ended(self, event: ActivationEnded) -> None:
        self._keep(event)

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self._keep(event)

    def on_slice_ended(self, event: SliceEnded) -> None:
        self._keep(event)


def starts_and_ends(events: list[Any]) -> dict[tuple[str, int], list[str]]:
    """(routine, number) -> the kinds of its activation's events, in order."""
    found: dict[tuple[str, int], list[str]] = {}
    for event in events:
        if isinstance(event, ActivationStarted | ActivationEnded):
            found.setdefault((event.routine, event.number), []).append(type(event).__name__)
    return found
