"""What a failure does to a job: policies, retries, time-outs. Pure; only `JobCore` calls it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from penstock.flow import Failure, Retry
from penstock.run.arriving import make_room, route, skip_messages
from penstock.run.ending import abandon, end
from penstock.run.failures import Decision, decide
from penstock.run.granting import free, give_back, pump, recall, recall_unstepped
from penstock.run.records import Entry, RoutineRun, count_failure
from penstock.run.slices import Failed, Suspended, Token
from penstock.run.state import JobStatus

if TYPE_CHECKING:
    from penstock.run.core import JobCore

MOMENT = 0.001
"""Seconds until a time-out is tried again that came while nobody could say who runs what."""


def fail(core: JobCore, run: RoutineRun, failed: Failed, in_finish: bool) -> None:
    """An activation raised: retry it, deliver the failure, or do what the policy says."""
    number = failed.entry[0]
    attempt = run.attempts.pop(number, 0) + 1
    failure = failed.failure if attempt == 1 else replace(failed.failure, attempt=attempt)
    run.revoked += failed.revoked
    policy = run.plan.on_error
    again = (
        failed.retryable
        and not in_finish
        and not run.skipping
        and isinstance(policy, Retry)
        and attempt <= policy.times
    )
    decision = decide(policy, bool(run.plan.events[-1].targets), again)
    fate = {Decision.RETRY: "", Decision.DELIVER: "consumed"}.get(decision, "dead")
    count_failure(run, failed.entry, in_finish, fate)
    core.tell.failed(failure, decision.value)
    if decision is Decision.RETRY and isinstance(policy, Retry):
        _try_again(core, run, failed.entry, attempt, policy.delay_before(attempt, core.chance()))
    elif decision is Decision.DELIVER:
        route(core, run.failed, [failure])
    elif decision is Decision.STOP:
        end(core, JobStatus.FAILED, failure)
    else:
        core.keep_dead(failure)
        if decision is Decision.SKIP:
            _skip(core, run)


def _try_again(core: JobCore, run: RoutineRun, entry: Entry, attempt: int, delay: float) -> None:
    """After `delay` seconds of the job's clock. Until then it keeps its place among those that run.

    So with `max_parallel` 1 what came later waits behind it.
    """
    run.attempts[entry[0]] = attempt
    run.retrying += 1

    def come() -> None:
        run.retrying -= 1
        recall_unstepped(core, run)
        give_back(run, entry)
        if run.skipping:
            _skip(core, run)
        else:
            pump(core, run)

    if delay > 0:
        core.timers.add(core.clock() + delay, come, keeps=True)
    else:
        come()


def _skip(core: JobCore, run: RoutineRun) -> None:
    """The routine is out: what waits for it, and what comes, counts as skipped at once."""
    run.skipping = True
    run.open = False
    core.timers.call_off(run.timer)
    run.timer = None
    recall(run)
    for waiting in run.ready:
        for slot, message in run.bound_to(waiting):
            skip_messages(core, slot, [message])
    run.ready.clear()
    for slot in run.slots:
        while run.rule is not None and (oldest := run.rule.drop_oldest(slot.index)) is not None:
            skip_messages(core, slot, [oldest])
        make_room(core, slot)


# ---- time-outs


def watch(core: JobCore, run: RoutineRun, timeout: float) -> None:
    """Start the clock of each activation of a routine with a time-out that has just begun."""
    for token in run.tokens:
        entry = token.begun
        if entry is not None and entry[0] not in run.clocks:
            _set_clock(core, run, entry[0], timeout)


def _set_clock(core: JobCore, run: RoutineRun, number: int, seconds: float) -> None:
    act = partial(_time_out, core, run, number)
    run.clocks[number] = core.timers.add(core.clock() + seconds, act, keeps=False)


def ended(core: JobCore, run: RoutineRun, entry: Entry) -> None:
    """An activation has ended: its clock and its attempts are forgotten."""
    if run.clocks:
        core.timers.call_off(run.clocks.pop(entry[0], None))
    run.attempts.pop(entry[0], None)


def _time_out(core: JobCore, run: RoutineRun, number: int) -> None:
    """The activation has failed; its body runs on, counted no more."""
    core.take_news(run)  # it may have ended meanwhile
    if core.is_over or number not in run.clocks:
        return
    if core.hold is not None:  # the news hit a breakpoint: the clock stands still from here on
        _set_clock(core, run, number, 0.0)
        return
    recall(run)
    token = next((t for t in run.tokens if t.mark is not None and t.mark[0] == number), None)
    standing = next((s for s in run.suspended if s.begun and s.entry[0] == number), None)
    if token is not None and token.mark is not None:
        if not token.decide():
            return  # it has just succeeded, and is about to say so; it gets no second clock
        del run.clocks[number]
        kept = token.kept
        _give_up(core, run, token)
        _fail_late(core, run, token.mark, len(kept or ()), token.finishing)
    elif isinstance(standing, Suspended):
        del run.clocks[number]
        run.suspended.remove(standing)
        core.more.bodies.append((run, standing))
        _fail_late(core, run, standing.entry, len(standing.kept or ()), False)
    else:  # a worker goes on with it this very moment, and hasn't said so yet
        _set_clock(core, run, number, MOMENT)
    if not core.is_over:
        free(core, run)


def _give_up(core: JobCore, run: RoutineRun, token: Token) -> None:
    """It isn't a step's: while the job is held its clock stands still."""
    core.tell.activations(run)
    run.tokens.pop(token, None)
    core.tokens -= 1
    abandon(core, token)


def _fail_late(core: JobCore, run: RoutineRun, entry: Entry, revoked: int, in_finish: bool) -> None:
    text = f"no end within {run.plan.timeout} s"
    failure = Failure(run.id, run.values_of(entry), "RoutineTimeout", text)
    policy = run.plan.on_error
    retryable = isinstance(policy, Retry) and issubclass(TimeoutError, policy.on)
    run.activations += in_finish
    fail(core, run, Failed(entry, failure, retryable, revoked), in_finish)


def job_timed_out(core: JobCore, timeout: float) -> None:
    """The job's time is over."""
    text = f"the job hasn't ended within {timeout} s"
    end(core, JobStatus.FAILED, Failure("", {}, "JobTimeout", text))
