"""Guards for tests of the window: no widget outlives its test, no thread collects one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QWidget

from penstock_gui.bridge import engine_bridge


@pytest.fixture(autouse=True)
def garbage_is_collected_here() -> Iterator[None]:
    """Let no engine thread destroy a QObject: Qt then crashes, or never leaves its event loop.

    Automatic collection runs on whichever thread allocates, so it is off while a test runs.
    """
    gc.disable()
    yield
    gc.collect(1)
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_for_others() -> Iterator[None]:
    """Old garbage too is collected here, before tests with engine threads could do it."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def a_tick_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test told is shown after one tick, however slow the machine is."""
    monkeypatch.setattr(engine_bridge, "BUDGET", 3600.0)


@pytest.fixture(autouse=True)
def no_stray_widgets(qapp: QApplication) -> Iterator[None]:
    """Fail the test that leaves a top-level widget alive."""
    before = set(qapp.topLevelWidgets())
    yield
    left = _left(qapp, before)
    if left:  # perhaps only a garbage cycle holds them
        gc.collect()
        left = _left(qapp, before)
    assert not left, f"widgets left alive: {left}"


def _left(qapp: QApplication, before: set[QWidget]) -> list[QWidget]:
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return [widget for widget in qapp.topLevelWidgets() if widget not in before]
