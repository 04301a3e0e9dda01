"""Processor time per part of a run, measured around functions while they are called."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from time import thread_time
from types import ModuleType
from typing import Any, NamedTuple

_CALIBRATION = 20_000


class Hook(NamedTuple):
    """A function, by where it is and its name, whose time belongs to a part."""

    part: str
    owner: type | ModuleType
    name: str


class _Open:
    """A call that goes on: its part, and how long it was interrupted by other parts."""

    __slots__ = ("inner", "part")

    def __init__(self, part: str) -> None:
        self.part = part
        self.inner = 0.0


class Stopwatch:
    """Adds up, per part, the processor time of calls without that of the parts inside them.

    Each thread counts for itself; `seconds` and `calls` may be asked when all is over.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[tuple[Counter[str], Counter[str], Counter[str]]] = []

    def seconds(self, cost: tuple[float, float] = (0.0, 0.0)) -> dict[str, float]:
        """Seconds per part; `cost` is what one call adds to its own part and to the outer one."""
        found: dict[str, float] = {}
        for times, calls, inner in self._all:
            for part, spent in times.items():
                watching = cost[0] * calls[part] + cost[1] * inner[part]
                found[part] = found.get(part, 0.0) + spent - watching
        return found

    def calls(self) -> Counter[str]:
        """How often each part was entered."""
        return sum((calls for _, calls, _ in self._all), Counter())

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted for the part."""
        local, clock = self._local, thread_time

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            stack = getattr(local, "stack", None)
            if stack is None:
                stack = self._begin()
            call = _Open(part)
            stack.append(call)
            begun = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent = clock() - begun
                stack.pop()
                times, calls, inner = local.counts
                times[part] += spent - call.inner
                calls[part] += 1
                if stack:
                    stack[-1].inner += spent
                    inner[stack[-1].part] += 1

        return timed

    def _begin(self) -> list[_Open]:
        local = self._local
        local.stack = []
        local.counts = (Counter(), Counter(), Counter())
        with self._lock:
            self._all.append(local.counts)
        stack: list[_Open] = local.stack
        return stack

    @contextmanager
    def watching(self, hooks: Sequence[Hook]) -> Iterator[None]:
        """Replace the functions, wherever a loaded module knows them, while it lasts."""
        undo: list[tuple[object, str, object]] = []
        try:
            for hook in hooks:
                original = vars(hook.owner)[hook.name]
                timed = self.around(hook.part, original)
                for owner, name in _places(hook, original):
                    undo.append((owner, name, original))
                    setattr(owner, name, timed)
            yield
        finally:
            for owner, name, original in undo:
                setattr(owner, name, original)


def _places(hook: Hook, original: object) -> list[tuple[object, str]]:
    """Where the function is known: its class, or each of our modules that imported it."""
    if isinstance(hook.owner, type):
        return [(hook.owner, hook.name)]
    root = hook.owner.__name__.partition(".")[0]
    modules = [m for name, m in [*sys.modules.items()] if name.partition(".")[0] == root]
    return [(m, name) for m in modules for name, value in vars(m).items() if value is original]


def cost_of_a_call() -> tuple[float, float]:
    """What a timed call adds to its own part and to the part around it, in seconds."""
    watch = Stopwatch()
    inner = watch.around("inner", _nothing)

    def calls() -> None:
        for _ in range(_CALIBRATION):
            inner()

    def bare_calls() -> None:
        for _ in range(_CALIBRATION):
            _nothing()

    watch.around("outer", calls)()
    watch.around("bare", bare_calls)()
    found = watch.seconds()
    both = (found["inner"] + found["outer"] - found["bare"]) / _CALIBRATION
    own = min(both, found["inner"] / _CALIBRATION)
    return own, max(0.0, both - own)


def _nothing() -> None:
    pass
