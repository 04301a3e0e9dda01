"""Small scenarios around the critical sections of the pool and the steward.

Each runs on the thread of the director and raises, or leaves somebody waiting for ever, when the
engine is wrong under the schedule of the seed. `seed` also chooses among variants.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from helpers.schedules import FOREVER, Event, World, together
from penstock.run.pool import WorkerPool
from penstock.run.steward import Steward
from penstock.run.worker import Worker

# ---- the pool


class _Task:
    """A piece of work that calls a function."""

    job_id = "j"
    routine = "r"

    def __init__(self, act: Callable[[_Task, Worker], object]) -> None:
        self.since = 0.0
        self._act = act

    def run(self, by: Worker) -> None:
        self._act(self, by)


class _Drain:
    """A drain that calls a function."""

    job_id = "j"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def drain(self) -> None:
        self._act()


def all_work_is_done(world: World, seed: int) -> None:
    """By two threads that submit to one or two workers; drains too."""
    made = WorkerPool(1 + seed % 2)
    done: list[Any] = []

    def note(what: Any) -> _Task:
        return _Task(lambda *_: done.append(what))

    def submit(who: int) -> Callable[[], None]:
        def act() -> None:
            made.submit_many([note((who, 0))])
            made.submit_drain(_Drain(lambda: done.append((who, 1))))
            made.submit_many([note((who, 2)), note((who, 3))])

        return act

    together(world, submit(0), submit(1))
    world.until_quiet()
    assert sorted(done) == [(who, n) for who in range(2) for n in range(4)], done


def work_is_done_though_its_wake_up_finds_nobody(world: World, seed: int) -> None:
    """The only worker gets up by itself, and lies down again, while others wake it."""
    made = WorkerPool(1)
    done: list[int] = []

    def submit(first: int) -> Callable[[], None]:
        def act() -> None:
            for n in (first, first + 1):
                made.submit_many([_Task(lambda *_, n=n: done.append(n))])

        return act

    together(world, submit(0), submit(2))
    world.until_quiet()
    assert sorted(done) == [0, 1, 2, 3], done


def work_gets_all_the_workers(world: World, seed: int) -> None:
    """Two pieces of work that need each other find a worker each."""
    made = WorkerPool(2)
    events = [Event(world), Event(world)]

    def meet(i: int) -> _Task:
        def act(*_: Any) -> None:
            events[i].set()
            events[1 - i].wait()

        return _Task(act)

    for _ in range(2):
        if seed % 3:
            together(
                world, lambda: made.submit_many([meet(0)]), lambda: made.submit_many([meet(1)])
            )
        else:
            made.submit_many([meet(0), meet(1)])
        world.until_quiet()
        for event in events:
            assert event.is_set(), "work is left lying"
            event.clear()
        assert made.busy == 0, "one of them waits for a worker"


def drains_come_though_all_workers_are_busy(world: World, seed: int) -> None:
    """The steward takes what no worker has time for."""
    made = WorkerPool(1)
    drained = Event(world)
    made.submit_many([_Task(lambda *_: drained.wait())])
    together(world, lambda: made.submit_drain(_Drain(drained.set)))
    world.until_quiet()
    assert drained.is_set()
    assert made.busy == 0


def workers_leave_and_come_back(world: World, seed: int) -> None:
    """As many are inside as there should be: no more at once, and none is missing."""
    made = WorkerPool(1)
    inside: list[int] = []
    most: list[int] = []
    gate = Event(world)

    def stands(task: _Task, by: Worker) -> None:
        if seed % 2:
            made.leave(by, task)
        gate.wait()

    def runs(*_: Any) -> None:
        inside.append(1)
        most.append(len(inside))
        world.point()
        world.point()
        inside.pop()

    first = _Task(stands)

    def leave() -> None:
        for by in list(made._inside):
            made.leave(by, first)

    made.submit_many([first])
    together(world, leave, lambda: made.submit_many([_Task(runs), _Task(runs)]), gate.set)
    made.submit_many([_Task(runs), _Task(runs)])
    world.until_quiet()
    assert len(most) == 4, "work is left lying"
    assert max(most) == 1, "more run at once than the pool has"
    assert (made.busy, made.abandoned) == (0, 0)
    assert len(made._inside) + made._missing == 1, (made._inside, made._missing)
    assert not made._outside


def who_has_gone_on_is_not_taken_out(world: World, seed: int) -> None:
    """A worker is taken out of the count for what it was in, not for what it is in now."""
    made = WorkerPool(1)
    inside: list[int] = []

    def runs(*_: Any) -> None:
        inside.append(1)
        assert len(inside) == 1, "more run at once than the pool has"
        Event(world).wait(1.0)  # another worker would run the other one now
        inside.pop()

    for _ in range(3):
        short = _Task(lambda *_: None)
        only = made._inside[0]
        made.submit_many([short])
        together(world, lambda: made.leave(only, short))  # noqa: B023  it is over then
        made.submit_many([_Task(runs), _Task(runs)])
        world.pass_time(10.0)
        assert len(made._inside) == 1, made._inside
        assert not made._outside


def work_goes_on_when_workers_leave(world: World, seed: int) -> None:
    """Whoever stands for ever is replaced, whether it left before or after the work came."""
    made = WorkerPool(1)
    done = Event(world)

    def stands(task: _Task, by: Worker) -> None:
        made.leave(by, task)
        done.wait()

    made.submit_many([_Task(stands)])
    together(world, lambda: made.submit_many([_Task(lambda *_: done.set())]))
    world.until_quiet()
    assert done.is_set(), "work is left lying"
    assert made.busy == 0


def the_pool_ends(world: World, seed: int) -> None:
    """All its threads do, whatever comes meanwhile."""
    made = WorkerPool(2)
    made.submit_many([_Task(lambda *_: world.point())])

    def submit() -> None:
        made.submit_many([_Task(lambda *_: world.point())])
        made.submit_drain(_Drain(lambda: None))

    def leave() -> None:
        for by in list(made._inside):
            work = by.work
            if work is not None:
                made.leave(by, work)

    left: list[list[str]] = []
    together(world, lambda: left.append(made.shutdown(world.now + 2 * FOREVER)), submit, leave)
    world.until_quiet()
    assert left == [[]], left
    assert not made.infos()


# ---- the steward


class _Due:
    """Something with a deadline; notes when it was called and may ask for more."""

    def __init__(self, world: World, made: Steward, again: int) -> None:
        self._world = world
        self._steward = made
        self._again = again
        self.called: list[float] = []

    def due(self) -> None:
        self.called.append(self._world.now)
        if len(self.called) <= self._again:
            self._steward.call_at(self, self._world.now + 5.0)


def deadlines_are_kept(world: World, seed: int) -> None:
    """Each is called at its time, not before and not forgotten, however they are changed."""
    made = Steward()
    start = world.now
    jobs = [_Due(world, made, again=i % 2) for i in range(3)]

    def set_times(i: int, *times: float | None) -> Callable[[], None]:
        def act() -> None:
            for seconds in times:
                made.call_at(jobs[i], None if seconds is None else start + seconds)

        return act

    together(world, set_times(0, 50.0, 20.0), set_times(1, 30.0, None, 10.0), set_times(2, 40.0))
    world.pass_time(200.0)
    for job, at, again in zip(jobs, (20.0, 10.0, 40.0), (0, 1, 0), strict=True):
        times = [when - start for when in job.called]
        assert len(times) > again, ("a deadline was forgotten", times)
        assert times[-1 - again] >= at, (at, times)


def the_steward_drains(world: World, seed: int) -> None:
    """What is left to it while it goes to sleep is done."""
    made = Steward()
    urgent: deque[Any] = deque()
    made.serve(urgent)
    done: list[int] = []

    def leave(n: int) -> Callable[[], None]:
        def act() -> None:
            made.call_at(_Due(world, made, again=0), world.now + 0.001 * n)
            urgent.append(_Drain(lambda: done.append(n)))
            made.wake()

        return act

    together(world, leave(0), leave(1), leave(2))
    world.until_quiet()
    assert sorted(done) == [0, 1, 2], done
    made.stop(world.now + 2 * FOREVER)
    assert made._thread is None or not made._thread.is_alive()
