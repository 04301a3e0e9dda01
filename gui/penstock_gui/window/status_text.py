"""What the status bar and the state chip say of a job; pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from penstock.host import LOST, HostGone, PoolUse
from penstock.observe import JobHeld, JobView
from penstock_gui.session import EngineProcess, shown_job_status
from penstock_gui.theme import state_word
from penstock_gui.widgets import wording

_DOT = " · "
_MAX_REASON = 160
_MAX_NAME = 40
_MOST_NAMED = 4
_MOST_RAN = 8
_MOST_PATHS = 3
_MAX_PATH = 60
SKIPPED_TIP = (
    "News that was never shown: nearly always counters that newer ones had overtaken.\n"
    "No job lost anything by it, and all counts are right. Where failures or printed text come"
    " faster than they can be shown, single ones are left out as well."
)


@dataclass(frozen=True)
class StatusText:
    """The word that comes first, the rest, and the ground: "", "run" or "held"."""

    word: str
    rest: str
    ground: str = ""

    def __str__(self) -> str:
        return self.word + _DOT + self.rest if self.rest else self.word


def status_text(view: JobView | None, starting: str | None, flow: str) -> StatusText:
    """The left part of the status bar for the shown job.

    ``starting`` is the id of a job that has told nothing yet; ``flow`` the flow under edit.
    """
    if view is None:
        if starting is not None:
            return StatusText("Starting", f"job {starting}, {flow}", "run")
        return StatusText("Ready", flow)
    job = f"job {view.job_id}"
    if view.stalled:
        return StatusText("Stalled", f"{job}, {named(view.stalled)}", "run")
    match view.status:
        case "PAUSING":
            return StatusText("Pausing", f"{view.running} still running", "held")
        case "PAUSED":
            return _held_text(view.held)
        case "COMPLETED":
            return StatusText("Completed", f"{job} in {_took(view)}{_failures(view)}")
        case "CANCELLED":
            return StatusText("Cancelled", f"{job} after {_took(view)}{_failures(view)}")
        case "FAILED":
            return StatusText("Failed", f"{job}, {_reason(view)}")
        case _ if view.status == LOST:
            return StatusText("Lost", f"{job} after {_took(view)}: its engine is gone")
        case "IDLE":
            return StatusText("Idle", f"{job}, {view.flow}", "run")
        case _:
            return StatusText("Running", f"{job}, {view.flow}", "run")


def named(full: tuple[str, ...]) -> str:
    """``join.a is full``, ``join.a and join.b are full``, ``a.x, a.y and 3 more are full``."""
    if len(full) == 1:
        return f"{full[0]} is full"
    shown = full if len(full) <= _MOST_NAMED else full[: _MOST_NAMED - 1]
    rest = len(full) - len(shown)
    first, last = (shown, f"{rest} more") if rest else (shown[:-1], shown[-1])
    return f"{', '.join(first)} and {last} are full"


def chip_text(view: JobView | None, starting: str | None) -> tuple[str, str]:
    """Status and words of the state chip in the run bar."""
    if view is None:
        return ("PENDING", f"job {starting} starting") if starting else ("idle", "no job")
    if view.status == "PAUSING":
        return "PAUSING", f"pausing ({view.running} still running)"
    status = shown_job_status(view)
    word = state_word(status)
    if status == "PAUSED" and view.held is not None and view.held.place:
        word = "held"
    return status, f"job {view.job_id} {word}"


def pool_texts(pool: PoolUse, per_second: float, lost: int) -> tuple[str, ...]:
    """The right part: pool, threads, events per second, skipped display events."""
    abandoned = f", {pool.abandoned:,} abandoned" if pool.abandoned else ""
    return (
        f"pool {pool.busy}/{pool.size} busy, {pool.backlog:,} waiting{abandoned}",
        f"threads {pool.threads} (max {pool.threads_high_water})",
        f"{rate(per_second)} ev/s",
        f"display: {lost:,} skipped",
    )


def engine_text(engine: EngineProcess) -> str:
    """Where jobs run: ``engine 4711``, ``in this process``, ``attached to etl (view only)``."""
    if engine.placement == "window":
        return "in this process"
    up = engine.up
    if engine.placement == "own":
        return f"engine {up.pid}" if up is not None else "engine not running"
    if up is None:
        return "not attached"
    only = "" if engine.in_control else " (view only)"
    return f"attached to {wording.one_line(up.name, _MAX_NAME)}{only}"


def engine_tip(engine: EngineProcess) -> str:
    """What more there is to say of where jobs run."""
    up = engine.up
    if engine.placement == "window":
        return "Jobs run in the window's own process"
    if up is None:
        return "Starts with the next job" if engine.placement == "own" else "The program has gone"
    return f"{up.name}, process {up.pid}\nPython {up.python}, {up.executable}"


def gone_text(engine: EngineProcess, gone: HostGone, lost: int) -> str:
    """How an engine ended and what it was doing; ``lost`` is how many jobs went with it."""
    if engine.placement == "attached":
        name = wording.one_line(engine.name, _MAX_NAME) or "The program"
        text = f"{name}{f' (process {gone.pid})' if gone.pid else ''} is out of reach"
    elif not gone.pid:
        return f"The engine isn't there: {wording.one_line(gone.text, _MAX_REASON)}."
    else:
        text = f"The engine's process {gone.pid} has ended"
    text += f": {wording.one_line(gone.text, _MAX_REASON)}."
    if gone.running:
        return f"{text} Running then: {_ran(gone.running)}."
    if lost:
        return f"{text} {'A job' if lost == 1 else f'{lost:,} jobs'} went with it."
    return text


def sources_text(engine: EngineProcess, live: tuple[str, ...], folder: str) -> str:
    """Which version of changed source files runs, "" when nothing runs another one.

    ``live`` are jobs that go on, ``folder`` what paths are shown relative to.
    """
    paths = engine.changed_sources
    if not paths or not (live or engine.placement == "window"):
        return ""
    shown = [wording.one_line(_within(path, folder), _MAX_PATH) for path in paths[:_MOST_PATHS]]
    more = len(paths) - len(shown)
    files = _listed([*shown, f"{more:,} more"] if more else shown)
    text = f"{files} {'has' if len(paths) == 1 else 'have'} changed."
    if engine.placement == "window":
        return (
            f"{text} The engine is a part of this window and keeps what it has imported: start"
            " Penstock again to run the new version, or run without --in-process."
        )
    which = f"Job {live[0]} runs" if len(live) == 1 else f"{len(live):,} jobs run"
    text += f" {which} the version from before"
    if engine.placement == "attached":
        return f"{text}, as does {wording.one_line(engine.name, _MAX_NAME)} to its end."
    until = "that job has" if len(live) == 1 else "those have"
    return f"{text}; once {until} ended, the next run starts the new one in a fresh engine."


def _within(path: str, folder: str) -> str:
    """A path below the folder, else the whole one."""
    start = folder.rstrip(os.sep) + os.sep
    return path.removeprefix(start)


def _ran(running: tuple[tuple[str, str], ...]) -> str:
    """``read and parse of job 1, rank of job 2``."""
    by_job: dict[str, list[str]] = {}
    for job_id, routine in sorted(running)[:_MOST_RAN]:
        by_job.setdefault(job_id, []).append(wording.one_line(routine, _MAX_NAME))
    parts = [f"{_listed(names)} of job {job_id}" for job_id, names in by_job.items()]
    more = len(running) - _MOST_RAN
    return ", ".join(parts) + (f" and {more:,} more" if more > 0 else "")


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def rate(per_second: float) -> str:
    """``0``, ``312``, ``6.1k``, ``1.2M``."""
    if per_second < 999.5:
        return f"{per_second:.0f}"
    if per_second < 999_500:
        return f"{per_second / 1000:.1f}k"
    return f"{per_second / 1_000_000:.1f}M"


def _held_text(held: JobHeld | None) -> StatusText:
    if held is None or not held.place:
        return StatusText("Paused", "nothing is ready to go", "held")
    parts = []
    if held.messages:
        parts.append(f"message {max(one.number for one in held.messages)}")
    parts.append(held.why)
    rest = ", ".join(parts)
    if held.waiting:
        rest += f"{_DOT}{held.waiting:,} more ready"
    return StatusText(f"Held before {held.place}", rest, "held")


def _took(view: JobView) -> str:
    return wording.duration(view.seconds)


def _failures(view: JobView) -> str:
    return f", {wording.plural(view.failures, 'failure')}" if view.failures else ""


def _reason(view: JobView) -> str:
    error = view.error
    if error is None:
        return "no reason was given"
    text = f"{error.routine}: {error.type}: {error.text}" if error.routine else error.text
    return wording.one_line(text, _MAX_REASON)
