"""Messages nobody asks about take a short way through the core: it leads to the same places."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pass_on, routine, sink
from penstock import AnySlot, Flow, Latest, Slot
from penstock.observe import MessageQueued
from penstock.run.messages import Cancel, Pause, Resume, Start, Step
from penstock.run.posting import Post


def unheard(flow: Flow, **start: Any) -> Driven:
    """A job of whose messages nobody is told."""
    job = Driven(flow, deaf_to=(MessageQueued,))
    job.feed(Start(**start))
    return job


def test_one_value_goes_to_every_target_under_one_number() -> None:
    left: list[Any] = []
    right: list[Any] = []
    flow = flow_of(
        {"a": burst([7]), "b": sink(left), "c": sink(right)}, "a.out -> b.value", "a.out -> c.value"
    )
    job = unheard(flow)
    job.run("a")
    job.news()

    assert [run.grant[0] for run in job.core.runs[1:]] == [(2, 7), (2, 7)]
    job.work()
    assert (left, right, job.status) == ([7], [7], "COMPLETED")
    assert [job.slot_count(f"{name}.value").high_water for name in "bc"] == [1, 1]


def test_a_value_that_does_not_fit_parks_and_comes_in_its_turn() -> None:
    seen: list[Any] = []
    job = unheard(chain(pass_on(), sink(seen, capacity=1)), keep_open=True)
    job.post("a.value", 1, 2, 3)
    job.tokens[0].limit = 1
    job.run("a")
    job.news()
    job.tokens[-1].limit = 1
    job.run("a")
    job.news()

    assert [m for m, _ in job.slot("b.value").parked or ()] == [(5, 2)]
    job.work()
    assert seen == [1, 2, 3]
    assert job.slot_count("b.value").posted == 3


def test_a_second_message_gets_a_second_token_where_several_may_run() -> None:
    seen: list[Any] = []
    flow = chain(pass_on(), sink(seen, max_parallel=2))
    job = unheard(flow, keep_open=True)
    for value in (1, 2, 3):
        job.post("a.value", value)
        job.run("a")
        job.news()

    assert [token.routine for token in job.tokens] == ["b", "b"]
    job.work()
    assert seen == [1, 2, 3]


def test_a_held_routine_is_passed_by_on_the_long_way() -> None:
    seen: list[Any] = []
    job = unheard(chain(pass_on(), sink(seen)), keep_open=True)
    job.post("a.value", 1)
    job.run("a")
    job.feed(Pause(1))
    job.news()

    assert list(job.core.by_id["b"].ready) == [(2, 1)]
    assert not job.core.by_id["b"].grant
    job.feed(Resume(1))
    job.work()
    assert seen == [1]


def test_a_slice_that_is_over_is_not_counted_again() -> None:
    seen: list[Any] = []
    job = unheard(chain(pass_on(), sink(seen)), keep_open=True)
    job.post("a.value", 1, 2)
    token = job.run("a")
    token.over = True
    before = job.core.by_id["a"].activations
    job.news()

    assert job.core.by_id["a"].activations == before
    assert token in job.core.by_id["a"].tokens


def test_room_given_by_what_was_passed_over_is_used_at_once() -> None:
    """The newest is taken only; a post that waited for room comes in within the same look."""
    seen: list[Any] = []
    waiting = Post(4)

    def logic(self: Any, value: Any) -> None:
        seen.append(value)
        if value == 1:
            job.post("a.value", 2)
            job.post("a.value", 3)
            job.slot("a.value").keep_waiting(waiting)

    slots = {"value": Slot(object, capacity=2)}
    newest = routine(logic, slots=slots, events=(), activation=Latest())
    job = unheard(flow_of({"a": newest}), keep_open=True)
    job.post("a.value", 1)
    job.run("a")
    job.news()

    assert waiting.taken
    job.work()
    assert seen[-1] == 4


@pytest.mark.parametrize("deaf", [True, False])
def test_a_failing_body_ends_the_job_the_same_way(deaf: bool) -> None:
    def logic(self: Any, value: Any) -> None:
        self.out.emit(value)
        if value == 2:
            raise ValueError("two")

    job = Driven(
        chain(routine(logic, slots={"value": Slot(object)}), sink([])),
        deaf_to=(MessageQueued,) if deaf else (),
    )
    job.start(a__value=1)
    job.post("a.value", 2, 3)
    job.work()

    assert job.status == "FAILED"
    assert job.slot_count("a.value").dead == 1
    assert job.slot_count("b.value").posted == 2


def test_failures_a_body_emits_itself_are_seen_beside_its_other_event() -> None:
    """Whoever has used `failed` once is looked at whole from then on."""
    fine: list[Any] = []
    bad: list[Any] = []

    def logic(self: Any, value: Any) -> None:
        self.failed.emit(f"bad {value}") if value % 2 else self.out.emit(value)

    flow = flow_of(
        {"a": routine(logic, slots={"value": Slot(int)}), "b": sink(fine), "c": sink(bad)},
        "a.out -> b.value",
        "a.failed -> c.value",
    )
    job = unheard(flow, keep_open=True)
    assert job.core.by_id["a"].voice is not None
    job.post("a.value", 2, 3)
    job.work()
    job.post("a.value", 4, 5)
    job.work()

    assert (fine, bad) == ([2, 4], ["bad 3", "bad 5"])
    assert job.core.by_id["a"].voice is None


def test_a_cancelled_job_takes_nothing_by_the_short_way() -> None:
    seen: list[Any] = []
    job = unheard(chain(pass_on(), sink(seen)), keep_open=True)
    job.post("a.value", 1)
    job.run("a")
    job.feed(Cancel())
    job.news()

    assert (seen, job.status) == ([], "CANCELLED")
    assert job.slot_count("b.value").posted == 0


def test_any_slot_of_one_takes_the_short_way_too() -> None:
    seen: list[Any] = []
    job = unheard(chain(burst([1, 2]), sink(seen, activation=AnySlot())))
    job.work()

    assert (seen, job.status) == ([1, 2], "COMPLETED")


def test_steps_go_one_by_one_though_nobody_hears_of_messages() -> None:
    seen: list[Any] = []
    job = unheard(chain(pass_on(), sink(seen)), keep_open=True, hold_generation=1)
    job.post("a.value", 1)
    for _ in range(2):
        job.feed(Step())
        job.work()

    assert seen == [1]
    assert job.status == "PAUSED"
