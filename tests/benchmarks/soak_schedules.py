"""The engine's critical sections under thousands of schedules each; nobody may be left waiting.

    python tests/benchmarks/soak_schedules.py [--seeds 3000] [--first 100000] [--section NAME]

A schedule says before which opcodes of the section a thread gives way to which other; a seed is a
schedule. Prints a line per section. Exit 1 after the first section in which something was lost,
doubled, reordered or left waiting, printing the seeds that show it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.critical_sections import SECTIONS, Section
from helpers.schedules import Problem, controlled


def run(section: Section, seeds: range) -> list[Problem]:
    """What went wrong; tells how much was tried."""
    begin = time.monotonic()
    problems = []
    steps = switches = 0
    with controlled(section.traced) as world:
        for seed in seeds:
            try:
                world.run(seed, partial(section.scenario, world, seed))
            except Problem as problem:
                problems.append(problem)
            steps += world.steps
            switches += world.switches
    seconds = time.monotonic() - begin
    print(
        f"{section.name}: {len(seeds):,} schedules, {steps:,} opcodes, {switches:,} switches,"
        f" {len(problems)} problems in {seconds:.0f} s",
        flush=True,
    )
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3000)
    parser.add_argument("--first", type=int, default=100_000)
    parser.add_argument("--section", choices=SECTIONS)
    options = parser.parse_args()
    if sys.version_info >= (3, 12):
        print("not run: from Python 3.12 on several threads can't trace opcodes without a crash")
        return 0
    logging.getLogger("penstock").addHandler(logging.NullHandler())  # stalls are on purpose
    for name in [options.section] if options.section else SECTIONS:
        problems = run(SECTIONS[name], range(options.first, options.first + options.seeds))
        for problem in problems[:5]:
            print(f"  {problem}")
        if problems:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
