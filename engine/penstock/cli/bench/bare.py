"""The yardstick: the same work by a bare `ThreadPoolExecutor`, whose bodies submit the next hop.

Such a pool is bimodal: a hop may cost three times as much with four workers as with one, because
its threads fight for the interpreter. So it is measured with both, and the faster is taken.
Every function returns seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from penstock.cli.bench.measuring import PATIENCE, WrongResult
from penstock.cli.bench.workloads import BLOCKS_FOR, DEPTH, FAN

WORKERS = (1, 4)


def variants(run: Callable[[int], float]) -> dict[str, Callable[[], float]]:
    """`run` with each number of workers, by name."""
    return {f"bare_{workers}": _with(run, workers) for workers in WORKERS}


def is_bare(name: str) -> bool:
    """Whether a variant of that name is one of these."""
    return name.startswith("bare_")


def faster(medians: Mapping[str, float]) -> float:
    """The shorter of the bare pools' medians."""
    return min(value for name, value in medians.items() if is_bare(name))


def chain(messages: int, workers: int) -> float:
    """Each message goes through `DEPTH` bodies."""
    end = _Countdown(messages)
    with ThreadPoolExecutor(workers) as pool:

        def body(depth: int, value: int) -> None:
            if depth + 1 < DEPTH:
                pool.submit(body, depth + 1, value + 1)
            else:
                end.count()

        begun = perf_counter()
        for value in range(messages):
            pool.submit(body, 0, value)
        return end.wait() - begun


def fan(rounds: int, workers: int, *, at_once: bool = False, blocking: bool = False) -> float:
    """One body starts `FAN` others, each of which tells a last one; the last starts a new round."""
    end = _Countdown(rounds * FAN)
    with ThreadPoolExecutor(workers) as pool:

        def join(value: int) -> None:
            left = end.count()
            if not at_once and left and left % FAN == 0:
                pool.submit(begin, value + 1)

        def leaf(value: int) -> None:
            if blocking:
                threading.Event().wait(BLOCKS_FOR)
            pool.submit(join, value)

        def begin(value: int) -> None:
            for _ in range(FAN):
                pool.submit(leaf, value)

        begun = perf_counter()
        for value in range(rounds if at_once else 1):
            pool.submit(begin, value)
        return end.wait() - begun


def jobs(count: int, workers: int) -> float:
    """Three bodies in a row, that many times."""
    end = _Countdown(count)
    with ThreadPoolExecutor(workers) as pool:

        def last(_value: int) -> None:
            end.count()

        def middle(value: int) -> None:
            pool.submit(last, value + 1)

        def first() -> None:
            pool.submit(middle, 1)

        begun = perf_counter()
        for _ in range(count):
            pool.submit(first)
        return end.wait() - begun


class _Countdown:
    """Opens when counted down to nothing."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._at = 0.0

    def count(self) -> int:
        """One less; returns how many are left."""
        with self._lock:
            self._left -= 1
            left = self._left
        if not left:
            self._at = perf_counter()
            self._done.set()
        return left

    def wait(self) -> float:
        """The time, by `perf_counter`, at which nothing was left."""
        if not self._done.wait(PATIENCE):
            raise WrongResult(f"bare pool: {self._left:,} bodies left after {PATIENCE:g} s")
        return perf_counter()


def _with(run: Callable[[int], float], workers: int) -> Callable[[], float]:
    return lambda: run(workers)
