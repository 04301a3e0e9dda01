"""The few choices of several options in which every two values meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Pair = frozenset[tuple[str, Any]]


def pairs_of(choice: Mapping[str, Any]) -> set[Pair]:
    """Every two values that meet in one choice, with the options they belong to."""
    return {frozenset(two) for two in combinations(choice.items(), 2)}


def all_pairs(options: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Choices of one value per option; every two values of two options meet in one of them.

    Greedy, and the same every time: each choice starts from a pair that hasn't met yet and takes,
    option by option, the value with which most new pairs meet.
    """
    missing = {
        frozenset({(one, a), (other, b)}): None
        for one, other in combinations(options, 2)
        for a in options[one]
        for b in options[other]
    }
    found = []
    while missing:
        choice = dict(next(iter(missing)))
        for name in options:
            if name not in choice:
                choice[name] = max(
                    options[name],
                    key=lambda value: sum(
                        frozenset({(name, value), item}) in missing for item in choice.items()
                    ),
                )
        for pair in pairs_of(choice):
            missing.pop(pair, None)
        found.append({name: choice[name] for name in options})
    return found
