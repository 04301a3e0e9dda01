"""Nothing sleeps or polls: jobs that wait cause no wake-up of any of our threads."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from helpers.bodies import Gate, gated_source
from helpers.flows import chain, flow_of, pass_on, source
from penstock import Debugger, Runtime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts switches in /proc")


def switches() -> dict[str, int]:
    """Voluntary context switches of each of our threads so far."""
    found = {}
    for thread in threading.enumerate():
        if thread.name.startswith("penstock-"):
            status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
            line = next(x for x in status.splitlines() if x.startswith("voluntary_ctxt_switches"))
            found[thread.name] = int(line.split()[1])
    return found


def settled(quiet: threading.Event) -> dict[str, int]:
    """The counts once two looks in a row agree: what began has come to rest."""
    before = switches()
    for _ in range(100):
        quiet.wait(0.05)
        now = switches()
        if now == before:
            return now
        before = now
    raise AssertionError("our threads never come to rest")


def test_waiting_and_held_jobs_cause_no_wake_up() -> None:
    never, gate = threading.Event(), Gate()
    with Runtime(workers=3) as runtime:
        debugger = Debugger(runtime)
        runtime.exec(chain(gated_source(gate), pass_on()))
        gate.wait_came()
        debugger.pause()
        flow = flow_of({"s": source(range(5)), "p": pass_on()}, "s.out -> p.value")
        held = [runtime.exec(flow) for _ in range(20)]
        for job in held:
            assert debugger.wait_held(job.id, timeout=10) is not None
        before = settled(never)

        never.wait(1.0)
        after = switches()

        assert len(before) == 3 + 21
        assert after == before
        gate.open()


def test_an_idle_runtime_causes_no_wake_up() -> None:
    never = threading.Event()
    with Runtime(workers=4) as runtime:
        runtime.exec(chain(source([1]))).wait(10)
        before = settled(never)

        never.wait(0.5)

        assert switches() == before
