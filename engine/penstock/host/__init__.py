"""The engine behind a client of plain data: what a window talks to.

General layout, each using only those before it:
    crossing    what crosses: plain data, commands, bytes
    transport   authenticated connections
    engine      HostedEngine: a runtime that carries out commands
    serving     an engine for clients at the end of connections; programs that listen
    links       EngineClient, and the ways to an engine: here, a host of our own, a program
"""

from penstock.host.crossing.launch import (
    LaunchSettings,
    Loop,
    WhenWindowGoes,
    launch_file,
    load_launch,
    save_launch,
)
from penstock.host.crossing.protocol import (
    PLAIN_TYPES,
    Answer,
    BreakpointSpec,
    CommandRefused,
    ControlChanged,
    DisplayLost,
    EngineSnapshot,
    FlowPicture,
    Grant,
    HeldValue,
    HostGone,
    HostUp,
    JobSnapshot,
    PoolUse,
    Printed,
    Reply,
    RoutinePicture,
    RoutineValues,
    SourcesChanged,
    StallChoice,
    StartRefused,
    ThreadInfo,
    ThreadTable,
    Told,
    ValueItem,
    ValuePage,
    ValueSample,
)
from penstock.host.engine.hosted import HostedEngine
from penstock.host.links.attached import Attached
from penstock.host.links.client import EngineClient, Link
from penstock.host.links.interpreter import check_interpreter
from penstock.host.links.process import HostProcess
from penstock.host.links.wire import LOST
from penstock.host.serving.attaching import Host, Listening, attach, listen, listening

__all__ = [
    "LOST",
    "PLAIN_TYPES",
    "Answer",
    "Attached",
    "BreakpointSpec",
    "CommandRefused",
    "ControlChanged",
    "DisplayLost",
    "EngineClient",
    "EngineSnapshot",
    "FlowPicture",
    "Grant",
    "HeldValue",
    "Host",
    "HostGone",
    "HostProcess",
    "HostUp",
    "HostedEngine",
    "JobSnapshot",
    "LaunchSettings",
    "Link",
    "Listening",
    "Loop",
    "PoolUse",
    "Printed",
    "Reply",
    "RoutinePicture",
    "RoutineValues",
    "SourcesChanged",
    "StallChoice",
    "StartRefused",
    "ThreadInfo",
    "ThreadTable",
    "Told",
    "ValueItem",
    "ValuePage",
    "ValueSample",
    "WhenWindowGoes",
    "attach",
    "check_interpreter",
    "launch_file",
    "listen",
    "listening",
    "load_launch",
    "save_launch",
]
