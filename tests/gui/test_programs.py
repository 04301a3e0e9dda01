"""Attaching from the command line, and several windows at once."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from penstock import Flow, Routine, Runtime
from penstock.host import Attached, HostUp, Listening, listen
from penstock_gui.app.options import BadOption, Options, parse
from penstock_gui.app.programs import find_program

ROOT = Path(__file__).parents[2]
TIMEOUT = 20_000
ETL = Listening(11, "etl", "/run/etl", "control", 1.0)
WEB = Listening(12, "web", "/run/web", "view", 2.0)
OTHER_WEB = Listening(13, "web", "/run/web2", "view", 3.0)


def test_a_program_is_named_by_its_name_or_number() -> None:
    known = [ETL, WEB, OTHER_WEB]

    assert find_program("etl", lambda: known) is ETL
    assert find_program("13", lambda: known) is OTHER_WEB
    with pytest.raises(BadOption, match="say which of 12, 13"):
        find_program("web", lambda: known)
    with pytest.raises(BadOption, match=r"there are: etl \(11\), web \(12\)"):
        find_program("nobody", lambda: known)
    with pytest.raises(BadOption, match="none does"):
        find_program("etl", list)


def test_a_socket_may_be_the_near_end_of_a_tunnel(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as near:
        near.bind(str(tmp_path / "etl"))
        found = find_program(str(tmp_path / "etl"), list)

    assert (found.name, found.path) == ("etl", str(tmp_path / "etl"))


def test_attaching_opens_and_runs_no_flow() -> None:
    assert parse(["--attach", "etl"]) == Options(attach="etl")
    for more in (["--run"], ["--in-process"], ["a.flow.json"]):
        with pytest.raises(BadOption, match="no flow is opened or run"):
            parse(["--attach", "etl", *more])


def test_what_held_jobs_do_without_the_window_is_said_when_attaching() -> None:
    assert parse(["--attach", "etl"]).when_left == "resume"
    assert parse(["--attach", "etl", "--when-left", "hold"]).when_left == "hold"
    with pytest.raises(BadOption, match="that is for --attach"):
        parse(["--when-left", "hold"])


# The whole program.


class Endless(Routine):
    """Runs until it is cancelled."""

    def logic(self) -> None:
        while not self.cancelled:
            self.sleep(0.005)


@pytest.fixture
def meeting() -> Iterator[Path]:
    """Where the programs of a test meet; short, as sockets want it."""
    folder = Path("/tmp") / f"pg-{os.getpid()}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


def python(*arguments: str, folder: Path, meeting: Path) -> subprocess.CompletedProcess[str]:
    homes = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "STATE")}
    paths = os.pathsep.join(str(ROOT / part) for part in ("engine", "gui"))
    more = {"PYTHONPATH": paths, "QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(meeting)}
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | homes | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_a_window_on_a_program_leaves_it_running(
    tmp_path: Path, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(meeting))
    picture = tmp_path / "shot.png"
    flow = Flow("endless")
    flow.add("for_ever", Endless())
    with Runtime(workers=1) as runtime, listen(runtime, name="etl"):
        job = runtime.exec(flow)
        arguments = ("-m", "penstock_gui", "--attach", "etl", "--screenshot", str(picture))
        done = python(*arguments, folder=tmp_path, meeting=meeting)
        unknown = python("-m", "penstock_gui", "--attach", "web", folder=tmp_path, meeting=meeting)

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert not QImage(str(picture)).isNull()
        assert job.status.value == "RUNNING"
        assert unknown.returncode == 2
        assert "there are: etl" in unknown.stderr


class Once(Routine):
    """Has run once."""

    def logic(self) -> None:
        pass


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["hold", "resume"])
def test_held_jobs_do_what_was_said_when_the_window_has_gone(
    tmp_path: Path, meeting: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, chosen: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(meeting))
    flow = Flow("once")
    flow.add("one", Once())
    with Runtime(workers=1) as runtime, listen(runtime, name="etl") as host:
        runtime.jobs.pause()
        job = runtime.exec(flow)
        arguments = ("--attach", "etl", "--when-left", chosen, "--quit-after", "1")
        done = python("-m", "penstock_gui", *arguments, folder=tmp_path, meeting=meeting)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

        if chosen == "hold":
            qtbot.waitUntil(lambda: steers(qtbot, host.info), timeout=TIMEOUT)
            assert job.status.value != "COMPLETED"
            runtime.jobs.resume()
        qtbot.waitUntil(lambda: job.status.value == "COMPLETED", timeout=TIMEOUT)


def steers(qtbot: QtBot, program: Listening) -> bool:
    """Whether one that comes now steers: the one before has gone there, too."""
    link = Attached(program, "hold")
    told: list[HostUp] = []

    def is_up() -> bool:
        told.extend(one for one in link.drain() if isinstance(one, HostUp))
        return bool(told)

    qtbot.waitUntil(is_up, timeout=TIMEOUT)
    link.close()
    return told[0].in_control


TWO_WINDOWS = """
import sys
import threading
from PySide6.QtCore import QTimer
from penstock.host import listening
from penstock_gui.app import main, run

def schedule(program):
    program._attach(listening()[0], "resume")
    other = program._others[0]
    windows = [program._desk, other]
    if sys.argv[1] == "other":
        windows.reverse()
    begun, left = windows
    client, may_leave = begun.client, threading.Event()
    close = client.close

    def close_slowly(limit):
        if not may_leave.wait(limit):
            print("one stood still until the other had left", flush=True)
        close(limit)

    client.close = close_slowly
    steps = [
        lambda: other.session.mode == "running" and other.document.ids() == ("for_ever",),
        lambda: begun.window.close(),
        lambda: begun.is_left and left.window.isVisible(),
        lambda: print("one is left", flush=True) or may_leave.set() or True,
        lambda: begun.is_over and left.window.close(),
    ]
    timer = QTimer(program._app, interval=10)
    timer.timeout.connect(lambda: steps and steps[0]() and steps.pop(0))
    timer.start()

run.Program._schedule = schedule
sys.exit(main([]))
"""


CLOSED_TOGETHER = """
import sys
from PySide6.QtCore import QTimer
from penstock.host import listening
from penstock_gui.app import main, run

def schedule(program):
    program._attach(listening()[0], "resume")
    other = program._others[0]
    close = other.client.close

    def close_and_tell(limit):
        close(limit)
        print("the other has left", flush=True)

    other.client.close = close_and_tell
    steps = [
        lambda: other.session.mode == "running",
        lambda: other.window.close() and program._desk.window.close(),
    ]
    timer = QTimer(program._app, interval=10)
    timer.timeout.connect(lambda: steps and steps[0]() and steps.pop(0))
    timer.start()

run.Program._schedule = schedule
sys.exit(main([]))
"""


@pytest.mark.slow
def test_a_window_that_is_closed_together_with_the_first_is_left_too(
    tmp_path: Path, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(meeting))
    flow = Flow("endless")
    flow.add("for_ever", Endless())
    with Runtime(workers=1) as runtime, listen(runtime, name="etl"):
        job = runtime.exec(flow)
        done = python("-c", CLOSED_TOGETHER, folder=tmp_path, meeting=meeting)

        assert (done.returncode, done.stdout, done.stderr) == (0, "the other has left\n", "")
        assert job.status.value == "RUNNING"


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["first", "other"])
def test_windows_are_closed_in_any_order(
    tmp_path: Path, meeting: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(meeting))
    flow = Flow("endless")
    flow.add("for_ever", Endless())
    with Runtime(workers=1) as runtime, listen(runtime, name="etl"):
        job = runtime.exec(flow)
        done = python("-c", TWO_WINDOWS, closed, folder=tmp_path, meeting=meeting)

        assert (done.returncode, done.stdout, done.stderr) == (0, "one is left\n", "")
        assert job.status.value == "RUNNING"
