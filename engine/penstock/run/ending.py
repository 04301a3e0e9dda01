"""How a job ends: completion, `finish` turns, final states, stalls. Pure; `JobCore` calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.flow import Failure
from penstock.run.failures import Decision
from penstock.run.granting import close_gates, give_back, pump
from penstock.run.matching import Batches, newest
from penstock.run.records import RoutineRun, count_failure
from penstock.run.slices import Failed, Finish, Suspended, Token
from penstock.run.state import JobStatus

if TYPE_CHECKING:
    from penstock.run.core import JobCore

STANDING = ("emit", "post here")
"""Where a body can stand for want of room in its own job (`Token.parked_at`)."""


def look_for_the_end(core: JobCore) -> None:
    """Called when nothing more has come in: is anything left that could go on?"""
    if core.tokens and not core.somebody_stands:
        core.stalled = ()
        return
    if core.tokens or core.parked or _is_anything_left(core) or _waits_for_a_timer(core):
        _look_for_a_stall(core)
    elif core.keep_open:
        if core.hold is None:
            core.go_idle()
    elif not _start_next_finish(core):
        end(core, JobStatus.COMPLETED, None)


def _is_anything_left(core: JobCore) -> bool:
    # Not by `any`: a generator costs a tenth of what the end of a small job does.
    for run in core.runs:  # noqa: SIM110
        if run.ready or run.suspended or run.grant or run.continued:
            return True
    return False


def _waits_for_a_timer(core: JobCore) -> bool:
    """Whether something is to come by itself in time.

    The time of a batch that goes in its routine's last turn anyway needn't be waited for.
    """
    pending = core.timers.keeping
    if core.keep_open or not pending:
        return pending > 0
    return pending > sum(_goes_in_its_last_turn(core, run) for run in core.runs)


def _goes_in_its_last_turn(core: JobCore, run: RoutineRun) -> bool:
    """Whether a batch waits that nothing can add to once everything before it is worked off.

    In a circle what goes may come back, so its time sets the pace there.
    """
    if run.timer is None or not isinstance(run.rule, Batches):
        return False
    turns_to_come = core.plan.finish_order[core.turns_over :]
    return run.index in turns_to_come and not _is_in_a_circle(core, run.index)


def _is_in_a_circle(core: JobCore, index: int) -> bool:
    found: set[int] = set()
    todo = [index]
    while todo:
        after = {target for event in core.plan.routines[todo.pop()].targets for target, _ in event}
        todo += after - found
        found |= after
    return index in found


def _start_next_finish(core: JobCore) -> bool:
    """Make the next last turn ready; False when none is left."""
    while core.turns_over < len(core.plan.finish_order):
        run = core.runs[core.plan.finish_order[core.turns_over]]
        if not run.skipping and flush(run):
            core.timers.call_off(run.timer)
            run.timer = None
            pump(core, run)
            return True
        core.turns_over += 1
        if run.plan.has_finish and not run.skipping:
            number = core.next_number()
            run.suspended.append(Finish(number, (number, None)))
            pump(core, run)
            return True
    return False


def flush(run: RoutineRun) -> bool:
    """Make what a batch has so far an activation; False when it has nothing."""
    bound = run.rule.flush() if isinstance(run.rule, Batches) else None
    if bound is None:
        return False
    run.waiting.append((newest(bound), bound))
    return True


def _look_for_a_stall(core: JobCore) -> None:
    """Nothing runs, nothing can start, no timer will change that, and something waits for room."""
    if not (core.somebody_stands or core.parked):
        core.stalled = ()
        return
    standing = [t for run in core.runs for t in run.tokens if t.parked_at in STANDING]
    core.somebody_stands = bool(standing)
    before, core.stalled = core.stalled, ()
    if core.hold is not None or core.tokens > len(standing) or core.timers.keeping:
        return
    core.stalled = tuple(
        slot.ref
        for run in core.runs
        for slot in run.slots
        if slot.parked or (standing and slot.posters)
    )
    if core.stalled and core.stalled != before:
        at = {token.routine for token in standing}
        blocked = tuple(run.id for run in core.runs if run.parked_out or run.id in at)
        core.tell.stalled(core.stalled, blocked)


def end(core: JobCore, status: JobStatus, error: Failure | None) -> None:
    """The final status, at once: nothing starts, late emits are refused."""
    core.move(status)
    core.error = error
    core.finished_at = core.tell.now
    core.hold = None
    core.stalled = ()
    core.timers.clear()
    if status is not JobStatus.COMPLETED:
        close_gates(core)
    for run in core.runs:
        run.over = True
        if run.reports or run.log is not None:
            _keep_other_failures(core, run)
        close(core, run)
        if run.rule is not None and status is JobStatus.COMPLETED:
            for slot in run.slots:
                slot.discarded = slot.depth()
            run.rule = None
    core.tell_counters()
    core.tell.ended(status, error, core.runs)


def _keep_other_failures(core: JobCore, run: RoutineRun) -> None:
    """No error masks another: failures already reported are told and kept, then the end.

    A worker appends its report and then looks at `over`; here it is the other way round.
    """
    core.tell.activations(run)
    for failed in take_late(core, run):
        core.tell.failed(failed.failure, Decision.CONTINUE.value)


def take_late(core: JobCore, run: RoutineRun) -> list[Failed]:
    """Count what slices report of a job that has ended; returns the failures, which are kept."""
    found: list[Failed] = []
    for report in [run.reports.pop(0) for _ in range(len(run.reports))]:
        if report.token not in run.tokens:
            continue  # timed out before, and counted then
        run.tokens.pop(report.token, None)
        run.activations += report.done + report.finished
        run.count_done(report)
        if report.suspended is not None:
            core.more.bodies.append((run, report.suspended))
        if isinstance(report.returned, Suspended):
            core.more.bodies.append((run, report.returned))
        elif report.returned is not None and not isinstance(report.returned, Finish):
            give_back(run, report.returned)
        if report.failed is not None and not report.failed.is_cancel:
            count_failure(run, report.failed.entry, report.finished, "dead")
            core.keep_dead(report.failed.failure)
            found.append(report.failed)
    return found


def close(core: JobCore, run: RoutineRun) -> None:
    """Refuse emits and posts; list bodies still running and generators that need closing."""
    run.over = True
    for emitter in run.emitters:
        emitter.run = None
    for slot in run.slots:
        if slot.posters is not None:  # who waits for room finds that the job has ended
            core.more.wakes.extend(poster.latch for poster in slot.posters)
            slot.posters = None
    for token in run.tokens:
        abandon(core, token)
    if run.suspended:
        standing = [(run, item) for item in run.suspended if isinstance(item, Suspended)]
        core.more.bodies.extend(standing)
        run.suspended.clear()


def abandon(core: JobCore, token: Token) -> None:
    """Its activation doesn't count any more; what still runs of it leaves the pool's count."""
    token.over = True
    if token.worker is not None:
        core.more.leaving.append(token)
    wake(core, token)


def wake(core: JobCore, token: Token) -> None:
    """Let a body that waits behind its latch look again."""
    latch, token.latch = token.latch, None
    token.parked_at = ""
    if latch is not None:
        core.more.wakes.append(latch)
