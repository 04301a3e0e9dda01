"""Bodies that never come back, of every kind, and how a test gets them out in the end."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import queue
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from helpers.bodies import Gate
from helpers.flows import burst, chain, pass_on, routine
from helpers.waiting import DEADLINE
from penstock import Cancelled, Flow, JobStatus, Runtime, Slot


class Trap:
    """What one stuck body waits for; the test can let it go so that its thread ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.caught = threading.Event()
        self.free = False
        self._openers: list[Callable[[], Any]] = []

    def opens(self, how: Callable[[], Any]) -> None:
        """Before a body gets stuck: how to get it out."""
        self._openers.append(how)
        self.caught.set()
        if self.free:
            how()

    def spring(self) -> None:
        if self.free:
            return
        self.free = True
        for how in self._openers:
            how()


def by_event(trap: Trap) -> None:
    event = threading.Event()
    trap.opens(event.set)
    event.wait()


def by_lock(trap: Trap) -> None:
    lock = threading.Lock()
    lock.acquire()
    trap.opens(lock.release)
    lock.acquire()


def by_lock_in_a_with(trap: Trap) -> None:
    lock = threading.Lock()
    lock.acquire()
    trap.opens(lock.release)
    with lock:
        pass


def by_condition(trap: Trap) -> None:
    condition = threading.Condition()

    def wake() -> None:
        with condition:
            condition.notify_all()

    with condition:
        trap.opens(wake)
        condition.wait()


def by_semaphore(trap: Trap) -> None:
    semaphore = threading.Semaphore(0)
    trap.opens(semaphore.release)
    semaphore.acquire()


def by_barrier(trap: Trap) -> None:
    barrier = threading.Barrier(2)
    trap.opens(barrier.abort)
    with suppress(threading.BrokenBarrierError):
        barrier.wait()


def by_queue(trap: Trap) -> None:
    things: queue.Queue[int] = queue.Queue()
    trap.opens(lambda: things.put(1))
    things.get()


def by_full_queue(trap: Trap) -> None:
    things: queue.Queue[int] = queue.Queue(1)
    things.put(1)
    trap.opens(things.get)
    things.put(2)


def by_socket(trap: Trap) -> None:
    here, there = socket.socketpair()
    with here, there:
        trap.opens(lambda: there.send(b"x"))
        here.recv(1)


def by_select(trap: Trap) -> None:
    here, there = socket.socketpair()
    with here, there:
        trap.opens(lambda: there.send(b"x"))
        select.select([here], [], [])


def by_child_process(trap: Trap) -> None:
    with subprocess.Popen(["sleep", "1000"]) as child:
        trap.opens(child.kill)
        child.wait()


def by_pipe(trap: Trap) -> None:
    reading, writing = os.pipe()
    trap.opens(lambda: os.write(writing, b"x"))
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)


def by_fifo(trap: Trap) -> None:
    """Opening a FIFO waits until somebody writes."""
    path = trap.folder / f"fifo-{id(trap)}"
    os.mkfifo(path)
    writers: list[int] = []
    trap.opens(lambda: writers.append(os.open(path, os.O_RDWR)))
    with open(path, "rb"):
        os.close(writers.pop())


def by_sleep_in_c(trap: Trap) -> None:
    libc = ctypes.CDLL(None)
    trap.opens(lambda: None)
    while not trap.free:
        libc.usleep(200_000)


def by_busy_loop(trap: Trap) -> None:
    trap.opens(lambda: None)
    while not trap.free:
        pass


def by_endless_iteration(trap: Trap) -> None:
    trap.opens(lambda: None)
    for _ in itertools.count():
        if trap.free:
            return


def by_bare_except(trap: Trap) -> None:
    event = threading.Event()
    trap.opens(event.set)
    while not trap.free:
        try:
            event.wait()
        except:  # noqa: E722
            continue


def by_long_finally(trap: Trap) -> None:
    event = threading.Event()
    try:
        raise ValueError("on the way out")
    finally:
        trap.opens(event.set)
        event.wait()


def by_thread_join(trap: Trap) -> None:
    event = threading.Event()
    inner = threading.Thread(target=event.wait, daemon=True)
    inner.start()
    trap.opens(event.set)
    inner.join()


def by_deadlock(trap: Trap) -> None:
    """Two threads of the body hold what the other wants."""
    one, other = threading.Lock(), threading.Lock()
    both = threading.Barrier(2)

    def inner() -> None:
        with other:
            both.wait()
            one.acquire()

    thread = threading.Thread(target=inner, daemon=True)
    with one:
        thread.start()
        both.wait()
        trap.opens(other.release)
        other.acquire()
    thread.join()


PLAIN: list[Callable[[Trap], None]] = [
    by_event,
    by_lock,
    by_lock_in_a_with,
    by_condition,
    by_semaphore,
    by_barrier,
    by_queue,
    by_full_queue,
    by_socket,
    by_select,
    by_child_process,
    by_pipe,
    by_fifo,
    by_sleep_in_c,
    by_busy_loop,
    by_endless_iteration,
    by_bare_except,
    by_long_finally,
    by_thread_join,
]


def body(get_stuck: Callable[[Trap], None], trap: Trap) -> Flow:
    return chain(routine(lambda self: get_stuck(trap)))


def swallows_cancelled(trap: Trap) -> Flow:
    def logic(self: Any) -> None:
        trap.opens(lambda: None)
        while not trap.free:
            with suppress(Cancelled):
                self.sleep(0.01)
            with suppress(Cancelled):
                self.checkpoint()
            if self.cancelled:
                threading.Event().wait(0.01)

    return chain(routine(logic))


def swallows_cancelled_in_emit(trap: Trap) -> Flow:
    def logic(self: Any) -> None:
        trap.opens(lambda: None)
        while not trap.free:
            with suppress(Cancelled):
                self.out.emit(1)
            if self.cancelled:
                threading.Event().wait(0.01)

    return chain(routine(logic), pass_on(1))


def generator_never_yields(trap: Trap) -> Flow:
    def logic(self: Any) -> Iterator[None]:
        by_busy_loop(trap)
        yield

    return chain(routine(logic))


def generator_refuses_to_close(trap: Trap) -> Flow:
    def logic(self: Any) -> Iterator[None]:
        try:
            while not self.cancelled:
                yield
        finally:
            by_event(trap)

    return chain(routine(logic))


def state_hangs(trap: Trap) -> Flow:
    class State:
        def __init__(self) -> None:
            by_event(trap)

    return chain(routine(lambda self: None, state=State))


def finish_hangs(trap: Trap) -> Flow:
    return chain(routine(lambda self: None, finish=lambda self: by_event(trap)))


def waits_for_a_job_that_waits(trap: Trap) -> Flow:
    """A body that waits for a job whose body is stuck itself."""
    runtimes: list[Runtime] = []

    def logic(self: Any) -> None:
        inner = Runtime(workers=1)
        runtimes.append(inner)
        with inner:
            job = inner.exec(chain(routine(lambda self: by_event(trap))))
            job.wait()

    return chain(routine(logic))


def many_at_once(trap: Trap) -> Flow:
    """Eight bodies of one routine."""
    gate = Gate(limit=60.0)

    def logic(self: Any, value: int) -> None:
        if value == 0:
            trap.opens(gate.open)
        gate.wait_here()

    slots = {"value": Slot(int)}
    return chain(burst(range(8)), routine(logic, slots=slots, max_parallel=None))


ODD: list[Callable[[Trap], Flow]] = [
    swallows_cancelled,
    swallows_cancelled_in_emit,
    generator_never_yields,
    state_hangs,
    finish_hangs,
    waits_for_a_job_that_waits,
]


def coroutine_swallows_cancelled(trap: Trap) -> Flow:
    async def logic(self: Any) -> None:
        trap.opens(lambda: None)
        while not trap.free:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    return chain(routine(logic))


def coroutine_waits_for_ever(trap: Trap) -> Flow:
    async def logic(self: Any) -> None:
        trap.opens(lambda: None)
        await asyncio.get_running_loop().create_future()

    return chain(routine(logic))


def coroutine_blocks_its_thread(trap: Trap) -> Flow:
    async def logic(self: Any) -> None:
        by_event(trap)

    return chain(routine(logic))


COROUTINES: list[Callable[[Trap], Flow]] = [
    coroutine_swallows_cancelled,
    coroutine_waits_for_ever,
    coroutine_blocks_its_thread,
]

KINDS: dict[str, Callable[[Trap], Flow]] = {
    how.__name__: partial(body, how) for how in [*PLAIN, by_deadlock]
} | {how.__name__: how for how in [*ODD, *COROUTINES]}

ON_A_WORKER = [name for name in KINDS if not name.startswith("coroutine")]
# Each takes its share of the processor from all the others: one of them at a time.
BUSY = ("by_busy_loop", "by_endless_iteration", "generator_never_yields")


def uses_the_full_pool(runtime: Runtime, workers: int) -> None:
    """A job of as many bodies as there are workers, all of which must run at once."""
    meet = threading.Barrier(workers)

    def logic(self: Any, value: int) -> None:
        meet.wait(DEADLINE)
        self.out.emit(value)

    together = routine(logic, slots={"value": Slot(int)}, max_parallel=None)
    job = runtime.exec(chain(burst(range(workers)), together))
    assert job.wait(DEADLINE) is JobStatus.COMPLETED, job.error
    assert sorted(job.outputs["b.out"]) == list(range(workers))


def all_gone(before: set[threading.Thread]) -> None:
    """Join what was started since, now that every trap is open."""
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE)
        assert not thread.is_alive(), thread
