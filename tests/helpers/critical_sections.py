"""The engine's critical sections, for `helpers.schedules`: what counts in each, its scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.critical_jobs import (
    a_hold_tells_exactly_what_had_begun,
    a_step_lets_one_go,
    cancel_reaches_who_stands,
    emissions_are_seen_while_the_body_runs,
    emissions_come_before_their_report,
    emits_park_no_more_than_they_may,
    emits_wait_for_room,
    events_of_one_body_keep_their_order,
    everything_at_once,
    holds_and_resumes_cross,
    posts_that_give_up,
    posts_that_meet_the_end,
    posts_wait_for_room,
    room_is_given_when_a_message_is_taken,
    state_is_made_once,
    the_loop_goes_to_sleep,
    time_outs_meet_the_end_of_a_body,
    two_producers_wait_for_one_slot,
    who_waits_for_the_end,
)
from helpers.critical_pool import (
    all_work_is_done,
    deadlines_are_kept,
    drains_come_though_all_workers_are_busy,
    the_pool_ends,
    the_steward_drains,
    who_has_gone_on_is_not_taken_out,
    work_gets_all_the_workers,
    work_goes_on_when_workers_leave,
    work_is_done_though_its_wake_up_finds_nobody,
    workers_leave_and_come_back,
)
from helpers.schedules import World
from penstock.run import (
    arriving,
    core,
    emitters,
    ending,
    executor,
    failing,
    granting,
    holding,
    pool,
    posting,
    records,
    slices,
    steward,
    worker,
)

Scenario = Callable[[World, int], None]
Traced = list[tuple[Any, tuple[str, ...]]]

LOOP = (
    executor,
    ("arm", "announce", "send", "close", "start", "drain", "_drain", "_loop", "_close", "due"),
)
EMITTING: tuple[Any, tuple[str, ...]] = (emitters, ())
NEWS = (core, ("take_news", "_take_emitted", "_take_in_order", "_reported", "_begun_or_overrun"))
SLICES = (slices, ("run", "_slow_slice", "_hand_in", "_stands", "_deliver_kept"))
RECORDS = (records, ("announce", "pop_any", "make_state", "free"))
GATES = (granting, ("close_gates", "recall", "hold", "tell_new_next", "issue_for_grant"))
STANDING = (executor, ("wait_for_room", "stand", "_leave_the_count", "_stands_while_held", "sleep"))
POSTING: tuple[Any, tuple[str, ...]] = (posting, ())
POOL: tuple[Any, tuple[str, ...]] = (pool, ())
STEWARD: tuple[Any, tuple[str, ...]] = (steward, ())


@dataclass(frozen=True)
class Section:
    """One critical section: what of the engine counts, and who is in it."""

    name: str
    scenario: Scenario
    traced: Traced


_ALL: list[tuple[Scenario, Traced]] = [
    (the_loop_goes_to_sleep, [LOOP, (posting, ("post",))]),
    (who_waits_for_the_end, [LOOP, (executor, ("wait", "_wait_for_the_end", "_forget"))]),
    (emissions_are_seen_while_the_body_runs, [LOOP, EMITTING, NEWS, RECORDS]),
    (emissions_come_before_their_report, [LOOP, EMITTING, NEWS, RECORDS, SLICES]),
    (events_of_one_body_keep_their_order, [EMITTING, NEWS, RECORDS]),
    (posts_wait_for_room, [LOOP, POSTING, NEWS, RECORDS]),
    (posts_that_give_up, [LOOP, POSTING, NEWS]),
    (posts_that_meet_the_end, [LOOP, POSTING]),
    (room_is_given_when_a_message_is_taken, [POSTING, NEWS, SLICES, RECORDS]),
    (emits_wait_for_room, [LOOP, EMITTING, NEWS, STANDING]),
    (emits_park_no_more_than_they_may, [EMITTING, NEWS, STANDING]),
    (two_producers_wait_for_one_slot, [EMITTING, NEWS, STANDING]),
    (a_hold_tells_exactly_what_had_begun, [(slices, ("run", "_hand_in")), GATES]),
    (holds_and_resumes_cross, [LOOP, SLICES, GATES]),
    (a_step_lets_one_go, [SLICES, GATES, NEWS, (holding, ())]),
    (cancel_reaches_who_stands, [STANDING, EMITTING, POSTING, (ending, ("close", "abandon"))]),
    (time_outs_meet_the_end_of_a_body, [SLICES, NEWS, (failing, ())]),
    (state_is_made_once, [RECORDS, SLICES]),
    (all_work_is_done, [POOL, (worker, ())]),
    (work_is_done_though_its_wake_up_finds_nobody, [POOL]),
    (work_gets_all_the_workers, [POOL]),
    (drains_come_though_all_workers_are_busy, [POOL, STEWARD]),
    (workers_leave_and_come_back, [POOL]),
    (who_has_gone_on_is_not_taken_out, [POOL]),
    (work_goes_on_when_workers_leave, [POOL]),
    (the_pool_ends, [POOL, STEWARD]),
    (deadlines_are_kept, [STEWARD]),
    (the_steward_drains, [STEWARD]),
    (everything_at_once, [LOOP, EMITTING, NEWS, SLICES, RECORDS, STANDING, (arriving, ())]),
]
SECTIONS = {act.__name__: Section(act.__name__, act, traced) for act, traced in _ALL}
