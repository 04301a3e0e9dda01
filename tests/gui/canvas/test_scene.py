from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from helpers.canvas_desk import Desk, assert_in_step
from helpers.flow_folder import FLOW, write_words
from penstock.flow import Connection, describe
from penstock.ids import PortRef
from penstock_gui.canvas import marks
from penstock_gui.canvas.geometry import PILL_ROOM
from penstock_gui.canvas.scene import Hit

SPLIT_TO_COUNT = Connection.parse("split.word -> count.word")


def ref(text: str) -> PortRef:
    return PortRef.parse(text)


def test_the_scene_has_an_item_per_routine_and_connection(desk: Desk) -> None:
    assert_in_step(desk)
    assert len(desk.view.graph.items()) == 5


def test_items_follow_every_edit_its_undo_and_its_redo(desk: Desk) -> None:
    session = desk.session
    spec = describe("words:Double", desk.document.code_folders)
    failed = desk.add_report()

    def delete(*routines: str) -> None:
        session.select(routines)
        session.edits.delete_selection()

    steps: list[Callable[[], object]] = [
        lambda: session.edits.add_routine(spec, (40.0, 300.0)),
        lambda: session.edits.connect_ports(ref("lines.line"), ref("count.word")),
        lambda: session.edits.connect_ports(failed.source, failed.target),
        lambda: session.edits.move({"lines": (10.0, 200.0)}),
        lambda: session.edits.rename("split", "cut"),
        lambda: session.edits.set_title("cut", "Cut to words"),
        lambda: delete("cut"),
        lambda: delete("double", "lines"),
    ]

    for step in steps:
        step()
        assert_in_step(desk)
    for _ in range(session.undo.count()):
        session.undo.undo()
        assert_in_step(desk)
    for _ in range(session.undo.count()):
        session.undo.redo()
        assert_in_step(desk)


def test_another_flow_replaces_all_items_and_is_brought_into_view(
    desk: Desk, tmp_path: Path
) -> None:
    flow = FLOW | {"routines": {"far": {"type": "words:Count", "position": [90000, 0]}}}
    path = write_words(tmp_path / "other", flow | {"connections": []})

    desk.document.load(path)

    assert_in_step(desk)
    assert desk.view.seen.contains(desk.view.graph.nodes["far"].body)


def test_routines_without_positions_are_laid_out_and_the_others_stay(
    desk: Desk, tmp_path: Path
) -> None:
    routines = {
        "lines": {"type": "words:Lines", "position": [100, 50]},
        "split": {"type": "words:Split"},
        "count": {"type": "words:Count"},
    }
    desk.document.load(write_words(tmp_path / "other", FLOW | {"routines": routines}))

    places = desk.view.graph.arrangement.places(desk.document.ids())

    assert places["lines"] == (100, 50)
    assert places["split"][1] > desk.view.graph.nodes["lines"].body.bottom()
    assert places["count"][0] > places["split"][0]
    assert places["count"][1] == places["split"][1]


def test_what_was_placed_by_itself_stays_when_others_come_and_go(
    desk: Desk, tmp_path: Path
) -> None:
    routines = {name: {"type": f"words:{name.title()}"} for name in ("lines", "split", "count")}
    desk.document.load(write_words(tmp_path / "other", FLOW | {"routines": routines}))
    graph = desk.view.graph
    before = graph.arrangement.places(["lines", "split"])

    desk.session.select(["count"])
    desk.session.edits.delete_selection()
    desk.session.edits.add_routine(describe("words:Double", desk.document.code_folders))
    desk.session.edits.rename("split", "cut")
    graph.settle()

    after = graph.arrangement.places(["lines", "cut"])
    assert list(after.values()) == list(before.values())
    assert graph.nodes["double"].body.top() > graph.nodes["cut"].body.bottom()


def test_a_renamed_routine_stays_marked_as_selected(desk: Desk) -> None:
    desk.session.select(["split"])
    desk.session.edits.rename("split", "cut")

    assert desk.view.graph.nodes["cut"].touch.selected


def test_a_selected_wire_stays_selected_when_an_end_is_renamed(desk: Desk) -> None:
    desk.session.select(connection=Connection.parse("split.word -> count.word"))
    desk.session.edits.rename("split", "cut")
    renamed = Connection.parse("cut.word -> count.word")

    assert desk.session.selection.connection == renamed
    assert desk.view.graph.edges[renamed].look.chosen
    desk.session.edits.delete_selection()
    assert renamed not in desk.document.connections()


def test_a_connected_failed_event_gets_a_row(desk: Desk) -> None:
    wire, node = desk.add_report(), desk.view.graph.nodes["split"]

    def events() -> tuple[str, ...]:
        return node.picture.shape.events

    assert events() == ("word",)
    desk.session.edits.connect_ports(wire.source, wire.target)
    assert events() == ("word", "failed")
    desk.session.undo.undo()
    assert events() == ("word",)


def test_a_port_that_is_wired_but_unknown_is_drawn_and_marked(desk: Desk, tmp_path: Path) -> None:
    wires = ["lines.line -> split.line", "split.gone -> count.nowhere"]
    desk.document.load(write_words(tmp_path / "other", FLOW | {"connections": wires}))

    nodes = desk.view.graph.nodes
    assert_in_step(desk)
    assert nodes["split"].touch.unknown == {("gone", False)}
    assert nodes["count"].touch.unknown == {("nowhere", True)}


def test_a_routine_with_a_problem_says_it(desk: Desk, qtbot: QtBot) -> None:
    desk.session.edits.set_config("lines", "times", "many")
    qtbot.waitUntil(lambda: "lines" in desk.view.graph.live.problems)
    desk.refresh()

    look = desk.view.graph.nodes["lines"].picture.look
    assert look.is_failed
    assert look.words == "times: expected a whole number, got 'many'"

    desk.session.undo.undo()
    qtbot.waitUntil(lambda: not desk.view.graph.live.problems)
    desk.refresh()
    assert not desk.view.graph.nodes["lines"].picture.look.is_failed


def test_selection_and_breakpoints_are_shown(desk: Desk) -> None:
    nodes, edges = desk.view.graph.nodes, desk.view.graph.edges

    desk.session.select(["lines", "split"])
    assert [i for i, n in nodes.items() if n.touch.selected] == ["lines", "split"]

    desk.session.select(connection=SPLIT_TO_COUNT)
    assert not any(n.touch.selected for n in nodes.values())
    assert edges[SPLIT_TO_COUNT].look.chosen

    desk.session.toggle_breakpoint("split")
    assert nodes["split"].touch.breakpoint == "1"
    desk.session.toggle_breakpoint("split")
    assert nodes["split"].touch.breakpoint == ""


@pytest.mark.parametrize(
    ("where", "hit"),
    [
        (lambda d: d.title_of("split"), Hit("split")),
        (lambda d: d.slot("split", "line"), Hit("split", ("line", True))),
        (lambda d: d.slot("split", "line") + QPointF(40, 0), Hit("split", slot="line")),
        (lambda d: d.event("split", "word"), Hit("split", ("word", False))),
        (lambda d: d.event("split", "failed"), Hit("split", ("failed", False))),
        (
            lambda d: d.view.graph.nodes["split"].pos() + QPointF(1, 15),
            Hit("split", at_breakpoint=True),
        ),
        (
            lambda d: d.view.graph.edges[SPLIT_TO_COUNT].middle() + QPointF(0, 3),
            Hit(connection=SPLIT_TO_COUNT),
        ),
        (lambda d: QPointF(-300, -300), Hit()),
    ],
)
def test_a_point_hits_what_is_there(desk: Desk, where: object, hit: Hit) -> None:
    assert callable(where)
    assert desk.view.graph.hit(where(desk)) == hit


def test_a_slot_that_drops_has_room_for_what_it_drops(desk: Desk) -> None:
    def room() -> float:
        shape, width = desk.view.graph.nodes["split"].picture.shape, desk.view.ink.width
        return shape.pill_end(0, width("body", "word")) - shape.pill_x(width("body", "line"))

    wanted = marks.lossy_room(desk.view.ink.width, 1000).wanted
    assert PILL_ROOM <= room() < wanted

    desk.rewrite("Slot(str, capacity=16)", 'Slot(str, 1000, "drop_newest")')

    assert room() >= wanted


def test_a_theme_change_repaints_in_the_other_colours(desk: Desk) -> None:
    dark = desk.view.grab().toImage().pixelColor(2, 2)

    desk.theme.use("light")

    light = desk.view.grab().toImage().pixelColor(2, 2)
    assert dark.name() == "#141619"
    assert light.name() == "#eceef1"
