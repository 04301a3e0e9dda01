from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from helpers.flow_folder import FLOW, write_words
from penstock.errors import FlowFileError
from penstock.flow import Connection, describe
from penstock.ids import PortRef
from penstock_gui.document import UNSET, FlowDocument


@pytest.fixture
def document(qtbot: QtBot, tmp_path: Path) -> FlowDocument:
    made = FlowDocument()
    made.load(write_words(tmp_path / "words"))
    return made


def heard(signal: Any) -> list[Any]:
    """Everything a signal says from now on."""
    said: list[Any] = []
    signal.connect(lambda *arguments: said.append(arguments))
    return said


def test_a_loaded_flow_is_read_without_importing_it(document: FlowDocument) -> None:
    import sys

    assert document.ids() == ("lines", "split", "count")
    assert [slot.name for slot in document.spec("split").slots] == ["line"]
    assert document.spec("split").slots[0].capacity == 16
    assert document.position("split") == (240, 0)
    assert "words" not in sys.modules


def test_a_new_flow_looks_for_routines_beside_its_file(tmp_path: Path, qtbot: QtBot) -> None:
    document = FlowDocument()
    before = document.code_folders

    document.save(tmp_path / "mine.flow.json")

    assert before == ()
    assert document.code_folders == (tmp_path.resolve(),)
    assert json.loads((tmp_path / "mine.flow.json").read_text())["name"] == "mine"


def test_a_file_that_cant_be_read_changes_nothing(document: FlowDocument, tmp_path: Path) -> None:
    bad = tmp_path / "bad.flow.json"
    bad.write_text("{")
    reset = heard(document.reset)
    path, before = document.path, document.flow.to_json()

    with pytest.raises(FlowFileError, match=r"bad\.flow\.json"):
        document.load(bad)

    assert (document.path, document.flow.to_json(), reset) == (path, before, [])


def test_saving_what_was_loaded_gives_identical_bytes(document: FlowDocument) -> None:
    path = document.path
    assert path is not None
    document.save(path)
    once = path.read_bytes()

    document.load(path)
    document.save(path)

    assert path.read_bytes() == once


def test_save_as_elsewhere_still_finds_the_routines(document: FlowDocument, tmp_path: Path) -> None:
    home = document.folder

    document.save(tmp_path / "elsewhere.flow.json")
    above, found = list(document.flow.folders), document.spec("split").error
    (tmp_path / "other").mkdir()
    document.save(tmp_path / "other" / "far.flow.json")

    assert above == ["words"], "below the file: relative, so the tree can be moved"
    assert found is None
    assert document.flow.folders == [home.as_posix()]
    assert document.spec("split").error is None
    assert document.code_folders == (home,)


def test_undoing_past_a_save_elsewhere_leaves_the_place_alone(
    document: FlowDocument, tmp_path: Path
) -> None:
    before = document.memento()
    document.move("count", (1.0, 1.0))
    document.save(tmp_path / "elsewhere.flow.json")

    document.restore(before)

    assert document.position("count") == (480, 0)
    assert document.flow.folders == ["words"]
    assert document.spec("split").error is None


def test_a_flow_called_like_its_file_is_called_like_the_next_one(
    document: FlowDocument, tmp_path: Path
) -> None:
    document.new()
    names = []
    for path in ("first.flow.json", "second.json"):
        document.save(tmp_path / path)
        names.append(document.flow.name)
    document.flow.name = "my own"
    document.save(tmp_path / "third.flow.json")

    assert [*names, document.flow.name] == ["first", "second", "my own"]


def test_a_failed_save_keeps_path_and_folders(document: FlowDocument, tmp_path: Path) -> None:
    path = document.path

    with pytest.raises(FlowFileError):
        document.save(tmp_path / "no such folder" / "x.flow.json")

    assert document.path == path
    assert document.flow.folders == ["."]


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("split.word", "count.word", "connected already"),
        ("lines.line", "count.word", None),
        ("split.failed", "count.word", "takes str"),
        ("count.total", "split.line", "takes str"),
        ("lines.word", "count.word", "no event"),
        ("lines.line", "count.line", "no slot"),
        ("gone.line", "count.word", "no such routine"),
    ],
)
def test_fits_says_why_not(
    document: FlowDocument, source: str, target: str, reason: str | None
) -> None:
    said = document.fits(PortRef.parse(source), PortRef.parse(target))

    if reason is None:
        assert said is None
    else:
        assert said is not None
        assert reason in said


def test_free_ids_are_the_class_in_small_letters_and_numbered(document: FlowDocument) -> None:
    assert document.free_id("words:Double") == "double"
    assert document.free_id("words:Split") == "split_2"
    assert document.free_id("words:Ärger") == "routine"


@pytest.mark.parametrize("name", ["", "9lives", "a b", "split", "a.b"])
def test_a_bad_new_id_is_explained(document: FlowDocument, name: str) -> None:
    assert document.why_not_rename("count", name)


def test_incoming_and_outgoing(document: FlowDocument) -> None:
    assert [str(c) for c in document.incoming("split")] == ["lines.line -> split.line"]
    assert [str(c) for c in document.outgoing("split")] == ["split.word -> count.word"]


def test_a_routine_keeps_its_colour_when_others_go(document: FlowDocument) -> None:
    before = document.color_index("count")

    document.remove_routine("lines")
    document.rename_routine("count", "tally")
    spec = describe("words:Double", ["."], document.folder)
    document.add_routine("double", spec, (0.0, 0.0))

    assert document.color_index("tally") == before == 2
    assert document.color_index("double") == 3


def test_restore_brings_order_back_and_tells_the_differences(document: FlowDocument) -> None:
    before, text = document.memento(), document.flow.to_json()
    document.remove_routine("split")
    document.move("count", (9.0, 9.0))
    document.set_config("lines", "times", 3)
    added, connected = heard(document.routine_added), heard(document.connected)
    moved, changed = heard(document.routine_moved), heard(document.routine_changed)

    document.restore(before)

    assert document.flow.to_json() == text
    assert added == [("split",)]
    assert {str(c) for (c,) in connected} == set(map(str, FLOW["connections"]))  # type: ignore[call-overload]
    assert moved == [("count",)]
    assert changed == [("lines",)]


def test_removing_a_routine_tells_its_connections_first(document: FlowDocument) -> None:
    story: list[str] = []
    document.disconnected.connect(lambda c: story.append(str(c)))
    document.routine_removed.connect(story.append)

    document.remove_routine("split")

    assert story == ["lines.line -> split.line", "split.word -> count.word", "split"]


def test_a_config_value_can_be_given_and_taken_back(document: FlowDocument) -> None:
    document.set_config("lines", "times", 4)
    given = document.spec("lines").config

    document.set_config("lines", "times", UNSET)

    assert given == {"text": "a b a", "times": 4}
    assert document.spec("lines").config == {"text": "a b a"}


def test_problems_are_told_once_however_many_edits(document: FlowDocument, qtbot: QtBot) -> None:
    qtbot.wait(20)
    told = heard(document.problems_changed)

    document.remove_routine("split")
    document.remove_routine("lines")

    assert told == []
    qtbot.waitUntil(lambda: told == [()])


def test_a_missing_type_is_a_problem_and_not_an_exception(qtbot: QtBot, tmp_path: Path) -> None:
    flow = json.loads(json.dumps(FLOW))
    flow["routines"]["count"]["type"] = "words:Gone"
    document = FlowDocument()

    document.load(write_words(tmp_path, flow))

    assert document.spec("count").error
    assert any(p.severity == "error" and p.routine == "count" for p in document.problems())


def test_changed_sources_are_read_again(document: FlowDocument, qtbot: QtBot) -> None:
    source = document.folder / "words.py"
    reset, told = heard(document.reset), heard(document.sources_changed)
    text = source.read_text()

    source.write_text(text.replace("word = Slot(str)", "word = Slot(str)\n    more = Slot(int)"))
    document.read_again()

    assert [slot.name for slot in document.spec("count").slots] == ["word", "more"]
    assert (len(reset), len(told)) == (1, 1)


def test_undo_after_sources_changed_shows_them_as_they_are(document: FlowDocument) -> None:
    before = document.memento()
    document.move("count", (1.0, 1.0))
    source = document.folder / "words.py"
    text = source.read_text()
    source.write_text(text.replace("word = Slot(str)", "word = Slot(str)\n    more = Slot(int)"))
    document.read_again()

    document.restore(before)

    assert [slot.name for slot in document.spec("count").slots] == ["word", "more"]
    assert document.position("count") == (480, 0)


def test_a_connection_is_told_as_a_value(document: FlowDocument) -> None:
    told = heard(document.connected)
    connection = Connection.parse("lines.line -> count.word")

    document.connect_ports(connection)

    assert told == [(connection,)]
    assert document.connections()[-1] == connection
