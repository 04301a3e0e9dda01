"""Stalls, room that is given from outside, and bodies that stand for want of it, fed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source
from penstock import Cancelled, Continue, Every, Flow, Retry, Slot
from penstock.observe import (
    ActivationStarted,
    EngineEvent,
    MessageDropped,
    MessageQueued,
    Stalled,
)
from penstock.run.messages import (
    Cancel,
    Pause,
    Posted,
    Resize,
    Resume,
    Start,
    Step,
    Unstall,
)
from penstock.run.posting import Post

SLOT = {"value": Slot(object)}


def half_join(many: int = 6, capacity: int = 2) -> Flow:
    """A join that never matches, while its one producer wants to go on."""
    return flow_of({"s": burst(range(many)), "p": pair(capacity=capacity)}, "s.out -> p.left")


def stalled(flow: Flow, deaf_to: tuple[type[EngineEvent], ...] = ()) -> Driven:
    """A job of it, worked on until it stalls."""
    job = Driven(flow, deaf_to=deaf_to)
    job.start()
    job.work()
    assert job.core.stalled
    return job


# ---- told


def test_a_join_that_can_never_match_is_a_stall_that_names_its_slot() -> None:
    job = stalled(half_join())

    assert (job.status, job.core.stalled) == ("RUNNING", ("p.left",))
    (told,) = job.of(Stalled)
    assert (told.slots, told.routines) == (("p.left",), ("s",))


def test_a_stall_is_told_once_and_not_logged_as_well(caplog: pytest.LogCaptureFixture) -> None:
    job = stalled(half_join())
    job.feed()
    job.feed()

    assert len(job.of(Stalled)) == 1
    assert caplog.records == []


def test_a_stall_nobody_listens_to_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    job = stalled(half_join(), deaf_to=(Stalled,))
    job.feed()
    job.feed()

    assert job.of(Stalled) == []
    assert [r.getMessage() for r in caplog.records] == [
        "job j is stalled: full are p.left; grow, drop or cancel"
    ]
    caplog.clear()


def test_a_cycle_that_is_full_on_all_sides_is_a_stall() -> None:
    def logic(self: Any, value: int) -> None:
        self.out.emit(value)
        self.out.emit(value)

    double = {"value": Slot(object, capacity=2)}
    flow = flow_of(
        {"a": routine(logic, slots=double), "b": routine(logic, slots=double)},
        "a.out -> b.value",
        "b.out -> a.value",
    )
    job = Driven(flow)
    job.start(a__value=1)
    job.work()

    assert job.status == "RUNNING"
    assert set(job.core.stalled) == {"a.value", "b.value"}
    job.feed(Unstall("cancel"))
    assert job.status == "CANCELLED"


def test_while_a_body_runs_it_is_none() -> None:
    during: list[Any] = []

    def logic(self: Any, value: int) -> None:
        job.feed()
        during.append(job.core.stalled)

    parts = {"s": burst(range(6)), "p": pair(capacity=2), "x": routine(logic, slots=SLOT)}
    job = Driven(flow_of(parts, "s.out -> p.left"))
    job.start(x__value=1)
    job.run("s")
    job.news()
    assert job.core.parked == 4
    job.run("x")
    assert job.of(Stalled) == []
    job.work()

    assert during == [()]
    assert job.core.stalled == ("p.left",)


def test_while_a_timer_is_pending_it_is_none() -> None:
    parts = {"s": burst(range(6)), "p": pair(capacity=2), "x": sink([], activation=Every(1000.0))}
    job = Driven(flow_of(parts, "s.out -> p.left"))
    job.feed(Start((("x.value", 1),), keep_open=True))
    job.post("x.value", 2)
    job.work()
    assert (job.core.stalled, job.count("x").status) == ((), "timed")

    job.pass_time(1000)
    job.work()

    assert job.core.stalled == ("p.left",)


def test_a_stall_that_ends_by_itself_is_told_anew_when_it_comes_again() -> None:
    job = stalled(half_join())
    job.post("p.right", "x")
    during = job.core.stalled
    job.work()

    assert (during, job.core.stalled) == ((), ("p.left",))
    assert len(job.of(Stalled)) == 2
    assert job.outputs["p.out"] == [(0, "x")]


def test_a_held_job_is_not_stalled_and_is_again_when_it_goes_on() -> None:
    job = stalled(half_join())
    job.feed(Pause(1))
    during = job.core.stalled

    job.feed(Resume(9))

    assert (during, job.core.stalled) == ((), ("p.left",))
    assert len(job.of(Stalled)) == 2


# ---- ended


def test_to_grow_gives_room_for_what_waits() -> None:
    job = stalled(half_join())

    job.feed(Unstall("grow"))
    job.work()

    count = job.slot_count("p.left")
    assert (count.capacity, count.high_water, count.discarded) == (6, 6, 6)
    assert (job.status, job.core.stalled) == ("COMPLETED", ())


def test_to_drop_loses_what_waits_and_counts_it() -> None:
    job = stalled(half_join())

    job.feed(Unstall("drop"))
    job.work()

    count = job.slot_count("p.left")
    assert (count.capacity, count.dropped, count.discarded, count.posted) == (2, 4, 2, 6)
    told = [(event.slot, event.value.text, event.reason) for event in job.of(MessageDropped)]
    assert told == [("p.left", str(n), "stall") for n in range(2, 6)]
    assert job.status == "COMPLETED"
    assert job.core.parked == job.core.by_id["s"].parked_out == 0


def test_to_cancel_ends_the_job() -> None:
    job = stalled(half_join())

    job.feed(Unstall("cancel"))

    assert job.status == "CANCELLED"
    assert job.slot_count("p.left").queued == 6


@pytest.mark.parametrize("choice", ["grow", "drop", "cancel"])
def test_a_job_that_is_not_stalled_is_left_alone(
    choice: Literal["grow", "drop", "cancel"],
) -> None:
    job = Driven(chain(burst(range(6)), pass_on(capacity=2)))
    job.start()
    job.run("a")
    job.news()

    job.feed(Unstall(choice))
    job.work()

    assert job.status == "COMPLETED"
    assert job.outputs["b.out"] == list(range(6))
    assert job.slot_count("b.value").capacity == 2


def test_a_slot_that_has_grown_meanwhile_is_not_made_smaller() -> None:
    job = stalled(half_join())

    job.feed(Resize(job.slot("p.left"), 100), Unstall("grow"))

    assert job.slot_count("p.left").capacity == 100


def test_a_choice_is_for_one_stall_only() -> None:
    """A second one that comes before the first was looked at finds the job at work."""
    job = Driven(half_join())
    job.feed(Start(keep_open=True))
    job.work()
    job.core.handle(Unstall("grow"), job.time)
    job.core.handle(Unstall("cancel"), job.time)
    job.feed()

    assert job.status == "IDLE"
    assert job.slot_count("p.left").capacity == 6


def test_a_producer_goes_on_after_a_drop_and_may_stall_again() -> None:
    """What it has emitted since waits anew."""
    flow = flow_of({"s": source(range(5)), "p": pair(capacity=1)}, "s.out -> p.left")
    job = stalled(flow)
    for many in range(2, 5):
        job.feed(Unstall("drop"))
        job.work()
        assert len(job.of(Stalled)) == many
    job.feed(Unstall("drop"))
    job.work()

    assert job.status == "COMPLETED"
    assert job.slot_count("p.left").dropped == 4


def test_what_waits_at_the_door_is_part_of_a_stall_and_nobody_s_fault() -> None:
    job = Driven(flow_of({"p": pair(capacity=1)}))
    job.feed(Start(keep_open=True))
    for value in range(3):
        job.feed(Posted(job.slot("p.left"), value, reserved=False, parks=True))

    (told,) = job.of(Stalled)
    assert (told.slots, told.routines) == (("p.left",), ())
    job.feed(Unstall("drop"))
    assert (job.status, job.slot_count("p.left").dropped) == ("IDLE", 2)


# ---- resized


def test_a_slot_that_is_made_larger_takes_what_waits() -> None:
    job = stalled(half_join())
    job.feed(Resize(job.slot("p.left"), 5))
    assert job.slot_count("p.left").depth == 5
    assert job.core.stalled == ("p.left",)

    job.feed(Resize(job.slot("p.left"), 6))
    job.work()

    assert job.status == "COMPLETED"


def test_a_slot_that_is_made_smaller_keeps_what_it_has_and_takes_less() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(6)), sink(seen, capacity=4, max_parallel=1)))
    job.start()
    job.run("a")
    job.news()
    job.feed(Resize(job.slot("b.value"), 1))
    assert job.slot_count("b.value").depth == 4
    job.work()

    assert seen == list(range(6))
    assert job.status == "COMPLETED"


def test_a_post_that_waits_comes_in_when_its_slot_is_made_larger() -> None:
    job = Driven(flow_of({"p": pair(capacity=1)}))
    job.feed(Start(keep_open=True))
    job.post("p.left", 0)
    posts = [Post(n) for n in range(1, 4)]
    for post in posts:
        job.slot("p.left").keep_waiting(post)

    out = job.feed(Resize(job.slot("p.left"), 3))

    assert [post.taken for post in posts] == [True, True, False]
    assert out.rare.wakes == [post.latch for post in posts[:2]]
    assert list(job.slot("p.left").posters or ()) == posts[2:]


# ---- bodies that stand


def test_a_body_that_emits_too_much_stands_until_there_is_room() -> None:
    seen: list[Any] = []
    woken: list[bool] = []

    def logic(self: Any) -> None:
        for value in range(9):
            self.out.emit(value)

    job = Driven(chain(routine(logic), sink(seen, capacity=2)))

    def others() -> None:
        while job.inbox or job.tokens:
            job.news() if job.inbox else job.run()
        woken.append(bool(job.wakes))

    job.meanwhile = others
    job.start()
    job.run("a")
    job.work()

    assert job.overran[0] == "a.out"
    assert woken == [True]
    assert seen == list(range(9))


def standing(job: Driven, act: Callable[[], object]) -> Driven:
    """A job whose body ``s`` stands in `emit` while `act` happens; then it goes on."""
    job.meanwhile = act
    job.start()
    job.run("s")
    return job


def test_a_body_that_stands_for_a_stall_is_named() -> None:
    job = Driven(half_join(many=9))
    during: list[Any] = []

    def look() -> None:
        job.news()
        during.append((job.core.stalled, job.of(Stalled)[-1].routines))
        job.feed(Unstall("drop"))
        during.append(bool(job.wakes))

    standing(job, look)
    job.work()

    assert during == [(("p.left",), ("s",)), True]


def test_a_body_that_stands_wakes_when_what_others_parked_is_gone() -> None:
    """What one producer has parked counts against the room of the other."""
    seen: list[Any] = []
    flow = flow_of(
        {"s": burst(range(9)), "t": burst("abcd"), "z": sink(seen, capacity=2)},
        "s.out -> z.value",
        "t.out -> z.value",
    )
    job = Driven(flow)

    def others() -> None:
        job.run("t")
        while job.inbox or job.tokens:
            job.news() if job.inbox else job.run()
        assert job.wakes

    standing(job, others)
    job.work()

    assert [value for value in seen if isinstance(value, int)] == list(range(9))
    assert [value for value in seen if isinstance(value, str)] == list("abcd")


def test_a_body_that_stands_in_emit_stays_there_while_the_job_is_held() -> None:
    seen: list[Any] = []
    job = Driven(flow_of({"s": burst(range(9)), "z": sink(seen, capacity=2)}, "s.out -> z.value"))
    during: list[Any] = []

    def hold() -> None:
        job.feed(Pause(1))
        job.news()
        during.append((job.status, job.held.running, bool(job.wakes)))
        job.feed(Step())
        job.run("z")
        job.news()
        during.append((list(seen), bool(job.wakes)))
        job.feed(Resume(9))
        while job.inbox or job.tokens:
            job.news() if job.inbox else job.run()
        during.append(bool(job.wakes))

    standing(job, hold)
    job.work()

    assert during == [("PAUSED", ("s",), False), ([0], False), True]
    assert seen == list(range(9))


def test_a_body_that_stands_at_a_checkpoint_goes_on_with_the_job() -> None:
    woken: list[bool] = []

    def logic(self: Any) -> None:
        job.feed(Pause(1))
        woken.append(job.stand_at("checkpoint", lambda: None))
        woken.append(job.stand_at("checkpoint", lambda: job.feed(Resume(9))))
        self.out.emit(1)

    job = Driven(chain(routine(logic)))
    job.start()
    job.run("a")
    job.work()

    assert woken == [False, True]
    assert (job.status, job.outputs) == ("COMPLETED", {"a.out": [1]})


def test_a_step_ends_when_its_body_stands() -> None:
    seen: list[Any] = []
    job = Driven(flow_of({"s": burst(range(9)), "z": sink(seen, capacity=2)}, "s.out -> z.value"))
    during: list[Any] = []

    def look() -> None:
        job.news()
        during.append((job.status, job.held.why, job.held.place))
        job.feed(Resume(9**9))

    job.meanwhile = look
    job.feed(Start(hold_generation=1))
    job.feed(Step())
    job.run("s")
    job.work()

    assert during == [("PAUSED", "step", "z")]
    assert seen == list(range(9))


def test_cancel_wakes_who_stands_and_it_can_not_emit_any_more() -> None:
    job = Driven(half_join(many=9))
    standing(job, lambda: job.feed(Cancel()))
    job.news()

    assert len(job.wakes) == 1
    assert [type(failure) for failure in job.core.dead_letters] == []
    assert job.count("s").refused == 1


def test_a_body_whose_own_post_waits_is_part_of_a_stall() -> None:
    during: list[Any] = []

    def posting(self: Any) -> None:
        slot = job.slot("p.left")
        post = Post("mine")
        slot.keep_waiting(post)
        job.stand_at("post here", lambda: during.append(job.news()))
        during.append((job.core.stalled, job.of(Stalled)[-1].routines))
        job.feed(Unstall("drop"))
        during.append((post.taken, post.latch in job.wakes))

    job = Driven(flow_of({"s": routine(posting), "p": pair(capacity=1)}))
    job.start(p__left=1)
    job.run("s")
    job.work()

    assert during[1:] == [(("p.left",), ("s",)), (True, True)]
    assert job.slot_count("p.left").dropped == 1
    assert job.status == "COMPLETED"


# ---- the short way of most messages


def test_messages_that_nobody_is_told_of_take_the_short_way_and_count_the_same() -> None:
    jobs = []
    for deaf_to in ((), (MessageQueued, ActivationStarted)):
        seen: list[Any] = []
        flow = flow_of(
            {"s": burst(range(50)), "t": source(range(20)), "x": pass_on(7), "z": sink(seen, 5)},
            "s.out -> x.value",
            "t.out -> x.value",
            "x.out -> z.value",
        )
        job = Driven(flow, deaf_to=deaf_to)
        job.start()
        job.work()
        assert job.status == "COMPLETED"
        assert [v for v in seen if seen.count(v) == 1] == list(range(20, 50))
        jobs.append((sorted(seen), job.count("x").activations, job.slot_count("z.value").posted))

    assert jobs[0] == jobs[1]


@pytest.mark.parametrize("limit", [1, 2, None])
@pytest.mark.parametrize("many", [1, 3])
def test_the_short_way_gives_as_many_tokens_as_the_long_one(limit: int | None, many: int) -> None:
    tokens = []
    for deaf_to in ((), (MessageQueued,)):
        job = Driven(chain(burst(range(many)), pass_on(max_parallel=limit)), deaf_to=deaf_to)
        job.start()
        job.run("a")
        job.news()
        tokens.append(len(job.tokens))
        job.work()
        assert sorted(job.outputs["b.out"]) == list(range(many))

    assert tokens == [min(many, limit or 4)] * 2


def test_on_the_short_way_a_retry_keeps_its_place() -> None:
    tries: list[int] = []

    def logic(self: Any, value: int) -> None:
        tries.append(value)
        if tries == [0]:
            raise ValueError

    made = routine(logic, slots=SLOT, on_error=Retry(delay=1000.0), max_parallel=1)
    job = Driven(chain(source(range(3)), made), deaf_to=(MessageQueued,))
    job.start()
    job.work()
    assert tries == [0]

    job.pass_time(1000)
    job.work()

    assert tries == [0, 0, 1, 2]


def test_without_a_log_activations_are_taken_all_the_same() -> None:
    job = Driven(chain(burst([1]), pass_on(on_error=Continue())))
    for run in job.core.runs:
        run.log = None
    job.start()
    job.work()

    assert job.outputs == {"b.out": [1]}
    assert job.of(ActivationStarted) == []
    assert job.slot_count("b.value").consumed == 1


def test_a_refused_emit_says_that_the_job_is_over() -> None:
    def logic(self: Any) -> None:
        job.feed(Cancel())
        with pytest.raises(Cancelled):
            self.out.emit(1)

    job = Driven(chain(routine(logic)))
    job.start()
    job.run("a")
    job.work()

    assert job.count("a").refused == 1
