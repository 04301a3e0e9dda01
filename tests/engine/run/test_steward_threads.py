from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest

from helpers.locks import ActingLock
from helpers.waiting import until
from penstock.run.steward import _FEW, Steward

DEADLINE = 20.0
SOON = 0.02
LATE = 3600.0


class Job:
    """Notes when it was called, and on which thread."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self._act = act
        self.called = threading.Semaphore(0)
        self.times: list[float] = []
        self.threads: set[str] = set()

    def due(self) -> None:
        self.times.append(monotonic())
        self.threads.add(threading.current_thread().name)
        self._act()
        self.called.release()

    def wait(self) -> None:
        assert self.called.acquire(timeout=DEADLINE)


class Look:
    job_id = "d"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def drain(self) -> None:
        self._act()


class Watched(Steward):
    """Counts who asks it to wake up."""

    asked = 0

    def wake(self) -> None:
        self.asked += 1
        super().wake()


def thread_of(steward: Steward) -> threading.Thread | None:
    return steward._thread


def sleeps(steward: Steward) -> None:
    """Until it has looked at everything and sleeps."""
    until(lambda: not steward._guard.locked())


@pytest.fixture
def steward() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.stop(monotonic() + DEADLINE)
    thread = thread_of(made)
    assert thread is None or not thread.is_alive()


# ---- its thread


def test_it_has_no_thread_until_it_is_needed(steward: Watched) -> None:
    job = Job()
    steward.call_at(job, None)
    assert thread_of(steward) is None

    steward.call_at(job, steward.now())
    job.wait()

    assert job.threads == {"penstock-steward"}
    thread = thread_of(steward)
    assert thread is not None
    assert thread.daemon


def test_many_who_need_it_at_once_start_one_thread(steward: Watched) -> None:
    jobs = [Job() for _ in range(8)]
    together = threading.Barrier(8)

    def need(job: Job) -> None:
        together.wait(DEADLINE)
        steward.call_at(job, 0.0)

    callers = [threading.Thread(target=need, args=(job,)) for job in jobs]
    for caller in callers:
        caller.start()
    for job in jobs:
        job.wait()

    names = [thread.name for thread in threading.enumerate()]
    assert names.count("penstock-steward") == 1
    for caller in callers:
        caller.join()


def test_without_a_thread_to_be_had_it_says_so_and_tries_again(
    steward: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job()
    with monkeypatch.context() as without:

        def refuse(*_args: Any) -> None:
            raise RuntimeError("can't start new thread")

        without.setattr(threading.Thread, "start", refuse)
        steward.call_at(job, 0.0)
    assert "can't be started" in caplog.text
    caplog.clear()

    steward.wake()
    job.wait()


# ---- deadlines


def test_jobs_are_called_in_the_order_of_their_times_and_not_before(steward: Watched) -> None:
    order: list[int] = []
    begin = steward.now() + SOON
    jobs = [Job(lambda n=n: order.append(n)) for n in range(30)]  # type: ignore[misc]
    whens = {n: begin + n * 0.001 for n in range(30)}
    for n in Random(1).sample(range(30), 30):
        steward.call_at(jobs[n], whens[n])
    for job in jobs:
        job.wait()

    assert order == list(range(30))
    assert all(jobs[n].times[0] >= whens[n] for n in range(30))
    assert all(len(job.times) == 1 for job in jobs)


def test_a_time_that_has_passed_is_called_at_once(steward: Watched) -> None:
    job = Job()
    steward.call_at(job, steward.now() - LATE)
    job.wait()


def test_a_job_has_one_time_the_newest(steward: Watched) -> None:
    job, other = Job(), Job()
    steward.call_at(job, steward.now() + LATE)
    steward.call_at(job, steward.now() + SOON)
    job.wait()

    steward.call_at(job, steward.now() + SOON)
    steward.call_at(job, steward.now() + LATE)
    steward.call_at(other, steward.now() + 2 * SOON)
    other.wait()

    assert len(job.times) == 1


def test_none_takes_the_time_away(steward: Watched) -> None:
    job, other = Job(), Job()
    steward.call_at(job, steward.now() + SOON)
    steward.call_at(other, steward.now() + 2 * SOON)
    steward.call_at(job, None)
    other.wait()

    assert job.times == []


def test_a_job_may_ask_again_when_it_is_called(steward: Watched) -> None:
    job = Job(lambda: steward.call_at(job, steward.now()) if len(job.times) < 5 else None)
    steward.call_at(job, 0.0)
    for _ in range(5):
        job.wait()

    assert len(job.times) == 5


def test_only_an_earlier_time_wakes_it(steward: Watched) -> None:
    jobs = [Job() for _ in range(4)]
    now = steward.now()
    steward.call_at(jobs[0], now + 1000.0)
    sleeps(steward)
    until(lambda: steward._sleeps_until == now + 1000.0)
    asked = steward.asked

    steward.call_at(jobs[1], now + 1001.0)
    steward.call_at(jobs[1], now + 2000.0)
    steward.call_at(jobs[1], None)
    steward.call_at(jobs[2], None)
    steward.call_at(jobs[0], now + 3000.0)
    assert steward.asked == asked

    steward.call_at(jobs[3], now + 999.0)
    assert steward.asked == asked + 1


def test_a_time_given_as_it_falls_asleep_is_not_missed(steward: Watched) -> None:
    """Whatever it does at that moment; many times, as the moment is short."""
    job = Job()
    for n in range(1500):
        steward.call_at(job, 0.0)
        if n % 3 == 0:
            steward.wake()
        job.wait()


def test_what_comes_between_its_last_look_and_its_sleep_is_seen(steward: Watched) -> None:
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    guard = ActingLock(steward._guard)
    steward._guard = guard  # type: ignore[assignment]
    for _ in range(5):
        done, came = threading.Event(), threading.Event()

        def come(done: threading.Event = done, came: threading.Event = came) -> None:
            urgent.append(Look(done.set))
            steward.wake()
            came.set()

        guard.at_release = come
        steward.wake()
        assert came.wait(DEADLINE)
        assert done.wait(DEADLINE)
        sleeps(steward)


def test_the_end_that_comes_between_its_last_look_and_its_sleep_is_seen() -> None:
    steward = Steward()
    guard = ActingLock(steward._guard)
    steward._guard = guard  # type: ignore[assignment]
    stopped = threading.Event()

    def stop() -> None:
        steward.stop(monotonic())
        stopped.set()

    guard.at_release = stop
    steward.wake()
    assert stopped.wait(DEADLINE)
    thread = thread_of(steward)
    assert thread is not None
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_a_wake_up_in_the_moment_in_which_its_time_is_over_counts_once(steward: Watched) -> None:
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    latch = ActingLock(steward._latch)
    steward._latch = latch  # type: ignore[assignment]
    done = threading.Event()

    def come() -> None:
        urgent.append(Look(done.set))
        steward.wake()

    latch.at_time_out = come
    steward.call_at(Job(), steward.now() + LATE)
    assert done.wait(DEADLINE)
    sleeps(steward)
    assert latch.locked(), "that wake-up is used up"


def test_times_given_by_many_threads_are_all_kept(steward: Watched) -> None:
    jobs = [Job() for _ in range(300)]

    def give(first: int) -> None:
        chance = Random(first)
        for job in jobs[first::4]:
            for seconds in (chance.choice([None, LATE, 0.0, 0.001, 0.005]), 0.01, SOON):
                steward.call_at(job, None if seconds is None else steward.now() + seconds)

    givers = [threading.Thread(target=give, args=(n,)) for n in range(4)]
    for giver in givers:
        giver.start()
    for job in jobs:
        job.wait()
    for giver in givers:
        giver.join()
    until(lambda: not steward._next and not steward._heap)


def test_times_that_are_replaced_do_not_gather(steward: Watched) -> None:
    jobs = [Job() for _ in range(3)]
    for n in range(5000):
        steward.call_at(jobs[n % 3], steward.now() + LATE + n)

    assert len(steward._heap) <= 2 * 3 + _FEW + 1


def test_a_job_that_fails_is_logged_and_the_others_are_called(
    steward: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> None:
        raise SystemExit

    bad, good = Job(fault), Job()
    steward.call_at(bad, 0.0)
    steward.call_at(good, 1.0)
    good.wait()

    assert len(bad.times) == 1
    assert caplog.text.count("a deadline of") == 1
    caplog.clear()


# ---- drains


def test_it_drains_all_pools_it_serves(steward: Watched) -> None:
    one: deque[Any] = deque()
    other: deque[Any] = deque()
    steward.serve(one)
    steward.serve(other)
    done = threading.Semaphore(0)
    for _ in range(20):
        one.append(Look(done.release))
        other.append(Look(done.release))
    steward.wake()
    for _ in range(40):
        assert done.acquire(timeout=DEADLINE)


def test_no_drain_is_lost_as_it_falls_asleep(steward: Watched) -> None:
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    done = threading.Semaphore(0)

    def bring() -> None:
        for _ in range(400):
            urgent.append(Look(done.release))
            steward.wake()
            if len(urgent) > 3:
                sleeps(steward)

    bringers = [threading.Thread(target=bring) for _ in range(4)]
    for bringer in bringers:
        bringer.start()
    for _ in range(1600):
        assert done.acquire(timeout=DEADLINE)
    for bringer in bringers:
        bringer.join()


def test_drains_that_never_cease_do_not_hold_up_deadlines(steward: Watched) -> None:
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    job, stop = Job(), threading.Event()

    def again() -> None:
        if not stop.is_set():
            urgent.append(Look(again))

    urgent.append(Look(again))
    steward.call_at(job, steward.now() + SOON)
    steward.wake()
    job.wait()
    stop.set()


def test_a_drain_that_fails_is_logged(steward: Watched, caplog: pytest.LogCaptureFixture) -> None:
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    done = threading.Event()

    def fault() -> None:
        raise KeyboardInterrupt

    urgent.extend([Look(fault), Look(done.set)])
    steward.wake()
    assert done.wait(DEADLINE)

    assert "job d: the engine failed" in caplog.text
    caplog.clear()


# ---- rest and end


@pytest.mark.skipif(sys.platform != "linux", reason="counts switches in /proc")
@pytest.mark.parametrize("deadline", [None, LATE])
def test_with_nothing_due_it_never_wakes_up(steward: Watched, deadline: float | None) -> None:
    job = Job()
    steward.call_at(job, 0.0)
    job.wait()
    if deadline is not None:
        steward.call_at(job, steward.now() + deadline)
    thread = thread_of(steward)
    assert thread is not None
    sleeps(steward)
    status = Path(f"/proc/self/task/{thread.native_id}/status")

    def switches() -> str:
        lines = status.read_text().splitlines()
        return next(line for line in lines if line.startswith("voluntary_ctxt_switches"))

    tick, before = threading.Event(), ""
    for _ in range(100):
        before, now = switches(), before
        if now == before:
            break
        tick.wait(0.05)
    tick.wait(0.3)

    assert switches() == before


def test_after_its_end_it_does_nothing() -> None:
    steward, job = Steward(), Job()
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    steward.call_at(job, steward.now() + LATE)
    steward.stop(monotonic() + DEADLINE)
    thread = thread_of(steward)
    assert thread is not None
    assert not thread.is_alive()

    steward.call_at(job, 0.0)
    urgent.append(Look(lambda: None))
    steward.wake()
    assert (steward._heap, steward._next, len(urgent)) == ([], {}, 1)
    steward.stop(monotonic() + DEADLINE)
    assert job.times == []


def test_one_that_was_never_needed_starts_no_thread_at_its_end() -> None:
    steward = Steward()
    steward.stop(monotonic() + DEADLINE)
    steward.wake()
    assert thread_of(steward) is None


def test_before_it_ends_it_drains_what_is_there() -> None:
    steward = Steward()
    urgent: deque[Any] = deque()
    steward.serve(urgent)
    inside, go_on, done = threading.Event(), threading.Event(), list[int]()

    def first() -> None:
        inside.set()
        assert go_on.wait(DEADLINE)
        urgent.append(Look(lambda: done.append(2)))

    urgent.extend([Look(first), Look(lambda: done.append(1))])
    steward.wake()
    assert inside.wait(DEADLINE)
    steward.stop(monotonic())
    go_on.set()
    thread = thread_of(steward)
    assert thread is not None
    thread.join(DEADLINE)

    assert done == [1, 2]


def test_a_job_may_end_it(steward: Watched) -> None:
    job = Job(lambda: steward.stop(monotonic() + DEADLINE))
    steward.call_at(job, 0.0)
    job.wait()
    thread = thread_of(steward)
    assert thread is not None
    thread.join(DEADLINE)
    assert not thread.is_alive()
