"""A job without threads: the test feeds its core and runs its tokens by hand, one at a time."""

from __future__ import annotations

import asyncio
from _thread import LockType
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, ClassVar, TypeVar
from unittest.mock import patch

from helpers.flows import flow_of
from penstock import Cancelled, Flow, Routine, SlotFull
from penstock.flow import bind
from penstock.observe import EVENT_TYPES, EngineEvent, JobHeld, RoutineCount, SlotCount
from penstock.run import slices
from penstock.run.core import JobCore
from penstock.run.counting import count_routine
from penstock.run.emitters import Emitter, local
from penstock.run.instructions import Instructions, Wants
from penstock.run.messages import Close, Message, Posted, Resize, Start, Tick, Unstall
from penstock.run.records import RoutineRun, SlotQueue
from penstock.run.routing import compile_flow
from penstock.run.slices import PlainToken, Suspended, Token

AnyEvent = TypeVar("AnyEvent", bound=EngineEvent)


class _Worker:
    """Stands for a pool thread: slices ask only for its name."""

    name = "by-hand"


class _Binding:
    """What bodies ask of their job."""

    def __init__(self, driven: Driven) -> None:
        self._driven = driven

    @property
    def cancelled(self) -> bool:
        return self._driven.core.status.is_final

    def checkpoint(self) -> None:
        if self.cancelled:
            raise Cancelled("over")

    def sleep(self, seconds: float) -> None:
        self.checkpoint()

    def late_emitter(self, routine: Routine, event: str) -> Emitter:
        run = next(run for run in self._driven.core.runs if run.instance is routine)
        object.__setattr__(routine, event, run.failed)
        return run.failed


class Driven:
    """The core of one job. `tokens` are those the pool would have, `inbox` what was announced.

    It stands for the job's shell too: a body that would wait for room goes on, and its event is
    in `overran`; or it stands there while `meanwhile` goes on, if that is set. `time` is the wall
    clock; each batch fed takes a second of it. Nobody listens to events that it is `deaf_to`.
    """

    def __init__(
        self,
        flow: Flow,
        workers: int = 4,
        values: bool = False,
        checks_types: bool = False,
        deaf_to: tuple[type[EngineEvent], ...] = (),
    ) -> None:
        self.checks_types = checks_types
        self.has_spares = True
        self.overran: list[str] = []
        self.inbox: deque[RoutineRun] = deque()
        self.tokens: list[Token] = []
        self.events: list[EngineEvent] = []
        self.closing: list[Any] = []
        self.leaving: list[Token] = []
        self.wakes: list[LockType] = []
        self.meanwhile: Callable[[], object] | None = None
        self._mark_hooks: dict[str, Callable[[], object]] = {}
        self.generations = count(1000)
        self.time = 0.0
        self.resized = False
        plan = compile_flow(flow)
        wants = Wants(frozenset(EVENT_TYPES).difference(deaf_to), values)
        self.core = JobCore("j", plan, workers, self, wants, self.generations, lambda: 0.5)
        for run in self.core.runs:
            run.instance = bind(run.plan.routine, run.emitters, _Binding(self))
            run.log = deque()

    # ---- what its workers ask for

    def announce(self, run: RoutineRun) -> None:
        self.inbox.append(run)

    def wait_for_room(self, emitter: Emitter) -> None:
        self.overran.append(emitter.ref)
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            self.stand_at("emit", act)

    def stand_at(self, why: str, meanwhile: Callable[[], object]) -> bool:
        """Called by a body: it stands, while others go on; whether it was woken by then."""
        token = local.token
        assert token is not None
        latch = token.closed_latch()
        token.parked_at = why
        self.core.somebody_stands = True
        token.limit = 0
        token.run_.announce()
        meanwhile()
        return any(one is latch for one in self.wakes)

    def late(self, run: RoutineRun) -> None:
        self.core.take_late(run)

    def refuse(self, error: BaseException) -> None:
        raise AssertionError("nothing is refused here")

    def stand(self, token: Token, why: str, latch: object) -> None:
        raise AssertionError("nobody waits here")

    def reserve(self, slots: Sequence[SlotQueue]) -> None:
        for slot in slots:
            if slot.free() <= 0:
                raise SlotFull(f"{slot.ref} is full", port=slot.ref)
        for slot in slots:
            slot.reserved += 1

    # ---- feeding

    def start(self, stops: dict[str, tuple[int, ...]] | None = None, **params: Any) -> Instructions:
        """Begin; parameters are written ``routine__slot``."""
        given = tuple((name.replace("__", "."), value) for name, value in params.items())
        return self.feed(Start(given, stops=stops or {}))

    def feed(self, *messages: Message | RoutineRun) -> Instructions:
        """One batch, then the core's last look, as the loop does."""
        for message in messages:
            self.time += 1.0
            self.resized |= isinstance(message, Resize | Unstall)
            self.core.handle(message, self.time)
        self.core.tell.begin(self.time)
        if not self.inbox:
            self.core.settle()
        return self._take()

    def pass_time(self, seconds: float) -> Instructions:
        """Let the clock go on by so much, and what is due happen."""
        self.time += seconds - 1.0
        return self.feed(Tick())

    def news(self) -> Instructions:
        """Feed everything that was announced as one batch."""
        batch = [self.inbox.popleft() for _ in range(len(self.inbox))]
        return self.feed(*batch)

    def post(self, ref: str, *values: Any) -> Instructions:
        """Messages from outside, their places reserved as `Runtime.post` does."""
        slot = self.slot(ref)
        messages = []
        for value in values:
            assert slot.free() > 0
            slot.reserved += 1
            messages.append(Posted(slot, value))
        return self.feed(*messages)

    def _take(self) -> Instructions:
        out = self.core.taken()
        self.tokens += [*out.tokens, *out.rare.coroutines]
        self.events += out.events
        self.closing += [body for _, body in out.rare.bodies]
        self.leaving += out.rare.leaving
        self.wakes += out.rare.wakes
        return out

    # ---- running

    def run(self, routine: str | None = None) -> Token:
        """Run the oldest token (of a routine) on this thread; its news stay in the inbox."""
        token = next(t for t in self.tokens if routine in (None, t.routine))
        self.tokens.remove(token)
        act = self._mark_hooks.pop(token.routine, None)
        if act is not None:
            _HookedToken.hooks[id(token)] = act
            token.__class__ = _HookedPlain if isinstance(token, PlainToken) else _HookedToken
        outer = local.token  # a body may run another one here, as on another thread
        try:
            with patch.object(slices, "SLICE_SECONDS", 3600.0):  # no slice ends for want of time
                self._run(token)
        finally:
            local.token = outer
        return token

    def _run(self, token: Token) -> None:
        if token.run_.plan.is_async and not token.run_.continued:
            asyncio.run(token.run_async(_Worker()))
        else:
            token.run(_Worker())

    def work(self, limit: int = 100_000) -> Driven:
        """Run tokens and feed news, the oldest first, until nothing is left to do."""
        for _ in range(limit):
            if self.inbox:
                self.news()
            elif self.tokens:
                self.run()
            else:
                self.check()
                return self
        raise AssertionError(f"still at work after {limit} steps")

    # ---- looking

    @property
    def status(self) -> str:
        return self.core.status.value

    @property
    def outputs(self) -> dict[str, list[Any]]:
        emitters = [emitter for run in self.core.runs for emitter in run.emitters]
        return {e.ref: list(e.outputs) for e in emitters if e.outputs is not None}

    def slot(self, ref: str) -> SlotQueue:
        routine, _, name = ref.partition(".")
        return next(s for s in self.core.by_id[routine].slots if s.name == name)

    def count(self, routine: str) -> RoutineCount:
        return count_routine(self.core, self.core.by_id[routine])

    def slot_count(self, ref: str) -> SlotCount:
        routine, _, name = ref.partition(".")
        return self.count(routine).slots[name]

    def of(self, kind: type[AnyEvent]) -> list[AnyEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def held(self) -> JobHeld:
        """The newest hold that was told."""
        return self.of(JobHeld)[-1]

    def check(self) -> None:
        """At a quiet point each message is somewhere, and in flight only in begun generators."""
        assert not self.inbox
        assert not self.tokens
        for run in self.core.runs:
            begun = sum(isinstance(i, Suspended) for i in (*run.suspended, *run.continued))
            waiting = (*run.ready, *run.grant)
            begun += run.retrying + sum(entry[0] in run.attempts for entry in waiting)
            for slot in run.slots:
                count = self.count(run.id).slots[slot.name]
                check_slot(slot.ref, count, begun, is_bounded=not self.resized)

    def hook_pop(self, routine: str, act: Callable[[], object], queue: str = "grant") -> None:
        """Do something once in the moment between a worker's taking an entry and its mark."""
        run = self.core.by_id[routine]
        setattr(run, queue, _Hooked(getattr(run, queue), act))

    def hook_recall(self, routine: str, act: Callable[[], object], queue: str = "grant") -> None:
        """Do something once in the moment in which the core takes back what nobody has popped."""
        run = self.core.by_id[routine]
        setattr(run, queue, _HookedRecall(getattr(run, queue), act))

    def hook_report(self, routine: str, act: Callable[[], object]) -> None:
        """Do something once right before a worker hands in its report."""
        run = self.core.by_id[routine]
        run.reports = _HookedReports(run.reports, act)

    def hook_mark(self, routine: str, act: Callable[[], object]) -> None:
        """Do something once between a worker's writing its mark and its reading `stop`."""
        self._mark_hooks[routine] = act


def kept_open(made: Routine | Flow, **options: Any) -> Driven:
    """A started job that waits for posts, of a flow or of one routine ``a``."""
    job = Driven(made if isinstance(made, Flow) else flow_of({"a": made}), **options)
    job.feed(Start(keep_open=True))
    return job


def closed(job: Driven) -> Driven:
    """The job, worked off to its end."""
    job.feed(Close())
    job.work()
    assert job.status == "COMPLETED"
    return job


class _Acting(deque[Any]):
    """A queue that does something once."""

    def __init__(self, items: Iterable[Any], act: Callable[[], object]) -> None:
        super().__init__(items)
        self._act: Callable[[], object] | None = act

    def _do(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()


class _Hooked(_Acting):
    def popleft(self) -> Any:
        item = super().popleft()
        self._do()
        return item


class _HookedRecall(_Acting):
    def pop(self) -> Any:  # type: ignore[override]  # as deque.pop
        self._do()
        return super().pop()


class _HookedReports(list[Any]):
    def __init__(self, items: Iterable[Any], act: Callable[[], object]) -> None:
        super().__init__(items)
        self._act: Callable[[], object] | None = act

    def append(self, item: Any) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()
        super().append(item)


class _HookedToken(Token):
    __slots__ = ()
    hooks: ClassVar[dict[int, Callable[[], object]]] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "mark" and value is not None and (act := self.hooks.pop(id(self), None)):
            act()


class _HookedPlain(_HookedToken, PlainToken):
    __slots__ = ()


def check_slot(ref: str, slot: SlotCount, in_flight: int = 0, is_bounded: bool = True) -> None:
    """Nothing is lost or doubled: `posted` is the sum, and no more is in flight than told."""
    lost = slot.dropped + slot.superseded + slot.skipped + slot.discarded
    somewhere = slot.consumed + slot.queued + slot.dead + lost
    assert slot.posted == somewhere + slot.in_flight, (ref, slot)
    assert slot.in_flight == in_flight, (ref, slot)
    assert slot.depth <= slot.queued, (ref, slot)
    assert slot.high_water <= slot.capacity or not is_bounded, (ref, slot)
