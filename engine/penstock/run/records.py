"""The records of one job: its routines and their slots. Counters and queues are the core's alone.

Entries are ``(number, value)`` for one slot, ``(number, bound)`` for anything `matching` forms
and ``(number, None)`` for a source. The core fills `grant`; workers pop from it. What is bound
to no message, a generator to go on with or `finish`, lies apart in `suspended` and, granted, in
`continued`. This relies on the interpreter's ordering of attribute writes and on atomic deque
operations.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from penstock.flow import set_state
from penstock.run.emitters import UNLIMITED, CarefulEmitter, Emitter
from penstock.run.matching import Bound, Message, Rule, messages_in

if TYPE_CHECKING:
    from penstock.observe import ValueSummary
    from penstock.run.routing import EventPlan, RoutinePlan, SlotPlan
    from penstock.run.slices import LogRow, PlainToken, Report, Special, Token
    from penstock.run.timers import Timer

Entry = tuple[int, Any]
KEPT_VALUES = 5


class _Nothing(deque[Any]):
    """A queue that nothing may be put into: stands for one that isn't needed yet, or never."""

    def _refuse(self, *_: object) -> None:
        raise AssertionError("put into a queue that many share")

    append = appendleft = extend = extendleft = _refuse


# A job is light because its records share what they don't need.
_NO_ENTRIES: deque[Entry] = _Nothing()
_NO_SPECIALS: deque[Special] = _Nothing()
_NO_IDS: frozenset[int] = frozenset()
_NO_ATTEMPTS: dict[int, int] = {}
_NO_CLOCKS: dict[int, Timer] = {}


class Shell(Protocol):
    """What workers ask of the job they work for."""

    checks_types: bool

    @property
    def has_spares(self) -> bool:
        """Whether another worker takes the place of one that stands waiting."""

    def announce(self, run: RoutineRun) -> None:
        """A routine has news."""

    def wait_for_room(self, emitter: Emitter) -> None:
        """Called by a body that has emitted more than may wait: block until there is room."""

    def late(self, run: RoutineRun) -> None:
        """A body of an ended job has reported."""

    def refuse(self, error: BaseException) -> None:
        """The pool won't run a slice it was given."""

    def stand(self, token: Token, why: str, latch: LockType) -> None:
        """A body stands waiting behind `latch`."""

    def reserve(self, slots: Sequence[SlotQueue]) -> None:
        """Take a place in each slot, or raise SlotFull."""


class SlotQueue:
    """One slot of one routine in one job.

    `parked` holds (message, index of its producer) of what waits at the connections, `reserved`
    counts places promised to messages on their way, `posters` are posts that wait for room.
    """

    __slots__ = (
        "capacity", "consumed", "dead", "discarded", "dropped", "high_water", "index", "last",
        "name", "overflow", "parked", "posted", "posters", "producers", "ref", "reserved",
        "run", "skipped", "superseded", "type", "values",
    )  # fmt: skip

    def __init__(self, run: RoutineRun, index: int, plan: SlotPlan) -> None:
        self.run = run
        self.index = index
        self.name = plan.name
        self.ref = plan.ref
        self.type = plan.type
        self.capacity = plan.capacity
        self.overflow = plan.overflow
        self.producers = plan.producers
        self.parked: deque[tuple[Entry, int]] | None = None
        self.posted = self.consumed = self.dead = self.discarded = 0
        self.dropped = self.superseded = self.skipped = 0
        self.high_water = 0
        self.reserved = 0
        self.posters: deque[Poster] | None = None
        self.values: deque[tuple[int, float, ValueSummary]] | None = None
        self.last: Entry | None = None  # the message that `values` ends with

    def keep_waiting(self, poster: Poster) -> None:
        """A post waits for room from now on; under the job's lock."""
        if self.posters is None:
            self.posters = deque()
        self.posters.append(poster)
        self.run.is_awaited = True

    def depth(self) -> int:
        """Messages in the slot: waiting for others, ready, or granted and not begun.

        What is tried again has left the slot for good and takes no place.
        """
        run = self.run
        waiting = run.rule.depth(self.index) if run.rule is not None else 0
        if run.plan.is_uniform and not run.attempts:
            return waiting + len(run.ready) + len(run.grant)
        entries = [e for e in (*run.ready, *run.grant) if e[0] not in run.attempts]
        if run.plan.is_uniform:
            return waiting + len(entries)
        return waiting + sum(slot == self.index for e in entries for slot, _ in messages_in(e[1]))

    def free(self) -> int:
        """Places left for new messages; none while older ones wait at a connection."""
        if self.parked:
            return 0
        return UNLIMITED if self.run.skipping else self.room()

    def room(self) -> int:
        """Places that are neither taken nor promised, nor are to be kept for what comes back.

        While its routine is stopped, a worker that has just taken an entry reports it back. Where
        that would drop something else for it, it may be one too many instead.
        """
        room = self.capacity - self.depth() - self.reserved
        if self.run.stop and not self.overflow.startswith("drop"):
            room -= sum([token.undecided for token in self.run.tokens])
        return room

    def beyond(self) -> int:
        """How many may be emitted on top of what fits: one more capacity, less what is parked."""
        if self.run.skipping:
            return UNLIMITED
        return self.capacity + max(0, self.free()) - len(self.parked or ())


class Poster(Protocol):
    """A post that waits for room; the core sets `taken` when it takes the value in."""

    value: Any
    taken: bool
    latch: Any


class RoutineRun:
    """One routine in one job. `is_awaited`: somebody waits for room in one of its slots.

    `voice` is the only emitter its bodies have used, if there is such a one. Written by the core:
    everything but `stop` (also an emitter that overruns), `voice`, `dirty`, `reports`, `log`,
    `refused` and the state.
    """

    __slots__ = (
        "_state_lock", "activations", "attempts", "clocks", "continued", "dirty", "emitters",
        "failures", "grant", "id", "index", "instance", "is_awaited", "is_plain", "job", "job_id",
        "limit", "log", "next_at", "open", "over", "parked_out", "passed", "plan", "ready",
        "refused", "reports", "retrying", "revoked", "rule", "seconds", "shared", "single",
        "skipping", "slots", "state_missing", "stop", "stops", "suspended", "ticks", "timer",
        "timer_for", "tokens", "voice",
    )  # fmt: skip

    def __init__(
        self, plan: RoutinePlan, index: int, job_id: str, workers: int, job: Shell
    ) -> None:
        self.plan = plan
        self.index = index
        self.id = plan.id
        self.job_id = job_id
        self.job = job
        self.is_plain = plan.is_plain
        self.single = plan.is_single
        self.open = plan.is_single and not plan.one_by_one
        self.limit = workers if plan.max_parallel is None else plan.max_parallel
        self.grant: deque[Entry] = deque()
        self.tokens: dict[Token, None] = {}  # a set in order: what befalls them does so in turn
        self.reports: list[Report | PlainToken] = []
        self.instance: Any = None
        self.rule: Rule | None = None
        self.shared: list[tuple[Emitter, Any]] | None = None
        self.voice: Emitter | None = None
        self.log: deque[LogRow] | None = None
        self.timer: Timer | None = None
        self._state_lock: LockType | None = None
        self.ready = _NO_ENTRIES
        self.suspended = self.continued = _NO_SPECIALS
        self.attempts = _NO_ATTEMPTS
        self.clocks = _NO_CLOCKS
        self.stops: tuple[int, ...] = ()
        self.passed = _NO_IDS
        self.dirty = self.stop = self.over = self.skipping = self.is_awaited = False
        self.state_missing = False
        self.parked_out = self.retrying = self.ticks = self.timer_for = 0
        self.activations = self.failures = self.refused = self.revoked = 0
        self.next_at = self.seconds = 0.0
        if not plan.is_ordinary:
            self._prepare(plan)
        self.slots: tuple[SlotQueue, ...] = ()
        if plan.is_single:
            self.slots = (SlotQueue(self, 0, plan.slots[0]),)
        elif plan.slots:
            self.slots = tuple([SlotQueue(self, i, slot) for i, slot in enumerate(plan.slots)])
        self.emitters: tuple[Emitter, ...] = ()
        if plan.only_event is not None:
            self.voice = emitter = self._emitter(plan.only_event)
            self.emitters = (emitter,)
        elif plan.made:
            self.emitters = tuple([self._emitter(event) for event in plan.made])
            if plan.is_plain and len(plan.events) == 2:
                self.voice = self.emitters[0]

    def _prepare(self, plan: RoutinePlan) -> None:
        """Make the records that most routines don't need."""
        if len(plan.events) > 2:  # besides `failed`
            self.shared = []
        if plan.make_rule is not None:
            self.rule = plan.make_rule()
        if plan.is_async and plan.max_parallel is None:
            self.limit = UNLIMITED
        if plan.may_stand:
            self.suspended, self.continued = deque(), deque()
        if plan.keeps_back:
            self.attempts = {}
        if plan.timeout is not None:
            self.clocks = {}
        if plan.has_state:
            self.state_missing = True
            self._state_lock = allocate_lock()

    def _emitter(self, plan: EventPlan) -> Emitter:
        kind = CarefulEmitter if self.job.checks_types else plan.kind
        return kind(self, plan)

    @property
    def failed(self) -> Emitter:
        """The emitter of its failures, made when it is first needed; under the job's lock."""
        last = len(self.plan.events) - 1
        if len(self.emitters) == last:
            self.emitters = (*self.emitters, self._emitter(self.plan.events[last]))
            if self.over:
                self.emitters[last].run = None
        return self.emitters[last]

    @property
    def waiting(self) -> deque[Entry]:
        """`ready`, to put something into."""
        if self.ready is _NO_ENTRIES:
            self.ready = deque()
        return self.ready

    def announce(self) -> None:
        """Tell the job's loop that there is news; once until it has looked."""
        if not self.dirty:
            self.dirty = True
            self.job.announce(self)

    def bodies(self) -> int:
        """How many of its bodies have begun and not ended, as far as was reported."""
        standing = sum(item.begun for item in self.suspended)
        return standing + self.retrying + sum(token.begun is not None for token in self.tokens)

    def may_begin(self) -> bool:
        """Whether something is ready that may start or go on now."""
        if self.parked_out:
            return False
        return bool(self.suspended) or (bool(self.ready) and self.bodies() < self.limit)

    def next_entry(self) -> Entry:
        """What would be taken first of what is ready; nothing passes over what is tried again."""
        passes = self.plan.takes_latest and self.ready[0][0] not in self.attempts
        return self.ready[-1] if passes else self.ready[0]

    def next_number(self) -> int:
        """The number of what would start next; of `UNLIMITED` when there is nothing."""
        special = self.suspended[0].number if self.suspended else UNLIMITED
        if self.ready and self.bodies() < self.limit:
            return min(special, self.next_entry()[0])
        return special

    def call(self, entry: Entry) -> Any:
        """Call `logic` with the values of an entry, by position and by name as it takes them."""
        if not self.slots:
            return self.instance.logic()
        values = self.values_of(entry)
        plan = self.plan
        if len(values) < len(self.slots):
            return self.instance.logic(
                **values
            )  # the rule passes some slots only; the rest have defaults
        return self.instance.logic(
            *[values[name] for name in plan.positional],
            **{name: values[name] for name in plan.keyword},
        )

    def bound_to(self, entry: Entry) -> Iterator[tuple[SlotQueue, Message]]:
        """The messages an activation is bound to, with their slots."""
        if self.single:
            yield self.slots[0], entry
        elif self.slots and entry[1] is not None:
            for slot, message in messages_in(entry[1]):
                yield self.slots[slot], message

    def values_of(self, entry: Entry) -> dict[str, Any]:
        """Slot name -> value of the activation; a list where the rule takes several."""
        if self.single:
            return {self.slots[0].name: entry[1]}
        bound: Bound = entry[1] if self.slots and entry[1] is not None else ()
        return {
            slot.name: item[1] if isinstance(item, tuple) else [message[1] for message in item]
            for slot, item in zip(self.slots, bound, strict=False)
            if item is not None
        }

    def count_done(self, report: Report | PlainToken) -> None:
        """Count the messages of activations that have ended well as consumed."""
        if self.plan.is_uniform:
            for slot in self.slots:
                slot.consumed += report.done
            return
        for entry in report.entries:
            for slot, _ in self.bound_to(entry):
                slot.consumed += 1

    def pop_any(self) -> Entry | Special | None:
        """The next thing to run: what has begun or finishes goes first."""
        for queue in (self.continued, self.grant):
            try:
                return queue.popleft()
            except IndexError:
                continue
        return None

    def make_state(self) -> None:
        """Make ``State()`` once, on the first worker that needs it; others wait for it.

        Guards: `state_missing`. Held while the user's ``State()`` runs, which nobody else may
        overtake anyway.
        """
        if self._state_lock is None:
            return
        with self._state_lock:
            if self.state_missing:
                set_state(self.instance, self.instance.State())
                self.state_missing = False


def count_failure(run: RoutineRun, entry: Entry, in_finish: bool, fate: str) -> None:
    """Count an activation that raised and what became of its messages.

    `fate` is consumed, dead, or "" for messages that are tried again.
    """
    run.failures += 1
    run.activations += not in_finish  # the turn of `finish` is counted when it is reported
    if fate and not in_finish:
        for slot, _ in run.bound_to(entry):
            slot.consumed += fate == "consumed"
            slot.dead += fate == "dead"
