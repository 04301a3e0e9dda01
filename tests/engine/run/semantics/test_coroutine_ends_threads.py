"""Coroutines that are cancelled, and the end of their thread: line 17."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from helpers.conservation import finished
from helpers.flows import burst, chain, flow_of, routine
from helpers.kinds import AsyncGate, async_gated
from helpers.waiting import raised_by, run_another_job, until
from penstock import Cancelled, JobStatus, Runtime, Slot
from penstock.run.executor import Loop


def test_17_cancel_cancels_the_coroutine_and_its_finally_runs(loop: Loop) -> None:
    gate = AsyncGate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(5)), async_gated(gate, max_parallel=None)))
        until(lambda: len(gate.came) == 5)
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        until(lambda: sorted(gate.left) == list(range(5)))
        run_another_job(runtime)

    assert job.outputs == {"b.out": []}


def test_17_a_coroutine_that_will_not_be_cancelled_changes_nothing(loop: Loop) -> None:
    gate = AsyncGate()
    raised: list[Any] = []

    async def logic(self: Any, value: int) -> None:
        try:
            await gate.wait_here()
        except asyncio.CancelledError:
            raised.append(raised_by(lambda: self.out.emit("late")))

    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst([1]), routine(logic, slots={"value": Slot(int)})))
        until(lambda: gate.came)
        runtime.jobs.cancel(job.id)
        finished(job, JobStatus.CANCELLED)
        until(lambda: raised)
        run_another_job(runtime)

    assert raised == [Cancelled]
    assert job.status is JobStatus.CANCELLED
    assert job.outputs == {"b.out": []}
    assert job.routines["b"].refused == 1


def test_17_stop_cancels_coroutines_too(runtime: Runtime) -> None:
    gate = AsyncGate()

    def fails(self: Any, value: int) -> None:
        until(lambda: gate.came)
        raise ValueError("stop")

    flow = flow_of(
        {
            "s": burst([1]),
            "r": async_gated(gate),
            "bad": routine(fails, slots={"value": Slot(int)}),
        },
        "s.out -> r.value",
        "s.out -> bad.value",
    )
    finished(runtime.exec(flow), JobStatus.FAILED)

    until(lambda: gate.left == [1])


def test_17_leaving_the_runtime_cancels_coroutines_and_ends_their_thread(loop: Loop) -> None:
    gate = AsyncGate()
    with Runtime(workers=1, loop=loop) as runtime:
        job = runtime.exec(chain(burst(range(3)), async_gated(gate, max_parallel=None)))
        until(lambda: len(gate.came) == 3)

    assert job.status is JobStatus.CANCELLED
    assert sorted(gate.left) == [0, 1, 2]
    assert not [t for t in threading.enumerate() if t.name.startswith("penstock-async")]


def test_17_leaving_the_runtime_cancels_tasks_that_coroutines_left_behind(loop: Loop) -> None:
    gate = AsyncGate()
    tasks: list[asyncio.Task[None]] = []

    async def logic(self: Any, value: int) -> None:
        tasks.append(asyncio.create_task(gate.wait_here(value)))
        await asyncio.sleep(0)

    with Runtime(workers=1, loop=loop) as runtime:
        slots = {"value": Slot(int)}
        finished(runtime.exec(chain(burst(range(3)), routine(logic, slots=slots))))
        assert gate.came == [0, 1, 2]
        assert gate.left == []

    assert sorted(gate.left) == [0, 1, 2]
    assert all(task.cancelled() for task in tasks)


def test_17_all_coroutines_run_on_one_thread_that_starts_when_it_is_needed(loop: Loop) -> None:
    names: set[str] = set()

    async def logic(self: Any, value: int) -> None:
        await asyncio.sleep(0)
        names.add(threading.current_thread().name)

    with Runtime(workers=2, loop=loop) as runtime:
        run_another_job(runtime)
        assert not [t for t in threading.enumerate() if t.name.startswith("penstock-async")]
        slots = {"value": Slot(int)}
        flow = chain(burst(range(20)), routine(logic, slots=slots, max_parallel=None))
        for job in [runtime.exec(flow) for _ in range(3)]:
            finished(job)

    assert names == {"penstock-async"}


STUCK = """
import asyncio, threading
from penstock import Flow, Routine, Runtime

class Stuck(Routine):
    async def logic(self):
        await asyncio.to_thread(self.stand)

    def stand(self):
        begun.set()
        threading.Event().wait()

begun = threading.Event()
flow = Flow("stuck")
flow.add("stuck", Stuck())
runtime = Runtime(workers=1)
runtime.exec(flow)
begun.wait(10)
runtime.shutdown(timeout=0.2)
print("out")
"""


def test_17_a_thread_that_a_coroutine_waits_for_does_not_keep_the_interpreter_from_its_end() -> (
    None
):
    try:
        done = subprocess.run(
            [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=15, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the interpreter waits for the thread")

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")
