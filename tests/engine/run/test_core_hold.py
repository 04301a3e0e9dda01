"""Pause, resume, step and breakpoints: a hold never loses, doubles or reorders a message."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source
from helpers.recording import starts_and_ends
from penstock import AllSlots, Continue, Slot
from penstock.observe import ActivationStarted, JobHeld, JobResumed, StepIgnored
from penstock.run import ReadyActivation
from penstock.run.messages import Cancel, Pause, Resume, SetStops, Start, Step


def paused(values: range, *, max_parallel: int | None = 1) -> tuple[Driven, list[Any]]:
    """A job held with `values` ready at its routine ``b``."""
    seen: list[Any] = []
    job = Driven(chain(burst(values), sink(seen, max_parallel=max_parallel)))
    job.start()
    job.run("a")
    job.news()
    job.feed(Pause(1))
    job.work()
    return job, seen


def test_a_pause_takes_back_what_no_worker_has_begun() -> None:
    job, seen = paused(range(10))

    assert job.status == "PAUSED"
    assert seen == []
    assert [a.number for a in job.core.ready()] == list(range(2, 12))
    assert job.held.place == "b"
    assert job.held.waiting == 9
    assert [(m.slot, m.value.text) for m in job.held.messages] == [("value", "0")]
    assert job.held.running == ()

    job.feed(Resume(1))
    job.work()
    assert seen == list(range(10))
    assert job.status == "COMPLETED"


def test_pausing_while_a_body_runs_and_paused_when_it_ended() -> None:
    def logic(self: Any, value: int) -> None:
        job.feed(Pause(1))
        assert job.status == "PAUSING"
        self.out.emit(value)

    seen: list[Any] = []
    job = Driven(chain(burst([1, 2]), routine(logic, slots={"value": Slot(int)}), sink(seen)))
    job.start()
    job.run("a")
    job.news()
    job.run("b")
    assert job.held.running == ("b",)
    job.news()

    assert job.status == "PAUSED"
    assert seen == []
    assert job.slot_count("c.value").queued == 1, "its emission is accepted and queued"
    assert job.slot_count("b.value").queued == 1


def test_the_start_of_a_running_body_is_told_before_the_hold() -> None:
    def logic(self: Any, value: int) -> None:
        job.feed(Pause(1))

    job = Driven(flow_of({"a": routine(logic, slots={"value": Slot(int)})}))
    job.start(a__value=1)
    job.run("a")
    job.work()

    kinds = [type(e) for e in job.events if isinstance(e, ActivationStarted | JobHeld)]
    assert kinds[:2] == [ActivationStarted, JobHeld]
    assert list(starts_and_ends(job.events).values()) == [["ActivationStarted", "ActivationEnded"]]


@pytest.mark.parametrize("moment", ["pop", "mark"])
@pytest.mark.parametrize("parallel", [1, 3])
def test_an_entry_a_worker_took_and_did_not_begin_returns_to_its_place(
    moment: str, parallel: int
) -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(6)), sink(seen, max_parallel=parallel)))
    hook = job.hook_pop if moment == "pop" else job.hook_mark
    hook("b", lambda: job.feed(Pause(1)))
    job.start()
    job.work()

    assert job.status == "PAUSED"
    assert seen == []
    assert job.held.running == ()
    assert [a.number for a in job.core.ready()] == list(range(2, 8))
    job.feed(Resume(1))
    job.work()
    assert seen == list(range(6))


@pytest.mark.parametrize("moment", ["pop", "mark"])
def test_an_activation_that_was_taken_back_is_told_to_start_once(moment: str) -> None:
    job = Driven(chain(burst(range(3)), pass_on(max_parallel=2)))
    hook = job.hook_pop if moment == "pop" else job.hook_mark
    hook("b", lambda: job.feed(Pause(1)))
    job.start()
    job.work()
    told = [(e.routine, e.number) for e in job.of(ActivationStarted)]
    held = [place for hold in job.of(JobHeld) for place in hold.running]
    job.feed(Resume(1))
    job.work()

    assert ("b", 2) not in told, "told to have started, and it hadn't"
    assert held == []
    for activation, kinds in starts_and_ends(job.events).items():
        assert kinds == ["ActivationStarted", "ActivationEnded"], activation


def test_a_returned_entry_goes_before_what_came_later() -> None:
    """The worker holds number 2 when the hold comes, and 3 to 5 are recalled: the order stays."""
    seen: list[Any] = []
    job = Driven(chain(burst([0, 1, 2]), sink(seen)))
    job.hook_pop("b", lambda: (job.feed(Pause(1)), job.post("b.value", 3)))
    job.start()
    job.work()
    job.feed(Resume(1))
    job.work()

    assert seen == [0, 1, 2, 3]


def test_a_returned_entry_does_not_push_the_slot_beyond_its_capacity() -> None:
    seen: list[Any] = []
    job = Driven(chain(source(range(12)), sink(seen, capacity=2)))
    job.hook_pop("b", lambda: job.feed(Pause(1)))
    job.start()
    job.work()
    assert job.slot_count("b.value").depth <= 2
    job.feed(Resume(1))
    job.work()

    assert seen == list(range(12))


def test_messages_posted_while_held_wait() -> None:
    job, seen = paused(range(2))

    job.post("b.value", 7)

    assert job.tokens == []
    assert job.slot_count("b.value").queued == 3
    job.feed(Resume(1))
    job.work()
    assert seen == [0, 1, 7]


def test_a_job_started_under_a_hold_is_paused_with_nothing_started() -> None:
    job = Driven(chain(source([1]), pass_on()))

    out = job.feed(Start(hold_generation=4))

    assert job.status == "PAUSED"
    assert out.tokens == []
    assert (job.held.generation, job.held.why, job.held.place) == (4, "pause", "a")
    job.feed(Resume(4))
    job.work()
    assert job.outputs["b.out"] == [1]


# ---- step


def test_a_step_starts_exactly_the_oldest_activation_and_holds_again() -> None:
    job, seen = paused(range(4))

    for n in range(3):
        job.feed(Step())
        job.work()
        assert seen == list(range(n + 1))
        assert job.status == "PAUSED"
        assert (job.held.why, job.held.place) == ("step", "b")
    resumed = job.of(JobResumed)
    assert [(event.stepping, event.place) for event in resumed] == [(True, "b")] * 3
    held_ids = [event.held_id for event in job.of(JobHeld)]
    assert len(set(held_ids)) == 4, "a step resumes its hold; a new one is told"
    assert [event.held_id for event in resumed] == held_ids[:3]


def test_a_step_is_one_activation_however_many_may_run_in_parallel() -> None:
    job, seen = paused(range(4), max_parallel=None)

    out = job.feed(Step())

    assert len(out.tokens) == 1
    job.work()
    assert seen == [0]


def test_what_a_step_emits_is_queued_and_not_started() -> None:
    job = Driven(chain(burst([1]), pass_on(), pass_on()))
    job.start()
    job.run("a")
    job.news()
    job.feed(Pause(1))
    job.work()
    job.feed(Step())
    job.work()

    assert job.held.place == "c"
    assert job.count("c").activations == 0
    assert job.slot_count("c.value").queued == 1


def test_a_step_takes_the_oldest_over_all_routines() -> None:
    order: list[Any] = []
    job = Driven(
        flow_of(
            {"s": source([1, 2]), "y": sink(order), "x": sink(order)},
            "s.out -> x.value",
            "s.out -> y.value",
        )
    )
    job.feed(Start(hold_generation=1))
    numbers = []
    for _ in range(8):
        ready = job.core.ready()
        if not ready:
            break
        assert [a.number for a in ready] == sorted(a.number for a in ready)
        numbers.append(ready[0].number)
        assert job.held.place == ready[0].routine
        job.feed(Step())
        job.work()

    assert order == [1, 1, 2, 2]
    assert numbers == sorted(numbers)
    assert job.status == "COMPLETED"


def test_a_step_may_name_the_activation() -> None:
    job = Driven(flow_of({"x": pass_on(), "y": pass_on()}))
    job.feed(Start((("x.value", 1), ("y.value", 2)), hold_generation=1))
    wanted = job.core.ready()[1]
    assert wanted.routine == "y"

    job.feed(Step(wanted))
    job.work()

    assert job.outputs == {"x.out": [], "y.out": [2]}


def test_a_step_of_an_activation_that_is_not_ready_is_ignored_and_told() -> None:
    job, seen = paused(range(2))

    job.feed(Step(ReadyActivation("b", 999)))

    assert len(job.of(StepIgnored)) == 1
    assert job.status == "PAUSED"
    assert (seen, job.tokens) == ([], [])


def test_a_step_during_a_step_is_ignored_and_told() -> None:
    job, seen = paused(range(3))
    job.feed(Step())

    job.feed(Step())

    assert len(job.of(StepIgnored)) == 1
    job.work()
    assert seen == [0]


def test_a_step_of_a_job_that_is_not_held_is_ignored_and_told() -> None:
    job = Driven(chain(source([1])))
    job.start()

    job.feed(Step())

    assert len(job.of(StepIgnored)) == 1
    assert job.status == "RUNNING"


def test_a_pause_during_a_step_holds_and_the_step_loses_nothing() -> None:
    job, seen = paused(range(3))
    job.feed(Step())

    job.feed(Pause(2))
    job.work()

    assert job.status == "PAUSED"
    assert seen == []
    job.feed(Resume(2))
    job.work()
    assert seen == [0, 1, 2]


def test_the_last_step_ends_the_job() -> None:
    job, seen = paused(range(1))

    job.feed(Step())
    job.work()

    assert seen == [0]
    assert job.status == "COMPLETED"


def test_a_step_that_fails_under_continue_holds_again() -> None:
    def logic(self: Any, value: int) -> None:
        raise ValueError(value)

    body = routine(logic, slots={"value": Slot(int)}, on_error=Continue())
    job = Driven(chain(burst(range(2)), body))
    job.start()
    job.run("a")
    job.news()
    job.feed(Pause(1))
    job.work()
    job.feed(Step())
    job.work()

    assert job.status == "PAUSED"
    assert len(job.core.dead_letters) == 1


def test_a_step_over_a_join_takes_one_message_of_each_slot() -> None:
    job = Driven(
        flow_of(
            {"l": burst([1, 2]), "r": burst("ab"), "p": pair(activation=AllSlots())},
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )
    job.start()
    job.run("l")
    job.run("r")
    job.news()
    job.feed(Pause(1))
    job.work()
    assert [(m.slot, m.value.text) for m in job.held.messages] == [("left", "1"), ("right", "'a'")]
    job.feed(Step())
    job.work()

    assert job.outputs["p.out"] == [(1, "a")]


def test_stepping_to_the_end_gives_what_running_gives() -> None:
    def build() -> Driven:
        return Driven(
            flow_of(
                {"s": source(range(6)), "x": pass_on(2), "y": pass_on(1), "p": pair(2)},
                "s.out -> x.value",
                "s.out -> y.value",
                "x.out -> p.left",
                "y.out -> p.right",
            )
        )

    stepped, ran = build(), build()
    ran.start()
    ran.work()
    stepped.feed(Start(hold_generation=1))
    steps = 0
    while stepped.status == "PAUSED":
        stepped.feed(Step())
        stepped.work()
        steps += 1
        assert steps < 100, stepped.core.ready()

    assert stepped.status == ran.status == "COMPLETED"
    assert stepped.outputs == ran.outputs


# ---- generations


def test_a_resume_for_an_earlier_pause_does_nothing() -> None:
    job, seen = paused(range(2))
    job.feed(Pause(5))

    job.feed(Resume(4))

    assert job.status == "PAUSED"
    job.feed(Resume(5), Resume(5))
    job.work()
    assert seen == [0, 1]
    assert len(job.of(JobResumed)) == 1


def test_a_resume_of_another_hold_does_nothing() -> None:
    job, _ = paused(range(2))

    job.feed(Resume(1, held_id=job.held.held_id + 7))

    assert job.status == "PAUSED"


def test_a_resume_ordered_before_its_pause_arrives_does_not_lift_it() -> None:
    job = Driven(chain(source([1])))
    job.start()

    job.feed(Resume(1), Pause(2), Resume(1))

    assert job.status == "PAUSED"


def test_cancel_while_held() -> None:
    job, seen = paused(range(3))

    job.feed(Cancel())
    job.feed(Resume(1))

    assert job.status == "CANCELLED"
    assert seen == []
    assert job.slot_count("b.value").queued == 3


# ---- breakpoints


def test_a_breakpoint_holds_the_job_before_the_activation() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(3)), pass_on(), sink(seen)))
    job.start(stops={"c": (11,)})
    job.work()

    assert job.status == "PAUSED"
    assert (job.held.why, job.held.place, job.held.breakpoints) == ("breakpoint", "c", (11,))
    assert [(m.slot, m.value.text) for m in job.held.messages] == [("value", "0")]
    assert seen == []


def test_a_resumed_activation_is_not_matched_again_and_the_next_one_is() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(3)), sink(seen)))
    job.start(stops={"b": (1,)})
    job.work()
    for n in range(3):
        assert job.status == "PAUSED"
        assert job.held.messages[0].value.text == str(n)
        assert seen == list(range(n))
        job.feed(Resume(99_999))
        job.work()

    assert seen == [0, 1, 2]
    assert job.status == "COMPLETED"
    assert len([hold for hold in job.of(JobHeld) if hold.why == "breakpoint"]) == 3


@pytest.mark.parametrize("moment", ["before a worker took it", "pop", "mark"])
def test_a_resumed_activation_that_a_pause_takes_back_is_not_matched_again(moment: str) -> None:
    seen: list[Any] = []
    job = Driven(chain(burst([0]), sink(seen)))
    job.start(stops={"b": (1,)})
    job.work()
    if moment != "before a worker took it":
        hook = job.hook_pop if moment == "pop" else job.hook_mark
        hook("b", lambda: job.feed(Pause(50_000)))
    job.feed(Resume(40_000))
    if moment == "before a worker took it":
        job.feed(Pause(50_000))
    job.work()
    assert seen == []
    assert job.held.why == "pause"

    job.feed(Resume(50_000))
    job.work()
    assert [hold.why for hold in job.of(JobHeld)] == ["breakpoint", "pause"]
    assert seen == [0]


def test_a_step_goes_over_breakpoints_of_what_it_starts() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(2)), sink(seen)))
    job.start(stops={"b": (1,)})
    job.work()

    job.feed(Step())
    job.work()

    assert seen == [0]
    assert job.held.why == "step"
    assert job.held.place == "b"


def test_a_breakpoint_on_a_source_holds_before_it_starts() -> None:
    job = Driven(chain(source([1]), pass_on()))

    out = job.start(stops={"a": (1,)})

    assert out.tokens == []
    assert (job.status, job.held.place, job.held.messages) == ("PAUSED", "a", ())
    job.feed(Resume(99_999))
    job.work()
    assert job.outputs["b.out"] == [1]


@pytest.mark.parametrize("held_first", [False, True])
def test_a_breakpoint_before_an_entry_routine_holds_before_it_takes_its_parameter(
    held_first: bool,
) -> None:
    job = Driven(chain(pass_on(), pass_on()))
    generation = 1 if held_first else None

    job.feed(Start((("a.value", 1),), hold_generation=generation, stops={"a": (7,)}))

    assert job.tokens == []
    assert job.status == "PAUSED"
    if held_first:
        assert job.held.why == "pause"
        job.feed(Resume(1))
    assert (job.held.why, job.held.place, job.held.breakpoints) == ("breakpoint", "a", (7,))
    job.feed(Resume(99_999))
    job.work()
    assert job.outputs["b.out"] == [1]


def test_breakpoints_before_two_entry_routines_are_hit_one_after_the_other() -> None:
    job = Driven(flow_of({"x": pass_on(), "y": pass_on(), "s": source([1])}))
    job.start(stops={"x": (1,), "y": (2,), "s": (3,)}, x__value=1, y__value=2)
    job.work()
    places = []
    while job.status == "PAUSED":
        places.append(job.held.place)
        assert len(places) < 10
        job.feed(Resume(99_999))
        job.work()

    assert sorted(places) == ["s", "x", "y"]
    assert job.outputs == {"x.out": [1], "y.out": [2], "s.out": [1]}


def test_a_breakpoint_set_while_running_takes_back_what_has_not_begun() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(4)), sink(seen)))
    job.start()
    job.run("a")
    job.news()

    job.feed(SetStops({"b": (3,)}))
    job.work()

    assert seen == []
    assert (job.held.why, job.held.breakpoints) == ("breakpoint", (3,))


def test_a_breakpoint_set_while_held_holds_after_the_resume() -> None:
    job, seen = paused(range(2))
    job.feed(SetStops({"b": (3,)}))
    assert job.held.why == "pause"

    job.feed(Resume(1))
    job.work()

    assert seen == []
    assert job.held.why == "breakpoint"


def test_removed_breakpoints_hold_no_more() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(4)), sink(seen)))
    job.start(stops={"b": (1,)})
    job.work()
    job.feed(SetStops({}))
    assert job.status == "PAUSED", "taking the breakpoint away doesn't resume"

    job.feed(Resume(99_999))
    job.work()

    assert seen == [0, 1, 2, 3]


def test_a_breakpoint_with_several_in_parallel_lets_each_through_once() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(5)), sink(seen, max_parallel=3)))
    job.start(stops={"b": (1,)})
    job.work()
    resumes = 0
    while job.status == "PAUSED":
        resumes += 1
        job.feed(Resume(99_999))
        job.work()

    assert resumes == 5
    assert sorted(seen) == list(range(5))


def test_two_breakpoints_at_once_are_hit_one_after_the_other() -> None:
    one: list[Any] = []
    two: list[Any] = []
    job = Driven(
        flow_of(
            {"s": burst([1]), "x": sink(one), "y": sink(two)},
            "s.out -> x.value",
            "s.out -> y.value",
        )
    )
    job.start(stops={"x": (1,), "y": (2,)})
    job.work()
    places = []
    while job.status == "PAUSED":
        places.append(job.held.place)
        job.feed(Resume(99_999))
        job.work()

    assert sorted(places) == ["x", "y"]
    assert one == two == [1]


def test_a_breakpoint_on_a_gated_routine_waits_for_its_turn() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(6)), pass_on(), sink(seen, capacity=1)))
    job.start(stops={"b": (1,)})
    job.work()
    for _ in range(50):
        if job.status != "PAUSED":
            break
        job.feed(Resume(99_999))
        job.work()

    assert seen == list(range(6))
    assert job.status == "COMPLETED"


def test_the_hold_is_told_again_when_a_late_body_changes_what_goes_next() -> None:
    def logic(self: Any, value: int) -> None:
        job.feed(Pause(1))
        self.out.emit(value)

    job = Driven(chain(burst([1]), routine(logic, slots={"value": Slot(int)}), pass_on()))
    job.start()
    job.work()

    assert [hold.place for hold in job.of(JobHeld)] == ["", "c"]
    assert len({hold.held_id for hold in job.of(JobHeld)}) == 1


def test_a_resume_during_a_step_lets_everything_go_on() -> None:
    job, seen = paused(range(4))
    job.feed(Step())

    job.feed(Resume(99_999))
    job.work()

    assert seen == [0, 1, 2, 3]
    assert job.status == "COMPLETED"


def test_a_cancel_during_a_step_ends_the_job() -> None:
    job, seen = paused(range(4))
    job.feed(Step())

    job.feed(Cancel())
    job.run("b")
    job.news()

    assert job.status == "CANCELLED"
    assert seen == []


def test_a_pause_of_a_held_job_keeps_its_breakpoint_s_place() -> None:
    seen: list[Any] = []
    job = Driven(chain(burst(range(2)), sink(seen)))
    job.start(stops={"b": (1,)})
    job.work()
    job.feed(Pause(70_000))
    job.feed(Resume(69_999))
    assert job.status == "PAUSED"

    job.feed(Resume(70_000))
    job.work()

    assert seen == [0]
    assert job.held.messages[0].value.text == "1"


def test_what_could_not_start_is_not_among_the_ready() -> None:
    """While a body runs where one may run at a time, the next couldn't be stepped."""
    ready: list[Any] = []

    def logic(self: Any, value: Any) -> None:
        if value == 1:
            job.feed(Pause(1))
            ready.extend([list(job.core.by_id["a"].ready), job.core.ready()])

    job = Driven(chain(routine(logic, slots={"value": Slot(object)}, events=())))
    job.feed(Start(keep_open=True))
    job.post("a.value", 1, 2)
    job.run("a")
    job.news()

    assert ready == [[(2, 2)], ()]
    assert job.core.ready() == (ReadyActivation("a", 2),)


def test_what_is_behind_a_message_that_waits_for_room_is_not_among_the_ready() -> None:
    job = Driven(chain(pass_on(), sink([], capacity=1)))
    job.feed(Start(keep_open=True))
    job.post("a.value", 1, 2, 3)
    job.tokens[0].limit = 2
    job.run("a")
    job.feed(Pause(1))
    job.news()

    assert [entry[0] for entry in job.core.by_id["a"].ready] == [3]
    assert [activation.routine for activation in job.core.ready()] == ["b"]
