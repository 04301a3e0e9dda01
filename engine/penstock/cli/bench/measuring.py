"""Rounds, medians, what the system tells of this process, and the checks of every result."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from statistics import median
from time import monotonic

from penstock.run import JobState, JobStatus

PATIENCE = 120.0
"""Seconds after which a job that hasn't ended counts as hanging."""

_TASKS = Path("/proc/self/task")
_STATM = Path("/proc/self/statm")


class WrongResult(Exception):
    """A run lost, doubled or invented messages, or never ended. Its figures are worth nothing."""


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each variant measured, one value per round.

    All variants take turns, so that a slow minute of the machine hits them alike; every other
    round goes backwards, so that none always runs after the same one.
    """
    found: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds):
        names = list(variants)
        for name in names if number % 2 == 0 else reversed(names):
            gc.collect()  # each run pays for its own garbage only
            found[name].append(variants[name]())
    return found


def medians(found: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each variant."""
    return {name: median(values) for name, values in found.items()}


def quantile(values: Collection[float], part: float) -> float:
    """The smallest value that at least this part of them doesn't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered)) - 1)]


def until(condition: Callable[[], bool], what: str) -> None:
    """Look now and then until it holds; raises WrongResult when it never does."""
    pause = threading.Event()
    deadline = monotonic() + PATIENCE
    while not condition():
        if monotonic() > deadline:
            raise WrongResult(f"{what}: not within {PATIENCE:g} s")
        pause.wait(0.002)


def pause_for(seconds: float) -> None:
    """Let time go by."""
    threading.Event().wait(seconds)


# ---- results


def completed(job: JobState, what: str) -> JobState:
    """Wait for the job; raises WrongResult unless it completes."""
    status = job.wait(PATIENCE)
    if status is not JobStatus.COMPLETED:
        raise WrongResult(f"{what}: job {job.id} is {status.value} ({job.error})")
    return job


def check_counts(job: JobState, expected: Mapping[str, int], what: str) -> None:
    """Each ``routine.slot`` took exactly that many messages and has consumed them all."""
    routines = job.routines
    for place, count in expected.items():
        routine, _, name = place.partition(".")
        slot = routines[routine].slots[name]
        if not slot.posted == slot.consumed == count:
            raise WrongResult(
                f"{what}: {place} was sent {slot.posted:,} and consumed {slot.consumed:,}"
                f" of {count:,} messages"
            )


def check_equal(found: int, expected: int, what: str) -> None:
    """The number is exact; raises WrongResult."""
    if found != expected:
        raise WrongResult(f"{what}: {found:,} instead of {expected:,}")


# ---- the system


def thread_ids() -> set[int]:
    """The system's ids of all threads of this process, or of Python's where it doesn't tell."""
    if _TASKS.is_dir():
        return {int(name) for name in os.listdir(_TASKS)}
    return {thread.native_id for thread in threading.enumerate() if thread.native_id is not None}


def wake_ups(threads: Collection[int]) -> int | None:
    """How often these threads went to sleep so far, all together; None if the system can't tell."""
    if not _TASKS.is_dir():
        return None
    return sum(_switches(_TASKS / str(thread) / "status") for thread in threads)


def _switches(status: Path) -> int:
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0  # the thread has ended
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM now; None if the system can't tell."""
    if not _STATM.is_file():
        return None
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
