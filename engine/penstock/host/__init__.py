"""The engine behind a client of plain data: what a window talks to.

General layout:
    protocol    what crosses besides events, and its JSON
    monitor     the instrument that keeps events until they are fetched
    threads     every live thread
    client      EngineClient
"""

from penstock.host.client import EngineClient
from penstock.host.protocol import (
    PLAIN_TYPES,
    BreakpointSpec,
    CommandRefused,
    EngineSnapshot,
    JobSnapshot,
    PoolUse,
    Reply,
    RoutineValues,
    StallChoice,
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
    "EngineClient",
    "EngineSnapshot",
    "JobSnapshot",
    "PoolUse",
    "Reply",
    "RoutineValues",
    "StallChoice",
    "StartRefused",
    "ThreadInfo",
    "ThreadTable",
    "Told",
    "ValueSample",
    "from_json",
    "to_json",
]
