"""Runs the engine's threads one at a time, and switches between them wherever a seed says.

Inside `World.run` the engine gets its locks, threads and clock from here. One thread runs; before
an opcode of the code that is traced, and at each lock, it may have to give way to another. So a
seed is one schedule, whatever else the machine does, and no time passes but by the clock of the
world: who waits with a time limit goes on when nobody else can, or at any time a seed chooses. When
nobody can go on although the scenario isn't over, a wake-up was lost: `Problem` tells the seed.
"""

from __future__ import annotations

import logging
import sys
import threading
from _thread import LockType, allocate_lock
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from types import CodeType, FrameType, TracebackType
from typing import Any

from penstock.run import (
    executor,
    manager,
    pool,
    posting,
    records,
    runtime,
    slices,
    steward,
    worker,
)

NEVER = float("inf")
FOREVER = 1e5
"""Seconds that nobody means to be over: a lock that is told to wait so long waits for ever."""
TOO_MANY = 400_000
PATIENCE = 60.0

Traced = Iterable[tuple[Any, Iterable[str]]]
"""Modules, and the functions of each whose opcodes count; no names for all of them."""

_MODULES = (executor, manager, pool, posting, records, runtime, slices, steward, worker)


class Problem(AssertionError):
    """What went wrong under one seed."""

    def __init__(self, seed: int, what: BaseException | str) -> None:
        super().__init__(f"seed {seed}: {what!r}")
        self.seed = seed
        self.what = what


class _Over(BaseException):
    """Raised in what still waits when a run is over."""


class _Task:
    """A thread as its world sees it."""

    def __init__(self, name: str, priority: float) -> None:
        self.name = name
        self.priority = priority
        self.go = allocate_lock()
        self.go.acquire()
        self.behind: object = None
        self.deadline = NEVER
        self.expired = self.patient = self.over = False
        self.thread: threading.Thread | None = None

    @property
    def can_run(self) -> bool:
        """Whether it waits for nothing but its turn."""
        return not self.over and self.behind is None


class World:
    """The threads of one scenario at a time. Made by `controlled`, used on the main thread."""

    def __init__(self, traced: Traced) -> None:
        self.rng = Random()
        self.steps = 0
        self.switches = 0
        self.now = 0.0
        self.ending = True
        self._modules: dict[str, frozenset[str]] = {}
        for module, names in traced:
            known = self._modules.get(module.__file__, frozenset())
            self._modules[module.__file__] = known | frozenset(names)
        self._codes: dict[CodeType, bool] = {}
        self._tasks: list[_Task] = []
        self._runs: _Task | None = None
        self._next_point = 0
        self._gap = 0.0
        self._changes: list[int] = []
        self._hasty = False
        self._problem: BaseException | str | None = None
        self._done = allocate_lock()

    # ---- the main thread

    def run(self, seed: int, scenario: Callable[[], object]) -> None:
        """One schedule of the scenario, which begins on a thread of its own; raises Problem.

        That thread, which makes flows and waits for others, is interrupted at locks only.
        """
        self.rng.seed(seed)
        self.steps = self.switches = 0
        self.now = 1000.0
        self._problem = None
        self._tasks = []
        self._runs = None
        self._choose_strategy()
        self._done = allocate_lock()
        self._done.acquire()
        self.ending = False
        director = Thread(self, is_traced=False, target=scenario, name="director")
        director.start()
        self._runs = director.task
        director.task.go.release()
        if not self._done.acquire(timeout=PATIENCE):
            self._problem = f"a thread waits for something real: {self._where()}"
        self._end_all()
        if self._problem is not None:
            raise Problem(seed, self._problem)

    def _choose_strategy(self) -> None:
        """Either switch at random, so often; or always run who comes first, with few changes.

        In the second case who waits for a time may be among those who can run, as if the others
        were slow.
        """
        self._hasty = self.rng.random() < 0.3
        if self.rng.random() < 0.5:
            self._gap = self.rng.choice((2.0, 5.0, 15.0, 60.0))
            self._changes = []
            self._next_point = self._distance()
        else:
            self._gap = 0.0
            many = self.rng.choice((1, 2, 2, 3, 4))
            length = self.rng.choice((100, 300, 1000, 3000))
            self._changes = sorted(self.rng.randrange(length) for _ in range(many))
            self._next_point = self._changes[0]

    def _distance(self) -> int:
        return 1 + int(self.rng.expovariate(1.0 / self._gap))

    def _end_all(self) -> None:
        logging.disable(logging.CRITICAL)
        try:
            self.ending = True
            for task in self._tasks:
                if not task.over:
                    task.go.release()
            for task in self._tasks:
                if task.thread is not None:
                    threading.Thread.join(task.thread, PATIENCE)
                    assert not threading.Thread.is_alive(task.thread), task.name
        finally:
            logging.disable(logging.NOTSET)

    # ---- the thread that runs

    def trace(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        """The trace function of all controlled threads."""
        code = frame.f_code
        wanted = self._codes.get(code)
        if wanted is None:
            wanted = self._codes[code] = self._is_traced(code)
        if not wanted:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._at_opcode

    def _is_traced(self, code: CodeType) -> bool:
        names = self._modules.get(code.co_filename)
        return names is not None and (not names or bool(names & set(code.co_qualname.split("."))))

    def _at_opcode(self, _frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "opcode" and not self.ending:
            self.steps += 1
            if self.steps >= self._next_point:
                self._give_way()
        return self._at_opcode

    def point(self) -> None:
        """A place where the running thread may have to give way."""
        if self.ending:
            raise _Over
        self.steps += 1
        if self._gap or self.steps >= self._next_point:
            self._give_way()

    def block(self, behind: object, seconds: float | None = None) -> bool:
        """Wait until somebody calls `wake(behind)`; False when so many seconds were over first."""
        me = self.me()
        self.steps += 1
        me.behind = behind
        me.deadline = NEVER if seconds is None or seconds >= FOREVER else self.now + seconds
        me.expired = False
        self._switch_to(self._choose())
        return not me.expired

    def wake(self, behind: object) -> None:
        """Whoever is behind this may look again."""
        for task in self._tasks:
            if task.behind is behind:
                task.behind, task.deadline = None, NEVER
                if not self._gap:
                    self._next_point = min(self._next_point, self.steps + 1)

    def until_quiet(self) -> None:
        """Wait until nobody else can go on, but for those who wait for their time."""
        me = self.me()
        while any(task.can_run for task in self._tasks if task is not me):
            me.priority = min(task.priority for task in self._tasks) - 1
            self._switch_to(self._choose(but=me))

    def pass_time(self, seconds: float) -> None:
        """Wait until so much time is over, and everybody has done what was due before."""
        me = self.me()
        me.patient = True
        self.block(self, seconds)
        me.patient = False

    def monotonic(self) -> float:
        """The clock of the world: it goes on by little, and sometimes by more than a slice."""
        self.now += 1e-6
        if self._gap and self.rng.random() < 0.01:
            self.now += 0.0011
        return self.now

    def me(self) -> _Task:
        """The thread that runs."""
        if self.ending or self._runs is None:
            raise _Over
        return self._runs

    def _give_way(self) -> None:
        me = self.me()
        if self._gap:
            self._next_point = self.steps + self._distance()
        else:
            if self._changes and self.steps >= self._changes[0]:
                self._changes.pop(0)
                me.priority = min(task.priority for task in self._tasks) - 1
            self._next_point = self._changes[0] if self._changes else sys.maxsize
        self._switch_to(self._choose())

    def _choose(self, but: _Task | None = None) -> _Task:
        if self.steps > TOO_MANY:
            self._stop(f"it goes on for ever: {self._where()}")
        able = [task for task in self._tasks if task.can_run and task is not but]
        late = self._next_to_expire(everybody_waits=not able)
        if late is not None and (not able or self._is_late(late, able)):
            self.now = max(self.now, late.deadline)
            late.behind, late.deadline, late.expired = None, NEVER, True
            able.append(late)
        if not able:
            self._stop(f"nobody can go on: {self._where()}")
        if self._gap:
            return self.rng.choice(able)
        return max(able, key=lambda task: task.priority)

    def _is_late(self, late: _Task, able: list[_Task]) -> bool:
        """Whether the time of somebody who waits is over though others could run."""
        if self._gap:
            return self.rng.random() < 0.08
        return self._hasty and late.priority > max(task.priority for task in able)

    def _next_to_expire(self, everybody_waits: bool) -> _Task | None:
        """Who waits for the earliest time, if anybody does."""
        timed = [
            task
            for task in self._tasks
            if task.behind is not None
            and task.deadline < NEVER
            and not task.over
            and (everybody_waits or not task.patient)
        ]
        return min(timed, key=lambda task: task.deadline, default=None)

    def _switch_to(self, task: _Task) -> None:
        me = self.me()
        if task is me:
            return
        self.switches += 1
        self._runs = task
        task.go.release()
        me.go.acquire()
        if self.ending:
            raise _Over

    def _stop(self, what: BaseException | str) -> None:
        """End the run with a problem; called on the thread that runs."""
        self.report(what)
        self.ending = True
        self._done.release()
        raise _Over

    def report(self, what: BaseException | str) -> None:
        """Something is wrong; what is reported first counts."""
        if self._problem is None and not self.ending:
            self._problem = what

    def _where(self) -> str:
        frames = sys._current_frames()
        places = []
        for task in self._tasks:
            frame = frames.get(task.thread.ident or 0) if task.thread is not None else None
            while frame is not None and frame.f_code.co_filename in (__file__, threading.__file__):
                frame = frame.f_back
            if not task.over and frame is not None:
                places.append(f"{task.name} in {frame.f_code.co_qualname}:{frame.f_lineno}")
        return ", ".join(places)

    # ---- threads that begin and end

    def add(self, name: str) -> _Task:
        """A thread that will run when it is its turn."""
        task = _Task(name, self.rng.random())
        self._tasks.append(task)
        return task

    def started(self) -> None:
        """By whoever has started a thread: it may run at once."""
        if self._runs is not None:
            self.point()

    def begin(self, task: _Task) -> None:
        """On its own thread: wait for its first turn."""
        task.go.acquire()
        if self.ending:
            raise _Over

    def end(self, task: _Task, error: BaseException | None) -> None:
        """On its own thread: let the others go on; the scenario's own end ends the run."""
        task.over = True
        if self.ending:
            return
        if error is not None:
            self.report(error)
        if error is not None or task is self._tasks[0]:
            self.ending = True
            self._done.release()
            return
        self.wake(task)
        try:
            following = self._choose()
        except _Over:
            return
        self.switches += 1
        self._runs = following
        following.go.release()


class Lock:
    """Like `threading.Lock`, and re-entrant like `RLock` if asked."""

    def __init__(self, world: World, reentrant: bool = False) -> None:
        self._world = world
        self._reentrant = reentrant
        self._owner: object = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As theirs."""
        world = self._world
        world.point()
        me = world.me()
        if self._reentrant and self._owner is me:
            self._depth += 1
            return True
        left = None if timeout < 0 else timeout
        while self._owner is not None:
            if not blocking or not world.block(self, left):
                return False
        self._owner = me
        self._depth = 1
        return True

    def release(self) -> None:
        """As theirs."""
        if self._world.ending:
            return
        if self._owner is None:
            raise RuntimeError("release unlocked lock")
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._world.wake(self)
        self._world.point()

    def locked(self) -> bool:
        """As theirs."""
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.release()


class Event:
    """Like `threading.Event`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_set = False

    def is_set(self) -> bool:
        """As theirs."""
        return self._is_set

    def set(self) -> None:
        """As theirs."""
        self._is_set = True
        self._world.wake(self)
        self._world.point()

    def clear(self) -> None:
        """As theirs."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """As theirs."""
        self._world.point()
        while not self._is_set:
            if not self._world.block(self, timeout):
                break
        return self._is_set


class Thread(threading.Thread):
    """A thread that runs only when its world says so."""

    def __init__(self, world: World, is_traced: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.daemon = True
        self._world = world
        self._is_traced = is_traced
        self.task = world.add(self.name)
        self.task.behind = self  # until it is started

    def start(self) -> None:
        """As theirs."""
        self.task.thread = self
        super().start()
        self.task.behind = None
        self._world.started()

    def run(self) -> None:
        """As theirs."""
        error: BaseException | None = None
        try:
            self._world.begin(self.task)
            if self._is_traced:
                # Python 3.12 traces opcodes only where somebody has asked for them before.
                sys._getframe().f_trace_opcodes = True
                sys.settrace(self._world.trace)
            super().run()
        except _Over:
            pass
        except BaseException as raised:  # noqa: BLE001  told to the test
            error = raised
        finally:
            sys.settrace(None)
        self._world.end(self.task, error)

    def join(self, timeout: float | None = None) -> None:
        """As theirs."""
        self._world.point()
        while not self.task.over:
            if not self._world.block(self.task, timeout):
                return

    def is_alive(self) -> bool:
        """As theirs."""
        return self.task.thread is not None and not self.task.over


def together(world: World, *acts: Callable[[], object]) -> None:
    """Each on a thread of its own, until all are over."""
    threads = [Thread(world, target=act, name=f"thread-{i}") for i, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Time:
    """What the engine finds as `time`, be it the module or the function."""

    def __init__(self, world: World) -> None:
        self.monotonic = world.monotonic

    def __call__(self) -> float:
        return self.monotonic()


class _Errors(logging.Handler):
    """An error that the engine logs is a problem."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._world.report(record.getMessage() if error is None else error)


class _Threading:
    """What the engine finds as `threading`."""

    def __init__(self, world: World) -> None:
        self.TIMEOUT_MAX = threading.TIMEOUT_MAX
        self.get_ident = threading.get_ident
        self.current_thread = threading.current_thread
        self.Lock = lambda: Lock(world)
        self.RLock = lambda: Lock(world, reentrant=True)
        self.Event = lambda: Event(world)
        self.Thread = lambda **options: Thread(world, **options)


@contextmanager
def controlled(traced: Traced) -> Iterator[World]:
    """A world; while it lasts the engine makes its locks and threads there, and nowhere else."""
    world = World(traced)

    def a_lock() -> LockType:
        return Lock(world)  # type: ignore[return-value]  # as good as one

    instead = {
        "allocate_lock": a_lock,
        "threading": _Threading(world),
        "monotonic": world.monotonic,
        "time": _Time(world),
    }
    before: list[tuple[Any, str, Any]] = []
    errors = _Errors(world)
    logging.getLogger("penstock").addHandler(errors)
    try:
        for module in _MODULES:
            for name, value in instead.items():
                if name in module.__dict__:
                    before.append((module, name, module.__dict__[name]))
                    setattr(module, name, value)
        yield world
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        logging.getLogger("penstock").removeHandler(errors)
