"""Pages of values: what is in them, that no code of theirs runs, and who keeps them."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from penstock.host.crossing.protocol import ValuePage
from penstock.host.engine import values
from penstock.host.engine.values import MAX_ITEMS, MAX_PATH, MAX_TEXT, ValueStore
from penstock.observe import summarize


def page_of(value: object, *path: int, offset: int = 0, most: int = MAX_ITEMS) -> ValuePage:
    store = ValueStore()
    return store.page(store.offer("key", lambda: value), path, offset, most)


def rows(page: ValuePage) -> list[tuple[str, str]]:
    return [(item.label, item.value.text) for item in page.items]


@dataclass
class Order:
    number: int
    lines: list[str]


@dataclass(slots=True)
class Slotted:
    number: int
    other: str


class Child(Slotted):
    """With a slot of its base and a dictionary of its own."""


Point = namedtuple("Point", "x y")


class Names(list[str]):
    def __iter__(self) -> NoReturn:
        raise AssertionError("asked")

    def __len__(self) -> NoReturn:
        raise AssertionError("asked")

    def __getitem__(self, index: Any) -> NoReturn:
        raise AssertionError("asked")


class Table(dict[str, int]):
    def items(self) -> NoReturn:
        raise AssertionError("asked")

    def __iter__(self) -> NoReturn:
        raise AssertionError("asked")

    def __len__(self) -> NoReturn:
        raise AssertionError("asked")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ([1, "a"], "items", [("0", "1"), ("1", "'a'")]),
        ((None,), "items", [("0", "None")]),
        (deque([True]), "items", [("0", "True")]),
        (Point(1, 2), "items", [("0", "1"), ("1", "2")]),
        (Names(["a"]), "items", [("0", "'a'")]),
        ({"a": 1, 2: "b"}, "entries", [("'a'", "1"), ("2", "'b'")]),
        (OrderedDict(a=1), "entries", [("'a'", "1")]),
        (defaultdict(list, {(1, 2): []}), "entries", [("(1, 2)", "[]")]),
        (Counter("aa"), "entries", [("'a'", "2")]),
        (Table(a=1), "entries", [("'a'", "1")]),
        ({3}, "members", [("", "3")]),
        (frozenset({3}), "members", [("", "3")]),
        (Order(1, ["a"]), "fields", [("number", "1"), ("lines", "['a']")]),
        (Slotted(1, "b"), "fields", [("number", "1"), ("other", "'b'")]),
        (ValueError("no"), "fields", [("args", "('no')")]),
        (3, "nothing", []),
        (None, "nothing", []),
        (object(), "nothing", []),
        (sys, "nothing", []),
        (Order, "nothing", []),
        ([], "items", []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_children(value: object, kind: str, expected: list[tuple[str, str]]) -> None:
    page = page_of(value)

    assert page.kept
    assert not page.cut
    assert (page.kind, rows(page), page.total) == (kind, expected, len(expected))
    assert page.value == summarize(value)


def test_fields_of_dictionary_and_slots_are_both_there() -> None:
    value = Child(1, "b")
    value.extra = 3  # type: ignore[attr-defined]

    assert rows(page_of(value)) == [("extra", "3"), ("number", "1"), ("other", "'b'")]


def test_a_slot_without_a_value_is_left_out() -> None:
    value = Slotted(1, "b")
    del value.number

    assert rows(page_of(value)) == [("other", "'b'")]


def test_text_comes_in_pieces() -> None:
    page = page_of("abcdef" * 10_000, offset=6, most=3)

    assert (page.kind, page.text, page.total, page.offset) == ("text", "abc", 60_000, 6)
    assert page.items == ()
    assert len(page_of("x" * 100_000, most=100_000).text) == MAX_TEXT


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_come_as_digits(kind: Any) -> None:
    page = page_of(kind(b"\x00\xffab"), offset=1, most=2)

    assert (page.kind, page.text, page.total) == ("bytes", "ff61", 4)


class Shout(str):
    def __getitem__(self, index: Any) -> NoReturn:
        raise AssertionError("asked")

    def __len__(self) -> NoReturn:
        raise AssertionError("asked")


def test_a_text_of_a_user_s_class_is_a_plain_one() -> None:
    page = page_of(Shout("abc"), most=2)

    assert type(page.text) is str
    assert (page.text, page.total) == ("ab", 3)


@pytest.mark.parametrize(
    "value", [list(range(1000)), deque(range(1000)), dict(enumerate(range(1000)))]
)
def test_pages_are_bounded_and_begin_where_asked(value: Any) -> None:
    page = page_of(value, offset=990, most=5)

    assert [item.position for item in page.items] == [990, 991, 992, 993, 994]
    assert [label for label, _ in rows(page)] == ["990", "991", "992", "993", "994"]
    assert (page.offset, page.total) == (990, 1000)
    assert len(page_of(value, most=1000).items) == MAX_ITEMS
    assert page_of(value, offset=1000).items == ()
    assert page_of(value, offset=-5, most=-1).items == ()


def test_a_path_leads_to_a_child_of_a_child() -> None:
    value = {"orders": [Order(1, ["a"]), Order(2, ["b", "c"])]}

    page = page_of(value, 0, 1, 1)

    assert page.path == (0, 1, 1)
    assert rows(page) == [("0", "'b'"), ("1", "'c'")]


@pytest.mark.parametrize("path", [(2,), (-1,), (0, 0), (1, 1), (0,) * (MAX_PATH + 1)])
def test_a_path_that_leads_nowhere_is_told(path: tuple[int, ...]) -> None:
    endless: list[Any] = []
    endless.append(endless)

    page = page_of([1, [2]] if len(path) < MAX_PATH else endless, *path)

    assert not page.kept
    assert (page.path, page.items) == (path, ())


def test_a_text_whose_summary_shows_nothing_opens() -> None:
    (item,) = page_of([Shout("x")]).items

    assert item.opens


@pytest.mark.parametrize("value", [{"a": 1}, {1}, deque([1]), Order(1, [])])
def test_no_child_is_before_the_first(value: object) -> None:
    assert not page_of(value, -1).kept


@pytest.mark.parametrize(
    ("value", "opens"),
    [
        ([1], True),
        ([], False),
        ({"a": 1}, True),
        (Order(1, []), True),
        (object(), False),
        (5, False),
        ("x" * 398, False),
        ("x" * 399, True),
        ("\n" * 200, True),
        (b"x" * 64, False),
        (b"x" * 65, True),
    ],
)
def test_what_opens_has_more_than_its_summary(value: object, opens: bool) -> None:
    (item,) = page_of([value]).items

    assert item.opens is opens


class Hostile:
    """Whatever is asked of it, by code of its own, fails."""

    def __init__(self) -> None:
        object.__setattr__(self, "secret", 1)

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"asked for {name}")

    def __repr__(self) -> NoReturn:
        raise AssertionError("asked")

    __str__ = __repr__
    __bool__ = __len__ = __iter__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]


class Meta(type):
    def __getattribute__(cls, name: str) -> NoReturn:
        raise AssertionError(f"asked for {name}")

    def __instancecheck__(cls, instance: object) -> NoReturn:
        raise AssertionError("asked")

    def __subclasscheck__(cls, subclass: type) -> NoReturn:
        raise AssertionError("asked")


class WithMeta(metaclass=Meta):
    def __init__(self) -> None:
        object.__setattr__(self, "secret", 1)


class OtherDict(Order):
    __dict__: Any = property(lambda self: 1 / 0)
    stolen: Any = vars(Slotted)["number"]


class Pretending:
    __class__: Any = property(lambda self: 1 / 0)


HOSTILE: dict[str, Any] = {"object": Hostile, "class": WithMeta, "pretending": Pretending}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_code_of_a_value_is_run(name: str) -> None:
    value = HOSTILE[name]()

    page = page_of(value)
    of_child = page_of([value, {1: value}])

    assert rows(page) == ([] if name == "pretending" else [("secret", "1")])
    assert len(of_child.items) == 2


def test_fields_are_found_past_a_dictionary_that_is_none() -> None:
    store = ValueStore()
    value = OtherDict(1, [])
    reference = store.offer("key", lambda: value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "summarize", lambda _value: summarize(None))
        page = store.page(reference)

    assert [item.label for item in page.items] == ["number", "lines"]


def test_a_page_that_takes_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(values, "monotonic", lambda: next(clock) * values.PAGE_SECONDS / 4)

    page = page_of(list(range(100)))

    assert page.cut
    assert 0 < len(page.items) < 100
    assert page.total == 100


def test_what_is_too_far_from_the_beginning_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(values, "monotonic", lambda: next(clock) * values.PAGE_SECONDS / 4)
    monkeypatch.setattr(values, "_STRIDE", 10)
    value = dict.fromkeys(range(1000))

    page = page_of(value, offset=900)

    assert (page.cut, page.items, page.total) == (True, (), 1000)


def test_a_table_that_grows_meanwhile_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    value: dict[int, None] = dict.fromkeys(range(100))
    grown = iter(range(100, 101))

    def now() -> float:
        for number in grown:
            value[number] = None
        return 0.0

    monkeypatch.setattr(values, "_STRIDE", 10)
    monkeypatch.setattr(values, "monotonic", now)
    walked = values._walked(lambda: iter(dict.items(value)), values._keyed)

    assert [label for label, _ in walked(90, 20, 1.0)] == [str(n) for n in range(90, 101)]


def test_one_that_grows_all_the_time_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    value: dict[int, None] = dict.fromkeys(range(100))

    def now() -> float:
        value[len(value)] = None
        return 0.0

    monkeypatch.setattr(values, "_STRIDE", 10)
    monkeypatch.setattr(values, "monotonic", now)

    page = page_of(value, offset=90)

    assert (page.cut, page.items) == (True, ())


# ---- who keeps what


class Thing:
    pass


class Engine:
    """Keeps a value, until it doesn't."""

    def __init__(self) -> None:
        self.kept: list[Thing] = [Thing()]
        self.thing = weakref.ref(self.kept[0])

    def find(self) -> object:
        return self.kept[0]

    def is_there(self) -> bool:
        gc.collect()
        return self.thing() is not None


def test_an_offer_keeps_nothing() -> None:
    store, engine = ValueStore(), Engine()
    reference = store.offer("key", engine.find)
    engine.kept.clear()

    assert not engine.is_there()
    assert not store.page(reference).kept


def test_what_was_looked_at_is_kept_until_it_is_released() -> None:
    store, engine = ValueStore(), Engine()
    reference = store.offer("key", engine.find)
    assert store.page(reference).kept
    engine.kept.clear()
    assert engine.is_there()
    assert store.page(reference).kept

    store.release(reference)

    assert not engine.is_there()
    assert not store.page(reference).kept


def test_what_was_looked_at_stays_the_same_object() -> None:
    store, engine = ValueStore(), Engine()
    reference = store.offer("key", engine.find)
    store.page(reference)
    engine.kept[0] = Thing()

    store.page(reference)

    assert engine.is_there()


def test_a_value_is_kept_until_the_last_holder_releases_it() -> None:
    store, engine = ValueStore(), Engine()
    reference = store.offer("key", engine.find)
    store.page(reference, holder="one")
    store.page(reference, holder="two")
    engine.kept.clear()

    store.release(reference, holder="one")
    assert engine.is_there()
    store.release(reference, holder="three")
    assert engine.is_there()
    store.release(reference, holder="two")

    assert not engine.is_there()


def test_a_client_that_leaves_holds_nothing() -> None:
    store, engine, other = ValueStore(), Engine(), Engine()
    for key, one in (("engine", engine), ("other", other)):
        store.page(store.offer(key, one.find), holder="one")
    store.page(store.offer("other", other.find), holder="two")
    engine.kept.clear()
    other.kept.clear()

    store.leave("one")

    assert not engine.is_there()
    assert other.is_there()


def test_the_same_value_has_the_same_reference() -> None:
    store, engine = ValueStore(), Engine()

    first = store.offer(("job", "a.out", 1), engine.find)

    assert store.offer(("job", "a.out", 1), engine.find) == first
    assert store.offer(("job", "a.out", 2), engine.find) != first


def test_unknown_references_are_told_and_released_without_a_word() -> None:
    store = ValueStore()

    store.release(99)

    assert not store.page(99).kept


def test_old_offers_are_forgotten_and_known_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_OFFERED", 3)
    store, engine = ValueStore(), Engine()
    first, second, _third = (store.offer(number, engine.find) for number in range(3))
    store.offer(0, engine.find)
    store.offer(3, engine.find)

    assert store.page(first).kept
    assert not store.page(second).kept
    assert store.offer(1, engine.find) not in (first, second)


def test_what_was_looked_at_longest_ago_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_HELD", 2)
    store = ValueStore()
    engines = [Engine() for _ in range(3)]
    references = [store.offer(number, engine.find) for number, engine in enumerate(engines)]
    for reference in (*references[:2], references[0], references[2]):
        store.page(reference)
    for engine in engines:
        engine.kept.clear()

    assert [engine.is_there() for engine in engines] == [True, False, True]


class Farewell:
    """Its end asks the store something, as the end of a thread's last value may."""

    def __init__(self, store: ValueStore) -> None:
        self.store = store

    def __del__(self) -> None:
        self.store.offer("farewell", lambda: None)


@pytest.mark.parametrize("end", ["release", "leave", "dropped"])
def test_the_end_of_a_value_may_run_code(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_HELD", 1)
    store = ValueStore()
    kept = [Farewell(store), Farewell(store)]
    if end == "leave":  # several at once
        monkeypatch.setattr(values, "MAX_HELD", 2)
        store.page(store.offer("second", lambda: kept[1]))
    reference = store.offer("key", lambda: kept[0])
    store.page(reference)
    kept.clear()

    if end == "release":
        store.release(reference)
    elif end == "leave":
        store.leave()
    else:
        store.page(store.offer("other", lambda: 1))

    assert store.page(store.offer("farewell", lambda: 1)).kept


# ---- arrays


@pytest.fixture
def numpy() -> Any:
    return importlib.import_module("numpy")


def test_an_array_is_read_by_slices(numpy: Any) -> None:
    value = numpy.arange(12).reshape(3, 4)

    page = page_of(value)
    row = page_of(value, 1, offset=1, most=2)

    assert page.value.text == "int64, 3 x 4: [0, 1, 2, 3, 4, 5, 6, 7], …"
    assert (page.kind, page.total, page.value.size) == ("items", 3, 12)
    assert page.items[0].value.text == "int64, 4: [0, 1, 2, 3]"
    assert all(item.opens for item in page.items)
    assert rows(row) == [("1", "5"), ("2", "6")]
    assert row.items[0].value.type == "int64"
    assert not row.items[0].opens


def test_an_array_of_objects_asks_none_of_them(numpy: Any) -> None:
    value = numpy.empty(1, dtype=object)
    value[0] = Hostile()

    (item,) = page_of(value).items

    assert item.value.type == "Hostile"


def test_an_array_of_one_element_has_nothing_inside(numpy: Any) -> None:
    page = page_of(numpy.array(1.5))

    assert (page.kind, page.value.text) == ("nothing", "float64, one element: [1.5]")
