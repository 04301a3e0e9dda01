"""What may start: grants, tokens, gates and holds of one job. Pure; only `JobCore` calls it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from penstock.flow import Every
from penstock.run.hold import Hold
from penstock.run.matching import Custom, newest
from penstock.run.records import Entry, RoutineRun, SlotQueue
from penstock.run.slices import SLICE, PlainToken, Special, Token
from penstock.run.state import JobStatus

if TYPE_CHECKING:
    from penstock.run.core import JobCore

UNTOLD = ("", -1)
NOWHERE: dict[SlotQueue, None] = {}  # most jobs never give room this way: it stays empty


def pump(core: JobCore, run: RoutineRun) -> None:
    """Grant what is ready, if anything may be granted now."""
    if core.hold is not None or run.parked_out or core.status is not JobStatus.RUNNING:
        run.open = False
        if core.hold is not None and not core.is_over:
            _has_next(core, run)  # so that a step finds what would go next
        return
    if not (run.ready or run.suspended or run.grant or run.continued or run.plan.one_by_one):
        run.open = run.single and not (run.stops or run.skipping)
        return
    if run.suspended:
        run.continued.extend(run.suspended)
        run.suspended.clear()
    if run.stops or run.plan.one_by_one:
        _pump_one(core, run)
    elif run.ready:
        run.grant.extend(run.ready)
        run.ready.clear()
    shut = run.stops or run.plan.one_by_one or run.skipping or core.hold is not None
    run.open = run.single and not shut
    issue_for_grant(core, run)


def begin(core: JobCore, run: RoutineRun) -> None:
    """Let a source run, at the start of its job; it is granted where nobody has to be asked."""
    entry = (core.next_number(), None)
    if core.hold is not None or run.stops or run.plan.one_by_one:
        run.waiting.append(entry)
    else:
        run.grant.append(entry)
        issue(core, run, SLICE)


def _pump_one(core: JobCore, run: RoutineRun) -> None:
    """Grant one after the other, asking before each whether its time has come."""
    while not run.grant and _may_run_one_more(run) and _has_next(core, run):
        pass_over(core, run)
        if run.stops and run.ready[0][0] not in run.passed:
            hold(core, "breakpoint", next(core.generations), run)
            return
        if not _its_time_has_come(core, run):
            return
        run.grant.append(run.ready.popleft())
        issue_for_grant(core, run)


def _may_run_one_more(run: RoutineRun) -> bool:
    """Whether fewer run than may; a generator that stands and has no token yet runs too."""
    standing = sum([item.begun for item in (*run.suspended, *run.continued)])
    if standing:
        standing = max(0, standing - sum([token.worker is None for token in run.tokens]))
    return len(run.tokens) + run.retrying + standing < run.limit


def _has_next(core: JobCore, run: RoutineRun) -> bool:
    """Whether an activation is ready; a rule of the user's is asked now for the next one."""
    if run.ready or not isinstance(run.rule, Custom):
        return bool(run.ready)
    try:
        bound = run.rule.choose()
    except BaseException as error:  # noqa: BLE001 -- border to user code
        core.rule_failed(run, error)
        return False
    if bound is not None:
        run.waiting.append((newest(bound), bound))
    return bound is not None


def pass_over(core: JobCore, run: RoutineRun) -> None:
    """`Latest`: what is older than the newest is superseded, but for what is being retried."""
    if not run.plan.takes_latest:
        return
    slot = run.slots[0]
    while len(run.ready) > 1 and run.ready[0][0] not in run.attempts:
        message = run.ready.popleft()
        slot.superseded += 1
        core.tell.dropped(slot, message, "superseded")
        if core.gave_room is NOWHERE:
            core.gave_room = {}
        core.gave_room[slot] = None


def _its_time_has_come(core: JobCore, run: RoutineRun) -> bool:
    """`Every`: at most one start per interval."""
    if isinstance(run.plan.activation, Every) and core.clock() < run.next_at:
        number = run.ready[0][0]
        if number != run.timer_for and number not in run.attempts:
            if run.timer is None:
                _call_at_next(core, run)
            return False
    count_start(core, run)
    return True


def count_start(core: JobCore, run: RoutineRun) -> None:
    """`Every`: what is ready starts, and the interval with it; once, though it be taken back."""
    rule = run.plan.activation
    number = run.ready[0][0]
    if not isinstance(rule, Every) or number in run.attempts:
        return
    if number != run.timer_for:
        run.timer_for = number
        run.next_at = core.clock() + rule.seconds
        run.ticks += 1
        core.timers.call_off(run.timer)
        run.timer = None
    # The timer may have come while what was taken back had not started: then for nothing.
    if run.plan.is_source and run.timer is None and run.ticks != rule.times:
        _call_at_next(core, run)


def _call_at_next(core: JobCore, run: RoutineRun) -> None:
    def come() -> None:
        run.timer = None
        if run.plan.is_source and not run.ready:
            run.waiting.append((core.next_number(), None))
        pump(core, run)

    run.timer = core.timers.add(run.next_at, come, keeps=True)


def free(core: JobCore, run: RoutineRun) -> None:
    """Let a routine go on, unless what it emitted still waits or the job is held."""
    if not run.parked_out and core.hold is None:
        run.stop = False
    pump(core, run)


def issue_for_grant(core: JobCore, run: RoutineRun) -> None:
    """A token for each granted entry, as far as more may run at once.

    Tokens whose slice has begun aren't counted as takers: each may be in a body for long. They
    begin in the order in which they were issued.
    """
    room = run.limit - len(run.tokens) - run.retrying
    if room > 0 and (run.grant or run.continued):
        takers = 0
        for token in reversed(run.tokens):
            if token.worker is not None:
                break
            takers += 1
        for _ in range(min(room, len(run.grant) + len(run.continued) - takers)):
            issue(core, run, SLICE)


def issue(core: JobCore, run: RoutineRun, limit: int) -> Token:
    """One more token. Routines with a time-out get slices of one, so that each has its clock."""
    if run.is_plain:
        plain = PlainToken()
        plain.run_ = run
        plain.limit = limit
        run.tokens[plain] = None
        core.tokens += 1
        core.issued.append(plain)
        return plain
    plan = run.plan
    token = Token()
    token.run_ = run
    token.limit = limit if plan.timeout is None else 1
    if plan.timeout is not None and plan.keeps_back:
        token.fate = ["open"]
    run.tokens[token] = None
    core.tokens += 1
    if plan.is_async and not run.continued and not run.state_missing:
        core.more.coroutines.append(token)
    else:
        core.issued.append(token)
    return token


def recall(run: RoutineRun) -> None:
    """Take back what no worker has popped: each entry is either begun or ours again."""
    while run.grant:
        try:
            run.waiting.appendleft(run.grant.pop())
        except IndexError:
            break
    while run.continued:
        try:
            run.suspended.appendleft(run.continued.pop())
        except IndexError:
            break


def recall_unstepped(core: JobCore, run: RoutineRun) -> None:
    """`recall`, but what a step let go is left to it."""
    if core.step_token is None or core.step_token not in run.tokens:
        recall(run)


def give_back(run: RoutineRun, item: Entry | Special) -> None:
    """What was popped and is to start (again) goes back to its place.

    That is the first where one runs at a time. Else several may come back: by number.
    """
    if isinstance(item, Special):
        run.suspended.appendleft(item)
    elif run.limit == 1:
        run.waiting.appendleft(item)
    else:
        run.ready = deque(sorted([item, *run.ready], key=_number))


def close_gates(core: JobCore) -> None:
    """Stop and recall everything.

    A worker writes its token's mark before it reads `stop`, so after this each activation
    either has begun, with a mark, or comes back.
    """
    for run in core.runs:
        run.stop = True
        run.open = False
        for token in run.tokens:
            token.limit = 0
        recall(run)


def hold(core: JobCore, why: str, generation: int, at: RoutineRun | None = None) -> None:
    """Let nothing start any more; the job's clock stands still."""
    hit = (at.id, at.ready[0][0], at.stops) if at is not None else ("", 0, ())
    close_gates(core)
    core.timers.stop(core.tell.now)
    core.hold = Hold(core.next_hold(), generation, why, *hit)
    core.move(JobStatus.PAUSING if core.running() else JobStatus.PAUSED)
    core.told_next = UNTOLD
    tell_new_next(core)


def tell_new_next(core: JobCore) -> None:
    """Tell a hold, and again when what would go next has changed since.

    A worker that has popped an entry and not decided yet reports at once; until then what
    would go next isn't known.
    """
    if core.hold is None or core.step_token is not None:
        return
    if any(token.undecided for run in core.runs for token in run.tokens):
        return
    run = next_run(core)
    found = (run.id, run.next_number()) if run is not None else None
    if found != core.told_next:
        core.told_next = found
        core.tell.held(core.hold, run, core.runs)


def steppable(core: JobCore) -> list[RoutineRun]:
    """Routines with something ready that may start or go on now."""
    return [run for run in core.runs if run.may_begin()]


def next_run(core: JobCore) -> RoutineRun | None:
    """The routine with the amber arrow: the one a breakpoint holds, else the oldest ready."""
    found = steppable(core)
    at = core.hold.at if core.hold is not None else ""
    return next(
        (r for r in found if r.id == at), min(found, key=RoutineRun.next_number, default=None)
    )


def _number(entry: Entry) -> int:
    return entry[0]
