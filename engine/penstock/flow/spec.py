"""What a routine looks like from outside: plain data, read from its source or a live class."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final


class _Required(Enum):
    REQUIRED = "required"

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required.REQUIRED


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """A slot: ``type`` is the text of its type."""

    name: str
    type: str = "object"
    capacity: int = 1000
    doc: str = ""
    overflow: str = "hold"


@dataclass(frozen=True, slots=True)
class EventSpec:
    """An event: ``type`` is the text of its type, ``bases`` what that is known to derive from."""

    name: str
    type: str = "object"
    doc: str = ""
    bases: tuple[str, ...] = ()
    copy: bool = False


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of a routine's ``Config``.

    ``type`` is one of bool, int, float, str, Literal, or json for whatever else ``annotation``
    says. ``default`` is REQUIRED where there is none, and None with ``computed`` where it is no
    literal. ``constraints`` holds ge, gt, le, lt, min_length ... as found.
    """

    name: str
    type: str = "json"
    default: Any = REQUIRED
    choices: tuple[Any, ...] = ()
    annotation: str = ""
    doc: str = ""
    constraints: dict[str, Any] = field(default_factory=dict)
    computed: bool = False


@dataclass(frozen=True, slots=True)
class RoutineSpec:
    """A routine as text: its type, its config as JSON values, its ports and config fields.

    ``events`` is without the implicit ``failed``. ``error`` says why the type isn't found or can't
    be read. ``faults`` say what of its activation rule or error policy keeps it from running,
    ``cautions`` what of them may surprise. ``complete`` is False where a base class couldn't be
    followed: then there may be more ports than listed. ``open_config``: it may accept more fields
    than listed. ``extra`` holds keys of the flow file that aren't known here.
    """

    type: str
    config: dict[str, Any] = field(default_factory=dict)
    slots: tuple[SlotSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()
    fields: tuple[FieldSpec, ...] = ()
    doc: str = ""
    title: str | None = None
    source: str | None = None
    line: int | None = None
    error: str | None = None
    faults: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    complete: bool = True
    open_config: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def class_name(self) -> str:
        """The part of the type behind the colon."""
        return self.type.rpartition(":")[2]

    def slot(self, name: str) -> SlotSpec | None:
        """The slot of that name."""
        return next((slot for slot in self.slots if slot.name == name), None)

    def event(self, name: str) -> EventSpec | None:
        """The event of that name; every routine has ``failed``."""
        if name == "failed":
            return FAILED
        return next((event for event in self.events if event.name == name), None)

    def with_config(self, config: dict[str, Any]) -> RoutineSpec:
        """The same routine with another config."""
        return replace(self, config=dict(config))


FAILED: Final = EventSpec("failed", "Failure", "What became of an activation that raised.")

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "None": (type(None),),
}
_WORDS: Final = {"bool": "true or false", "int": "a whole number", "float": "a number"}


def validate_field(spec: FieldSpec, value: Any) -> str | None:
    """Why `value`, as read from JSON, isn't right for that field; None when it may be.

    Only simple rules: the whole Config checks again once the routine is imported.
    """
    if spec.type == "json":
        return _check_union(spec, value)
    if spec.type == "Literal":
        if any(type(value) is type(choice) and value == choice for choice in spec.choices):
            return None
        return f"expected one of {', '.join(map(repr, spec.choices))}"
    if not _is_kind(spec.type, value):
        return f"expected {_WORDS.get(spec.type, 'text')}, got {_shown(value)}"
    return _check_constraints(spec, value)


def _check_union(spec: FieldSpec, value: Any) -> str | None:
    """``str | None`` and the like can be checked, other annotations can't."""
    kinds = [part.strip() for part in spec.annotation.split("|")]
    if not all(kind in _KINDS for kind in kinds):
        return None
    if not any(_is_kind(kind, value) for kind in kinds):
        return f"expected {spec.annotation}, got {_shown(value)}"
    return None if value is None else _check_constraints(spec, value)


def _is_kind(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "bool"
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, _KINDS[kind])


def _check_constraints(spec: FieldSpec, value: Any) -> str | None:
    for name, limit in spec.constraints.items():
        check = _CONSTRAINTS.get(name)
        if check is None:
            continue
        is_met, words = check
        try:
            if not is_met(value, limit):
                return f"expected {words} {limit}"
        except TypeError:  # a limit of another kind than the value: its Config will tell
            continue
    return None


_CONSTRAINTS: Final[dict[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "ge": (lambda value, limit: value >= limit, "at least"),
    "gt": (lambda value, limit: value > limit, "more than"),
    "le": (lambda value, limit: value <= limit, "at most"),
    "lt": (lambda value, limit: value < limit, "less than"),
    "min_length": (lambda value, limit: len(value) >= limit, "a length of at least"),
    "max_length": (lambda value, limit: len(value) <= limit, "a length of at most"),
}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else type(value).__name__
