"""Small flows of every shape, run under every choice the engine offers, and what must hold.

Each value is a path: where it began, and the routines it went through. So all are different, and
where a value came from can be read off it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, cast

from penstock import Continue, Event, Flow, JobState, JobStatus, Routine, Runtime, Slot, Stop
from penstock.observe import Instrument, JobEnded, MessageDropped, SlotCount, Stalled
from penstock.run.messages import StallChoice

DEADLINE = 20.0
SEEDS = 12
BRANCHES = 3
ROUNDS = 3

OPTIONS: dict[str, tuple[Any, ...]] = {
    "shape": (
        "chain",
        "fan_in",
        "fan_out",
        "diamond",
        "lopsided",
        "self_loop",
        "two_cycle",
        "three_cycle",
    ),
    "pool": (1, 2, 4, 8),
    "capacity": (1, 2, 8),
    "overflow": ("hold", "drop_oldest", "drop_newest", "fail"),
    "loop": ("thread", "pool"),
    "remedy": ("grow", "drop", "cancel"),
    "body": ("plain", "generator", "async"),
    "parallel": (1, 2, None),
    "on_error": ("continue", "stop"),
    "threads": ("own", "foreign"),
}


@dataclass(frozen=True)
class Case:
    """One flow under one choice of everything. `remedy` is what is done about a stall."""

    shape: str
    pool: int
    capacity: int
    overflow: Any
    loop: Literal["thread", "pool"]
    remedy: str
    body: str = "plain"
    parallel: int | None = 1
    on_error: str = "continue"
    threads: str = "own"

    @property
    def is_cyclic(self) -> bool:
        return self.shape in ("self_loop", "two_cycle", "three_cycle")

    @property
    def keeps_order(self) -> bool:
        return self.parallel == 1


@dataclass
class Outcome:
    """How a case went."""

    status: JobStatus
    stalls: int
    messages: int


# ---- the shapes: routine -> (what it does, its slots), and connections


@dataclass(frozen=True)
class Shape:
    routines: Mapping[str, tuple[str, tuple[str, ...]]]
    links: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)


def _cycle(*ids: str) -> Shape:
    routines = {one: ("spread" if i == 0 else "pass", ("x",)) for i, one in enumerate(ids)}
    around = [f"{one}.out -> {other}.x" for one, other in zip(ids, (*ids[1:], ids[0]), strict=True)]
    return Shape(routines, tuple(around), {f"{ids[0]}.x": "p"})


def _diamond(right: str) -> Shape:
    return Shape(
        {
            "s": ("source", ()),
            "left": ("pass", ("x",)),
            "right": (right, ("x",)),
            "join": ("join", ("a", "b")),
            "z": ("sink", ("x",)),
        },
        (
            "s.out -> left.x",
            "s.out -> right.x",
            "left.out -> join.a",
            "right.out -> join.b",
            "join.out -> z.x",
        ),
    )


SHAPES: dict[str, Shape] = {
    "chain": Shape(
        {
            "s": ("source", ()),
            "a": ("pass", ("x",)),
            "b": ("pass", ("x",)),
            "z": ("sink", ("x",)),
        },
        ("s.out -> a.x", "a.out -> b.x", "b.out -> z.x"),
    ),
    "fan_in": Shape(
        {
            "s": ("source", ()),
            "t": ("source", ()),
            "u": ("source", ()),
            "z": ("sink", ("x",)),
        },
        ("s.out -> z.x", "t.out -> z.x", "u.out -> z.x"),
    ),
    "fan_out": Shape(
        {
            "s": ("source", ()),
            "x": ("sink", ("x",)),
            "y": ("sink", ("x",)),
            "z": ("sink", ("x",)),
        },
        ("s.out -> x.x", "s.out -> y.x", "s.out -> z.x"),
    ),
    "diamond": _diamond("pass"),
    "lopsided": _diamond("half"),
    "self_loop": _cycle("a"),
    "two_cycle": _cycle("a", "b"),
    "three_cycle": _cycle("a", "b", "c"),
}


def children(routine: str, does: str, values: tuple[str, ...]) -> list[str]:
    """What an activation emits. Pure: the reference run and the bodies both ask it."""
    if does == "source":
        return [f"{routine}{i}" for i in range(SEEDS)]
    whole = "+".join(values)
    if does == "spread":
        rounds = whole.count(f".{routine}")
        return [f"{whole}.{routine}{i}" for i in range(BRANCHES if rounds < ROUNDS else 0)]
    if does == "sink" or (does == "half" and int(values[0][1:].partition(".")[0]) % 2):
        return []
    return [f"{whole}.{routine}"]


def reference(shape: Shape) -> dict[str, Counter[str]]:
    """Slot -> all values that reach it when nothing is dropped; by hand, in order."""
    reached: dict[str, list[str]] = {
        f"{name}.{slot}": [] for name, (_, slots) in shape.routines.items() for slot in slots
    }
    waiting: dict[str, list[str]] = {ref: [] for ref in reached}
    targets: dict[str, list[str]] = {}
    for link in shape.links:
        event, slot = link.split(" -> ")
        targets.setdefault(event, []).append(slot)

    def send(routine: str, does: str, values: tuple[str, ...]) -> None:
        for value in children(routine, does, values):
            for ref in targets.get(f"{routine}.out", ()):
                arrive(ref, value)

    def arrive(ref: str, value: str) -> None:
        reached[ref].append(value)
        waiting[ref].append(value)
        routine = ref.partition(".")[0]
        does, slots = shape.routines[routine]
        queues = [waiting[f"{routine}.{slot}"] for slot in slots]
        if all(queues):
            send(routine, does, tuple(queue.pop(0) for queue in queues))

    for ref, value in shape.params.items():
        arrive(ref, value)
    for name, (does, slots) in shape.routines.items():
        if not slots:
            send(name, does, ())
    return {ref: Counter(values) for ref, values in reached.items()}


# ---- the flow, and what its bodies note


class Notes:
    """What bodies took, emitted and how many of them ran at once. `lock` guards all of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken: dict[str, list[str]] = {}
        self.emitted: dict[str, list[str]] = {}
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def took(self, routine: str, slots: tuple[str, ...], values: tuple[str, ...]) -> None:
        with self.lock:
            for slot, value in zip(slots, values, strict=True):
                self.taken.setdefault(f"{routine}.{slot}", []).append(value)
            self.inside[routine] += 1
            self.most[routine] = max(self.most[routine], self.inside[routine])

    def sent(self, routine: str, value: str) -> None:
        with self.lock:
            self.emitted.setdefault(routine, []).append(value)

    def done(self, routine: str) -> None:
        with self.lock:
            self.inside[routine] -= 1

    def copy(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        with self.lock:
            return (
                {ref: list(values) for ref, values in self.taken.items()},
                {routine: list(values) for routine, values in self.emitted.items()},
            )


def build(case: Case, notes: Notes) -> Flow:
    """The flow of a case; its bodies write into `notes`."""
    shape = SHAPES[case.shape]
    flow = Flow(case.shape)
    for routine, (does, slots) in shape.routines.items():
        ports: dict[str, Any] = {
            name: Slot(str, capacity=case.capacity, overflow=case.overflow) for name in slots
        }
        ports["out"] = Event(str)
        ports["logic"] = _logic(case.body, routine, does, slots, notes)
        ports["max_parallel"] = case.parallel
        ports["on_error"] = Continue() if case.on_error == "continue" else Stop()
        flow.add(routine, type("Made", (Routine,), ports)())
    for link in shape.links:
        event, slot = link.split(" -> ")
        flow.connect(event, slot)
    return flow


def _logic(
    body: str, routine: str, does: str, slots: tuple[str, ...], notes: Notes
) -> Callable[..., Any]:
    """A body of that kind, with one parameter per slot."""

    def plain(self: Any, values: tuple[str, ...]) -> None:
        notes.took(routine, slots, values)
        try:
            for value in children(routine, does, values):
                self.out.emit(value)
                notes.sent(routine, value)
        finally:
            notes.done(routine)

    def generator(self: Any, values: tuple[str, ...]) -> Iterator[None]:
        notes.took(routine, slots, values)
        try:
            for value in children(routine, does, values):
                self.out.emit(value)
                notes.sent(routine, value)
                yield
        finally:
            notes.done(routine)

    async def coroutine(self: Any, values: tuple[str, ...]) -> None:
        notes.took(routine, slots, values)
        try:
            for value in children(routine, does, values):
                await asyncio.sleep(0)
                self.out.emit(value)
                notes.sent(routine, value)
        finally:
            notes.done(routine)

    made: Callable[..., Any] = _WITH_PARAMETERS[body, slots](
        {"plain": plain, "generator": generator, "async": coroutine}[body]
    )
    return made


def _plain_0(run: Callable[..., None]) -> Callable[..., Any]:
    def logic(self: Any) -> None:
        run(self, ())

    return logic


def _plain_1(run: Callable[..., None]) -> Callable[..., Any]:
    def logic(self: Any, x: str) -> None:
        run(self, (x,))

    return logic


def _plain_2(run: Callable[..., None]) -> Callable[..., Any]:
    def logic(self: Any, a: str, b: str) -> None:
        run(self, (a, b))

    return logic


def _generator_0(run: Callable[..., Iterator[None]]) -> Callable[..., Any]:
    def logic(self: Any) -> Iterator[None]:
        yield from run(self, ())

    return logic


def _generator_1(run: Callable[..., Iterator[None]]) -> Callable[..., Any]:
    def logic(self: Any, x: str) -> Iterator[None]:
        yield from run(self, (x,))

    return logic


def _generator_2(run: Callable[..., Iterator[None]]) -> Callable[..., Any]:
    def logic(self: Any, a: str, b: str) -> Iterator[None]:
        yield from run(self, (a, b))

    return logic


def _async_0(run: Callable[..., Any]) -> Callable[..., Any]:
    async def logic(self: Any) -> None:
        await run(self, ())

    return logic


def _async_1(run: Callable[..., Any]) -> Callable[..., Any]:
    async def logic(self: Any, x: str) -> None:
        await run(self, (x,))

    return logic


def _async_2(run: Callable[..., Any]) -> Callable[..., Any]:
    async def logic(self: Any, a: str, b: str) -> None:
        await run(self, (a, b))

    return logic


_WITH_PARAMETERS: dict[tuple[str, tuple[str, ...]], Callable[..., Any]] = {
    ("plain", ()): _plain_0,
    ("plain", ("x",)): _plain_1,
    ("plain", ("a", "b")): _plain_2,
    ("generator", ()): _generator_0,
    ("generator", ("x",)): _generator_1,
    ("generator", ("a", "b")): _generator_2,
    ("async", ()): _async_0,
    ("async", ("x",)): _async_1,
    ("async", ("a", "b")): _async_2,
}


# ---- running a case


class Watch(Instrument):
    """Waits for the end or a stall, and counts what was dropped."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.stalls: list[Stalled] = []
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.ended = False

    def on_stalled(self, event: Stalled) -> None:
        with self._changed:
            self.stalls.append(event)
            self._changed.notify_all()

    def on_message_dropped(self, event: MessageDropped) -> None:
        self.dropped[event.slot, event.reason] += 1

    def on_job_ended(self, event: JobEnded) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait(self, stalls: int) -> bool:
        """Until the job has ended or that many stalls were told; False when neither comes."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.ended or len(self.stalls) >= stalls, DEADLINE
            )


def run(case: Case) -> Outcome:
    """Run the case to its end, helping it over each stall; raises AssertionError with the case."""
    notes, watch = Notes(), Watch()
    with ExitStack() as stack:
        foreign = None
        if case.threads == "foreign":
            foreign = stack.enter_context(ThreadPoolExecutor(case.pool))
        runtime = stack.enter_context(
            Runtime(workers=case.pool, thread_pool=foreign, loop=case.loop, instruments=[watch])
        )
        job = runtime.exec(build(case, notes), entry_params=dict(SHAPES[case.shape].params))
        _to_the_end(case, runtime, job, watch)
        assert job.wait(DEADLINE).is_final, f"wait() hangs after the end: {case}"
    _check(case, job, notes, watch)
    messages = sum(slot.posted for row in job.routines.values() for slot in row.slots.values())
    return Outcome(job.status, len(watch.stalls), messages)


def _to_the_end(case: Case, runtime: Runtime, job: JobState, watch: Watch) -> None:
    limit = monotonic() + 3 * DEADLINE
    for stalls in range(1, 10_000):
        assert watch.wait(stalls), f"hangs: {case}\n{job.snapshot()}\n{runtime.statistics()}"
        assert monotonic() < limit, f"{stalls} stalls and no end: {case}\n{job.snapshot()}"
        if watch.ended:
            return
        _check_stall(case, job, watch.stalls[-1])
        runtime.jobs.unstall(job.id, cast("StallChoice", case.remedy))


def _check_stall(case: Case, job: JobState, told: Stalled) -> None:
    """A stall names exactly the slots that are full with something parked at them."""
    where = f"{case}\n{told}\n{job.snapshot()}"
    assert job.stalled == told.slots, where
    assert told.slots, where
    assert job.status is JobStatus.RUNNING, where
    shape = SHAPES[case.shape]
    full = set()
    for name, row in job.routines.items():
        for slot_name, slot in row.slots.items():
            if slot.queued > slot.depth:
                full.add(f"{name}.{slot_name}")
                assert slot.depth >= slot.capacity, where
    assert set(told.slots) == full, where
    into = {
        event.partition(".")[0]
        for event, slot in (link.split(" -> ") for link in shape.links)
        if slot in full
    }
    assert told.routines, where
    assert set(told.routines) <= into, where


def _check(case: Case, job: JobState, notes: Notes, watch: Watch) -> None:
    """Everything that must hold after the end."""
    taken, emitted = notes.copy()
    where = f"{case}\n{job.snapshot()}\ntaken {taken}\nemitted {emitted}\ntold {watch.stalls}"
    assert job.stalled == (), where
    _check_status(case, job, watch, where)
    for name, row in job.routines.items():
        limit = case.pool if case.parallel is None else case.parallel
        if not (case.parallel is None and case.body == "async"):
            assert notes.most[name] <= limit, where
        for slot_name, slot in row.slots.items():
            ref = f"{name}.{slot_name}"
            _check_slot(case, job, ref, slot, taken.get(ref, []), watch, where)
            if case.keeps_order:
                _check_order(case, ref, taken.get(ref, []), emitted, where)
    if job.status is JobStatus.COMPLETED:
        _check_all(case, job, taken, emitted, watch, where)


def _check_status(case: Case, job: JobState, watch: Watch, where: str) -> None:
    is_cancelled = bool(watch.stalls) and case.remedy == "cancel"
    if is_cancelled:
        assert job.status is JobStatus.CANCELLED, where
    elif case.overflow == "fail" and case.on_error == "stop" and job.error is not None:
        assert job.status is JobStatus.FAILED, where
        assert job.error.type == "SlotFull", where
    else:
        assert job.status is JobStatus.COMPLETED, where
    if case.overflow != "hold" or not (case.is_cyclic or case.shape == "lopsided"):
        assert not watch.stalls, where
    if case.overflow != "fail":
        assert not job.dead_letters, where
    assert all(failure.type == "SlotFull" for failure in job.dead_letters), where


def _check_slot(
    case: Case,
    job: JobState,
    ref: str,
    slot: SlotCount,
    taken: list[str],
    watch: Watch,
    where: str,
) -> None:
    where = f"{ref} {slot}\n{where}"
    assert slot.posted == (
        slot.consumed
        + slot.queued
        + slot.in_flight
        + slot.dropped
        + slot.superseded
        + slot.dead
        + slot.skipped
        + slot.discarded
    ), where
    assert slot.high_water <= slot.capacity, where
    assert len(set(taken)) == len(taken), where
    assert slot.consumed + slot.dead <= len(taken), where
    if case.remedy != "grow":
        assert slot.capacity == case.capacity, where
    reason = "stall" if case.overflow == "hold" else case.overflow
    told = {kind: many for (at, kind), many in watch.dropped.items() if at == ref}
    assert told == ({reason: slot.dropped} if slot.dropped else {}), where
    if job.status is JobStatus.COMPLETED:
        assert slot.queued == slot.in_flight == slot.depth == 0, where
        assert slot.consumed + slot.dead == len(taken), where


def _check_order(
    case: Case, ref: str, taken: list[str], emitted: Mapping[str, list[str]], where: str
) -> None:
    """What came over one connection was taken in the order in which it was emitted."""
    for link in SHAPES[case.shape].links:
        event, slot = link.split(" -> ")
        if slot == ref:
            order = {value: i for i, value in enumerate(emitted.get(event.partition(".")[0], ()))}
            places = [order[value] for value in taken if value in order]
            assert places == sorted(places), f"{link} out of order\n{where}"


def _check_all(
    case: Case,
    job: JobState,
    taken: Mapping[str, list[str]],
    emitted: Mapping[str, list[str]],
    watch: Watch,
    where: str,
) -> None:
    """A completed job: what was emitted arrived, and without drops all that could be emitted."""
    shape = SHAPES[case.shape]
    sent: dict[str, Counter[str]] = {ref: Counter([v]) for ref, v in shape.params.items()}
    for link in shape.links:
        event, ref = link.split(" -> ")
        sent.setdefault(ref, Counter()).update(emitted.get(event.partition(".")[0], ()))
    loses_nothing = case.overflow == "hold" and not (case.remedy == "drop" and watch.stalls)
    wanted = reference(shape)
    for ref, slot in (
        (f"{name}.{slot_name}", slot)
        for name, row in job.routines.items()
        for slot_name, slot in row.slots.items()
    ):
        there = f"{ref}\n{where}"
        assert slot.posted == sent.get(ref, Counter()).total(), there
        assert not Counter(taken.get(ref, ())) - sent.get(ref, Counter()), there
        if loses_nothing:
            assert slot.posted == wanted[ref].total(), there
            assert slot.dropped == slot.dead == slot.skipped == slot.superseded == 0, there
            if case.keeps_order or "+" not in "".join(wanted[ref]):
                assert sent[ref] == wanted[ref], there
        if case.shape not in ("diamond", "lopsided"):
            assert slot.discarded == 0, there
