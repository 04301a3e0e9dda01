"""The engine behind a client of plain data: what a window talks to."""

from penstock.host.protocol import (
    PLAIN_TYPES,
    BreakpointSpec,
    CommandRefused,
    EngineSnapshot,
    JobSnapshot,
    PoolUse,
    Reply,
    RoutineValues,
    StartRefused,
    ThreadInfo,
    ThreadTable,
    Told,
    ValueSample,
    from_json,
    to_json,
)

__all__ = [
    "PLAIN_TYPES",
    "BreakpointSpec",
    "CommandRefused",
    "EngineSnapshot",
    "JobSnapshot",
    "PoolUse",
    "Reply",
    "RoutineValues",
    "StartRefused",
    "ThreadInfo",
    "ThreadTable",
    "Told",
    "ValueSample",
    "from_json",
    "to_json",
]
