"""How the window starts and ends: options, display, guards, exit codes."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from penstock.host import Answer, HostProcess, Told, WhenWindowGoes
from penstock_gui.app.collector import FULL_EVERY, FULL_WHEN_IDLE, Collector
from penstock_gui.app.crash_log import CrashLog
from penstock_gui.app.desk import Desk
from penstock_gui.app.display import choose_platform, why_no_display
from penstock_gui.app.guards import make_immortal, references_fall
from penstock_gui.app.options import BadOption, Options, parse
from penstock_gui.assets import example
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme

CENSUS = example("code_census")
ROOT = Path(__file__).parents[2]
NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}


# Options.


def test_options_are_read() -> None:
    given = parse(["example:code_census", "--run", "--in-process", "--quit-after", "6"])

    assert given == Options(CENSUS, run=True, quit_after=6.0, in_process=True)
    assert given.silent
    assert parse([]) == Options(), "a window for a person, jobs in a process of their own"


def test_a_screenshot_alone_quits_by_itself(tmp_path: Path) -> None:
    given = parse(["--screenshot", str(tmp_path / "a.png")])

    assert given.quit_after is not None
    assert given.silent


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["example:nothing"], "no example is called 'nothing'"),
        (["--quit-after", "soon"], "'soon' is no number of seconds"),
        (["--quit-after", "-1"], "'-1' is no number of seconds"),
        (["--quit-after", "nan"], "'nan' is no number of seconds"),
        (["--screenshot", "/"], "a folder"),
        (["--screenshot", "/no/such/a.png"], "doesn't exist"),
        (["--screenshot", "a.exe"], r"\.png"),
        (["--wrong"], "--wrong"),
        (["a", "b"], "b"),
    ],
)
def test_a_bad_option_is_told_in_one_line(arguments: list[str], text: str) -> None:
    with pytest.raises(BadOption, match=text) as caught:
        parse(arguments)

    assert "\n" not in str(caught.value)


# Display.


def test_without_a_display_a_screenshot_is_drawn_offscreen() -> None:
    environ: dict[str, str] = {}

    assert choose_platform(True, environ) is None
    assert environ["QT_QPA_PLATFORM"] == "offscreen"


def test_without_a_display_the_reason_and_a_way_are_told() -> None:
    reason = choose_platform(False, {}) or ""

    assert "DISPLAY" in reason
    assert "ssh -X" in reason
    assert "\n" not in reason


def test_a_platform_that_was_chosen_is_left_alone() -> None:
    environ = {"QT_QPA_PLATFORM": "vnc"}

    assert choose_platform(True, environ) is None
    assert environ == {"QT_QPA_PLATFORM": "vnc"}


def test_a_display_that_doesn_t_answer_is_none() -> None:
    assert "doesn't answer" in (why_no_display({"DISPLAY": ":9876"}) or "")
    assert "doesn't answer" in (why_no_display({"DISPLAY": "localhost:59000"}) or "")
    wayland = {"WAYLAND_DISPLAY": "wayland-9", "XDG_RUNTIME_DIR": "/nowhere"}
    assert "doesn't answer" in (why_no_display(wayland) or "")


def test_a_display_that_answers_is_used(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "w0"))
        server.listen()

        assert why_no_display({"WAYLAND_DISPLAY": "w0", "XDG_RUNTIME_DIR": str(tmp_path)}) is None


# Guards.


def test_this_qt_keeps_the_references_of_none() -> None:
    assert not references_fall()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="constants are immortal from 3.12 on")
def test_an_object_made_immortal_doesn_t_run_out_of_references() -> None:
    one = object()
    before = sys.getrefcount(one)
    make_immortal((one,))

    assert sys.getrefcount(one) - before == 1 << 60
    make_immortal_again_mortal(one)


def make_immortal_again_mortal(one: object) -> None:
    import ctypes

    ctypes.c_ssize_t.from_address(id(one)).value -= 1 << 60


class Clock:
    """A clock that stands still until told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collector(qapp: QObject, clock: Clock) -> Iterator[Collector]:
    thresholds, was_on = gc.get_threshold(), gc.isenabled()
    gc.enable()
    one = Collector(lambda: clock.now > 30, clock)
    yield one
    one.stop()
    gc.set_threshold(*thresholds)
    if not was_on:
        gc.disable()


def test_collection_is_off_and_stays_off(collector: Collector) -> None:
    assert not gc.isenabled()
    gc.enable()
    collector.tick()

    assert not gc.isenabled()


def test_young_garbage_is_collected_when_there_is_enough(collector: Collector) -> None:
    gc.set_threshold(1_000_000, 1_000_000, 1_000_000)
    assert collector.tick() is None
    gc.set_threshold(1, 1_000_000, 1_000_000)
    keep = [[number] for number in range(100)]
    assert collector.tick() == 0
    assert keep


def test_all_garbage_is_collected_when_idle_or_once_a_minute(
    collector: Collector, clock: Clock
) -> None:
    gc.set_threshold(1_000_000, 1_000_000, 1_000_000)
    clock.now = FULL_WHEN_IDLE + 1
    assert collector.tick() is None
    clock.now = FULL_EVERY + 1
    assert collector.tick() == 2
    assert collector.tick() is None
    clock.now += FULL_WHEN_IDLE
    assert collector.tick() == 2


def test_collection_is_on_again_after_the_window(collector: Collector) -> None:
    collector.stop()

    assert gc.isenabled()


def test_a_clean_end_leaves_no_crash_log(tmp_path: Path) -> None:
    was_on = faulthandler.is_enabled()
    log = CrashLog(tmp_path / "state")
    log.open()
    assert log.path.exists()
    log.close()

    assert not log.path.exists()
    if was_on:
        faulthandler.enable()


# The whole program.


def penstock_open(
    *arguments: str, folder: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m penstock_gui`` with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "penstock_gui", *arguments],
        env=environment(folder, **environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(folder: Path, **environ: str) -> dict[str, str]:
    homes = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "STATE")}
    paths = os.pathsep.join(str(ROOT / part) for part in ("engine", "gui"))
    return os.environ | homes | {"PYTHONPATH": paths} | environ


@pytest.mark.slow
def test_a_picture_of_the_running_census(tmp_path: Path) -> None:
    picture = tmp_path / "shot.png"
    arguments = ("example:code_census", "--run", "--screenshot", str(picture))
    done = penstock_open(*arguments, "--quit-after", "2", folder=tmp_path, **NO_DISPLAY)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1600, 1000)
    assert not list(tmp_path.rglob("*.ini"))
    assert not list(tmp_path.rglob("crash-*.log"))


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["light", "dark"])
def test_a_picture_is_in_the_kept_colours_unless_others_are_asked_for(
    tmp_path: Path, kept: str
) -> None:
    folder = tmp_path / "config" / "Penstock"
    folder.mkdir(parents=True)
    (folder / "penstock.ini").write_text(f"[General]\ntheme={kept}\n", encoding="ascii")
    other = "dark" if kept == "light" else "light"
    for more, shown in (([], kept), (["--theme", other], other)):
        picture = tmp_path / "shot.png"
        arguments = ("--screenshot", str(picture), "--quit-after", "0.2")
        done = penstock_open(*arguments, *more, folder=tmp_path, **NO_DISPLAY)

        assert (done.returncode, done.stderr) == (0, "")
        middle = QImage(str(picture)).pixelColor(800, 500)
        assert (middle.lightness() > 128) == (shown == "light")
    assert f"theme={kept}" in (folder / "penstock.ini").read_text(encoding="ascii")


@pytest.mark.slow
def test_a_bad_file_ends_a_silent_window_with_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.flow.json"
    bad.write_text("[]", encoding="utf-8")
    done = penstock_open(str(bad), "--quit-after", "1", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(bad) in done.stderr


@pytest.mark.slow
def test_no_display_ends_with_one_line(tmp_path: Path) -> None:
    done = penstock_open(folder=tmp_path, **NO_DISPLAY)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_platform_qt_can_t_load_ends_with_one_line(tmp_path: Path) -> None:
    done = penstock_open("--quit-after", "1", folder=tmp_path, QT_QPA_PLATFORM="nothing")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal, as Linux tells it."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_window_though_a_job_runs(
    tmp_path: Path, qtbot: QtBot, number: int
) -> None:
    command = [sys.executable, "-m", "penstock_gui", "example:code_census", "--run"]
    with subprocess.Popen(
        command, env=environment(tmp_path, QT_QPA_PLATFORM="offscreen"), stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        qtbot.waitUntil(lambda: catches(process.pid, signal.SIGTERM), timeout=20_000)
        qtbot.wait(1000)
        process.send_signal(number)
        code = process.wait(10)
        told = process.stderr.read()

    assert (code, told) == (128 + number, b"")


def test_what_is_answered_at_the_window_s_end_reaches_the_engine(qtbot: QtBot) -> None:
    heard: list[str] = []

    class Told(HostProcess):
        def choose(self, when_gone: WhenWindowGoes) -> None:
            heard.append(when_gone)

    desk = Desk(Theme("dark"), Settings(), Told(), "own", lambda folder: True)
    desk.window.jobs_left.emit("hold")
    desk.end(1.0)

    assert heard == ["hold"]


class Slow(HostProcess):
    """A link that is left only once it is let; what is drained after that began is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()
        self.closing = threading.Event()
        self.left_on: threading.Thread | None = None
        self.drained_late = False

    def drain(self) -> tuple[Told | Answer, ...]:
        self.drained_late |= self.closing.is_set()
        return super().drain()

    def close(self, timeout: float = 5.0) -> None:
        self.closing.set()
        if self.may_end.wait(timeout):
            super().close()
            self.left_on = threading.current_thread()


def test_other_windows_go_on_while_one_lets_its_engine_go(qtbot: QtBot) -> None:
    link = Slow()
    desk = Desk(Theme("dark"), Settings(), link, "own", lambda folder: True)
    desk.leave(20.0)

    assert desk.is_left
    assert not desk.is_over
    qtbot.wait(50)  # the bridge drains nothing meanwhile
    link.may_end.set()
    qtbot.waitUntil(lambda: desk.is_over, timeout=20_000)
    desk.end(1.0)

    assert link.left_on not in (None, threading.main_thread())
    assert not link.drained_late


def test_the_end_waits_until_the_engine_has_been_let_go(qtbot: QtBot) -> None:
    link = Slow()
    desk = Desk(Theme("dark"), Settings(), link, "own", lambda folder: True)

    def let() -> None:
        link.closing.wait(20)
        threading.Event().wait(0.2)  # as an engine takes its time
        link.may_end.set()

    letting = threading.Thread(target=let)
    letting.start()
    desk.end(20.0)

    assert link.left_on is not None
    letting.join()
