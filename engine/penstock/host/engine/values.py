"""Values stay in the host: a client gets references to them, and pages of what is inside.

Nothing here runs code of a value's class: children are read by the interpreter's own readers of the
built-in types (which also read their subclasses), and fields from where instances store them.
Arrays of numpy are read by numpy, if the program has imported it.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import count, islice
from time import monotonic, time_ns
from types import MemberDescriptorType, ModuleType
from typing import Any, NamedTuple

from penstock.host.crossing.protocol import PageKind, ValueItem, ValuePage
from penstock.observe import ValueSummary, summarize
from penstock.observe.summary import CLASS_DICT, CLASS_MRO, instance_dict

MAX_ITEMS = 200
MAX_TEXT = 20_000
"""Most items, and most characters or bytes of a text, in one page."""
PAGE_SECONDS = 0.05
"""A page has fewer items rather than take longer."""
MAX_OFFERED = 10_000
MAX_HELD = 1_000
MAX_PATH = 100
_STRIDE = 50_000
_MAX_LABEL = 120

Find = Callable[[], object]
"""Gives the value the engine keeps, or raises LookupError when it doesn't keep it any more."""


def no_page(reference: int, path: tuple[int, ...], offset: int) -> ValuePage:
    """The answer about a value that isn't kept."""
    nothing = ValueSummary("", "")
    return ValuePage(reference, path, "nothing", nothing, 0, offset, (), kept=False)


class ValueStore:
    """References to values, and who holds which.

    A reference is *offered* for a value that the engine keeps: it holds nothing, and finds the
    value as long as the engine does keep it. The first page of it that somebody asks for makes
    that client its *holder*: from then on the value is that very object, kept until all its holders
    have released it or left. So what nobody looked at is never kept, and what a window shows
    doesn't vanish. Of offers the newest `MAX_OFFERED` are known, of held values the `MAX_HELD`
    asked for last. What one store calls a value means nothing to another, also of a later process.

    Methods may be called on any thread. `_lock` guards the tables; never held while a value is
    looked for or read.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(time_ns())  # no store begins where another one may have come to
        self._references: dict[Hashable, int] = {}
        self._offered: OrderedDict[int, tuple[Hashable, Find]] = OrderedDict()
        self._held: OrderedDict[int, _Held] = OrderedDict()

    def offer(self, key: Hashable, find: Find) -> int:
        """The reference of the value that `key` names, the same for the same key.

        `key` is of our own making, like (job id, port, message number); it must not hold the
        value, and neither must `find`.
        """
        with self._lock:
            reference = self._references.get(key)
            if reference is None:
                reference = self._references[key] = next(self._numbers)
            self._offered[reference] = (key, find)
            self._offered.move_to_end(reference)
            if len(self._offered) > MAX_OFFERED:
                _, (oldest, _) = self._offered.popitem(last=False)
                del self._references[oldest]
            return reference

    def page(
        self,
        reference: int,
        path: Sequence[int] = (),
        offset: int = 0,
        most: int = MAX_ITEMS,
        holder: Hashable = None,
    ) -> ValuePage:
        """What is inside a value: at most `most` children from `offset` on, or a piece of its text.

        `path` leads to a child of a child: positions as pages have them. `kept` is False for a
        reference whose value isn't kept, and for a path that leads nowhere (any more). Takes about
        `PAGE_SECONDS`; asks nothing of the value itself.
        """
        steps = tuple(path)
        deadline = monotonic() + PAGE_SECONDS
        try:
            value = self._value(reference, holder)
            for step in steps if len(steps) <= MAX_PATH else (-1,):
                value = _child(value, step, deadline)
        except LookupError:
            return no_page(reference, steps, offset)
        return _page(value, reference, steps, max(0, offset), max(0, most), deadline)

    def release(self, reference: int, holder: Hashable = None) -> None:
        """This client doesn't need the value any more; unknown references are ignored."""
        self._drop((reference,), holder)

    def leave(self, holder: Hashable = None) -> None:
        """A client has gone: it needs nothing any more."""
        with self._lock:
            references = tuple(self._held)
        self._drop(references, holder)

    def _drop(self, references: Iterable[int], holder: Hashable) -> None:
        dropped = []  # what their end runs isn't run under the lock
        with self._lock:
            for reference in references:
                held = self._held.get(reference)
                if held is not None:
                    held.holders.discard(holder)
                    if not held.holders:
                        dropped.append(self._held.pop(reference))

    def _value(self, reference: int, holder: Hashable) -> object:
        """The value, of which `holder` is a holder now; raises LookupError."""
        with self._lock:
            held = self._held.get(reference)
            if held is not None:
                held.holders.add(holder)
                self._held.move_to_end(reference)
                return held.value
            _, find = self._offered[reference]
        value = find()
        dropped = None  # likewise
        with self._lock:
            held = self._held.setdefault(reference, _Held(value, set()))
            held.holders.add(holder)
            if len(self._held) > MAX_HELD:
                dropped = self._held.popitem(last=False)
        del dropped
        return held.value


class _Held(NamedTuple):
    value: object
    holders: set[Hashable]


Row = tuple[str, object]
"""A label and a child."""


class _Inside(NamedTuple):
    """What there is in a value; `read` gives rows from an offset on, as many as asked for."""

    kind: PageKind
    total: int
    read: Callable[[int, int, float], list[Row]]


def _page(
    value: object, reference: int, path: tuple[int, ...], offset: int, most: int, deadline: float
) -> ValuePage:
    kind = type(value)
    summary = _summary(value)
    if issubclass(kind, str | bytes | bytearray):
        return ValuePage(reference, path, *_text_page(value, summary, offset, min(most, MAX_TEXT)))
    inside = _inside(value)
    items: list[ValueItem] = []
    cut = False
    try:
        rows = inside.read(offset, min(most, MAX_ITEMS), deadline)
    except _TakesTooLong:
        rows, cut = [], True
    for position, (label, child) in enumerate(rows, offset):
        if items and monotonic() > deadline:
            cut = True
            break
        items.append(_item(position, label, child))
    return ValuePage(
        reference, path, inside.kind, summary, inside.total, offset, tuple(items), cut=cut
    )


def _text_page(
    value: Any, summary: ValueSummary, offset: int, most: int
) -> tuple[PageKind, ValueSummary, int, int, tuple[ValueItem, ...], str]:
    piece = slice(offset, offset + most)
    if issubclass(type(value), str):
        return "text", summary, str.__len__(value), offset, (), str.__getitem__(value, piece)
    kind: Any = bytes if issubclass(type(value), bytes) else bytearray
    return "bytes", summary, kind.__len__(value), offset, (), kind.__getitem__(value, piece).hex()


def _child(value: object, step: int, deadline: float) -> object:
    """The child at a position; raises LookupError."""
    inside = _inside(value)
    if 0 <= step < inside.total:
        for _, child in inside.read(step, 1, deadline):
            return child
    raise LookupError(step)


def _item(position: int, label: str, child: object) -> ValueItem:
    summary = _summary(child)
    return ValueItem(position, label, summary, _opens(child, summary))


def opens(value: object) -> bool:
    """Whether a page of the value shows more than its summary; runs no code of its class."""
    return _opens(value, _summary(value))


def _opens(value: object, summary: ValueSummary) -> bool:
    """It does if there are children, or text that isn't in its summary."""
    if issubclass(type(value), str | bytes | bytearray):
        return summary.size is None or "…" in summary.text[-2:]
    return _inside(value).total > 0


def _inside(value: object) -> _Inside:
    kind = type(value)
    for base, reader in _READERS:
        if issubclass(kind, base):
            return reader(value)
    if _is_array(value):
        return _array(value)
    if kind in _PLAIN:
        return _Inside("nothing", 0, lambda _offset, _many, _deadline: [])
    return _fields(value)


_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray, type})


def _list(value: Any) -> _Inside:
    return _Inside("items", list.__len__(value), _sliced(list, value))


def _tuple(value: Any) -> _Inside:
    return _Inside("items", tuple.__len__(value), _sliced(tuple, value))


def _deque(value: Any) -> _Inside:
    return _Inside("items", deque.__len__(value), _walked(lambda: deque.__iter__(value), _numbered))


def _dict(value: Any) -> _Inside:
    rows = _walked(lambda: iter(dict.items(value)), _keyed)
    return _Inside("entries", dict.__len__(value), rows)


def _set(value: Any) -> _Inside:
    return _Inside("members", set.__len__(value), _walked(lambda: set.__iter__(value), _unnamed))


def _frozenset(value: Any) -> _Inside:
    walk = _walked(lambda: frozenset.__iter__(value), _unnamed)
    return _Inside("members", frozenset.__len__(value), walk)


_READERS: tuple[tuple[type, Callable[[Any], _Inside]], ...] = (
    (list, _list),
    (tuple, _tuple),
    (dict, _dict),
    (set, _set),
    (frozenset, _frozenset),
    (deque, _deque),
)


def _sliced(kind: Any, value: Any) -> Callable[[int, int, float], list[Row]]:
    def read(offset: int, many: int, _deadline: float) -> list[Row]:
        return _numbered(kind.__getitem__(value, slice(offset, offset + many)), offset)

    return read


def _walked(
    begin: Callable[[], Iterator[Any]], label: Callable[[list[Any], int], list[Row]]
) -> Callable[[int, int, float], list[Row]]:
    """Of what can be walked only from its beginning; once more if it is changed meanwhile."""

    def read(offset: int, many: int, deadline: float) -> list[Row]:
        for _ in range(2):
            try:
                return label(_from(begin(), offset, many, deadline), offset)
            except RuntimeError:
                continue
        raise _TakesTooLong

    return read


def _from(items: Iterator[Any], offset: int, many: int, deadline: float) -> list[Any]:
    """In strides, each of which is one step of the interpreter: nothing is changed within."""
    while offset:
        stride = min(offset, _STRIDE)
        deque(islice(items, stride), maxlen=0)
        offset -= stride
        if monotonic() > deadline:
            raise _TakesTooLong
    return list(islice(items, many))


class _TakesTooLong(LookupError):
    """It can't be reached in the time there is, or is changed all the time."""


def _numbered(items: Iterable[Any], offset: int) -> list[Row]:
    return [(str(number), item) for number, item in enumerate(items, offset)]


def _keyed(items: Iterable[tuple[Any, Any]], _offset: int) -> list[Row]:
    return [(_label(key), item) for key, item in items]


def _unnamed(items: Iterable[Any], _offset: int) -> list[Row]:
    return [("", item) for item in items]


def _label(key: object) -> str:
    text = summarize(key).text
    return text if len(text) <= _MAX_LABEL else text[: _MAX_LABEL - 1] + "…"


# ---- fields of objects

# The interpreter's own reader: a hostile class can't answer in its place.
_ARGS: Any = vars(BaseException)["args"].__get__


def _fields(value: object) -> _Inside:
    rows = [*_stored(value), *_slots(value)]
    if issubclass(type(value), BaseException):
        rows.insert(0, ("args", _ARGS(value)))

    def read(offset: int, many: int, _deadline: float) -> list[Row]:
        return [(_name(key), child) for key, child in rows[offset : offset + many]]

    return _Inside("fields" if rows else "nothing", len(rows), read)


def _stored(value: object) -> list[Row]:
    """What is in the instance's dictionary, under names."""
    if issubclass(type(value), ModuleType):
        return []  # a program's code, not what it works on
    stored = instance_dict(value) or {}
    return [row for row in stored.copy().items() if type(row[0]) is str]


def _slots(value: object) -> list[Row]:
    rows = []
    for base in CLASS_MRO(type(value)):
        for name, reader in CLASS_DICT(base).copy().items():
            if type(reader) is MemberDescriptorType and not name.startswith("__"):
                try:
                    rows.append((name, reader.__get__(value)))
                except (AttributeError, TypeError):  # not set, or another class's
                    continue
    return rows


def _name(name: str) -> str:
    return name if len(name) <= _MAX_LABEL else name[: _MAX_LABEL - 1] + "…"


# ---- numpy, where the program has imported it


def _numpy(name: str) -> Any:
    """A class of numpy, or one that nothing is an instance of."""
    module = sys.modules.get("numpy")
    return vars(module).get(name, _Nobody) if module is not None else _Nobody


class _Nobody:
    """No value is one."""


def _is_array(value: object) -> bool:
    return type(value) is _numpy("ndarray")


def _array(value: Any) -> _Inside:
    total = value.shape[0] if value.shape else 0

    def read(offset: int, many: int, _deadline: float) -> list[Row]:
        places = range(offset, min(offset + many, total))
        return [(str(place), value[place]) for place in places]

    return _Inside("items" if total else "nothing", total, read)


def _summary(value: object) -> ValueSummary:
    if _is_array(value):
        return _array_summary(value)
    scalar = _numpy("generic")
    if issubclass(type(value), scalar):
        return ValueSummary(summarize(value).type, summarize(scalar.item(value)).text)
    return summarize(value)


def _array_summary(value: Any) -> ValueSummary:
    """Type of the elements, shape, and the first of them."""
    shape = " x ".join(map(str, value.shape)) or "one element"
    first = summarize(value.flat[:8].tolist()).text
    more = ", …" if value.size > 8 else ""
    return ValueSummary("ndarray", f"{value.dtype}, {shape}: {first}{more}", int(value.size))
