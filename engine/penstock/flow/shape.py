"""What a routine class declares: its ports, how its body takes them; and what is wrong with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from penstock.errors import FlowError
from penstock.flow.ports import Event, Slot
from penstock.flow.routine import Routine


@dataclass(frozen=True, slots=True)
class Shape:
    """What a routine class declares, ports in the order of definition, inherited ones first.

    The values of the slots in ``positional`` are passed to ``logic`` by position in that order,
    those of the slots in ``keyword`` by name. A call can leave out those in ``optional`` and pass
    any other by name. ``events`` is without the implicit ``failed``.
    """

    slots: Mapping[str, Slot]
    events: Mapping[str, Event]
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    optional: frozenset[str]
    is_generator: bool
    is_async: bool
    has_state: bool
    has_finish: bool


_shapes: WeakKeyDictionary[type[Routine], Shape] = WeakKeyDictionary()


def shape_of(cls: type[Routine]) -> Shape:
    """What that class looks like; raises FlowError saying what is wrong with it."""
    shape = _shapes.get(cls)
    if shape is None:
        shape = _shapes[cls] = _read_shape(cls)
    return shape


def _read_shape(cls: type[Routine]) -> Shape:
    slots, events = _declared_ports(cls)
    positional, keyword = _passed_slots(cls, tuple(slots))
    body = _function(cls.logic)
    return Shape(
        slots=MappingProxyType(slots),
        events=MappingProxyType(events),
        positional=positional,
        keyword=keyword,
        optional=_optional_slots(cls, tuple(slots)),
        is_generator=inspect.isgeneratorfunction(body),
        is_async=inspect.iscoroutinefunction(body),
        has_state=cls.State is not None,
        has_finish=_has_finish(cls),
    )


def _declared_ports(cls: type[Routine]) -> tuple[dict[str, Slot], dict[str, Event]]:
    ports: dict[str, Slot | Event] = {}
    for owner in reversed(cls.__mro__):
        if owner in (object, Routine):
            continue
        for name, value in vars(owner).items():
            if isinstance(value, Slot | Event):
                _check_port_name(cls, name)
                ports[name] = value
            else:
                ports.pop(name, None)
    slots = {name: port for name, port in ports.items() if isinstance(port, Slot)}
    events = {name: port for name, port in ports.items() if isinstance(port, Event)}
    return slots, events


def _check_port_name(cls: type[Routine], name: str) -> None:
    if hasattr(Routine, name) or name in ("logic", "finish", "_run", "_sealed"):
        raise FlowError(
            f"{cls.__name__}.{name}: a slot or event can't have this name,"
            " it means something else in every routine",
            port=name,
        )


def _passed_slots(
    cls: type[Routine], slots: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How ``logic`` gets its values: slots by position, then slots by name."""
    parameters = list(_body_parameters(cls, "logic"))
    positional: list[str] = []
    for parameter in parameters:
        if parameter.name not in slots or parameter.kind not in _BY_POSITION:
            break
        positional.append(parameter.name)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    by_name = {parameter.name for parameter in parameters if parameter.kind in _BY_NAME}
    rest = tuple(name for name in slots if name not in positional)
    for name in rest:
        if name not in by_name and not takes_any:
            raise FlowError(
                f"{cls.__name__}.logic has no parameter for slot {name!r}:"
                f" expected logic(self, {', '.join(slots)})",
                port=name,
            )
    for parameter in parameters:
        if parameter.name not in slots and _needs_value(parameter):
            raise FlowError(
                f"{cls.__name__}.logic: parameter {parameter.name!r} is no slot of it"
                " and has no default"
            )
    return tuple(positional), rest


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _optional_slots(cls: type[Routine], slots: tuple[str, ...]) -> frozenset[str]:
    """Slots whose parameter has a default and can be passed by name, or that ``**`` gathers."""
    parameters = {parameter.name: parameter for parameter in _body_parameters(cls, "logic")}
    return frozenset(
        name
        for name in slots
        if name not in parameters
        or (parameters[name].kind in _BY_NAME and not _needs_value(parameters[name]))
    )


def _needs_value(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not variable and parameter.default is parameter.empty


def _body_parameters(cls: type[Routine], method: str) -> Iterator[inspect.Parameter]:
    """The parameters of ``logic`` or ``finish`` without ``self``."""
    static = inspect.getattr_static(cls, method, None)
    body = getattr(cls, method, None)
    if not callable(body):
        raise FlowError(f"{cls.__name__} has no {method}: define {method}(self, ...)")
    inner = _function(body)
    if inspect.isasyncgenfunction(inner):
        raise FlowError(
            f"{cls.__name__}.{method} is an async generator; expected a coroutine without yield"
        )
    if method == "finish" and inspect.iscoroutinefunction(inner):
        raise FlowError(f"{cls.__name__}.finish is async; expected a plain function")
    try:
        parameters = list(inspect.signature(body).parameters.values())
    except (TypeError, ValueError) as error:
        raise FlowError(f"{cls.__name__}.{method} has no readable signature: {error}") from None
    bound = isinstance(static, staticmethod | classmethod) or not inspect.isroutine(static)
    if not bound and parameters and parameters[0].kind in _BY_POSITION:
        parameters = parameters[1:]
    elif not bound and not (parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL):
        raise FlowError(f"{cls.__name__}.{method} takes no self: define {method}(self, ...)")
    yield from parameters


def _function(body: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when a method is called: below decorators, or an object's ``__call__``."""
    inner = inspect.unwrap(body)
    if inspect.isroutine(inner) or isinstance(inner, partial):
        return inner
    called: Callable[..., Any] = type(inner).__call__
    return called


def _has_finish(cls: type[Routine]) -> bool:
    if getattr(cls, "finish", None) is None:
        return False
    needed = [p.name for p in _body_parameters(cls, "finish") if _needs_value(p)]
    if needed:
        raise FlowError(f"{cls.__name__}.finish takes no values; {needed[0]!r} has no default")
    if inspect.isgeneratorfunction(_function(cls.finish)):  # type: ignore[attr-defined]
        raise FlowError(f"{cls.__name__}.finish is a generator; expected a plain function")
    return True
