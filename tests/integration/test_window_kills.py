"""A few of the kills that ``tests/benchmarks/soak_kills.py`` does by the hundred."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from benchmarks.soak_kills import kill_hosts, kill_windows
from helpers.real_window import RealWindow


@pytest.fixture(autouse=True)
def placement_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealWindow, "placement", "own")


@pytest.mark.slow
def test_hosts_killed_at_any_moment_leave_the_window_with_all_it_knew(
    qtbot: QtBot, tmp_path: Path
) -> None:
    assert kill_hosts(tmp_path, 3, random.Random(7)) == []


@pytest.mark.slow
def test_windows_killed_at_any_moment_leave_hosts_only_as_was_chosen(
    qtbot: QtBot, tmp_path: Path
) -> None:
    assert kill_windows(tmp_path, 3, random.Random(7)) == []
