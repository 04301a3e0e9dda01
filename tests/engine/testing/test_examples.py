"""The examples in the docstrings of `penstock.testing` do what they say."""

from __future__ import annotations

import doctest
from types import ModuleType
from typing import Any

import pytest

import penstock.testing
from helpers.flows import flow_of
from penstock import Event, Flow, Routine, Slot
from penstock.testing import clock, routine, runtime


class Double(Routine):
    number = Slot(int)
    twice = Event(int)

    def logic(self, number: int) -> None:
        self.twice.emit(2 * number)


class Pair(Routine):
    left = Slot(int)
    right = Slot(str)
    both = Event(tuple)

    def logic(self, left: int, right: str) -> None:
        self.both.emit((left, right))


def doubling() -> Flow:
    return flow_of({"double": Double()})


@pytest.mark.parametrize(
    ("module", "examples"), [(penstock.testing, 5), (clock, 3), (runtime, 4), (routine, 5)]
)
def test_the_examples_run(module: ModuleType, examples: int) -> None:
    names: dict[str, Any] = {**vars(module), "Double": Double, "Pair": Pair, "flow": doubling()}

    found = doctest.testmod(module, globs=names)

    assert (found.failed, found.attempted) == (0, examples)
