"""Pure: a flow compiled to what a job needs: routines in order, and where each event goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
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
    Slot,
    activation_problem,
    key_function,
    shape_of,
)
from penstock.run.emitters import UNLIMITED, CarefulEmitter, Emitter, FailedEmitter, OrderedEmitter
from penstock.run.matching import AnyOf, Batches, Custom, InOrder, KeyedQueues, Rule

Target = tuple[int, int]  # (index of the routine, index of its slot)
Port = tuple[str, str]  # (id of the routine, name of its slot or event)


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """One slot of a routine: its type is what `post` checks values against.

    ``producers`` are the indices of the routines that are connected to it.
    """

    name: str
    ref: str
    type: Any
    capacity: int
    overflow: str
    producers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EventPlan:
    """One event of a routine: its type is what `handle_event_emit` checks values against.

    ``targets`` says where it goes, ``again`` which of them have their routine before by another
    slot, ``refuses`` whether one of them refuses what doesn't fit; ``sole`` is the index of the
    routine whose only slot is its only target, if it is so. ``soft`` is how many values fit
    downstream while nothing is there, ``hard`` how many may wait then. ``kind`` is the class of its
    emitters. ``is_plain``: it has targets, and its values go to all of them as they are.
    """

    name: str
    ref: str
    type: Any
    copies: bool
    targets: tuple[Target, ...]
    again: tuple[Target, ...]
    sole: int | None
    refuses: bool
    soft: int
    hard: int
    kind: type[Emitter]
    is_plain: bool


@dataclass(frozen=True, slots=True)
class RoutinePlan:
    """One routine as every job of the flow sees it.

    The last of ``events`` is ``failed``; ``made`` are those whose emitters a job has from the
    start, ``only_event`` the one of them, where it is alone and its routine is plain.
    ``is_uniform``: each activation takes one message of each slot. ``is_single``: its one slot's
    messages are the activations. ``is_source``: `logic` takes no messages; it runs at the start, or
    when a timer says so. ``one_by_one``: the core is asked before each. ``may_stand``: it can have
    generators that stand, or a turn of `finish`. ``is_careful``: its emitters must look which
    attempt emits. ``is_plain``: its bodies run one after the other, and what they emit goes on at
    once. ``is_ordinary``: it needs none of the records of `RoutineRun` that few need.
    """

    id: str
    routine: Routine
    slots: tuple[SlotPlan, ...]
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    events: tuple[EventPlan, ...]
    made: tuple[EventPlan, ...]
    only_event: EventPlan | None
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
    is_source: bool
    one_by_one: bool
    takes_latest: bool
    keeps_back: bool
    may_stand: bool
    is_careful: bool
    takes_one: bool
    is_plain: bool
    is_ordinary: bool

    @property
    def targets(self) -> tuple[tuple[Target, ...], ...]:
        """Where each of its events goes."""
        return tuple(event.targets for event in self.events)

    @property
    def has_last_turn(self) -> bool:
        """Whether it has something to do when nothing can arrive any more."""
        return self.has_finish or isinstance(self.activation, Batch)


@dataclass(frozen=True, slots=True)
class Plan:
    """A flow, compiled. `index` finds routines, `finish_order` has those with a last turn.

    ``sources`` are the indices of its sources. ``asks_one_by_one``: the core is asked before each
    activation of some routine.
    """

    flow: str
    routines: tuple[RoutinePlan, ...]
    index: dict[str, int]
    finish_order: tuple[int, ...]
    sources: tuple[int, ...]
    asks_one_by_one: bool


class Plans:
    """The plans of flows of live routines, made anew when a flow has changed. Any thread.

    A plan keeps its routines alive, so their ids stay theirs.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Flow, tuple[Any, Plan]] = WeakKeyDictionary()

    def of(self, flow: Flow) -> Plan | None:
        """The plan made for the flow as it is now, if there is one."""
        known = self._known.get(flow)
        return known[1] if known is not None and known[0] == _signature(flow) else None

    def keep(self, flow: Flow, plan: Plan) -> None:
        """Remember a plan; not that of a flow whose routines are made anew for each job."""
        if all(isinstance(routine, Routine) for routine in flow.routines.values()):
            self._known[flow] = (_signature(flow), plan)


_POLICIES = attrgetter("activation", "max_parallel", "on_error", "timeout")


def _signature(flow: Flow) -> Any:
    """What a plan depends on; asked for every job."""
    routines = flow.routines
    live = routines.values()
    policies = [_POLICIES(r) if isinstance(r, Routine) else None for r in live]
    return [*map(id, live)], policies, [*routines], flow.connections, flow.name


class _Links:
    """What the connections of a flow say of its events and slots; those are (routine, port)."""

    def __init__(self, flow: Flow, index: dict[str, int], shapes: dict[str, Shape]) -> None:
        self.targets: dict[Port, list[Target]] = {}
        self.producers: dict[Port, set[int]] = {}
        self.refusing: set[Port] = set()
        self.room: dict[Port, int] = {}
        self.lone = {index[i] for i, shape in shapes.items() if len(shape.slots) == 1}
        for connection in flow.connections:
            source, target = connection.source, connection.target
            event, slots = (source.routine, source.port), shapes[target.routine].slots
            place = (index[target.routine], list(slots).index(target.port))
            self.targets.setdefault(event, []).append(place)
            port = (target.routine, target.port)
            self.producers.setdefault(port, set()).add(index[source.routine])
            slot = slots[target.port]
            if slot.overflow == "fail":
                self.refusing.add(event)
            elif slot.overflow == "hold":
                self.room[event] = min(self.room.get(event, UNLIMITED), slot.capacity)


def compile_flow(flow: Flow) -> Plan:
    """The plan of a flow of live routines. Pure; takes time linear in its size.

    Raises FlowError for an activation rule that can't work for its routine.
    """
    index = {routine_id: i for i, routine_id in enumerate(flow.routines)}
    live = {i: routine for i, routine in flow.routines.items() if isinstance(routine, Routine)}
    links = _Links(flow, index, {i: shape_of(type(routine)) for i, routine in live.items()})
    rows = tuple(_row(i, routine, links) for i, routine in live.items())
    return Plan(
        flow.name,
        rows,
        index,
        _finish_order(rows),
        sources=tuple(i for i, row in enumerate(rows) if row.is_source),
        asks_one_by_one=any(row.one_by_one for row in rows),
    )


def _row(routine_id: str, routine: Routine, links: _Links) -> RoutinePlan:
    problem = activation_problem(routine)
    if problem is not None:
        raise FlowError(f"{routine_id}: {problem}", routine=routine_id)
    shape = shape_of(type(routine))
    activation = routine.activation
    own = _is_own_rule(activation)
    uniform = not own and isinstance(activation, AllSlots | Latest | Every)
    single = len(shape.slots) == 1 and (uniform or (not own and isinstance(activation, AnySlot)))
    uniform = uniform or single
    keeps_back = isinstance(routine.on_error, Retry)
    careful = keeps_back or shape.is_async or routine.timeout is not None
    may_stand = shape.is_generator or shape.has_finish
    events = _events(routine_id, shape, links, careful)
    made = events if events[-1].targets else events[:-1]
    plain = not (careful or shape.is_generator) and uniform
    rule = None if single else _rule_maker(activation, shape)
    return RoutinePlan(
        id=routine_id,
        routine=routine,
        slots=tuple(_slot(routine_id, name, slot, links) for name, slot in shape.slots.items()),
        positional=shape.positional,
        keyword=shape.keyword,
        events=events,
        made=made,
        only_event=made[0] if plain and len(events) - 1 == len(made) == 1 else None,
        make_rule=rule,
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
        is_source=not shape.slots,
        one_by_one=own or isinstance(activation, Latest | Every),
        takes_latest=not own and isinstance(activation, Latest),
        keeps_back=keeps_back,
        may_stand=may_stand,
        is_careful=careful,
        takes_one=single and len(shape.positional) == 1,
        is_plain=plain,
        is_ordinary=not (rule or careful or may_stand or shape.has_state or len(events) > 2),
    )


def _slot(routine_id: str, name: str, slot: Slot, links: _Links) -> SlotPlan:
    producers = tuple(sorted(links.producers.get((routine_id, name), ())))
    ref = f"{routine_id}.{name}"
    return SlotPlan(name, ref, slot.type, slot.capacity, slot.overflow, producers)


def _events(routine_id: str, shape: Shape, links: _Links, careful: bool) -> tuple[EventPlan, ...]:
    """Those the routine declares, and ``failed``."""
    declared = {name: (event.type, event.copy) for name, event in shape.events.items()}
    declared["failed"] = (object, False)
    several = len(declared) > 2
    found = []
    for name, (type_, copies) in declared.items():
        port = (routine_id, name)
        targets = tuple(links.targets.get(port, ()))
        again = _again(targets)
        refuses = port in links.refusing
        kind = FailedEmitter if name == "failed" else Emitter
        if several:
            kind = OrderedEmitter
        if careful or copies or refuses:
            kind = CarefulEmitter
        is_plain = bool(targets) and not (copies or refuses or again)
        is_sole = is_plain and len(targets) == 1 and targets[0][0] in links.lone
        room = links.room.get(port, UNLIMITED)
        found.append(
            EventPlan(
                name=name,
                ref=f"{routine_id}.{name}",
                type=type_,
                copies=copies,
                targets=targets,
                again=again,
                sole=targets[0][0] if is_sole else None,
                refuses=refuses,
                soft=room,
                hard=min(2 * room, UNLIMITED),
                kind=kind,
                is_plain=is_plain,
            )
        )
    return tuple(found)


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
