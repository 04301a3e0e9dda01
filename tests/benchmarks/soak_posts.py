"""Fifty threads post ten thousand messages each into one job; none may be lost, doubled or moved.

    python tests/benchmarks/soak_posts.py [--producers 50] [--posts 10000]

For both loop placements, and for slots that hold, drop and fail. Every run checks: the job
completes; what arrived is what was posted (less what was counted as dropped, or refused); each
producer's messages are in order; the slot never held more than its capacity. Exit 1 on the first
run that doesn't.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from typing import Any, Literal

from penstock import Flow, JobStatus, Routine, Runtime, Slot, SlotFull
from penstock.flow import Overflow

LIMIT = 300.0
CAPACITY = 100
OVERFLOWS: tuple[Overflow, ...] = ("hold", "drop_oldest", "drop_newest", "fail")
LOOPS: tuple[Literal["thread", "pool"], ...] = ("thread", "pool")


def flow_into(seen: list[tuple[int, int]], overflow: Overflow) -> Flow:
    class End(Routine):
        value = Slot(tuple, capacity=CAPACITY, overflow=overflow)

        def logic(self, value: Any) -> None:
            seen.append(value)

    flow = Flow("posts")
    flow.add("end", End())
    return flow


def run(
    loop: Literal["thread", "pool"], overflow: Overflow, producers: int, posts: int
) -> str | None:
    """What went wrong, or None."""
    seen: list[tuple[int, int]] = []
    refused = [0] * producers
    begin = threading.Barrier(producers)
    with Runtime(workers=4, loop=loop) as runtime:
        job = runtime.exec(flow_into(seen, overflow), keep_open=True)

        def produce(who: int) -> None:
            begin.wait()
            for n in range(posts):
                try:
                    runtime.post(job.id, "end.value", (who, n))
                except SlotFull:
                    refused[who] += 1

        threads = [threading.Thread(target=produce, args=(who,)) for who in range(producers)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + LIMIT
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            return f"posts hang: {job.snapshot()}"
        runtime.jobs.close(job.id)
        if job.wait(LIMIT) is not JobStatus.COMPLETED:
            return f"the job hangs: {job.snapshot()}"
    slot = job.routines["end"].slots["value"]
    if slot.high_water > CAPACITY:
        return f"more than its capacity: {slot}"
    return wrong_counts(overflow, producers * posts, sum(refused), len(seen), slot) or wrong_order(
        seen, producers, posts, exactly=overflow == "hold"
    )


def wrong_counts(overflow: str, sent: int, refused: int, arrived: int, slot: Any) -> str | None:
    if slot.posted != sent - refused or slot.consumed != arrived:
        return f"counts: {slot}, sent {sent}, refused {refused}, arrived {arrived}"
    if slot.posted != slot.consumed + slot.dropped:
        return f"counts don't add up: {slot}"
    if (slot.dropped and not overflow.startswith("drop")) or (refused and overflow != "fail"):
        return f"{overflow} lost something: {slot}, refused {refused}"
    return None


def wrong_order(
    seen: list[tuple[int, int]], producers: int, posts: int, exactly: bool
) -> str | None:
    last = [-1] * producers
    count = [0] * producers
    for who, n in seen:
        if n <= last[who]:
            return f"producer {who}: {n} came after {last[who]}"
        last[who] = n
        count[who] += 1
    if exactly and count != [posts] * producers:
        return f"arrived per producer: {count}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--producers", type=int, default=50)
    parser.add_argument("--posts", type=int, default=10_000)
    options = parser.parse_args()
    for loop in LOOPS:
        for overflow in OVERFLOWS:
            begin = time.monotonic()
            wrong = run(loop, overflow, options.producers, options.posts)
            if wrong is not None:
                print(f"{loop}, {overflow}: {wrong}")
                return 1
            total = options.producers * options.posts
            print(f"{loop}, {overflow}: {total:,} posts in {time.monotonic() - begin:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
