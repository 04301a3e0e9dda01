"""Activations per second: chains and fans against the same hops by a bare pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter

from penstock.cli.bench import bare
from penstock.cli.bench.measuring import (
    check_counts,
    check_equal,
    completed,
    interleaved,
    medians,
)
from penstock.cli.bench.rows import Goal, Row, judged
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.bench.workloads import (
    BLOCKS_FOR,
    DEPTH,
    FAN,
    BlockingPass,
    End,
    Pass,
    WideEnd,
    WidePass,
    chain,
    fan,
)
from penstock.flow import Flow
from penstock.run import JobState, Runtime

WORKERS = 4
BLOCKING_WORKERS = 10
CHAIN = Goal(3.0, 10.0, "x")
FAN_IN_TURN = {"pool": Goal(3.0, 6.0, "x"), "thread": Goal(1.5, 3.0, "x")}
FAN_AT_ONCE = Goal(5.0, 20.0, "x")
FAN_BLOCKING = Goal(0.95, 1.0, "x")

Run = Callable[[], float]
PLAIN = "the same, one at a time, slots of 1,000"


def timed(
    flow: Flow,
    check: Callable[[JobState], None],
    placement: Placement,
    workers: int = WORKERS,
    instruments: Iterable[object] = (),
    clock: Callable[[], float] = perf_counter,
) -> float:
    """Seconds of one job, from `exec` to its end; `check` looks at its counts."""
    with Runtime(workers=workers, loop=placement, instruments=instruments) as runtime:
        begun = clock()
        job = completed(runtime.exec(flow), flow.name)
        seconds = clock() - begun
        check(job)
    return seconds


def check_chain(messages: int, job: JobState) -> None:
    """Every routine of the chain took every message."""
    check_counts(job, {f"n{number}.value": messages for number in range(DEPTH)}, "chain")


def run_chain(messages: int, middle: type[Pass], end: type[End], placement: Placement) -> float:
    """Seconds of one chain."""
    return timed(chain(messages, middle, end), partial(check_chain, messages), placement)


def run_fan(
    rounds: int, leaf: type[Pass], at_once: bool, workers: int, placement: Placement
) -> float:
    """Seconds of a fan."""

    def check(job: JobState) -> None:
        expected = {f"leaf{number}.value": rounds for number in range(FAN)}
        check_counts(job, {"begin.value": rounds, "join.value": rounds * FAN, **expected}, "fan")
        if at_once:
            check_equal(job.output_counts["join.again"], rounds - 1, "fan: rounds told by join")

    return timed(fan(rounds, leaf, at_once=at_once), check, placement, workers)


def measure_chain(scale: Scale) -> list[Row]:
    """With room for everything and several at once; and as a user writes it first."""
    messages = scale.chain_messages
    variants = bare.variants(partial(bare.chain, messages))
    for placement in scale.placements:
        variants[f"{placement}_wide"] = partial(run_chain, messages, WidePass, WideEnd, placement)
        variants[f"{placement}_plain"] = partial(run_chain, messages, Pass, End, placement)
    ratios = AgainstBare("chain", interleaved(variants, scale.rounds), messages * DEPTH)
    what = f"chain of {DEPTH} x {messages:,} messages against a bare pool"
    return [
        ratios.row(text, placement, f"{placement}_{kind}", CHAIN)
        for kind, text in (("wide", what), ("plain", PLAIN))
        for placement in scale.placements
    ]


def measure_fan(scale: Scale) -> list[Row]:
    """A round starts when the one before is complete."""
    rounds = scale.fan_rounds
    variants = bare.variants(partial(bare.fan, rounds))
    for placement in scale.placements:
        variants[placement] = partial(run_fan, rounds, WidePass, False, WORKERS, placement)
    ratios = AgainstBare("fan", interleaved(variants, scale.rounds), rounds * FAN * 2)
    what = f"fan 1 -> {FAN} -> join, {rounds} rounds in turn"
    return [
        ratios.row(what, placement, placement, FAN_IN_TURN[placement])
        for placement in scale.placements
    ]


def measure_fan_at_once(scale: Scale) -> list[Row]:
    """All rounds are started at the beginning."""
    rounds = scale.fan_rounds
    variants = bare.variants(partial(bare.fan, rounds, at_once=True))
    for placement in scale.placements:
        for kind, leaf in (("wide", WidePass), ("plain", Pass)):
            name = f"{placement}_{kind}"
            variants[name] = partial(run_fan, rounds, leaf, True, WORKERS, placement)
    ratios = AgainstBare("fan-at-once", interleaved(variants, scale.rounds), rounds * FAN * 2)
    what = f"fan 1 -> {FAN} -> join, {rounds} rounds at once"
    return [
        ratios.row(text, placement, f"{placement}_{kind}", FAN_AT_ONCE)
        for kind, text in (("wide", what), ("plain", PLAIN))
        for placement in scale.placements
    ]


def measure_fan_blocking(scale: Scale) -> list[Row]:
    """Bodies that wait 5 ms, so that the pool's threads and not the interpreter are short."""
    rounds, workers = scale.blocking_rounds, BLOCKING_WORKERS
    bare_name = f"bare_{workers}"
    variants: dict[str, Run] = {bare_name: partial(bare.fan, rounds, workers, blocking=True)}
    for placement in scale.placements:
        variants[placement] = partial(run_fan, rounds, BlockingPass, False, workers, placement)
    found = medians(interleaved(variants, scale.rounds))
    least = rounds * FAN * BLOCKS_FOR / workers
    what = f"fan with {BLOCKS_FOR * 1000:g} ms bodies, {workers} workers"
    rows = []
    for placement in scale.placements:
        note = f"{found[placement]:.3f} s; bare {found[bare_name]:.3f} s; bodies alone {least:.3f}"
        ratio = found[bare_name] / found[placement]
        rows.append(judged("fan-blocking", what, placement, ratio, FAN_BLOCKING, note, **found))
    return rows


class AgainstBare:
    """Ratios of runs of ours to the faster bare pool; `found` is seconds of `hops` hops."""

    def __init__(self, line: str, found: dict[str, list[float]], hops: int) -> None:
        self._line = line
        self._micros = {name: seconds / hops * 1e6 for name, seconds in medians(found).items()}
        fastest = min(min(values) for name, values in found.items() if bare.is_bare(name))
        self._fastest = fastest / hops * 1e6

    def row(self, what: str, placement: str, name: str, goal: Goal) -> Row:
        """One of the runs, as a ratio of medians."""
        micros = self._micros
        note = (
            f"{micros[name]:.2f} us an activation; bare {micros['bare_1']:.1f} us a hop with 1"
            f" worker, {micros['bare_4']:.1f} with 4, {self._fastest:.1f} in the fastest round"
        )
        ratio = bare.faster(micros) / micros[name]
        return judged(self._line, what, placement, ratio, goal, note, **micros)
