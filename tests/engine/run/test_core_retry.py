"""Activations that are tried again, and routines that are skipped, in a job fed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.driven import Driven, closed, kept_open
from helpers.flows import burst, chain, failing, flow_of, pair, routine, sink
from penstock import (
    AnySlot,
    Batch,
    Continue,
    Every,
    Failure,
    Latest,
    Retry,
    Routine,
    Skip,
    Slot,
    Stop,
)
from penstock.observe import ActivationFailed, MessageDropped
from penstock.run.messages import Cancel, Pause, Posted, Resume, SetStops, Step

SLOT = {"value": Slot(object)}
LONG = 1000.0
"""Seconds: many batches of a job by hand, each of which takes one."""


class Flaky:
    """A body that emits each value twice and fails the first so many times of each."""

    def __init__(self, *values: Any, times: int = 1) -> None:
        self.tries: list[Any] = []
        self._bad = values
        self._times = times

    def routine(self, **attributes: Any) -> Routine:
        def logic(body: Any, value: Any) -> None:
            self.tries.append(value)
            body.out.emit(value)
            if value in self._bad and self.tries.count(value) <= self._times:
                raise ValueError(value)
            body.out.emit(value)

        return routine(logic, slots=SLOT, **attributes)


def actions(job: Driven) -> list[str]:
    return [event.action for event in job.of(ActivationFailed)]


# ---- tried again


def test_an_activation_that_raises_is_tried_again_with_the_same_message() -> None:
    flaky = Flaky(2)
    job = Driven(chain(burst([1, 2, 3]), flaky.routine(on_error=Retry(), max_parallel=1)))
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert flaky.tries == [1, 2, 2, 3]
    assert job.outputs["b.out"] == [1, 1, 2, 2, 3, 3]
    count = job.count("b")
    assert (count.activations, count.failures, count.revoked) == (4, 1, 1)
    assert (count.slots["value"].consumed, count.slots["value"].dead) == (3, 0)
    assert actions(job) == ["retry"]


@pytest.mark.parametrize(
    ("then", "status", "action"),
    [
        (Stop(), "FAILED", "stop"),
        (Continue(), "COMPLETED", "continue"),
        (Skip(), "COMPLETED", "skip"),
    ],
)
def test_when_no_tries_are_left_comes_what_comes_then(
    then: Stop | Continue | Skip, status: str, action: str
) -> None:
    flaky = Flaky(1, times=9)
    job = Driven(
        chain(burst([1, 2]), flaky.routine(on_error=Retry(times=2, then=then), max_parallel=1))
    )
    job.start()
    job.work()

    assert job.status == status
    assert actions(job) == ["retry", "retry", action]
    told = [event.failure.attempt for event in job.of(ActivationFailed)]
    assert told == [1, 2, 3]
    assert flaky.tries == [1, 1, 1] + [2] * (action == "continue")
    assert job.slot_count("b.value").dead == 1
    assert job.count("b").revoked == 3
    assert job.slot_count("b.value").skipped == (action == "skip")


def test_the_failure_of_the_last_try_goes_where_failed_is_connected() -> None:
    failures: list[Failure] = []
    flaky = Flaky(1, times=9)
    job = Driven(
        flow_of(
            {
                "s": burst([1]),
                "bad": flaky.routine(on_error=Retry(times=1)),
                "z": sink(failures),
            },
            "s.out -> bad.value",
            "bad.failed -> z.value",
        )
    )
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert [failure.attempt for failure in failures] == [2]
    assert actions(job) == ["retry", "deliver"]


def test_what_is_none_of_the_errors_meant_is_not_tried_again() -> None:
    flaky = Flaky(1)
    job = Driven(chain(burst([1]), flaky.routine(on_error=Retry(on=KeyError, then=Continue()))))
    job.start()
    job.work()

    assert (flaky.tries, actions(job)) == ([1], ["continue"])


def test_finish_is_not_tried_again() -> None:
    finished: list[int] = []

    def finish(self: Any) -> None:
        finished.append(1)
        raise ValueError

    made = routine(
        lambda self, value: None, slots=SLOT, finish=finish, on_error=Retry(then=Continue())
    )
    job = Driven(chain(burst([1]), made))
    job.start()
    job.work()

    assert (job.status, finished, actions(job)) == ("COMPLETED", [1], ["continue"])


def test_a_message_that_waits_for_its_try_holds_up_those_behind_it() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(delay=LONG), max_parallel=1))
    job.post("a.value", 1, 2)
    job.work()
    assert flaky.tries == [1]
    assert (job.count("a").status, job.slot_count("a.value").in_flight) == ("retrying", 1)
    job.post("a.value", 3)
    job.work()
    assert flaky.tries == [1]

    job.pass_time(LONG)
    closed(job)

    assert flaky.tries == [1, 1, 2, 3]


@pytest.mark.parametrize("wait", [0.0, LONG])
def test_with_more_at_once_those_behind_it_go_on(wait: float) -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(delay=wait), max_parallel=2))
    job.post("a.value", 1, 2, 3)
    job.work()
    assert flaky.tries == ([1, 1, 2, 3] if not wait else [1, 2, 3])

    job.pass_time(LONG)
    closed(job)

    assert sorted(flaky.tries) == [1, 1, 2, 3]


def test_two_that_wait_for_their_tries_count_both() -> None:
    flaky = Flaky(1, 2)
    job = kept_open(flaky.routine(on_error=Retry(delay=LONG), max_parallel=2))
    job.post("a.value", 1, 2, 3)
    job.work()
    assert flaky.tries == [1, 2]
    assert (job.core.by_id["a"].retrying, job.slot_count("a.value").queued) == (2, 1)

    job.pass_time(LONG)
    closed(job)

    assert sorted(flaky.tries) == [1, 1, 2, 2, 3]


def test_waits_grow_and_a_fraction_is_left_to_chance() -> None:
    """The chance of a job by hand is always one half."""
    flaky = Flaky(1, times=9)
    policy = Retry(times=3, delay=LONG, backoff=4.0, max_delay=LONG * 10, jitter=0.5)
    job = kept_open(flaky.routine(on_error=policy))
    job.post("a.value", 1)
    job.work()

    waits = []
    while (when := job.core.deadline()) is not None:
        waits.append(when - job.time)
        job.pass_time(when - job.time)
        job.work()

    assert job.status == "FAILED"
    expected = [LONG * 0.75, LONG * 4 * 0.75, LONG * 10 * 0.75]
    assert waits == pytest.approx(expected, abs=10)


def test_a_job_does_not_end_while_something_waits_for_its_try() -> None:
    flaky = Flaky(1)
    job = Driven(chain(burst([1]), flaky.routine(on_error=Retry(delay=LONG))))
    job.start()
    job.work()
    assert job.status == "RUNNING"

    job.pass_time(LONG)
    job.work()

    assert (job.status, flaky.tries) == ("COMPLETED", [1, 1])


def test_tries_stand_still_while_the_job_is_held() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(delay=100.0)))
    job.post("a.value", 1)
    job.work()
    job.feed(Pause(1))
    job.pass_time(LONG)
    assert job.core.deadline() is None
    job.feed(Resume(9))
    job.work()
    assert flaky.tries == [1]

    job.pass_time(100)
    closed(job)

    assert flaky.tries == [1, 1]


def test_a_failure_that_is_reported_while_the_job_is_held_is_tried_after_it() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry()))
    job.post("a.value", 1)
    job.run("a")
    job.feed(Pause(1))
    job.work()
    assert (flaky.tries, job.status) == ([1], "PAUSED")
    assert [m.number for m in job.held.messages] == [1]

    job.feed(Step())
    job.work()

    assert flaky.tries == [1, 1]
    assert job.outputs["a.out"] == [1, 1]
    job.feed(Resume(9))
    closed(job)


def test_cancel_ends_a_job_in_which_something_waits_for_its_try() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(delay=LONG)))
    job.post("a.value", 1)
    job.work()

    job.feed(Cancel())

    assert (job.status, job.core.deadline()) == ("CANCELLED", None)
    assert job.slot_count("a.value").in_flight == 1


def test_a_set_of_messages_is_tried_again_as_a_set() -> None:
    tries: list[Any] = []

    def logic(self: Any, left: int, right: int) -> None:
        tries.append((left, right))
        if len(tries) == 1:
            raise ValueError

    slots = {"left": Slot(int), "right": Slot(int)}
    made = routine(logic, slots=slots, on_error=Retry(), max_parallel=1)
    job = kept_open(flow_of({"p": made}))
    job.post("p.left", 1, 2)
    job.post("p.right", 3, 4)
    closed(job)

    assert tries == [(1, 3), (1, 3), (2, 4)]


def test_a_batch_is_tried_again_as_a_batch() -> None:
    flaky = Flaky([1, 2])
    job = kept_open(flaky.routine(on_error=Retry(), activation=Batch(2), max_parallel=1))
    job.post("a.value", 1, 2, 3)
    closed(job)

    assert flaky.tries == [[1, 2], [1, 2], [3]]
    assert job.outputs["a.out"] == [[1, 2], [1, 2], [3], [3]]


def test_the_latest_does_not_pass_over_what_is_tried_again() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(delay=LONG), activation=Latest(), max_parallel=1))
    job.post("a.value", 1)
    job.work()
    job.post("a.value", 2, 3)
    job.pass_time(LONG)
    closed(job)

    assert flaky.tries == [1, 1, 3]
    assert job.slot_count("a.value").superseded == 1


def test_a_step_goes_to_what_was_told_as_next_also_when_the_latest_is_tried_again() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(), activation=Latest(), max_parallel=1))
    job.post("a.value", 1)
    job.run("a")
    job.feed(Pause(1))
    job.news()
    job.post("a.value", 2)
    job.work()
    assert [m.number for m in job.held.messages] == [1]

    job.feed(Step())
    job.work()

    assert flaky.tries == [1, 1]
    assert [m.number for m in job.held.messages] == [2]


def test_a_try_waits_for_no_interval() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(), activation=Every(LONG), max_parallel=1))
    job.post("a.value", 1)
    job.work()
    job.post("a.value", 2)
    job.work()
    assert flaky.tries == [1, 1]

    job.pass_time(LONG)
    closed(job)

    assert flaky.tries == [1, 1, 2]


def test_a_source_can_be_tried_again() -> None:
    tries: list[int] = []

    def logic(self: Any) -> None:
        tries.append(1)
        self.out.emit(len(tries))
        if len(tries) < 3:
            raise ValueError

    job = Driven(chain(routine(logic, on_error=Retry())))
    job.start()
    job.work()

    assert job.outputs == {"a.out": [3]}
    assert job.count("a").revoked == 2


def test_what_a_generator_emits_is_kept_back_until_it_ends() -> None:
    tries: list[int] = []

    def logic(self: Any, value: int) -> Iterator[None]:
        tries.append(value)
        self.out.emit((value, "first"))
        yield
        if len(tries) == 1:
            raise ValueError
        self.out.emit((value, "second"))

    made = routine(logic, slots=SLOT, on_error=Retry(), timeout=10 * LONG)  # stands at each yield
    job = kept_open(made)
    job.post("a.value", 7)
    job.run("a")
    job.news()
    assert job.outputs == {"a.out": []}
    assert len(job.core.by_id["a"].continued) == 1

    closed(job)

    assert tries == [7, 7]
    assert job.outputs == {"a.out": [(7, "first"), (7, "second")]}
    assert job.count("a").revoked == 1


def test_what_was_kept_back_and_does_not_fit_holds_the_routine_up() -> None:
    seen: list[Any] = []
    job = Driven(
        chain(burst([1, 2]), Flaky().routine(on_error=Retry(), max_parallel=1), sink(seen, 1))
    )
    job.start()
    job.run("a")
    job.news()
    job.run("b")
    assert job.core.by_id["b"].stop, "it has emitted two where one fits"
    job.news()
    assert job.count("b").status == "gated"
    job.work()

    assert seen == [1, 1, 2, 2]


def test_a_breakpoint_is_not_hit_again_by_a_try() -> None:
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Retry(), max_parallel=1))
    job.feed(SetStops({"a": (1,)}))
    job.post("a.value", 1)
    job.work()
    assert job.status == "PAUSED"

    job.feed(Resume(job.held.generation))
    closed(job)

    assert flaky.tries == [1, 1]


# ---- skipped


def test_a_routine_that_is_skipped_takes_nothing_any_more() -> None:
    flaky = Flaky(1, times=9)
    job = kept_open(flaky.routine(on_error=Skip(), max_parallel=1))
    job.post("a.value", 1, 2, 3)
    job.work()
    job.post("a.value", 4)
    job.work()

    count = closed(job).slot_count("a.value")

    assert flaky.tries == [1]
    assert (count.dead, count.skipped, count.posted, count.queued) == (1, 3, 4, 0)
    told = [(event.value.text, event.reason) for event in job.of(MessageDropped)]
    assert told == [("2", "skipped"), ("3", "skipped"), ("4", "skipped")]
    assert [failure.slots["value"] for failure in job.core.dead_letters] == [1]


def test_a_skipped_routine_says_so_and_does_not_finish() -> None:
    finished: list[int] = []
    flaky = Flaky(1)
    job = kept_open(flaky.routine(on_error=Skip(), finish=lambda self: finished.append(1)))
    job.post("a.value", 1)
    job.work()
    assert job.count("a").status == "skipped"

    closed(job)

    assert finished == []


def test_what_is_parked_for_a_skipped_routine_goes_and_its_producers_go_on() -> None:
    made = failing(lambda: ValueError("no"), capacity=2, on_error=Skip())
    job = Driven(chain(burst(range(10)), made))
    job.start()
    job.work()

    count = job.slot_count("b.value")
    assert job.status == "COMPLETED"
    assert (count.dead, count.skipped, count.high_water) == (1, 9, 2)
    assert job.core.parked == job.core.by_id["a"].parked_out == 0


def test_halves_that_wait_for_a_partner_are_skipped_too() -> None:
    def logic(self: Any, left: int, right: int) -> None:
        raise ValueError

    slots = {"left": Slot(int), "right": Slot(int)}
    job = kept_open(flow_of({"p": routine(logic, slots=slots, on_error=Skip())}))
    job.feed(Pause(1))
    job.post("p.left", 1, 2, 3)
    job.post("p.right", 4, 5)
    job.feed(Step())
    job.work()
    job.feed(Resume(9))
    closed(job)

    left, right = job.slot_count("p.left"), job.slot_count("p.right")
    assert (left.dead, left.skipped) == (1, 2)
    assert (right.dead, right.skipped) == (1, 1)


def test_a_batch_that_waits_for_its_time_is_skipped_with_its_clock() -> None:
    flaky = Flaky([1, 2])
    made = flaky.routine(on_error=Skip(), activation=Batch(2, max_wait=LONG), max_parallel=1)
    job = kept_open(made)
    job.post("a.value", 1, 2, 3)
    job.work()

    assert job.core.deadline() is None
    assert closed(job).slot_count("a.value").skipped == 1


def test_what_waits_for_its_try_is_skipped_at_its_time() -> None:
    tries: list[int] = []

    def logic(self: Any, value: int) -> None:
        tries.append(value)
        raise KeyError if value == 1 else ValueError

    policy = Retry(delay=LONG, on=KeyError, then=Skip())
    job = kept_open(routine(logic, slots=SLOT, on_error=policy, max_parallel=2))
    job.post("a.value", 1, 2, 3)
    job.work()
    job.pass_time(LONG)

    count = closed(job).slot_count("a.value")

    assert tries == [1, 2]
    assert (count.dead, count.skipped) == (1, 2)


def test_a_second_failure_of_a_skipped_routine_is_kept_and_not_tried_again() -> None:
    flaky = Flaky(1, 2, times=9)
    made = flaky.routine(on_error=Retry(times=1, then=Skip()), max_parallel=2, timeout=10 * LONG)
    job = kept_open(made)
    job.post("a.value", 1)
    job.run("a")
    job.news()
    job.post("a.value", 2)
    job.run("a")
    job.run("a")
    closed(job)

    assert len(job.core.dead_letters) == job.slot_count("a.value").dead == 2
    assert actions(job) == ["retry", "skip", "skip"]


def test_a_generator_that_stands_when_its_routine_is_skipped_runs_to_its_end() -> None:
    def logic(self: Any, value: int) -> Iterator[None]:
        if value == 2:
            raise ValueError
        yield
        self.out.emit(value)

    made = routine(logic, slots=SLOT, max_parallel=2, on_error=Skip(), timeout=10 * LONG)
    job = kept_open(made)
    job.feed(Posted(job.slot("a.value"), 1, False), Posted(job.slot("a.value"), 2, False))
    job.run("a")
    job.run("a")
    closed(job)

    assert job.outputs == {"a.out": [1]}
    assert (job.slot_count("a.value").consumed, job.slot_count("a.value").dead) == (1, 1)


def test_any_slot_of_a_skipped_routine_is_emptied() -> None:
    def logic(self: Any, one: Any = None, two: Any = None) -> None:
        raise ValueError

    slots = {"one": Slot(object), "two": Slot(object)}
    made = routine(logic, slots=slots, on_error=Skip(), activation=AnySlot(), max_parallel=1)
    job = kept_open(made)
    job.post("a.one", 1)
    job.post("a.two", 2)
    job.post("a.one", 3)
    closed(job)

    assert (job.slot_count("a.one").dead, job.slot_count("a.one").skipped) == (1, 1)
    assert job.slot_count("a.two").skipped == 1


def test_the_other_errors_of_the_same_batch_are_told_when_one_stops_the_job() -> None:
    flaky = Flaky(1, 2, times=9)
    made = flaky.routine(on_error=Stop(), max_parallel=2)
    job = kept_open(made)
    job.post("a.value", 1)
    job.post("a.value", 2)
    job.run("a")
    job.run("a")
    job.work()

    assert job.status == "FAILED"
    assert job.slot_count("a.value").dead == 2
    told = {event.failure.text for event in job.of(ActivationFailed)}
    assert told == {"1", "2"}
    assert len(job.core.dead_letters) + (job.core.error is not None) == 2


def test_a_pair_of_a_failing_join_is_dead_in_both_slots() -> None:
    def logic(self: Any, left: int, right: int) -> None:
        raise ValueError

    slots = {"left": Slot(int), "right": Slot(int)}
    job = Driven(
        flow_of(
            {
                "l": burst([1]),
                "r": burst([2]),
                "p": routine(logic, slots=slots, on_error=Continue()),
                "q": pair(),
            },
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )
    job.start()
    job.work()

    assert [job.slot_count(f"p.{name}").dead for name in slots] == [1, 1]
    assert dict(job.core.dead_letters[0].slots) == {"left": 1, "right": 2}
