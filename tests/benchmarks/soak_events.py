"""A flood of events for a minute: what isn't shown is counted exactly, and memory stays flat.

    python tests/benchmarks/soak_events.py [--seconds 60]

A program of its own listens and runs a flow of at least 100,000 activations and messages a second,
with failures and printed lines by the thousand; a real window (offscreen) is attached. In each
quarter of the time the window's thread stands still for a while, so that what comes isn't fetched;
and the window's whole process does, so that nothing is read and the program has to let go of
something. As long again it has gone on before, as logs have to fill up.

Routines and an instrument in the program count for themselves. What came and what was told as lost
must add up to what there was, to the last one; counters at the end must be the routines' own; the
flow must go on while the window stands still; and neither process may need more memory in the last
quarter than in the first, but for `GROWTH_MB`.

One line of JSON; exit code 1 if anything of this isn't so. In much less than a minute the window
loses little, which is told as a fault, too. Needs Linux: it reads ``/proc``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from penstock import Continue, Event, Flow, Routine, Runtime, Slot
from penstock.host import Answer, Attached, Listening, Printed, Told, listen, listening
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    Instrument,
    JobEnded,
    JobProgress,
    JobStarted,
    JobView,
)
from penstock_gui.app.desk import Desk
from penstock_gui.app.guards import share_the_interpreter
from penstock_gui.settings import Settings
from penstock_gui.theme import Theme

MUST_PER_SECOND = 100_000
GROWTH_MB = 5.0
LONGEST_GAP = 1.0
QUARTERS = 4
PATIENCE = 60.0
WORKERS = 2
BATCH = 1_000
BEAT = 0.005
RARE = 16
"""One number of so many fails, another one is printed."""
STANDS = 0.40
FROZEN = 0.20
"""Parts of a quarter in which the window's thread stands still, and then its process."""
SAMPLE_SECONDS = 0.1
FAILED = "this is number "

# The program. Its routines run one at a time each, so they count without a lock.

counts: Counter[str] = Counter()
gaps = {"longest_gap": 0.0}


class Numbers(Routine):
    """Emits numbers until it is stopped, a thousand at a time; some are failed on or printed."""

    number = Event(int)
    bad = Event(int)
    line = Event(int)
    seconds = 0.0

    def logic(self) -> Iterator[None]:
        last = time.monotonic()
        end = last + self.seconds
        while last < end:
            for _ in range(BATCH):
                number = counts["numbers"] = counts["numbers"] + 1
                self.number.emit(number)
                if number % RARE == 0:
                    self.bad.emit(number // RARE)
                elif number % RARE == 1:
                    self.line.emit(number)
            self.sleep(BEAT)
            now = time.monotonic()
            gaps["longest_gap"] = max(gaps["longest_gap"], now - last)
            last = now
            yield


class Passes(Routine):
    """Hands a number on."""

    number = Slot(int)
    passed = Event(int)

    def logic(self, number: int) -> None:
        counts["passes"] += 1
        self.passed.emit(number)


class Takes(Routine):
    """Where numbers end."""

    number = Slot(int)

    def logic(self, number: int) -> None:
        counts["takes"] += 1


class Fails(Routine):
    """Fails on each number, and says on which."""

    number = Slot(int)
    on_error = Continue()

    def logic(self, number: int) -> None:
        counts["fails"] += 1
        raise ValueError(f"{FAILED}{number}")


class Prints(Routine):
    """Prints a line for each number."""

    number = Slot(int)

    def logic(self, number: int) -> None:
        line = f"{number:>15} {'-' * 48}\n"
        counts["prints"] += 1
        counts["characters"] += len(line)
        sys.stdout.write(line)


class Counting(Instrument):
    """Counts what a window is to hear of the engine: counters only where they have changed."""

    def __init__(self) -> None:
        self.events = 0
        self._last: tuple[Any, ...] = ()

    def on_job_started(self, event: JobStarted) -> None:
        self.events += 1

    def on_job_progress(self, event: JobProgress) -> None:
        now = event.status, event.running, event.routines, event.stalled
        self.events += now != self._last or event.status == "COMPLETED"
        self._last = now

    def on_activation_failed(self, event: ActivationFailed) -> None:
        self.events += 1

    def on_job_ended(self, event: JobEnded) -> None:
        self.events += 1


def flood(seconds: float) -> Flow:
    """The flow; it ends by itself after so long."""
    Numbers.seconds = seconds
    flow = Flow("flood")
    for routine in (Numbers(), Passes(), Takes(), Fails(), Prints()):
        flow.add(type(routine).__name__.lower(), routine)
    flow.connect("numbers.number", "passes.number")
    flow.connect("passes.passed", "takes.number")
    flow.connect("numbers.bad", "fails.number")
    flow.connect("numbers.line", "prints.number")
    return flow


def be_program(name: str, seconds: float, answer: Path) -> None:
    """Listen; line by line, run the flow and write down what was counted; print; end."""
    told = Counting()
    with Runtime(WORKERS, instruments=[told]) as runtime, listen(runtime, name=name, output=True):
        sys.stdin.readline()
        runtime.exec(flood(seconds)).wait()
        half = answer.with_suffix(".half")
        half.write_text(json.dumps(counts | {"events": told.events} | gaps))
        half.replace(answer)
        sys.stdin.readline()
        sys.stdout.write("over\n")
        sys.stdin.readline()


class Program:
    """The other process, whose output goes nowhere but to the window."""

    def __init__(self, name: str, seconds: float, folder: Path) -> None:
        self._answer = folder / "counted.json"
        told = [name, str(seconds), str(self._answer)]
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--program", *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def said(self) -> dict[str, Any] | None:
        """What it has counted, once the flow has ended."""
        if not self._answer.exists():
            return None
        said: dict[str, Any] = json.loads(self._answer.read_text())
        return said

    def go_on(self) -> None:
        """To its next step."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """End it, by force where it must be."""
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# The window.


class Rising:
    """How many numbers came, and whether each was higher than the one before."""

    def __init__(self) -> None:
        self.count = self.last = 0
        self.rises = True

    def add(self, number: int) -> None:
        """The next one."""
        self.rises &= number > self.last
        self.count, self.last = self.count + 1, number


class Noting(Attached):
    """A link that notes what comes over it, in little memory."""

    def __init__(self, info: Listening) -> None:
        super().__init__(info)
        self.numbers, self.failed = Rising(), Rising()
        self.texts = self.last_text = 0
        self.came = self.cut = 0
        self.is_over = False

    def drain(self) -> tuple[Told | Answer, ...]:
        told = super().drain()
        for one in told:
            if isinstance(one, EngineEvent):
                self.numbers.add(one.seq)
            if isinstance(one, ActivationFailed):
                self.failed.add(int(one.failure.text.rpartition(FAILED)[2]))
            elif isinstance(one, Printed):
                self.texts += 1
                self.last_text = one.number
                if one.routine == "prints":
                    self.came += len(one.text)
                    self.cut += one.lost
                self.is_over |= one.text == "over\n"
        return told


class Memory:
    """What processes have resident, by quarter of the time: the most of it, in megabytes."""

    def __init__(self, seconds: float, **processes: int) -> None:
        self.peaks = {name: [0.0] * QUARTERS for name in processes}
        self._processes = processes
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more samples."""
        self._over.set()
        self._thread.join()

    def growth(self) -> dict[str, float]:
        """How much more was needed in the last quarter than in the first."""
        return {name: round(peaks[-1] - peaks[0], 1) for name, peaks in self.peaks.items()}

    def _watch(self) -> None:
        begin = time.monotonic()
        while not self._over.wait(SAMPLE_SECONDS):
            quarter = int((time.monotonic() - begin) / self._seconds * QUARTERS)
            if quarter >= QUARTERS:
                return
            for name, pid in self._processes.items():
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                size = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
                self.peaks[name][quarter] = max(self.peaks[name][quarter], round(size, 1))


def until(is_so: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Let the event loop run until something is so, or the patience is over; whether it is."""
    end = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > end:
            return False
        loop = QEventLoop()
        QTimer.singleShot(5, loop.quit)
        loop.exec()
    return True


def freeze(seconds: float) -> None:
    """Stop this whole process for so long: another one does it."""
    me = os.getpid()
    script = f"kill -STOP {me}; sleep {seconds:.2f}; kill -CONT {me}"
    subprocess.run(["/bin/sh", "-c", script], check=True)


def use(quarter: float) -> None:
    """A window that is hard on its program, for so many seconds."""
    begin = time.monotonic()
    threading.Event().wait(STANDS * quarter)
    freeze(FROZEN * quarter)
    until(lambda: False, quarter - (time.monotonic() - begin))


def soak(seconds: float, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Flood a window for so long; figures, and what is wrong."""
    app = QApplication(sys.argv[:1])
    share_the_interpreter()
    theme = Theme("dark")
    theme.apply(app)
    name = f"flood {os.getpid()}"
    program = Program(name, 2 * seconds, folder)
    try:
        if not until(lambda: any(info.name == name for info in listening())):
            return {}, ["the program doesn't listen"]
        link = Noting(next(info for info in listening() if info.name == name))
        desk = Desk(theme, Settings(), link, "attached", lambda folder: False)
        desk.window.resize(1600, 1000)
        desk.window.show()
        until(lambda: desk.session.engine.up)
        program.go_on()
        for _ in range(QUARTERS):
            use(seconds / QUARTERS)
        memory = Memory(seconds, window=os.getpid(), program=program.pid)
        for _ in range(QUARTERS):
            use(seconds / QUARTERS)
        memory.stop()
        views = desk.bridge.views
        until(lambda: program.said and any(view.is_over for view in views.values()))
        program.go_on()
        said = program.said
        if not until(lambda: link.is_over) or said is None:
            return {}, ["the window hasn't heard the end"]
        (view,) = views.values()
        lost = desk.bridge.lost
        desk.end(PATIENCE)
    finally:
        program.end()
    return judged(said, view, link, lost, memory)


def judged(
    said: dict[str, Any], view: JobView, link: Noting, lost: int, memory: Memory
) -> tuple[dict[str, Any], list[str]]:
    """Compare what the program says with what came; figures, and what is wrong."""
    routines = view.routines
    told = {name: routine.activations for name, routine in routines.items()}
    told |= {"numbers": routines["numbers"].emitted["number"]}
    events = said["events"] - link.numbers.count
    failures = said["fails"] - link.failed.count
    texts = link.last_text - link.texts
    characters = said["characters"] - link.came - link.cut
    posted = sum(slot.posted for routine in routines.values() for slot in routine.slots.values())
    rate = (posted + sum(routine.activations for routine in routines.values())) / view.seconds
    growth = memory.growth()
    checks = {
        f"the job is {view.status}": view.status == "COMPLETED",
        f"counters are {told}, not {said}": all(told[name] == said[name] for name in told),
        "failures at the end": routines["fails"].failures == said["fails"] == view.failures,
        "something came twice or too late": link.numbers.rises and link.failed.rises,
        f"{events} events and {texts} texts aren't there, {lost} are lost": events + texts == lost,
        f"{failures} failures of {events} events aren't there": 0 < failures <= events,
        f"{characters} characters are nowhere": characters >= 0 if texts else characters == 0,
        f"only {rate:,.0f} events a second": rate >= MUST_PER_SECOND,
        f"the flow stood still for {said['longest_gap']:.1f} s": said["longest_gap"] < LONGEST_GAP,
        f"memory grows: {memory.peaks}": max(growth.values()) <= GROWTH_MB,
    }
    figures = {
        "seconds": round(view.seconds, 1),
        "events_per_second": round(rate),
        "failures": {"told": said["fails"], "came": link.failed.count, "lost": failures},
        "counters": {"told": said["events"] - said["fails"] - 2, "lost": events - failures},
        "texts": {"told": link.last_text, "came": link.texts, "lost": texts},
        "characters": {"told": said["characters"], "came": link.came, "cut": link.cut},
        "lost": lost,
        "longest_gap_s": round(said["longest_gap"], 2),
        "growth_mb": growth,
        "peaks_mb": memory.peaks,
    }
    return figures, [what for what, is_right in checks.items() if not is_right]


def main() -> int:
    """Soak, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--program", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        name, seconds, answer = options.program
        be_program(name, float(seconds), Path(answer))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        figures, wrong = soak(options.seconds, Path(folder))
    for line in wrong:
        print(line, file=sys.stderr)
    print(json.dumps(figures | {"faults": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
