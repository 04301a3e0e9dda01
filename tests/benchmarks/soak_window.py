"""The window doesn't crash: 5,000 signal emissions, then a minute of running the census.

    python tests/benchmarks/soak_window.py [--seconds 60]

Exit code 0 and one line when all went well; a crash ends the process with its own code.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

from helpers.real_window import CENSUS, RealWindow

EMISSIONS = 5_000
PAUSE_EVERY = 3.0


class Bell(QObject):
    rung = Signal(int)


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


def use(real: RealWindow, seconds: float) -> tuple[int, int]:
    """Run, pause, step, go on, look at nodes and threads; jobs started and faults seen."""
    end = time.monotonic() + seconds
    jobs, turn = 0, 0
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
    return jobs, real.bridge.lost


def main() -> int:
    """Soak, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    faulthandler.enable()
    errors: list[str] = []
    sys.excepthook = lambda kind, error, trace: errors.append(f"{kind.__name__}: {error}")
    app = QApplication(sys.argv[:1])
    heard = ring(EMISSIONS)
    real = RealWindow(CENSUS / "code_census.flow.json", 8)
    real.theme.apply(app)
    real.session.trusted = lambda folder: True
    jobs, lost = use(real, options.seconds)
    real.close()
    print(
        f"{heard:,} emissions heard, {options.seconds:.0f} s of a running window, {jobs} jobs,"
        f" {lost:,} display events lost, {len(errors)} errors"
    )
    for error in errors[:5]:
        print(error, file=sys.stderr)
    return 1 if errors or heard != EMISSIONS else 0


if __name__ == "__main__":
    sys.exit(main())
