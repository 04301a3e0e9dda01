"""Slots and events: the named, typed inputs and outputs a routine declares in its class body."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, Self, overload

from penstock.errors import EmitOutsideActivation

DEFAULT_CAPACITY = 1000
OVERFLOWS = ("hold",)


def is_count(value: object) -> bool:
    """Whether it is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


class Emits(Protocol):
    """What ``self.<event>`` is inside a body."""

    def emit(self, value: Any) -> None: ...


class Slot:
    """An input of a routine; each job keeps one queue of at most ``capacity`` messages for it.

    Overflow ``hold`` is back-pressure: what doesn't fit waits at its connection, nothing is lost.
    """

    def __init__(
        self,
        type: Any = object,  # noqa: A002  the public name
        capacity: int = DEFAULT_CAPACITY,
        overflow: str = "hold",
        *,
        doc: str = "",
    ) -> None:
        if not is_count(capacity):
            raise ValueError(f"capacity: expected a whole number from 1 on, got {capacity!r}")
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow: possible is {', '.join(OVERFLOWS)}; got {overflow!r}")
        self.name = ""
        self.type = type
        self.capacity = capacity
        self.overflow = overflow
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<slot {self.name}>"


class Event:
    """An output of a routine: ``self.<event>.emit(value)`` sends a value along its connections.

    In a job the engine puts an emitter into the instance's ``__dict__`` under the event's name. As
    this descriptor has no ``__set__``, that one is found first, at the cost of a plain attribute.
    """

    def __init__(self, type: Any = object, *, doc: str = "") -> None:  # noqa: A002  the public name
        self.name = ""
        self.type = type
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Emits: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Emits:
        return self if instance is None else _NoEmitter(owner.__name__, self.name)

    def __repr__(self) -> str:
        return f"<event {self.name}>"


class _NoEmitter:
    """Stands for an event where no job runs the routine."""

    def __init__(self, routine: str, event: str) -> None:
        self._routine = routine
        self._event = event

    def emit(self, value: object) -> NoReturn:
        raise EmitOutsideActivation(
            f"{self._routine}.{self._event}: no activation of this routine is running;"
            " emit inside logic or finish of a job",
            routine=self._routine,
            port=self._event,
        )
