"""Rules and keys of one's own, and what becomes of a job when they fail, fed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from helpers.driven import Driven, closed, kept_open
from helpers.flows import burst, flow_of, pair, pass_on, routine
from penstock import Activation, AllSlots, Routine, Slot
from penstock.observe import ActivationFailed
from penstock.run.messages import Pause, Posted, Resume, SetStops, Step

# ---- a rule of one's own


class Rule(Activation):
    """What a function says."""

    def __init__(self, take: Callable[[Mapping[str, Sequence[Any]]], Any]) -> None:
        self._act = take

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Any:
        return self._act(queues)


def ruled(
    seen: list[Any], take: Callable[[Mapping[str, Sequence[Any]]], Any], **attributes: Any
) -> Routine:
    """Two slots and a rule; notes what `logic` is given."""

    def logic(self: Any, left: Any = "-", right: Any = "-") -> None:
        seen.append((left, right))

    slots = {"left": Slot(object), "right": Slot(object)}
    return routine(logic, slots=slots, activation=Rule(take), events=(), **attributes)


def test_a_rule_of_ones_own_says_how_many_of_which_slot_are_taken() -> None:
    seen: list[Any] = []

    def take(queues: Mapping[str, Sequence[Any]]) -> Any:
        left, right = queues["left"], queues["right"]
        if len(left) >= 3 and right:
            assert list(left[:2]) == [left[0], left[1]]
            return {"left": (0, 2), "right": 0}
        return None

    job = kept_open(ruled(seen, take))
    job.post("a.left", 1, 2, 3)
    job.post("a.right", "x")
    closed(job)

    assert seen == [([1, 3], "x")]
    left = job.slot_count("a.left")
    assert (left.consumed, left.discarded) == (2, 1)


def test_a_rule_that_says_several_gives_a_list_though_it_be_of_one() -> None:
    seen: list[Any] = []

    def take(queues: Mapping[str, Sequence[Any]]) -> Any:
        left, right = queues["left"], queues["right"]
        return {"left": range(len(left)), "right": 0} if left and right else None

    job = kept_open(ruled(seen, take))
    job.post("a.left", 1)
    job.post("a.right", "x")
    closed(job)

    assert seen == [([1], "x")]


def test_a_slot_that_is_left_out_is_not_passed() -> None:
    seen: list[Any] = []
    job = kept_open(ruled(seen, lambda queues: {"right": 0} if queues["right"] else None))

    job.post("a.left", 1)
    job.post("a.right", 2)
    closed(job)

    assert seen == [("-", 2)]
    assert job.slot_count("a.left").discarded == 1


def test_a_rule_is_asked_when_an_activation_may_start() -> None:
    """So that it chooses among everything that waits by then."""
    seen: list[Any] = []

    def take(queues: Mapping[str, Sequence[Any]]) -> Any:
        waiting = list(queues["left"])
        return {"left": waiting.index(max(waiting))} if waiting else None

    job = kept_open(ruled(seen, take, max_parallel=1))
    job.post("a.left", 1)
    job.post("a.left", 2, 7, 3)
    closed(job)

    assert [left for left, _ in seen] == [1, 7, 3, 2]


def test_a_rule_is_asked_at_a_step_too() -> None:
    seen: list[Any] = []
    job = kept_open(ruled(seen, lambda queues: {"left": 0} if queues["left"] else None))
    job.feed(Pause(1))
    job.post("a.left", 1, 2)
    assert [m.number for m in job.held.messages] == [1]

    job.feed(Step())
    job.work()

    assert [left for left, _ in seen] == [1]
    assert job.status == "PAUSED"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (3, "take: expected slot -> positions or None, got 3"),
        ({"up": 0}, "take: there is no slot 'up'; it has left, right"),
        ({"left": 1}, "take: 'left' has positions 0 to 0, got [1]"),
        ({"left": (0, 0)}, "take: 'left' has positions 0 to 0, got [0, 0]"),
        ({"left": ()}, "take: an activation needs at least one message; return None for none"),
        ({}, "take: an activation needs at least one message"),
    ],
)
def test_a_rule_whose_answer_makes_no_sense_fails_the_job(answer: Any, text: str) -> None:
    seen: list[Any] = []
    job = kept_open(ruled(seen, lambda queues: answer))

    job.post("a.left", 1)
    job.work()

    error = job.core.error
    assert job.status == "FAILED"
    assert error is not None
    assert (error.routine, error.type) == ("a", "FlowError")
    assert error.text.startswith(text)
    assert job.slot_count("a.left").queued == 1
    assert seen == []
    assert [event.action for event in job.of(ActivationFailed)] == ["stop"]


def test_a_rule_that_raises_fails_the_job_and_says_where() -> None:
    def take(queues: Mapping[str, Sequence[Any]]) -> Any:
        raise OSError("no rule")

    job = kept_open(ruled([], take))
    job.post("a.left", 1)
    job.work()

    assert job.status == "FAILED"
    assert str(job.core.error) == "a: OSError: no rule"


def test_a_rule_that_raises_while_the_job_is_held_ends_it() -> None:
    def take(queues: Mapping[str, Sequence[Any]]) -> Any:
        raise OSError("no rule")

    job = kept_open(ruled([], take))
    job.feed(Pause(1))
    job.post("a.left", 1)
    job.work()

    assert (job.status, job.core.hold) == ("FAILED", None)


def test_a_breakpoint_stands_before_what_a_rule_chooses() -> None:
    seen: list[Any] = []
    job = kept_open(ruled(seen, lambda queues: {"left": 0} if queues["left"] else None))
    job.feed(SetStops({"a": (7,)}))
    job.post("a.left", 1)
    job.work()
    assert (job.held.breakpoints, job.held.messages[0].slot, seen) == ((7,), "left", [])

    job.feed(Resume(job.held.generation))
    job.work()

    assert [left for left, _ in seen] == [1]


# ---- match


def test_a_key_that_raises_in_the_middle_of_a_batch_keeps_the_others() -> None:
    def key(value: int) -> int:
        if value == 2:
            raise ValueError("no key")
        return value

    flow = flow_of(
        {"s": burst([0, 1, 2, 3, 4]), "p": pair(activation=AllSlots(match=key))}, "s.out -> p.left"
    )
    job = Driven(flow)
    job.start()
    job.work()

    count = job.slot_count("p.left")
    assert job.status == "FAILED"
    assert (count.posted, count.dead, count.queued, count.depth) == (5, 1, 4, 2)
    assert str(job.core.error) == "p: ValueError: no key"


def test_the_events_of_one_body_behind_a_key_that_raises_change_nothing_any_more() -> None:
    def key(value: object) -> object:
        raise ValueError(value)

    def logic(self: Any) -> None:
        self.x.emit(1)
        self.y.emit(2)

    job = Driven(
        flow_of(
            {
                "s": routine(logic, events=("x", "y")),
                "p": pair(activation=AllSlots(match=key)),
                "q": pair(activation=AllSlots(match=key)),
            },
            "s.x -> p.left",
            "s.y -> q.left",
        )
    )
    job.start()
    job.work()

    assert str(job.core.error) == "p: ValueError: 1"
    assert job.slot_count("q.left").posted == 0


def test_what_was_done_before_a_key_raised_is_counted() -> None:
    def key(value: object) -> object:
        raise ValueError(value)

    job = kept_open(
        flow_of({"a": pass_on(), "p": pair(activation=AllSlots(match=key))}, "a.out -> p.left")
    )
    job.post("a.value", 1, 2)
    job.work()

    assert job.status == "FAILED"
    assert (job.count("a").activations, job.slot_count("a.value").consumed) == (2, 2)


def test_a_parameter_whose_key_raises_ends_the_job_before_its_sources_begin() -> None:
    def key(value: object) -> object:
        raise ValueError(value)

    job = Driven(
        flow_of({"s": burst([1]), "p": pair(activation=AllSlots(match=key))}, "s.out -> p.right")
    )
    out = job.start(p__left=0, p__right=0)

    assert (job.status, out.tokens) == ("FAILED", [])
    assert job.slot_count("p.right").posted == 0


def test_posted_messages_of_a_join_wait_at_their_slots() -> None:
    job = kept_open(flow_of({"p": pair(capacity=2)}))
    job.feed(Posted(job.slot("p.left"), 1, False))
    job.post("p.left", 2)
    job.post("p.right", "x")

    assert closed(job).outputs["p.out"] == [(1, "x")]
    assert job.slot_count("p.left").discarded == 1
