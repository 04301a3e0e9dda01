"""What watching costs, and what a feature costs those who don't use it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from time import perf_counter, process_time

from penstock.cli.bench import bare
from penstock.cli.bench.measuring import check_equal, completed, interleaved, medians
from penstock.cli.bench.rows import Goal, Row, judged
from penstock.cli.bench.scale import Placement, Scale
from penstock.cli.bench.throughput import (
    WORKERS,
    AgainstBare,
    check_chain,
    run_chain,
    timed,
)
from penstock.cli.bench.workloads import DEPTH, Pass, WideEnd, WidePass, chain
from penstock.debug import Debugger
from penstock.flow import AnySlot, Flow, Retry, Slot
from penstock.observe import ActivationEnded, Instrument, SliceEnded
from penstock.run import Runtime

PER_SLICE = Goal(0.8, 0.9, "x")
PER_ACTIVATION = Goal(1.5, 3.0, "x")
LONGER = 4
"""How much longer the chain is where differences are small."""
LEAST_NOISE = 1.0
"""Per cent: no two chains are measured closer than that."""
MOST_NOISE = 5.0


class CountSlices(Instrument):
    """Counts activations, told once per slice."""

    def __init__(self) -> None:
        self.count = 0

    def on_slice_ended(self, event: SliceEnded) -> None:
        self.count += event.count


class CountActivations(Instrument):
    """Counts activations, each told."""

    def __init__(self) -> None:
        self.count = 0

    def on_activation_ended(self, _event: ActivationEnded) -> None:
        self.count += 1


def measure_instruments(scale: Scale) -> list[Row]:
    """The chain with one event per slice against none, and with one per activation."""
    return [*_per_slice(scale), *_per_activation(scale)]


def _per_slice(scale: Scale) -> list[Row]:
    messages = LONGER * scale.chain_messages
    variants: dict[str, Callable[[], float]] = {}
    for placement in scale.placements:
        variants[f"{placement}_none"] = partial(run_chain, messages, WidePass, WideEnd, placement)
        variants[f"{placement}_slice"] = partial(_counted, messages, CountSlices, placement)
    found = interleaved(variants, scale.cost_rounds)
    micros = {name: s / (messages * DEPTH) * 1e6 for name, s in medians(found).items()}
    what = "chain with an event per slice, against none"
    rows = []
    for placement in scale.placements:
        none, told = f"{placement}_none", f"{placement}_slice"
        note = f"{micros[told]:.2f} us an activation, {micros[none]:.2f} without"
        ratio = median(a / b for a, b in zip(found[none], found[told], strict=True))
        rows.append(judged("instruments", what, placement, ratio, PER_SLICE, note, **micros))
    return rows


def _per_activation(scale: Scale) -> list[Row]:
    messages = scale.chain_messages
    variants = bare.variants(partial(bare.chain, messages))
    for placement in scale.placements:
        variants[placement] = partial(_counted, messages, CountActivations, placement)
    ratios = AgainstBare("instruments", interleaved(variants, scale.rounds), messages * DEPTH)
    what = "chain with an event per activation, against a bare pool"
    return [ratios.row(what, place, place, PER_ACTIVATION) for place in scale.placements]


def _counted(
    messages: int, kind: type[CountSlices | CountActivations], placement: Placement
) -> float:
    instrument = kind()
    check = partial(check_chain, messages)
    seconds = timed(chain(messages), check, placement, instruments=[instrument])
    check_equal(instrument.count, messages * DEPTH + 1, f"{kind.__name__}: activations told")
    return seconds


# ---- features


class RetryPass(WidePass):
    on_error = Retry()


class RetryEnd(WideEnd):
    on_error = Retry()


class TimedPass(WidePass):
    timeout = 60.0


class TimedEnd(WideEnd):
    timeout = 60.0


class Elsewhere(Pass):
    """Uses whatever there is, and is never sent anything."""

    value = Slot(int, capacity=10, overflow="drop_oldest")
    activation = AnySlot()
    on_error = Retry(times=5, delay=1.0)
    timeout = 60.0


def measure_unused(scale: Scale) -> list[Row]:
    """Features that others use, and those that the chain's routines declare and never need."""
    rows = []
    for placement in scale.placements:
        rows.append(_beside_row(scale, placement))
        rows += _declared_rows(scale, placement)
    return rows


def _beside_row(scale: Scale, placement: Placement) -> Row:
    """By processor time, which other programs disturb less."""
    messages = LONGER * scale.chain_messages
    check = partial(check_chain, messages)
    plain = partial(timed, chain(messages), check, placement, clock=process_time)
    beside = partial(_beside, messages, placement)
    variants: dict[str, Callable[[], float]] = {"plain": plain, "beside": beside, "again": plain}
    found = interleaved(variants, scale.cost_rounds)
    micros = {name: s / (messages * DEPTH) * 1e6 for name, s in medians(found).items()}
    cost, noise = _cost(found, "beside")
    note = f"{micros['beside']:.3f} us of processor time an activation, {micros['plain']:.3f}"
    note += f" without; 0 within the noise of {noise:.1f} %"
    what = "chain with unused features beside it: cost"
    if noise > MOST_NOISE:
        return Row("unused", what, placement, cost, "%", None, f"{note}: too much to tell", micros)
    goal = Goal(noise, noise, "%", most=True)
    return judged("unused", what, placement, cost, goal, note, **micros)


def _declared_rows(scale: Scale, placement: Placement) -> list[Row]:
    messages = scale.chain_messages
    plain = partial(run_chain, messages, WidePass, WideEnd, placement)
    variants: dict[str, Callable[[], float]] = {
        "plain": plain,
        "retry": partial(run_chain, messages, RetryPass, RetryEnd, placement),
        "timeout": partial(_timed_out, messages, placement),
        "checks": partial(_checked, messages, placement),
        "again": plain,
    }
    found = interleaved(variants, scale.few_rounds)
    rows = []
    for name, what in (
        ("retry", "chain with Retry declared, never needed: cost"),
        ("timeout", "chain with time-outs declared, never reached: cost"),
        ("checks", "chain with check_types=True: cost"),
    ):
        micros = median(found[name]) / (messages * DEPTH) * 1e6
        note = f"{micros:.2f} us an activation; for information"
        rows.append(Row("unused", what, placement, _cost(found, name)[0], "%", None, note))
    return rows


def _cost(found: Mapping[str, list[float]], name: str) -> tuple[float, float]:
    """(Median cost of a variant over the plain chain, what it may be by chance), in per cent.

    The plain chain of a round is the mean of its first and its last run.
    """
    plain = [(a + b) / 2 for a, b in zip(found["plain"], found["again"], strict=True)]
    costs = [100 * (run / base - 1) for run, base in zip(found[name], plain, strict=True)]
    middle = median(costs)
    spread = 1.48 * median(abs(cost - middle) for cost in costs)
    return middle, max(LEAST_NOISE, 2 * 1.25 * spread / math.sqrt(len(costs)))


def _beside(messages: int, placement: Placement) -> float:
    """The chain, a routine that uses everything and is never sent anything, and a breakpoint."""
    flow = chain(messages)
    flow.add("elsewhere", Elsewhere())
    with Runtime(workers=WORKERS, loop=placement, check_types=False) as runtime:
        debugger = Debugger(runtime)
        debugger.breakpoints.add("elsewhere")
        return _time(runtime, flow, messages, clock=process_time)


def _checked(messages: int, placement: Placement) -> float:
    with Runtime(workers=WORKERS, loop=placement, check_types=True) as runtime:
        return _time(runtime, chain(messages), messages)


def _timed_out(messages: int, placement: Placement) -> float:
    with Runtime(workers=WORKERS, loop=placement) as runtime:
        return _time(runtime, chain(messages, TimedPass, TimedEnd), messages, timeout=3600.0)


def _time(
    runtime: Runtime,
    flow: Flow,
    messages: int,
    timeout: float | None = None,
    clock: Callable[[], float] = perf_counter,
) -> float:
    begun = clock()
    job = completed(runtime.exec(flow, timeout=timeout), "unused")
    seconds = clock() - begun
    check_chain(messages, job)
    return seconds
