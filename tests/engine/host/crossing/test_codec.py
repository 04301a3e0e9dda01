"""Whatever crosses between window and engine turns into bytes and back; nothing else does."""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.host import (
    PLAIN_TYPES,
    CommandRefused,
    DisplayLost,
    Printed,
    ThreadInfo,
)
from penstock.host.crossing import commands, protocol
from penstock.host.crossing.codec import CROSSING_TYPES, MAX_DEPTH, WireError, decode, encode
from penstock.host.crossing.commands import (
    COMMAND_TYPES,
    AskThreads,
    Cancel,
    MakeWay,
    Pause,
    Resize,
    Start,
    Step,
)
from penstock.observe import (
    EVENT_TYPES,
    FailureSummary,
    JobEnded,
    JobProgress,
    JobStarted,
    RoutineCount,
    StepIgnored,
    ValueSummary,
    events,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def crossing(kind: type[Any]) -> st.SearchStrategy[Any]:
    if kind is Start:
        params = st.dictionaries(TEXT, JSON, max_size=3)
        return st.builds(Start, TEXT, TEXT, TEXT | st.none(), params)
    return st.from_type(kind)


@pytest.fixture(autouse=True)
def every_text_and_finite_floats() -> Iterator[None]:
    """What `st.from_type` draws for the fields."""
    st.register_type_strategy(float, FINITE)
    st.register_type_strategy(str, TEXT)
    yield
    st.register_type_strategy(str, st.text())


def dataclasses_of(module: Any) -> set[type[Any]]:
    return {
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and value.__module__ == module.__name__
    }


def parts_of(kind: type[Any]) -> set[type[Any]]:
    """The dataclasses in the fields of one, found through its annotations."""
    found: set[type[Any]] = set()
    namespace = vars(events) | vars(protocol) | vars(commands)
    for field in dataclasses.fields(kind):
        for name, value in namespace.items():
            if name in str(field.type) and dataclasses.is_dataclass(value):
                found |= {value} | parts_of(value)  # type: ignore[arg-type]
    return found


def test_every_event_plain_type_and_command_crosses() -> None:
    told = dataclasses_of(events) | dataclasses_of(protocol) | dataclasses_of(commands)
    parts = {part for kind in CROSSING_TYPES for part in parts_of(kind)}

    assert set(CROSSING_TYPES) == {*EVENT_TYPES, *PLAIN_TYPES, *COMMAND_TYPES}
    assert told - set(CROSSING_TYPES) - parts == {events.EngineEvent}
    assert len({kind.__name__ for kind in CROSSING_TYPES}) == len(CROSSING_TYPES)


@pytest.mark.parametrize("kind", CROSSING_TYPES)
@settings(
    max_examples=8,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(data=st.data())
def test_what_crosses_comes_out_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    items = tuple(data.draw(st.lists(crossing(kind), min_size=1, max_size=2)))

    frame = encode(items)

    assert decode(frame) == items
    assert [type(item) for item in decode(frame)] == [kind] * len(items)
    assert encode(decode(frame)) == frame


def test_items_of_several_kinds_keep_their_order() -> None:
    items = (StepIgnored(1, "j", 2.5, "why"), Cancel("a"), DisplayLost(3), Cancel("b"))

    assert decode(encode(items)) == items
    assert decode(encode(())) == ()


SURROGATES = ["\ud800", "a\udcffb", "\ud83d\ude00", "😀\udc80", "\\ud800"]


@pytest.mark.parametrize("text", SURROGATES)
def test_lone_surrogates_survive_beside_what_has_none(text: str) -> None:
    failure = FailureSummary("a", "E", text, "", {text: ValueSummary("str", text)})
    items = (
        Cancel("ü"),
        Printed(1, "j", "a", "stdout", text),
        JobEnded(1, "j", 0.5, "FAILED", failure, {text: 1}),
        Start("1", "{}", None, {text: [text, {"x": text}]}),
    )

    assert decode(encode(items)) == items


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**600, -(10**600)])
def test_whole_numbers_of_any_size_survive(number: int) -> None:
    items = (Start("1", "", None, {"a.n": number}), Resize("1", "a.n", number))

    assert decode(encode(items)) == items


def test_whole_numbers_stand_for_seconds() -> None:
    (there,) = decode(encode([MakeWay(0)]))

    assert there == MakeWay(0.0)
    assert type(there.seconds) is float


class Color(IntEnum):
    RED = 1


DEEP: list[Any] = []
for _ in range(MAX_DEPTH + 1):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ((1, 2), "['a.x']: expected a JSON value, got tuple"),
        ([1, {"k": b"x"}], "['a.x'][1]['k']: expected a JSON value, got bytes"),
        ({"k": {1: 2}}, "['a.x']['k']: expected a str as key, got 1"),
        ([float("nan")], "['a.x'][0]: expected a finite number, got nan"),
        (float("-inf"), "['a.x']: expected a finite number, got -inf"),
        pytest.param(1 << 2048, "['a.x']: an int of 2049 bits doesn't cross", id="long int"),
        (Color.RED, "['a.x']: expected a JSON value, got Color"),
        (OrderedDict(a=1), "['a.x']: expected a JSON value, got OrderedDict"),
        (object(), "['a.x']: expected a JSON value, got object"),
        (DEEP, "[0]: nested more than 64 deep"),
    ],
)
def test_a_parameter_that_does_not_cross_is_named(value: object, place: str) -> None:
    with pytest.raises(WireError) as caught:
        encode([Start("1", "", None, {"a.x": value})])

    assert str(caught.value).startswith("entry_params['a.x']")
    assert str(caught.value).endswith(place)


COUNT = RoutineCount("idle", 0, 0, 0, 0, float("nan"), 0, {}, {})


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (object(), "object doesn't cross"),
        (type("Cancel", (), {})(), "Cancel doesn't cross"),
        (ValueSummary("a", "b"), "ValueSummary doesn't cross"),
        (MakeWay(float("inf")), "MakeWay.seconds: expected a finite"),
        (StepIgnored(1, "j", float("nan"), ""), "StepIgnored.time: expected a finite"),
        (JobProgress(1, "j", 1.0, "", 0, {"ü": COUNT}), r"JobProgress.routines\['ü'\].seconds"),
        (
            protocol.ThreadTable(
                protocol.PoolUse(1, 1, 1, 1, 1, 1),
                (ThreadInfo("", 1, "", "", "", "", None, True),) * 2
                + (ThreadInfo("", 1, "", "", "", "", float("nan"), True),),
            ),
            r"ThreadTable.threads\[2\].since: expected a finite",
        ),
        (Resize("1", "a", 10**5000), "doesn't cross"),
    ],
)
def test_what_does_not_cross_is_refused_where_it_is_sent(item: object, text: str) -> None:
    with pytest.raises(WireError, match=text):
        encode([Cancel("a"), item])


STARTED = {"seq": 1, "job_id": "j", "time": 1.5, "flow": "f", "routines": ["a"]}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in STARTED.items() if key != name}


BAD_FRAMES: dict[str, Any] = {
    "no list": {},
    "an item that is no pair": ["Cancel"],
    "a pair of one": [["Cancel"]],
    "a pair of three": [["Cancel", {"job_id": "a"}, 1]],
    "an unknown name": [["Popen", {"args": "x"}]],
    "a part, which is no item": [["ValueSummary", {"type": "a", "text": "b", "size": None}]],
    "the base of events": [["EngineEvent", {"seq": 1, "job_id": "j", "time": 1.0}]],
    "a name that is no name": [[1, {}]],
    "a field too many": [["JobStarted", STARTED | {"more": 1}]],
    "a field too few": [["JobStarted", without("flow")]],
    "a field with a default too few": [["DisplayLost", {}]],
    "no default is taken for granted": [
        ["Printed", {"number": 1, "job_id": "", "routine": "", "stream": "stdout", "text": ""}]
    ],
    "a field too many in a part": [["SetBreakpoints", {"specs": [{"id": 1, "more": 2}]}]],
    "a text as number": [["JobStarted", STARTED | {"seq": "1"}]],
    "a float as whole number": [["JobStarted", STARTED | {"seq": 1.5}]],
    "a truth value as number": [["JobStarted", STARTED | {"seq": True}]],
    "nothing as text": [["JobStarted", STARTED | {"flow": None}]],
    "no choice there is": [["Unstall", {"job_id": "1", "choice": "shrink"}]],
    "nothing as fields": [["AskThreads", None]],
    "a list as fields": [["Cancel", ["a"]]],
    "bytes where none are needed": [["Cancel*", {"job_id": "a"}]],
    "bytes that are none": [["Cancel*", {"job_id": "€"}]],
    "bytes of no text": [["Cancel*", {"job_id": "\xff"}]],
    "no kind of text": [["Cancel**", {"job_id": "\xed\xa0\x80"}]],
    "a parameter nested too deep": [
        ["Start", {"job_id": "", "flow_json": "", "folder": None, "entry_params": {"a": DEEP}}]
    ],
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_another_shape_is_refused(name: str) -> None:
    data = json.dumps(BAD_FRAMES[name], separators=(",", ":"), ensure_ascii=False).encode()

    with pytest.raises(WireError):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"\x00",
        b"\xff\xfe[\x00]\x00",
        b"[] []",
        b'[["Cancel",{"job_id":"\xff"}]]',
        b'[["Cancel",{"job_id":"\\ud800"}]]',
        b'[["Cancel",{"job_id":"a","\xe4":1}]]',
        b'[["Cancel",{"job_id":"a","more":"\xe4"}]]',
        b'[["MakeWay",{"seconds":NaN}]]',
        b'[["MakeWay",{"seconds":1e999}]]',
        b'[["MakeWay",{"seconds":null}]]',
        b'[["DisplayLost",{"total":' + b"9" * 5000 + b"}]]",
        b"[" * 100_000,
        b'[["Cancel",' + b"[" * 100_000,
        b'[["Cancel",{"job_id":' + b'{"a":' * 100_000,
        b'[["Start",{"entry_params":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}]]",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94.",
    ],
)
def test_bytes_that_are_no_frame_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


@given(data=st.binary(max_size=60))
def test_chance_bytes_are_refused_or_read_as_they_are(data: bytes) -> None:
    try:
        items = decode(data)
    except WireError:
        return
    assert items == ()


@settings(max_examples=200)
@given(place=st.integers(min_value=0), byte=st.integers(0, 255), cut=st.booleans())
def test_a_frame_with_a_wrong_byte_is_refused_or_another_one(
    place: int, byte: int, cut: bool
) -> None:
    frame = encode([Pause(None), CommandRefused("step", "1", "über"), AskThreads(), Step("7")])
    place %= len(frame)

    changed = frame[:place] + (b"" if cut else bytes([byte])) + frame[place + 1 :]

    try:
        items = decode(changed)
    except WireError:
        return
    assert all(type(item) in CROSSING_TYPES for item in items)
    assert len(items) == 4


def test_events_made_the_quick_way_come_back_as_themselves() -> None:
    event = JobStarted(1, "j", 1.5, "f", ("a", "b"))

    (again,) = decode(encode([event]))

    assert again == event
    assert hash(again) == hash(event)
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.flow = "x"  # type: ignore[misc]
