"""Posts to full slots, from outside and inside bodies: line 11."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from helpers.bodies import Gate, gated
from helpers.conservation import check_conservation
from helpers.flows import (
    chain,
    flow_of,
    routine,
    sink,
)
from helpers.waiting import DEADLINE, Call, run_another_job
from penstock import (
    Cancelled,
    JobEnded,
    JobState,
    JobStatus,
    Runtime,
    SlotFull,
)
from penstock.run.executor import Loop


def test_11_a_post_to_a_full_slot_raises_when_its_time_is_over(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
        gate.wait_came()
        runtime.post(job.id, "a.value", 1)
        for timeout in (0, 0.05):
            with pytest.raises(SlotFull) as caught:
                runtime.post(job.id, "a.value", 2, timeout=timeout)
            assert (caught.value.job, caught.value.port) == (job.id, "a.value")
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"] == [0, 1]
    assert job.routines["a"].slots["value"].posted == 2


@pytest.mark.parametrize("timeout", [None, DEADLINE])
def test_11_a_post_waits_for_room(loop: Loop, timeout: float | None) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0}, keep_open=True)
        gate.wait_came()
        runtime.post(job.id, "a.value", 1)
        calls = [
            Call(lambda n=n: runtime.post(job.id, "a.value", n, timeout))  # type: ignore[misc]
            for n in (2, 3, 4)
        ]
        run_another_job_elsewhere(loop)
        assert not any(call.is_over for call in calls)
        gate.open()
        for call in calls:
            call.result()
        runtime.jobs.close(job.id)
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["a.out"][:2] == [0, 1]
    assert sorted(job.outputs["a.out"]) == list(range(5))
    assert job.routines["a"].slots["value"].high_water == 1


def run_another_job_elsewhere(loop: Loop) -> None:
    with Runtime(workers=1, loop=loop) as other:
        run_another_job(other)


def test_11_a_waiting_post_is_woken_by_cancel(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
        gate.wait_came()
        runtime.post(job.id, "a.value", 1)
        waiting = Call(lambda: runtime.post(job.id, "a.value", 2))
        runtime.jobs.cancel(job.id)
        assert isinstance(waiting.error(), JobEnded)
        gate.open()


def test_11_a_waiting_post_is_woken_by_shutdown(loop: Loop) -> None:
    gate = Gate()
    runtime = Runtime(workers=1, loop=loop)
    job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0})
    gate.wait_came()
    runtime.post(job.id, "a.value", 1)
    waiting = Call(lambda: runtime.post(job.id, "a.value", 2))
    leaving = Call(lambda: runtime.shutdown(timeout=DEADLINE))
    assert isinstance(waiting.error(), JobEnded)
    gate.open()
    leaving.result()


def test_11_a_post_inside_a_body_waits_like_an_emit_and_the_pool_goes_on(loop: Loop) -> None:
    """With one worker, the full slot can only empty on the worker of the body that waits."""
    seen: list[int] = []
    targets: list[JobState] = []

    def logic(self: Any) -> None:
        for n in range(20):
            runtime.post(targets[0].id, "a.value", n)

    with Runtime(workers=1, loop=loop) as runtime:
        targets.append(runtime.exec(chain(sink(seen, 1)), keep_open=True))
        posting = runtime.exec(chain(routine(logic)))
        assert posting.wait(DEADLINE) is JobStatus.COMPLETED
        runtime.jobs.close(targets[0].id)
        assert targets[0].wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(20))


def test_11_a_post_inside_a_body_to_its_own_job_waits_like_an_emit(loop: Loop) -> None:
    seen: list[int] = []
    known = threading.Event()
    jobs: list[JobState] = []

    def logic(self: Any) -> None:
        assert known.wait(DEADLINE)
        for n in range(20):
            runtime.post(jobs[0].id, "z.value", n)

    with Runtime(workers=1, loop=loop) as runtime:
        jobs.append(runtime.exec(flow_of({"s": routine(logic), "z": sink(seen, 1)})))
        known.set()
        assert jobs[0].wait(DEADLINE) is JobStatus.COMPLETED

    assert seen == list(range(20))
    check_conservation(jobs[0])


def test_11_a_body_that_waits_in_a_post_is_woken_when_its_own_job_is_cancelled(
    loop: Loop,
) -> None:
    gate = Gate()
    raised: list[type[BaseException]] = []
    over = threading.Event()

    def logic(self: Any) -> None:
        try:
            for n in range(9):
                runtime.post(full.id, "a.value", n)
        except BaseException as error:
            raised.append(type(error))
            raise
        finally:
            over.set()

    with Runtime(workers=1, loop=loop) as runtime:
        full = runtime.exec(chain(gated(gate, capacity=1)), keep_open=True)
        posting = runtime.exec(chain(routine(logic)))
        gate.wait_came()
        assert not over.is_set()
        runtime.jobs.cancel(posting.id)
        assert posting.wait(DEADLINE) is JobStatus.CANCELLED
        assert over.wait(DEADLINE)
        assert raised == [Cancelled]
        assert full.status is JobStatus.RUNNING
        gate.open()


def test_11_a_post_that_waits_when_its_job_is_closed_is_delivered_or_raises(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(gated(gate, capacity=1)), {"a.value": 0}, keep_open=True)
        gate.wait_came()
        runtime.post(job.id, "a.value", 1)
        waiting = Call(lambda: runtime.post(job.id, "a.value", 2))
        run_another_job_elsewhere(loop)
        runtime.jobs.close(job.id)
        gate.open()
        error = waiting.error()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert error is None or isinstance(error, JobEnded)
    assert job.outputs["a.out"] == ([0, 1, 2] if error is None else [0, 1])
    check_conservation(job)
