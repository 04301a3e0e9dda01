"""Activation rules: frozen values saying which queued messages make one activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.flow.numbers import is_count, is_duration

Match = str | Callable[[Any], Any]
Taken = Mapping[str, int | Sequence[int]]


class Activation:
    """Says which of the queued messages make one activation. Derive from it for a rule of your own.

    One object serves all jobs at once: keep nothing in it that changes.
    """

    __slots__ = ()

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Taken | None:
        """What to take of the queues now; None when nothing can start yet.

        Called on a job's loop whenever messages have arrived: short and pure. `queues` holds the
        waiting values of each slot, oldest first. The answer maps a slot to the position of what is
        taken (0 is the oldest), or to a sequence of positions. ``logic`` gets the value at a
        position, a list for a sequence, be it of one; a slot that is left out isn't passed. Raising
        fails the job.
        """
        raise NotImplementedError(f"{type(self).__name__} has no take: define take(self, queues)")


@dataclass(frozen=True, slots=True)
class AllSlots(Activation):
    """Activate when every slot has a message, taking the oldest of each.

    With ``match`` (a field or key name, or a function of the value) take the oldest set of messages
    whose keys are equal; what finds no partner waits.
    """

    match: Match | None = None

    def __post_init__(self) -> None:
        if self.match is not None and not isinstance(self.match, str) and not callable(self.match):
            raise ValueError(
                f"match: expected a field or key name or a function, got {self.match!r}"
            )


@dataclass(frozen=True, slots=True)
class AnySlot(Activation):
    """Activate for each message, taking the oldest across all slots.

    Only that slot's value is passed, so the parameters of ``logic`` need defaults.
    """


@dataclass(frozen=True, slots=True)
class Batch(Activation):
    """Activate with a list of ``size`` messages of the routine's only slot.

    Fewer are taken when the oldest of them has waited ``max_wait`` seconds (None: as long as it
    takes), and right before ``finish()``, when no more can come.
    """

    size: int
    max_wait: float | None = None

    def __post_init__(self) -> None:
        if not is_count(self.size):
            raise ValueError(f"size: expected a whole number from 1 on, got {self.size!r}")
        if self.max_wait is not None and not is_duration(self.max_wait):
            raise ValueError(f"max_wait: expected None or seconds above 0, got {self.max_wait!r}")


@dataclass(frozen=True, slots=True)
class Latest(Activation):
    """Activate with the newest message of the routine's only slot.

    The older ones that wait there are passed over and counted as superseded.
    """


@dataclass(frozen=True, slots=True)
class Every(Activation):
    """Activate at most once every ``seconds``, taking the oldest message of each slot.

    A routine without slots is a timer: it runs at once, then every ``seconds``, until the job is
    cancelled or it ran ``times`` times. Ticks that are missed aren't made up for.
    """

    seconds: float
    times: int | None = None

    def __post_init__(self) -> None:
        if not is_duration(self.seconds):
            raise ValueError(f"seconds: expected seconds above 0, got {self.seconds!r}")
        if self.times is not None and not is_count(self.times):
            raise ValueError(
                f"times: expected None or a whole number from 1 on, got {self.times!r}"
            )


def key_function(match: Match) -> Callable[[Any], Any]:
    """The function that finds a value's key; it raises whatever looking at the value raises."""
    if not isinstance(match, str):
        return match
    name = match

    def key_of(value: Any) -> Any:
        if isinstance(value, Mapping):
            return value[name]
        return getattr(value, name)

    return key_of
