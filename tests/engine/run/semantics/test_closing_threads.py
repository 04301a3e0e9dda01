"""Generators of ended jobs whose clean-up hangs: line 20."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from helpers.stuck import Trap, all_gone, generator_refuses_to_close, uses_the_full_pool
from helpers.waiting import DEADLINE, until
from penstock import JobStatus, Runtime
from penstock.run.executor import Loop


@pytest.mark.parametrize("held", [True, False])
def test_20_a_generator_that_refuses_to_close_holds_nobody_up(
    loop: Loop, tmp_path: Path, held: bool
) -> None:
    trap = Trap(tmp_path)
    before = set(threading.enumerate())
    try:
        with Runtime(workers=2, loop=loop) as runtime:
            jobs = [runtime.exec(generator_refuses_to_close(trap)) for _ in range(2)]
            for job in jobs:
                until(lambda job=job: job.routines["a"].running == 1)  # type: ignore[misc]
                if held:
                    runtime.jobs.pause(job.id)
                    until(lambda job=job: job.status is JobStatus.PAUSED)  # type: ignore[misc]
            for job in jobs:
                runtime.jobs.cancel(job.id)
                assert job.wait(DEADLINE) is JobStatus.CANCELLED
            assert trap.caught.wait(DEADLINE)
            uses_the_full_pool(runtime, 2)
            trap.spring()
    finally:
        trap.spring()
    all_gone(before)
