"""What crosses between window and engine as bytes, and nothing else back from them.

A frame is JSON: a list of ``[class name, fields]``, one for each item. It has one spelling: what
was read is written again and has to be the same, so that a field too many or too few is found.
JSON because what a flow is given is JSON already, whole numbers of any size included, and because
it has no types of its own to bring to life; measured against others in
``tests/benchmarks/codec.py``.

UTF-8 has no lone surrogates, but texts of exceptions and file names may. A name with ``*`` after
it says that each string of its fields stands as one character for each byte of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from math import isfinite
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from penstock.errors import PenstockError
from penstock.host.crossing.commands import COMMAND_TYPES, Start
from penstock.host.crossing.protocol import PLAIN_TYPES
from penstock.observe import EVENT_TYPES

CROSSING_TYPES: tuple[type[Any], ...] = (*EVENT_TYPES, *PLAIN_TYPES, *COMMAND_TYPES)
MAX_DEPTH = 64
MAX_INT_BITS = 2048
"""617 digits: what any interpreter turns into text, however low its limit is set."""
_AS_BYTES = "*"
_TROUBLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)

_encoder = msgspec.json.Encoder()
_frames = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]])
_decoders = {kind.__name__: msgspec.json.Decoder(kind) for kind in CROSSING_TYPES}
_kinds = {kind.__name__: kind for kind in CROSSING_TYPES}


class WireError(PenstockError, ValueError):
    """Something that doesn't cross, or bytes that are no frame; says what and where."""


def encode(items: Iterable[object]) -> bytes:
    """One frame of items of `CROSSING_TYPES`; raises WireError for anything else. On any thread.

    Numbers have to be finite. The values of `Start.entry_params` are exactly None, bool, int of
    at most `MAX_INT_BITS`, float, str, list and dict with str keys, nested at most `MAX_DEPTH`.
    """
    pairs = [(type(item).__name__, item) for item in items]
    for name, item in pairs:
        _check(name, item)
    try:
        return _written(pairs)
    except _TROUBLE as error:
        raise WireError(f"a message to another process doesn't cross: {error}") from error


def decode(data: bytes) -> tuple[object, ...]:
    """The items of a frame; raises WireError for bytes that `encode` doesn't write.

    Only objects of `CROSSING_TYPES` are ever made.
    """
    try:
        items = tuple(_item(name, fields) for name, fields in _frames.decode(data))
        again = encode(items)
        # An int where a float is expected was written as one, and equals what was read.
        is_whole = again == data or msgspec.json.decode(again) == msgspec.json.decode(data)
    except WireError:
        raise
    except _TROUBLE as error:
        raise WireError(f"no frame of ours: {error}") from error
    if not is_whole:
        raise WireError("no frame of ours: fields too many or too few")
    return items


# ---- one item


def _check(name: str, item: object) -> None:
    if _kinds.get(name) is not type(item):
        raise WireError(f"{name} doesn't cross between window and engine")
    place = _not_finite[name](item)
    if place is not None:
        raise WireError(f"{name}{place}: expected a finite number")
    if type(item) is Start:
        _check_json(item.entry_params, "entry_params", 0)


def _written(pairs: list[tuple[str, Any]]) -> bytes:
    try:
        return _encoder.encode(pairs)
    except UnicodeEncodeError:
        return _encoder.encode([_pair_as_bytes(name, item) for name, item in pairs])


def _item(name: str, fields: msgspec.Raw) -> object:
    decoder = _decoders.get(name)
    if decoder is not None:
        return decoder.decode(fields)
    kind = _kinds.get(name.removesuffix(_AS_BYTES))
    if kind is None:
        raise WireError(f"no frame of ours: nothing that crosses is called {name[:40]!r}")
    return msgspec.convert(_strings(msgspec.json.decode(fields), _from_bytes), kind)


def _pair_as_bytes(name: str, item: object) -> tuple[str, Any]:
    try:
        _encoder.encode(item)
    except UnicodeEncodeError:
        return name + _AS_BYTES, _strings(msgspec.to_builtins(item), _to_bytes)
    return name, item


def _strings(tree: Any, change: Callable[[str], str]) -> Any:
    """The same lists and dicts with each string changed."""
    if type(tree) is str:
        return change(tree)
    if type(tree) is dict:
        return {change(key): _strings(value, change) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return [_strings(value, change) for value in tree]
    return tree


def _to_bytes(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _from_bytes(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogatepass")


def _check_json(value: object, place: str, depth: int) -> None:
    """Raise for a value that would come out as another one, or not at all."""
    if depth > MAX_DEPTH:
        raise WireError(f"{place}: nested more than {MAX_DEPTH} deep")
    kind = type(value)
    if isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise WireError(f"{place}: expected a str as key, got {key!r}")
            _check_json(item, f"{place}[{key!r}]", depth + 1)
    elif isinstance(value, list) and kind is list:
        for number, item in enumerate(value):
            _check_json(item, f"{place}[{number}]", depth + 1)
    elif isinstance(value, float) and kind is float:
        if not isfinite(value):
            raise WireError(f"{place}: expected a finite number, got {value}")
    elif isinstance(value, int) and kind is int:
        if value.bit_length() > MAX_INT_BITS:
            raise WireError(f"{place}: an int of {value.bit_length()} bits doesn't cross")
    elif kind not in (str, bool, NoneType):
        raise WireError(f"{place}: expected a JSON value, got {kind.__name__}")


# ---- numbers that are none: JSON has no word for them, so they are looked for before

_Place = Callable[[Any], str | None]
"""Where in a value a float isn't finite, as `.field['key'][0]`; None if nowhere."""


def _of_float(value: float) -> str | None:
    return None if isfinite(value) else ""


def _places(hint: Any) -> _Place | None:
    """Looks through values of a type; None when there are no floats in it."""
    if hint is float:
        return _of_float
    if dataclasses.is_dataclass(hint):
        return _of_fields(hint)
    parts = [_places(part) for part in get_args(hint)]
    if get_origin(hint) is dict and parts[1] is not None:
        return _of_values(parts[1])
    if get_origin(hint) is tuple and parts[0] is not None:
        return _of_items(parts[0])
    found = [part for part in parts if part is not None]
    if isinstance(hint, UnionType) and found:
        (only,) = found
        return lambda value: None if value is None else only(value)
    return None


def _of_fields(kind: Any) -> _Place | None:
    found = [(name, _places(hint)) for name, hint in get_type_hints(kind).items()]
    rows = [(name, look) for name, look in found if look is not None]

    def look_at(value: Any) -> str | None:
        for name, look in rows:
            place = look(getattr(value, name))
            if place is not None:
                return f".{name}{place}"
        return None

    return look_at if rows else None


def _of_values(look: _Place) -> _Place:
    def look_at(value: dict[str, Any]) -> str | None:
        for key, item in value.items():
            place = look(item)
            if place is not None:
                return f"[{key!r}]{place}"
        return None

    return look_at


def _of_items(look: _Place) -> _Place:
    def look_at(value: tuple[Any, ...]) -> str | None:
        for number, item in enumerate(value):
            place = look(item)
            if place is not None:
                return f"[{number}]{place}"
        return None

    return look_at


def _nowhere(value: Any) -> None:
    return None


_not_finite: dict[str, _Place] = {
    kind.__name__: _of_fields(kind) or _nowhere for kind in CROSSING_TYPES
}
