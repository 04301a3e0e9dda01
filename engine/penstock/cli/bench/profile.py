"""Where the time of one activation goes: processor time per part of the engine.

A chain runs with stopwatches around functions of the engine that are called once per slice or
batch and not once per activation, so that watching changes little; what it adds is measured and
taken off. What happens in a slice is too short for that: the body, `emit` and a whole slice are
measured alone, many at a time, on the real records of a job that is held meanwhile.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import Any

from penstock.cli.bench.measuring import completed
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.bench.stopwatch import Hook, Stopwatch, cost_of_a_call
from penstock.cli.bench.throughput import WORKERS, check_chain
from penstock.cli.bench.workloads import DEPTH, chain
from penstock.flow import bind
from penstock.run import Runtime, arriving, granting
from penstock.run.core import JobCore
from penstock.run.emitters import Emitter, local
from penstock.run.executor import JobExecutor
from penstock.run.pool import WorkerPool
from penstock.run.records import RoutineRun
from penstock.run.slices import SLICE, PlainToken

SLICES, NEWS, ROUTE, REPORT, GRANT, DRAIN, POOL = (
    "slices",
    "core: take the news of a routine",
    "core: route to the slots",
    "core: take the reports of slices",
    "core: grant and give tokens",
    "core: its loop",
    "pool: hand over",
)
HOOKS = (
    Hook(SLICES, PlainToken, "run"),
    Hook(NEWS, JobCore, "take_news"),
    Hook(ROUTE, arriving, "route"),
    Hook(REPORT, JobCore, "_reported"),
    Hook(GRANT, granting, "pump"),
    Hook(GRANT, granting, "issue_for_grant"),
    Hook(DRAIN, JobExecutor, "_drain"),
    Hook(POOL, WorkerPool, "submit_many"),
    Hook(POOL, WorkerPool, "submit_drain"),
    Hook(POOL, WorkerPool, "next_work"),
)
BODY, EMIT, CHECKS, TOLD, MORE = (
    "slice: the body",
    "slice: emit",
    "slice: pop, mark, checks, clock",
    "slice: begin and report",
    "slice: more than alone (caches, the interpreter's lock)",
)
REST = "rest: waking and switching threads"
CPU, WALL, UNWATCHED, PER_SLICE = (
    "= processor time",
    "time",
    "time without stopwatches",
    "activations in a slice (a number)",
)
ALONE_TIMES = 200


class _NoEmitter:
    """Takes a value and does nothing, in as little time as can be."""

    __slots__ = ("emit", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.emit: Callable[[Any], object] = bool


class _ByHand:
    """Stands for the worker."""

    name = "by-hand"


def profile(scale: Scale) -> dict[Placement, dict[str, float]]:
    """Microseconds per activation of each part, for each placement; medians of the rounds."""
    alone = _alone()
    cost = cost_of_a_call()
    found = {}
    for placement in scale.placements:
        rounds = [
            _watched(scale.chain_messages, placement, alone, cost) for _ in range(scale.rounds)
        ]
        found[placement] = {
            part: round(median(one[part] for one in rounds), 4) for part in rounds[0]
        }
    return found


def profile_table(found: Mapping[Placement, Mapping[str, float]]) -> str:
    """The parts as text, a column per placement."""
    places = list(found)
    parts = list(found[places[0]])
    width = max(map(len, parts))
    lines = [f"{'microseconds an activation'.ljust(width)}  {_columns(places)}"]
    lines += [
        f"{part.ljust(width)}  {_columns(f'{found[place][part]:.3f}' for place in places)}"
        for part in parts
    ]
    return "\n".join([f"CPython {platform.python_version()}, chain of {DEPTH}", *lines])


def _columns(cells: Iterable[str]) -> str:
    return "  ".join(cell.rjust(8) for cell in cells)


def _watched(
    messages: int, placement: Placement, alone: Mapping[str, float], cost: tuple[float, float]
) -> dict[str, float]:
    watch = Stopwatch()
    unwatched, _ = _run(messages, placement)
    with watch.watching(HOOKS):
        wall, processor = _run(messages, placement)
    activations = messages * DEPTH
    calls = watch.calls()
    watching = (cost[0] + cost[1]) * calls.total()
    parts = {part: s / activations * 1e6 for part, s in watch.seconds(cost).items()}
    cpu = (processor - watching) / activations * 1e6
    told = alone[TOLD] * calls[SLICES] / activations
    in_slices = [alone[BODY], alone[EMIT], alone[CHECKS], told]
    core = {part: parts.get(part, 0.0) for part in (NEWS, ROUTE, REPORT, GRANT, DRAIN, POOL)}
    return {
        **dict(zip((BODY, EMIT, CHECKS, TOLD), in_slices, strict=True)),
        MORE: parts[SLICES] - sum(in_slices),
        **core,
        REST: cpu - sum(parts.values()),
        CPU: cpu,
        WALL: wall / activations * 1e6,
        UNWATCHED: unwatched / activations * 1e6,
        PER_SLICE: activations / calls[SLICES],
    }


def _run(messages: int, placement: Placement) -> tuple[float, float]:
    """(Seconds of a chain, processor time with the end of its threads)."""
    with Runtime(workers=WORKERS, loop=placement) as runtime:
        flow = chain(messages)
        cpu, begun = process_time(), perf_counter()
        job = completed(runtime.exec(flow), "profile")
        seconds = perf_counter() - begun
        check_chain(messages, job)
    return seconds, process_time() - cpu


# ---- a slice alone


def _alone() -> dict[str, float]:
    """Microseconds: body, emit and the rest of a slice per activation, begin and report a slice."""
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(1), held=True)
        executor = runtime.jobs.get(job.id)
        run = executor.core.by_id["n0"]
        run.dirty = True  # so that what happens here is announced to nobody
        run.stop = False
        try:
            empty = median(_slice(run, []) for _ in range(ALONE_TIMES))
            full = median(_slice(run, range(SLICE)) for _ in range(ALONE_TIMES))
            emit = _emits(run)
        finally:
            run.stop = True
            run.dirty = False
        nothing = [_NoEmitter(event.name) for event in run.plan.events]
        body = _calls(bind(run.plan.routine, nothing, executor).logic)
    return {
        BODY: body,
        EMIT: emit,
        CHECKS: (full - empty) / SLICE - body - emit,
        TOLD: empty,
    }


def _slice(run: RoutineRun, values: Sequence[int]) -> float:
    """Microseconds of one slice of that many activations."""
    run.grant.extend(enumerate(values))
    token = PlainToken()
    token.run_ = run
    begun = perf_counter()
    token.run(_ByHand())
    seconds = perf_counter() - begun
    run.grant.clear()
    run.reports.clear()
    _forget(run.emitters)
    return seconds * 1e6


def _emits(run: RoutineRun) -> float:
    local.token = token = PlainToken()
    token.run_ = run
    try:
        return _calls(run.emitters[0].emit, partial(_forget, run.emitters))
    finally:
        local.token = None


def _forget(emitters: Iterable[Emitter]) -> None:
    for emitter in emitters:
        emitter.pending.clear()
        emitter.room = 0


def _calls(function: Callable[[Any], object], after: Callable[[], object] = bool) -> float:
    """Microseconds of one call, measured over as many as a slice has."""
    found = []
    for _ in range(ALONE_TIMES):
        begun = perf_counter()
        for value in range(SLICE):
            function(value)
        middle = perf_counter()
        for _value in range(SLICE):
            pass
        found.append((2 * middle - begun - perf_counter()) / SLICE * 1e6)
        after()
    return median(found)
