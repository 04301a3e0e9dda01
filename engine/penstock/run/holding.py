"""Pause, resume and step of one job. Pure; only `JobCore` calls it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.run.arriving import release
from penstock.run.ending import wake
from penstock.run.granting import UNTOLD, count_start, hold, issue, next_run, pass_over, steppable
from penstock.run.hold import Hold, ReadyActivation
from penstock.run.messages import Pause, Resume, Step
from penstock.run.records import RoutineRun
from penstock.run.state import JobStatus

if TYPE_CHECKING:
    from penstock.run.core import JobCore


def pause(core: JobCore, message: Pause) -> None:
    """Hold the job; held already, only the generation is newer and the hold is told again."""
    now = core.hold
    # A breakpoint may have been hit after this pause was asked for.
    generation = message.generation if now is None else max(now.generation, message.generation)
    if now is None or core.step_token is not None:
        core.step_token = None
        hold(core, "pause", generation)
    else:
        core.hold = replace(now, generation=generation)
        core.told_next = UNTOLD


def resume(core: JobCore, message: Resume) -> None:
    """Let the job go on; a resume meant for an earlier hold does nothing."""
    now = core.hold
    if now is None or now.generation > message.generation:
        return
    if message.held_id not in (None, now.id):
        return
    place = next_run(core)
    if now.at:
        held = core.runs[core.plan.index[now.at]]
        passed = [n for n, _ in held.ready if n in held.passed or n == now.number]
        held.passed = frozenset(passed)
    core.hold = None
    core.step_token = None
    if core.status is not JobStatus.RUNNING:
        core.move(JobStatus.RUNNING)
    core.timers.go(core.tell.now)
    core.tell.resumed(now, False, place.id if place else "")
    for run in core.runs:
        for token in run.tokens:
            if token.parked_at == "checkpoint":
                wake(core, token)
    for run in core.runs:
        release(core, run)


def step(core: JobCore, message: Step) -> None:
    """Let one activation go, if the job is held and something is ready."""
    now = core.hold
    if now is None:
        core.tell.step_ignored("the job isn't held")
    elif core.step_token is not None:
        core.tell.step_ignored(f"a step of {core.step_token.routine} is under way")
    elif (run := _step_target(core, message.activation)) is None:
        core.tell.step_ignored("no activation is ready to start")
    else:
        _let_one_go(core, run, now)


def _step_target(core: JobCore, activation: ReadyActivation | None) -> RoutineRun | None:
    if activation is None:
        return next_run(core)
    wanted = (activation.routine, activation.number)
    return next((r for r in steppable(core) if (r.id, r.next_number()) == wanted), None)


def _let_one_go(core: JobCore, run: RoutineRun, now: Hold) -> None:
    """Step over: grant one activation (or the next piece of a generator) and nothing else."""
    if run.suspended and run.suspended[0].number == run.next_number():
        run.continued.append(run.suspended.popleft())
    else:
        pass_over(core, run)
        count_start(core, run)
        run.grant.append(run.ready.popleft())
    core.move(JobStatus.RUNNING)
    core.tell.resumed(now, True, run.id)
    run.stop = False
    core.step_token = issue(core, run, 1)


def look_at_the_step(core: JobCore) -> None:
    """A step also ends when its body stands waiting for room."""
    if core.step_token is not None and core.step_token.parked_at and core.hold is not None:
        core.step_ended(core.hold)
