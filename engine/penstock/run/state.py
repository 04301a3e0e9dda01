"""What a job's state is: the statuses, their legal arrows, and the handle everybody reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import PenstockError
from penstock.observe import FINAL_STATUSES, RoutineCount

if TYPE_CHECKING:
    from penstock.flow import Failure


class JobStatus(Enum):
    """Where a job is in its life; `ARROWS` holds the legal moves."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    IDLE = "IDLE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    __hash__ = object.__hash__  # that of `Enum` is slow, and asked for every move

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self in FINAL


FINAL = frozenset(status for status in JobStatus if status.value in FINAL_STATUSES)
ARROWS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.RUNNING, JobStatus.PAUSED}) | FINAL,
    JobStatus.RUNNING: frozenset({JobStatus.PAUSING, JobStatus.PAUSED, JobStatus.IDLE}) | FINAL,
    JobStatus.PAUSING: frozenset({JobStatus.PAUSED, JobStatus.RUNNING}) | FINAL,
    JobStatus.PAUSED: frozenset({JobStatus.RUNNING}) | FINAL,
    JobStatus.IDLE: frozenset({JobStatus.RUNNING, JobStatus.PAUSED}) | FINAL,
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


class IllegalMove(PenstockError):
    """A status change that `ARROWS` doesn't have: a fault of the engine, shown with its story."""


def moved(job: str, now: JobStatus, to: JobStatus) -> JobStatus:
    """`to`, if the arrow from `now` exists; raises IllegalMove otherwise."""
    if to not in ARROWS[now]:
        raise IllegalMove(f"job {job} can't go from {now.value} to {to.value}", job=job)
    return to


@dataclass(frozen=True)
class JobSnapshot:
    """A consistent picture of one job at one moment."""

    id: str
    flow: str
    status: JobStatus
    error: Failure | None
    outputs: dict[str, list[Any]]
    output_counts: dict[str, int]
    dead_letters: tuple[Failure, ...]
    routines: dict[str, RoutineCount]
    running: int
    stalled: tuple[str, ...]
    created_at: float
    started_at: float | None
    finished_at: float | None


class Reads(Protocol):
    """What the handle reads of its job."""

    def snapshot(self) -> JobSnapshot: ...

    def outputs(self) -> dict[str, list[Any]]: ...

    def output_counts(self) -> dict[str, int]: ...

    @property
    def status(self) -> JobStatus: ...

    @property
    def error(self) -> Failure | None: ...

    @property
    def stalled(self) -> tuple[str, ...]: ...


class Job(Protocol):
    """The job behind a handle; any thread."""

    created_at: float

    @property
    def reads(self) -> Reads: ...

    def wait(self, timeout: float | None) -> JobStatus: ...


class JobState:
    """The handle of one job; readable from any thread, each read a consistent picture.

    ``routines[id].slots[name]`` always satisfies ``posted == consumed + queued + in_flight +
    dropped + superseded + dead + skipped + discarded``.
    """

    def __init__(self, job_id: str, flow: str, job: Job) -> None:
        self.id = job_id
        self.flow = flow
        self.created_at = job.created_at
        self._job = job

    @property
    def status(self) -> JobStatus:
        """The status now."""
        return self._job.reads.status

    @property
    def error(self) -> Failure | None:
        """The failure that ended the job, or None."""
        return self._job.reads.error

    @property
    def stalled(self) -> tuple[str, ...]:
        """The full slots (``routine.slot``) that hold everything up; empty unless it is stalled."""
        return self._job.reads.stalled

    @property
    def outputs(self) -> dict[str, list[Any]]:
        """``routine.event`` -> the last 1,000 values of each unconnected event, in order."""
        return self._job.reads.outputs()

    @property
    def output_counts(self) -> dict[str, int]:
        """``routine.event`` -> how many values it has emitted in all."""
        return self._job.reads.output_counts()

    @property
    def dead_letters(self) -> list[Failure]:
        """Failures whose messages nobody took, oldest first; the last 1,000."""
        return list(self._job.reads.snapshot().dead_letters)

    @property
    def routines(self) -> dict[str, RoutineCount]:
        """Counters per routine and slot, taken now."""
        return self._job.reads.snapshot().routines

    @property
    def started_at(self) -> float | None:
        """Wall-clock seconds when the loop took the job up."""
        return self._job.reads.snapshot().started_at

    @property
    def finished_at(self) -> float | None:
        """Wall-clock seconds when the status became final."""
        return self._job.reads.snapshot().finished_at

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until the job has ended or `timeout` seconds are over; returns the status then.

        Never raises. On the job's own loop thread or in one of its bodies it can't wait and
        returns the present status; a body of another job leaves its place to others meanwhile.
        """
        return self._job.wait(timeout)

    def snapshot(self) -> JobSnapshot:
        """Everything about the job in one frozen picture."""
        return self._job.reads.snapshot()

    def __repr__(self) -> str:
        return f"<JobState {self.id} {self.flow!r} {self.status.value}>"
