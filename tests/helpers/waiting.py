"""Waiting with a deadline for what another thread does, and calls that wait on a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from helpers.flows import chain, pass_on, routine, source
from penstock import JobStatus, Runtime

DEADLINE = 20.0


def until(is_so: Callable[[], Any], timeout: float = DEADLINE) -> None:
    """Until a condition nobody tells of holds; fails after `timeout` seconds."""
    tick, end = threading.Event(), monotonic() + timeout
    while not is_so():
        assert monotonic() < end, "it never came to be so"
        tick.wait(0.002)


def is_gone(pid: int) -> bool:
    """Whether a process that isn't our child has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


class Call:
    """A call that may wait, made on a thread of its own."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._act()
        except BaseException as error:  # noqa: BLE001  handed to the test
            self._error = error

    def pause(self, seconds: float) -> None:
        """Until it is over, or for so long."""
        self._thread.join(seconds)

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result(self, timeout: float = DEADLINE) -> Any:
        """What it returned; raises what it raised."""
        self._thread.join(timeout)
        assert self.is_over, "the call still waits"
        if self._error is not None:
            raise self._error
        return self._result

    def error(self, timeout: float = DEADLINE) -> BaseException | None:
        """What it raised, if anything."""
        self._thread.join(timeout)
        assert self.is_over, "the call still waits"
        return self._error


def run_another_job(runtime: Runtime) -> None:
    """One more job of the runtime, from beginning to end: whatever could happen by then has."""
    job = runtime.exec(chain(source(range(3)), pass_on(), pass_on()))
    assert job.wait(DEADLINE) is JobStatus.COMPLETED
    assert job.outputs == {"c.out": [0, 1, 2]}


def let_pass(runtime: Runtime, seconds: float) -> None:
    """Until the time-out of another job, given that many seconds, has ended that one."""
    job = runtime.exec(chain(routine(lambda self: self.sleep(3600))), timeout=seconds)
    assert job.wait(DEADLINE) is JobStatus.FAILED
    assert job.error is not None
    assert job.error.type == "JobTimeout"


def raised_by(act: Callable[[], Any]) -> type[BaseException] | None:
    try:
        act()
    except BaseException as error:  # noqa: BLE001
        return type(error)
    return None
