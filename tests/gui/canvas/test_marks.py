"""What is painted of a slot's queue: nothing covers anything, and nothing moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from penstock_gui.canvas import marks
from penstock_gui.canvas.geometry import PILL_ROOM, node_shape
from penstock_gui.canvas.ink import Ink
from penstock_gui.canvas.looks import Look, QueueLook
from penstock_gui.canvas.painting import NodePicture, paint_node
from penstock_gui.theme import Theme

LEFT = 20


@pytest.fixture(params=["dark", "light"])
def ink(request: pytest.FixtureRequest, qapp: QApplication) -> Ink:
    return Ink(Theme(request.param))


class Painted:
    """The columns in which there is a pill, and those with a drop mark."""

    def __init__(self, ink: Ink, queue: QueueLook, room: float) -> None:
        image = QImage(400, 30, QImage.Format.Format_RGB32)
        ground, plate = ink.color("bg.head"), ink.color("bg.plate")
        image.fill(ground)
        painter = QPainter(image)
        marks.slot_marks(painter, ink, LEFT, 5, room, queue)
        painter.end()
        self.pill = _columns(image, lambda color: color == plate)
        self.mark = _columns(image, _is_reddish)
        self.any = _columns(image, lambda color: color != ground)


def _columns(image: QImage, fits: Callable[[QColor], bool]) -> list[int]:
    return [
        x
        for x in range(image.width())
        if any(fits(image.pixelColor(x, y)) for y in range(image.height()))
    ]


def _is_reddish(color: QColor) -> bool:
    return color.red() - color.blue() > 60


@pytest.mark.parametrize("dropped", [1, 12, 999, 1200, 250_000])
@pytest.mark.parametrize(("depth", "capacity"), [(0, 16), (3, 16), (400, 1000)])
@pytest.mark.parametrize("room", [71, 90, 110, 140])
def test_the_drop_mark_stands_beside_the_pill_in_the_room_there_is(
    ink: Ink, depth: int, capacity: int, dropped: int, room: int
) -> None:
    painted = Painted(ink, QueueLook(depth, capacity, dropped), room)

    assert painted.mark
    assert bool(painted.pill) is (depth > 0)
    assert not painted.pill or max(painted.pill) + 2 < min(painted.mark)
    assert min(painted.any) >= LEFT - 1
    assert max(painted.any) <= LEFT + room


def test_the_mark_stays_where_it_is_while_the_queue_changes(ink: Ink) -> None:
    places = {
        tuple(Painted(ink, QueueLook(depth, 1000, 12), room=140).mark) for depth in (0, 9, 99, 500)
    }

    assert len(places) == 1


def test_without_a_drop_there_is_no_mark(ink: Ink) -> None:
    assert not Painted(ink, QueueLook(3, 16), room=140).mark


def test_where_room_is_short_the_capacity_gives_way_then_the_number(ink: Ink) -> None:
    queue = QueueLook(400, 1000, 250_000)
    wide = marks.lossy_room(ink.width, 1000)

    whole, narrow, least = (
        Painted(ink, queue, room) for room in (wide.wanted, wide.least, PILL_ROOM)
    )

    number = 0.8 * ink.width("pill", queue.lost)
    assert len(whole.pill) > len(narrow.pill), "the capacity has gone"
    assert min(len(whole.mark), len(narrow.mark)) > number, "cross and number"
    assert 0 < len(least.mark) < number / 2, "the number has gone"


@pytest.mark.parametrize("dropped", [1, 250_000])
@pytest.mark.parametrize("zoom", [0.3, 0.5, 0.58, 0.69])
@pytest.mark.parametrize("capacity", [4, 1000])
def test_the_mark_stays_inside_the_narrowest_node_at_any_zoom(
    ink: Ink, capacity: int, zoom: float, dropped: int
) -> None:
    node = NodePicture(node_shape("a", ["value"], [], ink.width), color=0)
    node.look = Look(queues={"value": QueueLook(capacity // 2, capacity, dropped)})
    image = QImage(400, 100, QImage.Format.Format_RGB32)
    image.fill(ink.color("bg.canvas"))
    painter = QPainter(image)
    painter.translate(50, 10)
    painter.scale(zoom, zoom)

    paint_node(painter, ink, node, zoom)

    painter.end()
    mark = _columns(image, _is_reddish)
    stripe, right = 50 + 4, 50 + node.shape.width * zoom
    assert mark
    assert stripe < min(mark)
    assert max(mark) < right


def test_a_slot_that_drops_little_wants_no_less_room_than_any_other(ink: Ink) -> None:
    room = marks.lossy_room(ink.width, 1)

    assert room.least >= PILL_ROOM
    assert room.wanted >= room.least
