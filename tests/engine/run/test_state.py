from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, failing, pass_on, routine
from penstock import Continue, JobState, JobStatus, Slot
from penstock.run import ARROWS
from penstock.run.reading import JobReads
from penstock.run.state import IllegalMove, moved

FINAL = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


def test_the_statuses_are_those_of_the_api() -> None:
    names = ["PENDING", "RUNNING", "PAUSING", "PAUSED", "IDLE", "COMPLETED", "FAILED", "CANCELLED"]

    assert [status.name for status in JobStatus] == names


def test_every_status_has_its_arrows_and_nothing_comes_after_an_end() -> None:
    assert set(ARROWS) == set(JobStatus)
    assert {status for status in JobStatus if status.is_final} == FINAL
    assert {status for status, after in ARROWS.items() if not after} == FINAL


def test_every_status_can_be_cancelled_until_it_is_final() -> None:
    for status, after in ARROWS.items():
        assert (JobStatus.CANCELLED in after) is not status.is_final


@pytest.mark.parametrize("now", list(JobStatus))
@pytest.mark.parametrize("to", list(JobStatus))
def test_only_arrows_of_the_table_are_gone(now: JobStatus, to: JobStatus) -> None:
    if to in ARROWS[now]:
        assert moved("j", now, to) is to
        return
    with pytest.raises(IllegalMove, match=f"job j can't go from {now.value} to {to.value}"):
        moved("j", now, to)


# ---- the handle


def a_handle(job: Driven) -> JobState:
    """The handle of a job by hand."""
    return JobState("j", job.core.plan.flow, _Job(job))


class _Job:
    created_at = 7.0

    def __init__(self, job: Driven) -> None:
        self._core = job.core

    @property
    def reads(self) -> JobReads:
        return JobReads(self._core, threading.RLock(), self.created_at)

    def wait(self, timeout: float | None) -> JobStatus:
        return self._core.status


def test_the_handle_reads_the_job_at_each_moment() -> None:
    def logic(self: Any, value: int) -> None:
        if value == 2:
            raise ValueError("two")
        self.out.emit(value)

    body = routine(logic, slots={"value": Slot(int)}, on_error=Continue())
    job = Driven(chain(burst([1, 2, 3]), body, name="numbers"))
    state = a_handle(job)
    assert (state.id, state.flow, state.created_at) == ("j", "numbers", 7.0)
    statuses = [state.status]
    assert (state.started_at, state.finished_at) == (None, None)

    job.start()
    statuses.append(state.status)
    assert state.started_at == job.time
    job.work()
    statuses.append(state.wait())

    assert statuses == [JobStatus.PENDING, JobStatus.RUNNING, JobStatus.COMPLETED]
    assert (state.outputs, state.output_counts) == ({"b.out": [1, 3]}, {"b.out": 2})
    assert [failure.text for failure in state.dead_letters] == ["two"]
    assert state.routines["b"].slots["value"].dead == 1
    assert (state.error, state.stalled, state.finished_at) == (None, (), job.time)
    assert repr(state) == "<JobState j 'numbers' COMPLETED>"


def test_a_snapshot_stays_as_it_was() -> None:
    job = Driven(chain(burst([1]), pass_on()))
    state = a_handle(job)
    job.start()

    before = state.snapshot()
    job.work()

    assert (before.status, before.outputs, before.running) == (JobStatus.RUNNING, {"b.out": []}, 0)
    after = state.snapshot()
    assert (after.status, after.outputs) == (JobStatus.COMPLETED, {"b.out": [1]})
    assert after.output_counts == {"b.out": 1}
    with pytest.raises(FrozenInstanceError):
        after.running = 3  # type: ignore[misc]


def test_the_failure_that_ended_a_job_is_its_error() -> None:
    job = Driven(chain(burst([1]), failing(lambda: ValueError("no"))))
    state = a_handle(job)
    job.start()
    job.work()

    assert str(state.error) == "b: ValueError: no"
    assert state.snapshot().error is state.error
