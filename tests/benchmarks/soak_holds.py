"""Pause, step and resume random chains at random moments; nothing may get lost, moved or doubled.

    python tests/benchmarks/soak_holds.py [--seconds 120] [--seed 0]

Every run checks: a hold is told; nothing moves while PAUSED; a step lets exactly one activation
go; each slot's counters add up and its depth never exceeds its capacity; `max_parallel` holds;
the job completes, with every message once and, one at a time, in order. Exit 1 on the first run
that doesn't, printing its settings.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from penstock import Debugger, Event, Flow, JobState, JobStatus, Routine, Runtime, Slot

LIMIT = 10.0


@dataclass(frozen=True)
class Setting:
    workers: int
    capacity: int
    max_parallel: int | None
    generator: bool
    holds: int
    steps: int
    messages: int
    seed: int


class Bodies:
    """How many bodies ran at once, and what reached the end; `sources` have begun."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.sources = 0
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


def chain(setting: Setting, bodies: Bodies) -> Flow:
    """source -> several at once -> one at a time -> end"""

    class Numbers(Routine):
        out = Event(int)

        def logic(self) -> Any:
            bodies.sources += 1
            for i in range(setting.messages):
                self.out.emit(i)

    class Generated(Numbers):
        def logic(self) -> Any:
            bodies.sources += 1
            for i in range(setting.messages):
                self.out.emit(i)
                yield

    class Several(Routine):
        x = Slot(int, capacity=setting.capacity)
        out = Event(int)
        max_parallel = setting.max_parallel

        def logic(self, x: int) -> None:
            with bodies:
                if x % 97 == 0:
                    time.sleep(0.0002)  # now and then a body that others overtake
                self.out.emit(x)

    class One(Routine):
        x = Slot(int, capacity=setting.capacity)
        out = Event(int)

        def logic(self, x: int) -> None:
            self.out.emit(x)

    class End(Routine):
        x = Slot(int, capacity=setting.capacity)

        def logic(self, x: int) -> None:
            bodies.seen.append(x)

    flow = Flow("chain")
    flow.add("source", Generated() if setting.generator else Numbers())
    flow.add("several", Several())
    flow.add("one", One())
    flow.add("end", End())
    flow.connect("source.out", "several.x")
    flow.connect("several.out", "one.x")
    flow.connect("one.out", "end.x")
    return flow


def run(setting: Setting) -> str | None:
    """What went wrong, or None."""
    bodies = Bodies()
    dice = random.Random(setting.seed)
    with Runtime(workers=setting.workers) as runtime:
        debugger = Debugger(runtime)
        job = runtime.exec(chain(setting, bodies))
        for _ in range(setting.holds):
            time.sleep(dice.random() * 0.002)  # a moment that chance picks, to hold in
            if (wrong := hold(setting, debugger, job, bodies)) is not None:
                return wrong
            debugger.resume(job.id)
        if job.wait(LIMIT) is not JobStatus.COMPLETED:
            return f"hangs: {job.snapshot()}, ready {debugger.ready(job.id)}"
    wanted = list(range(setting.messages))
    if sorted(bodies.seen) != wanted or (setting.max_parallel == 1 and bodies.seen != wanted):
        return f"lost, doubled or out of order: {len(bodies.seen)} of {len(wanted)}"
    if setting.max_parallel is not None and bodies.most > setting.max_parallel:
        return f"{bodies.most} bodies at once"
    return None


def hold(setting: Setting, debugger: Debugger, job: JobState, bodies: Bodies) -> str | None:
    debugger.pause(job.id)
    if debugger.wait_held(job.id, LIMIT) is None:
        return None if job.status.is_final else "a pause was not told"
    end = time.monotonic() + LIMIT
    while job.status is JobStatus.PAUSING and time.monotonic() < end:
        time.sleep(0.0002)  # nobody tells when the last body has ended; there is a deadline
    if job.status is JobStatus.PAUSING:
        return "stays PAUSING"
    before = len(bodies.seen)
    time.sleep(0.001)  # time in which something could move, were it not held
    if len(bodies.seen) != before:
        return "something moved while the job was held"
    return steps(setting, debugger, job, bodies) or counters(setting, job)


def steps(setting: Setting, debugger: Debugger, job: JobState, bodies: Bodies) -> str | None:
    for _ in range(setting.steps):
        before = activations(job, bodies)
        debugger.step(job.id)
        if debugger.wait_held(job.id, LIMIT) is None:
            return None if job.status.is_final else "a step didn't hold again"
        started = activations(job, bodies) - before
        if started != 1 and not (started == 0 and setting.generator):
            return f"a step let {started} activations go"
    return None


def activations(job: JobState, bodies: Bodies) -> int:
    """How many have gone: a source when it begins, as it may stand in `emit`, others at the end."""
    ended = sum(count.activations for id_, count in job.routines.items() if id_ != "source")
    return ended + bodies.sources


def counters(setting: Setting, job: JobState) -> str | None:
    for routine in job.routines.values():
        for slot in routine.slots.values():
            whole = slot.consumed + slot.queued + slot.in_flight + slot.dead + slot.discarded
            if slot.posted != whole or slot.high_water > setting.capacity:
                return f"counters: {slot}"
    return None


def settings(seed: int) -> list[Setting]:
    dice = random.Random(seed)
    choices = itertools.product(
        (1, 2, 4), (1, 2, 8, 1000), (1, 2, None), (False, True), ((0, 0), (3, 0), (3, 3))
    )
    return [
        Setting(w, c, p, g, holds, steps_, dice.choice((50, 400)), dice.randrange(1 << 30))
        for w, c, p, g, (holds, steps_) in choices
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end, runs = time.monotonic() + options.seconds, 0
    for seed in itertools.count(options.seed):
        for setting in settings(seed):
            if (wrong := run(setting)) is not None:
                print(f"{setting}: {wrong}")
                return 1
            runs += 1
            if time.monotonic() > end:
                print(f"{runs} runs held, stepped and went on; nothing lost, doubled or moved")
                return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
