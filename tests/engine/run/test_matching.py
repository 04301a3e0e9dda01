"""Forming activations out of what waits in slots, without a job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Activation, FlowError
from penstock.run.matching import (
    AnyOf,
    Batches,
    Bound,
    Custom,
    InOrder,
    KeyedQueues,
    Message,
    Rule,
    messages_in,
    newest,
)

Arrivals = list[tuple[int, int]]


def by_hand(arrivals: Arrivals, slots: int) -> list[tuple[int, ...]]:
    """Sets of numbers in the order in which they became complete, found the slow way."""
    waiting: dict[int, list[list[int]]] = defaultdict(lambda: [[] for _ in range(slots)])
    found = []
    for number, (slot, key) in enumerate(arrivals):
        waiting[key][slot].append(number)
        if all(waiting[key]):
            found.append(tuple(queue.pop(0) for queue in waiting[key]))
    return found


def numbers(bound: Bound) -> tuple[int, ...]:
    """The numbers of what is bound, by slot."""
    return tuple(number for _, (number, _) in messages_in(bound))


def added(rule: Rule, arrivals: Sequence[tuple[int, Any]]) -> list[Bound]:
    """What comes of (slot, value) arriving one after the other, numbered from 0."""
    return [one for n, (slot, value) in enumerate(arrivals) for one in rule.add(slot, (n, value))]


def test_what_is_bound_knows_its_messages_and_which_is_the_newest() -> None:
    bound: Bound = ((3, "a"), None, [(1, "b"), (7, "c")])

    assert list(messages_in(bound)) == [(0, (3, "a")), (2, (1, "b")), (2, (7, "c"))]
    assert newest(bound) == 7


# ---- one of each slot


@pytest.mark.parametrize("slots", [2, 3])
@given(data=st.data())
def test_sets_are_the_oldest_of_equal_keys_as_they_become_complete(
    slots: int, data: st.DataObject
) -> None:
    one = st.tuples(st.integers(0, slots - 1), st.integers(0, 3))
    arrivals: Arrivals = data.draw(st.lists(one, max_size=60))
    queues = KeyedQueues(slots, lambda key: key)

    found = [numbers(bound) for bound in added(queues, arrivals)]

    assert found == by_hand(arrivals, slots)
    left = len(arrivals) - slots * len(found)
    assert sum(queues.depth(slot) for slot in range(slots)) == left


@given(st.lists(st.integers(0, 1), max_size=60))
def test_without_match_the_oldest_of_each_slot_go_together(slots: list[int]) -> None:
    queues = InOrder(2)

    found = [numbers(bound) for bound in added(queues, [(slot, 0) for slot in slots])]

    of = [[n for n, slot in enumerate(slots) if slot == i] for i in range(2)]
    assert found == list(zip(*of, strict=False))
    assert queues.depth(0) == len(of[0]) - len(found)


def test_a_message_whose_key_can_not_be_had_is_not_kept() -> None:
    queues = KeyedQueues(2, lambda value: value["k"])

    with pytest.raises(KeyError):
        queues.add(0, (1, {}))

    assert queues.depth(0) == 0


@pytest.mark.parametrize("key", [[], {}])
def test_a_key_that_can_not_be_compared_is_the_caller_s_error(key: Any) -> None:
    queues = KeyedQueues(2, lambda value: value)

    with pytest.raises(TypeError):
        queues.add(0, (1, key))

    assert queues.depth(0) == 0


def test_an_older_message_of_the_key_goes_before_the_one_that_completes_the_set() -> None:
    """Two that were put back can wait in all slots at once."""
    queues = KeyedQueues(2, lambda value: value)
    (bound,) = added(queues, [(0, "k"), (1, "k")])
    queues.put_back(bound)

    assert queues.add(0, (2, "k")) == (((0, "k"), (1, "k")),)
    assert (queues.depth(0), queues.depth(1)) == (1, 0)


# ---- any of them


@given(st.lists(st.integers(0, 2), max_size=30))
def test_any_of_them_goes_at_once(slots: list[int]) -> None:
    queues = AnyOf(3)

    found = added(queues, [(slot, 0) for slot in slots])

    assert [list(messages_in(bound)) for bound in found] == [
        [(slot, (n, 0))] for n, slot in enumerate(slots)
    ]
    assert [queues.depth(slot) for slot in range(3)] == [0, 0, 0]


# ---- batches


@given(size=st.integers(1, 5), many=st.integers(0, 30))
def test_batches_are_full_and_the_last_has_what_is_left(size: int, many: int) -> None:
    rule = Batches(size)

    found = added(rule, [(0, n) for n in range(many)])
    last = rule.flush()

    full = many // size
    assert [numbers(bound) for bound in found] == [
        tuple(range(n * size, (n + 1) * size)) for n in range(full)
    ]
    left = tuple(range(full * size, many))
    assert (numbers(last) if last is not None else ()) == left
    assert rule.flush() is None
    assert rule.depth(0) == 0


def test_a_batch_knows_the_first_of_what_waits() -> None:
    rule = Batches(3)
    assert rule.first() == 0

    added(rule, [(0, n) for n in range(3)])
    rule.add(0, (7, "x"))
    rule.add(0, (8, "y"))

    assert (rule.first(), rule.depth(0)) == (7, 2)


# ---- taken apart, dropped, formed anew: the same for all rules


def key_of(value: int) -> int:
    return value % 2


MAKERS: dict[str, Callable[[], Rule]] = {
    "in order": lambda: InOrder(2),
    "by key": lambda: KeyedQueues(2, key_of),
    "any": lambda: AnyOf(2),
    "batches": lambda: Batches(3),
}


@pytest.mark.parametrize("name", MAKERS)
@given(data=st.data())
def test_what_is_put_back_is_formed_again_as_it_was(name: str, data: st.DataObject) -> None:
    one_slot = name == "batches"
    one = st.tuples(st.just(0) if one_slot else st.integers(0, 1), st.integers(0, 3))
    arrivals: Arrivals = data.draw(st.lists(one, max_size=30))
    rule = MAKERS[name]()
    found = added(rule, arrivals)
    depths = [rule.depth(slot) for slot in range(1 if one_slot else 2)]

    for bound in reversed(found):
        rule.put_back(bound)
    again = list(rule.form())

    assert again == found
    assert [rule.depth(slot) for slot in range(len(depths))] == depths


@pytest.mark.parametrize("name", MAKERS)
@given(data=st.data())
def test_what_is_left_when_the_oldest_are_dropped_is_formed_as_if_they_had_never_come(
    name: str, data: st.DataObject
) -> None:
    one_slot = name == "batches"
    one = st.tuples(st.just(0) if one_slot else st.integers(0, 1), st.integers(0, 3))
    arrivals: Arrivals = data.draw(st.lists(one, max_size=30))
    many = data.draw(st.integers(0, 5))
    rule = MAKERS[name]()
    for bound in reversed(added(rule, arrivals)):
        rule.put_back(bound)

    dropped = [rule.drop_oldest(0) for _ in range(many)]

    in_slot = [(n, value) for n, (slot, value) in enumerate(arrivals) if slot == 0]
    assert [one for one in dropped if one is not None] == in_slot[:many]
    gone = {n for n, _ in in_slot[:many]}
    fresh = MAKERS[name]()
    expected = [
        one
        for n, (slot, value) in enumerate(arrivals)
        if n not in gone
        for one in fresh.add(slot, (n, value))
    ]
    assert list(rule.form()) == expected


# ---- a rule of one's own


class Saying(Activation):
    """Answers what it is told to, and keeps what it saw."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.seen: list[dict[str, list[Any]]] = []

    def take(self, queues: Mapping[str, Sequence[Any]]) -> Any:
        self.seen.append({name: list(values) for name, values in queues.items()})
        return self._answers.pop(0) if self._answers else None


def custom(*answers: Any) -> tuple[Custom, Saying]:
    activation = Saying(*answers)
    return Custom(("a", "b"), activation), activation


def test_a_rule_of_ones_own_is_asked_for_one_activation_at_a_time() -> None:
    rule, saying = custom({"b": 1}, {"a": 0, "b": (0,)})
    assert added(rule, [(0, "x"), (1, "y"), (1, "z")]) == []
    assert saying.seen == []

    assert rule.choose() == (None, (2, "z"))
    assert rule.choose() == ((0, "x"), [(1, "y")])
    assert rule.choose() is None

    assert saying.seen == [{"a": ["x"], "b": ["y", "z"]}, {"a": ["x"], "b": ["y"]}]


def test_without_anything_that_waits_it_is_not_asked() -> None:
    rule, saying = custom({"a": 0})

    assert rule.choose() is None
    assert saying.seen == []


def test_several_positions_make_a_list_in_the_order_of_the_answer() -> None:
    rule, _ = custom({"a": (2, 0)})
    added(rule, [(0, "x"), (0, "y"), (0, "z")])

    assert rule.choose() == ([(2, "z"), (0, "x")], None)
    assert rule.depth(0) == 1


@pytest.mark.parametrize("one", [[1], (1,), range(1, 2)])
def test_several_positions_of_which_there_is_one_are_a_list_of_one(one: Sequence[int]) -> None:
    rule, _ = custom({"a": one, "b": 0})
    added(rule, [(0, "x"), (0, "y"), (1, "z")])

    bound = rule.choose()

    assert bound == ([(1, "y")], (2, "z"))
    rule.put_back(bound)
    assert (rule.depth(0), rule.depth(1)) == (2, 1)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([], r"take: expected slot -> positions or None, got \[\]"),
        ({"c": 0}, "take: there is no slot 'c'; it has a, b"),
        ({"a": 2}, r"take: 'a' has positions 0 to 1, got \[2\]"),
        ({"a": -1}, r"take: 'a' has positions 0 to 1, got \[-1\]"),
        ({"a": (1, 1)}, r"take: 'a' has positions 0 to 1, got \[1, 1\]"),
        ({"b": 0}, r"take: 'b' has positions 0 to -1, got \[0\]"),
        ({"a": ()}, "take: an activation needs at least one message"),
        ({}, "take: an activation needs at least one message"),
    ],
)
def test_of_an_answer_that_makes_no_sense_nothing_is_taken(answer: Any, text: str) -> None:
    rule, _ = custom(answer)
    added(rule, [(0, "x"), (0, "y")])

    with pytest.raises(FlowError, match=text):
        rule.choose()

    assert (rule.depth(0), rule.depth(1)) == (2, 0)


def test_what_was_chosen_can_be_put_back_and_dropped() -> None:
    rule, saying = custom({"a": 1})
    added(rule, [(0, "x"), (0, "y")])
    bound = rule.choose()
    assert bound is not None

    rule.put_back(bound)
    assert rule.form() == ()
    rule.choose()
    assert saying.seen[-1] == {"a": ["x", "y"], "b": []}

    assert [rule.drop_oldest(0) for _ in range(3)] == [(0, "x"), (1, "y"), None]


def test_the_queues_a_rule_sees_are_sequences_to_read() -> None:
    looked: list[Any] = []

    class Looking(Activation):
        def take(self, queues: Mapping[str, Sequence[Any]]) -> None:
            values = queues["a"]
            looked.extend([values[0], values[-1], values[1:], len(values), "y" in values])
            assert not hasattr(values, "append")

    rule = Custom(("a",), Looking())
    message: Message
    for message in [(1, "x"), (2, "y"), (3, "z")]:
        rule.add(0, message)
    rule.choose()

    assert looked == ["x", "z", ["y", "z"], 3, True]
