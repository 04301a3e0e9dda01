"""Numbers, times and foreign text as a table cell shows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime

NONE = "—"
TAB = 8


def duration(seconds: float) -> str:
    """``2 ms``, ``1.4 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 0.9995:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def clock(time: float | None) -> str:
    """Local wall-clock time, ``14:02:11``; a dash when there is none."""
    return NONE if time is None else datetime.fromtimestamp(time).strftime("%H:%M:%S")


def clock_ms(time: float) -> str:
    """Local wall-clock time with milliseconds, ``14:02:19.402``."""
    moment = datetime.fromtimestamp(time)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"


def plural(count: int, noun: str) -> str:
    """``1 job``, ``1,911 msgs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(count: int) -> str:
    """A number in at most five characters, never more than it is: ``999``, ``1.2k``, ``12k``."""
    for unit, sign in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= 10 * unit:
            return f"{count // unit:,}{sign}"
        if count >= unit:
            return f"{count // (unit // 10) / 10:.1f}{sign}"
    return str(count)


def one_line(text: str, limit: int = 400) -> str:
    """Foreign text for one cell: no line breaks or control characters, at most `limit` long."""
    head = text[: limit + 1]
    flat = "".join(c if c.isprintable() else " " for c in head)
    return flat if len(text) <= limit else flat[: limit - 1] + "…"


def visible(text: str) -> str:
    """Text without a character that could hide, move or reorder others: those are spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(text.expandtabs(TAB)))


def _shown(text: str) -> Iterable[str]:
    for c in text:
        if c.isprintable():
            yield c
        elif unicodedata.category(c) == "Zs":
            yield " "
        else:
            yield c.encode("unicode_escape", "backslashreplace").decode("ascii")


def bounded(text: str, limit: int = 6_000, line: int = 500) -> str:
    """Foreign text for a text pane: long lines cut, and the middle left out, saying how much."""
    if len(text) > limit:
        half = limit // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n… {left_out:,} characters left out …\n{text[-half:]}"
    return "\n".join(_cut(part, line) for part in text.splitlines())


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
