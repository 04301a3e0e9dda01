"""Posts from outside: a place in a slot, or waiting for one like `queue.Queue.put`."""

from __future__ import annotations

from _thread import LockType, allocate_lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from penstock.errors import Cancelled, SlotFull
from penstock.run.emitters import local
from penstock.run.messages import Posted
from penstock.run.records import SlotQueue

if TYPE_CHECKING:
    from penstock.run.executor import JobExecutor
    from penstock.run.slices import Token

_LONGEST = 1e6  # seconds; a lock can't be told to wait much longer


class Post:
    """A value that waits for room behind its latch; the core sets `taken` when it takes it."""

    __slots__ = ("latch", "taken", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.taken = False
        self.latch: LockType = allocate_lock()
        self.latch.acquire()


def post(job: JobExecutor, slot: SlotQueue, value: Any, timeout: float | None) -> None:
    """Queue a checked value, waiting for room; see `Runtime.post` for what it raises."""
    with job.lock:
        job.refuse_when_over(slot.ref)
        if slot.overflow.startswith("drop"):
            job.task_queue.append(Posted(slot, value, reserved=False))
            waiting = None
        elif slot.free() > 0:
            slot.reserved += 1
            job.task_queue.append(Posted(slot, value))
            waiting = None
        elif slot.overflow == "fail" or (timeout is not None and timeout <= 0):
            raise full(job, slot)
        elif local.token is not None and not local.token.run_.job.has_spares:
            # A body on a thread that nobody replaces: what it posts waits at the slot's door.
            job.task_queue.append(Posted(slot, value, reserved=False, parks=True))
            waiting = None
        else:
            waiting = Post(value)
            slot.keep_waiting(waiting)
            if slot.free() > 0:  # a worker has taken one before it could know that it is awaited
                slot.run.announce()
    if waiting is None:
        job.arm()
    else:
        _wait(job, slot, waiting, timeout)


def _wait(job: JobExecutor, slot: SlotQueue, waiting: Post, timeout: float | None) -> None:
    """Until the core has taken the value, the time is over, or a job has ended."""
    token = _stand(job, waiting) if local.token is not None else None
    deadline = None if timeout is None else monotonic() + timeout
    try:
        while not waiting.taken:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            waiting.latch.acquire(True, _LONGEST if left is None else min(left, _LONGEST))
            _look(job, slot, waiting, token, deadline)
    finally:
        if not waiting.taken:
            _withdraw(job, slot, waiting)
        if token is not None:
            token.latch, token.parked_at = None, ""


def _look(
    job: JobExecutor, slot: SlotQueue, waiting: Post, token: Token | None, deadline: float | None
) -> None:
    with job.lock:
        if waiting.taken:
            return
        try:
            job.refuse_when_over(slot.ref)
            if token is not None and (token.over or token.run_.over):
                raise Cancelled(f"{slot.ref}: the activation that posts is over")
            if deadline is not None and monotonic() >= deadline:
                raise full(job, slot, " and had no room within the time given")
        except BaseException:
            _withdraw(job, slot, waiting)  # while nobody can take it
            raise


def _withdraw(job: JobExecutor, slot: SlotQueue, waiting: Post) -> None:
    """Take it from the waiting, whatever ended the wait."""
    with job.lock:
        if not waiting.taken and slot.posters is not None and waiting in slot.posters:
            slot.posters.remove(waiting)


def _stand(job: JobExecutor, waiting: Post) -> Token | None:
    """In a body a waiting post counts as a blocked emit: its worker leaves the count."""
    token = local.token
    if token is None:
        return None
    own = token.run_.job
    own.stand(token, "post here" if own is job else "post", waiting.latch)
    return token


def full(job: JobExecutor, slot: SlotQueue, how_long: str = "") -> SlotFull:
    """The error for a slot without room."""
    return SlotFull(
        f"{slot.ref} is full ({slot.capacity} messages){how_long}",
        job=job.id,
        routine=slot.run.id,
        port=slot.ref,
    )
