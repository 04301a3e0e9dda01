"""What can be told about a run: events, the instruments that hear them, and their fold.

General layout:
    summary     bounded pictures of values
    events      the events, and their JSON
    instrument  Instrument and the set of attached ones
    view        JobView, the fold of a job's events
"""

from penstock.observe.events import (
    EVENT_TYPES,
    FINAL_STATUSES,
    ROUTINE_STATUSES,
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    EngineEvent,
    FailureSummary,
    HeldMessage,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    MessageDropped,
    MessageQueued,
    RoutineCount,
    SliceEnded,
    SlotCount,
    Stalled,
    StepIgnored,
    from_json,
    to_json,
)
from penstock.observe.instrument import Instrument, Instruments
from penstock.observe.summary import ValueSummary, summarize
from penstock.observe.view import JobView

__all__ = [
    "EVENT_TYPES",
    "FINAL_STATUSES",
    "ROUTINE_STATUSES",
    "ActivationEnded",
    "ActivationFailed",
    "ActivationStarted",
    "EngineEvent",
    "FailureSummary",
    "HeldMessage",
    "Instrument",
    "Instruments",
    "JobEnded",
    "JobHeld",
    "JobProgress",
    "JobResumed",
    "JobStarted",
    "JobView",
    "MessageDropped",
    "MessageQueued",
    "RoutineCount",
    "SliceEnded",
    "SlotCount",
    "Stalled",
    "StepIgnored",
    "ValueSummary",
    "from_json",
    "summarize",
    "to_json",
]
