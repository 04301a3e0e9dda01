"""Guards for tests in a process that has had windows: no engine thread destroys one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def garbage_is_collected_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no engine thread destroy a QObject: Qt then crashes, or never leaves its event loop.

    Whatever earlier tests left is collected before, and while a window is open nothing is.
    """
    gc.collect()
    if not request.path.name.startswith("test_window"):
        yield
        return
    gc.disable()
    yield
    gc.collect()
    gc.enable()
