"""Routing, activation and completion of one job: feed messages, run tokens by hand, compare."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest

from helpers.driven import Driven
from helpers.flows import burst, chain, flow_of, pair, pass_on, routine, sink, source
from penstock import AllSlots, Flow, Slot
from penstock.observe import (
    EVENT_TYPES,
    ActivationEnded,
    ActivationStarted,
    JobEnded,
    JobProgress,
    JobStarted,
    MessageQueued,
    SliceEnded,
)
from penstock.run.messages import Cancel, Posted, Start


def test_a_start_tells_the_job_and_submits_its_sources() -> None:
    job = Driven(chain(source([1, 2]), pass_on()))

    out = job.start()

    assert [type(event) for event in out.events] == [JobStarted]
    assert job.of(JobStarted)[0].routines == ("a", "b")
    assert [token.routine for token in out.tokens] == ["a"]
    assert job.status == "RUNNING"


def test_entry_params_reach_the_slots_they_name() -> None:
    job = Driven(chain(pass_on(), pass_on()))

    job.start(a__value="x", b__value="y")
    job.work()

    assert job.outputs == {"b.out": ["y", "x"]}
    assert job.status == "COMPLETED"


def test_an_emission_reaches_every_connection_by_reference_and_in_order() -> None:
    one: list[Any] = []
    two: list[Any] = []
    values = [[1], [2], [3]]
    job = Driven(
        flow_of(
            {"s": burst(values), "x": sink(one), "y": sink(two)},
            "s.out -> x.value",
            "s.out -> y.value",
        )
    )

    job.start()
    job.work()

    assert one == two == values
    assert all(a is b is c for a, b, c in zip(one, two, values, strict=True))
    assert job.slot_count("x.value").posted == job.slot_count("y.value").posted == 3


def test_emissions_are_seen_downstream_while_the_body_still_runs() -> None:
    seen: list[Any] = []
    during: list[list[Any]] = []

    def logic(self: Any) -> None:
        self.out.emit(1)
        job.news()
        job.run("b")
        during.append(list(seen))
        self.out.emit(2)

    job = Driven(chain(routine(logic), sink(seen)))
    job.start()
    job.work()

    assert during == [[1]]
    assert seen == [1, 2]


def test_one_token_takes_a_slice_of_many_activations() -> None:
    job = Driven(chain(burst(range(100)), pass_on()))
    job.start()
    job.run("a")
    job.news()

    assert [token.routine for token in job.tokens] == ["b"]
    job.work()
    assert sum(event.count for event in job.of(SliceEnded) if event.routine == "b") == 100
    assert job.outputs["b.out"] == list(range(100))


@pytest.mark.parametrize(("limit", "tokens"), [(1, 1), (2, 2), (3, 3), (None, 4), (9, 5)])
def test_no_more_tokens_are_out_than_max_parallel_and_ready_activations(
    limit: int | None, tokens: int
) -> None:
    job = Driven(chain(burst(range(5)), pass_on(max_parallel=limit)), workers=4)
    job.start()
    job.run("a")

    job.news()

    assert len(job.tokens) == tokens
    job.work()
    assert sorted(job.outputs["b.out"]) == list(range(5))


@pytest.mark.parametrize(("limit", "more"), [(1, 0), (2, 1), (None, 1)])
def test_a_message_that_comes_while_a_body_runs_need_not_wait_behind_it(
    limit: int | None, more: int
) -> None:
    tokens: list[int] = []

    def logic(self: Any, value: int) -> None:
        if value == 1:
            tokens.append(len(job.post("a.value", 2).tokens))

    job = Driven(flow_of({"a": routine(logic, slots={"value": Slot(int)}, max_parallel=limit)}))
    job.start(a__value=1)
    job.run("a")

    assert tokens == [more]
    job.work()


def test_a_join_takes_the_oldest_of_each_slot() -> None:
    job = Driven(
        flow_of(
            {"l": burst([1, 2, 3]), "r": burst("abc"), "p": pair()},
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )

    job.start()
    job.work()

    assert job.outputs["p.out"] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_half_that_finds_no_partner_waits_and_is_discarded_at_the_end() -> None:
    job = Driven(
        flow_of(
            {"l": burst([1, 2, 3]), "r": burst("a"), "p": pair()},
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )
    job.start()
    job.work()

    assert job.status == "COMPLETED"
    assert job.outputs["p.out"] == [(1, "a")]
    count = job.slot_count("p.left")
    assert (count.posted, count.consumed, count.discarded) == (3, 1, 2)
    assert (count.depth, count.queued) == (0, 0)
    assert job.of(JobEnded)[0].discarded == {"p.left": 2}


def matched(match: Any, left: list[Any], right: list[Any]) -> Driven:
    job = Driven(
        flow_of(
            {"l": burst(left), "r": burst(right), "p": pair(activation=AllSlots(match=match))},
            "l.out -> p.left",
            "r.out -> p.right",
        )
    )
    job.start()
    job.work()
    return job


def test_match_pairs_equal_keys_oldest_first_and_lets_the_rest_wait() -> None:
    left = [{"k": 1, "n": "a"}, {"k": 2, "n": "b"}, {"k": 1, "n": "c"}, {"k": 9, "n": "d"}]
    right = [{"k": 2, "n": "x"}, {"k": 1, "n": "y"}, {"k": 1, "n": "z"}]

    job = matched("k", left, right)

    pairs = [(one["n"], other["n"]) for one, other in job.outputs["p.out"]]
    assert sorted(pairs) == [("a", "y"), ("b", "x"), ("c", "z")]
    assert job.slot_count("p.left").discarded == 1


def test_match_reads_attributes_too() -> None:
    class Named:
        def __init__(self, key: int) -> None:
            self.key = key

    one, other = Named(1), Named(1)

    assert matched("key", [one], [other]).outputs["p.out"] == [(one, other)]


def test_match_calls_the_key_function_once_a_message_however_many_wait() -> None:
    calls = 0

    def key(value: int) -> int:
        nonlocal calls
        calls += 1
        return value

    job = matched(key, list(range(800)), list(reversed(range(800))))

    assert calls == 1600
    assert all(one == other for one, other in job.outputs["p.out"])
    assert len(job.outputs["p.out"]) == 800


def test_a_key_function_that_raises_fails_the_job_and_says_where() -> None:
    job = matched("k", [{"k": 1}, {}, {"k": 2}], [])

    assert job.status == "FAILED"
    assert job.core.error is not None
    assert job.core.error.routine == "p"
    assert job.core.error.type == "KeyError"
    assert job.core.error.slots == {"left": {}}


def test_a_job_without_anything_to_do_completes_in_the_step_of_its_start() -> None:
    job = Driven(chain(pass_on()))

    out = job.start()

    assert job.status == "COMPLETED"
    assert [type(event) for event in out.events] == [JobStarted, JobProgress, JobEnded]
    assert Driven(Flow("empty")).start().events[-1].__class__ is JobEnded


def test_a_job_completes_in_the_very_step_of_its_last_report() -> None:
    job = Driven(chain(source([1]), pass_on(), pass_on()))
    job.start()

    while job.status == "RUNNING":
        assert job.tokens or job.inbox, "nothing to do, and yet not complete"
        if job.inbox:
            job.news()
        else:
            job.run()

    assert not job.inbox
    assert not job.tokens
    assert job.outputs["c.out"] == [1]


def test_it_does_not_complete_while_a_token_or_an_unseen_emission_is_out() -> None:
    job = Driven(chain(burst([1]), pass_on()))
    job.start()

    job.feed()
    assert job.status == "RUNNING"
    job.run("a")
    job.feed()
    assert job.status == "RUNNING"


def test_outputs_have_a_key_for_each_unconnected_event_from_the_start_but_never_failed() -> None:
    job = Driven(
        flow_of(
            {"s": source([1], events=("out", "other")), "p": pass_on()},
            "s.out -> p.value",
        )
    )

    job.start()

    assert job.outputs == {"s.other": [], "p.out": []}


def test_the_last_thousand_outputs_are_kept_and_all_are_counted() -> None:
    job = Driven(chain(source(range(1500))))
    job.start()
    job.work()

    assert job.outputs["a.out"] == list(range(500, 1500))
    assert job.count("a").emitted["out"] == 1500


def test_several_connections_merge_into_one_queue_each_in_its_own_order() -> None:
    seen: list[Any] = []
    job = Driven(
        flow_of(
            {"x": burst(range(0, 50)), "y": burst(range(100, 150)), "z": sink(seen)},
            "x.out -> z.value",
            "y.out -> z.value",
        )
    )
    job.start()
    job.work()

    assert [v for v in seen if v < 100] == list(range(50))
    assert [v for v in seen if v >= 100] == list(range(100, 150))


def test_events_are_numbered_without_a_gap_and_ends_follow_starts() -> None:
    job = Driven(chain(source(range(5)), pass_on(), pass_on()))
    job.start()
    job.work()

    assert [event.seq for event in job.events] == list(range(1, len(job.events) + 1))
    assert [event.time for event in job.events] == sorted(event.time for event in job.events)
    assert len(job.of(ActivationStarted)) == len(job.of(ActivationEnded)) == 11
    assert len(job.of(MessageQueued)) == 10
    assert isinstance(job.events[-1], JobEnded)


def test_a_queued_message_tells_source_target_and_depth() -> None:
    job = Driven(chain(burst([5, 6]), pass_on()))
    job.start()
    job.run("a")
    job.news()

    first, second = job.of(MessageQueued)
    assert (first.source, first.target, first.depth, first.parked) == ("a.out", "b.value", 1, False)
    assert (second.depth, second.value.text) == (2, "6")
    assert first.number < second.number


def test_cancel_ends_the_job_at_once_and_its_queues_are_kept() -> None:
    job = Driven(chain(burst(range(5)), pass_on()))
    job.start()
    job.run("a")
    job.news()

    out = job.feed(Cancel())

    assert job.status == "CANCELLED"
    assert job.of(JobEnded)[0].status == "CANCELLED"
    assert isinstance(out.events[-1], JobEnded)
    assert job.slot_count("b.value").queued == 5
    assert job.slot_count("b.value").discarded == 0
    job.run("b")
    assert job.news().tokens == []
    assert job.count("b").activations == 0


def test_an_ended_job_takes_nothing_any_more() -> None:
    job = Driven(chain(pass_on()))
    job.start(a__value=1)
    job.feed(Cancel())
    before = len(job.events)

    job.feed(Cancel(), Posted(job.slot("a.value"), 7))

    assert job.status == "CANCELLED"
    assert len(job.events) == before
    assert job.slot_count("a.value").posted == 1


def test_a_body_that_emits_after_the_end_gets_cancelled_and_is_counted() -> None:
    raised: list[BaseException] = []

    def logic(self: Any, value: int) -> None:
        self.out.emit(1)
        job.feed(Cancel())
        for _ in range(3):
            try:
                self.out.emit(2)
            except BaseException as error:  # noqa: BLE001
                raised.append(error)

    slots = {"value": Slot(int)}
    job = Driven(chain(routine(logic, slots=slots), pass_on()))
    job.start(a__value=1)
    token = job.run("a")
    job.news()

    assert [type(error).__name__ for error in raised] == ["Cancelled"] * 3
    assert job.count("a").refused == 3
    assert job.leaving == [token]
    assert job.slot_count("b.value").consumed == 0
    assert not job.tokens


def test_nothing_is_told_after_the_end() -> None:
    """A failure and another routine's end come in one batch: the end of the job is told last."""

    def fail(self: Any, value: int) -> None:
        raise ValueError

    job = Driven(
        flow_of(
            {"s": burst([1]), "bad": routine(fail, slots={"value": Slot(int)}), "ok": pass_on()},
            "s.out -> bad.value",
            "s.out -> ok.value",
        )
    )
    job.start()
    job.run("s")
    job.news()
    job.run("bad")
    job.run("ok")
    job.news()

    assert job.status == "FAILED"
    assert isinstance(job.events[-1], JobEnded)
    ended = {event.routine for event in job.of(ActivationEnded)}
    assert "ok" in ended, "it ended before the job did"


def test_parameters_beyond_the_slots_are_never_passed() -> None:
    seen: list[Any] = []

    def logic(self: Any, value: int, extra: str = "default", *, more: int = 3) -> None:
        seen.append((value, extra, more))

    job = Driven(chain(routine(logic, slots={"value": Slot(int)})))
    job.start(a__value=1)
    job.work()

    assert seen == [(1, "default", 3)]


def test_slots_are_passed_by_name_whatever_the_order_of_parameters() -> None:
    seen: list[Any] = []

    def logic(self: Any, right: int, *, left: int) -> None:
        seen.append((left, right))

    job = Driven(
        flow_of({"j": routine(logic, slots={"left": Slot(int), "right": Slot(int)}, events=())})
    )
    job.start(j__left="l", j__right="r")
    job.work()

    assert seen == [("l", "r")]


def test_values_are_kept_as_summaries_when_somebody_may_ask() -> None:
    job = Driven(chain(source([1, 2, 3]), pass_on()), values=True)
    job.start()
    job.work()

    values = job.core.by_id["a"].emitters[0].values
    assert values is not None
    assert values[-1][2].text == "3"
    assert not Driven(chain(source([1]))).core.by_id["a"].emitters[0].values


def test_when_a_key_function_ends_the_job_the_other_branches_get_nothing_more() -> None:
    seen: list[Any] = []
    job = Driven(
        flow_of(
            {"s": burst([{}]), "p": pair(activation=AllSlots(match="k")), "z": sink(seen)},
            "s.out -> p.left",
            "s.out -> z.value",
        )
    )
    job.start()
    job.work()

    assert job.status == "FAILED"
    assert seen == []
    assert isinstance(job.events[-1], JobEnded)


def test_a_body_behind_a_decorator_runs() -> None:
    def twice(inner: Any) -> Any:
        @wraps(inner)
        def outer(self: Any, value: int) -> Any:
            inner(self, value)
            return inner(self, value)

        return outer

    @twice
    def logic(self: Any, value: int) -> None:
        self.out.emit(value)

    job = Driven(flow_of({"a": routine(logic, slots={"value": Slot(int)})}))
    job.start(a__value=4)
    job.work()

    assert job.outputs["a.out"] == [4, 4]


def test_slices_alone_are_taken_as_they_are_and_nothing_else() -> None:
    job = Driven(chain(source([1]), pass_on()), deaf_to=tuple(EVENT_TYPES))
    job.core.tell.begin(1.0)
    job.core.start(Start())

    assert [token.routine for token in job.core.taken_slices() or ()] == ["a"]
    assert job.core.taken_slices() == []


def test_slices_beside_something_told_are_left_to_be_taken_with_it() -> None:
    job = Driven(chain(source([1]), pass_on()))
    job.core.tell.begin(1.0)
    job.core.start(Start())

    assert job.core.taken_slices() is None
    out = job.core.taken()
    assert [token.routine for token in out.tokens] == ["a"]
    assert [type(event) for event in out.events] == [JobStarted]
    assert job.core.taken_slices() == []
