"""Strict JSON: bounded in size and depth, no doubled keys, no NaN; errors name the place."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from penstock.errors import FlowFileError
from penstock.flow.values import one_line

MAX_BYTES = 10_000_000
MAX_DEPTH = 64
MAX_STRING = 1_000_000

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    if isinstance(value, _CHECKED):
        _check(value, place, [])
    return value


def compact(value: Any) -> str:
    """JSON text without a needless character; fast."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def pretty(value: Any) -> str:
    """JSON text as flow files have it: two spaces, one item a line, lists of numbers in one."""
    return "".join(_pieces(value, "\n")) + "\n"


def dotted(path: Sequence[str | int]) -> str:
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


_CHECKED = (str, dict, list)


def _check(value: Any, place: str, path: list[str | int]) -> None:
    """Walk everything; refuses depth before it could hurt."""
    if isinstance(value, str):
        _check_string(value, place, path)
    else:
        if len(path) >= MAX_DEPTH:
            raise FlowFileError(f"{place}: nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, _Doubled):
            raise FlowFileError(f"{_at(place, path)}: the key {value.key[:80]!r} is there twice")
        if isinstance(value, dict):
            for key in value:
                _check_string(key, place, path)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if item and isinstance(item, _CHECKED):
                path.append(key)
                _check(item, place, path)
                path.pop()


def _check_string(text: str, place: str, path: list[str | int]) -> None:
    if len(text) > MAX_STRING:
        where = _at(place, path)
        raise FlowFileError(f"{where}: expected text of at most {MAX_STRING} characters")
    if not text.isascii() and _SURROGATE.search(text):
        raise FlowFileError(f"{_at(place, path)}: half a surrogate pair is no text")


def _at(place: str, path: list[str | int]) -> str:
    return f"{place}: {dotted(path)}" if path else place


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
    return _ENCODER.encode(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
