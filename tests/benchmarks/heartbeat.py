"""How steadily the window's own thread beats while routines compute, here or in their own process.

    python tests/benchmarks/heartbeat.py [--workers 8] [--seconds 20]
        [--placement own|window] [--load census,python,sum,regex]

A 16 ms timer in the real window (offscreen) notes the gaps between its ticks. For each load one
line of JSON tells their p50, p99 and maximum in milliseconds, while idle and under the load, and
the p99 of what the thread itself computed in one: a longer gap is the machine's. The loads are the
census; as many bodies of pure Python as there are workers; `sum(range(4 * 10**8))`; and a
pattern that backtracks for seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication, QDockWidget

from helpers.burning import flow_of
from helpers.real_window import CENSUS, RealWindow, write_flow

INTERVAL_MS = 16
IDLE_SECONDS = 2.0
LOADS = ("census", "python", "sum", "regex")
MANY = 100_000


class Heartbeat:
    """Gaps between the ticks of a timer, and what this thread computed in them: milliseconds."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.computed: list[float] = []
        self._last = self._last_cpu = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.gaps.clear()
        self.computed.clear()
        self._last, self._last_cpu = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> dict[str, float]:
        """Stop; p50, p99 and the longest gap."""
        self._timer.stop()
        gaps, computed = sorted(self.gaps), sorted(self.computed)
        return {
            "p50": round(gaps[len(gaps) // 2], 1),
            "p99": round(gaps[len(gaps) * 99 // 100], 1),
            "max": round(gaps[-1], 1),
            "computed_p99": round(computed[len(computed) * 99 // 100], 1),
            "ticks": len(gaps),
        }

    def _beat(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        self.gaps.append((now - self._last) * 1000)
        self.computed.append((cpu - self._last_cpu) * 1000)
        self._last, self._last_cpu = now, cpu


def wait(seconds: float) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def flow_file(load: str, workers: int, folder: Path) -> Path:
    """The flow of a load, as a file."""
    if load == "census":
        return CENSUS / "code_census.flow.json"
    flow = {
        "python": lambda: flow_of("Burns", MANY, seconds=0.5),
        "sum": lambda: flow_of("Sums", MANY),
        "regex": lambda: flow_of("Matches", MANY),
    }[load]()
    return write_flow(folder / f"{load}.flow.json", flow)


def run_jobs(real: RealWindow, seconds: float) -> tuple[int, float]:
    """Start the flow again and again for that long; jobs started, and their rate of events."""
    rates: list[float] = []
    started = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        real.session.run()
        started += 1
        while real.session.mode != "idle" and time.monotonic() < end:
            wait(0.25)
            rates.append(real.bridge.events_per_second)
    return started, sum(rates) / max(1, len(rates))


def measure(app: QApplication, load: str, workers: int, seconds: float) -> dict[str, object]:
    """One window under one load."""
    with tempfile.TemporaryDirectory() as folder:
        real = RealWindow(flow_file(load, workers, Path(folder)), workers)
        real.theme.apply(app)
        real.session.trusted = lambda folder: True
        for dock in real.window.findChildren(QDockWidget):
            dock.show()
        beat = Heartbeat()
        wait(0.5)
        beat.start()
        wait(IDLE_SECONDS)
        idle = beat.stop()
        beat.start()
        started, rate = run_jobs(real, seconds)
        running = beat.stop()
        lost = real.bridge.lost
        real.close()
    return {
        "placement": real.placement,
        "load": load,
        "workers": workers,
        "idle_ms": idle,
        "loaded_ms": running,
        "jobs_started": started,
        "events_per_second": round(rate),
        "lost": lost,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--placement", choices=("own", "window"), default="own")
    parser.add_argument("--load", default=",".join(LOADS))
    options = parser.parse_args()
    RealWindow.placement = options.placement
    app = QApplication(sys.argv[:1])
    for load in options.load.split(","):
        print(json.dumps(measure(app, load, options.workers, options.seconds)), flush=True)


if __name__ == "__main__":
    main()
