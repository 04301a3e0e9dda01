"""Random flows on the real runtime, posted to, held, stepped, cut short and helped on at random.

    python tests/benchmarks/soak_machine.py [--examples 2000] [--steps 50] [--seed 0] [--shrink]
        [--switch 0.005]

The state machine of `helpers.machine`, at length. Exit 1 on the first example in which something
is lost, doubled, out of order, counted or told wrongly, or hangs, printing its steps.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

import hypothesis
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.machine import Flows, machine_settings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shrink", action="store_true", help="look for a smaller example")
    parser.add_argument("--switch", type=float, default=0.005, help="switch interval, seconds")
    asked = parser.parse_args()
    sys.setswitchinterval(asked.switch)
    phases = [Phase.generate, *([Phase.shrink] if asked.shrink else [])]
    begin = time.monotonic()
    try:
        run_state_machine_as_test(
            hypothesis.seed(asked.seed)(Flows),
            settings=machine_settings(asked.examples, asked.steps, phases=phases),
        )
    except BaseException:  # noqa: BLE001 -- whatever it is, it is the finding
        traceback.print_exc(file=sys.stdout)
        print(f"found with {dict(Flows.counts)}")
        return 1
    counts = ", ".join(f"{many} {name}" for name, many in Flows.counts.items())
    print(f"{counts} in {time.monotonic() - begin:.0f} s; nothing lost, doubled, moved or stuck")
    return 0


if __name__ == "__main__":
    sys.exit(main())
