from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_gui.canvas.layout import COLUMN_GAP, ROW_GAP, Link, crossings, layered, layers_of

Size = tuple[float, float]
FIRST_ROW, ROW = 47.0, 24.0
EDGES = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=24)


def boxes(*names: str, rows: int = 1) -> dict[str, Size]:
    return dict.fromkeys(names, (160.0, 64.0 + ROW * rows))


def port(row: int) -> float:
    return FIRST_ROW + ROW * row


def overlaps(nodes: dict[str, Size], places: dict[str, tuple[float, float]]) -> list[str]:
    found = []
    names = list(nodes)
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            (ax, ay), (bx, by) = places[a], places[b]
            apart = ax + nodes[a][0] <= bx or bx + nodes[b][0] <= ax
            if not apart and not (ay + nodes[a][1] <= by or by + nodes[b][1] <= ay):
                found.append(f"{a} and {b}")
    return found


def crossings_of(nodes: dict[str, Size], links: list[Link]) -> int:
    """Crossings as drawn, counting only links from one column to the next."""
    places = layered(nodes, links)
    columns = sorted({x for x, _ in places.values()})
    by_column: dict[float, list[str]] = {x: [] for x in columns}
    for name in sorted(nodes, key=lambda n: places[n][1]):
        by_column[places[name][0]].append(name)
    number = {name: k for k, name in enumerate(nodes)}
    order = [[number[n] for n in by_column[x]] for x in columns]
    near = [
        (number[e.source], number[e.target])
        for e in links
        if columns.index(places[e.target][0]) - columns.index(places[e.source][0]) == 1
    ]
    return crossings(order, near)


def test_a_chain_lies_on_one_line_and_columns_stand_apart() -> None:
    nodes = boxes("a", "b", "c")

    places = layered(nodes, [("a", "b"), ("b", "c")])

    assert len({y for _, y in places.values()}) == 1
    assert places["b"][0] - places["a"][0] == 160 + COLUMN_GAP
    assert places["c"][0] - places["b"][0] == 160 + COLUMN_GAP


def test_a_wire_to_a_lower_port_is_straight_too() -> None:
    nodes = boxes("a", "b", rows=3)

    places = layered(nodes, [Link("a", "b", port(0), port(2))])

    assert places["a"][1] + port(0) == places["b"][1] + port(2)


def test_three_branches_spread_evenly_around_where_they_come_from() -> None:
    nodes = boxes("parse", "lines", "functions", "complexity") | boxes("join", rows=3)
    links = [Link("parse", n, port(0), port(0)) for n in ("lines", "functions", "complexity")]
    links += [
        Link(n, "join", port(0), port(row))
        for row, n in enumerate(("lines", "functions", "complexity"))
    ]

    places = layered(nodes, links)

    gap = nodes["lines"][1] + ROW_GAP
    assert places["functions"][1] == places["parse"][1]
    assert places["functions"][1] - places["lines"][1] == gap
    assert places["complexity"][1] - places["functions"][1] == gap
    assert places["join"][1] + port(1) == places["functions"][1] + port(0)


def test_a_failure_s_link_sets_the_column_but_not_the_height() -> None:
    nodes = boxes("read", "parse", "report", rows=2)
    plain = [("read", "parse"), ("parse", "report")]
    minor = Link("read", "report", port(1), port(1), minor=True)

    assert layered(nodes, [*plain, minor]) == layered(nodes, plain)
    only = layered(boxes("read", "report"), [Link("read", "report", minor=True)])
    assert only["report"][0] > only["read"][0]


def test_a_cycle_is_cut_where_it_closes() -> None:
    links = [Link("in", "a"), Link("a", "b"), Link("b", "c"), Link("c", "a"), Link("c", "out")]

    layers = layers_of(["in", "a", "b", "c", "out"], links)

    assert [layers[n] for n in ("in", "a", "b", "c", "out")] == [0, 1, 2, 3, 4]


def test_a_late_source_stands_just_before_what_it_feeds() -> None:
    links = [Link("a", "b"), Link("b", "c"), Link("late", "c")]

    layers = layers_of(["a", "b", "c", "late"], links)

    assert layers["late"] == layers["b"]


def test_separate_parts_lie_below_each_other_and_lone_nodes_in_rows_at_the_end() -> None:
    nodes = boxes("a", "b", "c", "d", "lone", "other")

    places = layered(nodes, [("a", "b"), ("c", "d")])

    assert places["a"][1] < places["c"][1] < places["lone"][1]
    assert places["lone"][1] == places["other"][1]
    assert not overlaps(nodes, places)


def test_nothing_is_laid_out_as_nothing_and_unknown_ends_are_left_out() -> None:
    assert layered({}, [("a", "b")]) == {}
    assert layered(boxes("a"), [("a", "ghost"), ("a", "a")]) == {"a": (0.0, 0.0)}


def test_two_crossed_pairs_are_uncrossed() -> None:
    nodes = boxes("a", "b", "x", "y")
    links = [Link("a", "y"), Link("b", "x"), Link("a", "x", 1), Link("b", "y", 1)]

    assert crossings_of(nodes, links) == 1
    assert crossings_of(nodes, links[:2]) == 0


@pytest.mark.parametrize(("size", "most"), [(20, 2), (50, 5), (120, 8)])
def test_few_wires_cross(size: int, most: int) -> None:
    """In the order of the file it is three to five times as many."""
    dice = random.Random(size)
    nodes = boxes(*(f"n{k}" for k in range(size)))
    links = [Link(f"n{max(0, k - dice.randint(1, 6))}", f"n{k}") for k in range(1, size)]
    links += [Link(f"n{k}", f"n{min(size - 1, k + dice.randint(1, 6))}") for k in range(0, size, 2)]
    links = [link for link in links if link.source != link.target]

    assert crossings_of(nodes, links) <= most


@given(EDGES)
def test_nothing_overlaps_and_the_same_graph_gives_the_same_places(
    edges: list[tuple[int, int]],
) -> None:
    nodes = boxes(*(f"n{k}" for k in range(9)))
    links = [(f"n{a}", f"n{b}") for a, b in edges]

    places = layered(nodes, links)

    assert set(places) == set(nodes)
    assert not overlaps(nodes, places)
    assert layered(dict(nodes), list(links)) == places


def test_crossings_are_counted_per_pair_of_layers() -> None:
    order = [[0, 1, 2], [3, 4, 5]]

    assert crossings(order, [(0, 3), (1, 4), (2, 5)]) == 0
    assert crossings(order, [(0, 5), (1, 4), (2, 3)]) == 3
    assert crossings(order, [(0, 4), (0, 3), (1, 4)]) == 0
