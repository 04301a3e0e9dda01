"""What ``self.<event>`` is inside a body: emitters, and the marks of the thread that may emit.

A worker appends to `pending` and announces the routine; only the core takes from it. Several
events of a routine share one, of (emitter, value), so that their order holds. `room` is
how many values `pending` may hold before the next `emit` must do more than append: 0 means that
the routine isn't announced yet. `soft` is what fits downstream, `hard` what may wait beyond it;
below 0 when more waits there already. `is_plain`: its values go to all its targets as they are.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from penstock.errors import Cancelled, EmitOutsideActivation
from penstock.flow import check_python

if TYPE_CHECKING:
    from penstock.observe import ValueSummary
    from penstock.run.records import RoutineRun, SlotQueue
    from penstock.run.routing import EventPlan
    from penstock.run.slices import Token

UNLIMITED = 1 << 60


class Local(threading.local):
    """The token whose slice this thread runs, if any."""

    token: Token | None = None


local = Local()
coroutine_token: ContextVar[Token | None] = ContextVar("coroutine_token", default=None)
"""The token whose coroutine runs in this context; set for ``async def logic`` only."""


def acting_token() -> Token | None:
    """The token of the activation that runs on this thread or in this coroutine."""
    return local.token or coroutine_token.get()


class Emitter:
    """One event of one routine in one job."""

    __slots__ = (
        "again", "emitted", "hard", "home", "is_plain", "last", "outputs", "pending", "plan",
        "refusing", "room", "run", "soft", "targets", "values",
    )  # fmt: skip

    def __init__(self, run: RoutineRun, plan: EventPlan) -> None:
        self.plan = plan
        self.home = run
        self.run: RoutineRun | None = run
        self.pending: list[Any] = run.shared if run.shared is not None else []
        self.room = 0
        self.soft = plan.soft
        self.hard = plan.hard
        self.targets: tuple[SlotQueue, ...] = ()
        self.again: tuple[SlotQueue, ...] = ()
        self.refusing: tuple[SlotQueue, ...] = ()
        self.is_plain = plan.is_plain
        self.emitted = 0
        self.outputs: deque[Any] | None = None
        self.values: deque[tuple[int, float, ValueSummary]] | None = None
        self.last: tuple[int, Any] | None = None  # the message that `values` ends with

    @property
    def name(self) -> str:
        """Of its event."""
        return self.plan.name

    @property
    def ref(self) -> str:
        """``routine.event``."""
        return self.plan.ref

    @property
    def owner(self) -> int:
        """The index of its routine."""
        return self.home.index

    def emit(self, value: Any) -> None:
        """Send `value` on; called on the thread that runs an activation of this routine.

        May wait for room downstream. Raises EmitOutsideActivation anywhere else, and Cancelled
        once the job has ended.
        """
        token = local.token
        if token is None or token.run_ is not self.run:
            raise self._refusal(token)
        self.pending.append(value)
        if len(self.pending) > self.room:
            self._announce(token.run_)

    def put(self, value: Any) -> None:
        """Add to `pending` what is to go on."""
        self.pending.append(value)

    def measure(self) -> None:
        """Find out how much may be emitted before the core must look again."""
        if self.targets:
            soft = hard = UNLIMITED
            for slot in self.targets:
                if slot.overflow == "hold":
                    soft, hard = min(soft, slot.free()), min(hard, slot.beyond())
            self.soft = soft if soft > 0 else 0
            self.hard = hard

    def prepared(self, value: Any) -> Any:
        """What goes into `pending` for a value."""
        return value

    def branches(self, value: Any) -> tuple[Any, ...] | None:
        """One value per target, or None when all get the same; `value` was prepared."""
        return None

    def _announce(self, run: RoutineRun) -> None:
        # The core sets `room` to 0 and takes what is pending at any moment from here on. So it is
        # counted before, and `room` written before the announcement that makes the core look.
        waiting = len(self.pending)
        if waiting <= self.soft:
            self.room = self.soft
            if not run.dirty:
                run.dirty = True
                run.job.announce(run)
            return
        # More than fits downstream: no further activation until the core has looked.
        run.stop = True
        self.room = max(0, self.hard)
        run.announce()
        if waiting > self.hard:
            run.job.wait_for_room(self)

    def _refusal(self, running: Token | None) -> BaseException:
        """The error of an emit that isn't delivered; counted."""
        self.home.refused += 1
        if self.run is None and running is not None and running.run_ is self.home:
            return Cancelled(f"{self.ref}: the job has ended")
        return EmitOutsideActivation(
            f"{self.ref} was emitted outside an activation; emit on the thread that runs logic",
            routine=self.ref.partition(".")[0],
            port=self.ref,
        )


class FailedEmitter(Emitter):
    """What the core sends failures on, beside one other event; a body may emit on it too."""

    __slots__ = ()

    def emit(self, value: Any) -> None:
        """As `Emitter.emit`."""
        token = local.token
        if token is not None and token.run_ is self.run:
            token.run_.voice = None  # the core looks at all emitters from now on
        super().emit(value)


class OrderedEmitter(Emitter):
    """One of several events of a routine: they share `pending`, which keeps their order."""

    __slots__ = ()

    def emit(self, value: Any) -> None:
        """As `Emitter.emit`."""
        token = local.token
        if token is None or token.run_ is not self.run:
            raise self._refusal(token)
        self.pending.append((self, value))
        if len(self.pending) > self.room:
            self._announce(token.run_)


class CarefulEmitter(Emitter):
    """One that must do more than append.

    Its routine may be timed out, keeps emissions back under Retry or is a coroutine; or its event
    is checked, copied per branch, or goes to a slot that refuses what doesn't fit.
    """

    __slots__ = ("is_shared",)

    def __init__(self, run: RoutineRun, plan: EventPlan) -> None:
        super().__init__(run, plan)
        self.is_shared = run.shared is not None

    def emit(self, value: Any) -> None:
        """As `Emitter.emit`; raises InvalidValue or SlotFull where those were asked for."""
        token = acting_token()
        run = self.run
        if run is None or token is None or token.run_ is not run:
            raise self._refusal(token)
        if token.over:
            run.refused += 1
            raise Cancelled(f"{self.ref}: the activation is over")
        if token.ended:
            raise self._refusal(None)
        if run.job.checks_types:
            self._check(value)
        value = self.prepared(value)
        if token.kept is not None:
            token.kept.append((self, value))
        else:
            self.deliver(run, value)

    def deliver(self, run: RoutineRun, value: Any) -> None:
        """Hand over what was checked and is kept back no longer."""
        if self.refusing:
            run.job.reserve(self.refusing)
        self.put(value)
        if len(self.pending) > self.room:
            self._announce(run)

    def put(self, value: Any) -> None:
        """Add to `pending` what is to go on, with its event where several share it."""
        self.pending.append((self, value) if self.is_shared else value)

    def prepared(self, value: Any) -> Any:
        """Copies for all branches, if they were asked for; raises what copying raises."""
        if not self.plan.copies:
            return value
        return tuple([copy.deepcopy(value) for _ in self.targets or (None,)])

    def branches(self, value: Any) -> tuple[Any, ...] | None:
        """The copies that were made when the value was emitted."""
        return tuple(value) if self.plan.copies else None

    def _check(self, value: Any) -> None:
        check_python(self.plan.type, value, self.ref)
        for slot in self.targets:
            check_python(slot.type, value, f"{self.ref} -> {slot.ref}")
