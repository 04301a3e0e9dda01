"""Work and drains of a pool that call a function, and workers that stand or leave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from helpers.bodies import Gate
from helpers.waiting import DEADLINE, until
from penstock.run.pool import Worker, WorkerPool
from penstock.run.steward import Steward


class Task:
    """A piece of work that calls a function."""

    routine = "r"

    def __init__(self, act: Callable[[], object], job_id: str = "j") -> None:
        self.job_id = job_id
        self.since = monotonic()
        self.worker: Worker | None = None
        self._act = act

    def run(self, worker: Worker) -> float | None:
        self.worker = worker
        now = self._act()
        return now if isinstance(now, float) else None


class Look:
    """A drain that calls a function."""

    job_id = "d"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def drain(self) -> None:
        self._act()


class Asleep(Steward):
    """A steward that only counts who asks for it."""

    asked = 0

    def wake(self) -> None:
        self.asked += 1


def idle_of(pool: WorkerPool) -> int:
    return len(pool._idle)


def at_rest(pool: WorkerPool) -> None:
    """Until nobody is outside and every worker inside lies idle."""
    until(lambda: not pool._outside and idle_of(pool) == len(pool._inside))


def ended(pool: WorkerPool) -> None:
    assert pool.shutdown(monotonic() + DEADLINE) == []


def stick(inside: threading.Event, stuck: threading.Event) -> None:
    inside.set()
    stuck.wait(DEADLINE)


def stuck_at(pool: WorkerPool, gate: Gate, many: int) -> list[Task]:
    """That many more bodies at the gate."""
    tasks = [Task(gate.wait_here) for _ in range(many)]
    already = gate.inside
    pool.submit_many(tasks)
    gate.wait_inside(already + many)
    return tasks


def leave(pool: WorkerPool, task: Task, abandoned: bool = False) -> bool:
    assert task.worker is not None
    return pool.leave(task.worker, task, abandoned)
