"""Flow files: loading, saving, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from helpers.flow_files import FLOW
from penstock.errors import FlowFileError
from penstock.flow import Connection, Event, Flow, Routine, RoutineSpec, Slot
from penstock.flow.jsontext import MAX_BYTES, pretty
from penstock.ids import PortRef


class Split(Routine):
    line = Slot(str)
    word = Event(str)

    class Config(BaseModel):
        lower: bool = True
        limit: int = 10
        odd: Any = None

    def logic(self, line: str) -> None: ...


# --- loading and saving ---


def test_a_loaded_flow_is_made_of_specs(words: Path) -> None:
    flow = Flow.load(words)

    assert (flow.name, flow.folders, flow.base) == ("words", ["."], words.parent)
    assert flow.positions == {"split": (10, 20.5)}
    assert flow.titles == {"count": "Zähle"}
    assert flow.connections == (Connection(PortRef("split", "word"), PortRef("count", "word")),)
    spec = flow.spec("split")
    assert isinstance(flow.routines["split"], RoutineSpec)
    assert (spec.type, spec.config, spec.error) == ("flow_words:Split", {"lower": False}, None)
    assert [slot.name for slot in spec.slots] == ["line"]


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n  "])
def test_saving_an_unchanged_flow_gives_identical_bytes(
    words: Path, indent: int | str | None, end: str
) -> None:
    text = json.dumps(FLOW, indent=indent).replace("\n", "\r\n") + end
    words.write_bytes(text.encode())
    target = words.with_name("copy.flow.json")
    Flow.load(words).save(target)

    assert target.read_bytes() == words.read_bytes()


def test_an_edit_that_is_undone_gives_the_original_text(words: Path) -> None:
    flow = Flow.load(words)
    flow.positions["count"] = (1, 1)
    edited = flow.to_json()
    del flow.positions["count"]

    assert flow.to_json() == words.read_text(encoding="utf-8") != edited


def test_an_edited_flow_is_written_in_our_way(words: Path) -> None:
    flow = Flow.load(words)
    flow.rename("count", "total")
    flow.save(words)

    assert (
        words.read_text(encoding="utf-8")
        == """{
  "version": 1,
  "name": "words",
  "folders": [
    "."
  ],
  "routines": {
    "split": {
      "type": "flow_words:Split",
      "config": {
        "lower": false
      },
      "position": [10, 20.5]
    },
    "total": {
      "type": "flow_words:Count",
      "title": "Zähle"
    }
  },
  "connections": [
    "split.word -> total.word"
  ]
}
"""
    )


def test_unknown_keys_and_the_order_of_keys_are_kept(words: Path) -> None:
    data = {
        "notes": [{"text": "later"}],
        "routines": {
            "split": {"colour": "red", "config": {}, "type": "flow_words:Split"},
            "count": {"type": "flow_words:Count"},
        },
        "version": 1,
        "name": "x",
    }
    words.write_text(json.dumps(data), encoding="utf-8")
    flow = Flow.load(words)
    flow.name = "y"
    flow.positions["split"] = (1, 2)
    written = json.loads(flow.to_json())

    assert list(written) == ["notes", "routines", "version", "name"]
    assert list(written["routines"]["split"]) == ["colour", "config", "type", "position"]
    assert written["notes"] == [{"text": "later"}]
    assert flow.extra == {"notes": [{"text": "later"}]}


def test_only_the_type_of_a_routine_is_required() -> None:
    text = '{"version": 1, "name": "n", "routines": {"a": {"type": "m:C"}}}'
    flow = Flow.from_json(text)

    assert (flow.folders, flow.connections, flow.to_json()) == ([], (), text)


def test_a_flow_built_in_python_round_trips() -> None:
    flow = Flow("f")
    flow.add("a", Split(lower=False), title="Ä", position=(0, 1.5))
    flow.add("b", Split())
    flow.connect("a.word", "b.line")
    text = flow.to_json()
    again = Flow.from_json(text)

    assert again.to_json() == text
    assert again.spec("a").config == {"lower": False}
    assert again.spec("a").type == f"{__name__}:Split"
    assert again.problems() == flow.problems()


class _Local(Routine):
    def logic(self) -> None: ...


def _made_inside() -> Routine:
    class Inner(Routine):
        def logic(self) -> None: ...

    return Inner()


def _of_main() -> Routine:
    def logic(self: object) -> None: ...

    made: type[Routine] = type("Script", (Routine,), {"logic": logic, "__module__": "__main__"})
    return made()


def _made_by_type() -> Routine:
    def logic(self: object) -> None: ...

    made: type[Routine] = type("Split", (Routine,), {"logic": logic})
    return made()


@pytest.mark.parametrize("make", [_made_inside, _of_main, _made_by_type])
def test_a_class_no_file_can_name_is_refused_when_writing(make: Callable[[], Routine]) -> None:
    flow = Flow("f")
    flow.add("a", make())

    with pytest.raises(FlowFileError, match=r"flow: routines.a: .*can be|can't be named") as caught:
        flow.to_json()
    assert caught.value.routine == "a"


@pytest.mark.parametrize("odd", [float("nan"), [{"x": float("-inf")}], object()])
def test_a_config_no_file_can_hold_is_refused_when_writing(odd: object) -> None:
    flow = Flow("f")
    flow.add("a", Split(odd=odd))

    with pytest.raises(FlowFileError, match=r"flow: routines.a: config can't be written"):
        flow.to_json()


def test_a_doubled_connection_is_kept_and_told(words: Path) -> None:
    words.write_text(json.dumps({**FLOW, "connections": FLOW["connections"] * 2}), encoding="utf-8")
    flow = Flow.load(words)
    flow.name = "other"

    assert len(flow.connections) == 1
    assert json.loads(flow.to_json())["connections"] == FLOW["connections"] * 2
    assert [str(p) for p in flow.problems() if p.severity == "error"] == [
        "error split.word -> count.word: the connection is there 2 times"
    ]


def test_folders_stay_where_they_are_when_the_file_moves(words: Path) -> None:
    flow = Flow.load(words)
    flow.folders.append("/elsewhere")
    flow.rebase(words.parent / "deep" / "er")
    before = flow.spec("split")
    flow.refresh()

    assert flow.folders == ["../..", "/elsewhere"]
    assert flow.spec("split") == before


def test_refreshing_tells_which_routines_look_different(words: Path) -> None:
    flow = Flow.load(words)
    assert flow.refresh() == frozenset()

    module = words.with_name("flow_words.py")
    module.write_text(module.read_text().replace("capacity=5", "capacity=50"), encoding="utf-8")

    assert flow.refresh() == {"count"}
    assert flow.spec("count").slots[0].capacity == 50
    assert flow.spec("split").config == {"lower": False}


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
routines = st.fixed_dictionaries(
    {"type": texts},
    optional={
        "config": st.dictionaries(texts, json_values, max_size=3),
        "position": st.tuples(finite, finite).map(list),
        "title": texts,
        "colour": json_values,
    },
)
documents = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "name": texts,
        "routines": st.dictionaries(names, routines, max_size=4),
    },
    optional={"folders": st.lists(st.just("sub"), max_size=2), "note": json_values},
)


@given(documents)
def test_whatever_a_file_holds_survives_an_edit(document: dict[str, Any]) -> None:
    flow = Flow.from_json(json.dumps(document))
    flow.name += "!"
    written = json.loads(flow.to_json())

    assert written == {**document, "name": document["name"] + "!"}
    assert Flow.from_json(flow.to_json()).to_json() == flow.to_json()


@given(json_values)
def test_our_way_of_writing_json_is_json(value: object) -> None:
    assert json.loads(pretty(value)) == value


# --- bad input ---

GOOD = json.dumps(FLOW)


def _with(**changes: Any) -> str:
    return json.dumps({**FLOW, **changes})


def _without(key: str) -> str:
    return json.dumps({name: value for name, value in FLOW.items() if name != key})


BAD_TEXTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "line 1, column 1: no JSON"),
    "no json": ("# hello", "line 1, column 1: no JSON: Expecting value"),
    "cut off": (GOOD[:12] + "\n", "line 2, column 1: no JSON"),
    "comma": ('{"version": 1,\n}', "line 1, column 14|line 2, column 1"),
    "byte order mark": (
        b"\xef\xbb\xbf" + GOOD.encode(),
        "expected UTF-8 without a byte order mark",
    ),
    "utf-16": (GOOD.encode("utf-16"), "line 1: expected UTF-8, byte 0 isn't"),
    "latin-1": (b'{"name":\n"\xe4"}', "line 2: expected UTF-8, byte 10 isn't"),
    "a list": ("[]", "expected an object with version, name, routines"),
    "a number": ("3", "expected an object"),
    "NaN": (_with(x=1).replace(": 1}", ": NaN}"), "NaN is no JSON number"),
    "Infinity": (_with(x=1).replace(": 1}", ": -Infinity}"), "-Infinity is no JSON number"),
    "1e999": (_with(x=1).replace(": 1}", ": 1e999}"), "1e999 is out of range"),
    "a huge number": (_with(x=1).replace(": 1}", f": {'9' * 5000}}}"), "Exceeds the limit"),
    "very deep": ("[" * 100_000, "nested deeper than 64 levels"),
    "deep": (_with(x="@").replace('"@"', "[" * 70 + "]" * 70), "nested deeper than 64 levels"),
    "doubled id": (
        '{"version": 1, "name": "n", "routines": {"a": {"type": "m:C"}, "a": {"type": "m:D"}}}',
        "routines: the key 'a' is there twice",
    ),
    "doubled key": ('{"version": 1, "version": 1}', "the key 'version' is there twice"),
    "half a surrogate": (_with(name="@").replace("@", "\\ud800"), "name: half a surrogate pair"),
    "long text": (_with(name="x" * 1_000_001), "name: expected text of at most 1000000"),
    "no version": (_without("version"), "version: expected 1, it is missing"),
    "newer": (_with(version=2), "version: expected 1, got 2: .* written by a newer Penstock"),
    "newer, other shape": ('{"version": 7}', "version: expected 1, got 7"),
    "version zero": (_with(version=0), "version: expected 1, got 0$"),
    "version true": (_with(version=True), "version: expected 1, got bool"),
    "version text": (_with(version="1"), "version: expected 1, got str"),
    "no name": (_without("name"), "name: expected a value, there is none"),
    "name": (_with(name=3), "name: expected a valid string, got 3"),
    "no routines": (_without("routines"), "routines: expected a value, there is none"),
    "routines": (_with(routines=[]), "routines: expected a valid dictionary, got list"),
    "a routine": (_with(routines={"a": 3}), "routines.a: expected"),
    "no type": (_with(routines={"a": {}}), "routines.a.type: expected a value, there is none"),
    "type": (_with(routines={"a": {"type": 3}}), "routines.a.type: expected a valid string, got 3"),
    "config": (
        _with(routines={"a": {"type": "m:C", "config": [1]}}),
        "routines.a.config: expected a valid dictionary, got list",
    ),
    "position": (
        _with(routines={"a": {"type": "m:C", "position": [1]}}),
        r"routines.a.position: List should have at least 2 items",
    ),
    "position text": (
        _with(routines={"a": {"type": "m:C", "position": [1, "2"]}}),
        r"routines.a.position\[1\]: expected a valid number, got '2'",
    ),
    "title": (_with(routines={"a": {"type": "m:C", "title": 1}}), "routines.a.title: expected"),
    "id": (_with(routines={"a b": {"type": "m:C"}}), "routines: 'a b' is no routine id: expected"),
    "empty id": (_with(routines={"": {"type": "m:C"}}), "routines: '' is no routine id: expected"),
    "folders": (_with(folders="."), "folders: expected a valid list, got '.'"),
    "a folder": (_with(folders=[1]), r"folders\[0\]: expected a valid string, got 1"),
    "connections": (_with(connections={}), "connections: expected a valid list, got dict"),
    "a connection": (
        _with(connections=["split.word -> count.word", "split.word"]),
        r"connections\[1\]: 'split.word' is no connection: expected 'a.event -> b.slot'",
    ),
    "a port": (_with(connections=["a -> b.c"]), r"connections\[0\]: 'a' is no port: expected"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_bad_content_is_one_clear_line(tmp_path: Path, case: str) -> None:
    content, text = BAD_TEXTS[case]
    path = tmp_path / "bad.flow.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(FlowFileError, match=text) as caught:
        Flow.load(path)

    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert len(line) < 700


def test_a_file_that_is_too_big_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.flow.json"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)

    with pytest.raises(FlowFileError, match="expected at most 10000000 bytes"):
        Flow.load(path)
    with pytest.raises(FlowFileError, match="flow: expected at most 10000000 bytes"):
        Flow.from_json(" " * (MAX_BYTES + 1))


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _nothing(path: Path) -> None:
    pass


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (_folder, "expected a regular file, it is a folder"),
        (_fifo, "expected a regular file, it is a FIFO"),
        (_device, "expected a regular file, it is a device"),
        (_socket, "expected a regular file, it is a socket"),
        (_nothing, "can't be read: there is no such file or folder"),
        (_loop, "can't be read: too many levels of symbolic links"),
    ],
)
def test_what_is_no_regular_file_never_blocks(
    tmp_path: Path, make: Callable[[Path], None], text: str
) -> None:
    path = tmp_path / "odd.flow.json"
    make(path)

    with pytest.raises(FlowFileError, match=text) as caught:
        Flow.load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_an_impossible_path_is_one_line(name: str) -> None:
    with pytest.raises(FlowFileError, match="can't be read: "):
        Flow.load(name)


def test_a_path_with_a_line_end_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError) as caught:
        Flow.load(tmp_path / "a\nb")

    assert "\n" not in str(caught.value)


LOAD_WITHOUT_RIGHTS = """
import os, sys
from penstock.errors import FlowFileError
from penstock.flow import Flow
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    Flow.load("words.flow.json")
except FlowFileError as error:
    print(error)
"""


def test_an_unreadable_file_is_refused(words: Path) -> None:
    """In a child process that gives up its rights, as root may read everything."""
    unreadable = words.rename(words.with_name("words.flow.json"))
    unreadable.chmod(0)
    words.parent.chmod(0o755)

    told = subprocess.run(
        [sys.executable, "-c", LOAD_WITHOUT_RIGHTS, str(words.parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "can't be read: permission denied" in told.stdout, told.stderr


# --- saving ---


def test_saving_keeps_link_target_and_mode(words: Path) -> None:
    words.chmod(0o640)
    link = words.with_name("link.flow.json")
    link.symlink_to(words.name)
    flow = Flow.load(link)
    flow.name = "changed"
    flow.save(link)

    assert link.is_symlink()
    assert stat.S_IMODE(words.stat().st_mode) == 0o640
    assert Flow.load(words).name == "changed"


def test_a_new_file_has_the_mode_other_programs_would_give_it(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    Flow("f").save(tmp_path / "new.flow.json")

    assert (tmp_path / "new.flow.json").stat().st_mode == other.stat().st_mode


def test_whoever_reads_during_a_save_sees_the_old_file(words: Path) -> None:
    before = words.read_text(encoding="utf-8")
    flow = Flow.load(words)
    flow.name = "changed"
    with words.open(encoding="utf-8") as reader:
        flow.save(words)

        assert reader.read() == before
    assert Flow.load(words).name == "changed"


def test_saving_leaves_nothing_beside_the_file(words: Path) -> None:
    before = sorted(words.parent.iterdir())
    Flow.load(words).save(words)

    assert sorted(words.parent.iterdir()) == before


def test_a_save_that_fails_keeps_the_old_file(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = words.read_bytes()
    flow = Flow.load(words)
    flow.name = "changed"
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(FlowFileError, match="can't be written: no space left on device"):
        flow.save(words)
    assert words.read_bytes() == before
    assert len(list(words.parent.glob(".*"))) == 0


@pytest.mark.parametrize("make", [_folder, _fifo, _device])
def test_saving_over_what_is_no_file_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "odd.flow.json"
    make(path)
    before = os.lstat(path).st_mode

    with pytest.raises(FlowFileError, match="expected a regular file"):
        Flow("f").save(path)
    assert os.lstat(path).st_mode == before


def test_saving_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError, match="can't be written: there is no such file or folder"):
        Flow("f").save(tmp_path / "gone" / "x.flow.json")
