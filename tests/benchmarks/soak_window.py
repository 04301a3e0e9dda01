"""The window doesn't crash: 5,000 signal emissions, then a minute of use while its jobs run.

    python tests/benchmarks/soak_window.py [--seconds 60] [--placement own|window]

Jobs run in a process of their own, or in the window's. They are the census, again and again; a
chain that passes messages as fast as it can; and two bodies at a time that compute. Meanwhile the
census is paused, stepped and resumed, and the window looks elsewhere and changes its colours.

The window is a process of its own, so that its end is seen, too. One line of JSON; exit code 1
unless there was no crash of window or engine, no warning of Qt's, no error, and no line in the
terminal of either. What is told as lost are counters that newer ones overtook.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import (
    QEventLoop,
    QMessageLogContext,
    QObject,
    QTimer,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from helpers.burning import chain_of, flow_of
from helpers.real_window import CENSUS, RealWindow, write_flow
from penstock.host import HostGone
from penstock_gui.app.qt_messages import NOISE

EMISSIONS = 5_000
PAUSE_EVERY = 3.0
WORKERS = 8
MANY = 10_000_000
BURNING = 0.02
FAULTS = ("crashes", "qt_warnings", "errors", "said")


class Bell(QObject):
    rung = Signal(int)


def is_noise(text: str) -> bool:
    """Whether that is what Qt's offscreen platform says of itself."""
    return any(noise in text for noise in NOISE)


class Warnings:
    """What Qt complains of; it is also written to the terminal."""

    def __init__(self) -> None:
        self.count = 0
        qInstallMessageHandler(self._on_message)

    def _on_message(self, kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
        if kind in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) or is_noise(text):
            return
        self.count += 1
        print(f"Qt: {text}", file=sys.stderr)


def ring(times: int) -> int:
    """Emit that often; how often it was heard."""
    bell = Bell()
    heard: list[int] = []
    bell.rung.connect(heard.append)
    for number in range(times):
        bell.rung.emit(number)
    return len(heard)


def wait(seconds: float) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def use(real: RealWindow, seconds: float) -> tuple[int, float]:
    """Run, pause, step, go on, look at nodes and threads; jobs started and their rate of events."""
    end = time.monotonic() + seconds
    jobs, turn, rates = 0, 0, 0.0
    ids = real.document.ids()
    while time.monotonic() < end:
        turn += 1
        mode = real.session.mode
        if mode == "idle":
            jobs += 1
            real.session.run()
        elif mode == "held":
            real.session.step() if turn % 3 else real.session.resume()
        elif mode == "running" and turn % round(PAUSE_EVERY / 0.1) == 0:
            real.session.pause()
        real.session.select_routine(ids[turn % len(ids)], centre=turn % 7 == 0)
        if turn % 50 == 0:
            real.theme.use("light" if real.theme.name == "dark" else "dark")
        wait(0.1)
        rates += real.bridge.events_per_second
    return jobs, rates / max(1, turn)


def soak(seconds: float, placement: str) -> dict[str, Any]:
    """Be the window for so long; what there is to tell of it."""
    faulthandler.enable()
    errors: list[str] = []
    sys.excepthook = lambda kind, error, trace: errors.append(f"{kind.__name__}: {error}")
    warnings = Warnings()
    app = QApplication(sys.argv[:1])
    heard = ring(EMISSIONS)
    RealWindow.placement = "own" if placement == "own" else "window"
    with tempfile.TemporaryDirectory() as made:
        real = RealWindow(CENSUS / "code_census.flow.json", WORKERS)
        real.theme.apply(app)
        real.session.trusted = lambda folder: True
        gone: list[HostGone] = []
        real.bridge.host_gone.connect(gone.append)
        for flow in (chain_of(MANY, 3), flow_of("Burns", MANY, seconds=BURNING)):
            real.client.start(write_flow(Path(made) / "busy.flow.json", flow).read_text())
        jobs, rate = use(real, seconds)
        lost = real.bridge.lost
        real.close()
        app.processEvents()
        gone += [told for told in real.client.drain(ask=False) if isinstance(told, HostGone)]
    if heard != EMISSIONS:
        errors.append(f"{heard} of {EMISSIONS} emissions were heard")
    qInstallMessageHandler(None)
    for text in (*errors[:5], *(end.output for end in gone)):
        print(text, end="\n" if text else "", file=sys.stderr)
    return {
        "jobs": jobs,
        "events_per_second": round(rate),
        "crashes": sum(not end.asked for end in gone),
        "qt_warnings": warnings.count,
        "errors": len(errors),
        "lost": lost,
    }


def main() -> int:
    """Soak, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--placement", choices=("own", "window"), default="own")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(soak(options.seconds, options.placement)))
        return 0
    ended = subprocess.run(
        [sys.executable, __file__, "--inside", *sys.argv[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stderr.write(ended.stderr)
    said = [line for line in ended.stderr.splitlines() if line and not is_noise(line)]
    told = json.loads(ended.stdout.splitlines()[-1]) if ended.stdout.strip() else {"crashes": 0}
    told["crashes"] += ended.returncode != 0
    figures = {
        "python": platform.python_version(),
        "placement": options.placement,
        "seconds": options.seconds,
        **told,
        "said": len(said),
    }
    print(json.dumps(figures))
    return 1 if any(figures.get(fault, 1) for fault in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
