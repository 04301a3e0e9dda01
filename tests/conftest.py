"""Guards for every test: no thread and no unexpected log outlives it, no settings are touched."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Two busy cores make any deadline per example a coin toss.
hypothesis.settings.register_profile("penstock", deadline=None)
hypothesis.settings.load_profile("penstock")


def pytest_configure(config: pytest.Config) -> None:
    """Before Qt or anybody else looks: draw offscreen, and keep settings in a folder of the run.

    Qt reads these variables once per process, so they are set for the whole run.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    home = tempfile.TemporaryDirectory(prefix="penstock-tests-")
    config.add_cleanup(home.cleanup)
    for kind in ("CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{kind}_HOME"] = str(Path(home.name) / kind.lower())
    # Nor do programs that listen in one of the processes that run tests meet those of another.
    # Another user may come as far as their own private folders.
    runtime = Path(home.name) / "run"
    runtime.mkdir()
    for folder in (runtime, Path(home.name)):
        folder.chmod(0o711)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)


@pytest.fixture(autouse=True, scope="module")
def no_engine_thread_finds_old_windows() -> None:
    """What tests of windows left is collected here, or never looked at again.

    Automatic collection runs on whichever thread allocates, and Qt's objects mustn't go on another
    thread than their own. The processes that run the tests take them as they come, of the window
    and of the engine.
    """
    if "PySide6" in sys.modules:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def no_stray_threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread running, unless it is marked leaves_threads(reason)."""
    before = set(threading.enumerate())
    yield
    if request.node.get_closest_marker("leaves_threads"):
        return
    left = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    for thread in left:
        thread.join(timeout=1.0)
    names = [t.name for t in left if t.is_alive()]
    assert not names, f"threads left running: {names}"


@pytest.fixture(autouse=True)
def no_unexpected_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test that logs a warning it did not announce with caplog.clear()."""
    yield
    loud = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    assert not loud, f"unexpected log: {loud}"


@pytest.fixture
def untraced_threads() -> Iterator[None]:
    """Threads that start meanwhile aren't traced, so that bodies in them can be interrupted."""
    trace = threading.gettrace()
    threading.settrace(None)
    yield
    if trace is not None:
        threading.settrace(trace)
