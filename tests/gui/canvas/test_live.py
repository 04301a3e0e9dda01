from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect
from pytestqt.qtbot import QtBot

from helpers.canvas_desk import Desk
from helpers.scripted import routine_count, slot_count, text_value
from penstock.flow import Connection
from penstock.observe import HeldMessage
from penstock_gui.canvas import live
from penstock_gui.canvas.geometry import HEADER
from penstock_gui.canvas.marks import PLATE_GAP, PLATE_HEIGHT
from penstock_gui.canvas.node_item import NodeItem

LINES_TO_SPLIT = Connection.parse("lines.line -> split.line")
SPLIT_TO_COUNT = Connection.parse("split.word -> count.word")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(desk.view.graph.live, "_clock", made)
    return made


def held(desk: Desk, routine: str = "split") -> str:
    job = desk.run()
    message = HeldMessage("line", 12, text_value("a b"))
    desk.client.tell_progress(job, {routine: routine_count("held", ready=3)})
    desk.client.tell_held(job, routine, [message], waiting=2)
    desk.refresh()
    return job


def test_the_message_plate_begins_in_view_while_its_routine_is_seen(desk: Desk) -> None:
    job = desk.run()
    desk.client.tell_held(job, "lines", [HeldMessage("text", 7, text_value("x" * 60))], waiting=9)
    desk.refresh()
    view, node = desk.view, desk.view.graph.nodes["lines"]
    view.look_at(view.seen.center(), 1.0)
    view.scroll_by(QPoint(view.to_view(node.body.topLeft()).x() - 60, 0))
    y = view.to_view(node.body.topLeft()).y() - int(PLATE_GAP + PLATE_HEIGHT / 2)

    picture = view.grab().toImage()

    colors = [picture.pixelColor(x, y) for x in range(12)]
    assert any(c.red() - c.blue() > 100 for c in colors), "its left end is amber"


def test_nodes_show_the_shown_job_only(desk: Desk) -> None:
    job = desk.run()
    desk.client.tell_started("other", "flow", ["lines", "split", "count"])
    desk.client.tell_progress("other", {"lines": routine_count("running", running=1)})
    desk.client.tell_progress(job, {"split": routine_count("running", running=2)})
    desk.refresh()
    nodes = desk.view.graph.nodes
    assert (nodes["lines"].picture.look.words, nodes["split"].picture.look.chip) == ("idle", "2")

    desk.session.show_job("other")
    desk.refresh()
    assert (nodes["lines"].picture.look.words, nodes["split"].picture.look.words) == (
        "running",
        "idle",
    )

    desk.session.show_job(None)
    desk.refresh()
    assert nodes["lines"].picture.look.words == "not run yet"


def test_a_thousand_events_are_one_pass_and_one_change_per_node(
    desk: Desk, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.run()
    state = desk.view.graph.live
    qtbot.waitUntil(lambda: not state.is_busy)
    looks: list[str] = []
    set_look = NodeItem.set_look

    def counted(node: NodeItem, look: object) -> None:
        looks.append(node.routine_id)
        set_look(node, look)  # type: ignore[arg-type]

    monkeypatch.setattr(NodeItem, "set_look", counted)
    before = state.passes
    for turn in range(1000):
        desk.client.tell_progress(job, {"split": routine_count("queued", activations=turn)})
        if turn % 100 == 99:
            desk.take_in()
    qtbot.waitUntil(lambda: not state.is_busy)

    assert state.passes == before + 1
    assert looks == ["split"]
    assert desk.view.graph.nodes["split"].picture.look.count == "999"


def test_setting_a_state_only_marks(desk: Desk) -> None:
    job = desk.run()
    desk.client.tell_progress(job, {"split": routine_count("running", running=1)})

    desk.session.bridge.tick()
    assert desk.view.graph.nodes["split"].picture.look.words == "idle"

    desk.view.graph.live.refresh()
    assert desk.view.graph.nodes["split"].picture.look.words == "running"


def test_the_timer_rests_while_nothing_changes(desk: Desk, qtbot: QtBot) -> None:
    state = desk.view.graph.live
    qtbot.waitUntil(lambda: not state.is_busy)
    passes = state.passes

    qtbot.wait(120)

    assert state.passes == passes


def test_wires_are_lit_by_messages_and_fade(desk: Desk, clock: Clock) -> None:
    job = desk.run()
    edges = desk.view.graph.edges
    desk.client.tell_progress(job, {"lines": routine_count("running", emitted={"line": 5})})
    desk.refresh()
    assert edges[LINES_TO_SPLIT].look.glow == 1.0
    assert edges[SPLIT_TO_COUNT].look.glow == 0.0

    clock.now += live.FADE_SECONDS / 2
    desk.refresh()
    assert 0.4 < edges[LINES_TO_SPLIT].look.glow < 0.6

    clock.now += live.FADE_SECONDS
    desk.refresh()
    assert edges[LINES_TO_SPLIT].look.glow == 0.0


def test_what_a_job_emitted_before_it_was_shown_lights_nothing(desk: Desk) -> None:
    desk.client.tell_started("old", "flow", ["lines"])
    desk.client.tell_progress("old", {"lines": routine_count("idle", emitted={"line": 9})})
    desk.refresh()

    desk.session.show_job("old")
    desk.refresh()

    assert desk.view.graph.edges[LINES_TO_SPLIT].look.glow == 0.0


def test_a_failure_heats_its_port_and_lights_its_wire(desk: Desk, clock: Clock) -> None:
    wire = desk.add_report()
    desk.session.edits.connect_ports(wire.source, wire.target)
    job = desk.run()
    desk.client.tell_failed(job, "split")
    desk.refresh()
    assert desk.view.graph.nodes["split"].touch.hot == {"failed"}
    assert desk.view.graph.edges[wire].look.glow == 1.0

    clock.now += live.FADE_SECONDS + 0.1
    desk.refresh()
    assert desk.view.graph.nodes["split"].touch.hot == set()


def test_a_full_slot_marks_its_wires_until_there_is_room(desk: Desk) -> None:
    job = desk.run()
    for depth, full in ((16, True), (15, False), (16, True)):
        slots = {"line": slot_count(depth, 16)}
        desk.client.tell_progress(job, {"split": routine_count("queued", slots=slots)})
        desk.refresh()
        assert desk.view.graph.edges[LINES_TO_SPLIT].look.full is full
    assert not desk.view.graph.edges[SPLIT_TO_COUNT].look.full

    desk.client.tell_ended(job)
    desk.refresh()
    assert not desk.view.graph.edges[LINES_TO_SPLIT].look.full


@pytest.mark.parametrize("zoom", [1.0, 0.8, 0.58, 0.4])
def test_what_was_dropped_is_marked_until_another_job_is_shown(desk: Desk, zoom: float) -> None:
    job = desk.run()
    node = desk.view.graph.nodes["split"]
    desk.view.look_at(node.body.center(), zoom)
    for depth in (0, 3):
        clean, lossy = slot_count(depth, 16), slot_count(depth, 16, dropped=1234)
        desk.client.tell_progress(job, {"split": routine_count(slots={"line": clean})})
        desk.refresh()
        assert not crosses(desk, node)

        desk.client.tell_progress(job, {"split": routine_count(slots={"line": lossy})})
        desk.refresh()
        assert crosses(desk, node)

    desk.client.tell_ended(job)
    desk.refresh()
    assert crosses(desk, node), "a job that has ended keeps it"
    desk.session.show_job(None)
    desk.refresh()
    assert not crosses(desk, node)


def test_while_paused_the_next_routine_has_arrow_chip_plate_and_wire(desk: Desk) -> None:
    job = held(desk)

    node = desk.view.graph.nodes["split"]
    assert node.picture.look.held is not None
    assert node.picture.look.held.text == "#12  'a b'"
    assert desk.view.graph.edges[LINES_TO_SPLIT].look.held
    assert node.zValue() > desk.view.graph.nodes["count"].zValue()
    tip = node.slot_at("line") + QPointF(-20, 0)
    assert color_at(desk, tip) == desk.theme.color("held.fill").name()

    desk.client.tell_resumed(job)
    desk.refresh()
    assert node.picture.look.held is None
    assert not desk.view.graph.edges[LINES_TO_SPLIT].look.held
    assert color_at(desk, tip) != desk.theme.color("held.fill").name()


def test_a_held_routine_out_of_view_is_pointed_at_and_a_click_goes_there(desk: Desk) -> None:
    held(desk)
    desk.view.look_at(QPointF(20_000, 0))
    desk.refresh()
    body = desk.view.graph.nodes["split"].body
    assert not desk.view.seen.intersects(body)
    arrow = QPointF(desk.view.seen.left() + 26, body.center().y())
    assert color_at(desk, arrow) == desk.theme.color("held.fill").name()

    desk.click(arrow)

    assert desk.view.seen.contains(body.center())


def test_what_is_out_of_view_is_brought_up_to_date_when_it_is_seen(
    desk: Desk, qtbot: QtBot
) -> None:
    job = desk.run()
    desk.view.look_at(QPointF(20_000, 0))
    desk.client.tell_progress(job, {"split": routine_count("running", running=2)})
    desk.refresh()
    node = desk.view.graph.nodes["split"]
    assert node.picture.look.words == "idle"

    desk.view.fit_all()

    qtbot.waitUntil(lambda: node.picture.look.words == "running")


def test_glyphs_turn_only_where_they_are_seen(desk: Desk, clock: Clock) -> None:
    job = desk.run()
    desk.client.tell_progress(job, {"split": routine_count("running", running=1)})
    ink, turned = desk.view.ink, []
    for place, zoom in ((QPointF(320, 0), 1.0), (QPointF(9000, 0), 1.0), (QPointF(320, 0), 0.2)):
        desk.view.look_at(place, zoom)
        clock.now += 1
        before = ink.spin
        desk.refresh()
        turned.append(ink.spin != before)

    assert turned == [True, False, False]


def test_the_overview_shows_states_in_colour(desk: Desk) -> None:
    job = held(desk)
    desk.client.tell_progress(job, {"count": routine_count("running", running=1)})
    desk.refresh()
    middle = desk.view.graph.nodes["split"].body.center()

    desk.view.look_at(middle, 0.2)
    desk.refresh()

    theme, count = desk.theme, desk.view.graph.nodes["count"].body.center()
    assert color_at(desk, middle) == theme.mix("held.fill", "bg.raised", 0.45).name()
    assert color_at(desk, count) == theme.mix("state.running", "bg.raised", 0.45).name()


def color_at(desk: Desk, at: QPointF) -> str:
    """The colour painted at a point of the scene."""
    return desk.view.grab().toImage().pixelColor(desk.pixel(at)).name()


def crosses(desk: Desk, node: NodeItem) -> int:
    """How many pixels of a node, below its header, are reddish as the marks of losses are."""
    picture, below = desk.view.grab().toImage(), QPointF(0, HEADER)
    corner, end = desk.pixel(node.body.topLeft() + below), desk.pixel(node.body.bottomRight())
    area = picture.copy(QRect(corner, end).adjusted(12, 0, -6, 0))
    colors = [area.pixelColor(x, y) for x in range(area.width()) for y in range(area.height())]
    return sum(color.red() - color.blue() > 60 for color in colors)
