"""How long it takes until a window that attaches to a program shows all there is to be seen.

    python tests/benchmarks/attach.py [--rounds 10]

A program of its own has three jobs and listens: one works on, one waits, one is held before a
routine, with a message for it. In each round a real window (offscreen) is made, attaches, and is
compared with what the program says of its jobs: their states and counters, where the one is held
and with which message, and that job's flow, painted. Then the program pauses the job that works,
and the counters of all three must be its own.

One line of JSON: seconds from before there is a window until the picture is complete and right
(p50, max). Exit code 1 where one takes more than `MUST_SECONDS`, or is never right.
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
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtWidgets import QApplication

from penstock.host import Attached, Listening, listening
from penstock.observe import JobView
from penstock_gui.app.desk import Desk
from penstock_gui.canvas.looks import look_of
from penstock_gui.docks.jobs import JobsPanel
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme

MUST_SECONDS = 0.5
PATIENCE = 10.0
Said = dict[str, Any]
PROGRAM = """
import json, sys, threading
from dataclasses import asdict
from time import monotonic
from penstock import Event, Flow, Routine, Runtime, Slot
from penstock.debug import Breakpoint, Debugger
from penstock.host import listen

judged = []
enough = threading.Event()

class Orders(Routine):
    order = Event(str)
    def logic(self):
        number = 0
        while not self.cancelled:
            self.order.emit(f"order {number}")
            number += 1
            self.sleep(0.002)

class Judge(Routine):
    order = Slot(str, capacity=8)
    accepted = Event(str)
    def logic(self, order):
        judged.append(order)
        if len(judged) == 5:
            enough.set()
            breakpoints.replace((Breakpoint(1, "judge"),))
        self.accepted.emit(order)

class Ship(Routine):
    order = Slot(str)
    def logic(self, order):
        pass

class Tick(Routine):
    number = Event(int)
    def logic(self):
        number = 0
        while not self.cancelled:
            self.number.emit(number)
            number += 1
            self.sleep(0.005)

class Add(Routine):
    number = Slot(int)
    def logic(self, number):
        pass

class Watch(Routine):
    number = Event(int)
    def logic(self):
        for number in range(100):
            self.number.emit(number)
        while not self.cancelled:
            self.sleep(0.05)

def flow(name, routines, *connections):
    made = Flow(name)
    for routine_id, routine in routines.items():
        made.add(routine_id, routine)
    for connection in connections:
        made.connect(*connection)
    return made

def become(status, job):
    end = monotonic() + 10
    while job.status.value != status and monotonic() < end:
        threading.Event().wait(0.005)

def said():
    told = {}
    for job in jobs:
        seen = job.snapshot()
        told[job.id] = {
            "flow": seen.flow,
            "status": seen.status.value,
            "routines": {name: asdict(count) for name, count in seen.routines.items()},
        }
    held = debugger.wait_held(jobs[1].id, 10)
    told[held.job_id]["held"] = [held.place, held.why, f"order {len(judged)}"]
    return told

with Runtime(workers=4) as runtime, listen(runtime, name=sys.argv[1]):
    debugger = Debugger(runtime)
    breakpoints = debugger.breakpoints
    jobs = [
        runtime.exec(one)
        for one in (
            flow("works", {"tick": Tick(), "add": Add()}, ("tick.number", "add.number")),
            flow(
                "orders",
                {"orders": Orders(), "judge": Judge(), "ship": Ship()},
                ("orders.order", "judge.order"),
                ("judge.accepted", "ship.order"),
            ),
            flow("waits", {"watch": Watch(), "add": Add()}, ("watch.number", "add.number")),
        )
    ]
    enough.wait(10)
    become("PAUSED", jobs[1])
    for line in sys.stdin:
        if line.strip() == "pause":
            runtime.jobs.pause(jobs[0].id)
            become("PAUSED", jobs[0])
        elif line.strip() == "resume":
            runtime.jobs.resume(jobs[0].id)
            become("RUNNING", jobs[0])
        print(json.dumps(said()), flush=True)
"""
WIRES = {"orders.order -> judge.order", "judge.accepted -> ship.order"}


class Program:
    """The other process; it answers each line with what it says of its jobs."""

    def __init__(self, name: str, folder: Path) -> None:
        script = folder / "orders.py"
        script.write_text(PROGRAM, encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, str(script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, command: str = "") -> Said:
        """Have it do something; what it says then."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{command}\n")
        stdin.flush()
        said: Said = json.loads(stdout.readline())
        return said

    def end(self) -> None:
        """End it, by force where it must be."""
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Canvas(QObject):
    """Notes at each painting of a window's canvas whether what is painted is right."""

    def __init__(self, desk: Desk, said: Said) -> None:
        super().__init__()
        self.is_right = False
        self._desk = desk
        self._said = said
        desk.window.view.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.is_right = self._shows_it()
        return False

    def _shows_it(self) -> bool:
        """Whether the flow of the held job is there, in view, each routine as it is."""
        session, graph = self._desk.session, self._desk.window.view.graph
        view = session.view
        if view is None or "held" not in self._said.get(view.job_id, ()):
            return False
        told = self._said[view.job_id]
        place, _, message = told["held"]
        held = graph.nodes[place].picture.look.held if place in graph.nodes else None
        return (
            set(graph.nodes) == set(told["routines"])
            and {str(wire) for wire in graph.edges} == WIRES
            and all(graph.in_view.contains(node.body) for node in graph.nodes.values())
            and all(node.picture.look == look_of(view, i) for i, node in graph.nodes.items())
            and held is not None
            and message in held.text
        )


def counters(view: JobView) -> Said:
    """What a window knows of each routine, as the program says it."""
    return {routine: asdict(count) for routine, count in view.routines.items()}


def agrees(view: JobView | None, told: Said, *, moves: bool) -> bool:
    """Whether a window's picture of a job is the program's, or later if the job `moves`."""
    if view is None or (view.flow, view.status) != (told["flow"], told["status"]):
        return False
    if "held" in told:
        place, why, message = told["held"]
        held = view.held
        if held is None or (held.place, held.why) != (place, why):
            return False
        if [one.value.text for one in held.messages] != [repr(message)]:
            return False
    if not moves:
        is_same: bool = counters(view) == told["routines"]
        return is_same
    return set(view.routines) == set(told["routines"]) and all(
        view.routines[routine].activations >= count["activations"]
        and all(view.routines[routine].emitted[e] >= n for e, n in count["emitted"].items())
        for routine, count in told["routines"].items()
    )


def until(is_so: Callable[[], object]) -> bool:
    """Let the event loop run until something is so, or the patience is over; whether it is."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            return False
        loop = QEventLoop()
        QTimer.singleShot(2, loop.quit)
        loop.exec()
    return True


def attach(theme: Theme, info: Listening, program: Program) -> float | None:
    """Attach a window and leave; seconds until its picture was right, None if it never was."""
    said = program.say()
    works = min(said, key=int)
    begin = time.perf_counter()
    desk = Desk(theme, Settings(), Attached(info, "hold"), "attached", lambda folder: False)
    desk.window.resize(1600, 1000)
    desk.window.show()
    canvas, views = Canvas(desk, said), desk.bridge.views
    (jobs,) = desk.window.findChildren(JobsPanel)

    def is_complete() -> bool:
        return (
            canvas.is_right
            and set(views) == set(said)
            and {line.job_id for row in range(3) if (line := jobs.model.line(row))} == set(said)
            and all(agrees(views[job], told, moves=job == works) for job, told in said.items())
        )

    is_right = until(is_complete)
    seconds = time.perf_counter() - begin
    still = program.say("pause")
    is_right &= until(lambda: all(counters(views[j]) == still[j]["routines"] for j in still))
    desk.end(PATIENCE)
    program.say("resume")
    return seconds if is_right else None


def found(name: str) -> Listening | None:
    """The program, once it listens."""
    return next((info for info in listening() if info.name == name), None)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    app = QApplication(sys.argv[:1])
    theme = Theme("dark")
    theme.apply(app)
    name = f"orders {os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        program = Program(name, Path(folder))
        try:
            until(lambda: found(name))
            info = found(name)
            if info is None:
                raise SystemExit("the program doesn't listen")
            rounds = [attach(theme, info, program) for _ in range(options.rounds)]
        finally:
            program.end()
    right = sorted(seconds for seconds in rounds if seconds is not None)
    figures = {
        "rounds": options.rounds,
        "wrong": len(rounds) - len(right),
        "attach_s": {
            "p50": round(statistics.median(right), 3) if right else None,
            "max": round(right[-1], 3) if right else None,
        },
        "must_s": MUST_SECONDS,
    }
    print(json.dumps(figures))
    return 0 if len(right) == len(rounds) and right[-1] <= MUST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
