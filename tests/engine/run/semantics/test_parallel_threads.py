"""How many run at once, and in which order: line 5."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.bodies import Gate, gated
from helpers.conservation import finished
from helpers.flows import burst, chain, pass_on, routine, sink
from helpers.kinds import KINDS, AsyncGate, Kind, async_gated, of_kind
from helpers.waiting import run_another_job, until
from penstock import Runtime, Slot
from penstock.run.executor import Loop


def test_5_one_at_a_time_works_in_order_and_alone_on_the_state(runtime: Runtime) -> None:
    class State:
        total = 0
        inside = 0

    def logic(self: Any, value: int) -> None:
        self.state.inside += 1
        assert self.state.inside == 1
        self.state.total += value
        self.out.emit(value)
        self.state.inside -= 1

    def finish(self: Any) -> None:
        self.out.emit(self.state.total)

    made = routine(logic, slots={"value": Slot(int)}, state=State, finish=finish)
    flow = chain(burst(range(1000)), made)

    for job in [runtime.exec(flow) for _ in range(3)]:
        assert finished(job).outputs["b.out"][-3:] == [998, 999, sum(range(1000))]
        assert job.output_counts["b.out"] == 1001


@pytest.mark.parametrize("most", [1, 2, 3])
def test_5_exactly_max_parallel_bodies_at_once(runtime: Runtime, most: int) -> None:
    gate = Gate()
    job = runtime.exec(chain(burst(range(9)), gated(gate, max_parallel=most)))

    gate.wait_inside(most)
    assert job.routines["b"].running == most
    run_another_job(runtime)
    assert gate.came == most
    for _ in range(4):
        came = gate.came
        gate.let_go()
        gate.wait_came(came + 1)
    gate.open()
    finished(job)

    assert gate.most_inside == most
    assert sorted(job.outputs["b.out"]) == list(range(9))


def test_5_none_is_as_many_as_the_pool_has_workers(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=5, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(20)), gated(gate, max_parallel=None)))
        gate.wait_inside(5)
        run = job.routines["b"]
        assert run.running == 5
        gate.open()
        finished(job)

    assert gate.most_inside == 5
    assert sorted(job.outputs["b.out"]) == list(range(20))


def test_5_messages_are_taken_in_order_by_several_at_once(runtime: Runtime) -> None:
    gate = Gate()
    taken: list[int] = []

    def logic(self: Any, value: int) -> None:
        taken.append(value)
        gate.wait_here()

    made = routine(logic, slots={"value": Slot(int)}, max_parallel=3)
    job = runtime.exec(chain(burst(range(10)), made))
    gate.wait_inside(3)
    assert sorted(taken) == [0, 1, 2]
    for n in range(3, 10):
        gate.let_go()
        gate.wait_came(n + 1)
        assert taken[n] == n
    gate.open()
    finished(job)


def test_5_emissions_of_several_at_once_interleave_each_in_its_own_order(runtime: Runtime) -> None:
    gate = Gate()
    seen: list[Any] = []

    def logic(self: Any, value: int) -> None:
        for n in range(50):
            self.out.emit((value, n))
            if n == 10:
                gate.wait_here()

    made = routine(logic, slots={"value": Slot(int)}, max_parallel=4)
    job = runtime.exec(chain(burst(range(8)), made, sink(seen)))
    gate.wait_inside(4)
    gate.open()
    finished(job)

    assert len(seen) == 400
    for value in range(8):
        assert [n for one, n in seen if one == value] == list(range(50))
    beginnings = [value for value, n in seen if n == 0]
    assert seen.index((beginnings[1], 0)) < seen.index((beginnings[0], 49)), "they interleave"


def test_5_none_is_no_limit_for_coroutines_and_they_use_no_worker(loop: Loop) -> None:
    gate = AsyncGate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(300)), async_gated(gate, max_parallel=None)))
        until(lambda: len(gate.came) == 300)
        assert job.routines["b"].running == 300
        run_another_job(runtime)
        until(lambda: runtime.statistics().busy == 0)
        gate.open()
        finished(job)

    assert sorted(job.outputs["b.out"]) == list(range(300))


@pytest.mark.parametrize("most", [1, 3])
def test_5_exactly_max_parallel_coroutines_at_once(runtime: Runtime, most: int) -> None:
    gate = AsyncGate()
    inside: list[int] = []
    high: list[int] = []

    async def logic(self: Any, value: int) -> None:
        inside.append(value)
        high.append(len(inside))
        if value < most:
            await gate.wait_here(value)
        else:
            await asyncio.sleep(0)
        inside.remove(value)
        self.out.emit(value)

    made = routine(logic, slots={"value": Slot(int)}, max_parallel=most)
    job = runtime.exec(chain(burst(range(20)), made))
    until(lambda: len(gate.came) == most)
    run_another_job(runtime)
    assert inside == list(range(most))
    gate.open()
    finished(job)

    assert max(high) == most
    assert sorted(job.outputs["b.out"]) == list(range(20))
    if most == 1:
        assert job.outputs["b.out"] == list(range(20))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, None])
def test_5_state_is_made_once_on_a_worker_before_the_first_activation(
    runtime: Runtime, kind: Kind, most: int | None
) -> None:
    made: list[str] = []
    seen: set[int] = set()

    class State:
        def __init__(self) -> None:
            made.append(threading.current_thread().name)

    def body(self: Any, value: Any) -> Iterator[Any]:
        assert isinstance(self.state, State)
        seen.add(id(self.state))
        yield

    job = runtime.exec(chain(burst(range(20)), of_kind(kind, body, state=State, max_parallel=most)))

    finished(job)
    assert len(made) == 1
    assert made[0].startswith("penstock-worker")
    assert len(seen) == 1


def test_5_a_routine_that_is_never_activated_makes_no_state(runtime: Runtime) -> None:
    made: list[int] = []

    class State:
        def __init__(self) -> None:
            made.append(1)

    finished(runtime.exec(chain(burst([]), pass_on(state=State))))

    assert made == []
