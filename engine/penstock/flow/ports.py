"""Slots and events: the named, typed inputs and outputs a routine declares in its class body."""

from __future__ import annotations

from typing import Any, Literal, NoReturn, Protocol, Self, get_args, overload

from penstock.errors import EmitOutsideActivation
from penstock.flow.numbers import is_count

DEFAULT_CAPACITY = 1000
Overflow = Literal["hold", "drop_oldest", "drop_newest", "fail"]
OVERFLOWS: tuple[Overflow, ...] = get_args(Overflow)


class Emits(Protocol):
    """What ``self.<event>`` is inside a body."""

    def emit(self, value: Any) -> None: ...


class Slot:
    """An input of a routine; each job keeps one queue of at most ``capacity`` messages for it.

    ``overflow`` says what becomes of a message for which there is no room:

    - ``hold``: it waits at its connection and whoever sent it is held back; nothing is lost.
    - ``drop_oldest``: the oldest waiting message is dropped for it.
    - ``drop_newest``: it is dropped itself.
    - ``fail``: the activation that emits it fails with SlotFull.

    What is dropped is counted and told.
    """

    def __init__(
        self,
        type: Any = object,  # noqa: A002  the public name
        capacity: int = DEFAULT_CAPACITY,
        overflow: Overflow = "hold",
        *,
        doc: str = "",
    ) -> None:
        if not is_count(capacity):
            raise ValueError(f"capacity: expected a whole number from 1 on, got {capacity!r}")
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow: expected one of {', '.join(OVERFLOWS)}; got {overflow!r}")
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

    Every branch, and the job's outputs, get the same object: whoever changes a value it was given
    changes it for the others too. With ``copy`` each gets its own deep copy.

    In a job the engine gives the instance an emitter as an attribute of the event's name. As this
    descriptor has no ``__set__``, that one is found first, at the cost of a plain attribute; one
    that few bodies use (``failed``) is made when it is first asked for.
    """

    def __init__(
        self,
        type: Any = object,  # noqa: A002  the public name
        copy: bool = False,
        *,
        doc: str = "",
    ) -> None:
        if not isinstance(copy, bool):
            raise ValueError(f"copy: expected True or False, got {copy!r}")
        self.name = ""
        self.type = type
        self.copy = copy
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Emits: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Emits:
        if instance is None:
            return self
        run = getattr(instance, "_run", None)
        if run is None:
            return _NoEmitter(owner.__name__, self.name)
        emitter: Emits = run.late_emitter(instance, self.name)
        return emitter

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
