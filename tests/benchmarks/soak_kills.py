"""Processes killed at moments chosen by chance: hosts under a window, and windows above a host.

    python tests/benchmarks/soak_kills.py [--hosts 100] [--windows 50] [--seed N]

A host killed at any moment of a census leaves the window alive, with all it knew; that is told
within a second, and the jobs it had start again with the same input. A window killed at any moment
leaves no host behind, also where a routine keeps the interpreter to itself. One line a failure,
one of JSON at the end; exit code 1 if there was any.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from helpers.burning import flow_of
from helpers.real_window import RealWindow, small_census, write_flow
from penstock.host import LOST
from penstock.observe import JobView

FILES = 150
LINES = 150
TOLD_SECONDS = 1.0
GONE_SECONDS = 8.0
STUCK_SECONDS = 25.0
PATIENCE = 60.0
WAYS = (signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
STUCK_ONE_OF = 5
_WINDOW = "import sys; from penstock.cli.main import main; sys.exit(main(sys.argv[1:]))"


def until(is_so: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Let the event loop run until something is so, or the time is over; whether it is."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        loop = QEventLoop()
        QTimer.singleShot(2, loop.quit)
        loop.exec()
    return True


def census(folder: Path) -> Path:
    """A flow file of the census over sources that keep it busy for a second or so."""
    for number in range(FILES):
        body = "".join(f"def f{line}(x):\n    return x if x else {line}\n" for line in range(LINES))
        (folder / f"m{number}.py").write_text(body, encoding="utf-8")
    return small_census(folder)


def known(view: JobView) -> dict[str, tuple[int, int]]:
    """What was seen of a job: activations and failures of each routine."""
    return {name: (count.activations, count.failures) for name, count in view.routines.items()}


def kill_hosts(folder: Path, times: int, chance: random.Random) -> list[str]:
    """Kill the window's host that often; what went wrong."""
    RealWindow.placement = "own"
    real = RealWindow(census(folder), workers=4)
    real.session.trusted = lambda folder: True
    wrong: list[str] = []
    engine = real.session.engine
    real.session.run()
    for number in range(times):
        where = f"host {number}"
        if not until(lambda: engine.up is not None):
            return [*wrong, f"{where}: no host has started"]
        up = engine.up
        assert up is not None
        until(lambda: False, chance.uniform(0.0, 1.5))
        before = {job: known(view) for job, view in real.bridge.views.items()}
        over = {job: view.status for job, view in real.bridge.views.items() if view.is_over}
        os.kill(up.pid, chance.choice(WAYS))
        if not until(lambda: engine.gone is not None, TOLD_SECONDS):
            wrong.append(f"{where}: not told within {TOLD_SECONDS} s")
            until(lambda: engine.gone is not None)
        for job, counts in before.items():
            view = real.bridge.views[job]
            if any(known(view)[name] < seen for name, seen in counts.items()):
                wrong.append(f"{where}: what was known of job {job} is lost")
            if not view.is_over or over.get(job, view.status) != view.status:
                wrong.append(f"{where}: job {job} is {view.status}, and was {over.get(job)}")
        if Path(f"/proc/{up.pid}").exists():
            wrong.append(f"{where}: process {up.pid} is still there")
        if real.session.lost_jobs:
            real.session.restart_lost()
        else:
            real.session.run()
    if not until(lambda: real.session.view is not None and real.session.view.is_over):
        wrong.append("the last job hasn't ended")
    elif real.view_of().status != "COMPLETED":
        wrong.append(f"the last job is {real.view_of().status}")
    lost = sum(view.status == LOST for view in real.bridge.views.values())
    real.close()
    print(f"{times} hosts killed, {lost} jobs lost, {len(wrong)} faults", file=sys.stderr)
    return wrong


def marked(mark: str) -> list[int]:
    """Processes that have the mark in their environment and live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                state = path.with_name("stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kill_windows(folder: Path, times: int, chance: random.Random) -> list[str]:
    """Kill that many windows that run something; the hosts they left behind."""
    busy = census(folder)
    stuck = write_flow(folder / "stuck.flow.json", flow_of("Sums", 8, many=10**12))
    wrong = []
    for number in range(times):
        is_stuck = number % STUCK_ONE_OF == STUCK_ONE_OF - 1
        mark = f"PENSTOCK_SOAK={uuid.uuid4().hex}"
        name, _, value = mark.partition("=")
        flow = stuck if is_stuck else busy
        window = subprocess.Popen(
            [sys.executable, "-c", _WINDOW, "open", str(flow), "--run", "--quit-after", "600"],
            env=os.environ | {name: value},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE
        while len(marked(mark)) < 2 and window.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(2.0, 3.0) if is_stuck else chance.uniform(0.0, 2.0))
        if len(marked(mark)) < 2:
            wrong.append(f"window {number}: no host has started")
        window.kill()
        window.wait()
        end = time.monotonic() + (STUCK_SECONDS if is_stuck else GONE_SECONDS)
        while (left := marked(mark)) and time.monotonic() < end:
            time.sleep(0.01)
        if left:
            wrong.append(f"window {number}{' (stuck)' if is_stuck else ''}: {left} left behind")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    print(f"{times} windows killed, {len(wrong)} faults", file=sys.stderr)
    return wrong


def main() -> int:
    """Soak, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--windows", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        wrong = kill_hosts(Path(one), options.hosts, chance)
        wrong += kill_windows(Path(other), options.windows, chance)
    app.processEvents()
    for line in wrong:
        print(line, file=sys.stderr)
    figures = {"hosts": options.hosts, "windows": options.windows, "seed": options.seed}
    print(json.dumps(figures | {"faults": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
