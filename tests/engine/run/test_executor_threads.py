"""The shell around the core: waking its loop, and waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from helpers.bodies import Gate, gated_source
from helpers.flows import chain, flow_of, pair, pass_on, source
from helpers.recording import RecordingInstrument
from penstock import Activation, AllSlots, Instrument, JobStatus, Runtime
from penstock.observe import JobProgress
from penstock.run import core as core_module
from penstock.run.core import JobCore
from penstock.run.messages import Cancel, Pause, Resume, Sample
from penstock.testing import InlineRuntime

DEADLINE = 20.0


class Guard:
    """The guard of a job whose loop is about to sleep: somebody appends in that very moment."""

    def __init__(self, inner: Any, act: Callable[[], object]) -> None:
        self._inner = inner
        self._act: Callable[[], object] | None = act

    def acquire(self, blocking: bool = True) -> bool:
        return bool(self._inner.acquire(blocking))

    def release(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()
        self._inner.release()


def test_what_is_appended_while_the_loop_goes_to_sleep_is_not_left_lying() -> None:
    gate = Gate()
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(gated_source(gate), pass_on()))
        gate.wait_came()
        executor = runtime.jobs.get(job.id)
        late: list[bool] = []

        def append() -> None:
            executor.task_queue.append(Cancel())
            late.append(executor._guard.acquire(False))  # taken: so this one wakes nobody

        executor._guard = cast("Any", Guard(executor._guard, append))
        executor.send(Resume(0))

        assert job.wait(DEADLINE) is JobStatus.CANCELLED
        assert late == [False]
        gate.open()


def test_on_the_pool_a_loop_that_always_has_something_to_do_gives_way_to_others() -> None:
    """An instrument asks anew at each answer, so the queue is never empty when it is looked at."""
    enough = 10_000
    answers = 0

    class Asks(Instrument):
        def on_job_progress(self, event: JobProgress) -> None:
            nonlocal answers
            answers += event.job_id == busy.id
            if answers < enough:
                runtime.jobs.get(busy.id).send(Sample())

    with InlineRuntime(instruments=[Asks()]) as runtime:
        busy, other = [runtime.exec(chain(pass_on()), keep_open=True) for _ in range(2)]
        runtime.run()
        runtime.jobs.get(busy.id).send(Sample())
        runtime.jobs.cancel(other.id)

        assert other.wait() is JobStatus.CANCELLED
        assert 0 < answers < enough / 10


def test_wait_joins_the_finished_loop_thread() -> None:
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(source([1])))
        job.wait(DEADLINE)
        executor = runtime.jobs.get(job.id)
        joined: list[str] = []

        class Thread(threading.Thread):
            def join(self, timeout: float | None = None) -> None:
                joined.append(self.name)

        executor.event_loop_thread = Thread(name="watched")
        job.wait(DEADLINE)

        assert joined == ["watched"]


def test_the_queue_and_the_pool_of_a_job_can_be_seen() -> None:
    gate = Gate()
    with Runtime(workers=1) as runtime:
        job = runtime.exec(chain(gated_source(gate)))
        gate.wait_came()
        executor = runtime.jobs.get(job.id)

        assert executor.thread_pool is runtime.pool
        assert executor.event_loop_thread is not None
        assert executor.event_loop_thread.is_alive()
        assert executor.event_loop_thread.daemon
        gate.open()
        job.wait(DEADLINE)
        assert not executor.task_queue


def test_all_jobs_are_listed_oldest_first() -> None:
    with Runtime(workers=1) as runtime:
        jobs = [runtime.exec(chain(source([1]))) for _ in range(5)]
        runtime.jobs.wait_all(DEADLINE)

        assert [executor.state for executor in runtime.jobs.list()] == jobs


def test_a_fault_of_the_engine_ends_the_job_instead_of_leaving_it_hanging(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(self: JobCore, message: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setitem(core_module._HANDLERS, Pause, fault)
    gate = Gate()
    recording = RecordingInstrument()
    with Runtime(workers=2, instruments=[recording]) as runtime:
        job = runtime.exec(chain(gated_source(gate), pass_on()))
        gate.wait_came()
        runtime.jobs.pause(job.id)

        assert job.wait(DEADLINE) is JobStatus.FAILED
        gate.open()
        assert job.error is not None
        assert (job.error.type, job.error.text) == ("RuntimeError", "a fault")
        assert type(recording.events[-1]).__name__ == "JobEnded"
        assert runtime.exec(chain(source([1]), pass_on())).wait(DEADLINE) is JobStatus.COMPLETED
    assert "the engine failed" in caplog.text
    caplog.clear()


# ---- the first step


def test_a_rule_of_the_users_is_asked_by_the_loop_and_never_by_who_starts_the_job() -> None:
    asked_by: set[str] = set()

    class First(Activation):
        def take(self, queues: Any) -> Any:
            asked_by.add(threading.current_thread().name)
            return {"value": 0} if queues["value"] else None

    flow = chain(source([1, 2]), pass_on(activation=First()))
    with Runtime(workers=2, loop="pool") as runtime:
        for _ in range(20):
            assert runtime.exec(flow).wait(DEADLINE) is JobStatus.COMPLETED

    assert asked_by
    assert threading.current_thread().name not in asked_by


@pytest.mark.parametrize("key", [None, len])
def test_a_match_is_asked_by_the_loop_though_parameters_are_given(key: Any) -> None:
    asked_by: set[str] = set()

    def match(value: str) -> int:
        asked_by.add(threading.current_thread().name)
        return len(value)

    activation = AllSlots(match=None if key is None else match)
    flow = flow_of({"p": pair(activation=activation)})
    params = {"p.left": "ab", "p.right": "cd"}
    with Runtime(workers=2, loop="pool") as runtime:
        assert runtime.exec(flow, params).wait(DEADLINE) is JobStatus.COMPLETED

    assert threading.current_thread().name not in asked_by
    assert bool(asked_by) == (key is not None)
