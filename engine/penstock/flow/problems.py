"""What is wrong or unfinished in a flow: pure checks, shared by command line and canvas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from penstock.flow.connection import Connection
from penstock.flow.jsontext import dotted
from penstock.flow.spec import REQUIRED, RoutineSpec, validate_field
from penstock.flow.typetext import fits
from penstock.ids import PortRef

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error keeps the flow from running as drawn, a warning doesn't.

    ``place`` is a routine, ``routine.port``, ``routine.config.field`` or a connection.
    """

    severity: Severity
    place: str
    routine: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.severity} {self.place}: {self.text}"


def find_problems(
    routines: Mapping[str, RoutineSpec], connections: Mapping[Connection, int]
) -> list[Problem]:
    """All problems: routines first, then connections, then ports without one.

    `connections` says how often each one is there.
    """
    return [
        *(problem for item in routines.items() for problem in _of_routine(*item)),
        *(problem for item in connections.items() for problem in _of_connection(routines, *item)),
        *_loose_ports(routines, connections),
    ]


def _of_routine(routine_id: str, spec: RoutineSpec) -> Iterator[Problem]:
    if spec.error is not None:
        yield Problem("error", routine_id, routine_id, spec.error)
        return
    yield from (Problem("error", routine_id, routine_id, text) for text in spec.faults)
    yield from (Problem("warning", routine_id, routine_id, text) for text in spec.cautions)
    fields = {field.name: field for field in spec.fields}
    for name, value in spec.config.items():
        place = dotted((routine_id, "config", name))
        if name in fields:
            reason = validate_field(fields[name], value)
            if reason is not None:
                yield Problem("error", place, routine_id, reason)
        elif not spec.open_config and spec.complete:
            yield Problem("error", place, routine_id, _no_field(name, list(fields)))
    for name, field in fields.items():
        if field.default is REQUIRED and name not in spec.config:
            place = dotted((routine_id, "config", name))
            yield Problem("error", place, routine_id, "a value is required, there is none")


def _no_field(name: str, names: list[str]) -> str:
    has = f"it has {', '.join(names)}" if names else "it has none"
    return f"its Config has no field {name!r}; {has}"


def _of_connection(
    routines: Mapping[str, RoutineSpec], connection: Connection, times: int
) -> Iterator[Problem]:
    place = str(connection)
    if times > 1:
        text = f"the connection is there {times} times"
        yield Problem("error", place, connection.target.routine, text)
    wrong = [
        *_missing(routines, connection.source, "event", place),
        *_missing(routines, connection.target, "slot", place),
    ]
    yield from wrong
    if wrong:
        return
    event = routines[connection.source.routine].event(connection.source.port)
    slot = routines[connection.target.routine].slot(connection.target.port)
    reason = fits(event, slot) if event is not None and slot is not None else None
    if reason is not None:
        yield Problem("error", place, connection.target.routine, reason)


def _missing(
    routines: Mapping[str, RoutineSpec], port: PortRef, kind: str, place: str
) -> Iterator[Problem]:
    spec = routines.get(port.routine)
    if spec is None:
        yield Problem("error", place, None, f"the flow has no routine {port.routine!r}")
        return
    known = spec.event(port.port) if kind == "event" else spec.slot(port.port)
    if known is None and spec.error is None and spec.complete:
        names = [item.name for item in (spec.events if kind == "event" else spec.slots)]
        has = f"it has {', '.join(names)}" if names else "it has none"
        text = f"{port.routine} has no {kind} {port.port!r}; {has}"
        yield Problem("error", place, port.routine, text)


def _loose_ports(
    routines: Mapping[str, RoutineSpec], connections: Mapping[Connection, int]
) -> Iterator[Problem]:
    used = {connection.source for connection in connections}
    fed = {connection.target for connection in connections}
    for routine_id, spec in routines.items():
        for slot in spec.slots:
            if PortRef(routine_id, slot.name) not in fed:
                text = f"slot {slot.name} has no connection"
                yield Problem("warning", f"{routine_id}.{slot.name}", routine_id, text)
        for event in spec.events:
            if PortRef(routine_id, event.name) not in used:
                text = f"event {event.name} has no connection"
                yield Problem("warning", f"{routine_id}.{event.name}", routine_id, text)
