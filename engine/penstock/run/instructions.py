"""What leaves the core: things the executor is to do, in the order of the fields."""

from __future__ import annotations

from _thread import LockType
from collections.abc import Callable

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


class Instructions:
    """Collected by one step of the core.

    ``tokens`` go to the pool, ``events`` are told to the instruments, last of all. ``more`` makes
    the rest when something is put in; ``rare`` is None where nothing was.
    """

    __slots__ = ("events", "rare", "tokens")

    def __init__(self) -> None:
        self.tokens: list[Token] = []
        self.rare: Rare | None = None
        self.events: list[EngineEvent] = []

    @property
    def more(self) -> Rare:
        """`rare`, to put something into."""
        if self.rare is None:
            self.rare = Rare()
        return self.rare


TAKEN = object.__new__(Instructions)
"""Stands for what was taken and not begun anew: it has no fields to add to."""


class Wants:
    """What anybody listens to; the core builds nothing else.

    ``values`` says whether bounded summaries of the last value per port are kept.
    """

    def __init__(
        self, kind: Callable[[type[EngineEvent]], bool] = lambda _: True, values: bool = False
    ) -> None:
        self.kind = kind
        self.values = values
