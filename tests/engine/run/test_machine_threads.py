"""Random flows on the real runtime, posted to, held, stepped, cut short and helped on at random."""

from __future__ import annotations

from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test

from helpers.machine import Flows, machine_settings


def test_nothing_is_lost_doubled_or_hangs() -> None:
    run_state_machine_as_test(
        Flows,
        settings=machine_settings(
            100, 30, derandomize=True, phases=(Phase.explicit, Phase.generate)
        ),
    )
