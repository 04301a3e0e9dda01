"""Tiny flows, and routines made from a function, for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from penstock import Event, Flow, Routine, Slot


def routine(
    logic: Callable[..., Any],
    *,
    slots: Mapping[str, Slot] | None = None,
    events: Sequence[str] = ("out",),
    finish: Callable[[Any], None] | None = None,
    state: type | None = None,
    **attributes: Any,
) -> Routine:
    """A routine of a class of its own; `logic` takes ``self`` and one parameter per slot."""
    body: dict[str, Any] = {"logic": logic, **attributes}
    body.update(slots or {})
    body.update({name: Event() for name in events})
    if finish is not None:
        body["finish"] = finish
    if state is not None:
        body["State"] = state
    made: Routine = type("Made", (Routine,), body)()
    return made


def source(values: Iterable[Any], **attributes: Any) -> Routine:
    """Emits the values on ``out``; a generator, so it can be held between them."""
    kept = list(values)

    def logic(self: Any) -> Iterator[None]:
        for value in kept:
            self.out.emit(value)
            yield

    return routine(logic, **attributes)


def burst(values: Iterable[Any], **attributes: Any) -> Routine:
    """Emits the values on ``out`` in one plain body."""
    kept = list(values)

    def logic(self: Any) -> None:
        for value in kept:
            self.out.emit(value)

    return routine(logic, **attributes)


def pass_on(capacity: int = 1000, **attributes: Any) -> Routine:
    """Emits on ``out`` what comes in at ``value``."""

    def logic(self: Any, value: Any) -> None:
        self.out.emit(value)

    return routine(logic, slots={"value": Slot(object, capacity=capacity)}, **attributes)


def split(capacity: int = 1000, **attributes: Any) -> Routine:
    """A generator that emits each value twice, with a bare yield behind each."""

    def logic(self: Any, value: Any) -> Iterator[None]:
        self.out.emit((value, 0))
        yield
        self.out.emit((value, 1))
        yield

    return routine(logic, slots={"value": Slot(object, capacity=capacity)}, **attributes)


def sink(into: list[Any], capacity: int = 1000, **attributes: Any) -> Routine:
    """Appends what comes in at ``value`` to a list of the test."""

    def logic(self: Any, value: Any) -> None:
        into.append(value)

    slots = {"value": Slot(object, capacity=capacity)}
    return routine(logic, slots=slots, events=(), **attributes)


def pair(capacity: int = 1000, **attributes: Any) -> Routine:
    """A join of ``left`` and ``right`` that emits both as a tuple."""

    def logic(self: Any, left: Any, right: Any) -> None:
        self.out.emit((left, right))

    slots = {"left": Slot(object, capacity=capacity), "right": Slot(object, capacity=capacity)}
    return routine(logic, slots=slots, **attributes)


def failing(error: Callable[[], BaseException], capacity: int = 1000, **attributes: Any) -> Routine:
    """Raises on every message."""

    def logic(self: Any, value: Any) -> None:
        raise error()

    return routine(logic, slots={"value": Slot(object, capacity=capacity)}, **attributes)


def flow_of(routines: Mapping[str, Routine], *connections: str, name: str = "flow") -> Flow:
    """A flow; connections are written ``a.event -> b.slot``."""
    flow = Flow(name)
    for routine_id, made in routines.items():
        flow.add(routine_id, made)
    for connection in connections:
        event, slot = connection.split(" -> ")
        flow.connect(event, slot)
    return flow


def chain(*routines: Routine, name: str = "chain") -> Flow:
    """Routines ``a``, ``b``, ``c``, … each one's ``out`` connected to the next one's ``value``."""
    ids = [chr(ord("a") + i) for i in range(len(routines))]
    links = [f"{one}.out -> {other}.value" for one, other in pairwise(ids)]
    return flow_of(dict(zip(ids, routines, strict=True)), *links, name=name)
