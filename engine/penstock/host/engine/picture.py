"""The flow of a job as one draws it, from what the job runs: pure."""

from __future__ import annotations

from penstock.flow.live import spec_of
from penstock.host.crossing.protocol import FlowPicture, RoutinePicture
from penstock.run.routing import Plan, RoutinePlan


def flow_picture(job_id: str, plan: Plan) -> FlowPicture:
    """Routines in the order of the flow, and every connection."""
    connections = tuple(
        (event.ref, plan.routines[routine].slots[slot].ref)
        for source in plan.routines
        for event in source.events
        for routine, slot in event.targets
    )
    return FlowPicture(job_id, plan.flow, tuple(map(_routine, plan.routines)), connections)


def no_picture(job_id: str) -> FlowPicture:
    """The answer about a job that isn't known any more."""
    return FlowPicture(job_id, "", (), (), kept=False)


def _routine(plan: RoutinePlan) -> RoutinePicture:
    spec = spec_of(plan.routine)
    return RoutinePicture(plan.id, spec.type, spec.slots, spec.events, spec.doc)
