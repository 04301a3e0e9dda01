"""Bounded pictures of values, whatever the values do."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe import ValueSummary, summarize
from penstock.observe.summary import MAX_TEXT


class Mean:
    """Everything it could be asked raises, and what raises ends programs."""

    def __init__(self) -> None:
        self.inside = 1

    def _no(self, *_: Any) -> Any:
        raise SystemExit("user code ran")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __eq__ = __hash__ = _no
    __format__ = __getattr__ = __dir__ = __bytes__ = __index__ = __contains__ = _no
    __class__ = property(_no)


class MeanMeta(type):
    def __repr__(cls) -> str:
        raise SystemExit("user code ran")

    def __getattribute__(cls, name: str) -> Any:
        raise SystemExit("user code ran")


def of_mean_meta() -> Any:
    """A class pytest doesn't look at while it collects."""

    class OfMeanMeta(metaclass=MeanMeta):
        pass

    return OfMeanMeta


class MeanSlots:
    __slots__ = ("one", "unset")

    def __init__(self) -> None:
        self.one = 7

    def __repr__(self) -> str:
        raise SystemExit("user code ran")


class StolenSlot:
    one: Any = vars(MeanSlots)["one"]


class MeanList(list[int]):
    def __len__(self) -> int:
        raise SystemExit("user code ran")

    __iter__ = __repr__ = __getitem__ = __len__  # type: ignore[assignment]


class MeanDict(dict[str, int]):
    def __len__(self) -> int:
        raise SystemExit("user code ran")

    __iter__ = __repr__ = get = items = keys = __len__  # type: ignore[assignment]


class MeanStr(str):
    def __len__(self) -> int:
        raise SystemExit("user code ran")

    __repr__ = __str__ = __getitem__ = __len__  # type: ignore[assignment]


class MeanInt(int):
    def __repr__(self) -> str:
        raise SystemExit("user code ran")

    __str__ = __format__ = bit_length = __repr__  # type: ignore[assignment]


class Watched:
    """A property and a descriptor that must not be read."""

    def __init__(self) -> None:
        self.plain = 1

    @property
    def computed(self) -> int:
        raise SystemExit("user code ran")


class MeanNamespace(Watched):
    """Its base class stores fields; a look at them by their usual name runs code."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        raise SystemExit("user code ran")


class OwnDict:
    def __init__(self) -> None:
        self.__dict__ = MeanDict(a=1)


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


HAZARDS: dict[str, Callable[[], Any]] = {
    "hostile object": lambda: Mean(),
    "hostile metaclass": lambda: of_mean_meta()(),
    "the class itself": lambda: of_mean_meta(),
    "hostile slots": lambda: MeanSlots(),
    "slot of another class": lambda: StolenSlot(),
    "list subclass": lambda: MeanList([1, 2]),
    "dict subclass": lambda: MeanDict(a=1),
    "str subclass": lambda: MeanStr("x"),
    "int subclass": lambda: MeanInt(5),
    "property": lambda: Watched(),
    "own __dict__": lambda: OwnDict(),
    "property __dict__": lambda: MeanNamespace(),
    "huge int": lambda: 10**200_000,
    "huge negative int": lambda: -(10**200_000),
    "long str": lambda: "x" * 5_000_000,
    "bytes": lambda: b"x" * 20_000_000,
    "bytearray": lambda: bytearray(20_000_000),
    "memoryview": lambda: memoryview(bytes(1_000_000)),
    "long list": lambda: list(range(1_000_000)),
    "long set": lambda: set(range(200_000)),
    "long dict": lambda: dict.fromkeys(range(200_000)),
    "range": lambda: range(10**12),
    "deep": lambda: deep(10_000),
    "cyclic": lambda: cyclic(),
    "wide of long": lambda: [["x" * 100_000] * 1000] * 1000,
    "hostile inside": lambda: [Mean(), {"k": Mean()}, (of_mean_meta()(),)],
    "hostile keys": lambda: {1: MeanStr("v"), Mean: 2},
    "generator": lambda: (n for n in range(3)),
    "exception": lambda: ValueError(Mean()),
    "surrogate": lambda: "\ud800",
    "lock": lambda: threading.Lock(),
    "module": lambda: sys,
    "frame": lambda: sys._getframe(),
    "nan": lambda: float("nan"),
    "defaultdict": lambda: defaultdict(list, a=[1]),
    "ordered": lambda: OrderedDict(a=1),
    "deque": lambda: deque(range(100_000)),
    "complex": lambda: 1 + 2j,
    "none": lambda: None,
}


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_is_summed_up_shortly_and_without_its_own_code(name: str) -> None:
    value = HAZARDS[name]()
    begin = monotonic()

    summary = summarize(value)

    assert monotonic() - begin < 0.05
    assert type(summary) is ValueSummary
    assert type(summary.type) is str
    assert type(summary.text) is str
    assert len(summary.text) <= MAX_TEXT
    assert summary.size is None or type(summary.size) is int


@pytest.mark.parametrize(
    ("value", "kind", "text", "size"),
    [
        (1, "int", "1", None),
        (True, "bool", "True", None),
        (None, "NoneType", "None", None),
        (1.5, "float", "1.5", None),
        ("a'b", "str", '"a\'b"', 3),
        (b"ab", "bytes", "b'ab'", 2),
        ([1, "x"], "list", "[1, 'x']", 2),
        ((1,), "tuple", "(1)", 1),
        ({"a": [1]}, "dict", "{'a': [1]}", 1),
        ({"a": 1, "b": 2}, "dict", "{'a': 1, 'b': 2}", 2),
        ([], "list", "[]", 0),
    ],
)
def test_plain_values_look_like_themselves(
    value: object, kind: str, text: str, size: int | None
) -> None:
    assert summarize(value) == ValueSummary(kind, text, size)


def test_an_object_shows_its_stored_fields() -> None:
    @dataclass
    class Point:
        x: int
        y: str

    assert summarize(Point(1, "a")).text == "Point(x=1, y='a')"
    assert summarize(MeanSlots()).text == "MeanSlots(one=7)"
    assert summarize(Watched()).text == "Watched(plain=1)"


def test_what_is_left_out_is_said() -> None:
    text = summarize(list(range(5000))).text

    assert "0, 1, 2" in text
    assert "5,000" in text
    assert summarize("x" * 1000).size == 1000
    assert "…" in summarize("x" * 1000).text


def test_a_value_that_another_thread_changes_is_summed_up_all_the_same() -> None:
    shared: dict[Any, Any] = {n: [n] for n in range(50)}
    items: set[int] = set(range(50))
    queue: deque[int] = deque(range(50))
    over = threading.Event()
    failed: list[BaseException] = []

    def change() -> None:
        n = 0
        while not over.is_set():
            n += 1
            shared[n % 97 + 50] = n
            shared.pop((n * 7) % 97 + 50, None)
            items.add(n % 89 + 50)
            items.discard((n * 5) % 89 + 50)
            queue.append(n)
            queue.popleft()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2000):
            for value in (shared, items, queue, [shared, items]):
                assert len(summarize(value).text) <= MAX_TEXT
    except BaseException as error:  # noqa: BLE001
        failed.append(error)
    over.set()
    thread.join(10)

    assert not failed


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=40,
)


@given(ANY)
def test_any_plain_value_is_summed_up_within_bounds(value: object) -> None:
    summary = summarize(value)

    assert len(summary.text) <= MAX_TEXT
    assert summary.type == type(value).__name__
