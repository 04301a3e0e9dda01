"""One job as a row shows it: pure, computed from the fold of its events."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.observe import FailureSummary, JobView
from penstock_gui.widgets.wording import NONE, clock, duration, one_line, plural

LIVE = frozenset({"PENDING", "RUNNING", "PAUSING", "PAUSED"})
HELD = frozenset({"PAUSING", "PAUSED"})


@dataclass(frozen=True, slots=True)
class JobLine:
    """The texts of one row. ``bar`` is None when no honest share is known."""

    job_id: str
    name: str
    status: str
    state: str
    bar: float | None
    progress: str
    why: str
    started: str
    duration: str
    error: bool

    @property
    def is_live(self) -> bool:
        """Whether the job can still be paused, continued or stopped."""
        return self.status in LIVE

    @property
    def is_held(self) -> bool:
        """Whether the job is, or is about to be, paused."""
        return self.status in HELD


def job_line(view: JobView, now: float) -> JobLine:
    """The row of a job at wall-clock time `now`."""
    bar, progress, why = _progress(view)
    return JobLine(
        job_id=view.job_id,
        name=f"#{view.job_id} {one_line(view.flow, 80)}".rstrip(),
        status=view.status,
        state=_state(view),
        bar=bar,
        progress=progress,
        why=why,
        started=clock(view.started),
        duration=_duration(view, now),
        error=view.status == "FAILED",
    )


def _state(view: JobView) -> str:
    if view.status == "PAUSING":
        return f"pausing · {view.running}"
    return view.status.lower()


def _duration(view: JobView, now: float) -> str:
    if view.started is None:
        return NONE
    return duration(view.seconds if view.is_over else max(view.seconds, now - view.started))


def _progress(view: JobView) -> tuple[float | None, str, str]:
    """Bar, text and tooltip of the progress column."""
    done, known = view.consumed, view.posted
    if view.status == "FAILED" and view.error is not None:
        text = one_line(_error_text(view.error), 200)
        return None, text, one_line(f"{view.error.routine}: {text}")
    counted = f"{plural(done, 'message')} done of {known:,} that reached a slot"
    if view.failures:
        counted += f", {plural(view.failures, 'failure')}"
    if view.is_over:
        return None, plural(done, "msg"), counted + "."
    if known and sources_are_done(view):
        return (
            done / known,
            f"{done / known:.0%}",
            (
                counted + ". The sources have ended, so this is the share of all messages so far; "
                "routines may still add some."
            ),
        )
    return (
        None,
        plural(done, "msg"),
        (counted + ". No percentage: more messages may come in, nobody knows how many."),
    )


def _error_text(error: FailureSummary) -> str:
    return f"{error.type}: {error.text}" if error.text else error.type


def sources_are_done(view: JobView) -> bool:
    """Whether routines without slots have all run, so that nothing new enters the flow."""
    sources = [routine for routine in view.routines.values() if not routine.slots]
    return bool(sources) and all(
        routine.activations and not routine.running and not routine.ready for routine in sources
    )
