"""What it costs that jobs run in a process of their own.

    python tests/benchmarks/host.py [--rounds 5] [--holds 200] [--messages 300000]

One line of JSON: seconds from the window's start of a job to its being told as started, with the
host's own start in it; milliseconds from a hold in the engine to the window that shows it painted
(p50, p99), while nothing else runs and while workers compute; and messages a second of a chain of
routines with the window attached, as a share of those of a runtime that nobody watches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtWidgets import QApplication

from helpers.burning import chain_of, flow_of
from helpers.real_window import RealWindow, write_flow

WORKERS = 4
LENGTH = 5
PATIENCE = 60.0
HEADLESS = """
import json, sys
from pathlib import Path
from penstock import Flow, Runtime
with Runtime(workers=int(sys.argv[2])) as runtime:
    job = runtime.exec(Flow.load(Path(sys.argv[1])))
    job.wait(timeout=120)
    print(job.finished_at - job.started_at)
"""


def until(is_so: Callable[[], object]) -> None:
    """Let the event loop run until something is so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("it took too long")
        loop = QEventLoop()
        QTimer.singleShot(2, loop.quit)
        loop.exec()


def window(app: QApplication, flow: Path) -> RealWindow:
    """A window whose jobs run in their own process."""
    RealWindow.placement = "own"
    real = RealWindow(flow, WORKERS)
    real.theme.apply(app)
    real.session.trusted = lambda folder: True
    return real


def start_seconds(app: QApplication, flow: Path) -> float:
    """From the start of the first job until the window knows that it runs."""
    real = window(app, flow)
    told: list[float] = []
    real.bridge.job_started.connect(lambda job: told.append(time.perf_counter()))
    begin = time.perf_counter()
    real.session.run()
    until(lambda: told)
    real.close()
    return told[0] - begin


class Painted(QObject):
    """Notes when the canvas has been painted after a hold was told."""

    def __init__(self, real: RealWindow) -> None:
        super().__init__()
        self.delays: list[float] = []
        self._since: float | None = None
        self._real = real
        real.bridge.job_held.connect(self._on_held)
        real.window.view.viewport().installEventFilter(self)

    def _on_held(self, job_id: str) -> None:
        held = self._real.bridge.views[job_id].held
        if held is not None and job_id == self._real.session.job_id:
            self._since = held.time

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._since is not None:
            since, self._since = self._since, None
            # Painting is done when the event loop turns.
            QTimer.singleShot(0, self, lambda: self.delays.append(time.time() - since))
        return False


def hold_delays(app: QApplication, folder: Path, holds: int, *, busy: bool) -> dict[str, float]:
    """Step through a job; milliseconds until each hold is seen."""
    real = window(app, write_flow(folder / "steps.flow.json", chain_of(holds, 1)))
    if busy:
        burns = json.dumps(flow_of("Burns", WORKERS - 1, seconds=PATIENCE))
        real.client.start(burns)
        until(lambda: any(view.running for view in real.bridge.views.values()))
    painted = Painted(real)
    real.session.toggle_breakpoint("pass0")
    real.session.run()
    until(lambda: painted.delays)
    real.session.toggle_breakpoint("pass0")
    while len(painted.delays) < holds:
        before = len(painted.delays)
        real.session.step()
        until(lambda before=before: len(painted.delays) > before)  # type: ignore[misc]
    real.close()
    delays = sorted(delay * 1000 for delay in painted.delays)
    return {
        "p50": round(statistics.median(delays), 1),
        "p99": round(delays[len(delays) * 99 // 100], 1),
    }


def attached_seconds(real: RealWindow) -> float:
    """How long one more job of the flow runs, by the engine's clock.

    Told of its end, as looking again and again would take its share of the machine.
    """
    loop = QEventLoop()
    real.bridge.job_ended.connect(loop.quit)
    QTimer.singleShot(round(PATIENCE * 1000), loop, loop.quit)
    real.session.run()
    loop.exec()
    if not real.is_over():
        raise SystemExit("it took too long")
    return real.view_of().seconds


def headless_seconds(flow: Path) -> float:
    """How long a job of the flow runs where nobody watches."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-P", "-c", HEADLESS, str(flow), str(WORKERS)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(ended.stdout)


def throughput(app: QApplication, flow: Path, rounds: int) -> dict[str, float]:
    """Both by turns; the quickest of each, as others may use the machine, and how they compare."""
    real = window(app, flow)
    attached_seconds(real)
    pairs = [(attached_seconds(real), headless_seconds(flow)) for _ in range(rounds)]
    real.close()
    attached, headless = (min(each) for each in zip(*pairs, strict=True))
    return {
        "attached_s": round(attached, 2),
        "headless_s": round(headless, 2),
        "share": round(headless / attached, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--holds", type=int, default=200)
    parser.add_argument("--messages", type=int, default=300_000)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        flow = write_flow(folder / "chain.flow.json", chain_of(options.messages, LENGTH))
        starts = [start_seconds(app, flow) for _ in range(options.rounds)]
        figures = {
            "start_s": {
                "median": round(statistics.median(starts), 2),
                "max": round(max(starts), 2),
            },
            "hold_to_paint_ms": {
                "quiet": hold_delays(app, folder, options.holds, busy=False),
                "busy": hold_delays(app, folder, options.holds, busy=True),
            },
            "throughput": throughput(app, flow, options.rounds),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
