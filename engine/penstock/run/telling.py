"""The core's voice: builds the events somebody listens to, numbered in the order of telling."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence

from penstock.flow import Failure
from penstock.observe import (
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    EngineEvent,
    FailureSummary,
    HeldMessage,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    MessageDropped,
    MessageQueued,
    RoutineCount,
    SliceEnded,
    Stalled,
    StepIgnored,
    summarize,
)
from penstock.run.emitters import Emitter
from penstock.run.hold import Hold
from penstock.run.instructions import Wants
from penstock.run.records import KEPT_VALUES, Entry, RoutineRun, SlotQueue
from penstock.run.slices import PlainToken, Report, Token
from penstock.run.state import JobStatus

NO_EVENTS: list[EngineEvent] = []  # most steps of a core tell nothing: this list stays empty
_log = logging.getLogger(__name__)


class Teller:
    """Appends events to `events`. `now` is wall-clock time and never goes back.

    `tells_messages` and `tells_slices` say, for one step of the core, whether anybody asks for
    those: events of messages or kept values, and ends of slices.
    """

    def __init__(self, job_id: str, wants: Wants) -> None:
        self.wants = wants
        self.events = NO_EVENTS
        self.tells_messages = self.tells_slices = False
        self.now = 0.0
        self._job_id = job_id
        self._seq = 0

    def begin(self, now: float) -> None:
        """A step of the core begins, at wall-clock time `now`."""
        if now > self.now:
            self.now = now
        self.tells_messages = self.wants.values or MessageQueued in self.wants.kinds
        self.tells_slices = SliceEnded in self.wants.kinds

    def _tell(self, event: EngineEvent) -> None:
        if self.events is NO_EVENTS:
            self.events = []
        self.events.append(event)

    def stamp(self) -> tuple[int, str, float]:
        """Sequence number, job and time of the next event."""
        self._seq += 1
        return self._seq, self._job_id, self.now

    def started(self, flow: str, routines: Iterable[str]) -> None:
        if JobStarted in self.wants.kinds:
            self._tell(JobStarted(*self.stamp(), flow, tuple(routines)))

    def ended(self, status: JobStatus, error: Failure | None, runs: Iterable[RoutineRun]) -> None:
        if JobEnded in self.wants.kinds:
            slots = [slot for run in runs for slot in run.slots]
            left = {slot.ref: slot.discarded for slot in slots if slot.discarded}
            cause = summary_of(error) if error is not None else None
            self._tell(JobEnded(*self.stamp(), status.value, cause, left))

    def held(self, hold: Hold, place: RoutineRun | None, runs: Sequence[RoutineRun]) -> None:
        """Tell a hold; the starts of what still runs are told before it."""
        if JobHeld not in self.wants.kinds:
            return
        for run in runs:
            self.activations(run)
        running = tuple(run.id for run in runs for token in run.tokens if token.begun is not None)
        ready = sum(len(run.ready) + len(run.suspended) for run in runs)
        self._tell(
            JobHeld(
                *self.stamp(),
                hold.id,
                hold.generation,
                hold.why,
                place.id if place else "",
                hold.stops,
                _held_messages(place, hold),
                running,
                max(0, ready - 1),
            )
        )

    def progress(
        self,
        status: str,
        running: int,
        counts: dict[str, RoutineCount],
        stalled: tuple[str, ...] = (),
    ) -> None:
        self._tell(JobProgress(*self.stamp(), status, running, counts, stalled))

    def resumed(self, hold: Hold, stepping: bool, place: str) -> None:
        if JobResumed in self.wants.kinds:
            self._tell(JobResumed(*self.stamp(), hold.id, stepping, place))

    def step_ignored(self, reason: str) -> None:
        if StepIgnored in self.wants.kinds:
            self._tell(StepIgnored(*self.stamp(), reason))

    def failed(self, failure: Failure, action: str) -> None:
        if ActivationFailed in self.wants.kinds:
            self._tell(ActivationFailed(*self.stamp(), summary_of(failure), action))

    def stalled(self, slots: tuple[str, ...], routines: tuple[str, ...]) -> None:
        """Tell which full slots hold everything up, and whose emissions wait for them.

        It is logged when nobody listens: else nothing would say why the job doesn't go on.
        """
        if Stalled in self.wants.kinds:
            self._tell(Stalled(*self.stamp(), slots, routines))
            return
        where = ", ".join(slots)
        _log.warning("job %s is stalled: full are %s; grow, drop or cancel", self._job_id, where)

    def dropped(self, slot: SlotQueue, message: Entry, reason: str) -> None:
        if MessageDropped in self.wants.kinds:
            number, value = message
            self._tell(MessageDropped(*self.stamp(), slot.ref, number, reason, summarize(value)))

    def slice_ended(self, run: RoutineRun, report: Report | PlainToken) -> None:
        if SliceEnded in self.wants.kinds:
            self._tell(
                SliceEnded(*self.stamp(), run.id, report.thread, report.done, report.seconds)
            )

    def queued(
        self, slot: SlotQueue, messages: Sequence[Entry], emitter: Emitter | None, free: int
    ) -> None:
        """Tell messages that reach a slot with `free` places; those beyond park.

        Nothing parks before a slot that drops.
        """
        if MessageQueued not in self.wants.kinds:
            return
        source = emitter.ref if emitter is not None else ""
        depth = slot.depth()
        drops = slot.overflow.startswith("drop")
        for i, (number, value) in enumerate(messages):
            here = min(slot.capacity, depth + i + 1) if drops else depth + min(i + 1, max(0, free))
            parks = i >= free and not drops
            self._tell(
                MessageQueued(
                    *self.stamp(), source, slot.ref, number, here, parks, summarize(value)
                )
            )

    def value(self, port: Emitter | SlotQueue, message: Entry) -> None:
        """Keep the last values of a port as summaries, and the last one itself, for who asks."""
        if self.wants.values:
            if port.values is None:
                port.values = deque(maxlen=KEPT_VALUES)
            port.values.append((message[0], self.now, summarize(message[1])))
            port.last = message

    def activations(self, run: RoutineRun) -> None:
        """Tell the begins and ends in the routine's log, then begins still missing from it.

        A worker notes in its token that a body has begun before it logs that, so the begin may
        not be in the log yet; it is told from the token, and the row that follows is skipped.
        What was logged before that begin goes first; a token that has moved on since waits.
        """
        log = run.log
        if log is None:
            return
        self._tell_log(run, log)
        if ActivationStarted not in self.wants.kinds:
            return
        for token in tuple(run.tokens):
            entry = token.begun
            if entry is None or entry is token.told or entry is token.goes_on:
                continue
            self._tell_log(run, log)
            if token.begun is entry and token.told is not entry:
                token.told = entry
                self._began(run, entry, token.worker.name if token.worker is not None else "")

    def _tell_log(
        self, run: RoutineRun, log: deque[tuple[Token, Entry, float | None, str]]
    ) -> None:
        job_id, now, routine, tell = self._job_id, self.now, run.id, self._tell
        begins, ends = ActivationStarted in self.wants.kinds, ActivationEnded in self.wants.kinds
        for _ in range(len(log)):
            token, entry, seconds, thread = log.popleft()
            if seconds is not None:
                if ends:
                    self._seq = seq = self._seq + 1
                    tell(ActivationEnded(seq, job_id, now, routine, entry[0], thread, seconds))
            elif begins and token.told is not entry:
                token.told = entry
                self._began(run, entry, thread)

    def _began(self, run: RoutineRun, entry: Entry, thread: str) -> None:
        self._tell(ActivationStarted(*self.stamp(), run.id, entry[0], thread))


def summary_of(failure: Failure) -> FailureSummary:
    """The failure with its values as bounded summaries."""
    slots = {name: summarize(value) for name, value in failure.slots.items()}
    return FailureSummary(
        failure.routine, failure.type, failure.text, failure.traceback, slots, failure.attempt
    )


def held_entry(run: RoutineRun, hold: Hold) -> Entry | None:
    """The activation of a routine that would go next, or the one that was hit."""
    if not run.ready:
        return None
    wanted = hold.number if run.id == hold.at else run.next_number()
    return next((entry for entry in run.ready if entry[0] == wanted), None)


def _held_messages(run: RoutineRun | None, hold: Hold) -> tuple[HeldMessage, ...]:
    entry = held_entry(run, hold) if run is not None else None
    if run is None or entry is None:
        return ()
    return tuple(
        HeldMessage(slot.name, number, summarize(value))
        for slot, (number, value) in run.bound_to(entry)
    )
