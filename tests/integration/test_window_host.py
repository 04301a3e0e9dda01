"""The real window and the process its jobs run in: it dies, hangs, and begins anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from helpers.dying import flow_of
from helpers.gated import Gate, gated_flow
from helpers.real_window import RealWindow, write_flow
from penstock.host import LOST

TIMEOUT = 20_000


@pytest.fixture(autouse=True)
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealWindow, "placement", "own")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[list[RealWindow]]:
    """Windows put in here are closed after the test."""
    opened: list[RealWindow] = []
    yield opened
    for one in opened:
        one.close()


def click(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_when_its_host_dies_the_window_says_so_keeps_all_and_starts_again(
    qtbot: QtBot, open_window: list[RealWindow], tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    real = RealWindow(write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path)))
    open_window.append(real)
    real.press("run.run")
    qtbot.waitUntil(lambda: real.node("gated").picture.look.chip == "2", timeout=TIMEOUT)
    real.session.edits.set_title("total", "a sum")  # an edit that isn't saved
    engine, routines = real.session.engine, real.document.ids()
    assert engine.up is not None
    before = real.view_of("1")
    emitted = before.routines["numbers"].emitted["number"]

    os.kill(engine.up.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: engine.gone is not None, timeout=TIMEOUT)

    assert engine.gone is not None
    assert engine.gone.text == "killed by SIGKILL"
    assert ("1", "gated") in engine.gone.running
    assert (before.status, real.session.mode) == (LOST, "idle")
    assert before.routines["numbers"].emitted["number"] == emitted
    assert real.window.gone.isVisible()
    assert real.document.ids() == routines
    assert not real.session.undo.isClean()
    gate.stay_open()
    click(real.window.gone.restart_button)
    qtbot.waitUntil(lambda: real.is_over("2"), timeout=TIMEOUT)
    assert real.view_of("2").status == "COMPLETED"
    assert real.session.job_id == "2"
    assert not real.window.gone.isVisible()


def test_a_host_that_does_not_stop_is_killed(
    qtbot: QtBot, open_window: list[RealWindow], tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    flow = flow_of("Dies", way="keeps the interpreter", gate=str(gate.path))
    real = RealWindow(write_flow(tmp_path / "stuck.flow.json", flow))
    open_window.append(real)
    real.press("run.run")
    qtbot.waitUntil(lambda: real.session.mode == "running", timeout=TIMEOUT)
    qtbot.waitUntil(gate.let_go, timeout=TIMEOUT)
    qtbot.waitUntil(gate.is_passed, timeout=TIMEOUT)  # before that, it would stop

    real.press("run.stop")
    qtbot.waitUntil(real.window.stuck.kill_button.isVisible, timeout=TIMEOUT)
    assert not real.is_over()
    click(real.window.stuck.kill_button)
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    assert real.view_of().status == LOST
    assert not real.window.stuck.isVisible()
    real.press("run.run")
    qtbot.waitUntil(lambda: real.session.mode == "running", timeout=TIMEOUT)
    assert real.session.job_id == "2"
    qtbot.waitUntil(gate.let_go, timeout=TIMEOUT)  # closing kills this one
