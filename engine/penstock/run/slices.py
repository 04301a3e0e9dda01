"""What a worker runs: slices of activations of one routine.

A worker holding one of a routine's *tokens* pops entries from `grant` and runs `logic`, until the
grant is empty, `SLICE` activations or `SLICE_SECONDS` are over, `stop` is set, or one raises. It
writes its token, appends to `pending`, `log` and `reports`, and announces the routine in the
job's inbox; everything else is the core's.
"""

from __future__ import annotations

import asyncio
import logging
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Generator
from time import monotonic
from typing import Any, NamedTuple, Protocol

from penstock.errors import Cancelled
from penstock.flow import Failure, Retry
from penstock.run.emitters import CarefulEmitter, coroutine_token, local
from penstock.run.failures import failure_of
from penstock.run.records import Entry, RoutineRun

_log = logging.getLogger(__name__)

SLICE = 256
SLICE_SECONDS = 0.001
_OUR_CANCEL = (Cancelled, asyncio.CancelledError)

Kept = list[tuple[CarefulEmitter, Any]]
LogRow = tuple["Token", Entry, float | None, str]
"""One begin (None) or end (seconds) of an activation, and its thread, for instruments."""


class Named(Protocol):
    """The thread that runs a slice, as far as the slice needs it."""

    name: str


class Suspended(NamedTuple):
    """A generator that stands at a bare ``yield``. `number` is when it became ready again."""

    number: int
    entry: Entry
    body: Generator[Any, Any, Any]
    kept: Kept | None = None

    @property
    def begun(self) -> bool:
        """Its body has begun."""
        return True


class Finish(NamedTuple):
    """The turn of the routine's `finish`."""

    number: int
    entry: Entry

    @property
    def begun(self) -> bool:
        """It hasn't begun yet."""
        return False


Special = Suspended | Finish


class Failed(NamedTuple):
    """An activation that raised: may it be tried again, how many emissions went with it.

    `is_cancel`: it only let our own Cancelled pass.
    """

    entry: Entry
    failure: Failure
    retryable: bool = False
    revoked: int = 0
    is_cancel: bool = False


class Report(NamedTuple):
    """What became of one slice; `entries` are those done, where the core must know which."""

    token: Token
    done: int
    seconds: float
    thread: str
    failed: Failed | None = None
    returned: Entry | Special | None = None
    suspended: Suspended | None = None
    finished: bool = False
    entries: tuple[Entry, ...] = ()


class Token:
    """The right of one worker to run a slice of a routine.

    `mark` is the entry that was popped, written before `stop` is read; `begun` the entry whose
    body has begun, written after. Whoever sets `stop` and then finds them different knows that
    the worker is about to decide: it begins the body or reports the entry back. `since` is when
    the body began, `limit` how many activations the slice may still have (0: end after the
    present one). `goes_on` is the entry of a generator it goes on with, whose begin is no news,
    written before `begun`; `told` is the core's. `over` says that the activation doesn't count
    any more though its body runs on, `ended` that a coroutine has ended, `waiting` that the body
    stands in emit, checkpoint, sleep or post behind `latch`. A token is used once.
    """

    # What most tokens never change isn't written when one is made. There is no `__init__`: calling
    # one would double the time it takes to make a token, and each slice has its own.
    run_: RoutineRun
    limit = SLICE
    mark: Entry | None = None
    begun: Entry | None = None
    goes_on: Entry | None = None
    told: Entry | None = None
    worker: Named | None = None
    kept: Kept | None = None
    fate: list[str] | None = None
    latch: LockType | None = None
    over = ended = finishing = False
    parked_at = ""
    since = seconds = 0.0
    done = 0

    @property
    def job_id(self) -> str:
        """Of the job it works for."""
        return self.run_.job_id

    @property
    def routine(self) -> str:
        """The id of its routine."""
        return self.run_.id

    @property
    def undecided(self) -> bool:
        """Whether its worker holds, or may hold, an entry whose body hasn't begun."""
        return self.worker is not None and (self.begun is not self.mark or self.mark is None)

    @property
    def is_running(self) -> bool:
        """Whether a worker is in its slice and doesn't stand waiting."""
        return self.worker is not None and not self.parked_at

    def closed_latch(self) -> LockType:
        """A fresh latch that `wake` opens; the body waits behind it."""
        latch = self.latch = allocate_lock()
        latch.acquire()
        return latch

    def run(self, worker: Named) -> float:
        """One slice, on a worker; never raises. Returns when it ended, of `time.monotonic`."""
        run = self.run_
        start = self.since = monotonic()
        self.worker = worker
        local.token = self
        try:
            if run.plan.is_async and not run.continued:
                report = self._prepare(run)
            else:
                report = self._slow_slice(run)
        finally:
            local.token = None
        self._hand_in(run, report)
        return start + report.seconds

    def refuse(self, error: BaseException) -> None:
        """The pool won't run it."""
        self.run_.job.refuse(error)

    def _hand_in(self, run: RoutineRun, report: Report) -> None:
        if self.over:
            for item in (report.suspended, report.returned):
                if isinstance(item, Suspended):
                    close_body(run, item)
            report = report._replace(suspended=None)
        run.reports.append(report)
        run.announce()
        if run.over:
            run.job.late(run)  # nobody takes the news of a job that has ended

    def _slow_slice(self, run: RoutineRun) -> Report:
        """Everything else: bodies that may stop at a ``yield``, uneven entries, Retry, `finish`."""
        done: list[Entry] = []
        now = start = self.since
        end = start + SLICE_SECONDS
        while len(done) < self.limit and now <= end and (item := run.pop_any()) is not None:
            self.since = now
            self.mark = item.entry if isinstance(item, Special) else item
            if run.stop:
                return self._report(done, start, returned=item)
            if isinstance(item, Suspended):
                self.goes_on = item.entry
            entry = self.begun = self.mark
            self.finishing = isinstance(item, Finish)
            if run.is_awaited or run.plan.timeout is not None:
                run.announce()  # there is room now; and the clock of this activation starts
            if isinstance(item, Finish):
                return self._finish(run, entry, done, start)
            suspended, failed = self._try_once(run, item, entry, end)
            if suspended is not None:
                return self._report(done, start, suspended=suspended)
            now = self._log_end(run.log, entry, now)
            if failed is not None:
                return self._report(done, start, failed=failed)
            done.append(entry)
        return self._report(done, start)

    def _try_once(
        self, run: RoutineRun, item: Entry | Suspended, entry: Entry, end: float
    ) -> tuple[Suspended | None, Failed | None]:
        """Run a body, or go on with one, until it ends, stands at a yield, or raises."""
        going_on = item if isinstance(item, Suspended) else None
        if run.plan.keeps_back:
            self.kept = going_on.kept if going_on is not None else []
        try:
            body = self._begin(run, entry) if going_on is None else going_on.body
            if body is not None and self._stands(run, body, end):
                suspended = Suspended(0, entry, body, self.kept)
                self.kept = None
                return suspended, None
            self._deliver_kept(run)
        except BaseException as error:  # noqa: BLE001 -- border to user code
            return None, self._failed(run, entry, error)
        return None, None

    def _begin(self, run: RoutineRun, entry: Entry) -> Any:
        if run.log is not None:
            self._log_start(run.log, entry)
        if run.state_missing:
            run.make_state()
        result = run.call(entry)
        return result if run.plan.is_generator else None

    def _stands(self, run: RoutineRun, body: Any, end: float) -> bool:
        """Run on until the body ends (False) or must stand at a yield."""
        return any(run.stop or monotonic() > end or self.limit <= 1 for _ in body)

    def decide(self) -> bool:
        """Whether the caller decides what becomes of an attempt: of two, the first. Atomic.

        The worker delivers what was emitted, a time-out revokes it. A slice has one attempt then.
        """
        if self.fate is not None:
            try:
                self.fate.pop()
            except IndexError:
                return False
        return True

    def _deliver_kept(self, run: RoutineRun) -> None:
        """The attempt has succeeded: what it emitted goes on, all of it or nothing."""
        if self.kept is None or not self.decide():
            return
        kept = self.kept
        if kept and not self.over:
            refusing = [slot for emitter, _ in kept for slot in emitter.refusing]
            if refusing:
                run.job.reserve(refusing)
        self.kept = None
        if kept and not self.over:
            for emitter, value in kept:
                emitter.put(value)
                if len(emitter.pending) > emitter.soft:
                    run.stop = True  # more than fits: the core looks before anything else begins
            run.announce()

    def _finish(self, run: RoutineRun, entry: Entry, done: list[Entry], start: float) -> Report:
        if run.log is not None:
            self._log_start(run.log, entry)
        failed = None
        try:
            if run.state_missing:
                run.make_state()
            run.instance.finish()
        except BaseException as error:  # noqa: BLE001 -- border to user code
            failed = Failed(entry, failure_of(run.id, {}, error))
        self._log_end(run.log, entry, self.since)
        return self._report(done, start, failed=failed, finished=True)

    def _prepare(self, run: RoutineRun) -> Report:
        """On a worker, before a routine's first coroutine: make its state."""
        start = self.since
        try:
            run.make_state()
        except BaseException as error:  # noqa: BLE001 -- border to user code
            try:
                entry = self.mark = self.begun = run.grant.popleft()
            except IndexError:
                return self._report(0, start)
            return self._report(0, start, failed=self._failed(run, entry, error))
        return self._report(0, start)

    async def run_async(self, worker: Named) -> None:
        """One activation of an ``async def logic``, on the asyncio thread; never raises."""
        run = self.run_
        start = self.since = monotonic()
        self.worker = worker
        coroutine_token.set(self)
        report = await self._await_body(run, start)
        self.ended = True
        self._hand_in(run, report)

    async def _await_body(self, run: RoutineRun, start: float) -> Report:
        try:
            entry = run.grant.popleft()
        except IndexError:
            return self._report(0, start)
        self.mark = entry
        if run.stop:
            return self._report(0, start, returned=entry)
        self.begun = entry
        if run.log is not None:
            self._log_start(run.log, entry)
        if run.is_awaited or run.plan.timeout is not None:
            run.announce()
        failed = None
        self.kept = [] if run.plan.keeps_back else None
        try:
            if run.state_missing:
                run.make_state()
            await run.call(entry)
            self._deliver_kept(run)
        except BaseException as error:  # noqa: BLE001 -- border to user code
            failed = self._failed(run, entry, error)
            if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()):
                task.uncancel()
        self._log_end(run.log, entry, start)
        done = [entry] if failed is None else []
        return self._report(done, start, failed=failed)

    def _report(
        self,
        done: int | list[Entry],
        start: float,
        *,
        failed: Failed | None = None,
        returned: Entry | Special | None = None,
        suspended: Suspended | None = None,
        finished: bool = False,
    ) -> Report:
        seconds = monotonic() - start
        entries: tuple[Entry, ...] = ()
        if isinstance(done, list):
            if self.run_.plan.is_careful or not self.run_.plan.is_uniform:
                entries = tuple(done)
            done = len(done)
        return Report(
            self, done, seconds, self._thread(), failed, returned, suspended, finished, entries
        )

    def _failed(self, run: RoutineRun, entry: Entry, error: BaseException) -> Failed:
        kept, self.kept = self.kept, None
        policy = run.plan.on_error
        retryable = isinstance(policy, Retry) and isinstance(error, policy.on)
        failure = failure_of(run.id, run.values_of(entry), error)
        revoked = len(kept) if kept else 0
        return Failed(entry, failure, retryable, revoked, isinstance(error, _OUR_CANCEL))

    def _log_start(self, log: deque[LogRow], entry: Entry) -> None:
        log.append((self, entry, None, self._thread()))

    def _log_end(self, log: deque[LogRow] | None, entry: Entry, started: float) -> float:
        now = monotonic()
        if log is not None:
            log.append((self, entry, now - started, self._thread()))
        return now

    def _thread(self) -> str:
        return self.worker.name if self.worker is not None else ""


class PlainToken(Token):
    """A token for bodies that run one after the other and whose emissions go on at once.

    When all of its slice ended well, it is its own report, with the names of `Report`.
    """

    failed: Failed | None = None
    returned: Entry | Special | None = None
    suspended: Suspended | None = None
    finished = False
    entries: tuple[Entry, ...] = ()

    @property
    def token(self) -> Token:
        """Itself: whose report it is."""
        return self

    @property
    def thread(self) -> str:
        """The name of its worker."""
        return self._thread()

    def run(self, worker: Named) -> float:
        """As `Token.run`."""
        run = self.run_
        if run.continued:
            return Token.run(self, worker)
        self.worker = worker
        local.token = self
        report: Report | PlainToken = self
        grant, logic, single, log = run.grant, run.instance.logic, run.plan.takes_one, run.log
        popleft = grant.popleft
        done = 0
        now = start = self.since = monotonic()
        end = start + SLICE_SECONDS
        try:
            while grant and done < self.limit and now <= end:
                try:
                    entry = popleft()
                except IndexError:
                    break
                self.since = now
                self.mark = entry
                if run.stop:
                    report = self._report(done, start, returned=entry)
                    break
                self.begun = entry
                if run.is_awaited:
                    run.announce()
                if log is not None:
                    log.append((self, entry, None, worker.name))
                try:
                    if run.state_missing:
                        run.make_state()
                    if single:
                        logic(entry[1])
                    else:
                        run.call(entry)
                except BaseException as error:  # noqa: BLE001 -- border to user code
                    failed = self._failed(run, entry, error)
                    now = self._log_end(log, entry, now)
                    report = self._report(done, start, failed=failed)
                    break
                done += 1
                now = monotonic()
                if log is not None:
                    log.append((self, entry, now - self.since, worker.name))
        finally:
            local.token = None
        self.done = done
        self.seconds = now - start
        run.reports.append(report)
        if not run.dirty:
            run.dirty = True
            run.job.announce(run)
        if run.over:
            run.job.late(run)  # nobody takes the news of a job that has ended
        return now


def close_body(run: RoutineRun, suspended: Suspended) -> None:
    """End a generator whose activation is over: its ``finally`` blocks are user code.

    They can't emit any more; an attempt is counted as refused.
    """
    over = Token()
    over.run_ = run
    over.over = True
    before = local.token
    local.token = over
    try:
        suspended.body.close()
    except BaseException:  # noqa: BLE001 -- border to user code; nobody is left to be told
        _log.warning("a body of an ended job failed while closing", exc_info=True)
    finally:
        local.token = before
