"""No message is lost or counted twice: what must hold of a job's counters at any moment."""

from __future__ import annotations

from penstock import JobState, JobStatus
from penstock.observe import SlotCount

DEADLINE = 20.0
FATES = ("consumed", "dropped", "superseded", "dead", "skipped", "discarded")
PLACES = ("queued", "in_flight")


def check_conservation(job: JobState) -> None:
    """Every message of every slot is in exactly one place; nothing is left over at the end."""
    snapshot = job.snapshot()
    for routine_id, routine in snapshot.routines.items():
        for name, slot in routine.slots.items():
            where = f"{routine_id}.{name} of {snapshot.status.value} job {job.id}: {slot}"
            _check_slot(slot, where)
            if snapshot.status is JobStatus.COMPLETED:
                assert slot.queued == slot.in_flight == slot.depth == 0, where
    if snapshot.status is JobStatus.COMPLETED:
        assert not any(routine.running for routine in snapshot.routines.values()), job


def _check_slot(slot: SlotCount, where: str) -> None:
    counts = [getattr(slot, name) for name in FATES + PLACES]
    assert slot.posted == sum(counts), where
    assert min(counts) >= 0, where
    assert 0 <= slot.depth <= slot.queued, where
    assert slot.depth <= slot.high_water, where


def check_room(job: JobState) -> None:
    """No slot of a job in which no capacity was changed has ever held more than it may."""
    for routine_id, routine in job.routines.items():
        for name, slot in routine.slots.items():
            assert slot.high_water <= slot.capacity, f"{routine_id}.{name}: {slot}"


def finished(job: JobState, status: JobStatus = JobStatus.COMPLETED) -> JobState:
    """The job, once it has ended as expected with every message accounted for."""
    assert job.wait(DEADLINE) is status, (job, job.error)
    check_conservation(job)
    check_room(job)
    return job
