"""A chain of ten trivial routines against the same hops by a bare thread pool, in one run.

    python tests/benchmarks/chain.py [--messages 5000] [--rounds 5]

The bare pool is bimodal, so it is measured with one worker and with four; the ratio is taken to
the faster of the two.
"""

from __future__ import annotations

import argparse
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from penstock import Event, Flow, Routine, Runtime, Slot

DEPTH = 10


class Pass(Routine):
    value = Slot(int, capacity=100_000)
    out = Event(int)
    max_parallel = None

    def logic(self, value: int) -> None:
        self.out.emit(value + 1)


class End(Routine):
    value = Slot(int, capacity=100_000)
    max_parallel = None

    def logic(self, value: int) -> None:
        pass


def source(messages: int) -> Routine:
    class Source(Routine):
        out = Event(int)

        def logic(self) -> None:
            for i in range(messages):
                self.out.emit(i)

    return Source()


def chain_flow(messages: int) -> Flow:
    flow = Flow("chain")
    flow.add("source", source(messages))
    before = "source"
    for i in range(DEPTH):
        name = f"n{i}"
        flow.add(name, Pass() if i < DEPTH - 1 else End())
        flow.connect(f"{before}.out", f"{name}.value")
        before = name
    return flow


def bare(messages: int, workers: int) -> float:
    """Microseconds per hop of a bare pool whose bodies submit the next hop."""
    left, lock, done = [messages], threading.Lock(), threading.Event()
    with ThreadPoolExecutor(workers) as pool:

        def body(depth: int, value: int) -> None:
            if depth + 1 < DEPTH:
                pool.submit(body, depth + 1, value + 1)
                return
            with lock:
                left[0] -= 1
                if not left[0]:
                    done.set()

        start = perf_counter()
        for i in range(messages):
            pool.submit(body, 0, i)
        done.wait()
        return (perf_counter() - start) / (messages * DEPTH) * 1e6


def penstock(messages: int, workers: int) -> float:
    """Microseconds per activation of the same chain; counts are checked exactly."""
    with Runtime(workers=workers) as runtime:
        start = perf_counter()
        job = runtime.exec(chain_flow(messages))
        job.wait(60)
        seconds = perf_counter() - start
        last = job.routines[f"n{DEPTH - 1}"]
        if last.activations != messages:
            raise SystemExit(f"lost messages: {last.activations} of {messages}, {job.status}")
    return seconds / (messages * DEPTH) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, list[float]] = {"bare, 1 worker": [], "bare, 4 workers": [], "penstock": []}
    for _ in range(options.rounds):
        found["bare, 1 worker"].append(bare(options.messages, 1))
        found["bare, 4 workers"].append(bare(options.messages, 4))
        found["penstock"].append(penstock(options.messages, 4))
    medians = {name: statistics.median(values) for name, values in found.items()}
    for name, value in medians.items():
        print(f"{name:16} {value:7.2f} us per hop")
    faster = min(medians["bare, 1 worker"], medians["bare, 4 workers"])
    print(f"chain: {faster / medians['penstock']:.1f} x the faster bare pool")


if __name__ == "__main__":
    main()
