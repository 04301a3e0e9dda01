"""The shell around one job's core: its task queue, its event-loop thread, and the reads.

Only the holder of `_guard` drains. It is held from "there is work" until the loop has found the
queue empty, so whoever appends and finds it free wakes the loop, exactly once per idle period.
The loop frees it and *then* looks at the queue again; whoever appended before that look and
found the guard taken is served by it.

Locks: `_lock` guards the core and the places reserved in slots. Held while calling out only to
`match` functions, which are pure; re-entrant, so that even one that reads its job gets an answer.
The manager's lock is taken inside it (for a breakpoint's generation), never around it.
"""

from __future__ import annotations

import logging
import threading
import time
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.errors import Cancelled, JobEnded, SlotFull
from penstock.flow import Failure, bind
from penstock.observe import ActivationEnded, ActivationStarted, Instruments, RoutineCount
from penstock.run.core import JobCore
from penstock.run.counting import count_routine
from penstock.run.instructions import Instructions, Wants
from penstock.run.messages import Message, Posted, Start
from penstock.run.pool import Worker, WorkerPool
from penstock.run.routing import Plan
from penstock.run.slices import KEPT_VALUES, RoutineRun, SlotQueue, Suspended, close_body, local
from penstock.run.state import JobSnapshot, JobState, JobStatus

_log = logging.getLogger(__name__)
_BATCH = 256


class JobExecutor:
    """One job: a task queue, an event loop on its own thread, and the pool it submits to.

    Made and started by `GlobalJobManager`. All methods may be called from any thread.
    """

    def __init__(
        self,
        job_id: str,
        plan: Plan,
        pool: WorkerPool,
        instruments: Instruments,
        *,
        generations: Iterator[int] | None = None,
        keep_values: bool = False,
    ) -> None:
        self.id = job_id
        self.task_queue: deque[Message | RoutineRun] = deque()
        self.thread_pool = pool
        self._instruments = instruments
        self._lock = threading.RLock()
        self._guard = allocate_lock()
        self._latch = allocate_lock()
        self._latch.acquire()
        self._awake = False
        self._ended = threading.Event()
        self._over = threading.Event()
        self._wall = time.time() - time.monotonic()
        self.loop_busy = True
        self.loop_since = time.monotonic()
        wants = Wants(instruments.wants, keep_values)
        self._core = JobCore(job_id, plan, pool.workers, self._announce, wants, generations)
        self._bind_routines()
        self.state = JobState(job_id, plan.flow, self._now(), self)
        self.event_loop_thread: threading.Thread | None = threading.Thread(
            target=self._loop, name=f"penstock-job-{job_id}", daemon=True
        )

    def _bind_routines(self) -> None:
        """Give each routine its per-job twin with emitters and this job's binding."""
        wants = self._core.tell.wants
        logged = wants.kind(ActivationStarted) or wants.kind(ActivationEnded)
        for run in self._core.runs:
            emitters: dict[str, object] = {emitter.name: emitter for emitter in run.emitters}
            run.instance = bind(run.plan.routine, emitters, self)
            run.logic = run.instance.logic
            run.log = deque() if logged else None

    # ---- what bodies ask of their job (`RunBinding`)

    @property
    def cancelled(self) -> bool:
        """Whether the job has ended."""
        return self._over.is_set()

    def checkpoint(self) -> None:
        """Raises Cancelled when the job has ended."""
        if self._over.is_set():
            raise Cancelled(f"job {self.id} has ended")

    def sleep(self, seconds: float) -> None:
        """Wait; raises Cancelled as soon as the job ends."""
        self._over.wait(seconds)
        self.checkpoint()

    # ---- in

    def start(self, start: Start) -> None:
        """Begin the loop; called once, by the manager."""
        self._guard.acquire()
        self._awake = True
        self.task_queue.append(start)
        if self.event_loop_thread is not None:
            self.event_loop_thread.start()

    def send(self, message: Message) -> None:
        """Queue a message for the core and return; does nothing once the job has ended."""
        self.task_queue.append(message)
        if not self._awake:
            self._arm()

    def post(self, slot: SlotQueue, value: Any, timeout: float | None) -> None:
        """Queue a checked value for a slot, waiting for room like `queue.Queue.put`.

        Raises SlotFull after `timeout` seconds, JobEnded when the job takes no more.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (latch := self._reserve(slot, value)) is not None:
            left = -1.0 if deadline is None else deadline - time.monotonic()
            if (deadline is not None and left <= 0) or not latch.acquire(True, left):
                self._give_up(slot, value, latch, timeout)
                return

    def _reserve(self, slot: SlotQueue, value: Any) -> LockType | None:
        """Take a place and queue the value, or return a latch that opens when to look again."""
        with self._lock:
            self._refuse_when_over(slot)
            if slot.free() > 0:
                slot.reserved += 1
                self.task_queue.append(Posted(slot, value))
                latch = None
            else:
                latch = allocate_lock()
                latch.acquire()
                slot.posters.append(latch)
        if latch is None and not self._awake:
            self._arm()
        return latch

    def _give_up(self, slot: SlotQueue, value: Any, latch: LockType, timeout: float | None) -> None:
        """Time is over. If the latch was opened meanwhile, the place it stands for is ours.

        Unless somebody else was quicker: then again, so that no latch stays among the waiting,
        where it would swallow the wake-up of a post behind it.
        """
        waiting: LockType | None = latch
        while waiting is not None:
            if self._withdraw(slot, waiting):
                raise SlotFull(
                    f"{slot.ref} is full ({slot.capacity} messages)"
                    f" and had no room within {timeout} s",
                    job=self.id,
                    routine=slot.run.id,
                    port=slot.ref,
                )
            waiting = self._reserve(slot, value)

    def _withdraw(self, slot: SlotQueue, latch: LockType) -> bool:
        """Take a latch from the waiting; False when it was opened already."""
        with self._lock:
            waiting = latch in slot.posters
            if waiting:
                slot.posters.remove(latch)
        return waiting

    def _refuse_when_over(self, slot: SlotQueue) -> None:
        if self._core.status.is_final:
            raise JobEnded(
                f"job {self.id} is {self._core.status.value} and takes no messages",
                job=self.id,
                port=slot.ref,
            )

    def slot(self, routine: str, name: str) -> SlotQueue | None:
        """The slot of that name, or None."""
        run = self._core.by_id.get(routine)
        return next((s for s in run.slots if s.name == name), None) if run else None

    # ---- the loop

    def _announce(self, run: RoutineRun) -> None:
        """Called by workers: a routine has news."""
        self.task_queue.append(run)
        if not self._awake:
            self._arm()

    def _arm(self) -> None:
        if self._guard.acquire(False):
            self._awake = True
            self._latch.release()

    def _loop(self) -> None:
        while not self._drained_to_the_end():
            self.loop_busy, self.loop_since = False, time.monotonic()
            self._latch.acquire()
            self.loop_busy, self.loop_since = True, time.monotonic()

    def _drained_to_the_end(self) -> bool:
        """`_drain`; a fault of ours ends the job, told and seen, instead of leaving it hanging."""
        try:
            return self._drain()
        except BaseException as error:  # noqa: BLE001 -- nobody above could end the job
            _log.exception("job %s: the engine failed", self.id)
            with self._lock:
                self._core.fail(error)
                out = self._core.out.take()
            self._carry_out(out)
            self._close()
            return True

    def _drain(self) -> bool:
        """Feed the core until the queue is empty; True when the job has ended.

        An ended job keeps its guard: nobody drains it again.
        """
        queue = self.task_queue
        while True:
            out = self._feed()
            self._carry_out(out)
            if self._core.status.is_final:
                self._close()
                return True
            if queue:
                continue
            self._awake = False
            self._guard.release()
            if not queue or not self._guard.acquire(False):
                return False
            self._awake = True

    def _feed(self) -> Instructions:
        core, queue = self._core, self.task_queue
        with self._lock:
            now = self._now()
            for _ in range(min(len(queue), _BATCH)):
                core.handle(queue.popleft(), now)
            if not queue:
                core.settle()
            return core.out.take()

    def _carry_out(self, out: Instructions) -> None:
        pool = self.thread_pool
        if out.tokens:
            pool.submit_many(out.tokens)
        for token in out.leaving:
            worker = token.worker
            if worker is not None:
                pool.leave(worker, token)
        if out.bodies:
            pool.submit_many([_Closing(self.id, out.bodies)])
        for latch in out.wakes:
            latch.release()
        for event in out.events:
            self._instruments.tell(event)

    def _close(self) -> None:
        self._over.set()
        self._ended.set()

    # ---- out

    @property
    def status(self) -> JobStatus:
        """The status now."""
        return self._core.status

    @property
    def error(self) -> Failure | None:
        """What ended the job, if a failure did."""
        return self._core.error

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Until all events of the ended job are told and its loop thread is gone."""
        thread = self.event_loop_thread
        if threading.current_thread() is thread or self._is_in_own_body():
            return self._core.status
        if self._ended.wait(timeout) and thread is not None:
            thread.join()
        return self._core.status

    def _is_in_own_body(self) -> bool:
        run = local.run
        return run is not None and self._core.by_id.get(run.id) is run

    def outputs(self) -> dict[str, list[Any]]:
        """Copies of the last values of unconnected events."""
        with self._lock:
            return {
                emitter.ref: list(emitter.outputs)
                for run in self._core.runs
                for emitter in run.emitters
                if emitter.outputs is not None
            }

    def output_counts(self) -> dict[str, int]:
        """How many values each unconnected event has emitted."""
        with self._lock:
            return {
                emitter.ref: emitter.emitted
                for run in self._core.runs
                for emitter in run.emitters
                if emitter.outputs is not None
            }

    def counts(self) -> tuple[JobStatus, int, dict[str, RoutineCount]]:
        """Status, bodies running and counters per routine, of one moment."""
        with self._lock:
            core = self._core
            return (
                core.status,
                0 if core.status.is_final else core.running(),
                {run.id: count_routine(core, run) for run in core.runs},
            )

    def snapshot(self) -> JobSnapshot:
        """Everything, of one moment."""
        outputs, output_counts = self.outputs(), self.output_counts()
        status, running, routines = self.counts()
        core = self._core
        return JobSnapshot(
            id=self.id,
            flow=core.plan.flow,
            status=status,
            error=core.error,
            outputs=outputs,
            output_counts=output_counts,
            dead_letters=tuple(core.dead_letters),
            routines=routines,
            running=running,
            created_at=self.state.created_at,
            started_at=core.started_at,
            finished_at=core.finished_at,
        )

    def values(
        self, routine: str
    ) -> tuple[Mapping[str, tuple[Any, ...]], Mapping[str, tuple[Any, ...]]]:
        """Last values (number, time, summary) per slot and per event of one routine.

        Takes no lock: copying a deque is one step of the interpreter, and a window asks often.
        """
        run = self._core.by_id.get(routine)
        if run is None:
            return {}, {}
        events = {emitter.name: tuple(emitter.values) for emitter in run.emitters}
        return {slot.name: self._arrived(slot) for slot in run.slots}, events

    def _arrived(self, slot: SlotQueue) -> tuple[Any, ...]:
        """The last values that reached a slot, over all its connections and posts."""
        found = list(slot.values)
        for run in self._core.runs:
            for emitter in run.emitters:
                if slot in emitter.targets:
                    found.extend(tuple(emitter.values))
        return tuple(sorted(found, key=lambda sample: sample[0])[-KEPT_VALUES:])

    def ready(self) -> tuple[Any, ...]:
        """Activations that could start, oldest first."""
        with self._lock:
            return self._core.ready()

    def _now(self) -> float:
        return self._wall + time.monotonic()


class _Closing:
    """Work that ends the suspended generators of an ended job, on a worker."""

    def __init__(self, job_id: str, bodies: list[Suspended]) -> None:
        self.job_id = job_id
        self.routine = ""
        self.since = time.monotonic()
        self._bodies = bodies

    def run(self, _worker: Worker) -> None:
        for body in self._bodies:
            close_body(body)
