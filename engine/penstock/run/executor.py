"""The shell around one job's core: its task queue, its event loop, and what its bodies ask for.

The loop is one piece of code, `_drain`; where it runs is a choice: on the job's own thread, or
on the pool, by whoever has time. Only the holder of `_guard` drains. It is held from "there is
work" until the loop has found the queue empty, so whoever appends and finds it free wakes the
loop, exactly once per idle period. The loop frees it and *then* looks at the queue again; whoever
appended before that look and found the guard taken is served by it.

Locks: `lock` guards the core and the places reserved in slots. Held while calling out only to
`match` and `take`, which are pure; re-entrant, so that even one that reads its job gets an answer.
The manager's lock is taken inside it (for a breakpoint's generation), never around it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from _thread import LockType, allocate_lock, get_ident
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Literal

from penstock.errors import Cancelled, JobEnded, PenstockError
from penstock.flow import Routine, bind
from penstock.observe import ActivationEnded, ActivationStarted, Instruments
from penstock.run.core import JobCore
from penstock.run.coroutines import AsyncWorker
from penstock.run.emitters import Emitter, acting_token, local
from penstock.run.instructions import NO_RARE, Instructions, Rare, Wants
from penstock.run.messages import Close, Message, Refused, Start, Tick
from penstock.run.pools import Coroutines, Pool
from penstock.run.posting import full
from penstock.run.reading import JobReads
from penstock.run.records import RoutineRun, SlotQueue
from penstock.run.routing import Plan
from penstock.run.slices import Suspended, Token, close_body
from penstock.run.state import JobState, JobStatus

_log = logging.getLogger(__name__)
_BATCH = 256
_ROUNDS = 8
_ENDLESS = 0  # rounds of a loop that has a thread of its own

Loop = Literal["thread", "pool"]


class JobExecutor:
    """One job: a task queue, an event loop, and the pool it submits to.

    Made and started by `GlobalJobManager`. All methods may be called from any thread.
    """

    # What every job begins with isn't written when one is made.
    closed = False
    loop_busy = True
    loop_since = 0.0
    event_loop_thread: threading.Thread | None = None
    _latch: LockType | None = None
    _awake = _over = False
    _drainer: int | None = None
    _waiters: list[LockType] | None = None
    _told_deadline: float | None = None

    def __init__(
        self,
        job_id: str,
        plan: Plan,
        pool: Pool,
        instruments: Instruments,
        *,
        loop: Loop = "thread",
        coroutines: Callable[[], Coroutines] | None = None,
        generations: Iterator[int] | None = None,
        wants: Wants,
        check_types: bool = False,
        seed: int | None = None,
    ) -> None:
        self.id = job_id
        self.job_id = job_id
        self.task_queue: deque[Message | RoutineRun] = deque()
        self.thread_pool = pool
        self.checks_types = check_types
        self.lock = threading.RLock()
        self._instruments = instruments
        self._coroutines = coroutines
        self._guard = allocate_lock()
        self._clock = pool.steward.now
        self.created_at = pool.steward.wall()
        self._wall = self.created_at - self._clock()
        chance = None if seed is None else Random(seed).random
        self.core = JobCore(job_id, plan, pool.workers, self, wants, generations, chance)
        self._bind_routines()
        self.state = JobState(job_id, plan.flow, self)
        if loop == "thread":
            self._latch = allocate_lock()
            self._latch.acquire()
            self.loop_since = time.monotonic()
            self.event_loop_thread = threading.Thread(
                target=self._loop, name=f"penstock-job-{job_id}", daemon=True
            )

    def _bind_routines(self) -> None:
        """Give each routine its per-job twin with emitters and this job's binding."""
        wants = self.core.tell.wants
        logged = ActivationStarted in wants.kinds or ActivationEnded in wants.kinds
        for run in self.core.runs:
            run.instance = bind(run.plan.routine, run.emitters, self)
            if logged:
                run.log = deque()

    # ---- what bodies ask of their job

    @property
    def has_spares(self) -> bool:
        """Whether another worker takes the place of one that stands waiting."""
        return self.thread_pool.has_spares

    @property
    def cancelled(self) -> bool:
        """Whether the job, or the activation that asks, is over."""
        return self._is_over(acting_token())

    def checkpoint(self) -> None:
        """Wait here while the job is held; raises Cancelled once it, or the activation, is over."""
        token = local.token
        while token is not None and self.core.hold is not None and self._stands_while_held(token):
            pass
        if self._is_over(acting_token()):
            raise Cancelled(f"job {self.id}: the activation is over")

    def _stands_while_held(self, token: Token) -> bool:
        """Wait behind the hold, if there is one; False when there is nothing to wait for."""
        if not self.has_spares:
            return False
        with self.lock:
            core = self.core
            if core.hold is None or core.step_token is token or self._is_over(token):
                return False
            latch = token.closed_latch()
            token.parked_at = "checkpoint"
        self._leave_the_count(token)
        latch.acquire()
        return True

    def sleep(self, seconds: float) -> None:
        """Wait; raises Cancelled as soon as the activation is over. Not for coroutines."""
        token = local.token
        if token is None:
            _refuse_in_a_coroutine()
        with self.lock:
            if self._is_over(acting_token()):
                raise Cancelled(f"job {self.id}: the activation is over")
            latch = token.closed_latch() if token is not None else _closed()
        self.thread_pool.wait(latch, seconds)
        self.checkpoint()

    def late_emitter(self, routine: Routine, event: str) -> Emitter:
        """The emitter of ``failed``, when a body first asks for it."""
        with self.lock:
            emitter = next(run.failed for run in self.core.runs if run.instance is routine)
            object.__setattr__(routine, event, emitter)
            return emitter

    def _is_over(self, token: Token | None) -> bool:
        return self.core.status.is_final or (token is not None and token.over)

    def wait_for_room(self, emitter: Emitter) -> None:
        """A body has emitted more than may wait: it stands here until there is room.

        Not in a coroutine, nor on a foreign pool without spare workers: there it parks on.
        """
        token = local.token
        if token is None or not self.has_spares:
            return
        while True:
            with self.lock:
                emitter.measure()  # others may have been given room since
                fits = len(emitter.pending) <= emitter.hard
                if fits or self._is_over(token):
                    return
                latch = token.closed_latch()
                token.parked_at = "emit"
                self.core.somebody_stands = True
            self._leave_the_count(token)
            latch.acquire()

    def stand(self, token: Token, why: str, latch: LockType) -> None:
        """A body of this job stands waiting behind `latch`, which `core` opens when it is over."""
        with self.lock:
            if self._is_over(token):
                _open(latch)
                return
            token.latch, token.parked_at = latch, why
            self.core.somebody_stands = True
        self._leave_the_count(token)

    def _leave_the_count(self, token: Token) -> None:
        """A spare takes the worker's place; its slice ends with the present activation."""
        token.limit = 0
        token.run_.announce()
        self.thread_pool.leave(token.worker, token, abandoned=False)

    def reserve(self, slots: Sequence[SlotQueue]) -> None:
        """Take a place in each slot, or raise SlotFull and take none."""
        with self.lock:
            taken: list[SlotQueue] = []
            for slot in slots:
                if slot.free() <= 0 and not self.core.status.is_final:
                    for other in taken:
                        other.reserved -= 1
                    raise full(self, slot)
                slot.reserved += 1
                taken.append(slot)

    # ---- in

    def start(self, start: Start) -> None:
        """Begin; called once, by the manager."""
        if self._latch is not None or start.params or start.stops:
            self.core.reserve_for(start)
            self.task_queue.append(start)
        elif self._begins_with_slices(start):
            return
        self._guard.acquire()
        self._awake = True
        if self.event_loop_thread is not None:
            self.event_loop_thread.start()
        else:
            self.thread_pool.submit_drain(self)

    def _begins_with_slices(self, start: Start) -> bool:
        """Take the first step here; whether slices are all it brought. Else the loop does the rest.

        Nobody else knows the job yet. Without parameters no rule of the user's is asked, and
        without stops no hold is numbered, for which the manager's lock would be needed.
        """
        core = self.core
        core.tell.begin(self.created_at)
        core.start(start)
        tokens = None if core.timers.heap else core.taken_slices()
        if tokens:
            self.thread_pool.submit_many(tokens)
        return bool(tokens)

    def send(self, message: Message) -> None:
        """Queue a message for the core and return; does nothing once the job has ended."""
        self.task_queue.append(message)
        if not self._awake:
            self.arm()

    def close(self) -> None:
        """Take no more posts, and end once everything is worked off."""
        with self.lock:
            self.closed = True
            self.task_queue.append(Close())
        self.arm()

    def refuse_when_over(self, port: str) -> None:
        """Raise JobEnded if nothing more can be put in; under `lock`."""
        status = self.core.status
        if status.is_final or self.closed:
            what = status.value if status.is_final else "closed"
            raise JobEnded(f"job {self.id} is {what} and takes no messages", job=self.id, port=port)

    def slot(self, routine: str, name: str) -> SlotQueue | None:
        """The slot of that name, or None."""
        run = self.core.run_of(routine)
        return next((s for s in run.slots if s.name == name), None) if run else None

    def emitter(self, routine: str, name: str) -> Emitter | None:
        """The emitter of that event, or None."""
        run = self.core.run_of(routine)
        if run is None or all(event.name != name for event in run.plan.events):
            return None
        with self.lock:
            return next((e for e in run.emitters if e.name == name), None) or run.failed

    def late(self, run: RoutineRun) -> None:
        """A body has reported after the end: what it did, and its error, are still counted."""
        with self.lock:
            self.core.tell.begin(self._now())
            self.core.take_late(run)
            rare = self.core.taken().rare
        for owner, body in rare.bodies:
            close_body(owner, body)

    def refuse(self, error: BaseException) -> None:
        """The pool won't run what it was given: the job can't go on."""
        self.send(Refused(error))

    def due(self) -> None:
        """A timer's time has come; called on the steward."""
        self.send(Tick())

    # ---- the loop

    def announce(self, run: RoutineRun) -> None:
        """Called by workers: a routine has news."""
        self.task_queue.append(run)
        if not self._awake:
            self.arm()

    def arm(self) -> None:
        """Wake the loop, unless it is awake already."""
        if self._guard.acquire(False):
            self._awake = True
            if self._latch is not None:
                self._latch.release()
            else:
                self.thread_pool.submit_drain(self)

    def _loop(self) -> None:
        latch = self._latch
        while latch is not None and not self._drain(_ENDLESS):
            self.loop_busy, self.loop_since = False, time.monotonic()
            latch.acquire()
            self.loop_busy, self.loop_since = True, time.monotonic()

    def drain(self) -> None:
        """One bounded look at the queue, on whatever thread has time; the rest later."""
        self._drain(_ROUNDS)

    def _drain(self, rounds: int) -> bool:
        """Feed the core until the queue is empty, or so many rounds; True when the job has ended.

        An ended job keeps its guard: nobody drains it again. A fault of ours ends the job, told
        and seen, instead of leaving it hanging.
        """
        queue = self.task_queue
        self._drainer = get_ident()
        try:
            while True:
                self._feed()
                if self.core.is_over:
                    self._close()
                    return True
                if queue:
                    rounds -= 1
                    if not rounds:
                        self._drainer = None
                        self.thread_pool.submit_drain(self)
                        return False
                    continue
                self._drainer = None
                self._awake = False
                self._guard.release()
                if not queue or not self._guard.acquire(False):
                    return False
                self._awake = True
                self._drainer = get_ident()
        except BaseException as error:  # noqa: BLE001 -- nobody above could end the job
            self._give_up(error)
            return True

    def _give_up(self, error: BaseException) -> None:
        _log.exception("job %s: the engine failed", self.id)
        with self.lock:
            self.core.fail(error)
            out = self.core.taken()
        self._carry_out(out)
        self._close()

    def _feed(self) -> None:
        """Let the core take what is in the queue, or a batch of it, and do what it wants done."""
        core, queue = self.core, self.task_queue
        with self.lock:
            now = self._wall + self._clock()
            core.tell.begin(now)
            left = min(len(queue), _BATCH)
            while left:
                left -= 1
                message = queue.popleft()
                if message.__class__ is RoutineRun:
                    core.take_news(message)
                    continue
                if message.__class__ is Tick:
                    self._told_deadline = None
                core.handle(message, now)
            if not queue:
                core.settle()
            deadline = core.deadline() if core.timers.heap else None
            if deadline != self._told_deadline:
                self._told_deadline = deadline
                self.thread_pool.steward.call_at(
                    self, None if deadline is None else deadline - self._wall
                )
            tokens = core.taken_slices()
            out = core.taken() if tokens is None else None
        if tokens:
            self.thread_pool.submit_many(tokens)
        elif out is not None:
            self._carry_out(out)

    def _carry_out(self, out: Instructions) -> None:
        if out.tokens:
            self.thread_pool.submit_many(out.tokens)
        if out.rare is not NO_RARE:
            self._carry_out_rare(out.rare)
        if out.events:
            self._instruments.tell(*out.events)

    def _carry_out_rare(self, rare: Rare) -> None:
        pool = self.thread_pool
        if rare.coroutines and self._coroutines is not None:
            self._coroutines().submit_many(rare.coroutines)
        for token in rare.leaving:
            if not isinstance(token.worker, AsyncWorker):
                pool.leave(token.worker, token, abandoned=True)
            elif self._coroutines is not None:
                self._coroutines().cancel(token)
        if rare.bodies:
            pool.submit_many([_Closing(pool, run, body) for run, body in rare.bodies])
        for latch in rare.wakes:
            _open(latch)

    def _close(self) -> None:
        self._over = True
        waiters = self._waiters
        while waiters:
            try:
                waiters.pop().release()
            except IndexError:
                break

    # ---- out

    @property
    def reads(self) -> JobReads:
        """What anybody may ask about the job."""
        return JobReads(self.core, self.lock, self.created_at)

    @property
    def status(self) -> JobStatus:
        """The status now."""
        return self.core.status

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Until all events of the ended job are told and its loop thread is gone."""
        thread = self.event_loop_thread
        if self._over and thread is None:
            return self.core.status  # nothing to wait for; most callers of many jobs find it so
        if self._drainer == get_ident() or self._is_in_own_body():
            return self.core.status
        if not self._over and (timeout is None or timeout > 0):
            _leave_the_place_to_others()
        if self._wait_for_the_end(timeout) and thread is not None:
            thread.join()
        return self.core.status

    def _wait_for_the_end(self, timeout: float | None) -> bool:
        if not self._over:
            latch = _closed()
            with self.lock:
                if self._waiters is None:
                    self._waiters = []
            self._waiters.append(latch)
            if not self._is_closed() and not self.thread_pool.wait(latch, timeout):
                self._forget(latch)
        return self._over

    def _is_closed(self) -> bool:
        return self._over

    def _forget(self, latch: LockType) -> None:
        with suppress(ValueError):  # it was opened meanwhile
            (self._waiters or []).remove(latch)

    def _is_in_own_body(self) -> bool:
        token = acting_token()
        return token is not None and token.run_.job is self

    def _now(self) -> float:
        return self._wall + self._clock()


def _leave_the_place_to_others() -> None:
    """In a body: another job is waited for, and may need this worker, so it leaves the count.

    The body still counts as running: it goes on when that job has ended, be its own held or not.
    """
    token = local.token
    if token is not None and not token.over and isinstance(token.run_.job, JobExecutor):
        token.run_.job._leave_the_count(token)


class _Closing:
    """Work that ends one suspended generator, on a worker that leaves the count for it.

    What its ``finally`` blocks do is the user's, and may never end.
    """

    def __init__(self, pool: Pool, run: RoutineRun, body: Suspended) -> None:
        self.job_id = run.job_id
        self.routine = run.id
        self.since = time.monotonic()
        self._pool = pool
        self._run = run
        self._body = body

    def run(self, worker: object) -> None:
        self.since = time.monotonic()
        self._pool.leave(worker, self, abandoned=True)
        close_body(self._run, self._body)


def _closed() -> LockType:
    latch = allocate_lock()
    latch.acquire()
    return latch


def _open(latch: LockType) -> None:
    with suppress(RuntimeError):  # opened by two jobs: that of the body that stands here, and this
        latch.release()


def _refuse_in_a_coroutine() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise PenstockError("self.sleep would stop every coroutine: await asyncio.sleep instead")
