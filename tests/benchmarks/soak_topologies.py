"""Every shape of flow under every choice the engine offers: each finishes or names its stall.

    python tests/benchmarks/soak_topologies.py [--rounds 1] [--seed 0] [--where shape=lopsided]
        [--switch 0.005]

The whole product of the options in `helpers.topologies`, less what makes no difference: remedies
for what can't stall, and policies for what can't fail. Exit 1 on the first case that hangs, loses,
doubles or reorders something, or counts wrongly, printing it.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.topologies import OPTIONS, Case, run


def cases() -> Iterator[Case]:
    """All that differ."""
    for values in itertools.product(*OPTIONS.values()):
        case = Case(**dict(zip(OPTIONS, values, strict=True)))
        can_stall = case.overflow == "hold" and (case.is_cyclic or case.shape == "lopsided")
        if (can_stall or case.remedy == "grow") and (
            case.overflow == "fail" or case.on_error == "continue"
        ):
            yield case


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--where", action="append", default=[], help="option=value, may be repeated"
    )
    parser.add_argument("--switch", type=float, default=0.005, help="switch interval, seconds")
    asked = parser.parse_args()
    sys.setswitchinterval(asked.switch)
    wanted = dict(pair.split("=", 1) for pair in asked.where)
    chosen = [c for c in cases() if all(str(getattr(c, k)) == v for k, v in wanted.items())]
    ends: Counter[str] = Counter()
    stalled = stalls = messages = 0
    begin = time.monotonic()
    for number in range(asked.rounds):
        random.Random(asked.seed + number).shuffle(chosen)
        for case in chosen:
            try:
                outcome = run(case)
            except AssertionError as error:
                print(f"after {ends.total()} cases:\n{error}")
                return 1
            ends[outcome.status.value] += 1
            stalled += outcome.stalls > 0
            stalls += outcome.stalls
            messages += outcome.messages
    print(
        f"{ends.total()} cases in {time.monotonic() - begin:.0f} s, {messages} messages: "
        + ", ".join(f"{many} {status}" for status, many in sorted(ends.items()))
        + f"; {stalled} stalled, {stalls} times in all; none hung"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
