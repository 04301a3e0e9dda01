"""What comes out of a flow doesn't depend on whether it runs on threads or inline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.flows import burst, chain, failing, flow_of, pair, pass_on, routine, source, split
from penstock import (
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Every,
    Flow,
    JobState,
    Retry,
    Runtime,
    Skip,
    Slot,
)
from penstock.testing import run_flow

DEADLINE = 20.0


def line() -> Flow:
    return chain(source(range(40)), pass_on(), pass_on())


def narrow_line() -> Flow:
    return chain(burst(range(60)), pass_on(1), split(2), pass_on(1))


def fan_out() -> Flow:
    return flow_of(
        {"a": burst(range(20)), "b": pass_on(2), "c": pass_on(3), "d": split()},
        *("a.out -> b.value", "a.out -> c.value", "a.out -> d.value"),
    )


def fan_in() -> Flow:
    return flow_of(
        {"a": source(range(15)), "b": burst(range(100, 115)), "c": pass_on(2)},
        *("a.out -> c.value", "b.out -> c.value"),
    )


def join() -> Flow:
    return flow_of(
        {"a": source(range(20)), "b": burst("abcdefgh"), "c": pair()},
        *("a.out -> c.left", "b.out -> c.right"),
    )


def matched_join() -> Flow:
    join = pair(activation=AllSlots(match=lambda value: value % 7))
    return flow_of(
        {"a": burst(range(7)), "b": burst([13, 9, 7, 8, 12, 10, 11]), "c": join},
        *("a.out -> c.left", "b.out -> c.right"),
    )


def either() -> Flow:
    def logic(self: Any, a: object = None, b: object = None) -> None:
        self.out.emit((a, b))

    slots = {"a": Slot(object, capacity=2), "b": Slot(object, capacity=1)}
    return flow_of(
        {
            "x": source(range(9)),
            "y": burst(range(9)),
            "z": routine(logic, slots=slots, activation=AnySlot()),
        },
        *("x.out -> z.a", "y.out -> z.b"),
    )


def batches() -> Flow:
    batch = routine(
        lambda self, value: self.out.emit(value),
        slots={"value": Slot(int)},
        activation=Batch(4),
    )
    return chain(burst(range(14)), batch)


def cycle() -> Flow:
    def count_down(self: Any, value: int) -> None:
        self.out.emit(value)
        if value:
            self.again.emit(value - 1)

    down = routine(count_down, slots={"value": Slot(int)}, events=("out", "again"))
    return flow_of(
        {"a": burst([5, 3]), "b": down, "c": pass_on()},
        *("a.out -> b.value", "b.again -> b.value", "b.out -> c.value"),
    )


def totals() -> Flow:
    class State:
        def __init__(self) -> None:
            self.total = 0

    def add(self: Any, value: int) -> None:
        self.state.total += value

    def finish(self: Any) -> None:
        self.out.emit(self.state.total)

    def adder() -> Any:
        return routine(add, slots={"value": Slot(int)}, finish=finish, state=State)

    return chain(burst(range(50)), adder(), adder())


def delivered_failures() -> Flow:
    told = routine(
        lambda self, failure: self.out.emit(failure.text), slots={"failure": Slot(object)}
    )
    return flow_of(
        {"a": burst(range(6)), "b": failing(lambda: ValueError("no")), "c": told},
        *("a.out -> b.value", "b.failed -> c.failure"),
    )


def retried() -> Flow:
    class State:
        def __init__(self) -> None:
            self.tries: dict[int, int] = {}

    def flaky(self: Any, value: int) -> None:
        tries = self.state.tries[value] = self.state.tries.get(value, 0) + 1
        self.out.emit((value, tries))
        if tries <= value % 3:
            raise ValueError(value)

    policy = Retry(times=2, delay=0.001)
    return chain(
        burst(range(8)), routine(flaky, slots={"value": Slot(int)}, on_error=policy, state=State)
    )


def dead_and_skipped() -> Flow:
    def odd(self: Any, value: int) -> None:
        if value % 2:
            raise ValueError(value)
        self.out.emit(value)

    def picky(policy: Any) -> Any:
        return routine(odd, slots={"value": Slot(int)}, on_error=policy)

    return flow_of(
        {"a": burst(range(8)), "b": picky(Continue()), "c": picky(Skip())},
        *("a.out -> b.value", "a.out -> c.value"),
    )


def coroutines() -> Flow:
    async def work(self: Any, value: int) -> None:
        await asyncio.sleep(0.0001 * (value % 3))
        self.out.emit(value)

    return chain(source(range(20)), routine(work, slots={"value": Slot(int)}), pass_on(1))


def ticks() -> Flow:
    def tick(self: Any) -> None:
        self.out.emit("tick")

    return chain(routine(tick, activation=Every(0.001, times=5)), pass_on())


def generators_in_generators() -> Flow:
    def numbers(self: Any, value: int) -> Iterator[None]:
        for i in range(value):
            self.out.emit((value, i))
            yield

    return chain(
        source(range(7)), routine(numbers, slots={"value": Slot(int, capacity=1)}), pass_on(1)
    )


# Where producers merge, the order between them is a matter of chance on threads.
MERGING = (fan_in, either, cycle)
FLOWS = (
    *(line, narrow_line, fan_out, join, matched_join, batches, totals, delivered_failures),
    *(retried, dead_and_skipped, coroutines, ticks, generators_in_generators, *MERGING),
)


def outcome(job: JobState, merging: bool) -> dict[str, Any]:
    outputs = {ref: sorted(map(str, o)) if merging else o for ref, o in job.outputs.items()}
    counts = {
        ref: (c.activations, c.failures, c.revoked, {n: s.posted for n, s in c.slots.items()})
        for ref, c in job.routines.items()
    }
    dead = sorted(str(failure) for failure in job.dead_letters)
    return {"status": job.status, "outputs": outputs, "counts": counts, "dead": dead}


@pytest.mark.parametrize("loop", ["thread", "pool"])
@pytest.mark.parametrize("make", FLOWS, ids=lambda f: f.__name__)
def test_the_outcome_is_that_on_threads(make: Callable[[], Flow], loop: Any) -> None:
    merging = make in MERGING
    inline = outcome(run_flow(make()), merging)
    several = outcome(run_flow(make(), workers=4), merging)
    with Runtime(workers=4, loop=loop) as runtime:
        job = runtime.exec(make())
        job.wait(DEADLINE)
        on_threads = outcome(job, merging)

    assert inline == on_threads
    assert several == on_threads
    assert any(inline["outputs"].values())
