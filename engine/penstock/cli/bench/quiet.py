"""Wake-ups of jobs that have nothing to do."""

from __future__ import annotations

from contextlib import ExitStack

from penstock.cli.bench.measuring import check_counts, pause_for, thread_ids, until, wake_ups
from penstock.cli.bench.rows import Goal, Row, judged
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.bench.workloads import three
from penstock.run import JobState, JobStatus, Runtime

WORKERS = 4
GOAL = Goal(0, 0, "", most=True)
SETTLED = 0.3
SETTLE_LOOKS = 10


def measure(scale: Scale) -> list[Row]:
    """Voluntary context switches of all our threads, both placements in the same seconds."""
    threads: dict[Placement, set[int]] = {}
    with ExitStack() as stack:
        for placement in scale.placements:
            before = thread_ids()
            runtime = stack.enter_context(Runtime(workers=WORKERS, loop=placement))
            _start(runtime, scale.quiet_jobs)
            threads[placement] = thread_ids() - before
        found = _count(threads, scale.quiet_seconds)
    count, seconds = scale.quiet_jobs, scale.quiet_seconds
    what = f"wake-ups: {count} idle and {count} held jobs, {seconds:g} s"
    rows = []
    for placement in scale.placements:
        switches = found[placement]
        note = f"voluntary switches of {len(threads[placement])} threads"
        if switches is None:
            note = "the system doesn't tell"
        rows.append(judged("quiet", what, placement, switches, GOAL, note))
    return rows


def _start(runtime: Runtime, count: int) -> None:
    flow = three()
    idle = [runtime.exec(flow, keep_open=True) for _ in range(count)]
    held = [runtime.exec(flow, held=True) for _ in range(count)]
    until(lambda: _all_are(idle, JobStatus.IDLE), "quiet: jobs idle")
    until(lambda: _all_are(held, JobStatus.PAUSED), "quiet: jobs held")
    for job in idle:
        check_counts(job, {"n0.value": 1, "n1.value": 1}, "quiet")


def _all_are(jobs: list[JobState], status: JobStatus) -> bool:
    return all(job.status is status for job in jobs)


def _count(threads: dict[Placement, set[int]], seconds: float) -> dict[Placement, float | None]:
    """Switches over so many seconds, once all have come to rest."""
    _settle(set().union(*threads.values()))
    begun = {placement: wake_ups(ids) for placement, ids in threads.items()}
    known = thread_ids()
    pause_for(seconds)
    late = thread_ids() - known  # a thread started meanwhile is no rest either
    found: dict[Placement, float | None] = {}
    for placement, ids in threads.items():
        ended, before = wake_ups(ids), begun[placement]
        found[placement] = None if ended is None or before is None else ended - before + len(late)
    return found


def _settle(threads: set[int]) -> None:
    """Until nothing has changed for a while; threads that never rest are for the measurement."""
    last = wake_ups(threads)
    for _ in range(SETTLE_LOOKS):
        pause_for(SETTLED)
        now = wake_ups(threads)
        if now == last:
            return
        last = now
