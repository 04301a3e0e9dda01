"""Bodies with bare yields: where the engine may hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import chain, flow_of, pass_on, routine, sink, source, split
from helpers.recording import starts_and_ends
from penstock import Slot
from penstock.run.messages import Cancel, Pause, Resume, Step
from penstock.run.slices import close_body


def test_a_generator_may_stop_at_a_yield_and_goes_on_where_it_stood() -> None:
    steps: list[int] = []

    def logic(self: Any) -> Iterator[None]:
        for n in range(3):
            steps.append(n)
            yield

    job = Driven(chain(routine(logic)))
    job.start()
    job.feed(Pause(1))
    assert steps == []

    job.feed(Resume(1))
    job.work()
    assert steps == [0, 1, 2]
    assert job.count("a").activations == 1


def test_a_held_generator_is_not_resumed_at_its_next_yield() -> None:
    steps: list[int] = []

    def logic(self: Any) -> Iterator[None]:
        for n in range(5):
            steps.append(n)
            if n == 1:
                job.feed(Pause(1))
            yield

    job = Driven(chain(routine(logic)))
    job.start()
    job.run("a")
    assert job.status == "PAUSING"
    job.news()

    assert job.status == "PAUSED"
    assert steps == [0, 1]
    assert job.count("a").running == 0
    job.feed(Resume(1))
    job.work()
    assert steps == [0, 1, 2, 3, 4]


def test_one_step_of_a_generator_goes_to_its_next_yield() -> None:
    job = Driven(chain(source([1, 2, 3]), pass_on()))
    job.start()
    job.feed(Pause(1))
    job.work()

    for emitted in (1, 2, 3):
        activation = next(a for a in job.core.ready() if a.routine == "a")
        job.feed(Step(activation))
        job.work()
        assert job.count("a").emitted["out"] == emitted
        assert job.status == "PAUSED"
    assert job.count("a").activations == 0
    job.feed(Step(next(a for a in job.core.ready() if a.routine == "a")))
    job.work()
    assert job.count("a").activations == 1


def test_with_max_parallel_one_a_step_never_begins_a_second_body_before_the_first_ended() -> None:
    job = Driven(flow_of({"g": split()}))
    job.start(g__value="first")
    job.post("g.value", "second")
    job.feed(Pause(1))
    job.work()

    for _ in range(20):
        if not job.core.ready():
            break
        job.feed(Step())
        job.work()

    assert job.outputs["g.out"] == [("first", 0), ("first", 1), ("second", 0), ("second", 1)]


def test_each_activation_is_told_to_start_and_end_once_however_often_it_stood() -> None:
    job = Driven(flow_of({"g": split(max_parallel=2)}))
    job.start(g__value=0)
    job.post("g.value", 1, 2, 3)
    generation = 0
    while job.status != "COMPLETED":
        generation += 1
        job.feed(Pause(generation))
        job.work()
        if job.status == "PAUSED" and job.core.ready():
            job.feed(Step())
            job.work()
        job.feed(Resume(generation + 2000))
        if job.tokens:
            job.run()

    kinds = starts_and_ends(job.events)
    assert len(kinds) == 4
    assert set(map(tuple, kinds.values())) == {("ActivationStarted", "ActivationEnded")}


def test_a_begun_body_of_two_is_told_once_when_another_token_goes_on_with_it() -> None:
    job = Driven(flow_of({"g": split(max_parallel=2)}))
    job.start(g__value=0)
    job.post("g.value", 1)
    job.feed(Pause(1))
    job.work()
    for _ in range(6):
        job.feed(Step())
        job.work()
    job.feed(Resume(5000))
    job.work()

    for number, kinds in starts_and_ends(job.events).items():
        assert kinds == ["ActivationStarted", "ActivationEnded"], number


def test_an_abandoned_generator_is_closed_on_a_worker() -> None:
    closed: list[str] = []

    def logic(self: Any) -> Iterator[None]:
        try:
            yield
            yield
        finally:
            closed.append("closed")

    job = Driven(chain(routine(logic)))
    job.start()
    job.feed(Pause(1))
    job.work()
    job.feed(Step())
    job.work()

    out = job.feed(Cancel())

    assert len(out.rare.bodies) == 1
    assert closed == []
    close_body(*out.rare.bodies[0])
    assert closed == ["closed"]


def test_a_generator_that_stands_when_its_job_ends_under_it_is_closed() -> None:
    closed: list[str] = []

    def logic(self: Any) -> Iterator[None]:
        try:
            while True:
                job.feed(Cancel())
                yield
        finally:
            closed.append("closed")

    job = Driven(chain(routine(logic)))
    job.start()
    job.run("a")

    assert closed == ["closed"]


def test_a_generator_that_fails_after_a_yield_is_a_failure_of_its_message() -> None:
    def logic(self: Any, value: int) -> Iterator[None]:
        yield
        raise ValueError("late")

    job = Driven(flow_of({"g": routine(logic, slots={"value": Slot(int)})}))
    job.start(g__value=7)
    job.work()

    assert job.core.error is not None
    assert job.core.error.slots == {"value": 7}
    assert job.slot_count("g.value").dead == 1


@pytest.mark.parametrize("parallel", [1, 2, None])
def test_all_pieces_of_all_messages_come_out(parallel: int | None) -> None:
    seen: list[Any] = []
    job = Driven(
        flow_of(
            {"s": source(range(20)), "g": split(max_parallel=parallel), "z": sink(seen, 2)},
            "s.out -> g.value",
            "g.out -> z.value",
        )
    )
    job.start()
    job.work()

    assert sorted(seen) == [(n, i) for n in range(20) for i in range(2)]
    if parallel == 1:
        assert seen == sorted(seen)
    assert job.slot_count("z.value").high_water <= 2
