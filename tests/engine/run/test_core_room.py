"""Full slots: what doesn't fit waits at its connection and holds its producer back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source, split
from penstock import Slot
from penstock.observe import MessageQueued
from penstock.run.messages import Cancel
from penstock.run.posting import Post


def test_what_does_not_fit_is_parked_and_counted() -> None:
    job = Driven(chain(burst(range(10)), pass_on(capacity=3)))
    job.start()
    job.run("a")

    job.news()

    count = job.slot_count("b.value")
    assert (count.posted, count.depth, count.queued, count.high_water) == (10, 3, 10, 3)
    assert [event.parked for event in job.of(MessageQueued)] == [False] * 3 + [True] * 7
    assert max(event.depth for event in job.of(MessageQueued)) == 3


def test_parked_messages_come_in_order_and_the_bound_holds() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(50)), sink(seen, capacity=3)))

    job.start()
    job.work()

    assert seen == list(range(50))
    assert job.slot_count("b.value").high_water == 3
    assert job.status == "COMPLETED"


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_a_generator_is_not_resumed_while_what_it_emitted_does_not_fit(capacity: int) -> None:
    job = Driven(chain(source(range(40)), pass_on(capacity=capacity)))
    most = 0
    job.start()

    while job.status == "RUNNING":
        most = max(most, job.slot_count("b.value").queued)
        if job.inbox:
            job.news()
        elif any(token.routine == "a" for token in job.tokens):
            job.run("a")  # the producer is always quicker
        else:
            job.run()

    assert job.outputs["b.out"] == list(range(40))
    assert most <= capacity + 1
    assert job.slot_count("b.value").high_water <= capacity


def test_a_producer_is_not_activated_while_its_output_is_parked() -> None:
    job = Driven(chain(burst(range(6)), split(), pass_on(capacity=2), pass_on()))
    job.start()
    started = 0
    while job.status == "RUNNING":
        producer = job.core.by_id["b"]
        if producer.parked_out:
            assert not any(token.routine == "b" and token.limit for token in job.tokens)
            assert job.count("b").status == "gated"
            started += 1
        if job.inbox:
            job.news()
        else:
            job.run()

    assert started, "nothing was ever parked: the test is no test"
    assert job.outputs["d.out"] == [(n, i) for n in range(6) for i in range(2)]


def test_messages_recalled_from_a_blocked_producer_keep_their_order() -> None:
    seen: list[Any] = []
    job = Driven(
        flow_of(
            {"s": burst(range(30)), "p": pass_on(), "z": sink(seen, capacity=1)},
            "s.out -> p.value",
            "p.out -> z.value",
        )
    )
    job.start()
    job.work()

    assert seen == list(range(30))


def test_a_later_message_never_passes_a_parked_one() -> None:
    seen: list[Any] = []
    job = Driven(
        flow_of(
            {"x": burst(range(5)), "y": burst(range(100, 105)), "z": sink(seen, capacity=2)},
            "x.out -> z.value",
            "y.out -> z.value",
        )
    )
    job.start()
    job.run("x")
    job.news()
    job.run("y")
    job.news()
    job.work()

    assert [v for v in seen if v < 100] == list(range(5))
    assert [v for v in seen if v >= 100] == list(range(100, 105))


def test_a_fan_out_waits_for_its_fullest_target() -> None:
    quick: list[Any] = []
    slow: list[Any] = []
    job = Driven(
        flow_of(
            {"s": source(range(20)), "q": sink(quick), "w": sink(slow, capacity=1)},
            "s.out -> q.value",
            "s.out -> w.value",
        )
    )
    job.start()
    while job.status == "RUNNING":
        assert job.slot_count("q.value").posted <= job.slot_count("w.value").consumed + 3
        if job.inbox:
            job.news()
        else:
            others = [t for t in job.tokens if t.routine != "w"] or job.tokens
            job.run(others[0].routine)

    assert quick == slow == list(range(20))


def test_a_join_of_small_slots_passes_everything() -> None:
    job = Driven(
        flow_of(
            {"l": source(range(30)), "r": source(range(30)), "p": pair(capacity=1)},
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )
    job.start()
    job.work()

    assert job.outputs["p.out"] == [(n, n) for n in range(30)]
    assert job.slot_count("p.left").high_water == 1


def test_a_chain_of_capacity_one_passes_everything_in_order() -> None:
    parts = [source(range(60)), *(pass_on(capacity=1) for _ in range(8))]
    job = Driven(chain(*parts))

    job.start()
    job.work()

    assert job.outputs["i.out"] == list(range(60))
    assert all(job.count(run.id).activations for run in job.core.runs)


def test_a_cycle_with_room_comes_to_its_end() -> None:
    seen: list[int] = []

    def logic(self: Any, value: int) -> None:
        seen.append(value)
        if value:
            self.out.emit(value - 1)

    job = Driven(
        flow_of(
            {"x": routine(logic, slots={"value": Slot(int, capacity=1)}), "y": pass_on(1)},
            "x.out -> y.value",
            "y.out -> x.value",
        )
    )
    job.start(x__value=9)
    job.work()

    assert seen == list(range(9, -1, -1))
    assert job.status == "COMPLETED"


def test_waiting_posts_are_taken_in_when_there_is_room_and_dismissed_at_the_end() -> None:
    job = Driven(flow_of({"a": pass_on(capacity=2), "alive": source([1])}))
    job.start(a__value=0)
    job.post("a.value", 1)
    posts = [Post(i) for i in (2, 3, 4)]
    for post in posts:
        job.slot("a.value").keep_waiting(post)
    job.run("a")

    woken = job.news().rare.wakes

    assert woken == [post.latch for post in posts[:2]]
    assert [post.taken for post in posts] == [True, True, False]
    assert job.slot_count("a.value").posted == 4
    assert job.feed(Cancel()).rare.wakes == [posts[2].latch]
    assert not posts[2].taken


def test_reserved_places_count_against_emissions() -> None:
    """Somebody has a place and hasn't put the message into it yet: it can't be taken."""
    job = Driven(chain(burst(range(4)), pass_on(capacity=3)))
    job.start()
    job.slot("b.value").reserved = 2
    job.run("a")

    job.news()

    assert job.slot_count("b.value").depth == 1
    assert job.slot_count("b.value").queued == 4


def test_a_plain_body_that_overruns_is_not_activated_again_until_it_fits() -> None:
    running: list[int] = []

    def logic(self: Any, value: int) -> None:
        running.append(value)
        for i in range(5):
            self.out.emit((value, i))

    seen: list[Any] = []
    body = routine(logic, slots={"value": Slot(int)})
    job = Driven(
        flow_of(
            {"s": burst(range(4)), "p": body, "z": sink(seen, capacity=2)},
            "s.out -> p.value",
            "p.out -> z.value",
        )
    )
    job.start()
    job.run("s")
    job.news()
    job.run("p")

    assert running == [0], "the slice went on though its output doesn't fit"
    job.work()
    assert seen == [(value, i) for value in range(4) for i in range(5)]


def test_a_source_of_several_events_is_gated_by_any_of_them() -> None:
    def logic(self: Any) -> Iterator[None]:
        for n in range(10):
            self.one.emit(n)
            self.two.emit(n)
            yield

    left: list[Any] = []
    right: list[Any] = []
    job = Driven(
        flow_of(
            {
                "s": routine(logic, events=("one", "two")),
                "x": sink(left, capacity=1),
                "y": sink(right, capacity=3),
            },
            "s.one -> x.value",
            "s.two -> y.value",
        )
    )
    job.start()
    job.work()

    assert left == right == list(range(10))
    assert job.slot_count("y.value").high_water <= 3


def test_what_a_running_body_emits_does_not_pass_what_is_parked() -> None:
    """The consumer has made room and not reported yet: the slot looks free, and isn't."""

    def logic(self: Any) -> None:
        for n in range(5):
            self.out.emit(n)
        job.news()
        job.run("b")
        self.out.emit(5)
        job.inbox.remove(job.core.by_id["a"])
        job.feed(job.core.by_id["a"])

    seen: list[Any] = []
    job = Driven(chain(routine(logic), sink(seen, capacity=2)))
    job.start()
    job.work()

    assert seen == list(range(6))


def test_a_generator_stops_at_its_next_yield_when_others_have_filled_the_slot() -> None:
    went_on: list[int] = []

    def logic(self: Any) -> Iterator[None]:
        for n in range(4):
            self.out.emit(n)
            if n == 0:
                job.news()
            went_on.append(n)
            yield

    seen: list[Any] = []
    job = Driven(
        flow_of(
            {"x": burst(range(100, 102)), "g": routine(logic), "z": sink(seen, capacity=2)},
            "x.out -> z.value",
            "g.out -> z.value",
        )
    )
    job.start()
    job.run("x")
    job.news()
    job.run("g")

    assert went_on == [0]
    job.work()
    assert seen == [100, 101, 0, 1, 2, 3]


def test_a_producer_that_looked_too_quick_goes_on_when_all_of_it_fits() -> None:
    """It is asked to stop by what was free a while ago; the core sees that there is room."""
    stopped: list[bool] = []

    def logic(self: Any) -> None:
        for n in (0, 1):
            self.out.emit(n)
        job.news()
        job.run("b")
        job.news()
        for n in (2, 3, 4):
            self.out.emit(n)
        stopped.append(job.core.by_id["a"].stop)
        job.news()
        stopped.append(job.core.by_id["a"].stop)

    seen: list[Any] = []
    job = Driven(chain(routine(logic), sink(seen, capacity=3)))
    job.start()
    job.work()

    assert stopped == [True, False]
    assert seen == [0, 1, 2, 3, 4]
