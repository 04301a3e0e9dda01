from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QEvent, QMimeData, QObject, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QDropEvent, QPaintEvent, QRegion, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from helpers.canvas_desk import Desk, assert_in_step
from helpers.flow_folder import write_words
from helpers.scripted import routine_count, slot_count
from penstock_gui.canvas import ROUTINE_MIME, hints
from penstock_gui.canvas.camera import FARTHEST, NEAREST
from penstock_gui.canvas.scene import Hit
from penstock_gui.document import FlowDocument

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def wheel(desk: Desk, at: QPoint, turn: int) -> None:
    viewport = desk.view.viewport()
    event = QWheelEvent(
        QPointF(at),
        QPointF(viewport.mapToGlobal(at)),
        QPoint(),
        QPoint(0, turn),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)


def drop(desk: Desk, at: QPoint, mime: str, text: str) -> QDropEvent:
    data = QMimeData()
    data.setData(mime, QByteArray(text.encode()))
    event = QDropEvent(
        QPointF(at),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    desk.view.dropEvent(event)
    return event


# Zoom.


@pytest.mark.parametrize("at", [QPoint(100, 80), QPoint(700, 500)])
@pytest.mark.parametrize("turn", [120, -120, -600])
def test_the_wheel_keeps_the_point_under_the_pointer(desk: Desk, at: QPoint, turn: int) -> None:
    before, zoom = desk.view.to_scene(at), desk.view.zoom

    wheel(desk, at, turn)

    assert (desk.view.zoom > zoom) is (turn > 0)
    drift = desk.view.to_scene(at) - before
    assert drift.manhattanLength() * desk.view.zoom < 2


def test_the_zoom_has_limits_and_the_bar_tells_it(desk: Desk) -> None:
    for _ in range(40):
        wheel(desk, QPoint(300, 300), 600)
    assert desk.view.zoom == pytest.approx(NEAREST)
    assert desk.view.bar.text == "300 %"

    for _ in range(80):
        wheel(desk, QPoint(300, 300), -600)
    assert desk.view.zoom == pytest.approx(FARTHEST)


def test_fit_shows_everything_and_never_enlarges(desk: Desk) -> None:
    desk.view.look_at(QPointF(9000, 9000), 2.0)

    desk.key(Qt.Key.Key_Home)

    assert desk.view.seen.contains(desk.view.graph.bounds())
    assert desk.view.zoom == 1.0
    desk.document.move("count", (9000.0, 0.0))
    desk.key(Qt.Key.Key_Period)
    assert desk.view.seen.contains(desk.view.graph.bounds())
    assert desk.view.zoom < 1


def test_f_fits_the_selection(desk: Desk) -> None:
    desk.document.move("count", (9000.0, 0.0))
    desk.session.select(["count"])

    desk.key(Qt.Key.Key_F)

    assert desk.view.seen.contains(desk.view.graph.nodes["count"].body)
    assert not desk.view.seen.intersects(desk.view.graph.nodes["lines"].body)


def test_a_fitted_flow_stays_fitted_when_the_window_gets_another_size(desk: Desk) -> None:
    desk.view.fit_all()
    desk.view.resize(500, 300)
    QApplication.processEvents()  # the new size comes as an event
    assert desk.view.seen.contains(desk.view.graph.bounds())

    desk.view.look_at(QPointF(0, 0), 1.5)
    desk.view.resize(800, 500)
    QApplication.processEvents()  # as before
    assert desk.view.zoom == 1.5


def test_zoom_keys(desk: Desk) -> None:
    desk.key(Qt.Key.Key_Equal, CTRL)
    assert desk.view.zoom == pytest.approx(1.2)
    desk.key(Qt.Key.Key_Minus, CTRL)
    desk.key(Qt.Key.Key_Minus, CTRL)
    assert desk.view.zoom < 1
    desk.key(Qt.Key.Key_0, CTRL)
    assert desk.view.zoom == 1


def test_centring_a_routine_from_afar_comes_close_enough_to_read(desk: Desk) -> None:
    desk.view.look_at(QPointF(5000, 5000), 0.1)

    desk.session.select_routine("count", centre=True)

    middle = desk.view.to_scene(desk.view.viewport().rect().center())
    assert (middle - desk.view.graph.nodes["count"].body.center()).manhattanLength() < 4
    assert desk.view.zoom >= 0.7


# Keys.


def test_arrows_go_to_the_nearest_routine(desk: Desk) -> None:
    desk.key(Qt.Key.Key_Right)
    assert desk.session.selection.routine == "lines"
    desk.key(Qt.Key.Key_Right)
    assert desk.session.selection.routine == "split"
    desk.key(Qt.Key.Key_Left)
    assert desk.session.selection.routine == "lines"
    desk.key(Qt.Key.Key_Left)
    assert desk.session.selection.routine == "lines"


def test_tab_goes_through_the_routines_and_then_leaves(desk: Desk) -> None:
    order = []
    for _ in range(3):
        assert desk.view.focusNextPrevChild(True)
        order.append(desk.session.selection.routine)
    assert order == ["lines", "split", "count"]
    assert desk.view.focusNextPrevChild(False)
    assert desk.session.selection.routine == "split"


def test_shift_and_ctrl_arrows_move_the_selection(desk: Desk) -> None:
    desk.session.select(["split"])

    desk.key(Qt.Key.Key_Down, SHIFT)
    desk.key(Qt.Key.Key_Right, CTRL)

    assert desk.document.position("split") == (241.0, 24.0)


def test_delete_removes_the_selection_and_escape_clears_it(desk: Desk) -> None:
    desk.session.select(["split", "count"])
    desk.key(Qt.Key.Key_Escape)
    assert not desk.session.selection.routines

    desk.session.select(["split"])
    desk.key(Qt.Key.Key_Delete)
    assert desk.document.ids() == ("lines", "count")
    assert_in_step(desk)


def test_layout_is_one_step_to_undo(desk: Desk) -> None:
    desk.document.move("count", (900.0, 700.0))

    desk.key(Qt.Key.Key_L, CTRL)

    assert desk.session.undo.count() == 1
    assert len({desk.document.position(i)[1] for i in desk.document.ids()}) == 1  # type: ignore[index]
    assert_in_step(desk)
    desk.session.undo.undo()
    assert desk.document.position("count") == (900.0, 700.0)


def test_positions_are_saved(desk: Desk, tmp_path: Path) -> None:
    begin = desk.title_of("split")
    desk.drag(begin, begin + QPointF(10, 120))

    desk.document.save(tmp_path / "words" / "saved.flow.json")
    again = FlowDocument()
    again.load(tmp_path / "words" / "saved.flow.json")

    assert again.position("split") == (250.0, 120.0)


# Drops.


def test_a_routine_dropped_from_the_palette_lands_under_the_pointer(desk: Desk) -> None:
    at = QPoint(500, 450)

    event = drop(desk, at, ROUTINE_MIME, "words:Double")

    assert event.isAccepted()
    assert "double" in desk.document.ids()
    assert desk.view.graph.nodes["double"].body.contains(desk.view.to_scene(at))
    assert desk.session.undo.count() == 1
    assert_in_step(desk)


def test_anything_else_is_not_taken(desk: Desk) -> None:
    event = drop(desk, QPoint(500, 450), "text/plain", "words:Double")

    assert not event.isAccepted()
    assert desk.document.ids() == ("lines", "split", "count")


def test_a_double_click_asks_for_details(desk: Desk, qtbot: QtBot) -> None:
    pixel = desk.pixel(desk.title_of("split"))

    with qtbot.waitSignal(desk.view.inspect_requested) as asked:
        QTest.mouseDClick(desk.view.viewport(), Qt.MouseButton.LeftButton, pos=pixel)

    assert asked.args == ["split"]
    assert desk.session.selection.routine == "split"


# Words.


def test_hovering_rings_the_port_and_shows_where_a_breakpoint_goes(desk: Desk) -> None:
    node = desk.view.graph.nodes["split"]

    desk.move(desk.event("split", "word"), button=Qt.MouseButton.NoButton)
    assert node.touch.ringed == ("word", False)
    assert node.touch.hovered

    desk.move(node.pos() + QPointF(0, 15), button=Qt.MouseButton.NoButton)
    assert node.touch.ringed is None
    assert node.touch.ghost

    desk.move(QPointF(100, -90), button=Qt.MouseButton.NoButton)
    assert not node.touch.ghost
    assert not node.touch.hovered


class Painted(QObject):
    """Collects what a widget paints."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.region = QRegion()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.region |= event.region()
        return False


def test_a_wire_that_takes_another_way_leaves_nothing_behind(desk: Desk, qtbot: QtBot) -> None:
    desk.session.edits.move({"count": (0.0, 400.0)})
    desk.view.fit_all()
    QTest.qWait(50)
    wire = next(w for w in desk.view.graph.edges if w.target.routine == "count")
    far = desk.pixel(desk.view.graph.edges[wire].middle())
    painted = Painted(desk.view.viewport())

    desk.session.edits.move({"count": (300.0, 250.0)})
    end = desk.pixel(desk.slot("count", "word"))
    desk.view.viewport().repaint(QRect(end, end).adjusted(-9, -9, 9, 9))  # not yet routed anew

    qtbot.waitUntil(lambda: painted.region.contains(far))


def test_tips_tell_name_type_and_what_is_wrong(desk: Desk, tmp_path: Path) -> None:
    def tip(hit: Hit) -> str:
        return hints.tip_text(desk.session, desk.view.graph, hit)

    assert tip(Hit("split", ("line", True))) == "line: str\nholds 16"
    assert tip(Hit("split", ("word", False))) == "word: str"
    assert tip(Hit("split", ("failed", False))).startswith("failed: Failure")
    assert tip(Hit("split")) == "split\nwords:Split\nSplits a line of text into words."
    assert tip(Hit(connection=desk.document.connections()[0])) == "lines.line -> split.line"
    assert tip(Hit()) == ""
    path = write_words(tmp_path / "other")
    path.write_text(path.read_text().replace("split.word", "split.gone"))
    desk.document.load(path)
    assert tip(Hit("split", ("gone", False))).startswith("gone: no such event")


@pytest.mark.parametrize(
    ("overflow", "room", "why"),
    [
        ("hold", "holds 16", "to end a stall"),
        ("drop_oldest", "drops the oldest beyond 16", "the oldest, when full"),
        ("drop_newest", "drops the newest beyond 16", "the newest, when full"),
    ],
)
def test_a_slot_s_tip_tells_what_waits_and_what_was_lost_why(
    desk: Desk, overflow: str, room: str, why: str
) -> None:
    desk.rewrite("Slot(str, capacity=16)", f'Slot(str, 16, "{overflow}")')

    def tip(hit: Hit) -> str:
        return hints.tip_text(desk.session, desk.view.graph, hit)

    declared = f"line: str\n{room}"
    at_port, in_row = Hit("split", ("line", True)), Hit("split", slot="line")
    assert tip(at_port) == tip(in_row) == declared

    job = desk.run()
    slot = slot_count(12, 16, posted=5000, dropped=1234, superseded=4, dead=2)
    desk.client.tell_progress(job, {"split": routine_count("queued", slots={"line": slot})})
    desk.refresh()
    lost = f"1,234 dropped ({why}) · 4 superseded · 2 dead"
    assert tip(at_port) == tip(in_row) == f"{declared}\n12 of 16 waiting\n{lost}"

    slots = {"line": slot_count(0, 16)}
    desk.client.tell_progress(job, {"split": routine_count(slots=slots)})
    desk.refresh()
    assert tip(in_row) == declared


def test_what_was_dropped_is_said_of_a_selected_routine(desk: Desk) -> None:
    job = desk.run()
    slots = {"line": slot_count(0, 16, dropped=1234)}
    desk.client.tell_progress(job, {"split": routine_count("idle", slots=slots)})
    desk.refresh()

    desk.session.select(["split"])

    assert desk.view.accessibleDescription() == "split, idle, 1,234 dropped at slot line"


def test_tips_are_never_taken_for_markup() -> None:
    shown = hints.plain('<img src="file:///etc/passwd"> & <b>')

    assert "<img" not in shown
    assert "&lt;img" in shown
    assert "&amp;" in shown


def test_the_selected_routine_is_told_to_assistive_technology(desk: Desk) -> None:
    desk.session.toggle_breakpoint("split")

    desk.session.select(["split"])

    assert desk.view.accessibleDescription() == "split, not run yet, breakpoint 1"


def test_an_empty_flow_can_be_looked_at(desk: Desk) -> None:
    desk.document.new()
    for key in (Qt.Key.Key_Home, Qt.Key.Key_F, Qt.Key.Key_Right, Qt.Key.Key_Delete):
        desk.key(key)
    desk.key(Qt.Key.Key_L, CTRL)

    assert desk.view.zoom == 1
    assert not desk.view.focusNextPrevChild(True)
    assert not desk.view.grab().isNull()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("zoom", [2.0, 1.0, 0.64, 0.42, 0.2])
def test_every_zoom_paints_something_of_its_own(desk: Desk, theme: str, zoom: float) -> None:
    desk.theme.use(theme)
    desk.view.look_at(desk.view.graph.nodes["split"].body.center(), zoom)
    picture = desk.view.grab().toImage()

    desk.view.look_at(QPointF(50_000, 50_000), zoom)

    assert desk.view.grab().toImage() != picture


@pytest.mark.parametrize("broken", ["node_item.paint_node", "edge_item.paint_wire"])
def test_an_error_while_painting_is_told_once_and_the_rest_is_painted(
    desk: Desk, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Unguarded it would end the process: below a paintEvent in Python Qt crashes."""

    def fail(*arguments: object) -> None:
        raise LookupError("no such colour")

    monkeypatch.setattr(f"penstock_gui.canvas.{broken}", fail)

    with qtbot.captureExceptions() as caught:
        for _ in range(3):
            desk.view.grab()
            qtbot.wait(1)

    assert [str(value) for _, value, _ in caught] == ["no such colour"]
