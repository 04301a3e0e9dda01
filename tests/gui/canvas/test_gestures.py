from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication

from helpers.canvas_desk import Desk, assert_in_step
from penstock.flow import Connection, describe
from penstock_gui.canvas.gestures import DrawWire, Pan

CTRL = Qt.KeyboardModifier.ControlModifier
NEW = Connection.parse("lines.line -> count.word")
MIDDLE = Qt.MouseButton.MiddleButton


def with_double(desk: Desk) -> None:
    """A routine that takes a number, to which no str fits."""
    spec = describe("words:Double", desk.document.code_folders)
    desk.session.edits.add_routine(spec, (240.0, 200.0))
    desk.session.select()
    desk.view.fit_all()


# Drawing wires.


def test_a_wire_drawn_from_event_to_slot_connects_them(desk: Desk) -> None:
    desk.drag(desk.event("lines", "line"), desk.slot("count", "word"))

    assert NEW in desk.document.connections()
    assert_in_step(desk)


def test_a_wire_drawn_backwards_connects_too(desk: Desk) -> None:
    desk.drag(desk.slot("count", "word"), desk.event("lines", "line"))

    assert NEW in desk.document.connections()


def test_a_wire_dropped_on_a_routine_goes_to_the_port_that_fits(desk: Desk) -> None:
    desk.drag(desk.event("lines", "line"), desk.title_of("count"))

    assert NEW in desk.document.connections()


def test_drawing_a_wire_is_one_step_to_undo(desk: Desk) -> None:
    desk.drag(desk.event("lines", "line"), desk.slot("count", "word"))
    assert desk.session.undo.count() == 1

    desk.session.undo.undo()

    assert NEW not in desk.document.connections()


def test_while_drawing_what_fits_is_lit_and_the_rest_says_why_not(desk: Desk) -> None:
    with_double(desk)
    nodes = desk.view.graph.nodes

    desk.press(desk.event("lines", "line"))
    desk.move(desk.slot("double", "number"))

    assert nodes["count"].touch.lit == {("word", True)}
    assert not nodes["count"].touch.dimmed
    assert nodes["double"].touch.dimmed
    assert nodes["double"].touch.reason == "takes int, not str"
    assert nodes["split"].touch.reason == "connected already"
    assert all(edge.look.dimmed for edge in desk.view.graph.edges.values())
    desk.release(desk.slot("double", "number"))
    assert not any(node.touch.dimmed or node.touch.lit for node in nodes.values())
    assert not any(edge.look.dimmed for edge in desk.view.graph.edges.values())


def test_what_does_not_fit_is_not_connected(desk: Desk) -> None:
    with_double(desk)
    before = desk.document.connections()

    desk.drag(desk.event("lines", "line"), desk.slot("double", "number"))

    assert desk.document.connections() == before


def test_a_slot_takes_the_event_of_its_own_type_only(desk: Desk) -> None:
    with_double(desk)

    desk.press(desk.slot("double", "number"))

    reasons = {i: node.touch.reason for i, node in desk.view.graph.nodes.items()}
    assert reasons["lines"] == "takes int, not str"
    assert desk.view.graph.nodes["double"].touch.lit >= {("number", True)}
    desk.view.hands.cancel()


def test_escape_gives_the_wire_up(desk: Desk) -> None:
    before = desk.document.connections()
    desk.press(desk.event("lines", "line"))
    desk.move(desk.slot("count", "word"))
    assert isinstance(desk.view.hands.gesture, DrawWire)
    assert desk.view.hands.gesture.target == NEW.target

    desk.key(Qt.Key.Key_Escape)
    desk.release(desk.slot("count", "word"))

    assert desk.document.connections() == before
    assert not any(node.touch.lit for node in desk.view.graph.nodes.values())


def test_a_wire_dropped_on_nothing_connects_nothing(desk: Desk) -> None:
    before = desk.document.connections()

    desk.drag(desk.event("lines", "line"), QPointF(100, -100))

    assert desk.document.connections() == before


def test_the_failed_port_of_a_routine_can_be_wired(desk: Desk) -> None:
    desk.press(desk.event("split", "failed"))

    gesture = desk.view.hands.gesture
    assert isinstance(gesture, DrawWire)
    assert desk.view.graph.nodes["count"].touch.reason == "takes str, not Failure"
    desk.view.hands.cancel()


def test_a_drawn_wire_and_its_plate_are_painted(desk: Desk) -> None:
    before = desk.view.grab().toImage()

    desk.press(desk.event("lines", "line"))
    desk.move(QPointF(200, -60))

    assert desk.view.grab().toImage() != before
    desk.view.hands.cancel()


def test_a_routine_deleted_meanwhile_ends_the_gesture(desk: Desk) -> None:
    desk.press(desk.event("lines", "line"))

    desk.session.select(["lines"])
    desk.session.edits.delete_selection()

    assert desk.view.hands.gesture is None
    assert_in_step(desk)


# Moving.


def test_dragging_a_node_is_one_step_to_undo(desk: Desk) -> None:
    begin = desk.title_of("split")

    desk.drag(begin, begin + QPointF(30, 140))

    assert desk.document.position("split") == (270.0, 140.0)
    assert desk.session.undo.count() == 1
    assert_in_step(desk)
    desk.session.undo.undo()
    assert desk.document.position("split") == (240.0, 0.0)
    assert_in_step(desk)


def test_while_dragged_the_item_moves_and_the_document_does_not(desk: Desk) -> None:
    begin = desk.title_of("split")
    desk.press(begin)
    desk.move(begin + QPointF(0, 100))

    node = desk.view.graph.nodes["split"]
    assert node.y() == 100
    assert desk.document.position("split") == (240.0, 0.0)

    desk.key(Qt.Key.Key_Escape)
    assert node.y() == 0
    assert desk.session.undo.count() == 0


def test_all_selected_routines_move_together(desk: Desk) -> None:
    desk.session.select(["lines", "split"])
    begin = desk.title_of("split")

    desk.drag(begin, begin + QPointF(0, 50))

    positions = [desk.document.position(i) for i in ("lines", "split", "count")]
    assert positions == [(0.0, 50.0), (240.0, 50.0), (480.0, 0.0)]


def test_moving_one_pins_what_the_layout_had_placed(desk: Desk) -> None:
    desk.document.move("lines", None)
    desk.document.move("count", None)
    desk.view.graph.settle()
    seen = desk.view.graph.arrangement.places(["lines", "count"])
    begin = desk.title_of("split")

    desk.drag(begin, begin + QPointF(0, 40))

    assert {i: desk.document.position(i) for i in seen} == seen
    assert desk.session.undo.count() == 1


def test_a_small_twitch_is_a_click(desk: Desk) -> None:
    begin = desk.title_of("split")

    desk.press(begin)
    desk.move(begin + QPointF(2, 0))
    desk.release(begin + QPointF(2, 0))

    assert desk.session.undo.count() == 0
    assert desk.session.selection.routines == {"split"}


# Selecting.


def test_clicks_select_add_and_take_away(desk: Desk) -> None:
    desk.click(desk.title_of("split"))
    assert desk.session.selection.routines == {"split"}

    desk.click(desk.title_of("count"), CTRL)
    assert desk.session.selection.routines == {"split", "count"}

    desk.click(desk.title_of("split"), CTRL)
    assert desk.session.selection.routines == {"count"}

    desk.click(QPointF(100, -80))
    assert desk.session.selection.routines == set()


def test_a_click_on_a_wire_selects_it(desk: Desk) -> None:
    wire = Connection.parse("split.word -> count.word")

    desk.click(desk.view.graph.edges[wire].middle())

    assert desk.session.selection.connection == wire


def test_a_rubber_band_selects_what_it_touches(desk: Desk) -> None:
    desk.drag(QPointF(-20, -40), QPointF(300, 40))

    assert desk.session.selection.routines == {"lines", "split"}


def test_escape_takes_the_rubber_band_s_selection_back(desk: Desk) -> None:
    desk.session.select(["count"])
    desk.press(QPointF(-20, -40))
    desk.move(QPointF(300, 40))
    assert desk.session.selection.routines == {"lines", "split"}

    desk.key(Qt.Key.Key_Escape)

    assert desk.session.selection.routines == {"count"}


def test_a_right_click_selects_but_keeps_a_selection_it_hits(desk: Desk) -> None:
    desk.session.select(["lines", "split"])

    desk.press(desk.title_of("split"), button=Qt.MouseButton.RightButton)
    assert desk.session.selection.routines == {"lines", "split"}

    desk.press(desk.title_of("count"), button=Qt.MouseButton.RightButton)
    assert desk.session.selection.routines == {"count"}


def test_a_click_at_the_node_s_edge_sets_and_removes_a_breakpoint(desk: Desk) -> None:
    edge = desk.view.graph.nodes["split"].pos() + QPointF(0, 15)

    desk.click(edge)
    assert set(desk.session.breakpoints) == {"split"}

    desk.click(edge)
    assert not desk.session.breakpoints


# Looking around.


def test_the_middle_button_and_space_pan(desk: Desk) -> None:
    for hold in ("middle", "space"):
        before = desk.view.seen
        begin = desk.title_of("split")
        pixel = desk.pixel(begin)
        if hold == "space":
            QApplication.sendEvent(desk.view, _space(press=True))
        desk.press(begin, button=MIDDLE if hold == "middle" else Qt.MouseButton.LeftButton)
        assert isinstance(desk.view.hands.gesture, Pan)
        desk.move(desk.view.to_scene(pixel + QPoint(40, 25)))
        desk.release(begin, button=MIDDLE if hold == "middle" else Qt.MouseButton.LeftButton)
        if hold == "space":
            QApplication.sendEvent(desk.view, _space(press=False))

        moved = before.topLeft() - desk.view.seen.topLeft()
        assert (moved * desk.view.zoom - QPointF(40, 25)).manhattanLength() < 2
        assert desk.document.position("split") == (240.0, 0.0)
        assert desk.session.selection.routines == set()


def _space(*, press: bool) -> QKeyEvent:
    kind = QEvent.Type.KeyPress if press else QEvent.Type.KeyRelease
    return QKeyEvent(kind, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier)
