"""Counters of one routine at one moment, read under the job's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.observe import RoutineCount, SlotCount

if TYPE_CHECKING:
    from penstock.run.core import JobCore
    from penstock.run.records import RoutineRun, SlotQueue


def running_in(run: RoutineRun) -> int:
    """How many bodies of the routine run now; one that stands waiting for the engine doesn't."""
    return sum(token.is_running for token in run.tokens)


def count_routine(core: JobCore, run: RoutineRun) -> RoutineCount:
    """The routine's counters; what isn't anywhere else is in flight."""
    over = core.is_over
    running = 0 if over else running_in(run)
    slots = {slot.name: _count_slot(slot) for slot in run.slots}
    ready = len(run.ready) + len(run.grant) + len(run.suspended) + len(run.continued)
    return RoutineCount(
        status=_status(core, run, running, ready, slots),
        activations=run.activations,
        failures=run.failures,
        running=running,
        ready=ready,
        seconds=run.seconds,
        refused=run.refused,
        slots=slots,
        emitted={e.name: 0 for e in run.plan.events} | {e.name: e.emitted for e in run.emitters},
        revoked=run.revoked,
    )


def _count_slot(slot: SlotQueue) -> SlotCount:
    depth = slot.depth()
    queued = depth + len(slot.parked or ())
    gone = slot.consumed + slot.dead + slot.discarded
    gone += slot.dropped + slot.superseded + slot.skipped
    return SlotCount(
        depth=depth,
        capacity=slot.capacity,
        high_water=slot.high_water,
        posted=slot.posted,
        consumed=slot.consumed,
        queued=queued,
        in_flight=max(0, slot.posted - queued - gone),
        dead=slot.dead,
        discarded=slot.discarded,
        dropped=slot.dropped,
        superseded=slot.superseded,
        skipped=slot.skipped,
    )


def _status(
    core: JobCore, run: RoutineRun, running: int, ready: int, slots: dict[str, SlotCount]
) -> str:
    """One of `ROUTINE_STATUSES`, the most telling first."""
    if core.is_over:
        failed = core.error is not None and core.error.routine == run.id
        return "failed" if failed else "done"
    if running:
        return "running"
    stands_at = {token.parked_at for token in run.tokens if token.parked_at}
    if run.parked_out or stands_at - {"checkpoint"}:
        return "gated"
    if core.hold is not None and (ready or stands_at):
        return "held"
    if run.retrying:
        return "retrying"
    if run.timer is not None and (ready or run.plan.is_source):
        return "timed"
    if ready:
        in_backlog = any(token.worker is None for token in run.tokens)
        return "waiting" if in_backlog else "queued"
    if run.skipping:
        return "skipped"
    return "matching" if any(slot.depth for slot in slots.values()) else "idle"
