"""Many small jobs: how long they take together, and how many threads that needs."""

from __future__ import annotations

import threading
from functools import partial
from time import perf_counter

from penstock.cli.bench import bare
from penstock.cli.bench.measuring import (
    PATIENCE,
    check_counts,
    completed,
    interleaved,
    medians,
    pause_for,
    thread_ids,
    until,
)
from penstock.cli.bench.rows import Goal, Row, judged
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.bench.workloads import Pass, three
from penstock.run import JobState, Runtime

WORKERS = 4
TIME = {
    "pool": Goal(2.0, 1.0, "x", most=True),
    "thread": Goal(8.0, 5.0, "x", most=True),
}
POOL_THREADS = Goal(2, 1, "", most=True)
NONE_LEFT = Goal(0, 0, "", most=True)
GONE_WITHIN = 0.5
GONE_LOOKS = 50


def measure_time(scale: Scale) -> list[Row]:
    """All jobs at once, against a bare pool doing the same bodies.

    Beside jobs with a thread each stands what it takes to start so many threads and nothing else.
    """
    count = scale.jobs
    variants = bare.variants(partial(bare.jobs, count))
    for placement in scale.placements:
        variants[placement] = partial(_run, count, placement)
    if "thread" in scale.placements:
        variants["starts"] = partial(_start_threads, count)
    found = medians(interleaved(variants, scale.rounds))
    what = f"{count:,} jobs of three routines: time of a bare pool"
    rows = []
    for placement in scale.placements:
        ratio = found[placement] / bare.faster(found)
        note = f"{found[placement]:.3f} s; bare {found['bare_1']:.3f} s with 1 worker,"
        note += f" {found['bare_4']:.3f} with 4"
        if placement == "thread":
            note += f"; {count:,} threads alone {found['starts']:.3f}"
        rows.append(judged("jobs", what, placement, ratio, TIME[placement], note, **found))
    return rows


def measure_threads(scale: Scale) -> list[Row]:
    """Threads above the workers while all jobs live, kept from ending, and after they ended."""
    rows = []
    for placement in scale.placements:
        during, after = _threads(scale.jobs, placement)
        if placement == "pool":
            note = f"{during} while all live, {after} after"
            above = max(during, after)
            what = f"the same: threads above the {WORKERS} workers"
            rows.append(judged("threads", what, placement, above, POOL_THREADS, note))
        else:
            live = Goal(scale.jobs, scale.jobs, "", most=True)
            what = "the same: threads above the workers"
            rows.append(judged("threads", f"{what}, all live", placement, during, live))
            rows.append(judged("threads", f"{what}, after", placement, after, NONE_LEFT))
    return rows


def _start_threads(count: int) -> float:
    """Seconds to start so many threads that end at once, and to wait for them."""
    threads = [threading.Thread(target=bool, daemon=True) for _ in range(count)]
    begun = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return perf_counter() - begun


def _run(count: int, placement: Placement) -> float:
    flow = three()
    with Runtime(workers=WORKERS, loop=placement) as runtime:
        begun = perf_counter()
        jobs = [runtime.exec(flow) for _ in range(count)]
        for job in jobs:
            completed(job, "jobs")
        seconds = perf_counter() - begun
        _check(jobs)
    return seconds


def _check(jobs: list[JobState]) -> None:
    for job in jobs:
        check_counts(job, {"n0.value": 1, "n1.value": 1}, f"job {job.id}")


def _threads(count: int, placement: Placement) -> tuple[int, int]:
    """(While all jobs live, after all have ended): threads above the workers."""
    gate = threading.Event()
    flow = three()
    flow.remove("n0")
    flow.add("n0", _gated(gate))
    flow.connect("source.out", "n0.value")
    flow.connect("n0.out", "n1.value")
    before = thread_ids()
    with Runtime(workers=WORKERS, loop=placement) as runtime:
        try:
            jobs = [runtime.exec(flow) for _ in range(count)]
            until(lambda: runtime.statistics().busy == WORKERS, "threads: all workers busy")
            during = len(thread_ids() - before) - WORKERS
        finally:
            gate.set()
        for job in jobs:
            completed(job, "threads")
        after = _left(before)
        _check(jobs)
    return during, after


def _left(before: set[int]) -> int:
    """Threads above the workers; one that was joined is given a moment to be gone."""
    above = 0
    for _ in range(GONE_LOOKS):
        above = len(thread_ids() - before) - WORKERS
        if above <= 0:
            break
        pause_for(GONE_WITHIN / GONE_LOOKS)
    return max(0, above)


def _gated(gate: threading.Event) -> Pass:
    class Gated(Pass):
        """Ends when the gate is opened."""

        def logic(self, value: int) -> None:
            gate.wait(PATIENCE)
            self.out.emit(value + 1)

    return Gated()
