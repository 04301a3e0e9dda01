"""What leaves the core: things the executor is to do, in the order of the fields."""

from __future__ import annotations

from _thread import LockType
from collections.abc import Container, Sequence

from penstock.observe import EngineEvent
from penstock.run.records import RoutineRun
from penstock.run.slices import Suspended, Token


class Rare:
    """What most steps of the core have nothing of.

    ``coroutines`` go to the asyncio thread. ``leaving`` are bodies whose activation is over (their
    workers leave the count), ``bodies`` are generators to close on a worker, ``wakes`` are latches
    to open.
    """

    __slots__ = ("bodies", "coroutines", "leaving", "wakes")

    def __init__(self) -> None:
        self.coroutines: list[Token] = []
        self.leaving: list[Token] = []
        self.bodies: list[tuple[RoutineRun, Suspended]] = []
        self.wakes: list[LockType] = []


NO_RARE = Rare()
"""Stands for none: nothing is put in."""


class Instructions:
    """What one step of the core has brought.

    ``tokens`` go to the pool, ``events`` are told to the instruments, last of all.
    """

    __slots__ = ("events", "rare", "tokens")

    def __init__(self, tokens: Sequence[Token], rare: Rare, events: Sequence[EngineEvent]) -> None:
        self.tokens = tokens
        self.rare = rare
        self.events = events


class Wants:
    """What anybody listens to; the core builds nothing else.

    ``values`` says whether bounded summaries of the last value per port are kept.
    """

    def __init__(self, kinds: Container[type[EngineEvent]], values: bool = False) -> None:
        self.kinds = kinds
        self.values = values
