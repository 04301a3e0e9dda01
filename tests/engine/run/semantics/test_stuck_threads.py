"""Routines that never come back, of every kind: neither the others, shutdown nor exit wait."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from helpers.bodies import Gate, gated, gated_source
from helpers.flows import burst, chain, flow_of, routine, source
from helpers.stuck import (
    BUSY,
    KINDS,
    ON_A_WORKER,
    Trap,
    all_gone,
    by_busy_loop,
    many_at_once,
    uses_the_full_pool,
)
from helpers.waiting import DEADLINE, run_another_job, until
from penstock import Cancelled, JobState, JobStatus, Runtime
from penstock.run.executor import Loop
from penstock.run.pool import WorkerPool


@pytest.mark.parametrize("kind", KINDS)
def test_20_a_stuck_routine_is_cancelled_at_once_and_the_next_job_gets_the_full_pool(
    loop: Loop, kind: str, tmp_path: Path
) -> None:
    trap = Trap(tmp_path)
    before = set(threading.enumerate())
    try:
        with Runtime(workers=2, loop=loop) as runtime:
            job = runtime.exec(KINDS[kind](trap))
            assert trap.caught.wait(DEADLINE)
            runtime.jobs.cancel(job.id)
            assert job.wait(DEADLINE) is JobStatus.CANCELLED
            assert job.error is None
            uses_the_full_pool(runtime, 2)
            abandoned = 1 if kind in ON_A_WORKER else 0
            if abandoned:
                until(lambda: runtime.statistics().abandoned_threads == 1)
            statistics = runtime.statistics()
            assert (statistics.workers, statistics.backlog) == (2, 0)
            trap.spring()
            until(lambda: runtime.statistics().abandoned_threads == 0)
            uses_the_full_pool(runtime, 2)
    finally:
        trap.spring()
    all_gone(before)
    assert job.status is JobStatus.CANCELLED


def test_20_every_kind_at_once_and_the_next_job_gets_the_full_pool(
    loop: Loop, tmp_path: Path
) -> None:
    traps = {name: Trap(tmp_path) for name in KINDS if name not in BUSY}
    before = set(threading.enumerate())
    jobs: list[JobState] = []
    try:
        with Runtime(workers=3, loop=loop) as runtime:
            for name, trap in traps.items():
                jobs.append(runtime.exec(KINDS[name](trap)))
                assert trap.caught.wait(DEADLINE), name
                runtime.jobs.cancel(jobs[-1].id)
                assert jobs[-1].wait(DEADLINE) is JobStatus.CANCELLED
            stuck = sum(name in ON_A_WORKER for name in traps)
            assert stuck >= 16
            until(lambda: runtime.statistics().abandoned_threads == stuck)
            uses_the_full_pool(runtime, 3)
            statistics = runtime.statistics()
            assert (statistics.workers, statistics.busy, statistics.idle) == (3, 0, 3)
            assert statistics.running == {} or set(statistics.running) <= {j.id for j in jobs}
            for trap in traps.values():
                trap.spring()
            until(lambda: runtime.statistics().abandoned_threads == 0)
            uses_the_full_pool(runtime, 3)
    finally:
        for trap in traps.values():
            trap.spring()
    all_gone(before)
    assert {job.status for job in jobs} == {JobStatus.CANCELLED}


def test_20_several_stuck_bodies_of_one_job_are_replaced_all(loop: Loop, tmp_path: Path) -> None:
    trap = Trap(tmp_path)
    try:
        with Runtime(workers=4, loop=loop) as runtime:
            job = runtime.exec(many_at_once(trap))
            assert trap.caught.wait(DEADLINE)
            until(lambda: job.routines["b"].running == 4)
            runtime.jobs.cancel(job.id)
            assert job.wait(DEADLINE) is JobStatus.CANCELLED
            until(lambda: runtime.statistics().abandoned_threads == 4)
            uses_the_full_pool(runtime, 4)
            trap.spring()
            until(lambda: runtime.statistics().abandoned_threads == 0)
    finally:
        trap.spring()


def test_20_bodies_that_ask_end_on_their_own_and_nothing_is_abandoned(loop: Loop) -> None:
    """The first rung: whoever sleeps, emits, looks or passes a checkpoint ends by itself."""

    def sleeps(self: Any) -> None:
        began.release()
        self.sleep(3600)

    def emits(self: Any) -> None:
        began.release()
        while True:
            self.out.emit(1)

    def looks(self: Any) -> None:
        began.release()
        while not self.cancelled:
            pass

    def passes_checkpoints(self: Any) -> None:
        began.release()
        while True:
            self.checkpoint()

    def yields(self: Any) -> Iterator[None]:
        began.release()
        while True:
            yield

    began = threading.Semaphore(0)
    with Runtime(workers=2, loop=loop) as runtime:
        for logic in (sleeps, emits, looks, passes_checkpoints, yields):
            job = runtime.exec(chain(routine(logic)))
            assert began.acquire(timeout=DEADLINE)
            runtime.jobs.cancel(job.id)
            assert job.wait(DEADLINE) is JobStatus.CANCELLED
        until(lambda: runtime.statistics().abandoned_threads == 0)
        uses_the_full_pool(runtime, 2)


def test_20_a_stuck_body_of_a_failed_job_is_replaced_too(loop: Loop) -> None:
    gate = Gate()

    def fail(self: Any) -> None:
        gate.wait_came()
        raise ValueError("stop")

    with Runtime(workers=2, loop=loop) as runtime:
        job = runtime.exec(flow_of({"stuck": gated_source(gate), "bad": routine(fail)}))
        assert job.wait(DEADLINE) is JobStatus.FAILED
        until(lambda: runtime.statistics().abandoned_threads == 1)
        uses_the_full_pool(runtime, 2)
        gate.open()


@pytest.mark.usefixtures("untraced_threads")
def test_20_an_abandoned_body_is_interrupted_only_when_asked_for_and_never_one_that_counts(
    loop: Loop, tmp_path: Path
) -> None:
    """The second rung: Cancelled is raised between two lines of a body that runs on."""
    trap, raised = Trap(tmp_path), threading.Event()
    gate = Gate()

    def logic(self: Any) -> None:
        try:
            by_busy_loop(trap)
        except Cancelled:
            raised.set()
            raise

    with Runtime(workers=2, loop=loop) as runtime:
        pool = runtime.pool
        assert isinstance(pool, WorkerPool)
        job = runtime.exec(chain(routine(logic)))
        counts = runtime.exec(chain(gated_source(gate)))
        assert trap.caught.wait(DEADLINE)
        gate.wait_came()
        assert pool.interrupt(job.id, grace=0.0) == 0, "it still counts"
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        until(lambda: runtime.statistics().abandoned_threads == 1)
        assert pool.interrupt(job.id, grace=3600.0) == 0, "its grace isn't over"
        uses_the_full_pool(runtime, 1)
        assert not raised.is_set()
        assert pool.interrupt(counts.id, grace=0.0) == 0
        until(lambda: pool.interrupt(job.id, grace=0.0) == 1)
        assert raised.wait(DEADLINE)
        until(lambda: runtime.statistics().abandoned_threads == 0)
        gate.open()
        assert counts.wait(DEADLINE) is JobStatus.COMPLETED
        uses_the_full_pool(runtime, 2)


def test_20_a_body_that_waits_for_room_is_never_interrupted(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=1, loop=loop) as runtime:
        pool = runtime.pool
        assert isinstance(pool, WorkerPool)
        job = runtime.exec(chain(burst(range(20)), gated(gate, capacity=1)))
        gate.wait_came()  # on the only worker: the other body stands in emit, outside the count
        assert pool.interrupt(job.id, grace=0.0) == 0
        gate.open()
        assert job.wait(DEADLINE) is JobStatus.COMPLETED

    assert job.outputs["b.out"] == list(range(20))


# ---- shutdown


@pytest.mark.leaves_threads("the bodies are stuck while the runtime shuts down")
def test_20_shutdown_returns_in_time_with_every_kind_stuck(
    loop: Loop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    traps = {name: Trap(tmp_path) for name in KINDS if name not in BUSY[1:]}
    before = set(threading.enumerate())
    runtime = Runtime(workers=len(traps), loop=loop)
    try:
        jobs = []
        for name, trap in traps.items():
            jobs.append(runtime.exec(KINDS[name](trap)))
            assert trap.caught.wait(DEADLINE), name

        begin = monotonic()
        runtime.shutdown(timeout=0.5)
        took = monotonic() - begin

        assert took < 5.0
        assert {job.status for job in jobs} == {JobStatus.CANCELLED}
    finally:
        for trap in traps.values():
            trap.spring()
    all_gone(before)
    caplog.clear()  # a coroutine that doesn't end is worth a warning


@pytest.mark.leaves_threads("the bodies are stuck while the runtime shuts down")
def test_20_shutdown_is_not_held_up_by_what_was_abandoned_before(
    loop: Loop, tmp_path: Path
) -> None:
    trap = Trap(tmp_path)
    before = set(threading.enumerate())
    runtime = Runtime(workers=1, loop=loop)
    try:
        job = runtime.exec(KINDS["by_event"](trap))
        assert trap.caught.wait(DEADLINE)
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        run_another_job(runtime)
        begin = monotonic()
        runtime.shutdown(timeout=0.3)
        assert monotonic() - begin < 5.0
        runtime.shutdown(timeout=0.3)
    finally:
        trap.spring()
    all_gone(before)


# ---- the interpreter's end


STUCK = """
import asyncio, itertools, os, queue, select, socket, subprocess, sys, threading
from penstock import Flow, Routine, Runtime

began = threading.Semaphore(0)
pair = socket.socketpair()

def swallow():
    while True:
        try:
            threading.Event().wait()
        except BaseException:
            pass

def long_finally():
    try:
        raise ValueError
    finally:
        threading.Event().wait()

def busy():
    for _ in itertools.count():
        pass

def lock():
    held = threading.Lock()
    held.acquire()
    held.acquire()

WAYS = [
    swallow, long_finally, busy, lock,
    lambda: threading.Event().wait(),
    lambda: queue.Queue().get(),
    lambda: pair[0].recv(1),
    lambda: select.select([pair[1]], [], []),
    lambda: os.read(os.pipe()[0], 1),
    lambda: threading.Barrier(2).wait(),
]

def stuck(way):
    class Stuck(Routine):
        def logic(self):
            began.release()
            way()
    return Stuck()

class Coroutine(Routine):
    async def logic(self):
        began.release()
        while True:
            try:
                await asyncio.sleep(3600)
            except BaseException:
                pass

class Hangs(Routine):
    class State:
        def __init__(self):
            began.release()
            threading.Event().wait()
    def logic(self):
        pass

class Unfinished(Routine):
    def logic(self):
        pass
    def finish(self):
        began.release()
        threading.Event().wait()

everything = [stuck(way) for way in WAYS] + [Coroutine(), Hangs(), Unfinished()]
runtimes = []
for loop in ("thread", "pool"):
    runtime = Runtime(workers=len(everything), loop=loop)
    runtimes.append(runtime)
    jobs = []
    for n, routine in enumerate(everything):
        flow = Flow("stuck")
        flow.add("stuck", routine)
        jobs.append(runtime.exec(flow))
    for _ in everything:
        assert began.acquire(timeout=30)
    if HOW == "cancelled":
        for job in jobs:
            runtime.jobs.cancel(job.id)
            assert job.wait(30).name == "CANCELLED"
    if HOW != "left":
        runtime.shutdown(timeout=0.2)
print("out")
"""


@pytest.mark.parametrize("how", ["left", "shut down", "cancelled"])
def test_20_the_interpreter_ends_by_itself_with_every_kind_stuck(how: str) -> None:
    code = f"HOW = {how!r}\n{STUCK}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (0, "out\n"), done.stderr
    told = {line for line in done.stderr.splitlines() if "coroutines don't end" not in line}
    assert told == set()


# ---- a stuck routine and its neighbours


def test_20_a_stuck_routine_of_one_job_is_nothing_to_the_others(loop: Loop) -> None:
    gate = Gate()
    with Runtime(workers=2, loop=loop) as runtime:
        stuck = runtime.exec(flow_of({"a": gated_source(gate), "s": source(range(10))}))
        gate.wait_came()
        for _ in range(5):
            run_another_job(runtime)
        assert stuck.status is JobStatus.RUNNING
        assert runtime.statistics().abandoned_threads == 0
        gate.open()
        assert stuck.wait(DEADLINE) is JobStatus.COMPLETED


@pytest.mark.usefixtures("untraced_threads")
def test_20_interrupting_ends_a_busy_loop_of_a_cancelled_job_and_only_on_request() -> None:
    begun, raised = threading.Event(), threading.Event()

    def logic(self: Any) -> None:
        begun.set()
        try:
            while True:
                pass
        except Cancelled:
            raised.set()
            raise

    with Runtime(workers=2) as runtime:
        job = runtime.exec(chain(routine(logic)))
        assert begun.wait(DEADLINE)
        assert runtime.jobs.interrupt(job.id, grace=0.0) == 0, "it hasn't ended"
        runtime.jobs.cancel(job.id)
        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        until(lambda: runtime.jobs.interrupt(job.id, grace=0.0) == 1)
        assert raised.wait(DEADLINE)
        until(lambda: runtime.statistics().abandoned_threads == 0)
