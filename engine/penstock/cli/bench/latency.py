"""How long somebody waits for the engine: for the end of a job, and for a pause."""

from __future__ import annotations

import threading
from statistics import median
from time import perf_counter

from penstock.cli.bench.measuring import (
    PATIENCE,
    WrongResult,
    check_equal,
    completed,
    pause_for,
    quantile,
    until,
)
from penstock.cli.bench.rows import Goal, Row, judged
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.bench.workloads import BLOCKS_FOR, BlockingEnd, Source
from penstock.flow import Flow, Routine
from penstock.observe import Instrument, JobHeld
from penstock.run import JobState, JobStatus, Runtime

WAIT_WORKERS = 4
PAUSE_WORKERS = 10
WAIT_P50 = Goal(0.2, 0.05, "ms", most=True)
WAIT_P99 = Goal(2.0, 0.3, "ms", most=True)
PAUSE = Goal(3.0, 0.3, "ms", most=True)


def measure_wait(scale: Scale) -> list[Row]:
    """From the last line of a job's last body to `wait()` having returned."""
    rows = []
    what = "last logic returned until wait() has"
    for placement in scale.placements:
        waits = [1000 * seconds for seconds in _waits(scale.waits, placement)]
        for name, part, goal in (("p50", 0.5, WAIT_P50), ("p99", 0.99, WAIT_P99)):
            rows.append(
                judged(
                    "wait", f"{what}, {name} of {scale.waits:,}", placement,
                    quantile(waits, part), goal, worst=max(waits),
                )
            )  # fmt: skip
    return rows


def measure_pause(scale: Scale) -> list[Row]:
    """From `pause()` to its being told, while the pool has plenty to do."""
    rows = []
    for placement in scale.placements:
        took = [1000 * seconds for seconds in _pauses(scale.ready_bodies, scale.pauses, placement)]
        what = f"pause told, {PAUSE_WORKERS} workers, {scale.ready_bodies:,} bodies ready"
        note = f"median of {len(took)}; the slowest {max(took):.2f} ms"
        rows.append(judged("pause", what, placement, median(took), PAUSE, note, worst=max(took)))
    return rows


def _waits(count: int, placement: Placement) -> list[float]:
    ends: list[float] = []
    flow = Flow("wait")
    flow.add("last", _stamping(ends))
    waits = []
    with Runtime(workers=WAIT_WORKERS, loop=placement) as runtime:
        for number in range(1, count + 1):
            completed(runtime.exec(flow), "wait")
            now = perf_counter()
            check_equal(len(ends), number, "wait: bodies run")
            waits.append(now - ends[-1])
    return waits


def _stamping(ends: list[float]) -> Routine:
    class Last(Routine):
        """Lets its starter get as far as `wait()`, then notes when it returned."""

        def logic(self) -> None:
            threading.Event().wait(0.001)
            ends.append(perf_counter())

    return Last()


class _Told(Instrument):
    """When a hold was told."""

    def __init__(self) -> None:
        self.at = 0.0
        self.held = threading.Event()

    def on_job_held(self, _event: JobHeld) -> None:
        self.at = perf_counter()
        self.held.set()


def _pauses(ready: int, count: int, placement: Placement) -> list[float]:
    told = _Told()
    spare = count * PAUSE_WORKERS * 4
    flow = Flow("pause")
    flow.add("source", Source(messages=ready + spare))
    flow.add("work", BlockingEnd())
    flow.connect("source.out", "work.value")
    took = []
    with Runtime(workers=PAUSE_WORKERS, loop=placement, instruments=[told]) as runtime:
        job = runtime.exec(flow)
        until(lambda: job.routines["work"].slots["value"].posted == ready + spare, "pause: sent")
        for number in range(count):
            until(lambda: runtime.statistics().busy == PAUSE_WORKERS, "pause: all workers busy")
            pause_for(BLOCKS_FOR * number / count)  # at any moment of the bodies
            took.append(_pause(runtime, job, told))
            if _left(job) < ready:
                raise WrongResult(f"pause: only {_left(job):,} bodies were ready")
            runtime.jobs.resume(job.id)
        runtime.jobs.cancel(job.id)
        if job.wait(PATIENCE) is not JobStatus.CANCELLED:
            raise WrongResult(f"pause: cancelled job is {job.status.value}")
        check_equal(_accounted(job), ready + spare, "pause: messages")
    return took


def _pause(runtime: Runtime, job: JobState, told: _Told) -> float:
    told.held.clear()
    begun = perf_counter()
    runtime.jobs.pause(job.id)
    if not told.held.wait(PATIENCE):
        raise WrongResult("pause: never told")
    return told.at - begun


def _left(job: JobState) -> int:
    return job.routines["work"].slots["value"].queued


def _accounted(job: JobState) -> int:
    slot = job.routines["work"].slots["value"]
    kept = slot.consumed + slot.queued + slot.in_flight
    return kept + slot.dropped + slot.superseded + slot.dead + slot.skipped + slot.discarded
