"""Strict JSON: bounded in size and depth, no doubled keys, no NaN; errors name the place."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from penstock.errors import FlowFileError
from penstock.flow.values import one_line

MAX_BYTES = 10_000_000
MAX_DEPTH = 64
MAX_STRING = 1_000_000

_Place = tuple[str | int, ...]


def parse(text: str, place: str) -> Any:
    """The value `text` stands for; raises FlowFileError in one line beginning with `place`."""
    if text.startswith("\ufeff"):
        raise FlowFileError(f"{place}: line 1: expected UTF-8 without a byte order mark")
    if len(text) > MAX_BYTES:
        raise FlowFileError(f"{place}: expected at most {MAX_BYTES} bytes, got {len(text)}")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FlowFileError(f"{place}: {where}: no JSON: {one_line(error.msg)}") from None
    except ValueError as error:
        raise FlowFileError(f"{place}: {one_line(error)}") from None
    except RecursionError:
        raise FlowFileError(f"{place}: nested deeper than {MAX_DEPTH} levels") from None
    _check(value, place)
    return value


def pretty(value: Any) -> str:
    """JSON text as flow files have it: two spaces, one item a line, lists of numbers in one."""
    return "".join(_pieces(value, "\n")) + "\n"


def dotted(path: _Place) -> str:
    """``("routines", "parse", "position", 0)`` as ``routines.parse.position[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if part and part.isprintable() and len(part) <= 80 else repr(part[:80])
            text += f".{shown}" if text else shown
    return text


class _Doubled(dict[str, Any]):
    """An object one of whose keys came twice. Where it stands is known only afterwards."""

    key = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) == len(pairs):
        return items
    counts = Counter(key for key, _ in pairs)
    doubled = _Doubled(items)
    doubled.key = next(key for key, count in counts.items() if count > 1)
    return doubled


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is out of range: expected a finite number")
    return number


def _check(root: Any, place: str) -> None:
    """Walk everything without recursion, so that depth itself can't hurt."""
    todo: list[tuple[_Place, Any]] = [((), root)]
    while todo:
        path, value = todo.pop()
        where = f"{place}: {dotted(path)}" if path else place
        if isinstance(value, str):
            _check_string(value, where)
        elif isinstance(value, dict | list):
            if len(path) >= MAX_DEPTH:
                raise FlowFileError(f"{place}: nested deeper than {MAX_DEPTH} levels")
            if isinstance(value, _Doubled):
                raise FlowFileError(f"{where}: the key {value.key[:80]!r} is there twice")
            todo.extend([((*path, key), item) for key, item in _items(value, where)])


def _items(value: dict[str, Any] | list[Any], where: str) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, list):
        yield from enumerate(value)
        return
    for key, item in value.items():
        _check_string(key, where)
        yield key, item


def _check_string(text: str, where: str) -> None:
    if len(text) > MAX_STRING:
        raise FlowFileError(f"{where}: expected text of at most {MAX_STRING} characters")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise FlowFileError(f"{where}: half a surrogate pair is no text")


def _pieces(value: Any, newline: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield from _block(
            "{}",
            ((f"{_scalar(str(key))}: ", item) for key, item in value.items()),
            newline,
        )
    elif isinstance(value, list | tuple) and value and not all(map(_is_number, value)):
        yield from _block("[]", (("", item) for item in value), newline)
    else:
        yield _scalar(value)


def _block(brackets: str, items: Iterator[tuple[str, Any]], newline: str) -> Iterator[str]:
    inner = f"{newline}  "
    comma = brackets[0]
    for label, item in items:
        yield f"{comma}{inner}{label}"
        yield from _pieces(item, inner)
        comma = ","
    yield f"{newline}{brackets[1]}"


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
