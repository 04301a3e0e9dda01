"""Wrong variants of the engine's critical sections, which schedules must find.

Each is the real function with a change of its source, put in its place for a while.
"""

from __future__ import annotations
import __future__

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from helpers.critical_sections import Traced
from penstock.run import core, emitters, executor, granting, pool, posting, records, slices, steward

Function = Callable[..., Any]
Change = tuple[str, str]


@dataclass(frozen=True)
class Mutant:
    """What is wrong with which function, and the section whose schedules show it."""

    name: str
    section: str
    function: Function
    changes: tuple[Change, ...]
    traced: Traced | None = None  # instead of what the section says
    seeds: int = 2000


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The engine with this mutant in it."""
    function = mutant.function
    assert isinstance(function, FunctionType)
    wrong = _changed(function, mutant.changes)
    places = _places(function)
    assert places, function
    for place, name in places:
        setattr(place, name, wrong)
    try:
        yield
    finally:
        for place, name in places:
            setattr(place, name, function)


def _changed(function: FunctionType, changes: tuple[Change, ...]) -> Function:
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        there = _at_its_depth(source, _block(old))
        assert there is not None, f"{function.__qualname__} has not once: {old!r}"
        instead = textwrap.indent(_block(new), " " * (len(there) - len(there.lstrip())))
        source = source.replace(f"\n{there}\n", f"\n{instead}\n")
    flags = __future__.annotations.compiler_flag
    code = compile(source, function.__code__.co_filename, "exec", flags, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)
    wrong: Function = made[function.__name__]
    return wrong


def _block(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def _at_its_depth(source: str, text: str) -> str | None:
    """Whole lines as they stand in the source, if they do so exactly once."""
    found = [textwrap.indent(text, " " * depth) for depth in range(0, 40, 4)]
    found = [block for block in found if source.count(f"\n{block}\n") == 1]
    return found[0] if len(found) == 1 else None


def _places(function: FunctionType) -> list[tuple[Any, str]]:
    """Every class and module of the engine that has it."""
    modules = [m for n, m in sys.modules.items() if n.startswith("penstock.")]
    classes = {c for m in modules for c in vars(m).values() if inspect.isclass(c)}
    places: list[Any] = [*modules, *classes]
    return [(p, name) for p in places for name, value in vars(p).items() if value is function]


MUTANTS = (
    Mutant(
        "the loop doesn't look again",
        "the_loop_goes_to_sleep",
        executor.JobExecutor._drain,
        (("if not queue or not self._guard.acquire(False):", "if True:"),),
    ),
    Mutant(
        "the loop looks before it frees the guard",
        "the_loop_goes_to_sleep",
        executor.JobExecutor._drain,
        (
            (
                """
                self._guard.release()
                if not queue or not self._guard.acquire(False):
                """,
                """
                is_empty = not queue
                self._guard.release()
                if is_empty or not self._guard.acquire(False):
                """,
            ),
        ),
    ),
    Mutant(
        "the loop is woken without asking who else does it",
        "the_loop_goes_to_sleep",
        executor.JobExecutor.arm,
        (("if self._guard.acquire(False):", "if self._guard.acquire(False) or not self._awake:"),),
    ),
    Mutant(
        "waiters are let go before the job is told to be over",
        "who_waits_for_the_end",
        executor.JobExecutor._close,
        (
            ("self._over = True", ""),
            (
                """
                except IndexError:
                    break
                """,
                """
                except IndexError:
                    break
                if not self._waiters:
                    self._over = True
                """,
            ),
        ),
    ),
    Mutant(
        "who waits doesn't look again",
        "who_waits_for_the_end",
        executor.JobExecutor._wait_for_the_end,
        (
            (
                "if not self._is_closed() and not self.thread_pool.wait(latch, timeout):",
                "if not self.thread_pool.wait(latch, timeout):",
            ),
        ),
    ),
    Mutant(
        "news are marked as taken after the taking",
        "emissions_are_seen_while_the_body_runs",
        core.JobCore.take_news,
        (
            ("run.dirty = False", ""),
            ("if self.somebody_stands:", "run.dirty = False\nif self.somebody_stands:"),
        ),
    ),
    Mutant(
        "what is pending is taken before the room is cleared",
        "emissions_are_seen_while_the_body_runs",
        core.JobCore._take_emitted,
        (
            ("emitter.room = 0", ""),
            ("waiting = len(pending)", "waiting = len(pending)\nemitter.room = 0"),
        ),
    ),
    Mutant(
        "the room is written after the announcement",
        "emissions_are_seen_while_the_body_runs",
        emitters.Emitter._announce,
        (
            (
                """
                self.room = self.soft
                if not run.dirty:
                    run.dirty = True
                    run.job.announce(run)
                return
                """,
                """
                if not run.dirty:
                    run.dirty = True
                    run.job.announce(run)
                self.room = self.soft
                return
                """,
            ),
        ),
    ),
    Mutant(
        "a body goes on though too much is parked already",
        "emits_park_no_more_than_they_may",
        executor.JobExecutor.wait_for_room,
        (
            (
                "fits = len(emitter.pending) <= emitter.hard",
                "fits = len(emitter.pending) <= max(0, emitter.hard)",
            ),
        ),
    ),
    Mutant(
        "a routine is marked as announced after the announcement",
        "emissions_come_before_their_report",
        slices.PlainToken.run,
        (
            (
                """
                run.dirty = True
                run.job.announce(run)
                """,
                """
                run.job.announce(run)
                run.dirty = True
                """,
            ),
        ),
    ),
    Mutant(
        "a report is announced before it is there",
        "emissions_come_before_their_report",
        slices.PlainToken.run,
        (
            ("run.reports.append(report)", ""),
            (
                """
                if run.over:
                    run.job.late(run)  # nobody takes the news of a job that has ended
                """,
                """
                run.reports.append(report)
                if run.over:
                    run.job.late(run)
                """,
            ),
        ),
    ),
    Mutant(
        "a post that gives up is withdrawn when it may have been taken",
        "posts_that_give_up",
        posting._look,
        (("_withdraw(job, slot, waiting)  # while nobody can take it", "pass"),),
    ),
    Mutant(
        "a post that gives up doesn't ask whether it was taken",
        "posts_that_give_up",
        posting._look,
        (("if waiting.taken:", "if False:"),),
    ),
    Mutant(
        "a post doesn't look again for room",
        "room_is_given_when_a_message_is_taken",
        posting.post,
        (
            (
                "if slot.free() > 0:  # a worker has taken one before it could know that it is"
                " awaited",
                "if False:",
            ),
        ),
        [(posting, ("post",)), (slices, ("run",))],
    ),
    Mutant(
        "a worker tells of its message before it counts as begun",
        "a_hold_tells_exactly_what_had_begun",
        slices.PlainToken.run,
        (("self.mark = entry", "self.mark = self.begun = entry"),),
    ),
    Mutant(
        "a worker reads the gate before it marks what it took",
        "a_hold_tells_exactly_what_had_begun",
        slices.PlainToken.run,
        (
            (
                """
                self.mark = entry
                if run.stop:
                """,
                """
                is_closed = run.stop
                self.mark = entry
                if is_closed:
                """,
            ),
        ),
        [(slices, ("run",)), (granting, ("close_gates", "tell_new_next"))],
    ),
    Mutant(
        "a hold is told though a worker hasn't decided",
        "a_hold_tells_exactly_what_had_begun",
        granting.tell_new_next,
        (("if any(token.undecided for run in core.runs for token in run.tokens):", "if False:"),),
        [(slices, ("run",)), (granting, ("close_gates", "tell_new_next"))],
    ),
    Mutant(
        "what comes back goes behind the others",
        "a_hold_tells_exactly_what_had_begun",
        granting.give_back,
        (("run.waiting.appendleft(item)", "run.waiting.append(item)"),),
        [(slices, ("run",)), (granting, ("close_gates",))],
    ),
    Mutant(
        "a body that stands says so after it left the count",
        "emits_wait_for_room",
        executor.JobExecutor.wait_for_room,
        (
            (
                """
                token.parked_at = "emit"
                self.core.somebody_stands = True
                """,
                "",
            ),
            (
                """
                self._leave_the_count(token)
                latch.acquire()
                """,
                """
                self._leave_the_count(token)
                token.parked_at = "emit"
                self.core.somebody_stands = True
                latch.acquire()
                """,
            ),
        ),
    ),
    Mutant(
        "a body that stands has measured room long ago",
        "two_producers_wait_for_one_slot",
        executor.JobExecutor.wait_for_room,
        (("emitter.measure()  # others may have been given room since", ""),),
    ),
    Mutant(
        "who begins to stand doesn't ask whether it is over",
        "cancel_reaches_who_stands",
        executor.JobExecutor.stand,
        (("if self._is_over(token):", "if False:"),),
    ),
    Mutant(
        "who begins to sleep doesn't ask whether it is over",
        "cancel_reaches_who_stands",
        executor.JobExecutor.sleep,
        (("if self._is_over(acting_token()):", "if False:"),),
    ),
    Mutant(
        "the state isn't looked for again",
        "state_is_made_once",
        records.RoutineRun.make_state,
        (("if self.state_missing:", "if True:"),),
    ),
    Mutant(
        "a worker lies down after it has looked",
        "all_work_is_done",
        pool.WorkerPool._lie_down,
        (
            ("idle.append(latch)", ""),
            (
                "if self.ready or self.urgent or self._stopping:",
                "if not self.ready and not"
                " self.urgent and not self._stopping:\n    idle.append(latch)\nelse:\n    return\n"
                "if False:",
            ),
        ),
    ),
    Mutant(
        "a worker that lies down doesn't look again",
        "all_work_is_done",
        pool.WorkerPool._lie_down,
        (("if self.ready or self.urgent or self._stopping:", "if False:"),),
    ),
    Mutant(
        "a worker doesn't wake the next one",
        "work_gets_all_the_workers",
        pool.WorkerPool.next_work,
        (("if (ready or urgent) and not self._waking:", "if False:"),),
    ),
    Mutant(
        "a worker that is taken out may have gone on",
        "who_has_gone_on_is_not_taken_out",
        pool.WorkerPool.leave,
        (
            (
                """
                if worker.work is not work:
                    worker.outside = False
                    return False
                """,
                "",
            ),
        ),
        [(pool, ("leave", "_serve", "_come_back"))],
    ),
    Mutant(
        "a worker that comes back doesn't ask whether it had left",
        "workers_leave_and_come_back",
        pool.WorkerPool._come_back,
        (("if not worker.outside:", "if False:"),),
        [(pool, ("leave", "_serve", "_come_back"))],
    ),
    Mutant(
        "who leaves doesn't call another one in",
        "work_goes_on_when_workers_leave",
        pool.WorkerPool.leave,
        (("if (self.ready or self.urgent) and not self._waking:", "if False:"),),
    ),
    Mutant(
        "the steward doesn't look again",
        "the_steward_drains",
        steward.Steward._live,
        (("if (any(self._urgent) or self._stopping) and guard.acquire(False):", "if False:"),),
    ),
    Mutant(
        "the steward forgets who woke it when its time was over",
        "the_steward_drains",
        steward.Steward._live,
        (
            (
                "if not latch.acquire(True, self._time_left()) and not guard.acquire(False):",
                "if not latch.acquire(True, self._time_left()) and guard.acquire(False) is None:",
            ),
        ),
        [(steward, ("wake", "_live"))],
    ),
    Mutant(
        "how long the steward may sleep is measured before it frees the guard",
        "deadlines_are_kept",
        steward.Steward._live,
        (
            ("guard.release()", "left = self._time_left()\nguard.release()"),
            (
                "if not latch.acquire(True, self._time_left()) and not guard.acquire(False):",
                "if not latch.acquire(True, left) and not guard.acquire(False):",
            ),
        ),
        [(steward, ("wake", "_live"))],
    ),
    Mutant(
        "a deadline is taken away after it was called",
        "deadlines_are_kept",
        steward.Steward._call_due,
        (
            ("del self._next[job]", ""),
            (
                """
                try:
                    job.due()
                """,
                """
                try:
                    job.due()
                    self._next.pop(job, None)
                """,
            ),
        ),
    ),
)
