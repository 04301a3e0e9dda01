"""What pages of a value say, as the rows of a tree (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from penstock.host import ValueItem, ValuePage
from penstock.observe import ValueSummary
from penstock_gui.docks.inspector.facts import NOT_KEPT, summary_color, summary_tip
from penstock_gui.widgets.wording import one_line, plural, visible

ITEMS = 100
CHARACTERS = 2_000
BYTES = 512
"""How much is asked for at a time."""
MOST_IN_ROW = 500
_LABEL = 120
_IN_LINE = 8
_NOUNS = {
    "items": "item",
    "entries": "entry",
    "members": "member",
    "fields": "field",
    "text": "character",
    "bytes": "byte",
}
_TEXTS = {"str": CHARACTERS, "bytes": BYTES, "bytearray": BYTES}
_KINDS = {"text": CHARACTERS, "bytes": BYTES}
CUT = "cut: reading took too long"
EMPTY = "nothing inside"


@dataclass(frozen=True)
class Row:
    """A row of the tree: a child, a piece of text, what there is more, or a note.

    ``opens``: there is something below. ``at`` is the position of a child, or where the next page
    begins. Of a piece of text the whole is shown, however high the row gets.
    """

    kind: Literal["child", "text", "more", "note"]
    text: str
    label: str = ""
    color: str = "text"
    tip: str = ""
    opens: bool = False
    at: int = 0
    type: str = ""


READING = Row("note", "reading …", color="text.3")


def how_many(type_name: str, kind: str = "") -> int:
    """How much of a value to ask for, going by its type as long as no page has said its kind."""
    return _KINDS.get(kind, ITEMS) if kind else _TEXTS.get(type_name, ITEMS)


def title(value: ValueSummary, kind: str, total: int) -> str:
    """``dict, 12,345 entries``."""
    name = one_line(value.type, _LABEL)
    return f"{name}, {_count(total, kind)}" if kind in _NOUNS else name


def rows(page: ValuePage) -> tuple[Row, ...]:
    """What a page adds to the tree."""
    if not page.kept:
        return (Row("note", NOT_KEPT, color="text.3"),)
    if page.kind == "text":
        return (*_lines(page.text), *_rest(page, page.offset + len(page.text)))
    if page.kind == "bytes":
        data = bytes.fromhex(page.text)
        return (*_dump(data, page.offset), *_rest(page, page.offset + len(data)))
    children = tuple(map(_child, page.items))
    cut = (Row("note", CUT, color="state.failed"),) if page.cut else ()
    if not children:
        return cut or (Row("note", EMPTY, color="text.3"),)
    return (*children, *cut, *_rest(page, page.offset + len(children)))


def _child(item: ValueItem) -> Row:
    value = item.value
    return Row(
        "child",
        one_line(value.text),
        one_line(item.label, _LABEL),
        summary_color(value),
        summary_tip(value),
        item.opens,
        item.position,
        value.type,
    )


def _rest(page: ValuePage, begin: int) -> tuple[Row, ...]:
    left = page.total - begin
    if left <= 0:
        return ()
    more = min(left, how_many("", page.kind))
    text = f"{more:,} more of {_count(page.total, page.kind)}"
    return (Row("more", text, color="accent", at=begin),)


def _count(number: int, kind: str) -> str:
    if kind == "entries":
        return "1 entry" if number == 1 else f"{number:,} entries"
    return plural(number, _NOUNS.get(kind, "item"))


def _lines(text: str) -> Iterator[Row]:
    """Lines, the long ones in pieces; nothing in them can hide or reorder others."""
    for line in text.split("\n"):
        shown = visible(line.removesuffix("\r"))
        for begin in range(0, max(1, len(shown)), MOST_IN_ROW):
            yield Row("text", shown[begin : begin + MOST_IN_ROW], color="syn.str")


def _dump(data: bytes, offset: int) -> Iterator[Row]:
    """Eight bytes a row, with the characters that they are in ASCII beside them."""
    for begin in range(0, len(data), _IN_LINE):
        piece = data[begin : begin + _IN_LINE]
        printed = "".join(chr(b) if 32 <= b < 127 else "." for b in piece)
        text = f"{piece.hex(' ', -4):<{2 * _IN_LINE + 1}}  {printed}"
        yield Row("child", text, f"{offset + begin:,}", "syn.str", at=offset + begin)
