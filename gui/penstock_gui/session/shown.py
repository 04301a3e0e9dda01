"""What a routine's state in a job is called wherever it is shown. Pure."""

from __future__ import annotations

from penstock.observe import JobView, RoutineCount


def shown_status(view: JobView, routine: str, count: RoutineCount) -> str:
    """The told status, or what the job's end makes of it."""
    if not view.is_over:
        return count.status
    if view.error is not None and view.error.routine == routine:
        return "failed"
    if count.status == "failed":
        return "failed"
    if view.status == "CANCELLED":
        return "CANCELLED"
    return "done" if count.activations else "idle"
