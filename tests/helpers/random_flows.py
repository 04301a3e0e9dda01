"""Random flows whose bodies note what they take and emit: `FLOWS` draws them, `build` makes them.

Each value is a text of its own, ``hops:path``; an activation that is tried again emits the same
ones again.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from hypothesis import strategies as st

from penstock import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Event,
    Every,
    Failure,
    Flow,
    Latest,
    Retry,
    Routine,
    Skip,
    Slot,
    Stop,
)

GATE_LIMIT = 60.0
MOST_EMITTED = 150  # per job: random cycles grow fast
MOST_HOPS = 5
ROUTINE_TIMEOUT = 0.004
TICKS = 4

KINDS = (
    "source",
    "timer",
    "work",
    "join",
    "match",
    "any",
    "batch",
    "patient",
    "latest",
    "every",
    "custom",
)
BODIES = ("plain", "generator", "async")
OVERFLOWS = ("hold", "drop_oldest", "drop_newest", "fail")
POLICIES: dict[str, Any] = {
    "stop": Stop(),
    "continue": Continue(),
    "skip": Skip(),
    "retry": Retry(times=2, delay=0.001),
    "retry_continue": Retry(times=1, then=Continue()),
    "retry_skip": Retry(times=2, delay=0.0005, backoff=2.0, jitter=0.5, then=Skip()),
}


def weighted(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Mostly the usual value, which is also what an example shrinks to."""
    return st.sampled_from([usual] * max(2, 2 * len(others)) + list(others))


@dataclass(frozen=True, repr=False)
class Node:
    """One routine of a random flow; `inputs` and `back` choose among the others, modulo."""

    kind: str = "work"
    body: str = "plain"
    inputs: tuple[int, int] = (0, 0)
    back: bool = False
    times: int = 1
    capacity: int = 1000
    overflow: Any = "hold"
    parallel: int | None = 1
    policy: str = "stop"
    fails: str = "never"
    gate: bool = False
    nap: bool = False
    timeout: bool = False
    finish: bool = False
    tells_failures: bool = False

    def __repr__(self) -> str:
        told = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Node({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in told)})"

    @property
    def slots(self) -> tuple[str, ...]:
        if self.kind in ("source", "timer"):
            return ()
        return ("x", "y") if self.kind in ("join", "match", "any", "custom") else ("x",)

    @property
    def retries(self) -> bool:
        return self.policy.startswith("retry")

    @property
    def may_stop(self) -> bool:
        return self.policy in ("stop", "retry") and not self.tells_failures

    @property
    def may_skip(self) -> bool:
        return self.policy in ("skip", "retry_skip") and not self.tells_failures


NODES: st.SearchStrategy[Node] = st.builds(
    Node,
    kind=weighted("work", *(kind for kind in KINDS if kind != "work")),
    body=st.sampled_from(BODIES),
    inputs=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    back=weighted(False, True),
    times=st.sampled_from([1, 0, 2, 4]),
    capacity=st.sampled_from([1000, 1, 2, 5]),
    overflow=weighted("hold", *OVERFLOWS[1:]),
    parallel=st.sampled_from([1, 1, 2, None]),
    policy=st.sampled_from(list(POLICIES)),
    fails=st.sampled_from(["never", "never", "never", "once", "some", "all"]),
    gate=weighted(False, True),
    nap=weighted(False, True),
    timeout=weighted(False, True),
    finish=weighted(False, True),
    tells_failures=weighted(False, True),
)
FLOWS = st.lists(NODES, min_size=1, max_size=6).map(tuple)


class Pairs(Activation):
    """A rule of our own: the oldest of ``x`` alone, or with the oldest of ``y`` if there is one."""

    def take(self, queues: Any) -> Any:
        if not queues["x"]:
            return None
        return {"x": 0, "y": [0]} if queues["y"] else {"x": 0}


# ---- what bodies note


class Gate:
    """Where bodies wait; plain ones and coroutines alike. ``_lock`` guards all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Future[None]] = []
        self._open = False

    def ticket(self) -> Future[None]:
        """Ready when the body may go on."""
        future: Future[None] = Future()
        with self._lock:
            if self._open:
                future.set_result(None)
            else:
                self._waiting.append(future)
        return future

    def let_go(self, many: int) -> None:
        with self._lock:
            going, self._waiting = self._waiting[:many], self._waiting[many:]
        for future in going:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def open(self) -> None:
        with self._lock:
            self._open = True
        self.let_go(1 << 30)


@dataclass
class Act:
    """One activation as its body sees it."""

    node: int
    taken: tuple[tuple[str, str], ...]  # (slot, value)
    attempt: int
    kept: list[str] = field(default_factory=list)
    how: str = ""  # how it ended: ok, failed, closed


class Desk:
    """Everything the bodies of one job note. `lock` guards it."""

    def __init__(self, nodes: tuple[Node, ...], gate: Gate) -> None:
        self.nodes = nodes
        self.gate = gate
        self.lock = threading.Lock()
        self.acts: list[Act] = []
        self.sent: dict[int, list[tuple[str, Act | None]]] = {i: [] for i in range(len(nodes))}
        self.inside: Counter[int] = Counter()
        self.most: Counter[int] = Counter()
        self.emitting: Counter[int] = Counter()
        self.finished: Counter[int] = Counter()
        self.failures: Counter[int] = Counter()
        self._attempts: Counter[tuple[int, tuple[tuple[str, str], ...]]] = Counter()
        self._budget = MOST_EMITTED

    @contextmanager
    def act(self, node: int, taken: tuple[tuple[str, str], ...]) -> Iterator[Act]:
        """Around a body."""
        with self.lock:
            self._attempts[node, taken] += 1
            act = Act(node, taken, self._attempts[node, taken])
            self.acts.append(act)
            self.inside[node] += 1
            self.most[node] = max(self.most[node], self.inside[node])
        how = "failed"
        try:
            yield act
            how = "ok"
        except (GeneratorExit, asyncio.CancelledError):
            how = "closed"
            raise
        finally:
            with self.lock:
                act.how = how
                self.inside[node] -= 1
                if how == "ok":
                    self.sent[node] += [(value, act) for value in act.kept]

    def emit(self, routine: Any, act: Act | None, node: int, value: str) -> None:
        """Emit a value, and note it once that was possible."""
        with self.lock:
            self.emitting[node] += 1
        try:
            routine.out.emit(value)
        except BaseException:
            with self.lock:
                self.emitting[node] -= 1
            raise
        with self.lock:
            self.emitting[node] -= 1
            if act is not None and self.nodes[node].retries:
                act.kept.append(value)
            else:
                self.sent[node].append((value, act))

    def children(self, node: int, act: Act) -> list[str]:
        """What the body emits: its own paths, one hop longer than what it took."""
        hops = 1 + max((int(value.partition(":")[0]) for _, value in act.taken), default=0)
        if hops > MOST_HOPS:
            return []
        whole = _short("+".join(slot + value.partition(":")[2] for slot, value in act.taken))
        tick = "" if act.taken else f"#{act.attempt}"
        with self.lock:
            many = min(self.nodes[node].times, self._budget)
            self._budget -= many
        return [f"{hops}:{whole}.{node}{tick}/{k}" for k in range(many)]


def _short(path: str) -> str:
    return path if len(path) <= 40 else f"{zlib.crc32(path.encode()):08x}~"


def _chance(text: str, one_in: int) -> bool:
    return zlib.crc32(text.encode()) % one_in == 0


# ---- the flow


def build(nodes: tuple[Node, ...], desk: Desk) -> Flow:
    """The flow of such nodes: ids ``n0``, ``n1``, …, and ``d`` where failures are told."""
    flow = Flow("random")
    for i, node in enumerate(nodes):
        flow.add(f"n{i}", _routine(i, node, desk))
    if any(node.tells_failures for node in nodes):
        flow.add("d", _drain(desk))
    for event, slot in links(nodes):
        flow.connect(event, slot)
    return flow


def links(nodes: tuple[Node, ...]) -> list[tuple[str, str]]:
    """(event, slot) of every connection."""
    found: dict[tuple[str, str], None] = {}
    for i, node in enumerate(nodes):
        for slot, source in zip(node.slots, node.inputs, strict=False):
            if i:
                found[f"n{source % i}.out", f"n{i}.{slot}"] = None
        takers = [k for k in range(i + 1) if nodes[k].slots]
        if node.back and takers:
            found[f"n{i}.out", f"n{takers[node.inputs[1] % len(takers)]}.x"] = None
        if node.tells_failures:
            found[f"n{i}.failed", "d.x"] = None
    return list(found)


def _activation(node: Node) -> Activation:
    made: dict[str, Activation] = {
        "timer": Every(0.002, times=TICKS),
        "match": AllSlots(match=_key),
        "any": AnySlot(),
        "batch": Batch(3, max_wait=0.003),
        "patient": Batch(3),
        "latest": Latest(),
        "every": Every(0.001),
        "custom": Pairs(),
    }
    return made.get(node.kind, AllSlots())


def _key(value: str) -> bool:
    return _chance(value, 2)


def _routine(i: int, node: Node, desk: Desk) -> Routine:
    ports: dict[str, Any] = {
        name: Slot(object, capacity=node.capacity, overflow=node.overflow) for name in node.slots
    }
    ports.update(
        out=Event(),
        logic=_logic(i, node, desk),
        activation=_activation(node),
        max_parallel=node.parallel,
        on_error=POLICIES[node.policy],
        timeout=ROUTINE_TIMEOUT if node.timeout else None,
    )
    if node.finish:
        ports["finish"] = _finish(i, desk)
    made: Routine = type(f"N{i}", (Routine,), ports)()
    return made


def _finish(i: int, desk: Desk) -> Callable[[Any], None]:
    def finish(self: Any) -> None:
        with desk.lock:
            desk.finished[i] += 1
        desk.emit(self, None, i, f"{MOST_HOPS}:finish.{i}")

    return finish


def _drain(desk: Desk) -> Routine:
    def logic(self: Any, x: Failure) -> None:
        with desk.lock:
            desk.failures[int(x.routine[1:])] += 1

    made: Routine = type("Drain", (Routine,), {"x": Slot(Failure), "logic": logic})()
    return made


def _logic(i: int, node: Node, desk: Desk) -> Callable[..., Any]:
    """A body of the node's kind. Each waits, fails and emits as the node says."""

    def taken(x: Any, y: Any) -> tuple[tuple[str, str], ...]:
        given = [("x", x), ("y", y)]
        return tuple(
            (slot, one)
            for slot, value in given
            if value is not None
            for one in (value if isinstance(value, list) else [value])
        )

    def fails(act: Act) -> bool:
        whole = "".join(value for _, value in act.taken) or str(i)
        if node.fails == "once":
            return act.attempt == 1 and _chance(whole, 2)
        return node.fails == "all" or (node.fails == "some" and _chance(whole, 3))

    def fail(act: Act) -> None:
        if _chance(f"{i}{act.taken}", 4):
            raise SystemExit(f"n{i} wants out")
        raise ValueError(f"n{i} fails")

    def plain(self: Any, x: Any, y: Any) -> None:
        with desk.act(i, taken(x, y)) as act:
            if node.gate:
                desk.gate.ticket().result(GATE_LIMIT)
            if node.nap:
                self.sleep(0.001)
                self.checkpoint()
            for value in desk.children(i, act):
                desk.emit(self, act, i, value)
            if fails(act):
                fail(act)

    def generator(self: Any, x: Any, y: Any) -> Iterator[None]:
        with desk.act(i, taken(x, y)) as act:
            if node.gate:
                desk.gate.ticket().result(GATE_LIMIT)
            for value in desk.children(i, act):
                desk.emit(self, act, i, value)
                yield
            if fails(act):
                fail(act)

    async def coroutine(self: Any, x: Any, y: Any) -> None:
        with desk.act(i, taken(x, y)) as act:
            if node.gate:
                await asyncio.wrap_future(desk.gate.ticket())
            for value in desk.children(i, act):
                desk.emit(self, act, i, value)
                await asyncio.sleep(0.0005 if node.nap else 0)
            if fails(act):
                fail(act)

    return _taking(
        len(node.slots),
        {"plain": plain, "generator": generator, "async": coroutine}[node.body],
        node.body,
    )


def _taking(many: int, run: Callable[..., Any], body: str) -> Callable[..., Any]:
    """The body with one parameter per slot."""
    if body == "async":
        return _taking_async(many, run)
    if body == "generator":
        return _taking_generator(many, run)

    def none(self: Any) -> None:
        run(self, None, None)

    def one(self: Any, x: Any) -> None:
        run(self, x, None)

    def two(self: Any, x: Any = None, y: Any = None) -> None:
        run(self, x, y)

    return (none, one, two)[many]


def _taking_generator(many: int, run: Callable[..., Iterator[None]]) -> Callable[..., Any]:
    def none(self: Any) -> Iterator[None]:
        yield from run(self, None, None)

    def one(self: Any, x: Any) -> Iterator[None]:
        yield from run(self, x, None)

    def two(self: Any, x: Any = None, y: Any = None) -> Iterator[None]:
        yield from run(self, x, y)

    return (none, one, two)[many]


def _taking_async(many: int, run: Callable[..., Any]) -> Callable[..., Any]:
    async def none(self: Any) -> None:
        await run(self, None, None)

    async def one(self: Any, x: Any) -> None:
        await run(self, x, None)

    async def two(self: Any, x: Any = None, y: Any = None) -> None:
        await run(self, x, y)

    return (none, one, two)[many]
