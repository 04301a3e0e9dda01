"""Bounded pictures of values, made without running any code of the value's class."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

MAX_TEXT = 400
MAX_ITEMS = 8
MAX_DEPTH = 3
_LONG_INT_BITS = 256
# The interpreter's own readers: a hostile metaclass or class can't answer in their place.
_CLASS_NAME: Any = vars(type)["__name__"].__get__
CLASS_MRO: Any = vars(type)["__mro__"].__get__
CLASS_DICT: Any = vars(type)["__dict__"].__get__
_READERS = (GetSetDescriptorType, MemberDescriptorType)


@dataclass(frozen=True, slots=True)
class ValueSummary:
    """What a value looked like when it was taken.

    ``type`` is the class name, ``text`` at most `MAX_TEXT` characters, ``size`` the number of
    items, characters or bytes where the value has one.
    """

    type: str
    text: str
    size: int | None = None


def summarize(value: object) -> ValueSummary:
    """A bounded summary; never calls the value's own ``__repr__``, ``__len__`` or properties.

    Safe on any thread, also while another one changes the value.
    """
    kind = type(value)
    return ValueSummary(type_name(kind), _clip(_text(value, MAX_DEPTH)), _size(value))


def type_name(kind: type) -> str:
    """The class's plain name, however hostile its metaclass."""
    name: str = _CLASS_NAME(kind)
    return name


def _clip(text: str, limit: int = MAX_TEXT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _size(value: object) -> int | None:
    kind = type(value)
    if kind in (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque, OrderedDict):
        return len(value)  # type: ignore[arg-type]
    return None


def _text(value: object, depth: int) -> str:
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if kind is int:
        return _int_text(value)  # type: ignore[arg-type]
    if kind is float or kind is complex:
        return repr(value)
    if kind is str:
        return _str_text(value)  # type: ignore[arg-type]
    if kind in (bytes, bytearray):
        return _bytes_text(value)  # type: ignore[arg-type]
    if kind in _BRACKETS:
        return _items_text(kind, value, depth)
    if kind in (dict, OrderedDict):
        return "{" + _join(_pairs(value, depth), len(value)) + "}"  # type: ignore[arg-type]
    return _object_text(value, depth)


def _int_text(value: int) -> str:
    bits = value.bit_length()
    return str(value) if bits <= _LONG_INT_BITS else f"<int of {bits} bits>"


def _str_text(value: str) -> str:
    text = repr(value[:MAX_TEXT])
    return text if len(value) <= MAX_TEXT else text[:-1] + "…" + text[-1]


def _bytes_text(value: bytes | bytearray) -> str:
    text = repr(bytes(value[:64]))
    return text if len(value) <= 64 else text[:-1] + "…" + text[-1]


_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}


def _items_text(kind: type, value: Any, depth: int) -> str:
    left, right = _BRACKETS[kind]
    return left + _join((_text(v, depth - 1) for v in _peek(value, depth)), len(value)) + right


def _pairs(value: dict[Any, Any], depth: int) -> Iterator[str]:
    for key in _peek(value, depth):
        yield (
            f"{_text(key, depth - 1)}: {_text(value.get(key), depth - 1)}"
            if type(key) is str
            else f"{_text(key, depth - 1)}: …"
        )


def _peek(value: Iterable[object], depth: int) -> list[object]:
    """The first items; none when too deep or when another thread is changing the value."""
    if depth <= 0:
        return []
    try:
        return list(islice(value, MAX_ITEMS))
    except RuntimeError:
        return []


def _join(parts: Iterable[str], total: int) -> str:
    shown = [_clip(part, 120) for part in parts]
    if len(shown) < total:
        shown.append(f"… {total:,} in all" if shown else f"{total:,} items")
    return ", ".join(shown)


def _object_text(value: object, depth: int) -> str:
    """Class name and stored fields, read from the instance dictionary or slots descriptors."""
    name = type_name(type(value))
    fields = _fields(value) if depth > 0 else []
    if not fields:
        return f"<{name}>"
    parts = (f"{key}={_clip(_text(item, depth - 1), 80)}" for key, item in fields)
    return f"{name}({_join(parts, len(fields))})"


def _fields(value: object) -> list[tuple[str, object]]:
    stored = instance_dict(value)
    if stored:
        return [(k, stored.get(k)) for k in list(stored)[:MAX_ITEMS] if type(k) is str]
    return list(islice(_slot_fields(value), MAX_ITEMS))


def instance_dict(value: object) -> dict[Any, Any] | None:
    """Where an instance stores its fields, None for none; whatever its class calls ``__dict__``."""
    for base in CLASS_MRO(type(value)):
        reader = CLASS_DICT(base).get("__dict__")
        if type(reader) in _READERS:
            try:
                stored = reader.__get__(value)
            except (AttributeError, TypeError):  # there is none, or it is another class's
                return None
            return stored if type(stored) is dict else None
    return None


def _slot_fields(value: object) -> Iterator[tuple[str, object]]:
    for base in CLASS_MRO(type(value)):
        for key, descriptor in CLASS_DICT(base).items():
            if type(descriptor) is MemberDescriptorType:
                try:
                    yield key, descriptor.__get__(value)
                except (AttributeError, TypeError):  # not set, or a slot of another class
                    continue
