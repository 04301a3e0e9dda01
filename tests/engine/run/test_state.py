from __future__ import annotations

import pytest

from penstock import JobStatus
from penstock.run import ARROWS
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
