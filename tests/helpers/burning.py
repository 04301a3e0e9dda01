"""Routines that compute, each hard on a window's thread in its way; a flow folder like `gated`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from pydantic import BaseModel

from penstock import Event, Routine, Slot

FOLDER = Path(__file__).parent


class Numbers(Routine):
    """Emits 0, 1, 2, … up to its count."""

    number = Event(int)

    class Config(BaseModel):
        count: int = 8

    def logic(self) -> Iterator[None]:
        for number in range(self.config.count):
            self.number.emit(number)
            yield


class Burns(Routine):
    """Computes in Python for so long, on as many workers as there are numbers."""

    max_parallel = None
    number = Slot(int)

    class Config(BaseModel):
        seconds: float = 1.0

    def logic(self, number: int) -> None:
        end = perf_counter() + self.config.seconds
        while perf_counter() < end:
            number = number * 1103515245 + 12345 & 0x7FFFFFFF


class Sums(Routine):
    """One call of C that keeps the interpreter for seconds."""

    number = Slot(int)

    class Config(BaseModel):
        many: int = 4 * 10**8

    def logic(self, number: int) -> None:
        sum(range(self.config.many))


class Matches(Routine):
    """A pattern that takes twice as long for each character more."""

    number = Slot(int)

    class Config(BaseModel):
        length: int = 26

    def logic(self, number: int) -> None:
        re.match(r"(a|a)+$", "a" * self.config.length + "b")


class Passes(Routine):
    """Hands a number on."""

    number = Slot(int)
    passed = Event(int)

    def logic(self, number: int) -> None:
        self.passed.emit(number)


def flow_of(kind: str, count: int, **config: Any) -> dict[str, object]:
    """Numbers into one routine of a kind; the contents of a flow file."""
    return {
        "version": 1,
        "name": kind,
        "folders": [str(FOLDER)],
        "routines": {
            "numbers": {"type": "burning:Numbers", "config": {"count": count}},
            "it": {"type": f"burning:{kind}", "config": config},
        },
        "connections": ["numbers.number -> it.number"],
    }


def chain_of(count: int, length: int) -> dict[str, object]:
    """Numbers through so many routines that do nothing else."""
    names = [f"pass{n}" for n in range(length)]
    ports = ["numbers.number", *(f"{name}.passed" for name in names)]
    return {
        "version": 1,
        "name": "chain",
        "folders": [str(FOLDER)],
        "routines": {
            "numbers": {"type": "burning:Numbers", "config": {"count": count}},
            **{name: {"type": "burning:Passes"} for name in names},
        },
        "connections": [
            f"{port} -> {name}.number" for port, name in zip(ports, names, strict=False)
        ],
    }
