"""A runtime over somebody else's executor; line 13, and the same results as with our own pool."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
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
    split,
)
from helpers.recording import RecordingInstrument
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import (
    AllSlots,
    Batch,
    Continue,
    Flow,
    JobState,
    JobStatus,
    Retry,
    Runtime,
    Slot,
)
from penstock.observe import MessageQueued
from penstock.run.executor import Loop


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="theirs") as made:
        yield made


class OneThreadEach(Executor):
    """The least an executor can be: a thread per call, and nothing else to look at."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  the future carries it
                future.set_exception(error)
            finally:
                with self._lock:
                    self._now -= 1

        threading.Thread(target=run).start()
        return future


def fickle_flow() -> Flow:
    class State:
        def __init__(self) -> None:
            self.failed: set[int] = set()

    def logic(self: Any, value: int) -> None:
        self.out.emit(value)
        if value % 7 == 0 and value not in self.state.failed:
            self.state.failed.add(value)
            raise ValueError("once more")

    again = Retry(times=1)
    fickle = routine(logic, slots={"value": Slot(int)}, state=State, on_error=again)
    return chain(burst(range(40)), fickle, pass_on(2))


def totals_flow() -> Flow:
    class State:
        total = 0

    def logic(self: Any, value: list[int]) -> None:
        self.state.total += sum(value)

    def finish(self: Any) -> None:
        self.out.emit(self.state.total)

    totals = routine(
        logic,
        slots={"value": Slot(int)},
        state=State,
        finish=finish,
        activation=Batch(7),
    )
    return chain(source(range(100)), totals)


FLOWS: dict[str, Callable[[], Flow]] = {
    "chain": lambda: chain(source(range(200)), pass_on(3), split(2), pass_on(1)),
    "diamond": lambda: flow_of(
        {"s": burst(range(60)), "x": pass_on(5), "y": pass_on(2), "p": pair(3)},
        "s.out -> x.value",
        "s.out -> y.value",
        "x.out -> p.left",
        "y.out -> p.right",
    ),
    "match": lambda: flow_of(
        {
            "s": burst(range(60)),
            "x": pass_on(5, max_parallel=None),
            "y": pass_on(60),
            "p": pair(60, activation=AllSlots(match=lambda value: value)),
        },
        "s.out -> x.value",
        "s.out -> y.value",
        "x.out -> p.left",
        "y.out -> p.right",
    ),
    "failing": lambda: chain(
        burst(range(40)), failing(lambda: ValueError("x"), 8, on_error=Continue())
    ),
    "fickle": fickle_flow,
    "totals": totals_flow,
}


def results(job: JobState) -> Any:
    """What must not depend on the pool: results, dead letters and counts."""
    assert job.wait(DEADLINE).is_final
    check_conservation(job)
    snapshot = job.snapshot()
    return (
        snapshot.status,
        {name: sorted(values, key=repr) for name, values in snapshot.outputs.items()},
        snapshot.output_counts,
        [(str(failure), dict(failure.slots)) for failure in snapshot.dead_letters],
        {
            f"{routine_id}.{name}": (slot.posted, slot.consumed, slot.dead, slot.discarded)
            for routine_id, count in snapshot.routines.items()
            for name, slot in count.slots.items()
        },
    )


@pytest.mark.parametrize("shape", FLOWS)
@pytest.mark.parametrize("threads", [1, 3])
def test_13_the_results_are_those_of_our_own_pool(loop: Loop, shape: str, threads: int) -> None:
    with Runtime(workers=threads, loop=loop) as runtime:
        ours = results(runtime.exec(FLOWS[shape]()))
    with (
        ThreadPoolExecutor(threads) as pool,
        Runtime(thread_pool=pool, loop=loop) as runtime,
    ):
        theirs = results(runtime.exec(FLOWS[shape]()))

    assert theirs == ours


def test_13_an_emit_never_waits_and_what_overruns_parks_without_limit(
    loop: Loop, pool: ThreadPoolExecutor
) -> None:
    gate = Gate()
    over = threading.Event()
    recording = RecordingInstrument()

    def logic(self: Any) -> None:
        for n in range(1000):
            self.out.emit(n)
        over.set()

    with Runtime(thread_pool=pool, loop=loop, instruments=[recording]) as runtime:
        job = runtime.exec(chain(routine(logic), gated(gate, capacity=2)))
        assert over.wait(DEADLINE)
        gate.wait_came()
        until(lambda: job.routines["b"].slots["value"].queued == 999)
        until(lambda: job.routines["b"].slots["value"].depth == 2)  # what was taken left room
        slot = job.routines["b"].slots["value"]
        assert (slot.depth, slot.high_water) == (2, 2)
        check_conservation(job)
        assert runtime.statistics().spare_threads == 0
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["b.out"] == list(range(1000))
    assert job.routines["b"].slots["value"].high_water == 2
    assert sum(event.parked for event in recording.of(MessageQueued)) >= 990


@pytest.mark.parametrize("capacity", [1, 3])
def test_13_a_pool_of_one_thread_is_enough(loop: Loop, capacity: int) -> None:
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool, Runtime(thread_pool=pool, loop=loop) as runtime:
        job = runtime.exec(
            chain(burst(range(200)), pass_on(capacity), pass_on(capacity), sink(seen, capacity))
        )
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(200))
    assert all(
        slot.high_water <= capacity for c in job.routines.values() for slot in c.slots.values()
    )


def test_13_a_generator_is_held_back_by_a_full_slot(loop: Loop, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    progress: list[int] = []

    def logic(self: Any) -> Iterator[None]:
        for n in range(10):
            self.out.emit(n)
            progress.append(n)
            yield

    with Runtime(thread_pool=pool, loop=loop) as runtime:
        job = runtime.exec(chain(routine(logic), gated(gate, capacity=2)))
        gate.wait_came()
        until(lambda: job.routines["a"].status == "gated")
        until(lambda: job.routines["b"].slots["value"].queued == 3)
        run_another_job(runtime)
        assert progress == [0, 1, 2, 3]
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED


def test_13_a_post_inside_a_body_never_stops_the_pool(loop: Loop) -> None:
    seen: list[int] = []
    known = threading.Event()
    jobs: list[JobState] = []

    def logic(self: Any) -> None:
        assert known.wait(DEADLINE)
        for n in range(20):
            runtime.post(jobs[0].id, "z.value", n)

    with ThreadPoolExecutor(1) as pool, Runtime(thread_pool=pool, loop=loop) as runtime:
        jobs.append(runtime.exec(flow_of({"s": routine(logic), "z": sink(seen, 1)})))
        known.set()
        assert jobs[0].wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(20))
    assert jobs[0].routines["z"].slots["value"].high_water == 1


def test_13_bodies_run_on_the_threads_of_that_pool_only(
    loop: Loop, pool: ThreadPoolExecutor
) -> None:
    names: set[str] = set()

    def logic(self: Any, value: int) -> None:
        names.add(threading.current_thread().name)
        assert not [t for t in threading.enumerate() if t.name.startswith("penstock-worker")]

    def finish(self: Any) -> None:
        names.add(threading.current_thread().name)

    body = routine(logic, slots={"value": Slot(int)}, finish=finish)
    with Runtime(thread_pool=pool, loop=loop) as runtime:
        job = runtime.exec(chain(source(range(50)), body))
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert names
    assert all(name.startswith("theirs") for name in names), names


def test_13_workers_are_as_many_as_that_pool_has(loop: Loop, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    with Runtime(thread_pool=pool, loop=loop) as runtime:
        assert runtime.statistics().workers == 2
        job = runtime.exec(chain(burst(range(6)), gated(gate, max_parallel=None)))
        gate.wait_inside(2)
        assert runtime.statistics().busy == 2
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert gate.most_inside == 2


def test_13_no_more_are_in_flight_than_workers_says(loop: Loop) -> None:
    gate = Gate()
    with ThreadPoolExecutor(8) as pool, Runtime(3, pool, loop=loop) as runtime:
        assert runtime.statistics().workers == 3
        job = runtime.exec(chain(burst(range(12)), gated(gate, max_parallel=None)))
        gate.wait_inside(3)
        run = job.routines["b"]
        assert run.running == 3
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert gate.most_inside == 3
    assert sorted(job.outputs["b.out"]) == list(range(12))


def test_13_any_executor_of_this_process_will_do(loop: Loop) -> None:
    theirs = OneThreadEach()
    with Runtime(workers=3, thread_pool=theirs, loop=loop) as runtime:
        jobs = [
            runtime.exec(chain(burst(range(30)), pass_on(2, max_parallel=None), split(3)))
            for _ in range(5)
        ]
        assert runtime.jobs.wait_all(DEADLINE)

    for job in jobs:
        assert job.status is JobStatus.COMPLETED
        assert sorted(job.outputs["c.out"]) == [(n, i) for n in range(30) for i in range(2)]
    assert theirs.most >= 1


def test_13_the_pool_is_still_its_owner_s_afterwards(loop: Loop, pool: ThreadPoolExecutor) -> None:
    with Runtime(thread_pool=pool, loop=loop) as runtime:
        run_another_job(runtime)

    assert pool.submit(lambda: 5).result(DEADLINE) == 5
    with Runtime(thread_pool=pool, loop=loop) as runtime:
        run_another_job(runtime)


def test_13_two_runtimes_share_one_pool(loop: Loop, pool: ThreadPoolExecutor) -> None:
    with (
        Runtime(thread_pool=pool, loop=loop) as one,
        Runtime(thread_pool=pool, loop=loop) as other,
    ):
        jobs = [
            runtime.exec(chain(burst(range(50)), pass_on(2), pass_on(2)))
            for runtime in (one, other, one, other)
        ]
        assert one.jobs.wait_all(DEADLINE)
        assert other.jobs.wait_all(DEADLINE)

    assert [job.outputs["c.out"] for job in jobs] == [list(range(50))] * 4


def test_13_a_pool_that_takes_nothing_more_fails_the_job_instead_of_hanging(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    runtime = Runtime(thread_pool=pool, loop=loop)
    job = runtime.exec(chain(source([1])))
    assert job.wait(DEADLINE) is JobStatus.FAILED
    assert job.error is not None
    runtime.shutdown(timeout=DEADLINE)
    caplog.clear()


def test_13_a_stuck_body_is_reported_and_not_replaced(loop: Loop) -> None:
    gate = Gate()
    with (
        ThreadPoolExecutor(2) as pool,
        Runtime(thread_pool=pool, loop=loop) as runtime,
    ):
        job = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        until(lambda: runtime.statistics().abandoned_threads == 1)
        assert runtime.statistics().spare_threads == 0
        run_another_job(runtime)  # on the thread that is left
        gate.open()
        until(lambda: runtime.statistics().abandoned_threads == 0)
        run_another_job(runtime)

    assert job.outputs == {"a.out": []}
    assert job.routines["a"].refused == 1


def test_13_shutdown_returns_in_time_over_a_stuck_body(loop: Loop) -> None:
    gate = Gate()
    with ThreadPoolExecutor(1) as pool:
        runtime = Runtime(thread_pool=pool, loop=loop)
        job = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        runtime.shutdown(timeout=0.2)
        assert gate.inside == 1
        assert job.status is JobStatus.CANCELLED
        gate.open()


def test_13_a_held_job_resumes_on_that_pool(loop: Loop, pool: ThreadPoolExecutor) -> None:
    with Runtime(thread_pool=pool, loop=loop) as runtime:
        job = runtime.exec(chain(source(range(20)), pass_on(2)), held=True)
        until(lambda: job.status is JobStatus.PAUSED)
        runtime.jobs.resume(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["b.out"] == list(range(20))
