"""Checking a value against the type of a slot or field, in pydantic's strict modes."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from penstock.errors import InvalidValue


def check_python(type_: Any, value: Any, where: str) -> None:
    """Raise InvalidValue unless `value`, given from Python, is of that type as it is."""
    adapter = _adapter_of(type_)
    if adapter is None or _is_model(type_):
        _check_instance(type_, value, where)
        return
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        raise InvalidValue(f"{where}: {explain(error)}", port=where) from None


def check_json(type_: Any, value: Any, where: str) -> Any:
    """What the JSON value stands for under that type; raises InvalidValue."""
    adapter = _adapter_of(type_)
    if adapter is None:
        _check_instance(type_, value, where)
        return value
    try:
        return adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise InvalidValue(f"{where}: {explain(error)}", port=where) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"{where}: no JSON value: {one_line(error)}", port=where) from None


def explain(error: ValidationError) -> str:
    """The first complaint in one line, ``field: expected ...``, and how many more there are."""
    path, text = complaint(error)
    place = ".".join(map(str, path))
    return one_line(f"{place}: {text}" if place else text)


def complaint(error: ValidationError) -> tuple[tuple[str | int, ...], str]:
    """Where the first complaint is and what it says."""
    details = error.errors(include_url=False, include_context=False)
    first = details[0]
    text = f"{_words(first['type'], first['msg'])}{_given(first['type'], first['input'])}"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return first["loc"], one_line(f"{text}{more}")


def one_line(text: object, limit: int = 500) -> str:
    """Foreign text on one line of bounded length."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _words(kind: str, message: str) -> str:
    match kind:
        case "missing":
            return "expected a value, there is none"
        case "extra_forbidden":
            return "unknown; no such field is expected"
        case _:
            return message.replace("Input should be", "expected", 1)


def _given(kind: str, value: object) -> str:
    """What was given instead. Only plain values are shown: no user's ``__repr__`` is called."""
    if kind in ("missing", "extra_forbidden", "value_error", "assertion_error"):
        return ""
    if type(value) in (bool, float, type(None)):
        return f", got {value!r}"
    if type(value) is int and abs(value) < 10**20:
        return f", got {value}"
    if type(value) is str and len(value) <= 40:
        return f", got {value!r}"
    return f", got {type(value).__name__}"


def _adapter_of(type_: Any) -> TypeAdapter[Any] | None:
    try:
        return _adapter(type_)
    except TypeError:  # a type without a hash
        return _adapter.__wrapped__(type_)


@lru_cache(maxsize=1024)
def _adapter(type_: Any) -> TypeAdapter[Any] | None:
    """None for a type pydantic doesn't know: then ``isinstance`` decides."""
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            adapter = TypeAdapter(type_, config=config)
        except (PydanticUserError, NameError):
            continue
        return adapter if getattr(adapter, "pydantic_complete", True) else None
    return None


def _is_model(type_: Any) -> bool:
    """Even strict pydantic makes a model of a dict; the body would get the dict."""
    return isinstance(type_, type) and issubclass(type_, BaseModel)


def _check_instance(type_: Any, value: Any, where: str) -> None:
    kind = get_origin(type_) or type_
    try:
        fits = isinstance(value, kind)
    except TypeError:  # no class and nothing pydantic knows: nobody can say
        return
    if not fits:
        name = getattr(kind, "__name__", str(kind))
        raise InvalidValue(
            f"{where}: expected an instance of {name}, got {type(value).__name__}", port=where
        )
