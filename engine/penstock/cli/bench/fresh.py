"""Memory, measured in a process of its own: what this one has freed would hide what is needed.

python -m penstock.cli.bench.fresh idle pool 1000       bytes of one more idle job
python -m penstock.cli.bench.fresh growth pool 2000000  bytes that a long job grows by
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from time import monotonic

from penstock.cli.bench.measuring import (
    WrongResult,
    check_counts,
    check_equal,
    completed,
    resident_bytes,
    until,
)
from penstock.cli.bench.rows import Goal, Row, judged
from penstock.cli.bench.scale import PLACEMENTS, Placement, Scale
from penstock.cli.bench.workloads import Pass, Steady, Telling, chain, three
from penstock.run import JobState, JobStatus, Runtime

WORKERS = 4
WARM_JOBS = 20
IDLE = {"pool": Goal(25, 10, "KB", most=True), "thread": Goal(50, 20, "KB", most=True)}
GROWTH = Goal(5, 1, "MB", most=True)
LOOKS = 100
UNKNOWN = "the system doesn't tell what is resident"

Found = dict[str, float | None]


def measure_idle(scale: Scale) -> list[Row]:
    """One more job that waits for messages, resident and as Python's own allocations."""
    rows = []
    for placement in scale.placements:
        found = _in_fresh_process("idle", placement, scale.idle_jobs)
        resident, traced = found["resident"], found["traced"] or 0.0
        note = f"RSS over {scale.idle_jobs:,} jobs; allocated by Python: {traced / 1000:.1f} KB"
        rows.append(
            judged(
                "memory", "one more idle job of three routines", placement,
                None if resident is None else resident / 1000, IDLE[placement],
                UNKNOWN if resident is None else note, traced_kb=traced / 1000,
            )
        )  # fmt: skip
    return rows


def measure_growth(scale: Scale) -> list[Row]:
    """How far the resident memory gets above what it was after a tenth of the messages."""
    rows = []
    for placement in scale.placements:
        found = _in_fresh_process("growth", placement, scale.growth_messages)
        most, at_end = found["most"], found["at_end"]
        note = UNKNOWN
        if most is not None and at_end is not None:
            note = f"at the end {at_end / 1e6:.2f} MB; {found['seconds'] or 0.0:.1f} s"
        what = f"RSS growth over {scale.growth_messages:,} messages"
        measured = None if most is None else most / 1e6
        rows.append(judged("growth", what, placement, measured, GROWTH, note))
    return rows


def _in_fresh_process(what: str, placement: Placement, count: int) -> Found:
    command = [sys.executable, "-m", __name__, what, placement, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["no message"]
        raise WrongResult(f"{what}, {placement}: {told[-1]}")
    found: Found = json.loads(done.stdout)
    return found


# ---- inside that process


def idle(placement: Placement, count: int) -> Found:
    """Bytes per job: resident, and what Python allocated, in two passes."""
    resident = _per_job(placement, count, resident_bytes)
    tracemalloc.start()
    traced = _per_job(placement, count, lambda: tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return {"resident": resident, "traced": traced}


def _per_job(placement: Placement, count: int, used: Callable[[], int | None]) -> float | None:
    flow = three()
    with Runtime(workers=WORKERS, loop=placement) as runtime:
        jobs = [runtime.exec(flow, keep_open=True) for _ in range(WARM_JOBS)]
        before = _settled(jobs, used)
        jobs += [runtime.exec(flow, keep_open=True) for _ in range(count)]
        after = _settled(jobs, used)
        for job in jobs:
            check_counts(job, {"n0.value": 1, "n1.value": 1}, "idle")
    return None if before is None or after is None else (after - before) / count


def _settled(jobs: list[JobState], used: Callable[[], int | None]) -> int | None:
    until(lambda: all(job.status is JobStatus.IDLE for job in jobs), "idle: all jobs idle")
    gc.collect()
    return used()


class _Scales:
    """Weighs this process at every hundredth of the messages."""

    def __init__(self, messages: int) -> None:
        self._every = max(1, messages // LOOKS)
        self._count = 0
        self.weights: list[int] = []

    def count(self) -> None:
        self._count += 1
        if self._count % self._every == 0 and (weight := resident_bytes()) is not None:
            self.weights.append(weight)


def growth(placement: Placement, messages: int) -> Found:
    """Bytes above the resident memory after the first tenth: at most, and at the end."""
    scales = _Scales(messages)

    class Weighing(Telling):
        def logic(self, value: int) -> None:
            scales.count()
            self.told.emit(value)

    flow = chain(messages, Pass, Weighing, source=Steady, depth=2)
    begun = monotonic()
    with Runtime(workers=WORKERS, loop=placement) as runtime:
        job = completed(runtime.exec(flow), "growth")
        seconds = monotonic() - begun
        check_counts(job, {"n0.value": messages, "n1.value": messages}, "growth")
        check_equal(job.output_counts["n1.told"], messages, "growth: outputs")
    weights = scales.weights[LOOKS // 10 - 1 :]
    if not weights:
        return {"most": None, "at_end": None, "seconds": seconds}
    grown = [weight - weights[0] for weight in weights]
    return {"most": max(grown), "at_end": grown[-1], "seconds": seconds}


def main(arguments: list[str]) -> None:
    """Measure one thing and print it as JSON."""
    what, where, count = arguments
    placement = next(one for one in PLACEMENTS if one == where)
    measure = {"idle": idle, "growth": growth}[what]
    print(json.dumps(measure(placement, int(count))))


if __name__ == "__main__":
    main(sys.argv[1:])
