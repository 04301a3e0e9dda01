"""The engine's critical sections under many schedules, which find wrong variants of them."""

from __future__ import annotations

from functools import partial

import pytest

from helpers.critical_sections import SECTIONS
from helpers.mutants import MUTANTS, Mutant, planted
from helpers.schedules import Problem, controlled

SEEDS = 60


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_right_under_every_schedule(name: str) -> None:
    section = SECTIONS[name]
    with controlled(section.traced) as world:
        for seed in range(SEEDS):
            world.run(seed, partial(section.scenario, world, seed))
        assert world.switches > 0, "nothing was ever interrupted: the test is no test"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_wrong_variant_is_found(mutant: Mutant, caplog: pytest.LogCaptureFixture) -> None:
    section = SECTIONS[mutant.section]
    with planted(mutant), controlled(mutant.traced or section.traced) as world:
        found = None
        for seed in range(mutant.seeds):
            try:
                world.run(seed, partial(section.scenario, world, seed))
            except Problem as problem:
                found = problem
                break
    caplog.clear()
    assert found is not None, f"no schedule of {mutant.seeds} shows it"
