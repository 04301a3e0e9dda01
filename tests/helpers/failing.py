"""A routine that fails on some values, and the failure that ended a job."""

from __future__ import annotations

from typing import Any

from helpers.flows import routine
from penstock import Failure, JobState, Routine, Slot


def fails_on(*bad: Any, **attributes: Any) -> Routine:
    """Passes on what comes, and raises ValueError on some values."""

    def logic(self: Any, value: Any) -> None:
        if value in bad:
            raise ValueError(value)
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object)}, **attributes)


def error_of(job: JobState) -> Failure:
    assert job.error is not None
    return job.error
