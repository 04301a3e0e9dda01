"""Starting, placing and forgetting jobs, one and many."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from helpers.bodies import Gate, gated_source
from helpers.conservation import check_conservation
from helpers.flows import (
    burst,
    chain,
    failing,
    flow_of,
    pair,
    pass_on,
    routine,
    sink,
    source,
)
from helpers.waiting import DEADLINE, Call, run_another_job, until
from penstock import (
    Continue,
    Instrument,
    InvalidValue,
    JobStatus,
    PenstockError,
    Routine,
    Runtime,
    Slot,
    UnknownPort,
)
from penstock import Event as EventPort
from penstock.observe import JobEnded as JobEndedEvent
from penstock.run.executor import Loop


def test_8_entry_params_put_one_message_in_each_slot_they_name(loop: Loop) -> None:
    flow = flow_of({"x": pass_on(), "y": pass_on(), "p": pair()}, "x.out -> p.left")
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, {"x.value": 1, "p.right": 2, "y.value": 3})
        assert job.wait(DEADLINE) is JobStatus.COMPLETED
        assert job.outputs == {"y.out": [3], "p.out": [(1, 2)]}

        one_entry = chain(pass_on(), pass_on())
        assert runtime.exec(one_entry, {"value": 4}).wait(DEADLINE) is JobStatus.COMPLETED
        before = len(runtime.jobs.list())
        for name in ("value", "nobody.value", "x.nothing", "x.out"):
            with pytest.raises(UnknownPort):
                runtime.exec(flow, {name: 1})
        assert len(runtime.jobs.list()) == before


def test_placement_may_be_chosen_per_job(loop: Loop) -> None:
    other: Loop = "pool" if loop == "thread" else "thread"
    with Runtime(workers=2, loop=loop) as runtime:
        gate = Gate()
        mine = runtime.exec(chain(gated_source(gate), pass_on()))
        odd = runtime.exec(chain(gated_source(gate), pass_on()), loop=other)
        gate.wait_inside(2)
        threads = {
            job.id: runtime.jobs.get(job.id).event_loop_thread is not None for job in (mine, odd)
        }
        assert threads == {mine.id: loop == "thread", odd.id: other == "thread"}
        gate.open()
        for job in (mine, odd):
            assert job.wait(DEADLINE) is JobStatus.COMPLETED
            assert job.outputs == {"b.out": [1]}


def test_an_emit_handed_in_takes_every_connection_of_its_event(loop: Loop) -> None:
    class Typed(Routine):
        value = Slot(int)
        out = EventPort(int)

        def logic(self, value: int) -> None:
            self.out.emit(value)

    one: list[int] = []
    other: list[int] = []
    flow = flow_of(
        {"t": Typed(), "free": pass_on(), "x": sink(one), "y": sink(other)},
        "t.out -> x.value",
        "t.out -> y.value",
    )
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow, keep_open=True)
        for n in range(5):
            runtime.handle_event_emit(job.id, "t.out", n)
        runtime.handle_event_emit(job.id, "free.out", "loose")
        with pytest.raises(InvalidValue):
            runtime.handle_event_emit(job.id, "t.out", "1")
        for place in ("t.nothing", "nobody.out", "t.value", "out", ""):
            with pytest.raises(UnknownPort):
                runtime.handle_event_emit(job.id, place, 1)
        with pytest.raises(PenstockError):
            runtime.handle_event_emit("no such job", "t.out", 1)
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert one == other == list(range(5))
    assert job.outputs == {"free.out": ["loose"]}
    assert job.routines["t"].activations == 0
    check_conservation(job)


def test_reaping_forgets_the_oldest_ended_jobs_and_no_others(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        living = runtime.exec(chain(gated_source(gate)))
        idle = runtime.exec(chain(pass_on()), keep_open=True)
        gate.wait_came()
        ended = [runtime.exec(chain(source([n]))) for n in range(6)]
        for job in ended:
            assert job.wait(DEADLINE) is JobStatus.COMPLETED

        assert runtime.jobs.reap(keep=2) == [job.id for job in ended[:4]]
        left = [executor.state.id for executor in runtime.jobs.list()]
        assert left == [living.id, idle.id, *(job.id for job in ended[4:])]
        with pytest.raises(PenstockError):
            runtime.jobs.get(ended[0].id)
        with pytest.raises(PenstockError):
            runtime.post(ended[0].id, "a.value", 1)
        assert [job.outputs["a.out"] for job in ended] == [[n] for n in range(6)]
        assert ended[0].wait(0) is JobStatus.COMPLETED

        assert runtime.jobs.reap() == [job.id for job in ended[4:]]
        assert runtime.jobs.reap() == []
        assert runtime.jobs.wait_all(0) is False
        gate.open()
        assert living.wait(DEADLINE) is JobStatus.COMPLETED


def test_outputs_keep_the_last_thousand_and_count_all(loop: Loop) -> None:
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(2500)), pass_on(7)))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs == {"b.out": list(range(1500, 2500))}
    assert job.output_counts == {"b.out": 2500}


def test_dead_letters_keep_the_last_thousand_and_count_all(loop: Loop) -> None:
    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(
            chain(burst(range(1200)), failing(lambda: ValueError("x"), on_error=Continue()))
        )
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert [letter.slots["value"] for letter in job.dead_letters] == list(range(200, 1200))
    assert job.routines["b"].slots["value"].dead == 1200
    assert job.routines["b"].failures == 1200
    check_conservation(job)


# ---- many


def test_a_hundred_idle_and_a_hundred_held_jobs(loop: Loop) -> None:
    flow = chain(pass_on(), pass_on())
    with Runtime(workers=2, loop=loop) as runtime:
        idle = [runtime.exec(flow, keep_open=True) for _ in range(100)]
        held = [runtime.exec(flow, {"a.value": -1}, held=True) for _ in range(100)]
        until(lambda: all(job.status is JobStatus.IDLE for job in idle))
        until(lambda: all(job.status is JobStatus.PAUSED for job in held))
        statistics = runtime.statistics()
        assert (statistics.busy, statistics.backlog) == (0, 0)
        assert statistics.loop_threads == (200 if loop == "thread" else 0)
        run_another_job(runtime)
        for n, job in enumerate(idle):
            runtime.post(job.id, "a.value", n)
        for job in held:
            runtime.jobs.resume(job.id)
        for job in idle:
            runtime.jobs.close(job.id)
        assert runtime.jobs.wait_all(DEADLINE)

    assert [job.outputs["b.out"] for job in idle] == [[n] for n in range(100)]
    assert [job.outputs["b.out"] for job in held] == [[-1]] * 100
    assert {job.status for job in [*idle, *held]} == {JobStatus.COMPLETED}


def test_fifty_producer_threads_lose_double_and_reorder_nothing(loop: Loop) -> None:
    producers, each = 50, 200
    seen: list[tuple[int, int]] = []
    begin = threading.Barrier(producers)

    def produce(who: int) -> None:
        begin.wait(DEADLINE)
        for n in range(each):
            runtime.post(job.id, "z.value", (who, n))

    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow_of({"z": sink(seen, 16)}), keep_open=True)
        calls = [Call(lambda who=who: produce(who)) for who in range(producers)]  # type: ignore[misc]
        for call in calls:
            call.result()
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    order: dict[int, list[int]] = {who: [] for who in range(producers)}
    for who, n in seen:
        order[who].append(n)
    assert order == {who: list(range(each)) for who in range(producers)}
    assert job.routines["z"].slots["value"].high_water <= 16
    check_conservation(job)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_never_ends_keeps_no_other_from_its_end(loop: Loop, workers: int) -> None:
    endless = flow_of({"a": pass_on(max_parallel=None)}, "a.out -> a.value")
    with Runtime(workers=workers, loop=loop) as runtime:
        busy = [runtime.exec(endless, {"a.value": 0}) for _ in range(3)]
        for job in busy:
            for n in range(5):
                runtime.post(job.id, "a.value", n)
        for _ in range(5):
            run_another_job(runtime)
        before = [job.routines["a"].activations for job in busy]
        until(
            lambda: all(
                job.routines["a"].activations > n for job, n in zip(busy, before, strict=True)
            )
        )
        for job in busy:
            runtime.jobs.cancel(job.id)
            assert job.wait(DEADLINE) is JobStatus.CANCELLED


def test_a_thousand_jobs_at_once(loop: Loop) -> None:
    """Each body sees its own job as its own, and with the pool no job costs a thread."""
    workers = 4
    most: list[int] = []

    class Counts(Instrument):
        def on_job_ended(self, event: JobEndedEvent) -> None:
            ours = [t for t in threading.enumerate() if t.name.startswith("penstock-")]
            most.append(len(ours))

    class State:
        def __init__(self) -> None:
            self.seen: list[int] = []

    def keep(self: Any, value: int) -> None:
        self.state.seen.append(value)

    def finish(self: Any) -> None:
        self.out.emit(tuple(self.state.seen))

    keeper = routine(keep, slots={"value": Slot(int)}, state=State, finish=finish)
    flow = flow_of(
        {"a": pass_on(), "b": pass_on(), "c": keeper}, "a.out -> b.value", "b.out -> c.value"
    )
    with Runtime(workers=workers, loop=loop, instruments=[Counts()]) as runtime:
        jobs = [runtime.exec(flow, {"a.value": n}) for n in range(1000)]
        assert runtime.jobs.wait_all(60)
        assert runtime.statistics().loop_threads == 0
        after = [t.name for t in threading.enumerate() if t.name.startswith("penstock-job")]
        assert after == []

    assert [job.outputs["c.out"] for job in jobs] == [[(n,)] for n in range(1000)]
    assert len({job.id for job in jobs}) == 1000
    assert len(most) == 1000
    if loop == "pool":
        assert max(most) <= workers + 2
