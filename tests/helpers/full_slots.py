"""Bodies that fill slots, and when such a job has come to rest."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from helpers.bodies import Gate
from helpers.flows import routine
from penstock import JobState, Routine, Slot
from penstock.flow import Overflow


def gated_sink(gate: Gate, into: list[Any], capacity: int, overflow: Overflow = "hold") -> Routine:
    """Waits at the gate, then appends its ``value`` to a list of the test."""

    def logic(self: Any, value: Any) -> None:
        gate.wait_here()
        into.append(value)

    slots = {"value": Slot(object, capacity=capacity, overflow=overflow)}
    return routine(logic, slots=slots, events=())


def after(gate: Gate, values: Iterable[Any], over: threading.Event | None = None) -> Routine:
    """Waits at the gate, then emits the values in one plain body."""
    kept = list(values)

    def logic(self: Any) -> None:
        gate.wait_here()
        for value in kept:
            self.out.emit(value)
        if over is not None:
            over.set()

    return routine(logic)


def is_at_work(job: JobState, routine_id: str) -> bool:
    """One activation runs and nothing waits in the routine's slots."""
    count = job.routines[routine_id]
    return count.running == 1 and not any(slot.queued for slot in count.slots.values())
