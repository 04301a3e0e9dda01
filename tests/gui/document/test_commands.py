from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QUndoCommand, QUndoStack
from pytestqt.qtbot import QtBot

from helpers.flow_folder import write_words
from penstock.flow import Connection, RoutineSpec, describe
from penstock.ids import PortRef
from penstock_gui.document import (
    UNSET,
    AddRoutine,
    ChangeConfig,
    ChangeTitle,
    Connect,
    Disconnect,
    FlowDocument,
    MoveRoutines,
    RemoveItems,
    RenameRoutine,
)

Make = Callable[[FlowDocument], QUndoCommand]


@pytest.fixture
def document(qtbot: QtBot, tmp_path: Path) -> FlowDocument:
    made = FlowDocument()
    made.load(write_words(tmp_path))
    return made


def double(document: FlowDocument) -> RoutineSpec:
    return describe("words:Double", ["."], document.folder)


FIRST = Connection.parse("lines.line -> split.line")
NEW = Connection.parse("lines.line -> count.word")

EDITS: dict[str, Make] = {
    "add": lambda d: AddRoutine(d, "double", double(d), (1.0, 2.0)),
    "add unplaced": lambda d: AddRoutine(d, "double", double(d), None),
    "remove the middle one": lambda d: RemoveItems(d, ["split"]),
    "remove a wire": lambda d: RemoveItems(d, [], [FIRST]),
    "remove all": lambda d: RemoveItems(d, d.ids()),
    "connect": lambda d: Connect(d, NEW),
    "disconnect the first": lambda d: Disconnect(d, FIRST),
    "move": lambda d: MoveRoutines(d, {"lines": (5.5, 6.0), "count": (7.0, 8.0)}),
    "rename": lambda d: RenameRoutine(d, "split", "cut"),
    "new field": lambda d: ChangeConfig(d, "split", "case", "fold"),
    "changed field": lambda d: ChangeConfig(d, "lines", "text", "x"),
    "reset field": lambda d: ChangeConfig(d, "lines", "text", UNSET),
    "title": lambda d: ChangeTitle(d, "split", "Cut to words"),
}


@pytest.mark.parametrize("name", EDITS)
def test_undo_restores_the_file_exactly_and_redo_the_edit(
    document: FlowDocument, name: str
) -> None:
    stack = QUndoStack()
    before = document.flow.to_json()

    stack.push(EDITS[name](document))
    after = document.flow.to_json()
    stack.undo()
    undone = document.flow.to_json()
    stack.redo()

    assert after != before
    assert undone == before
    assert document.flow.to_json() == after


def test_moving_the_same_routines_again_is_one_edit(document: FlowDocument) -> None:
    stack = QUndoStack()
    before = document.position("lines")

    stack.push(MoveRoutines(document, {"lines": (1.0, 0.0)}))
    stack.push(MoveRoutines(document, {"lines": (2.0, 0.0)}))
    one = stack.count()
    stack.push(MoveRoutines(document, {"count": (2.0, 0.0)}))
    two = stack.count()
    stack.undo()
    stack.undo()

    assert (one, two) == (1, 2)
    assert document.position("lines") == before


def test_edits_compose_in_a_macro(document: FlowDocument) -> None:
    stack = QUndoStack()
    before = document.flow.to_json()

    stack.beginMacro("replace")
    stack.push(RemoveItems(document, ["count"]))
    stack.push(AddRoutine(document, "double", double(document), (1.0, 1.0)))
    stack.push(RenameRoutine(document, "double", "count"))
    stack.endMacro()
    stack.undo()

    assert document.flow.to_json() == before
    assert stack.count() == 1


def test_an_edit_made_early_undoes_to_what_was_there_when_it_was_done(
    document: FlowDocument,
) -> None:
    stack = QUndoStack()
    edits = [RemoveItems(document, ["split"]), ChangeConfig(document, "lines", "text", "x")]
    stack.push(edits[0])
    between = document.flow.to_json()
    stack.push(edits[1])

    stack.undo()

    assert document.flow.to_json() == between


def test_a_renamed_routine_keeps_its_connections_and_undo_tells_a_rename(
    document: FlowDocument,
) -> None:
    stack, renamed = QUndoStack(), []
    document.routine_renamed.connect(lambda old, new: renamed.append((old, new)))

    stack.push(RenameRoutine(document, "split", "cut"))
    wires = [str(c) for c in document.connections()]
    stack.undo()

    assert wires == ["lines.line -> cut.line", "cut.word -> count.word"]
    assert renamed == [("split", "cut"), ("cut", "split")]


def random_edit(document: FlowDocument, draw: st.DataObject) -> QUndoCommand | None:
    """Any edit that is possible now, None when the drawn kind isn't."""
    ids, wires = list(document.ids()), list(document.connections())
    kind = draw.draw(st.sampled_from(["add", "remove", "connect", "cut", "move", "name", "config"]))
    place = st.tuples(st.integers(-999, 999), st.floats(-99, 99, width=32))
    if kind == "add":
        spec = describe(f"words:{draw.draw(st.sampled_from(['Double', 'Split']))}", ["."])
        spec = describe(spec.type, ["."], document.folder)
        return AddRoutine(document, document.free_id(spec.type), spec, draw.draw(place))
    if kind == "cut" and wires:
        return Disconnect(document, draw.draw(st.sampled_from(wires)))
    if not ids:
        return None
    chosen = draw.draw(st.sampled_from(ids))
    match kind:
        case "remove":
            wire = [draw.draw(st.sampled_from(wires))] if wires else []
            return RemoveItems(document, {chosen, draw.draw(st.sampled_from(ids))}, wire)
        case "connect":
            return random_wire(document, draw)
        case "move":
            return MoveRoutines(document, {chosen: draw.draw(place)})
        case "name":
            new = draw.draw(st.sampled_from(["x", "y", "z-1", "split"]))
            free = document.why_not_rename(chosen, new) is None and new != chosen
            return RenameRoutine(document, chosen, new) if free else None
        case "config":
            value = draw.draw(st.sampled_from([UNSET, 1, "x", None, [1, 2]]))
            field = draw.draw(st.sampled_from(["lower", "text", "new"]))
            return ChangeConfig(document, chosen, field, value)
    return None


def random_wire(document: FlowDocument, draw: st.DataObject) -> QUndoCommand | None:
    events = [PortRef(r, e.name) for r in document.ids() for e in document.spec(r).events]
    slots = [PortRef(r, s.name) for r in document.ids() for s in document.spec(r).slots]
    if not events or not slots:
        return None
    wire = Connection(draw.draw(st.sampled_from(events)), draw.draw(st.sampled_from(slots)))
    return None if wire in document.connections() else Connect(document, wire)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), length=st.integers(1, 14))
def test_undoing_all_random_edits_gives_the_first_file_and_redoing_all_the_last(
    qtbot: QtBot, tmp_path: Path, data: st.DataObject, length: int
) -> None:
    document, stack = FlowDocument(), QUndoStack()
    document.load(write_words(tmp_path))
    first = document.flow.to_json()
    for _ in range(length):
        edit = random_edit(document, data)
        if edit is not None:
            stack.push(edit)
    last = document.flow.to_json()

    while stack.canUndo():
        stack.undo()
    undone = document.flow.to_json()
    while stack.canRedo():
        stack.redo()

    assert undone == first
    assert document.flow.to_json() == last
