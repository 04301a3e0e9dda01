"""A pool for the tests of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.pool_work import ended
from penstock.run.pool import WorkerPool


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(3)
    yield made
    ended(made)
