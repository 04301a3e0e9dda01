"""The window is left within its time whatever runs, and tells its own errors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from benchmarks.soak_kills import marked
from helpers.gated import Gate, gated_flow
from helpers.real_window import RealWindow, write_flow
from penstock.host import LaunchSettings, launch_file, listening, save_launch
from penstock_gui.window import ErrorReporter, FaultLog, install_hooks

TIMEOUT = 20_000
LEAVES_WITHIN = 5.0


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path / "gate")
    yield made
    made.stay_open()


def test_closing_while_a_job_runs_asks_once_and_may_be_called_off(
    qtbot: QtBot, gate: Gate, tmp_path: Path
) -> None:
    real = RealWindow(write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path)))
    try:
        real.press("run.run")
        qtbot.waitUntil(lambda: real.node("gated").picture.look.chip == "2", timeout=TIMEOUT)
        real.answers.closes = "cancel"
        stayed = not real.window.close()
        real.answers.closes = "end"
        left = real.window.close()
    finally:
        gate.stay_open()
        real.close()

    assert (stayed, left) == (True, True)
    assert [one for one in real.answers.asked if "trust" not in one] == ["close 1", "close 1"]


def test_jobs_that_are_left_running_end_without_the_window(
    qtbot: QtBot, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealWindow, "placement", "own")
    real = RealWindow(write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path)))
    try:
        real.press("run.run")
        qtbot.waitUntil(lambda: real.node("gated").picture.look.chip == "2", timeout=TIMEOUT)
        up = real.session.engine.up
        assert up is not None
        real.answers.closes = "stay"
        assert real.window.close()
    finally:
        real.close()

    def listens() -> list[str]:
        return [one.name for one in listening() if one.pid == up.pid]

    qtbot.waitUntil(lambda: listens() == ["gated"], timeout=TIMEOUT)
    gate.stay_open()
    qtbot.waitUntil(lambda: not Path(f"/proc/{up.pid}").exists(), timeout=TIMEOUT)
    assert listens() == []


@pytest.mark.slow
def test_a_window_that_nobody_sits_before_leaves_no_jobs(gate: Gate, tmp_path: Path) -> None:
    """Whatever is set: what it runs is cancelled."""
    flow = write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path))
    save_launch(LaunchSettings(when_window_goes="hold"), launch_file(flow))
    command = [sys.executable, "-m", "penstock", "open", str(flow), "--run", "--quit-after", "3"]
    environment = dict(os.environ, QT_QPA_PLATFORM="offscreen", PENSTOCK_TEST=str(tmp_path))
    subprocess.run(command, env=environment, timeout=60, check=True)

    assert not marked(f"PENSTOCK_TEST={tmp_path}")


@pytest.mark.slow
def test_the_program_leaves_within_five_seconds_though_bodies_are_stuck(
    gate: Gate, tmp_path: Path
) -> None:
    flow = write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path))
    command = [sys.executable, "-m", "penstock", "open", str(flow), "--run", "--quit-after", "3"]
    begin = time.monotonic()
    done = subprocess.run(
        command,
        env=dict(os.environ, QT_QPA_PLATFORM="offscreen"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    took = time.monotonic() - begin

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert took < 3 + LEAVES_WITHIN + 4  # importing Qt and drawing the first window


def make_a_mistake() -> None:
    raise KeyError("a slot's mistake")


@pytest.mark.qt_no_exception_capture
def test_an_error_in_a_slot_is_shown_and_the_window_lives(
    qtbot: QtBot, gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = RealWindow(write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path, 2)))
    log = FaultLog()
    undo = install_hooks(log)
    reporter = ErrorReporter(log, real.theme, real.window)
    try:
        QTimer.singleShot(0, make_a_mistake)
        qtbot.waitUntil(lambda: reporter.dialog is not None, timeout=TIMEOUT)
        assert reporter.dialog is not None
        told = reporter.dialog.text
        reporter.dialog.accept()
        gate.stay_open()
        real.press("run.run")
        qtbot.waitUntil(real.is_over, timeout=TIMEOUT)
    finally:
        reporter.stop()
        undo()
        real.close()

    assert 'KeyError: "a slot\'s mistake"' in told
    assert "Traceback" in told
    assert real.view_of().status == "COMPLETED"
    assert "a slot's mistake" in capsys.readouterr().err
