"""The runtime: what jobs share, and the one entry to running anything."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from types import TracebackType
from typing import Any, Self

from penstock.errors import FlowError, UnknownPort
from penstock.flow import Flow, check_json, check_python, instantiate, port_ref
from penstock.observe import Instruments
from penstock.run.coroutines import CoroutineThread
from penstock.run.emitters import local
from penstock.run.executor import JobExecutor, Loop
from penstock.run.foreign import ForeignPool
from penstock.run.manager import GlobalJobManager
from penstock.run.messages import Emitted
from penstock.run.pool import WorkerPool
from penstock.run.pools import Coroutines, Pool
from penstock.run.posting import post as put
from penstock.run.routing import Plan, Plans, RoutinePlan, compile_flow
from penstock.run.state import JobState


@dataclass(frozen=True, slots=True)
class RuntimeStatistics:
    """The shared pool and who uses it, at one moment.

    ``backlog`` counts slices that wait for a worker. ``spare_threads`` are workers above the
    count: their bodies stand in emit, checkpoint or post or wait for another job, or they are
    kept for reuse.
    ``abandoned_threads`` are in bodies whose activation is over. ``running`` maps job -> routine
    -> activations running now, coroutines among them, as ``JobState.routines`` counts them.
    """

    workers: int
    busy: int
    idle: int
    backlog: int
    loop_threads: int
    spare_threads: int
    abandoned_threads: int
    running: dict[str, dict[str, int]]


class Runtime:
    """Owns the worker pool, the instruments and the job manager; a context manager.

    Leaving it, like `shutdown`, cancels what still runs. All methods may be called from any
    thread. `workers` defaults to ``min(32, cpu + 4)``. With `thread_pool`, any
    `concurrent.futures` executor in this process, activations run there, `workers` of them at
    once. `loop` says where jobs have their event loops: each on a ``thread`` of its own, or on
    the ``pool``. With `check_types` emitted values are checked against the types of their event
    and slots; a wrong one fails the body that emits it.
    """

    def __init__(
        self,
        workers: int | None = None,
        thread_pool: Executor | None = None,
        loop: Loop = "thread",
        instruments: Iterable[object] = (),
        check_types: bool = False,
    ) -> None:
        _check_loop(loop)
        self._put_together(_pool(workers, thread_pool), loop, instruments, check_types)
        if os.environ.get("PENSTOCK_LISTEN"):
            # Named, not imported: a host is made of runtimes, not they of it.
            import_module("penstock.host.serving.attaching").asked.answer(self)

    def _put_together(
        self,
        pool: Pool,
        loop: Loop,
        instruments: Iterable[object],
        check_types: bool,
        coroutines: Callable[[], Coroutines] = CoroutineThread,
    ) -> None:
        """Over a ready-made pool, which is the runtime's from now on."""
        self.pool = pool
        self.instruments = Instruments(instruments)
        self.jobs = GlobalJobManager(
            pool, self.instruments, loop=loop, check_types=check_types, coroutines=coroutines
        )
        self._flows: dict[str, Flow] = {}
        self._plans = Plans()

    def register(self, flow: Flow) -> None:
        """Make a flow startable by its name."""
        self._flows[flow.name] = flow

    def exec(
        self,
        flow: Flow | str,
        entry_params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        keep_open: bool = False,
        held: bool = False,
        loop: Loop | None = None,
        job_id: str | None = None,
        seed: int | None = None,
        as_json: bool = False,
    ) -> JobState:
        """Start a job of the flow as it is now; returns at once.

        Each entry parameter puts one message into the slot it names (``routine.slot``, or the
        bare slot where the flow has one entry routine); with `as_json` values are JSON data read
        under the slot's type, else Python values checked strictly. For a loaded flow this imports
        its modules: calling it is the trust.

        After `timeout` seconds, not counting those in which it is held or idle, the job fails
        with ``error.type == "JobTimeout"``. With `keep_open` it waits for posts until
        ``jobs.close``. `held` starts it paused, with nothing started. `loop` overrides the
        runtime's. `seed` makes the jitter of retries repeatable.

        Raises before a job exists: FlowError or FlowFileError for a flow that can't run,
        UnknownPort and InvalidValue for parameters.
        """
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout: expected seconds above 0 or None, got {timeout!r}")
        if loop is not None:
            _check_loop(loop)
        plan = self._plan(flow)
        params: Sequence[tuple[str, Any]] = ()
        if entry_params:
            params = [_param(plan, name, value, as_json) for name, value in entry_params.items()]
        executor = self.jobs.start(
            plan,
            params,
            job_id=job_id,
            loop=loop,
            timeout=timeout,
            keep_open=keep_open,
            held=held,
            seed=seed,
        )
        return executor.state

    def post(self, job_id: str, port: str, value: Any, timeout: float | None = None) -> None:
        """Put one message into ``routine.slot`` of a job, waiting for room in a full slot.

        A slot that drops never makes it wait. Raises UnknownPort, InvalidValue, JobEnded, or
        SlotFull after `timeout` seconds, at once for 0 and for a slot with overflow ``fail``.
        """
        executor = self.jobs.get(job_id)
        slot = self.jobs.slot(executor, port)
        with executor.lock:
            executor.refuse_when_over(port)
        check_python(slot.type, value, port)
        put(executor, slot, value, timeout)

    def handle_event_emit(self, job_id: str, port: str, value: Any) -> None:
        """Send a value on as if the routine had emitted it on ``routine.event``; returns at once.

        What doesn't fit downstream waits at its connection. Raises UnknownPort, InvalidValue,
        JobEnded, or SlotFull where a slot with overflow ``fail`` has no room.
        """
        executor = self.jobs.get(job_id)
        ref = port_ref(port)
        emitter = executor.emitter(ref.routine, ref.port)
        if emitter is None:
            raise UnknownPort(f"job {job_id} has no event {port}", job=job_id, port=port)
        check_python(emitter.plan.type, value, port)
        value = emitter.prepared(value)
        with executor.lock:
            executor.refuse_when_over(port)
            executor.reserve(emitter.refusing)
            executor.task_queue.append(Emitted(emitter, value))
        executor.arm()

    def statistics(self) -> RuntimeStatistics:
        """Threads and who uses them now."""
        jobs = self.jobs.list()
        busy = sum(info.busy and not info.outside for info in self.pool.infos())
        return RuntimeStatistics(
            workers=self.pool.workers,
            busy=busy,
            idle=self.pool.workers - busy,
            backlog=len(self.pool.ready),
            loop_threads=sum(_has_loop(executor) for executor in jobs),
            spare_threads=self.pool.spare,
            abandoned_threads=self.pool.abandoned,
            running={job.id: bodies for job in jobs if (bodies := job.reads.running())},
        )

    def shutdown(self, wait: bool = True, timeout: float = 5.0) -> None:
        """Cancel what runs, stop all our threads, and return within `timeout` seconds.

        A body that doesn't end keeps its daemon thread; it never blocks the interpreter's exit.
        Without `wait`, and inside a body, it tells them to stop and returns at once.
        """
        waits = wait and local.token is None
        deadline = monotonic() + (timeout if waits else 0.0)
        self.jobs.cancel_all()
        for executor in self.jobs.list():
            executor.wait(max(0.0, deadline - monotonic()))
        self.jobs.stop_coroutines(deadline)
        self.pool.shutdown(deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _plan(self, flow: Flow | str) -> Plan:
        if isinstance(flow, str):
            known = self._flows.get(flow)
            if known is None:
                raise FlowError(f"no flow is registered as {flow!r}")
            flow = known
        plan = self._plans.of(flow)
        if plan is None:
            plan = compile_flow(instantiate(flow))
            self._plans.keep(flow, plan)
        return plan


def _pool(workers: int | None, thread_pool: Executor | None) -> Pool:
    if thread_pool is not None:
        return ForeignPool(thread_pool, workers)
    return WorkerPool(min(32, (os.cpu_count() or 1) + 4) if workers is None else workers)


def _check_loop(loop: str) -> None:
    if loop not in ("thread", "pool"):
        raise ValueError(f"loop must be 'thread' or 'pool', is {loop!r}")


def _has_loop(executor: JobExecutor) -> bool:
    thread: threading.Thread | None = executor.event_loop_thread
    return thread is not None and thread.is_alive()


def _param(plan: Plan, name: str, value: Any, as_json: bool) -> tuple[str, Any]:
    """(``routine.slot``, checked value) of one entry parameter."""
    routine, slot_name = _entry_place(plan, name)
    slot = next((s for s in routine.slots if s.name == slot_name), None)
    if slot is None:
        known = ", ".join(s.name for s in routine.slots) or "none"
        raise UnknownPort(
            f"entry parameter {name!r}: routine {routine.id!r} has no slot {slot_name!r}"
            f" (its slots: {known})",
            routine=routine.id,
            port=name,
        )
    ref = f"{routine.id}.{slot.name}"
    if as_json:
        return ref, check_json(slot.type, value, ref)
    check_python(slot.type, value, ref)
    return ref, value


def _entry_place(plan: Plan, name: str) -> tuple[RoutinePlan, str]:
    routine_id, dot, slot = name.partition(".")
    if dot:
        found = next((row for row in plan.routines if row.id == routine_id), None)
        if found is None:
            raise UnknownPort(f"entry parameter {name!r}: there is no routine {routine_id!r}")
        return found, slot
    entries = _entries(plan)
    if len(entries) != 1:
        ids = ", ".join(row.id for row in entries) or "none"
        raise UnknownPort(
            f"entry parameter {name!r}: write 'routine.slot', as the flow hasn't exactly one"
            f" entry routine (entries: {ids})"
        )
    return entries[0], name


def _entries(plan: Plan) -> list[RoutinePlan]:
    """Routines with a slot that nothing is connected to."""
    connected = {place for row in plan.routines for event in row.targets for place in event}
    return [
        row
        for i, row in enumerate(plan.routines)
        if any((i, k) not in connected for k in range(len(row.slots)))
    ]
