from __future__ import annotations

import pytest

from penstock_gui.canvas.geometry import (
    FOOTER,
    NARROWEST,
    WIDEST,
    WIDTH_STEP,
    NodeShape,
    PillRoom,
    node_shape,
)


def measure(use: str, text: str) -> float:
    return 7.0 * len(text)


def shape(title: str = "parse", slots: str = "source", events: str = "tree") -> NodeShape:
    return node_shape(title, slots.split(), events.split(), measure)


def test_width_goes_by_the_widest_row_in_steps_within_limits() -> None:
    assert shape("a", "", "").width == NARROWEST
    assert shape(slots="source", events="tree").width == 180
    assert shape("a very long title of a routine" * 3).width == WIDEST
    assert shape(slots="number").width % WIDTH_STEP == 0


def test_names_keep_their_room_while_there_is_enough() -> None:
    made = shape(slots="source", events="tree")

    assert made.slot_room >= measure("body", "source")
    assert made.event_room >= measure("body", "tree")


def test_the_longer_of_two_names_gives_way_where_there_is_not_enough() -> None:
    made = shape(slots="an_extremely_long_slot_name", events="row")

    assert made.width == WIDEST
    assert made.event_room >= measure("body", "row")
    assert made.slot_room > made.event_room
    assert 0 < made.slot_room < measure("body", "an_extremely_long_slot_name")


def test_a_slot_may_want_more_room_than_its_pill() -> None:
    plain = shape(slots="in", events="out")
    rooms = {"in": PillRoom(wanted=111, least=91)}

    made = node_shape("parse", ["in"], ["out"], measure, rooms)

    assert made.width == plain.width + 40
    start = made.pill_x(measure("body", "in"))
    assert made.pill_end(0, measure("body", "out")) - start >= 111


def test_where_names_give_way_the_least_room_is_kept() -> None:
    slot, event = "quite_long_name", "other_name"
    rooms = {slot: PillRoom(wanted=130, least=91)}

    made = node_shape("parse", [slot], [event], measure, rooms)

    assert made.width == WIDEST
    start = made.pill_x(measure("body", slot))
    assert 89 <= made.pill_end(0, measure("body", event)) - start <= 91


def test_a_name_keeps_its_room_where_the_least_is_enough() -> None:
    slots, events = ["name"], ["others"]
    made = node_shape("parse", slots, events, measure, {"name": PillRoom(wanted=160, least=91)})

    assert made.width == WIDEST
    assert made.slot_room >= measure("body", "name")
    assert made.event_room >= measure("body", "others")


def test_the_row_of_a_slot_reaches_to_its_event() -> None:
    made = shape(slots="one two", events="out")
    end = made.pill_end(0, measure("body", "out"))

    assert made.slot_in_row(20, made.slot_y("one")) == "one"
    assert made.slot_in_row(end - 2, made.slot_y("one")) == "one"
    assert made.slot_in_row(end + 2, made.slot_y("one")) is None
    assert made.slot_in_row(end + 2, made.slot_y("two")) == "two"
    assert made.slot_in_row(20, 15) is None, "the header"
    assert made.slot_in_row(20, made.height - 5) is None, "the footer"


def test_slot_and_event_of_one_number_share_a_row() -> None:
    made = shape(slots="one two", events="first second third")

    assert made.slot_y("two") == made.event_y("second")
    assert made.rows == 3
    assert made.event_y("third") - made.event_y("second") == 24


def test_failed_has_a_row_only_when_it_is_among_the_events() -> None:
    without, with_row = shape(events="tree"), shape(events="tree failed")

    assert without.event_y("failed") == without.height - FOOTER / 2
    assert with_row.event_y("failed") == with_row.row_y(1)


def test_ports_are_found_within_reach_and_the_nearest_wins() -> None:
    made = shape(slots="one two", events="out")

    assert made.port_at(3, made.slot_y("one") + 2) == ("one", True)
    assert made.port_at(0, made.slot_y("one") + 13) == ("two", True)
    assert made.port_at(made.width + 5, made.event_y("out")) == ("out", False)
    assert made.port_at(made.width - 2, made.height - FOOTER / 2) == ("failed", False)
    assert made.port_at(60, made.slot_y("one")) is None


def test_unknown_ports_are_refused() -> None:
    with pytest.raises(ValueError, match="tuple"):
        shape().slot_at("ghost")
