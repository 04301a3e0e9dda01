"""One job as a row shows it: pure, computed from the fold of its events."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.observe import FailureSummary, JobView
from penstock_gui.session import LOSSES, STALLED, shown_job_status
from penstock_gui.widgets.wording import NONE, clock, duration, one_line, plural

LIVE = frozenset({"PENDING", "RUNNING", "PAUSING", "PAUSED", "IDLE", STALLED})
HELD = frozenset({"PAUSING", "PAUSED"})


@dataclass(frozen=True, slots=True)
class JobLine:
    """The texts of one row. ``bar`` is None when no honest share is known.

    ``status`` is the job's, or `STALLED`; ``losses`` what wasn't consumed and won't be.
    """

    job_id: str
    name: str
    status: str
    state: str
    bar: float | None
    progress: str
    why: str
    losses: str
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

    @property
    def is_stalled(self) -> bool:
        """Whether the job can't go on by itself."""
        return self.status == STALLED


def job_line(view: JobView, now: float) -> JobLine:
    """The row of a job at wall-clock time `now`."""
    bar, progress, why = _progress(view)
    return JobLine(
        job_id=view.job_id,
        name=f"#{view.job_id} {one_line(view.flow, 80)}".rstrip(),
        status=shown_job_status(view),
        state=_state(view),
        bar=bar,
        progress=progress,
        why=why,
        losses=" · ".join(_losses(view)),
        started=clock(view.started),
        duration=_duration(view, now),
        error=view.status == "FAILED",
    )


def _state(view: JobView) -> str:
    if view.status == "PAUSING":
        return f"pausing · {view.running}"
    return shown_job_status(view).lower()


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
    counted = ", ".join([counted, *_losses(view)])
    if view.stalled:
        full = f"{', '.join(view.stalled)} {'is' if len(view.stalled) == 1 else 'are'} full"
        return None, one_line(full, 200), f"{counted}. {full}: nothing can go on."
    if view.is_over:
        return None, plural(done, "msg"), counted + "."
    if known and sources_are_done(view):
        gone = done + sum(_lost(view, kind) for kind in LOSSES)
        return (
            gone / known,
            f"{gone / known:.0%}",
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


def _losses(view: JobView) -> list[str]:
    """What wasn't consumed and won't be, by kind, and emissions taken back: ``3 dropped``."""
    found = [(_lost(view, kind), kind) for kind in LOSSES]
    found.append((sum(routine.revoked for routine in view.routines.values()), "revoked"))
    return [f"{number:,} {kind}" for number, kind in found if number]


def _lost(view: JobView, kind: str) -> int:
    slots = (slot for routine in view.routines.values() for slot in routine.slots.values())
    return sum(getattr(slot, kind) for slot in slots)


def _error_text(error: FailureSummary) -> str:
    return f"{error.type}: {error.text}" if error.text else error.type


def sources_are_done(view: JobView) -> bool:
    """Whether routines without slots have all run, so that nothing new enters the flow."""
    sources = [routine for routine in view.routines.values() if not routine.slots]
    return bool(sources) and all(
        routine.activations and not routine.running and not routine.ready for routine in sources
    )
