"""Bodies that block on purpose, and what tests use to let them go."""

from __future__ import annotations

import threading
from typing import Any

from helpers.flows import routine
from penstock import Routine, Slot


class Gate:
    """Where bodies wait; the test sees how many came and lets them go.

    A body gives up after `limit` seconds, so that a test that fails leaves no thread behind.
    """

    def __init__(self, limit: float = 20.0) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._open = False
        self._permits = 0
        self.came = 0
        self.inside = 0
        self.most_inside = 0

    def wait_here(self) -> None:
        """Called by a body."""
        with self._changed:
            self.came += 1
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._open or self._permits, self._limit)
            if not self._open:
                self._permits -= 1
            self.inside -= 1
            self._changed.notify_all()

    def wait_came(self, many: int = 1, timeout: float = 10.0) -> None:
        """Until that many bodies have come in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.came >= many, timeout), self.came

    def wait_inside(self, many: int, timeout: float = 10.0) -> None:
        """Until exactly that many bodies wait."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.inside == many, timeout), self.inside

    def let_go(self, many: int = 1) -> None:
        """Let that many go, of those that wait or come later."""
        with self._changed:
            self._permits += many
            self._changed.notify_all()

    def open(self) -> None:
        """Nobody waits from now on."""
        with self._changed:
            self._open = True
            self._changed.notify_all()


def gated(gate: Gate, capacity: int = 1000, **attributes: Any) -> Routine:
    """Waits at the gate, then emits its ``value`` on ``out``."""

    def logic(self: Any, value: Any) -> None:
        gate.wait_here()
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object, capacity=capacity)}, **attributes)


def gated_source(gate: Gate, **attributes: Any) -> Routine:
    """A source that waits at the gate, then emits 1."""

    def logic(self: Any) -> None:
        gate.wait_here()
        self.out.emit(1)

    return routine(logic, **attributes)
