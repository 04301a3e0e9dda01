from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.run.matching import InOrder, KeyedQueues

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


@pytest.mark.parametrize("slots", [2, 3])
@given(data=st.data())
def test_sets_are_the_oldest_of_equal_keys_as_they_become_complete(
    slots: int, data: st.DataObject
) -> None:
    one = st.tuples(st.integers(0, slots - 1), st.integers(0, 3))
    arrivals: Arrivals = data.draw(st.lists(one, max_size=60))
    queues = KeyedQueues(slots, lambda key: key)

    found = [queues.add(slot, (n, key)) for n, (slot, key) in enumerate(arrivals)]

    numbers = [tuple(n for n, _ in one) for one in found if one is not None]
    assert numbers == by_hand(arrivals, slots)
    left = len(arrivals) - slots * len(numbers)
    assert sum(queues.depth(slot) for slot in range(slots)) == left


@given(st.lists(st.integers(0, 1), max_size=60))
def test_without_match_the_oldest_of_each_slot_go_together(slots: list[int]) -> None:
    queues = InOrder(2)

    found = [queues.add(slot, (n, slot)) for n, slot in enumerate(slots)]

    numbers = [tuple(n for n, _ in one) for one in found if one is not None]
    of = [[n for n, slot in enumerate(slots) if slot == i] for i in range(2)]
    assert numbers == list(zip(*of, strict=False))
    assert queues.depth(0) == len(of[0]) - len(numbers)


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
