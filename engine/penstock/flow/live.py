"""Live routines as text: their type's name, config as JSON and spec."""

from __future__ import annotations

import inspect
import json
import math
import sys
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError

from penstock.errors import FlowFileError
from penstock.flow.ports import Event, Slot
from penstock.flow.routine import Routine
from penstock.flow.rules import activation_problem, policy_caution
from penstock.flow.shape import shape_of
from penstock.flow.spec import REQUIRED, EventSpec, FieldSpec, RoutineSpec, SlotSpec
from penstock.flow.values import one_line

_CONSTRAINTS = (
    *("ge", "gt", "le", "lt", "multiple_of"),
    *("min_length", "max_length", "pattern"),
)


def type_name(cls: type[Routine]) -> str:
    """``module:Class``; raises FlowFileError when importing that wouldn't give this class."""
    name = f"{cls.__module__}:{cls.__qualname__}"
    if cls.__module__ == "__main__":
        raise FlowFileError(f"{name}: a class of the main script can't be named in a file")
    module = sys.modules.get(cls.__module__)
    if not cls.__qualname__.isidentifier() or vars(module).get(cls.__qualname__) is not cls:
        raise FlowFileError(f"{name}: a class can be named in a file when its module holds it")
    return name


def config_json(routine: Routine) -> dict[str, Any]:
    """The fields that were given, as JSON values; raises FlowFileError."""
    config = routine.config
    if not isinstance(config, BaseModel):
        return {}
    try:
        _refuse_non_finite(config.model_dump(exclude_unset=True))
        values = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
        json.dumps(values, allow_nan=False)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise FlowFileError(f"config can't be written as JSON: {one_line(error, 200)}") from None
    return values


def spec_of(routine: Routine) -> RoutineSpec:
    """What a live routine looks like; its type's name may be one no file can use."""
    cls = type(routine)
    shape = shape_of(cls)
    try:
        config = config_json(routine)
    except FlowFileError:
        config = {}
    fault = activation_problem(routine)
    caution = policy_caution(type(routine.on_error), tuple(shape.slots))
    return RoutineSpec(
        type=f"{cls.__module__}:{cls.__qualname__}",
        config=config,
        slots=tuple(_slot_spec(name, slot) for name, slot in shape.slots.items()),
        events=tuple(_event_spec(name, event) for name, event in shape.events.items()),
        fields=_field_specs(cls.Config),
        doc=inspect.cleandoc(vars(cls).get("__doc__") or ""),
        source=getattr(sys.modules.get(cls.__module__), "__file__", None),
        faults=() if fault is None else (fault,),
        cautions=() if caution is None else (caution,),
        open_config=isinstance(routine.config, BaseModel)
        and routine.config.model_config.get("extra") != "forbid",
    )


def type_text(type_: Any) -> str:
    """A type as one would write it."""
    if isinstance(type_, str):
        return type_
    if isinstance(type_, type) and get_origin(type_) is None:
        return "None" if type_ is type(None) else type_.__name__
    return str(type_).replace("typing.", "")


def _slot_spec(name: str, slot: Slot) -> SlotSpec:
    return SlotSpec(name, type_text(slot.type), slot.capacity, slot.doc, slot.overflow)


def _event_spec(name: str, event: Event) -> EventSpec:
    bases = event.type.__mro__[1:-1] if isinstance(event.type, type) else ()
    names = tuple(base.__name__ for base in bases)
    return EventSpec(name, type_text(event.type), event.doc, names, event.copy)


def _field_specs(config: Any) -> tuple[FieldSpec, ...]:
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        return ()
    return tuple(_field_spec(name, info) for name, info in config.model_fields.items())


def _field_spec(name: str, info: FieldInfo) -> FieldSpec:
    kind, choices = _kind(info.annotation)
    default: Any = REQUIRED
    computed = False
    if not info.is_required():
        default = info.default
        computed = info.default_factory is not None or not _is_json(default)
    return FieldSpec(
        name=info.alias or name,
        type="json" if computed else kind,
        default=None if computed else default,
        choices=choices,
        annotation=type_text(info.annotation),
        doc=info.description or "",
        constraints={
            limit: getattr(rule, limit)
            for rule in info.metadata
            for limit in _CONSTRAINTS
            if getattr(rule, limit, None) is not None
        },
        computed=computed,
    )


def _refuse_non_finite(value: Any) -> None:
    """Pydantic would write NaN and the infinities as null."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        _refuse_non_finite(item)


def _kind(annotation: Any) -> tuple[str, tuple[Any, ...]]:
    if annotation in (bool, int, float, str):
        return annotation.__name__, ()
    if get_origin(annotation) is Literal:
        return "Literal", get_args(annotation)
    return "json", ()


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
