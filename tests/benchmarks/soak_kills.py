"""Processes killed at moments chosen by chance: hosts under a window, and windows above a host.

    python tests/benchmarks/soak_kills.py [--hosts 100] [--windows 50] [--seed N]

A host killed at any moment of a census leaves the window alive, with all it knew; that is told
within a second, and the jobs it had start again with the same input. A window killed at any moment
leaves no host behind that is to end with it, also where a routine keeps the interpreter to itself.
One that is to stay has its job go on, or keeps it held for the next window, and is gone with it.
One line a failure, one of JSON at the end; exit code 1 if there was any.
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
from helpers.dying import FOLDER as NOTING
from helpers.real_window import RealWindow, small_census, write_flow
from penstock.host import (
    LOST,
    Attached,
    EngineClient,
    LaunchSettings,
    Listening,
    WhenWindowGoes,
    launch_file,
    listening,
    save_launch,
)
from penstock.observe import EngineEvent, JobView

FILES = 150
LINES = 150
TOLD_SECONDS = 1.0
GONE_SECONDS = 8.0
STUCK_SECONDS = 25.0
PATIENCE = 60.0
WAYS = (signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
STUCK_ONE_OF = 5
POLICIES: tuple[WhenWindowGoes, ...] = ("end", "resume", "hold")
PAUSED_WITHIN = 1.0
ENOUGH = 10
HELD_FOR = 0.3
_WINDOW = """
import sys
from PySide6.QtCore import QTimer
from penstock.cli.main import main
from penstock_gui.session import Session

def watched(self, *given, make=Session.__init__):
    make(self, *given)
    self.bridge.job_started.connect(lambda job: print("started", flush=True))
    self.bridge.job_held.connect(lambda job: print("held", flush=True))
    self.bridge.job_started.connect(lambda job: QTimer.singleShot(pause_after, self.pause))

pause_after = round(1000 * float(sys.argv.pop(1)))
Session.__init__ = watched
sys.exit(main(sys.argv[1:]))
"""
"""A person before it pauses the job after so many seconds."""


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
    """Kill that many windows, with each of the policies; what went wrong with their hosts."""
    census(folder)
    stuck = write_flow(folder / "stuck.flow.json", flow_of("Sums", 8, many=10**12))
    wrong, held = [], 0
    for number in range(times):
        policy = POLICIES[number % len(POLICIES)]
        is_stuck = policy == "end" and number % STUCK_ONE_OF == 0
        trace = folder / f"trace{number}"
        one = Killed(stuck if is_stuck else noted_census(folder, trace), policy)
        try:
            end = STUCK_SECONDS if is_stuck else GONE_SECONDS
            faults = one.kill(chance) or one.follow(trace, end)
        finally:
            one.clear()
        held += one.was_held
        where = f"window {number} ({policy}{', stuck' if is_stuck else ''})"
        wrong += [f"{where}: {fault}" for fault in faults]
    if times >= ENOUGH and not held:
        wrong.append("no window has ever held a job")
    print(f"{times} windows killed, {held} held a job, {len(wrong)} faults", file=sys.stderr)
    return wrong


def noted_census(folder: Path, trace: Path) -> Path:
    """The census, which leaves a file when it is over."""
    path = folder / "census.flow.json"
    flow = json.loads(path.read_text(encoding="utf-8"))
    flow["folders"] = [flow["folders"][0], str(NOTING)]
    flow["routines"]["notes"] = {"type": "dying:Notes", "config": {"path": str(trace)}}
    flow["connections"] = [*flow["connections"], "report.totals -> notes.what"]
    return write_flow(folder / "noted.flow.json", flow)


class Killed:
    """A window with a policy, and what becomes of its host once it is killed."""

    def __init__(self, flow: Path, policy: WhenWindowGoes) -> None:
        self._flow = flow
        self._policy = policy
        self._mark = f"PENSTOCK_SOAK={uuid.uuid4().hex}"
        save_launch(LaunchSettings(when_window_goes=policy), launch_file(flow))
        self._said = b""

    @property
    def was_held(self) -> bool:
        """Whether the window had told that its job was held."""
        return b"held" in self._said

    def kill(self, chance: random.Random) -> list[str]:
        """Start it, and kill it at a moment chosen by chance."""
        name, _, value = self._mark.partition("=")
        pause_after = str(chance.uniform(0.0, PAUSED_WITHIN))
        options = ["open", str(self._flow), "--run", "--quit-after", "600"]
        window = subprocess.Popen(
            [sys.executable, "-c", _WINDOW, pause_after, *options],
            env=os.environ | {name: value, "PYTHONPATH": str(NOTING.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: len(self._left()) > 1 or window.poll() is not None, PATIENCE)
        time.sleep(chance.uniform(0.0, 2.5))  # a moment that chance picks, to kill at
        has_host = len(self._left()) > 1
        window.kill()
        self._said, _ = window.communicate()
        return [] if has_host else ["no host has started"]

    def follow(self, trace: Path, seconds: float) -> list[str]:
        """See to its host's end, within so many seconds of when that is due."""
        wrong = []
        if self._policy == "hold" and b"started" in self._said and not trace.exists():
            wrong += self._let_go(trace)
        if self._policy != "end" and b"started" in self._said:
            if not wait_until(trace.exists, PATIENCE):
                wrong.append("its job hasn't gone on to its end")
        elif self._policy == "end" and trace.exists() and self.was_held:
            wrong.append("a held job has gone on")
        if not wait_until(lambda: not self._left(), seconds):
            wrong.append(f"{self._left()} left behind")
        return wrong

    def clear(self) -> None:
        """Leave nothing."""
        for pid in self._left():
            os.kill(pid, signal.SIGKILL)

    def _left(self) -> list[int]:
        return marked(self._mark)

    def _let_go(self, trace: Path) -> list[str]:
        """Look twice at the job that is held, as two windows, and have it go on.

        It may be held though its window hadn't heard of that yet.
        """
        found: list[Listening] = []

        def look() -> bool:
            left = self._left()
            found[:] = [one for one in listening() if one.pid in left]
            return bool(found) or trace.exists()

        if not wait_until(look, GONE_SECONDS):
            return ["its host doesn't listen"]
        looks = [look_at_held(one, trace, last) for one in found for last in (False, True)]
        is_held = bool(looks) and all(looks)
        return ["its job isn't held any more"] if self.was_held and not is_held else []


def look_at_held(info: Listening, trace: Path, lets_go: bool) -> bool:
    """Be another window, and have a held job go on or leave it as it is; whether it was held."""
    client = EngineClient(link=Attached(info, "hold"))
    view = JobView("1")

    def is_held() -> bool:
        for told in client.drain():
            if isinstance(told, EngineEvent) and told.job_id == "1":
                view.apply(told)
        return view.held is not None

    try:
        was_held = wait_until(lambda: is_held() or trace.exists(), GONE_SECONDS) and is_held()
        if was_held and lets_go:
            client.resume()
            wait_until(lambda: not is_held(), GONE_SECONDS)
        elif was_held:
            time.sleep(HELD_FOR)  # time in which it could go on, were it not held
        return was_held
    finally:
        client.close()


def wait_until(is_so: Callable[[], object], seconds: float) -> bool:
    """Whether something is so within so many seconds."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)  # nobody tells what other processes do; there is a deadline
    return True


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
    app.processEvents()  # closed windows are deleted before the application goes
    for line in wrong:
        print(line, file=sys.stderr)
    figures = {"hosts": options.hosts, "windows": options.windows, "seed": options.seed}
    print(json.dumps(figures | {"faults": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
