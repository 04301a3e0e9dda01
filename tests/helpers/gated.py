"""Routines whose bodies wait until a test lets them go, and a flow of them.

The module is its own flow folder: the engine imports it, the test only names its path, so that
nothing here depends on test and engine sharing a process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from penstock import Event, Routine, Slot


class Numbers(Routine):
    """Emits 1, 2, 3, … up to its count."""

    number = Event(int)

    class Config(BaseModel):
        count: int = 10

    def logic(self) -> Iterator[None]:
        for number in range(1, self.config.count + 1):
            self.number.emit(number)
            yield


class Gated(Routine):
    """Passes numbers on; waits in each activation until somebody writes to its gate."""

    max_parallel = 2
    number = Slot(int, capacity=4)
    passed = Event(int)

    class Config(BaseModel):
        gate: str = ""

    def logic(self, number: int) -> None:
        wait_at(Path(self.config.gate))
        self.passed.emit(number)


class Total(Routine):
    """Adds up, in the order of arrival."""

    number = Slot(int)
    total = Event(int)

    class State:
        def __init__(self) -> None:
            self.total = 0

    def logic(self, number: int) -> None:
        self.state.total += number

    def finish(self) -> None:
        self.total.emit(self.state.total)


class Failing(Routine):
    """Fails on every number."""

    number = Slot(int)
    passed = Event(int)

    def logic(self, number: int) -> None:
        raise ValueError(f"number {number} is no good")


def wait_at(gate: Path) -> None:
    """Wait until the FIFO has a writer; without the file there is nothing to wait for."""
    try:
        with gate.open() as opened:
            opened.read()
    except FileNotFoundError:
        return


def mark_passed(gate: Path) -> None:
    """Tell the test that a body has gone on from a gate."""
    gate.with_name(f"{gate.name} passed").touch()


class Gate:
    """The test's side of a FIFO at which bodies wait."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    def let_go(self) -> bool:
        """Let go those that wait now; whether there was any."""
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def is_passed(self) -> bool:
        """Whether a body that says so has gone on from here."""
        return self.path.with_name(f"{self.path.name} passed").exists()

    def stay_open(self) -> None:
        """Nobody waits here from now on."""
        hidden = self.path.rename(self.path.with_suffix(".open"))
        self.path = hidden
        self.let_go()


def gated_flow(gate: Path, count: int = 10) -> dict[str, object]:
    """Numbers through a gate into a total; the contents of a flow file."""
    return {
        "version": 1,
        "name": "gated",
        "folders": [str(Path(__file__).parent)],
        "routines": {
            "numbers": {"type": "gated:Numbers", "config": {"count": count}},
            "gated": {"type": "gated:Gated", "config": {"gate": str(gate)}},
            "total": {"type": "gated:Total"},
        },
        "connections": ["numbers.number -> gated.number", "gated.passed -> total.number"],
    }
