"""What workers and the core do at the same time, one order after the other, fed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.driven import Driven, kept_open
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink
from penstock import AllSlots, Continue, Every, Routine, Slot
from penstock.observe import ActivationStarted, JobEnded, JobHeld, JobProgress
from penstock.run.messages import Cancel, Close, Pause, Resume, Sample, SetStops, Start, Step

SLOT = {"value": Slot(object)}
LONG = 1000.0


def standing(**attributes: Any) -> Routine:
    """A generator that emits before and after each of two bare yields."""

    def logic(self: Any, value: int) -> Iterator[None]:
        for n in range(2):
            self.out.emit((value, n))
            yield
        self.out.emit((value, 2))

    return routine(logic, slots=SLOT, timeout=LONG, **attributes)


def stands(job: Driven) -> None:
    """Run the generator of ``a`` to its first yield; it is granted to go on."""
    job.post("a.value", 1)
    job.run("a")
    job.news()
    assert len(job.core.by_id["a"].continued) == 1


# ---- taking back and taking


def test_what_a_worker_takes_while_it_is_taken_back_is_with_one_of_them() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen))
    job.post("a.value", 1)
    job.hook_recall("a", lambda: job.run("a"))

    job.feed(SetStops({"a": (1,)}))
    assert seen == [1]
    job.work()

    assert job.slot_count("a.value").consumed == 1


def test_what_a_worker_comes_for_when_the_gate_is_closed_is_taken_back() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen))
    job.post("a.value", 1)
    job.hook_recall("a", lambda: job.run("a"))

    job.feed(Pause(1))
    job.work()
    assert (seen, job.slot_count("a.value").queued) == ([], 1)
    job.feed(Resume(9))
    job.work()

    assert seen == [1]


def test_a_generator_that_a_worker_goes_on_with_while_it_is_taken_back_is_not_doubled() -> None:
    job = kept_open(standing())
    stands(job)
    job.hook_recall("a", lambda: job.run("a"), queue="continued")

    job.feed(SetStops({"a": (1,)}))
    assert list(job.core.by_id["a"].emitters[0].pending) == [(1, 1)]
    job.work()

    assert job.outputs == {"a.out": [(1, 0), (1, 1), (1, 2)]}
    assert job.slot_count("a.value").consumed == 1


def test_a_generator_that_was_taken_and_finds_the_gate_closed_stands_on() -> None:
    job = kept_open(standing())
    stands(job)
    job.hook_mark("a", lambda: job.feed(Pause(1)))
    job.run("a")
    job.work()
    assert job.outputs == {"a.out": [(1, 0)]}
    assert (job.status, job.held.place) == ("PAUSED", "a")

    job.feed(Resume(9))
    job.work()

    assert job.outputs == {"a.out": [(1, 0), (1, 1), (1, 2)]}


def test_what_a_step_let_go_is_left_to_it_when_another_body_reports() -> None:
    during: list[int] = []

    def logic(self: Any, value: int) -> None:
        if value == 1:
            job.feed(Pause(1))
            job.post("a.value", 2)
            job.feed(Step())
        self.out.emit(value)

    job = kept_open(routine(logic, slots=SLOT, max_parallel=2))
    job.post("a.value", 1)
    job.run("a")
    job.news()
    during.append(len(job.core.by_id["a"].grant))
    job.work()

    assert during == [1]
    assert job.outputs == {"a.out": [1, 2]}
    assert job.status == "PAUSED"


def test_stops_that_are_set_leave_to_a_step_what_it_let_go() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen))
    job.feed(Pause(1))
    job.post("a.value", 1, 2)
    job.feed(Step())

    job.feed(SetStops({"a": (1,)}))
    job.work()

    assert (seen, job.status) == ([1], "PAUSED")


# ---- a time-out and its body


def test_a_generator_that_a_worker_takes_when_its_time_is_over_is_late_a_moment_later() -> None:
    job = kept_open(standing(on_error=Continue()))
    stands(job)
    job.hook_pop("a", lambda: job.pass_time(LONG), queue="continued")
    job.run("a")
    deadline = job.core.deadline()
    assert deadline is not None
    assert deadline - job.time < 1
    assert not job.core.dead_letters
    job.news()

    job.pass_time(1)
    job.work()

    assert [failure.type for failure in job.core.dead_letters] == ["RoutineTimeout"]
    assert job.outputs == {"a.out": [(1, 0), (1, 1)]}
    assert job.slot_count("a.value").dead == 1


def test_a_generator_that_comes_to_a_yield_when_its_time_is_over_is_closed() -> None:
    closed: list[int] = []

    def logic(self: Any, value: int) -> Iterator[None]:
        try:
            job.news()
            yield
        finally:
            closed.append(value)

    job = kept_open(routine(logic, slots=SLOT, timeout=LONG, on_error=Continue()))
    job.post("a.value", 1)
    job.hook_report("a", lambda: job.pass_time(LONG))
    job.run("a")
    job.news()

    assert (len(job.closing), closed) == (1, [])
    job.closing[0].body.close()
    assert closed == [1]
    assert job.slot_count("a.value").dead == 1


def test_a_generator_that_came_to_a_yield_when_the_job_ended_is_closed() -> None:
    job = kept_open(standing())
    job.post("a.value", 1)
    job.run("a")

    job.feed(Cancel())
    job.news()

    assert [body.entry[1] for body in job.closing] == [1]
    job.closing[0].body.close()


def test_a_late_body_that_ends_after_the_job_is_not_counted_twice() -> None:
    during: list[str] = []

    def logic(self: Any, value: int) -> None:
        job.news()
        job.pass_time(LONG)
        job.feed(Close())
        during.append(job.status)

    job = kept_open(routine(logic, slots=SLOT, timeout=LONG, on_error=Continue()))
    job.post("a.value", 1)
    job.run("a")
    job.work()

    assert during == ["COMPLETED"]
    slot = job.slot_count("a.value")
    assert (job.count("a").activations, slot.dead, slot.consumed) == (1, 1, 0)


# ---- room


def test_a_body_that_took_its_message_has_made_room_though_it_lasts() -> None:
    seen: list[Any] = []
    depths: list[int] = []

    def logic(self: Any, value: int) -> None:
        job.news()
        depths.append(job.slot_count("b.value").depth)
        seen.append(value)

    slots = {"value": Slot(int, capacity=1)}
    job = Driven(chain(burst(range(3)), routine(logic, slots=slots)))
    job.start()
    job.run("a")
    job.news()
    assert (job.slot_count("b.value").depth, job.core.parked) == (1, 2)
    job.work()

    assert seen == [0, 1, 2]
    assert depths == [1, 1, 0]


def test_a_key_that_raises_at_what_was_parked_ends_the_job_and_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def key(value: int) -> int:
        if value == 3:
            raise ValueError("three")
        return value % 2

    flow = flow_of(
        {"s": burst(range(6)), "p": pair(2, activation=AllSlots(match=key))}, "s.out -> p.left"
    )
    job = kept_open(flow)
    job.work()
    assert job.core.parked == 4
    caplog.clear()  # it is stalled
    job.post("p.right", 10, 11)
    job.work()

    assert str(job.core.error) == "p: ValueError: three"
    count = job.slot_count("p.left")
    assert (count.posted, count.dead) == (6, 1)


def test_parameters_have_their_places_before_anybody_posts() -> None:
    job = Driven(flow_of({"p": pair(capacity=1)}))
    start = Start((("p.left", 1), ("p.right", 2)), keep_open=True)
    job.core.reserve_for(start)
    assert [job.slot(f"p.{name}").free() for name in ("left", "right")] == [0, 0]

    job.feed(start)
    job.work()

    assert [job.slot(f"p.{name}").free() for name in ("left", "right")] == [1, 1]
    assert job.outputs == {"p.out": [(1, 2)]}


def test_what_comes_while_an_interval_lasts_sets_no_second_timer() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen, activation=Every(LONG)))
    for value in range(4):
        job.post("a.value", value)
        job.work()
    assert seen == [0]

    for many in (2, 3, 4):
        job.pass_time(LONG)
        job.work()
        assert seen == list(range(many))

    assert job.core.deadline() is None


# ---- nobody listens


def test_what_nobody_listens_to_is_not_told() -> None:
    kinds = (JobProgress, JobEnded, JobHeld, ActivationStarted)
    job = kept_open(pass_on(), deaf_to=kinds)
    job.feed(Sample())
    job.feed(Pause(1))
    job.post("a.value", 1)
    job.feed(Resume(9))
    job.work()
    job.feed(Cancel())

    assert job.status == "CANCELLED"
    assert not [event for event in job.events if isinstance(event, kinds)]
    assert job.events
