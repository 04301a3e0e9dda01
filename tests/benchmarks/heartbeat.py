"""How steadily the window's own thread beats while eight workers run the census.

    python tests/benchmarks/heartbeat.py [--workers 8] [--seconds 20]

A 16 ms timer in the real window (offscreen) notes the gaps between its ticks; one line of JSON
tells their p50, p99 and maximum in milliseconds, while idle and while the census runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from helpers.real_window import CENSUS, RealWindow

INTERVAL_MS = 16
IDLE_SECONDS = 2.0


class Heartbeat:
    """Gaps between the ticks of a timer, in milliseconds."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.gaps.clear()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> dict[str, float]:
        """Stop; p50, p99 and the longest gap."""
        self._timer.stop()
        gaps = sorted(self.gaps)
        return {
            "p50": round(gaps[len(gaps) // 2], 1),
            "p99": round(gaps[len(gaps) * 99 // 100], 1),
            "max": round(gaps[-1], 1),
            "ticks": len(gaps),
        }

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1000)
        self._last = now


def wait(seconds: float) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def run_jobs(real: RealWindow, seconds: float) -> tuple[int, float]:
    """Start the census again and again for that long; jobs that ended, and their rate of events."""
    rates: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        real.session.run()
        while real.session.mode != "idle" and time.monotonic() < end:
            wait(0.25)
            rates.append(real.bridge.events_per_second)
    ended = sum(view.is_over for view in real.bridge.views.values())
    return ended, sum(rates) / max(1, len(rates))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    app = QApplication(sys.argv[:1])
    real = RealWindow(CENSUS / "code_census.flow.json", options.workers)
    real.theme.apply(app)
    real.session.trusted = lambda folder: True
    beat = Heartbeat()
    wait(0.5)
    beat.start()
    wait(IDLE_SECONDS)
    idle = beat.stop()
    beat.start()
    ended, rate = run_jobs(real, options.seconds)
    running = beat.stop()
    lost = real.bridge.lost
    real.close()
    print(
        json.dumps(
            {
                "workers": options.workers,
                "idle_ms": idle,
                "census_ms": running,
                "jobs_ended": ended,
                "events_per_second": round(rate),
                "lost": lost,
            }
        )
    )


if __name__ == "__main__":
    main()
