"""The pure fold of events into what a window shows of one job.

The live view, the replay of a recording and the view of another process all use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from penstock.observe.events import (
    FINAL_STATUSES,
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    EngineEvent,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    RoutineCount,
    Stalled,
)

_NOTHING = RoutineCount("idle", 0, 0, 0, 0, 0.0, 0, {}, {})
_FINAL = FINAL_STATUSES | {"LOST"}


@dataclass(slots=True)
class JobView:
    """One job as its events tell it. Feed events with `apply`, in order, on one thread.

    ``stalled`` names the full slots (``routine.slot``) of a stall, () while the job goes on.
    """

    job_id: str
    flow: str = ""
    status: str = "PENDING"
    running: int = 0
    started: float | None = None
    ended: float | None = None
    error: FailureSummary | None = None
    held: JobHeld | None = None
    failures: int = 0
    seq: int = 0
    now: float = 0.0
    routines: dict[str, RoutineCount] = field(default_factory=dict)
    discarded: dict[str, int] = field(default_factory=dict)
    stalled: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the job has a final status."""
        return self.status in _FINAL

    @property
    def seconds(self) -> float:
        """How long the job has run, by the times of its events."""
        if self.started is None:
            return 0.0
        return max(0.0, (self.ended or self.now) - self.started)

    @property
    def consumed(self) -> int:
        """Messages taken in by ended activations, over all slots."""
        return sum(s.consumed for r in self.routines.values() for s in r.slots.values())

    @property
    def posted(self) -> int:
        """Messages that reached a slot, over all slots."""
        return sum(s.posted for r in self.routines.values() for s in r.slots.values())

    def apply(self, event: EngineEvent) -> frozenset[str]:
        """Take one event in; returns the ids of the routines whose picture changed."""
        self.seq = max(self.seq, event.seq)
        self.now = max(self.now, event.time)
        match event:
            case JobStarted():
                return self._start(event)
            case JobEnded():
                return self._end(event)
            case JobHeld():
                return self._hold(event)
            case JobResumed():
                return self._resume(event)
            case JobProgress():
                return self._progress(event)
            case ActivationStarted():
                return self._count(event.routine, running=1)
            case ActivationEnded():
                return self._count(event.routine, running=-1, activations=1)
            case ActivationFailed():
                return self._fail(event)
            case Stalled():
                return self._stall(event)
            case _:
                return frozenset()

    def _start(self, event: JobStarted) -> frozenset[str]:
        self.flow, self.status, self.started = event.flow, "RUNNING", event.time
        for routine in event.routines:
            self.routines.setdefault(routine, _NOTHING)
        return frozenset(event.routines)

    def _end(self, event: JobEnded) -> frozenset[str]:
        self.status, self.ended, self.error = event.status, event.time, event.error
        self.held, self.running, self.stalled = None, 0, ()
        self.discarded = dict(event.discarded)
        return frozenset(self.routines)

    def _hold(self, event: JobHeld) -> frozenset[str]:
        if self.is_over:
            return frozenset()
        before = self.held
        self.held, self.running, self.stalled = event, len(event.running), ()
        self.status = "PAUSING" if event.running else "PAUSED"
        return frozenset({event.place} | ({before.place} if before else set()))

    def _resume(self, event: JobResumed) -> frozenset[str]:
        if self.is_over:
            return frozenset()
        before, self.held, self.status = self.held, None, "RUNNING"
        return frozenset({event.place} | ({before.place} if before else set()))

    def _progress(self, event: JobProgress) -> frozenset[str]:
        if self.is_over and event.status != self.status:
            return frozenset()
        changed = {
            routine
            for routine, count in event.routines.items()
            if self.routines.get(routine) != count
        }
        self.routines.update({routine: event.routines[routine] for routine in changed})
        self.status, self.running = event.status, event.running
        self.stalled = event.stalled if event.status == "RUNNING" else ()
        self.failures = max(self.failures, sum(r.failures for r in self.routines.values()))
        return frozenset(changed)

    def _count(self, routine: str, *, running: int, activations: int = 0) -> frozenset[str]:
        """Count one activation told by itself; `JobProgress` overrides with absolute numbers."""
        was = self.routines.get(routine, _NOTHING)
        now_running = max(0, was.running + running)
        status = "running" if now_running else "idle"
        self.routines[routine] = replace(
            was,
            running=now_running,
            activations=was.activations + activations,
            status=status,
        )
        self.running = max(0, self.running + running)
        if self.status == "PAUSING" and not self.running:
            self.status = "PAUSED"
        elif running > 0:
            self.stalled = ()
            if self.status == "IDLE":
                self.status = "RUNNING"
        return frozenset({routine})

    def _stall(self, event: Stalled) -> frozenset[str]:
        if self.is_over:
            return frozenset()
        self.stalled = event.slots
        return frozenset(event.routines) | {slot.partition(".")[0] for slot in event.slots}

    def _fail(self, event: ActivationFailed) -> frozenset[str]:
        self.failures += 1
        routine = event.failure.routine
        was = self.routines.get(routine, _NOTHING)
        self.routines[routine] = replace(was, failures=was.failures + 1)
        return frozenset({routine})
