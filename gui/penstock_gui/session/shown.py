"""What a routine's state in a job is called wherever it is shown. Pure."""

from __future__ import annotations

from penstock.observe import JobView, RoutineCount

STALLED = "STALLED"


def shown_job_status(view: JobView) -> str:
    """The job's status, or `STALLED` for one that runs and can't go on."""
    return STALLED if view.stalled else view.status


def shown_status(view: JobView, routine: str, count: RoutineCount) -> str:
    """The told status, or what a stall or the job's end makes of it."""
    if not view.is_over:
        # Its body has begun, and stands waiting for room.
        return "gated" if view.stalled and count.status == "running" else count.status
    if view.error is not None and view.error.routine == routine:
        return "failed"
    if count.status == "failed":
        return "failed"
    if view.status == "CANCELLED":
        return "CANCELLED"
    return "done" if count.activations else "idle"
