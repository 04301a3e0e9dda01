"""The same input gives the same events, in the same order and at the same times."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, source, split
from helpers.recording import RecordingInstrument
from penstock import Batch, Continue, Every, Flow, Latest, Retry, Slot
from penstock.observe import ActivationEnded, EngineEvent, SliceEnded
from penstock.testing import run_flow


def without_measured(event: EngineEvent) -> EngineEvent:
    """Seconds in a body are measured by the real clock, as bodies take real time."""
    if isinstance(event, ActivationEnded | SliceEnded):
        return replace(event, seconds=0.0)
    return event


def told_by(make: Callable[[], Flow], workers: int) -> list[EngineEvent]:
    told = RecordingInstrument()
    run_flow(make(), workers=workers, instruments=[told], timeout=100.0)
    return [without_measured(event) for event in told.events]


def diamond() -> Flow:
    return flow_of(
        {"a": source(range(30)), "b": split(2), "c": split(3), "d": pair(2), "e": pass_on()},
        *("a.out -> b.value", "a.out -> c.value", "b.out -> d.left", "c.out -> d.right"),
        "d.out -> e.value",
    )


def fan() -> Flow:
    many = {f"w{i}": pass_on(capacity=1 + i, max_parallel=None) for i in range(8)}
    return flow_of(
        {"a": burst(range(40)), **many, "z": pass_on(2)},
        *[f"a.out -> {name}.value" for name in many],
        *[f"{name}.out -> z.value" for name in many],
    )


def newest() -> Flow:
    def latest(capacity: int) -> Any:
        slots = {"value": Slot(object, capacity=capacity)}
        return routine(lambda self, value: self.out.emit(value), slots=slots, activation=Latest())

    many = {f"l{i}": latest(1 + i % 3) for i in range(8)}
    return flow_of({"a": burst(range(40)), **many}, *[f"a.out -> {name}.value" for name in many])


def timed() -> Flow:
    def tick(self: Any) -> None:
        self.out.emit(self.state)

    class Dice:
        rolls = 0

    def flaky(self: Any, value: object) -> None:
        self.state.rolls += 1
        if self.state.rolls % 3:
            raise ValueError(self.state.rolls)
        self.out.emit(1)

    policy = Retry(times=4, delay=0.1, backoff=1.7, jitter=0.9)
    return flow_of(
        {
            "tick": routine(tick, activation=Every(0.7, times=12)),
            "flaky": routine(flaky, slots={"value": Slot(object)}, on_error=policy, state=Dice),
            "batch": routine(
                lambda self, value: self.out.emit(len(value)),
                slots={"value": Slot(int)},
                activation=Batch(5, max_wait=1.9),
            ),
        },
        "tick.out -> flaky.value",
        "flaky.out -> batch.value",
    )


def hanging() -> Flow:
    """Coroutines that time out all at once."""

    async def hang(self: Any, value: object) -> None:
        await asyncio.sleep(1e6)

    many = routine(
        hang, slots={"value": Slot(int)}, max_parallel=None, timeout=2.0, on_error=Continue()
    )
    return chain(burst(range(30)), many)


def awaiting() -> Flow:
    async def work(self: Any, value: int) -> None:
        for _ in range(value % 4):
            await asyncio.sleep(value % 3)
        await asyncio.to_thread(self.out.emit, value)

    many = routine(work, slots={"value": Slot(int)}, max_parallel=5)
    return chain(source(range(25)), many, pass_on(2))


def sleeping() -> Flow:
    def work(self: Any, value: int) -> None:
        self.sleep(value % 5)
        self.out.emit(value)

    many = routine(work, slots={"value": Slot(int)}, max_parallel=None)
    return chain(burst(range(12)), many, pass_on(1))


@pytest.fixture
def elsewhere() -> Callable[[], None]:
    """Sees to it that objects come to lie at other addresses than before."""
    kept: list[object] = []
    chance = random.Random(7)

    def move() -> None:
        gc.collect()
        kept.extend([bytearray(chance.randrange(600)) for _ in range(chance.randrange(2000))])
        del kept[:: chance.randrange(2, 5)]

    return move


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "make", [diamond, fan, newest, timed, hanging, awaiting, sleeping], ids=lambda f: f.__name__
)
def test_a_run_is_told_the_same_each_time(
    make: Callable[[], Flow], workers: int, elsewhere: Callable[[], None]
) -> None:
    first = told_by(make, workers)
    assert len(first) > 30

    for _ in range(3):
        elsewhere()
        assert told_by(make, workers) == first


def test_coroutines_that_are_cancelled_at_once_end_in_order(elsewhere: Callable[[], None]) -> None:
    ended: list[int] = []

    async def hang(self: Any, value: int) -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append(value)

    flow = chain(burst(range(30)), routine(hang, slots={"value": Slot(int)}, max_parallel=None))
    for _ in range(3):
        elsewhere()
        ended.clear()
        run_flow(flow, timeout=1.0)
        assert ended == list(range(30))
