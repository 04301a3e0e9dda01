"""Holding back at full slots: line 9."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from helpers.bodies import Gate, gated
from helpers.conservation import check_conservation
from helpers.flows import (
    burst,
    chain,
    flow_of,
    pass_on,
    routine,
    sink,
    split,
)
from helpers.full_slots import gated_sink
from helpers.waiting import DEADLINE, Call, run_another_job, until
from penstock import (
    Cancelled,
    JobState,
    JobStatus,
    Retry,
    Routine,
    Runtime,
    Slot,
    SlotFull,
)
from penstock.run.executor import Loop


def reporting(
    values: Iterable[Any], done: list[Any], raised: list[type[BaseException]], over: threading.Event
) -> Routine:
    """Emits the values in one plain body; says how far it came and what it was stopped by."""
    kept = list(values)

    def logic(self: Any) -> None:
        try:
            for value in kept:
                self.out.emit(value)
                done.append(value)
        except BaseException as error:
            raised.append(type(error))
            raise
        finally:
            over.set()

    return routine(logic)


# ---- 9: hold


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("capacity", [1, 2, 8])
def test_9_hold_loses_nothing_and_no_slot_ever_holds_more_than_its_capacity(
    loop: Loop, workers: int, capacity: int
) -> None:
    seen: list[Any] = []
    parts = [
        burst(range(60)),
        pass_on(capacity),
        split(capacity),
        pass_on(capacity, max_parallel=None),
        sink(seen, capacity),
    ]
    with Runtime(workers=workers, loop=loop) as runtime:
        job = runtime.exec(chain(*parts))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert sorted(seen) == [(n, i) for n in range(60) for i in range(2)]
    for count in job.routines.values():
        assert all(1 <= slot.high_water <= capacity for slot in count.slots.values())
    check_conservation(job)


def test_9_a_producer_is_not_activated_again_until_what_it_emitted_fits(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    flow = flow_of({"p": pass_on(), "z": gated_sink(gate, seen, 2)}, "p.out -> z.value")
    with Runtime(workers=3, loop=loop) as runtime:
        job = runtime.exec(flow, {"p.value": 0})
        for n in range(1, 20):
            runtime.post(job.id, "p.value", n)
        gate.wait_came()
        until(lambda: job.routines["p"].status == "gated" and is_waiting(job, "z", 3))
        run_another_job(runtime)

        # One is with the consumer, two are in its slot, one waits at the connection.
        assert job.routines["p"].activations == 4
        assert job.routines["p"].slots["value"].queued == 16
        slot = job.routines["z"].slots["value"]
        assert (slot.depth, slot.queued, slot.in_flight, slot.high_water) == (2, 3, 1, 2)
        check_conservation(job)

        gate.let_go()
        gate.wait_came(2)
        # What waited fits now, and one more may be made meanwhile.
        until(lambda: job.routines["z"].slots["value"].depth == 2)
        assert job.routines["p"].activations in (4, 5)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(20))


def is_waiting(job: JobState, routine_id: str, many: int) -> bool:
    """So many messages wait in or before the routine's slot while one activation runs."""
    count = job.routines[routine_id]
    return count.running == 1 and count.slots["value"].queued == many


def test_9_a_generator_is_not_resumed_until_what_it_emitted_fits(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    progress: list[int] = []

    def logic(self: Any) -> Any:
        for n in range(12):
            self.out.emit(n)
            progress.append(n)
            yield

    with Runtime(workers=3, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic), gated_sink(gate, seen, 2)))
        gate.wait_came()
        until(lambda: job.routines["a"].status == "gated" and is_waiting(job, "b", 3))
        run_another_job(runtime)
        assert progress == [0, 1, 2, 3]

        gate.let_go()
        gate.wait_came(2)
        until(lambda: job.routines["b"].slots["value"].depth == 2)
        run_another_job(runtime)
        assert progress in ([0, 1, 2, 3], [0, 1, 2, 3, 4])
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(12))
    assert job.routines["b"].slots["value"].high_water == 2


@pytest.mark.parametrize("capacity", [1, 3])
def test_9_a_plain_body_waits_in_emit_past_one_more_capacity_and_its_worker_is_replaced(
    loop: Loop, capacity: int
) -> None:
    gate = Gate()
    seen: list[int] = []
    done: list[int] = []
    over = threading.Event()
    flow = chain(reporting(range(30), done, [], over), gated_sink(gate, seen, capacity))
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow)
        gate.wait_came()  # on the only worker, so the emitting body isn't on it
        run_to_quiet(job)
        assert not over.is_set()
        # In the consumer, in its slot, parked; and perhaps the one whose emit waits.
        assert len(done) in (2 * capacity, 2 * capacity + 1)
        slot = job.routines["b"].slots["value"]
        assert slot.high_water == capacity
        assert slot.depth == capacity
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == done == list(range(30))
    assert job.routines["b"].slots["value"].high_water == capacity


def run_to_quiet(job: JobState) -> None:
    """Until the consumer stands at its gate before a full slot and the producer goes no further."""
    slot = job.routines["b"].slots["value"]
    until(lambda: job.routines["b"].slots["value"].depth == slot.capacity)
    previous = -1
    tick = threading.Event()
    for _ in range(200):
        queued = job.routines["b"].slots["value"].queued
        if queued == previous:
            return
        previous = queued
        tick.wait(0.02)
    raise AssertionError("it never came to rest")


def test_9_emitters_that_wait_do_not_use_up_the_pool(loop: Loop) -> None:
    gate = Gate()
    seen: list[Any] = []
    begun = [threading.Event() for _ in range(6)]
    over = [threading.Event() for _ in range(6)]

    def producer(who: int) -> Routine:
        def logic(self: Any) -> None:
            begun[who].set()
            for n in range(20):
                self.out.emit((who, n))
            over[who].set()

        return routine(logic)

    flow = flow_of(
        {f"p{who}": producer(who) for who in range(6)} | {"z": gated_sink(gate, seen, 1)},
        *(f"p{who}.out -> z.value" for who in range(6)),
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow)
        assert all(event.wait(DEADLINE) for event in begun)
        gate.wait_came()
        run_another_job(runtime)
        until(lambda: runtime.statistics().busy == 1)
        assert not any(event.is_set() for event in over)
        statistics = runtime.statistics()
        assert (statistics.workers, statistics.idle) == (2, 1)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert sorted(seen) == [(who, n) for who in range(6) for n in range(20)]
    for who in range(6):
        assert [n for one, n in seen if one == who] == list(range(20)), "order of one producer"
    assert job.routines["z"].slots["value"].high_water == 1


def test_9_a_waiting_emit_is_woken_by_cancel(loop: Loop) -> None:
    gate = Gate()
    raised: list[type[BaseException]] = []
    over = threading.Event()
    flow = chain(reporting(range(30), [], raised, over), gated(gate, capacity=2))
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow)
        gate.wait_came()
        assert not over.is_set()
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        assert over.wait(DEADLINE)
        gate.open()

    assert raised == [Cancelled]
    check_conservation(job)


def test_9_a_waiting_emit_is_woken_by_shutdown(loop: Loop) -> None:
    gate = Gate()
    raised: list[type[BaseException]] = []
    over = threading.Event()
    runtime = Runtime(workers=1, loop=loop)
    job = runtime.exec(chain(reporting(range(30), [], raised, over), gated(gate, capacity=2)))
    gate.wait_came()
    assert not over.is_set()

    leaving = Call(lambda: runtime.shutdown(timeout=DEADLINE))

    assert over.wait(DEADLINE)
    gate.open()
    leaving.result()
    assert raised == [Cancelled]
    assert job.status is JobStatus.CANCELLED


def test_9_a_full_branch_holds_its_producer_back_and_the_other_branch_loses_nothing(
    loop: Loop,
) -> None:
    gate = Gate()
    slow: list[int] = []
    quick: list[int] = []
    flow = flow_of(
        {"s": burst(range(40)), "slow": gated_sink(gate, slow, 1), "quick": sink(quick, 3)},
        "s.out -> slow.value",
        "s.out -> quick.value",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow)
        gate.wait_came()
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert slow == quick == list(range(40))
    assert job.routines["slow"].slots["value"].high_water == 1
    assert job.routines["quick"].slots["value"].high_water <= 3


@pytest.mark.parametrize("workers", [1, 3])
def test_9_what_finish_emits_is_held_back_too(loop: Loop, workers: int) -> None:
    seen: list[int] = []

    def finish(self: Any) -> None:
        for n in range(40):
            self.out.emit(n)

    def logic(self: Any, value: int) -> None:
        pass

    ending = routine(logic, slots={"value": Slot(int)}, finish=finish)
    with Runtime(workers=workers, loop=loop) as runtime:
        job = runtime.exec(chain(burst([1]), ending, sink(seen, 2)))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(40))
    assert job.routines["c"].slots["value"].high_water <= 2


@pytest.mark.parametrize("workers", [1, 3])
def test_9_what_a_retried_body_kept_back_is_held_when_it_moves_on(loop: Loop, workers: int) -> None:
    seen: list[Any] = []

    class State:
        tries = 0

    def logic(self: Any, value: int) -> None:
        self.state.tries += 1
        for n in range(30):
            self.out.emit((value, n))
        if self.state.tries == 1:
            raise ValueError("once more")

    fickle = routine(logic, slots={"value": Slot(int)}, state=State, on_error=Retry(times=2))
    with Runtime(workers=workers, loop=loop) as runtime:
        job = runtime.exec(chain(burst([1, 2]), fickle, sink(seen, 2)))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == [(value, n) for value in (1, 2) for n in range(30)]
    assert job.routines["b"].revoked == 30
    assert job.routines["c"].slots["value"].high_water <= 2
    check_conservation(job)


@pytest.mark.parametrize("workers", [1, 3])
def test_9_a_coroutine_that_emits_more_than_fits_loses_nothing(loop: Loop, workers: int) -> None:
    seen: list[int] = []

    async def logic(self: Any) -> None:
        for n in range(50):
            self.out.emit(n)

    with Runtime(workers=workers, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic), sink(seen, 2)))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(50))
    assert job.routines["b"].slots["value"].high_water <= 2


@pytest.mark.parametrize("workers", [1, 4])
def test_9_many_waiting_emitters_of_many_jobs_all_come_to_their_end(
    loop: Loop, workers: int
) -> None:
    results: list[list[Any]] = [[] for _ in range(20)]
    with Runtime(workers=workers, loop=loop) as runtime:
        jobs = [
            runtime.exec(chain(burst(range(50)), pass_on(1), pass_on(1), sink(seen, 1)))
            for seen in results
        ]
        assert runtime.jobs.wait_all(DEADLINE)
        assert {job.status for job in jobs} == {JobStatus.COMPLETED}

    assert results == [list(range(50))] * 20


# ---- 9: the capacity changes while the job runs


def test_9_more_capacity_lets_what_waits_move_on(loop: Loop) -> None:
    gate = Gate()
    seen: list[int] = []
    over = threading.Event()
    flow = chain(reporting(range(10), [], [], over), gated_sink(gate, seen, 1))
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(flow)
        gate.wait_came()
        assert not over.is_set()
        runtime.jobs.resize(job.id, "b.value", 100)
        assert over.wait(DEADLINE)
        until(lambda: job.routines["b"].slots["value"].depth == 9)
        assert job.routines["b"].slots["value"].capacity == 100
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(10))


def test_9_more_capacity_lets_a_waiting_post_in(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
        gate.wait_came()
        runtime.post(job.id, "a.value", 1)
        with pytest.raises(SlotFull):
            runtime.post(job.id, "a.value", 2, timeout=0)
        waiting = Call(lambda: runtime.post(job.id, "a.value", 2))
        runtime.jobs.resize(job.id, "a.value", 2)
        waiting.result()
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"] == [0, 1, 2]


def test_9_less_capacity_loses_nothing_that_is_in_the_slot(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate, capacity=8)), {"a.value": 0})
        gate.wait_came()
        for n in range(1, 7):
            runtime.post(job.id, "a.value", n)
        runtime.jobs.resize(job.id, "a.value", 2)
        until(lambda: job.routines["a"].slots["value"].capacity == 2)
        with pytest.raises(SlotFull):
            runtime.post(job.id, "a.value", 7, timeout=0)
        check_conservation(job)
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"] == list(range(7))
    check_conservation(job)
