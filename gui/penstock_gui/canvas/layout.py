"""Automatic layered layout: which column a routine stands in, in which order, and how high.

Pure and deterministic: the same graph in the same order gives the same places.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

COLUMN_GAP = 56.0
ROW_GAP = 28.0
LINE_GAP = 14.0
GROUP_GAP = 84.0
_SWEEPS = 12
_PLACEMENTS = 6
_TRANSPOSE_LIMIT = 1500


class Link(NamedTuple):
    """A connection as the layout sees it.

    ``out_y`` and ``in_y`` are the heights of its ports inside their nodes. A ``minor`` link
    (a failure's) decides the column of its target, but neither order nor height.
    """

    source: str
    target: str
    out_y: float = 0.0
    in_y: float = 0.0
    minor: bool = False


class _Edge(NamedTuple):
    """A link cut to pieces that reach from one layer to the next."""

    source: int
    target: int
    out_y: float
    in_y: float


def layered(
    nodes: Mapping[str, tuple[float, float]],
    edges: Iterable[Link | tuple[str, str]],
) -> dict[str, tuple[float, float]]:
    """Top left corners for nodes of the given sizes; unknown ends of edges are left out."""
    links = [link for edge in edges if (link := Link(*edge)).source in nodes]
    links = [link for link in links if link.target in nodes and link.source != link.target]
    places: dict[str, tuple[float, float]] = {}
    top, widest = 0.0, 0.0
    groups = _groups(list(nodes), links)
    for group in groups:
        if len(group) == 1 and len(groups) > 1:
            continue
        members = set(group)
        part = _place_group({i: nodes[i] for i in group}, [x for x in links if x.source in members])
        high = min(y for _, y in part.values())
        places |= {i: (x, y - high + top) for i, (x, y) in part.items()}
        top = max(places[i][1] + nodes[i][1] for i in group) + GROUP_GAP
        widest = max(widest, *(places[i][0] + nodes[i][0] for i in group))
    alone = [group[0] for group in groups if group[0] not in places]
    return places | _shelves({i: nodes[i] for i in alone}, top, max(widest, 800.0))


def layers_of(ids: Sequence[str], links: Iterable[Link]) -> dict[str, int]:
    """The column of each node: behind all it hears from, cycles cut where they close."""
    after, before = _acyclic(ids, links)
    layer: dict[str, int] = {}
    waits = {i: len(before[i]) for i in ids}
    ready = [i for i in ids if not waits[i]]
    for node in ready:
        layer[node] = max((layer[b] + 1 for b in before[node]), default=0)
        for follower in after[node]:
            waits[follower] -= 1
            if not waits[follower]:
                ready.append(follower)
    for node in reversed(ready):
        if not before[node] and after[node]:
            layer[node] = min(layer[a] for a in after[node]) - 1
    return layer


def crossings(order: Sequence[Sequence[int]], edges: Iterable[tuple[int, int]]) -> int:
    """How often straight edges between neighbouring layers of this order cross."""
    layer = {n: i for i, nodes in enumerate(order) for n in nodes}
    rank = {n: k for nodes in order for k, n in enumerate(nodes)}
    between: dict[int, list[tuple[int, int]]] = {}
    for source, target in edges:
        between.setdefault(layer[source], []).append((rank[source], rank[target]))
    total = 0
    for pairs in between.values():
        seen: list[int] = []
        for _, target in sorted(pairs):
            total += len(seen) - bisect_right(seen, target)
            insort(seen, target)
    return total


def _groups(ids: Sequence[str], links: Sequence[Link]) -> list[list[str]]:
    """Connected parts, each in the order of `ids`, by their first member."""
    near: dict[str, list[str]] = {i: [] for i in ids}
    for link in links:
        near[link.source].append(link.target)
        near[link.target].append(link.source)
    place = {i: k for k, i in enumerate(ids)}
    seen: set[str] = set()
    groups = []
    for start in ids:
        if start in seen:
            continue
        seen.add(start)
        group = [start]
        for node in group:
            fresh = [n for n in near[node] if n not in seen]
            for other in fresh:
                if other not in seen:
                    seen.add(other)
                    group.append(other)
        groups.append(sorted(group, key=place.__getitem__))
    return groups


def _acyclic(
    ids: Sequence[str], links: Iterable[Link]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Successors and predecessors without the links that close a cycle."""
    following: dict[str, list[str]] = {i: [] for i in ids}
    heard: set[str] = set()
    for link in links:
        if link.target not in following[link.source]:
            following[link.source].append(link.target)
        heard.add(link.target)
    after: dict[str, list[str]] = {i: [] for i in ids}
    before: dict[str, list[str]] = {i: [] for i in ids}
    done: set[str] = set()
    for root in [*(i for i in ids if i not in heard), *ids]:
        if root in done:
            continue
        trail, on_trail = [(root, iter(following[root]))], {root}
        while trail:
            node, rest = trail[-1]
            for follower in rest:
                if follower in on_trail:
                    continue
                after[node].append(follower)
                before[follower].append(node)
                if follower not in done:
                    trail.append((follower, iter(following[follower])))
                    on_trail.add(follower)
                    break
            else:
                trail.pop()
                on_trail.discard(node)
                done.add(node)
    return after, before


class _Grid:
    """One connected part as numbered cells: its nodes, and bends where links pass a layer."""

    def __init__(self, nodes: Mapping[str, tuple[float, float]], links: Sequence[Link]) -> None:
        self.ids = list(nodes)
        self.number = {i: k for k, i in enumerate(self.ids)}
        self.height = [nodes[i][1] for i in self.ids]
        layer = layers_of(self.ids, links)
        lowest = min(layer.values())
        self.layer = [layer[i] - lowest for i in self.ids]
        self.edges: list[_Edge] = []
        for link in links:
            if not link.minor or self._only_minor(link, links):
                self._cut(link)
        self.order: list[list[int]] = [[] for _ in range(max(self.layer) + 1)]
        for cell, column in enumerate(self.layer):
            self.order[column].append(cell)
        self.before: list[list[_Edge]] = [[] for _ in self.layer]
        self.after: list[list[_Edge]] = [[] for _ in self.layer]
        for edge in self.edges:
            self.after[edge.source].append(edge)
            self.before[edge.target].append(edge)

    def _only_minor(self, link: Link, links: Sequence[Link]) -> bool:
        return not any(x.target == link.target and not x.minor for x in links)

    def _cut(self, link: Link) -> None:
        a, b = self.number[link.source], self.number[link.target]
        out_y, in_y = link.out_y, link.in_y
        if self.layer[a] > self.layer[b]:
            a, b, out_y, in_y = b, a, in_y, out_y
        if self.layer[a] == self.layer[b]:
            return
        while self.layer[b] - self.layer[a] > 1:
            bend = len(self.layer)
            self.layer.append(self.layer[a] + 1)
            self.height.append(0.0)
            self.edges.append(_Edge(a, bend, out_y, 0.0))
            a, out_y = bend, 0.0
        self.edges.append(_Edge(a, b, out_y, in_y))

    def sort(self) -> None:
        """Order the layers so that few edges cross: barycentres back and forth, best kept."""
        pairs = [(e.source, e.target) for e in self.edges]
        best, fewest = [list(x) for x in self.order], crossings(self.order, pairs)
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            self._sweep(forward=sweep % 2 == 0)
            if len(self.layer) <= _TRANSPOSE_LIMIT:
                self._swap_neighbours()
            count = crossings(self.order, pairs)
            if count < fewest:
                best, fewest = [list(x) for x in self.order], count
        self.order = best

    def _sweep(self, forward: bool) -> None:
        rank = {c: k for cells in self.order for k, c in enumerate(cells)}
        columns = range(1, len(self.order)) if forward else range(len(self.order) - 2, -1, -1)
        for column in columns:
            weight = {}
            for cell in self.order[column]:
                near = self._near(cell, rank, forward)
                weight[cell] = sum(near) / len(near) if near else float(rank[cell])
            self.order[column].sort(key=weight.__getitem__)
            rank.update({c: k for k, c in enumerate(self.order[column])})

    def _near(self, cell: int, rank: Mapping[int, int], forward: bool) -> list[float]:
        """Ranks of the neighbours, a little apart for the ports of one node."""
        if forward:
            return [rank[e.source] + e.out_y / 1000 for e in self.before[cell]]
        return [rank[e.target] + e.in_y / 1000 for e in self.after[cell]]

    def _swap_neighbours(self) -> None:
        rank = {c: k for cells in self.order for k, c in enumerate(cells)}
        for cells in self.order:
            for k in range(len(cells) - 1):
                upper, lower = cells[k], cells[k + 1]
                if self._knots(upper, lower, rank) > self._knots(lower, upper, rank):
                    cells[k], cells[k + 1] = lower, upper
                    rank[lower], rank[upper] = k, k + 1

    def _knots(self, upper: int, lower: int, rank: Mapping[int, int]) -> int:
        total = 0
        for side in (True, False):
            below = self._near(lower, rank, side)
            total += sum(1 for a in self._near(upper, rank, side) for b in below if a > b)
        return total

    def heights(self) -> list[float]:
        """The top of each cell: as level with its neighbours as order and gaps allow."""
        y = [0.0] * len(self.layer)
        for cells in self.order:
            self._settle(cells, [0.0] * len(cells), y)
        for round_ in range(_PLACEMENTS):
            for cells in self.order if round_ % 2 == 0 else reversed(self.order):
                self._settle(cells, [self._wish(c, y, round_ % 2 == 0) for c in cells], y)
        for cells in self.order:
            self._settle(cells, [self._wish(c, y, forward=True) for c in cells], y)
        for cells in reversed(self.order):
            self._settle(cells, [self._wish(c, y, not self._leads(c)) for c in cells], y)
        return y

    def _leads(self, cell: int) -> bool:
        return not self.before[cell]

    def _wish(self, cell: int, y: Sequence[float], forward: bool) -> float:
        if forward:
            wishes = [y[e.source] + e.out_y - e.in_y for e in self.before[cell]]
        else:
            wishes = [y[e.target] + e.in_y - e.out_y for e in self.after[cell]]
        return median(wishes) if wishes else y[cell]

    def _settle(self, cells: Sequence[int], wishes: Sequence[float], y: list[float]) -> None:
        """Put a column's cells as near their wishes as their order allows (least squares)."""
        offset, offsets = 0.0, []
        for upper, cell in zip([None, *cells], cells, strict=False):
            if upper is not None:
                both = self.height[upper] > 0 and self.height[cell] > 0
                offset += self.height[upper] + (ROW_GAP if both else LINE_GAP)
            offsets.append(offset)
        blocks: list[tuple[float, int]] = []
        for wish, off in zip(wishes, offsets, strict=True):
            total, count = wish - off, 1
            while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
                more, n = blocks.pop()
                total, count = total + more, count + n
            blocks.append((total, count))
        tops = [total / count for total, count in blocks for _ in range(count)]
        for cell, top, off in zip(cells, tops, offsets, strict=True):
            y[cell] = top + off


def _place_group(
    nodes: Mapping[str, tuple[float, float]], links: Sequence[Link]
) -> dict[str, tuple[float, float]]:
    grid = _Grid(nodes, links)
    grid.sort()
    y = grid.heights()
    left, x = [], 0.0
    for cells in grid.order:
        left.append(x)
        ids = [grid.ids[c] for c in cells if c < len(grid.ids)]
        x += max((nodes[i][0] for i in ids), default=0.0) + COLUMN_GAP
    return {i: (left[grid.layer[k]], float(round(y[k]))) for k, i in enumerate(grid.ids)}


def _shelves(
    nodes: Mapping[str, tuple[float, float]], top: float, width: float
) -> dict[str, tuple[float, float]]:
    """Unconnected nodes in rows below everything else."""
    places = {}
    x, y, tallest = 0.0, top, 0.0
    for node, (w, h) in nodes.items():
        if x and x + w > width:
            x, y, tallest = 0.0, y + tallest + ROW_GAP, 0.0
        places[node] = (x, y)
        x, tallest = x + w + COLUMN_GAP, max(tallest, h)
    return places
