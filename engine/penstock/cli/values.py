"""`-p routine.slot=VALUE` and `-c routine.field=VALUE`: read, and set in a flow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from penstock.errors import InvalidValue, UnknownPort
from penstock.flow import Flow, Routine, RoutineSpec, Slot, check_json, shape_of, validate_field


def assignments(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """``place=VALUE`` texts by place; raises InvalidValue for any other shape or a place twice."""
    found: dict[str, Any] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        if not equals or not place:
            raise InvalidValue(f"{option} {text}: expected {option} routine.name=VALUE")
        if place in found:
            raise InvalidValue(f"{option} {place}: given twice", port=place)
        found[place] = read_value(value)
    return found


def read_value(text: str) -> Any:
    """What the text is as JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def configure(flow: Flow, values: Mapping[str, Any]) -> Flow:
    """The loaded flow with those ``routine.field`` set; whatever the fields say is checked."""
    for place, value in values.items():
        routine_id, _, name = place.partition(".")
        spec = flow.routines.get(routine_id)
        if not isinstance(spec, RoutineSpec):
            raise UnknownPort(f"-c {place}: {_unknown('routine', routine_id, flow.routines)}")
        _check_field(place, name, spec, value)
        flow.configure(routine_id, {**spec.config, name: value})
    return flow


def _check_field(place: str, name: str, spec: RoutineSpec, value: Any) -> None:
    field = next((field for field in spec.fields if field.name == name), None)
    if field is None and spec.complete and spec.error is None:
        names = [field.name for field in spec.fields]
        raise UnknownPort(f"-c {place}: {_unknown('field', name, names)}", port=place)
    reason = validate_field(field, value) if field else None
    if reason:
        raise InvalidValue(f"-c {place}: {reason}", port=place)


def entry_values(flow: Flow, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by ``routine.slot``, each turned from JSON into what its slot takes."""
    return {
        place: check_json(_slot(flow, place).type, value, f"-p {place}")
        for place, value in values.items()
    }


def _slot(flow: Flow, place: str) -> Slot:
    routine_id, dot, name = place.partition(".")
    if not dot:
        routine_id, name = _entry_routine(flow, place), place
    slots = _slots(flow.routines.get(routine_id))
    if slots is None:
        raise UnknownPort(f"-p {place}: {_unknown('routine', routine_id, flow.routines)}")
    if name not in slots:
        raise UnknownPort(f"-p {place}: {_unknown('slot', name, slots)}", port=place)
    return slots[name]


def _entry_routine(flow: Flow, place: str) -> str:
    """The one routine with a slot that nothing is connected to."""
    fed = {connection.target for connection in flow.connections}
    fed_ports = {(port.routine, port.port) for port in fed}
    open_to_us = [
        routine_id
        for routine_id, routine in flow.routines.items()
        if any((routine_id, slot) not in fed_ports for slot in _slots(routine) or ())
    ]
    if len(open_to_us) != 1:
        among = ", ".join(open_to_us) or "none"
        raise UnknownPort(f"-p {place}: expected routine.slot; routines with a free slot: {among}")
    return open_to_us[0]


def _slots(routine: Routine | RoutineSpec | None) -> Mapping[str, Slot] | None:
    return shape_of(type(routine)).slots if isinstance(routine, Routine) else None


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f"no {kind} {name!r}; " + (f"there is {names}" if names else "there is none")
