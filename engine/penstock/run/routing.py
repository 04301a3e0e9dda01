"""Pure: a flow compiled to what a job needs: routines in order, and where each event goes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from penstock.flow import Continue, Flow, Routine, Stop, key_function, shape_of

Target = tuple[int, int]  # (index of the routine, index of its slot)


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """One slot of a routine: its type is what `post` checks values against."""

    name: str
    type: Any
    capacity: int


@dataclass(frozen=True, slots=True)
class RoutinePlan:
    """One routine as every job of the flow sees it. `targets` maps events to where they go."""

    id: str
    routine: Routine
    slots: tuple[SlotPlan, ...]
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    events: tuple[str, ...]
    targets: tuple[tuple[Target, ...], ...]
    key: Callable[[Any], Hashable] | None
    max_parallel: int | None
    on_error: Stop | Continue
    is_generator: bool
    has_state: bool
    has_finish: bool

    @property
    def takes_one(self) -> bool:
        """Whether `logic` takes exactly one value, by position."""
        return len(self.slots) == 1 and len(self.positional) == 1

    @property
    def is_source(self) -> bool:
        """Whether `logic` takes no messages and runs once at the start."""
        return not self.slots


@dataclass(frozen=True, slots=True)
class Plan:
    """A flow, compiled. `finish_order` holds indexes of routines with a `finish`."""

    flow: str
    routines: tuple[RoutinePlan, ...]
    finish_order: tuple[int, ...]


def compile_flow(flow: Flow) -> Plan:
    """The plan of a flow of live routines. Pure; takes time linear in its size."""
    index = {routine_id: i for i, routine_id in enumerate(flow.routines)}
    live = {i: routine for i, routine in flow.routines.items() if isinstance(routine, Routine)}
    slot_names = {i: list(shape_of(type(routine)).slots) for i, routine in live.items()}
    targets: dict[tuple[str, str], list[Target]] = {}
    for connection in flow.connections:
        source, target = connection.source, connection.target
        place = (index[target.routine], slot_names[target.routine].index(target.port))
        targets.setdefault((source.routine, source.port), []).append(place)
    rows = tuple(_row(routine_id, routine, targets) for routine_id, routine in live.items())
    return Plan(flow.name, rows, _finish_order(rows))


def _row(
    routine_id: str, routine: Routine, targets: dict[tuple[str, str], list[Target]]
) -> RoutinePlan:
    shape = shape_of(type(routine))
    events = (*shape.events, "failed")
    activation = routine.activation
    match = activation.match
    return RoutinePlan(
        id=routine_id,
        routine=routine,
        slots=tuple(SlotPlan(n, s.type, s.capacity) for n, s in shape.slots.items()),
        positional=shape.positional,
        keyword=shape.keyword,
        events=events,
        targets=tuple(tuple(targets.get((routine_id, event), ())) for event in events),
        key=key_function(match) if match is not None else None,
        max_parallel=routine.max_parallel,
        on_error=routine.on_error,
        is_generator=shape.is_generator,
        has_state=shape.has_state,
        has_finish=shape.has_finish,
    )


def _finish_order(rows: tuple[RoutinePlan, ...]) -> tuple[int, ...]:
    """Topological, upstream first; inside a cycle the order in which routines were added.

    Components come from Tarjan's algorithm (SIAM J. Comput. 1, 1972), iterative; it yields
    them downstream first.
    """
    order = [i for part in reversed(_components(rows)) for i in sorted(part)]
    return tuple(i for i in order if rows[i].has_finish)


def _components(rows: tuple[RoutinePlan, ...]) -> list[list[int]]:
    after = [sorted({t for event in row.targets for t, _ in event}, reverse=True) for row in rows]
    found: list[list[int]] = []
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in reversed(range(len(rows))):
        if root in number:
            continue
        work: list[tuple[int, int]] = [(root, 0)]
        while work:
            node, at = work.pop()
            if at == 0:
                number[node] = low[node] = len(number)
                stack.append(node)
                on_stack.add(node)
            else:
                low[node] = min(low[node], low[after[node][at - 1]])
            for k in range(at, len(after[node])):
                child = after[node][k]
                if child not in number:
                    work += [(node, k + 1), (child, 0)]
                    break
                if child in on_stack:
                    low[node] = min(low[node], number[child])
            else:
                if low[node] == number[node]:
                    found.append(_take_component(node, stack, on_stack))
    return found


def _take_component(root: int, stack: list[int], on_stack: set[int]) -> list[int]:
    part: list[int] = []
    while True:
        node = stack.pop()
        on_stack.discard(node)
        part.append(node)
        if node == root:
            return part
