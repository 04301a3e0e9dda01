"""Guards for tests in a process that has had windows: no engine thread destroys one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from helpers.real_window import RealWindow
from penstock_gui.session import Placement


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


@pytest.fixture(params=["window", "own"])
def placement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Placement:
    """Windows run their jobs in their own process, and then in another: both are to be the same."""
    where: Placement = request.param
    monkeypatch.setattr(RealWindow, "placement", where)
    return where
