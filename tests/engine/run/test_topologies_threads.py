"""Flows of every shape under pairs of all choices: each finishes or names its stall."""

from __future__ import annotations

import logging
from itertools import combinations
from typing import Any

import pytest

from helpers.pairwise import all_pairs, pairs_of
from helpers.topologies import OPTIONS, Case, run

CHOICES = all_pairs(OPTIONS)


@pytest.fixture(autouse=True)
def stalls_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A stall is a warning, and expected here."""
    caplog.set_level(logging.ERROR, "penstock.run.telling")


def test_every_two_choices_meet() -> None:
    met = set().union(*(pairs_of(choice) for choice in CHOICES))

    for one, other in combinations(OPTIONS, 2):
        for a in OPTIONS[one]:
            for b in OPTIONS[other]:
                assert frozenset({(one, a), (other, b)}) in met


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(map(str, choice.values())))
def test_finishes_or_names_the_stall(
    choice: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    run(Case(**choice))
    caplog.clear()  # each stall is logged


@pytest.mark.parametrize("loop", OPTIONS["loop"])
@pytest.mark.parametrize("remedy", OPTIONS["remedy"])
@pytest.mark.parametrize("shape", ["lopsided", "self_loop", "two_cycle", "three_cycle"])
def test_a_stall_ends_by_each_remedy(
    shape: str, remedy: str, loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = run(Case(shape, 2, 1, "hold", loop, remedy))

    assert outcome.stalls > 0
    caplog.clear()
