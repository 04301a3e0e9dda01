"""What a worker runs: slices of activations of one routine, and the emitters its bodies use.

The core fills a routine's `grant`; a worker holding one of its *tokens* pops entries from it and
runs `logic`, until the grant is empty, `SLICE` activations or `SLICE_SECONDS` are over, `stop` is
set, or one raises. Only the core writes counters and queues; a worker writes its token, appends
to `pending`, `log` and `reports`, and announces the routine in the job's inbox.

Entries are ``(number, value)`` for one slot, ``(number, (message, …))`` for several and
``(number, None)`` for a source. What is bound to no message, a generator to go on with or
`finish`, lies apart in `suspended` and, granted, in `continued`. This relies on the interpreter's
ordering of attribute writes and on atomic deque operations.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.errors import Cancelled, EmitOutsideActivation
from penstock.flow import Failure, set_state
from penstock.run.failures import failure_of

if TYPE_CHECKING:
    from penstock.observe import ValueSummary
    from penstock.run.matching import InOrder, KeyedQueues
    from penstock.run.pool import Worker
    from penstock.run.routing import RoutinePlan

_log = logging.getLogger(__name__)

SLICE = 256
SLICE_SECONDS = 0.001
UNLIMITED = 1 << 60
KEPT_VALUES = 5

Entry = tuple[int, Any]
LogRow = tuple["Token", Entry, float | None, str]
"""One begin (None) or end (seconds) of an activation, and its thread, for instruments."""


class Local(threading.local):
    """The routine-of-a-job whose slice this thread runs, if any."""

    run: RoutineRun | None = None


local = Local()


class Suspended(NamedTuple):
    """A generator that stands at a bare ``yield``. `number` is when it became ready again."""

    number: int
    entry: Entry
    body: Generator[Any, Any, Any]


class Finish(NamedTuple):
    """The turn of the routine's `finish`."""

    number: int
    entry: Entry


Special = Suspended | Finish


class Report(NamedTuple):
    """What became of one slice."""

    token: Token
    done: int
    seconds: float
    thread: str
    failed: tuple[Entry, Failure] | None = None
    returned: Entry | Special | None = None
    suspended: Suspended | None = None
    finished: bool = False


class Emitter:
    """One event of one routine in one job: what ``self.<event>`` is inside a body.

    `room` is how many values `pending` may hold before the next `emit` must do more than append:
    0 means the routine isn't announced yet.
    """

    __slots__ = (
        "_append", "emitted", "name", "outputs", "owner", "pending", "ref", "room", "run", "soft",
        "targets", "values",
    )  # fmt: skip

    def __init__(self, run: RoutineRun, name: str) -> None:
        self.run: RoutineRun | None = run
        self.owner = run.index
        self.name = name
        self.ref = f"{run.id}.{name}"
        self.pending: deque[Any] = deque()
        self._append = self.pending.append
        self.room = 0
        self.soft = UNLIMITED
        self.targets: tuple[SlotQueue, ...] = ()
        self.emitted = 0
        self.outputs: deque[Any] | None = None
        self.values: deque[tuple[int, float, ValueSummary]] = deque(maxlen=KEPT_VALUES)

    def emit(self, value: Any) -> None:
        """Send `value` on; called on the thread that runs an activation of this routine.

        Raises EmitOutsideActivation anywhere else, and Cancelled once the job has ended.
        """
        run = local.run
        if run is None or run is not self.run:
            raise self._refusal(run)
        self._append(value)
        if len(self.pending) > self.room:
            self._announce(run)

    def _announce(self, run: RoutineRun) -> None:
        if not self.room:
            self.room = self.soft or 1
            run.announce()
        if len(self.pending) > self.soft:
            # More than fits downstream: no further activation until the core has looked.
            run.stop = True
            self.room = UNLIMITED

    def _refusal(self, running: RoutineRun | None) -> BaseException:
        """The error of an emit that isn't delivered; counted."""
        owner = self.run
        if owner is None and running is not None and running.owns(self):
            running.refused += 1
            return Cancelled(f"{self.ref}: the job has ended")
        if owner is not None:
            owner.refused += 1
        return EmitOutsideActivation(
            f"{self.ref} was emitted outside an activation; emit on the thread that runs logic",
            routine=self.ref.partition(".")[0],
            port=self.ref,
        )


class SlotQueue:
    """One slot of one routine in one job. Written by the core only (`reserved`: under its lock).

    `parked` holds (message, index of its producer) of what waits at the connections.
    """

    __slots__ = (
        "capacity", "consumed", "dead", "discarded", "high_water", "index", "name", "parked",
        "posted", "posters", "ref", "reserved", "run", "type", "values",
    )  # fmt: skip

    def __init__(self, run: RoutineRun, index: int, name: str, type_: Any, capacity: int) -> None:
        self.run = run
        self.index = index
        self.name = name
        self.ref = f"{run.id}.{name}"
        self.type = type_
        self.capacity = capacity
        self.parked: deque[tuple[Entry, int]] | None = None
        self.posted = self.consumed = self.dead = self.discarded = 0
        self.high_water = 0
        self.reserved = 0
        self.posters: deque[Any] = deque()
        self.values: deque[tuple[int, float, ValueSummary]] = deque(maxlen=KEPT_VALUES)

    def depth(self) -> int:
        """Messages in the slot: waiting for others, ready, or granted and not begun."""
        run = self.run
        waiting = run.sets.depth(self.index) if run.sets is not None else 0
        return waiting + len(run.ready) + len(run.grant)

    def free(self) -> int:
        """Places left for new messages; none while older ones wait at a connection."""
        return 0 if self.parked else self.capacity - self.depth() - self.reserved


class Token:
    """The right of one worker to run a slice of a routine.

    `mark` is the entry that was popped, written before `stop` is read; `begun` the entry whose
    body has begun, written after. Whoever sets `stop` and then finds them different knows that
    the worker is about to decide: it begins the body or reports the entry back. `since` is when
    the body began, `limit` how many activations the slice may still have (0: end after the
    present one). A token is used once.
    """

    __slots__ = (
        "begun", "job_id", "limit", "mark", "routine", "run_", "since", "told", "worker",
    )  # fmt: skip

    def __init__(self, run: RoutineRun) -> None:
        self.run_ = run
        self.job_id = run.job_id
        self.routine = run.id
        self.mark: Entry | None = None
        self.begun: Entry | None = None
        self.since = 0.0
        self.limit = SLICE
        self.told: Entry | None = None
        self.worker: Worker | None = None

    @property
    def undecided(self) -> bool:
        """Whether its worker holds, or may hold, an entry whose body hasn't begun."""
        return self.worker is not None and (self.begun is not self.mark or self.mark is None)

    def run(self, worker: Worker) -> None:
        """One slice, on a worker; never raises."""
        run = self.run_
        self.since = monotonic()
        self.worker = worker
        local.run = run
        try:
            if run.continued or run.plan.is_generator:
                report = self._generate(run)
            else:
                report = self._slice(run)
        finally:
            local.run = None
        run.reports.append(report)
        run.announce()
        if run.over and report.suspended is not None:
            close_body(report.suspended)

    def _slice(self, run: RoutineRun) -> Report:
        """Plain bodies, one after the other."""
        popleft, logic, single = run.grant.popleft, run.logic, run.plan.takes_one
        log = run.log
        done = 0
        now = start = monotonic()
        end = start + SLICE_SECONDS
        while done < self.limit and now <= end:
            try:
                entry = popleft()
            except IndexError:
                break
            self.since = now
            self.mark = entry
            if run.stop:
                return self._report(done, start, returned=entry)
            self.begun = entry
            if log is not None:
                self._log_start(log, entry)
            try:
                if run.state_missing:
                    run.make_state()
                if single:
                    logic(entry[1])
                else:
                    run.call(entry)
            except BaseException as error:  # noqa: BLE001 -- border to user code
                failed = self._failed(run, entry, error)
                self._log_end(log, entry, now)
                return self._report(done, start, failed=failed)
            done += 1
            now = monotonic() if log is None else self._log_end(log, entry, now)
        return self._report(done, start)

    def _generate(self, run: RoutineRun) -> Report:
        """Bodies that may stop at each bare ``yield``, and the turn of `finish`."""
        done = 0
        now = start = monotonic()
        end = start + SLICE_SECONDS
        while done < self.limit and now <= end and (item := run.pop_any()) is not None:
            self.since = now
            self.mark = item.entry if isinstance(item, Special) else item
            if run.stop:
                return self._report(done, start, returned=item)
            if isinstance(item, Suspended):
                self.told = item.entry
            entry = self.begun = self.mark
            if isinstance(item, Finish):
                return self._finish(run, entry, done, start)
            try:
                body = self._body(run, item)
                suspended = self._advance(run, entry, body, end)
            except BaseException as error:  # noqa: BLE001 -- border to user code
                failed = self._failed(run, entry, error)
                self._log_end(run.log, entry, now)
                return self._report(done, start, failed=failed)
            if suspended is not None:
                return self._report(done, start, suspended=suspended)
            done += 1
            now = self._log_end(run.log, entry, now)
        return self._report(done, start)

    def _body(self, run: RoutineRun, item: Entry | Suspended) -> Any:
        if isinstance(item, Suspended):
            return item.body
        if run.log is not None:
            self._log_start(run.log, item)
        if run.state_missing:
            run.make_state()
        return run.call(item)

    def _advance(self, run: RoutineRun, entry: Entry, body: Any, end: float) -> Suspended | None:
        """Run on until the body ends (None) or must stand at a yield."""
        if body is None:
            return None  # a plain body behind a decorator, or one that ran to its end
        for _ in body:
            now = monotonic()
            if run.stop or now > end or self.limit <= 1:
                return Suspended(0, entry, body)
        return None

    def _finish(self, run: RoutineRun, entry: Entry, done: int, start: float) -> Report:
        if run.log is not None:
            self._log_start(run.log, entry)
        failed = None
        try:
            if run.state_missing:
                run.make_state()
            run.instance.finish()
        except BaseException as error:  # noqa: BLE001 -- border to user code
            failed = (entry, failure_of(run.id, {}, error))
        self._log_end(run.log, entry, self.since)
        return self._report(done, start, failed=failed, finished=True)

    def _report(
        self,
        done: int,
        start: float,
        *,
        failed: tuple[Entry, Failure] | None = None,
        returned: Entry | Special | None = None,
        suspended: Suspended | None = None,
        finished: bool = False,
    ) -> Report:
        seconds = monotonic() - start
        return Report(self, done, seconds, self._thread(), failed, returned, suspended, finished)

    def _failed(self, run: RoutineRun, entry: Entry, error: BaseException) -> tuple[Entry, Failure]:
        return entry, failure_of(run.id, run.values_of(entry), error)

    def _log_start(self, log: deque[LogRow], entry: Entry) -> None:
        log.append((self, entry, None, self._thread()))

    def _log_end(self, log: deque[LogRow] | None, entry: Entry, started: float) -> float:
        now = monotonic()
        if log is not None:
            log.append((self, entry, now - started, self._thread()))
        return now

    def _thread(self) -> str:
        return self.worker.name if self.worker is not None else ""


class RoutineRun:
    """One routine in one job.

    Written by the core: everything but `stop` (also an emitter that overruns), `dirty`,
    `reports`, `log`, `refused` and the state.
    """

    __slots__ = (
        "_announce", "_state_lock", "activations", "continued", "dirty", "emitters", "failures",
        "grant", "id", "index", "instance", "job_id", "limit", "log", "logic", "open",
        "over", "parked_out", "passed", "plan", "ready", "refused", "reports", "seconds", "sets",
        "single", "slots", "state_missing", "stop", "stops", "suspended", "tokens",
    )  # fmt: skip

    def __init__(
        self,
        plan: RoutinePlan,
        index: int,
        job_id: str,
        workers: int,
        announce: Callable[[RoutineRun], None],
    ) -> None:
        self.plan = plan
        self.index = index
        self.id = plan.id
        self.job_id = job_id
        self.instance: Any = None
        self.logic: Callable[..., Any] = _unbound
        self.slots = [
            SlotQueue(self, i, s.name, s.type, s.capacity) for i, s in enumerate(plan.slots)
        ]
        self.emitters = [Emitter(self, name) for name in plan.events]
        self.single = len(self.slots) == 1
        self.sets: KeyedQueues | InOrder | None = None
        self.limit = workers if plan.max_parallel is None else plan.max_parallel
        self.ready: deque[Entry] = deque()
        self.grant: deque[Entry] = deque()
        self.suspended: deque[Special] = deque()
        self.continued: deque[Special] = deque()
        self.tokens: set[Token] = set()
        self.reports: deque[Report] = deque()
        self.log: deque[LogRow] | None = None
        self.dirty = False
        self.stop = self.over = False
        self.open = self.single
        self.parked_out = 0
        self.stops: tuple[int, ...] = ()
        self.passed: set[int] = set()
        self.activations = self.failures = self.refused = 0
        self.seconds = 0.0
        self.state_missing = plan.has_state
        self._state_lock = threading.Lock()
        self._announce = announce

    def announce(self) -> None:
        """Tell the job's loop that there is news; once until it has looked."""
        if not self.dirty:
            self.dirty = True
            self._announce(self)

    def bodies(self) -> int:
        """How many of its bodies have begun and not ended, as far as was reported."""
        standing = sum(type(item) is Suspended for item in self.suspended)
        return standing + sum(token.begun is not None for token in self.tokens)

    def may_begin(self) -> bool:
        """Whether something is ready that may start or go on now."""
        if self.parked_out:
            return False
        return bool(self.suspended) or (bool(self.ready) and self.bodies() < self.limit)

    def next_number(self) -> int:
        """The number of what would start next; of `UNLIMITED` when there is nothing."""
        special = self.suspended[0].number if self.suspended else UNLIMITED
        if self.ready and self.bodies() < self.limit:
            return min(special, self.ready[0][0])
        return special

    def owns(self, emitter: Emitter) -> bool:
        """Whether it is one of this routine's."""
        return any(one is emitter for one in self.emitters)

    def call(self, entry: Entry) -> Any:
        """Call `logic` with the values of an entry, by position and by name as it takes them."""
        values = self.values_of(entry)
        plan = self.plan
        return self.logic(
            *[values[name] for name in plan.positional],
            **{name: values[name] for name in plan.keyword},
        )

    def messages_of(self, entry: Entry) -> tuple[Entry, ...]:
        """The messages an activation is bound to, in the order of the slots."""
        if self.single:
            return (entry,)
        return tuple(entry[1]) if entry[1] is not None and self.slots else ()

    def values_of(self, entry: Entry) -> dict[str, Any]:
        """Slot name -> value of the activation."""
        messages = self.messages_of(entry)
        return {slot.name: message[1] for slot, message in zip(self.slots, messages, strict=False)}

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
        with self._state_lock:
            if self.state_missing:
                set_state(self.instance, self.instance.State())
                self.state_missing = False


def close_body(suspended: Suspended) -> None:
    """End a generator whose job is over, on a worker: its ``finally`` blocks are user code."""
    try:
        suspended.body.close()
    except BaseException:  # noqa: BLE001 -- border to user code; nobody is left to be told
        _log.warning("a body of an ended job failed while closing", exc_info=True)


def _unbound(*_values: Any) -> None:
    raise AssertionError("a routine ran before its job bound it")
