"""Batches: line 3."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from helpers.conservation import finished
from helpers.flows import burst, chain, routine, sink, source
from helpers.kinds import closed, opened, post, posted
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import Batch, Continue, JobStatus, Runtime, Slot

LONG = 3600.0


def test_3_batch_takes_lists_of_its_size_and_last_what_is_left(runtime: Runtime) -> None:
    seen: list[Any] = []

    job = finished(runtime.exec(chain(burst(range(10)), sink(seen, activation=Batch(3)))))

    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert job.routines["b"].slots["value"].consumed == 10
    assert job.routines["b"].activations == 4


def test_3_a_batch_of_one_is_a_list(runtime: Runtime) -> None:
    seen: list[Any] = []

    finished(runtime.exec(chain(burst(range(3)), sink(seen, activation=Batch(1)))))

    assert seen == [[0], [1], [2]]


@pytest.mark.parametrize("capacity", [1, 2, 3, 5])
def test_3_a_batch_passes_all_on_in_order_through_a_small_slot(
    runtime: Runtime, capacity: int
) -> None:
    size = min(3, capacity)
    seen: list[list[int]] = []

    finished(runtime.exec(chain(source(range(20)), sink(seen, capacity, activation=Batch(size)))))

    assert [value for batch in seen for value in batch] == list(range(20))
    assert [len(batch) for batch in seen[:-1]] == [size] * (len(seen) - 1)


def test_3_a_batch_larger_than_its_slot_is_told_as_a_stall(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    job = runtime.exec(chain(source(range(5)), sink(seen, 2, activation=Batch(3))))

    until(lambda: job.stalled == ("b.value",))
    assert seen == []
    runtime.jobs.unstall(job.id, "grow")

    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert seen == [[0, 1, 2], [3, 4]]
    assert ["b.value" in record.getMessage() for record in caplog.records] == [True]
    caplog.clear()


def test_3_a_batch_waits_until_it_is_full(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(3)))

    post(runtime, job, "value", 0, 1)
    until(lambda: job.routines["r"].slots["value"].posted == 2)
    run_another_job(runtime)

    assert seen == []
    slot = job.routines["r"].slots["value"]
    assert (slot.queued, slot.depth) == (2, 2)
    post(runtime, job, "value", 2)
    until(lambda: seen == [[0, 1, 2]])
    post(runtime, job, "value", 3)
    run_another_job(runtime)
    assert seen == [[0, 1, 2]]
    closed(runtime, job)
    assert seen == [[0, 1, 2], [3]]


def test_3_a_batch_flushes_in_its_turn_right_before_its_finish(runtime: Runtime) -> None:
    log: list[Any] = []

    def passes(self: Any, value: Any) -> None:
        self.out.emit(value)

    def ends(who: str, last: Any = None) -> Callable[[Any], None]:
        def finish(self: Any) -> None:
            log.append((who, "finish"))
            if last is not None:
                self.out.emit(last)

        return finish

    def batches(self: Any, value: list[Any]) -> None:
        log.append(("b", value))
        self.out.emit(len(value))

    def counts(self: Any, value: int) -> None:
        log.append(("c", value))

    slots = {"value": Slot(object)}
    job = runtime.exec(
        chain(
            burst(range(4)),
            routine(passes, slots=slots, finish=ends("a", 9)),
            routine(batches, slots=slots, finish=ends("b", 0), activation=Batch(3)),
            routine(counts, slots=slots, finish=ends("c")),
        )
    )

    finished(job)
    assert log == [
        ("b", [0, 1, 2]),
        ("c", 3),
        ("a", "finish"),
        ("b", [3, 9]),
        ("c", 2),
        ("b", "finish"),
        ("c", 0),
        ("c", "finish"),
    ] or log == [
        ("b", [0, 1, 2]),
        ("c", 3),
        ("a", "finish"),
        ("b", [3, 9]),
        ("b", "finish"),
        ("c", 2),
        ("c", 0),
        ("c", "finish"),
    ]


def test_3_one_batch_after_another_flushes_in_topological_order(runtime: Runtime) -> None:
    seen: list[Any] = []

    def logic(self: Any, value: list[int]) -> None:
        self.out.emit(sum(value))

    slots = {"value": Slot(int)}
    first = routine(logic, slots=slots, activation=Batch(4))
    flow = chain(burst([1] * 10), first, sink(seen, activation=Batch(2)))

    finished(runtime.exec(flow))

    assert seen == [[4, 4], [2]]


def test_3_a_batch_is_flushed_after_max_wait(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(100, max_wait=0.02)))

    for n in range(3):
        post(runtime, job, "value", n)
        until(lambda: len(seen) == n + 1)  # noqa: B023  waited for here
    assert not job.status.is_final
    post(runtime, job, "value", 3, 4, 5)
    until(lambda: sum(map(len, seen)) == 6)
    closed(runtime, job)

    assert seen[:3] == [[0], [1], [2]]
    assert [value for batch in seen for value in batch] == list(range(6))


def test_3_a_full_batch_does_not_wait_and_leaves_no_timer_behind(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(2, max_wait=LONG)))

    for n in range(6):
        post(runtime, job, "value", n)
        posted(job, "r.value", n + 1)
    closed(runtime, job)

    assert seen == [[0, 1], [2, 3], [4, 5]]


def test_3_max_wait_counts_from_the_oldest_that_waits(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(2, max_wait=0.05)))

    begin = monotonic()
    post(runtime, job, "value", 0, 1, 2)
    until(lambda: sum(map(len, seen)) == 3)
    if seen == [[0, 1], [2]]:
        assert monotonic() - begin >= 0.045
    closed(runtime, job)
    assert [value for batch in seen for value in batch] == [0, 1, 2]


def test_3_a_batch_that_fails_is_dead_message_by_message(runtime: Runtime) -> None:
    def logic(self: Any, value: list[int]) -> None:
        if 4 in value:
            raise ValueError(value)

    made = routine(logic, slots={"value": Slot(int)}, activation=Batch(3), on_error=Continue())
    job = finished(runtime.exec(chain(burst(range(7)), made)))

    assert [failure.slots["value"] for failure in job.dead_letters] == [[3, 4, 5]]
    slot = job.routines["b"].slots["value"]
    assert (slot.dead, slot.consumed) == (3, 4)


def test_3_what_a_batch_of_a_cancelled_job_holds_is_not_flushed(runtime: Runtime) -> None:
    seen: list[Any] = []
    job = opened(runtime, sink(seen, activation=Batch(3)))
    post(runtime, job, "value", 0, 1)

    runtime.jobs.cancel(job.id)

    finished(job, JobStatus.CANCELLED)
    assert seen == []
