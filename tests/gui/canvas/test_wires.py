from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from penstock_gui.canvas.wires import (
    LANE_STEP,
    MOST_LANES,
    Ends,
    Lane,
    find_lanes,
    wire_path,
)

A = QRectF(0, 0, 160, 88)
B = QRectF(216, 0, 160, 88)
C = QRectF(432, 0, 160, 88)
NEXT = Ends(160, 47, 216, 47)
PAST = Ends(160, 71, 432, 71)
BACK = Ends(376, 47, 0, 47)


def test_a_wire_to_the_next_column_is_a_curve_and_straight_when_level() -> None:
    assert find_lanes([A, B], {0: NEXT}) == {}

    path = wire_path(NEXT, None)

    assert path.boundingRect().height() < 0.01
    assert path.currentPosition() == QPointF(216, 47)


def test_a_wire_past_a_node_takes_a_lane_below_it() -> None:
    lane = find_lanes([A, B, C], {0: PAST})[0]

    assert lane.y > B.bottom()
    path = wire_path(PAST, lane)
    assert not any(B.contains(path.pointAtPercent(step / 200)) for step in range(201)), (
        "it passes behind the node"
    )
    assert path.currentPosition() == QPointF(432, 71)


def test_a_long_wire_with_nothing_in_between_stays_a_curve() -> None:
    assert find_lanes([A, C], {0: PAST}) == {}


def test_a_wire_back_takes_a_lane() -> None:
    lane = find_lanes([A, B], {0: BACK})[0]

    assert lane.y > A.bottom()


def test_lanes_over_one_another_are_a_step_apart_the_longer_one_outside() -> None:
    far = QRectF(648, 0, 160, 88)
    wires = {0: Ends(160, 71, 648, 71), 1: Ends(376, 71, 648, 71)}

    lanes = find_lanes([A, B, C, far], wires)

    assert lanes[0].y - lanes[1].y == LANE_STEP
    assert lanes[0].into < lanes[1].into, "the outer lane turns up last"


def test_lanes_that_never_meet_share_a_height() -> None:
    right = [body.translated(2000, 0) for body in (A, B, C)]
    wires = {0: PAST, 1: Ends(2160, 71, 2432, 71)}

    lanes = find_lanes([A, B, C, *right], wires)

    assert lanes[0].y == lanes[1].y


def test_more_lanes_than_can_be_read_apart_are_not_drawn() -> None:
    wires = dict.fromkeys(range(MOST_LANES + 1), PAST) | {9999: BACK}

    assert set(find_lanes([A, B, C], wires)) == {9999}


def test_a_short_lane_has_no_loops_at_its_corners() -> None:
    path = wire_path(Ends(0, 0, 30, 0), Lane(5.0, 10.0, 10.0))

    assert path.boundingRect().right() <= 30
    assert path.boundingRect().bottom() <= 5
