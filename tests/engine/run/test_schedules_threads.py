"""The engine's critical sections under many schedules, which find wrong variants of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

import pytest

from helpers.critical_sections import SECTIONS, Section, Traced
from helpers.mutants import MUTANTS, Mutant, planted
from helpers.schedules import Problem, controlled

SEEDS = 40

# From 3.12 on tracing changes the code that all threads run, and 3.12.1 crashes in it.
pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="several threads can't trace opcodes without a crash"
)


def first_problem(section: Section, traced: Traced, seeds: int) -> Problem | None:
    """What goes wrong under the first so many schedules, if anything does."""
    with controlled(traced) as world:
        for seed in range(seeds):
            try:
                world.run(seed, partial(section.scenario, world, seed))
            except Problem as problem:
                return problem
            assert world.switches > 0, "nobody was interrupted: the schedule is none"
    return None


@pytest.fixture(autouse=True)
def whatever_is_logged_is_looked_at_by_the_world(
    caplog: pytest.LogCaptureFixture,
) -> Iterator[None]:
    """To a world errors are problems; stalls are part of some scenarios."""
    yield
    caplog.get_records("call").clear()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_right_under_every_schedule(name: str) -> None:
    section = SECTIONS[name]

    assert first_problem(section, section.traced, SEEDS) is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_wrong_variant_is_found_and_the_right_one_passes(mutant: Mutant) -> None:
    section = SECTIONS[mutant.section]
    traced = mutant.traced or section.traced

    with planted(mutant):
        found = first_problem(section, traced, mutant.seeds)

    assert found is not None, f"none of {mutant.seeds} schedules shows it"
    assert first_problem(section, traced, found.seed + 1) is None


def test_a_schedule_is_the_same_each_time() -> None:
    section = SECTIONS["everything_at_once"]
    runs = []
    for _ in range(2):
        with controlled(section.traced) as world:
            world.run(7, partial(section.scenario, world, 7))
            runs.append((world.steps, world.switches, world.now))

    assert runs[0] == runs[1]
