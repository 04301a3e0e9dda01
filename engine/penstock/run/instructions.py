"""What leaves the core: things the executor is to do, in the order of the fields."""

from __future__ import annotations

from _thread import LockType
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from penstock.observe import EngineEvent
from penstock.run.records import RoutineRun
from penstock.run.slices import Suspended, Token

Item = TypeVar("Item")
_NOTHING: list[Any] = []  # nobody adds to what was taken


@dataclass(slots=True)
class Instructions:
    """Collected by one step of the core; `take` empties it.

    ``tokens`` go to the pool, ``coroutines`` to the asyncio thread. ``leaving`` are bodies whose
    activation is over (their workers leave the count), ``bodies`` are generators to close on a
    worker, ``wakes`` are latches to open, ``events`` are told to the instruments.
    """

    tokens: list[Token] = field(default_factory=list)
    coroutines: list[Token] = field(default_factory=list)
    leaving: list[Token] = field(default_factory=list)
    bodies: list[tuple[RoutineRun, Suspended]] = field(default_factory=list)
    wakes: list[LockType] = field(default_factory=list)
    events: list[EngineEvent] = field(default_factory=list)

    def take(self) -> Instructions:
        """What was collected so far; this one is empty afterwards, its lists stay the same."""
        return Instructions(
            _taken(self.tokens),
            _taken(self.coroutines),
            _taken(self.leaving),
            _taken(self.bodies),
            _taken(self.wakes),
            _taken(self.events),
        )


def _taken(collected: list[Item]) -> list[Item]:
    if not collected:
        return _NOTHING
    taken = collected[:]
    collected.clear()
    return taken


class Wants:
    """What anybody listens to; the core builds nothing else.

    ``values`` says whether bounded summaries of the last value per port are kept.
    """

    def __init__(
        self, kind: Callable[[type[EngineEvent]], bool] = lambda _: True, values: bool = False
    ) -> None:
        self.kind = kind
        self.values = values
