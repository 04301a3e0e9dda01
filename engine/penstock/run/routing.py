"""Pure: a flow compiled to what a job needs: routines in order, and where each event goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from penstock.errors import FlowError
from penstock.flow import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    ErrorPolicy,
    Every,
    Flow,
    Latest,
    Retry,
    Routine,
    Shape,
    activation_problem,
    key_function,
    shape_of,
)
from penstock.run.emitters import UNLIMITED
from penstock.run.matching import AnyOf, Batches, Custom, InOrder, KeyedQueues, Rule

Target = tuple[int, int]  # (index of the routine, index of its slot)


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """One slot of a routine: its type is what `post` checks values against."""

    name: str
    ref: str
    type: Any
    capacity: int
    overflow: str


@dataclass(frozen=True, slots=True)
class RoutinePlan:
    """One routine as every job of the flow sees it.

    ``targets`` maps events to where they go, ``again`` to those of them whose routine comes before
    by another slot, ``refusing`` says of each event whether one of its targets refuses what doesn't
    fit, ``room`` how many values fit downstream while nothing is there, ``careful`` whether its
    emitter must do more than append. ``is_uniform``: each activation takes one message of each
    slot. ``is_single``: its one slot's messages are the activations. ``one_by_one``: the core is
    asked before each. ``is_careful``: its emitters must look which attempt emits. ``is_plain``: its
    bodies run one after the other, and what they emit goes on at once.
    """

    id: str
    routine: Routine
    slots: tuple[SlotPlan, ...]
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    events: tuple[str, ...]
    event_refs: tuple[str, ...]
    event_types: tuple[Any, ...]
    copies: tuple[bool, ...]
    targets: tuple[tuple[Target, ...], ...]
    again: tuple[tuple[Target, ...], ...]
    refusing: tuple[bool, ...]
    room: tuple[int, ...]
    careful: tuple[bool, ...]
    make_rule: Callable[[], Rule] | None
    activation: Activation
    max_parallel: int | None
    on_error: ErrorPolicy
    timeout: float | None
    is_generator: bool
    is_async: bool
    has_state: bool
    has_finish: bool
    is_uniform: bool
    is_single: bool
    one_by_one: bool
    takes_latest: bool
    keeps_back: bool
    is_careful: bool
    takes_one: bool
    is_plain: bool

    @property
    def is_source(self) -> bool:
        """Whether `logic` takes no messages: it runs at the start, or when a timer says so."""
        return not self.slots

    @property
    def may_stand(self) -> bool:
        """Whether it can have generators that stand, or a turn of `finish`."""
        return self.is_generator or self.has_finish

    @property
    def has_last_turn(self) -> bool:
        """Whether it has something to do when nothing can arrive any more."""
        return self.has_finish or isinstance(self.activation, Batch)


@dataclass(frozen=True, slots=True)
class Plan:
    """A flow, compiled. `index` finds routines, `finish_order` has those with a last turn."""

    flow: str
    routines: tuple[RoutinePlan, ...]
    index: dict[str, int]
    finish_order: tuple[int, ...]


class Plans:
    """The plans of flows of live routines, made anew when a flow has changed. Any thread."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Flow, tuple[Any, Plan]] = WeakKeyDictionary()

    def of(self, flow: Flow) -> Plan | None:
        """The plan made for the flow as it is now, if there is one."""
        known = self._known.get(flow)
        return known[1] if known is not None and known[0] == _signature(flow) else None

    def keep(self, flow: Flow, plan: Plan) -> None:
        """Remember a plan; not that of a flow whose routines are made anew for each job."""
        signature = _signature(flow)
        if signature is not None:
            self._known[flow] = (signature, plan)


def _signature(flow: Flow) -> Any:
    """What a plan depends on; None for a flow with routines that aren't live."""
    rows = [
        (i, id(r), r.activation, r.max_parallel, r.on_error, r.timeout)
        for i, r in flow.routines.items()
        if isinstance(r, Routine)
    ]
    if len(rows) != len(flow.routines):
        return None
    return flow.name, rows, flow.connections


def compile_flow(flow: Flow) -> Plan:
    """The plan of a flow of live routines. Pure; takes time linear in its size.

    Raises FlowError for an activation rule that can't work for its routine.
    """
    index = {routine_id: i for i, routine_id in enumerate(flow.routines)}
    live = {i: routine for i, routine in flow.routines.items() if isinstance(routine, Routine)}
    shapes = {i: shape_of(type(routine)) for i, routine in live.items()}
    targets: dict[tuple[str, str], list[Target]] = {}
    refusing: set[tuple[str, str]] = set()
    room: dict[tuple[str, str], int] = {}
    for connection in flow.connections:
        source, target = connection.source, connection.target
        slots = shapes[target.routine].slots
        place = (index[target.routine], list(slots).index(target.port))
        targets.setdefault((source.routine, source.port), []).append(place)
        if slots[target.port].overflow == "fail":
            refusing.add((source.routine, source.port))
        elif slots[target.port].overflow == "hold":
            event = (source.routine, source.port)
            room[event] = min(room.get(event, UNLIMITED), slots[target.port].capacity)
    rows = tuple(_row(i, routine, targets, refusing, room) for i, routine in live.items())
    return Plan(flow.name, rows, index, _finish_order(rows))


def _row(
    routine_id: str,
    routine: Routine,
    targets: dict[tuple[str, str], list[Target]],
    refusing: set[tuple[str, str]],
    room: dict[tuple[str, str], int],
) -> RoutinePlan:
    problem = activation_problem(routine)
    if problem is not None:
        raise FlowError(f"{routine_id}: {problem}", routine=routine_id)
    shape = shape_of(type(routine))
    activation = routine.activation
    events = (*shape.events, "failed")
    own = _is_own_rule(activation)
    uniform = not own and isinstance(activation, AllSlots | Latest | Every)
    single = len(shape.slots) == 1 and (uniform or (not own and isinstance(activation, AnySlot)))
    uniform = uniform or single
    keeps_back = isinstance(routine.on_error, Retry)
    careful = keeps_back or shape.is_async or routine.timeout is not None
    copies = (*(event.copy for event in shape.events.values()), False)
    going = tuple(tuple(targets.get((routine_id, event), ())) for event in events)
    refuses = tuple((routine_id, event) in refusing for event in events)
    return RoutinePlan(
        id=routine_id,
        routine=routine,
        slots=tuple(
            SlotPlan(n, f"{routine_id}.{n}", s.type, s.capacity, s.overflow)
            for n, s in shape.slots.items()
        ),
        positional=shape.positional,
        keyword=shape.keyword,
        events=events,
        event_refs=tuple(f"{routine_id}.{event}" for event in events),
        event_types=(*(event.type for event in shape.events.values()), object),
        copies=copies,
        targets=going,
        again=tuple(_again(event) for event in going),
        refusing=refuses,
        room=tuple(room.get((routine_id, event), UNLIMITED) for event in events),
        careful=tuple(careful or c or r for c, r in zip(copies, refuses, strict=True)),
        make_rule=None if single else _rule_maker(activation, shape),
        activation=activation,
        max_parallel=routine.max_parallel,
        on_error=routine.on_error,
        timeout=routine.timeout,
        is_generator=shape.is_generator,
        is_async=shape.is_async,
        has_state=shape.has_state,
        has_finish=shape.has_finish,
        is_uniform=uniform,
        is_single=single,
        one_by_one=own or isinstance(activation, Latest | Every),
        takes_latest=not own and isinstance(activation, Latest),
        keeps_back=keeps_back,
        is_careful=careful,
        takes_one=single and len(shape.positional) == 1,
        is_plain=not (careful or shape.is_generator) and uniform,
    )


def _again(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    before = [[earlier for earlier, _ in targets[:n]] for n in range(len(targets))]
    return tuple(t for t, earlier in zip(targets, before, strict=True) if t[0] in earlier)


def _is_own_rule(activation: Activation) -> bool:
    """Whether it is a rule of the user's, even one derived from a rule of ours."""
    return type(activation).take is not Activation.take


def _rule_maker(activation: Activation, shape: Shape) -> Callable[[], Rule] | None:
    """What forms the activations of a routine with these slots; None for a source."""
    many = len(shape.slots)
    if not many:
        return None
    if _is_own_rule(activation):
        return partial(Custom, tuple(shape.slots), activation)
    if isinstance(activation, AllSlots) and activation.match is not None:
        return partial(KeyedQueues, many, key_function(activation.match))
    if isinstance(activation, AnySlot):
        return partial(AnyOf, many)
    if isinstance(activation, Batch):
        return partial(Batches, activation.size)
    return partial(InOrder, many)


def _finish_order(rows: tuple[RoutinePlan, ...]) -> tuple[int, ...]:
    """Topological, upstream first; inside a cycle the order in which routines were added.

    Components come from Tarjan's algorithm (SIAM J. Comput. 1, 1972), iterative; it yields
    them downstream first.
    """
    order = [i for part in reversed(_components(rows)) for i in sorted(part)]
    return tuple(i for i in order if rows[i].has_last_turn)


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
