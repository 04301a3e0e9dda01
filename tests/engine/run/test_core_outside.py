"""What comes into a job from outside, and what its workers find when it has ended meanwhile."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.driven import Driven, kept_open
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source
from penstock import Batch, Slot
from penstock.observe import JobEnded, JobHeld, JobProgress
from penstock.run.messages import (
    Cancel,
    Close,
    Emitted,
    Message,
    Pause,
    Posted,
    Refused,
    Resize,
    Resume,
    Sample,
    SetStops,
    Step,
    Tick,
)

SLOT = {"value": Slot(object)}


# ---- jobs that are kept open


def test_a_job_that_is_kept_open_is_idle_when_nothing_is_left_and_runs_when_something_comes() -> (
    None
):
    job = kept_open(pass_on())
    statuses = [job.status]
    job.post("a.value", 1)
    statuses.append(job.status)
    job.work()
    statuses.append(job.status)
    job.feed(Close())
    statuses.append(job.status)

    assert statuses == ["IDLE", "RUNNING", "IDLE", "COMPLETED"]
    assert job.outputs == {"a.out": [1]}


def test_finish_waits_for_the_close() -> None:
    finished: list[int] = []
    made = routine(lambda self, value: None, slots=SLOT, finish=lambda self: finished.append(1))
    job = kept_open(made)
    job.post("a.value", 1)
    job.work()
    assert finished == []

    job.feed(Close())
    job.work()

    assert (finished, job.status) == ([1], "COMPLETED")


def test_a_job_that_is_closed_while_it_works_ends_after_that() -> None:
    job = kept_open(pass_on())
    job.post("a.value", 1, 2)
    job.feed(Close())
    assert job.status == "RUNNING"

    job.work()

    assert (job.status, job.outputs) == ("COMPLETED", {"a.out": [1, 2]})


def test_an_idle_job_can_be_held_stepped_and_resumed() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen))
    job.feed(Pause(1))
    assert (job.status, job.held.place) == ("PAUSED", "")
    job.post("a.value", 1, 2)
    job.feed(Step())
    job.work()
    assert (seen, job.status) == ([1], "PAUSED")

    job.feed(Resume(9))
    job.work()

    assert (seen, job.status) == ([1, 2], "IDLE")


@pytest.mark.parametrize("message", [Tick(), SetStops({}), Sample()])
def test_what_changes_nothing_leaves_a_job_idle(message: Message) -> None:
    job = kept_open(pass_on())

    job.feed(message)

    assert job.status == "IDLE"


def test_a_sample_tells_the_counters_behind_what_happened_before() -> None:
    job = kept_open(pass_on())
    job.post("a.value", 1)
    job.feed(Sample())
    job.work()
    job.feed(Sample())

    told = job.of(JobProgress)
    assert [event.status for event in told] == ["RUNNING", "IDLE"]
    assert [event.routines["a"].slots["value"].queued for event in told] == [1, 0]


def test_a_sample_tells_the_hold_again_to_who_comes_late() -> None:
    job = kept_open(pass_on())
    job.feed(Sample(hold=True))
    assert job.of(JobHeld) == []

    job.feed(Pause(1))
    job.post("a.value", 1)
    before = job.held
    job.feed(Sample())
    assert job.of(JobHeld)[-1] is before

    job.feed(Sample(hold=True))
    again = job.held
    assert again is not before
    assert (again.held_id, again.place) == (before.held_id, "a")
    assert again.messages == before.messages


def test_a_sample_that_comes_with_the_end_tells_them_once() -> None:
    job = kept_open(pass_on())
    job.feed(Sample(), Cancel())

    assert [event.status for event in job.of(JobProgress)] == ["CANCELLED"]
    assert isinstance(job.events[-1], JobEnded)


def test_nothing_changes_a_job_that_has_ended() -> None:
    job = kept_open(pass_on())
    job.post("a.value", 1)
    job.feed(Cancel())
    before = (job.status, job.slot_count("a.value"), len(job.events))
    slot, emitter = job.slot("a.value"), job.core.by_id["a"].emitters[0]

    job.feed(
        Posted(slot, 2), Emitted(emitter, 3), Pause(4), Resume(9), Step(), Close(), Cancel(), Tick()
    )
    job.feed(Resize(slot, 1), SetStops({"a": (1,)}), Sample(), Refused(ValueError()))

    assert (job.status, job.slot_count("a.value"), len(job.events)) == before


# ---- sent on as if emitted


def test_a_value_is_sent_on_to_all_that_the_event_goes_to() -> None:
    one: list[Any] = []
    two: list[Any] = []
    flow = flow_of(
        {"a": pass_on(), "x": sink(one), "y": sink(two)}, "a.out -> x.value", "a.out -> y.value"
    )
    job = kept_open(flow)

    job.feed(Emitted(job.core.by_id["a"].emitters[0], 5))
    job.work()

    assert one == two == [5]
    assert (job.count("a").emitted["out"], job.count("a").activations) == (1, 0)


def test_a_value_that_is_sent_on_from_an_unconnected_event_is_an_output() -> None:
    job = kept_open(pass_on())

    job.feed(Emitted(job.core.by_id["a"].emitters[0], 5))
    job.work()

    assert job.outputs == {"a.out": [5]}


def test_a_value_that_is_sent_on_from_the_unconnected_failed_goes_nowhere() -> None:
    job = kept_open(pass_on())

    job.feed(Emitted(job.core.by_id["a"].failed, 5))
    job.work()

    assert (job.outputs, job.count("a").emitted["failed"]) == ({"a.out": []}, 1)


# ---- what doesn't fit and holds nobody up


def test_what_waits_at_the_door_of_a_slot_holds_no_producer_up() -> None:
    seen: list[Any] = []
    job = kept_open(chain(source([]), sink(seen, capacity=1)))
    job.feed(Pause(1))
    slot = job.slot("b.value")

    for value in range(3):
        job.feed(Posted(slot, value, reserved=False, parks=True))
    count = job.slot_count("b.value")
    assert (count.depth, count.queued, count.high_water) == (1, 3, 1)
    assert job.core.by_id["a"].parked_out == 0
    job.feed(Resume(9), Close())
    job.work()

    assert (seen, job.status) == ([0, 1, 2], "COMPLETED")


# ---- the pool refuses


def test_a_job_whose_pool_refuses_work_fails_and_says_why() -> None:
    job = Driven(chain(burst([1]), pass_on()))
    job.start()
    job.feed(Refused(RuntimeError("cannot schedule new futures after shutdown")))

    assert job.status == "FAILED"
    error = job.core.error
    assert error is not None
    assert (error.routine, error.type) == ("", "RuntimeError")
    job.tokens.clear()


# ---- a fault of the engine's own


def test_after_a_fault_of_the_engine_the_job_is_over_for_everybody() -> None:
    job = kept_open(chain(source([1, 2]), pass_on()))
    job.post("b.value", 1)
    job.core.fail(RuntimeError("a fault"))
    job.feed()

    assert job.status == "FAILED"
    ended = job.of(JobEnded)
    assert [event.error.type for event in ended if event.error is not None] == ["RuntimeError"]
    assert all(run.over for run in job.core.runs)
    assert all(token.over for token in job.tokens)
    while job.tokens:
        job.run()
    assert job.outputs == {"b.out": []}


def test_whoever_was_to_be_woken_when_the_engine_failed_is_woken() -> None:
    job = kept_open(pass_on())
    latch = allocate_lock()
    job.core.tell.begin(job.time)
    job.core.more.wakes.append(latch)
    job.core.fail(RuntimeError("a fault"))

    assert job.core.taken().rare.wakes == [latch]


# ---- workers that come when the job has ended


def test_a_message_that_was_taken_and_not_begun_when_the_job_ended_is_queued_again() -> None:
    seen: list[Any] = []
    job = kept_open(sink(seen))
    job.post("a.value", 1, 2)
    job.hook_mark("a", lambda: job.feed(Cancel()))
    job.run("a")
    job.work()

    count = job.slot_count("a.value")
    assert seen == []
    assert (count.queued, count.in_flight) == (2, 0)
    assert [entry[0] for entry in job.core.by_id["a"].ready] == [1, 2]


def test_a_generator_that_was_taken_to_go_on_when_the_job_ended_is_closed() -> None:
    closed: list[str] = []

    def logic(self: Any) -> Iterator[None]:
        try:
            yield
            yield
        finally:
            closed.append("closed")

    job = Driven(chain(routine(logic, timeout=1e6)))
    job.start()
    job.run("a")
    job.news()
    job.hook_mark("a", lambda: job.feed(Pause(1)))
    job.run("a")
    job.feed(Cancel())
    job.news()

    assert job.status == "CANCELLED"
    assert len(job.closing) == 1
    assert closed == []
    job.closing[0].body.close()
    assert closed == ["closed"]


def test_a_finish_that_was_taken_when_the_job_ended_does_not_run() -> None:
    finished: list[int] = []
    made = routine(lambda self, value: None, slots=SLOT, finish=lambda self: finished.append(1))
    job = kept_open(made)
    job.feed(Close())
    job.hook_mark("a", lambda: job.feed(Cancel()))
    job.run("a")
    job.work()

    assert (job.status, finished) == ("CANCELLED", [])


def test_what_a_slice_did_before_the_end_still_counts() -> None:
    def logic(self: Any, value: int) -> None:
        if value == 2:
            job.feed(Cancel())
        if value == 3:
            raise ValueError

    job = kept_open(routine(logic, slots=SLOT))
    job.post("a.value", 1, 2, 3)
    job.run("a")
    job.work()

    count = job.count("a")
    assert (count.activations, count.slots["value"].consumed) == (2, 2)
    assert count.slots["value"].queued == 1


def test_a_body_that_fails_after_the_end_leaves_its_error() -> None:
    def logic(self: Any, value: int) -> None:
        job.feed(Cancel())
        raise ValueError(value)

    job = kept_open(routine(logic, slots=SLOT))
    job.post("a.value", 1)
    job.run("a")
    job.work()

    assert [failure.text for failure in job.core.dead_letters] == ["1"]
    assert job.slot_count("a.value").dead == 1


def test_a_job_that_completes_with_a_half_batch_and_a_half_pair_discards_the_pair_only() -> None:
    batches: list[Any] = []
    flow = flow_of({"b": sink(batches, activation=Batch(3)), "p": pair()})
    job = kept_open(flow)
    job.post("b.value", 1)
    job.post("p.left", 1, 2)
    job.feed(Close())
    job.work()

    assert batches == [[1]]
    assert job.of(JobEnded)[-1].discarded == {"p.left": 2}
