"""Every test here runs with the job's loop on a thread of its own, and on the pool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.conservation import check_conservation
from penstock import Runtime
from penstock.run.executor import Loop


@pytest.fixture(params=["thread", "pool"])
def loop(request: pytest.FixtureRequest) -> Loop:
    """Where the loops of the jobs run."""
    placement: Loop = request.param
    return placement


@pytest.fixture
def runtime(loop: Loop) -> Iterator[Runtime]:
    """A runtime of four workers; at the end nothing of any of its jobs may be unaccounted for."""
    with Runtime(workers=4, loop=loop) as made:
        yield made
    for executor in made.jobs.list():
        check_conservation(executor.state)
