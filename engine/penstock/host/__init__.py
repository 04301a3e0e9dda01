"""The engine behind a client of plain data: what a window talks to.

General layout:
    protocol    what crosses besides events
    commands    every command of a client
    codec       all that crosses as bytes
    monitor     the instrument that keeps events until they are fetched
    threads     every live thread
    values      what is inside values, by reference and page
    picture     the flow of a job, for whoever hasn't its file
    sources     which source files were imported, and which have changed
    output      what is printed, by job and routine
    launch      what a flow's host is started with
    boot        brings the engine into another Python
    interpreter which Pythons can run the engine, and how a host is started
    engine      a runtime that carries out commands: what a host is made of
    client      EngineClient, over a link to an engine
    wire        the client's end of a connection to a host
    server      the host's end: clients of an engine, what they may do
    outbox      what waits to be told to a client, and what late ones must hear
    attaching   programs that a window can attach to
    staying     what a host does once its window is gone
    transport   authenticated connections; handshake, sockets: what they are made of
    process     the link to a host of our own, from its start to its end
"""

from penstock.host.attached import Attached
from penstock.host.attaching import Host, Listening, attach, listen, listening
from penstock.host.client import EngineClient, Link
from penstock.host.engine import HostedEngine
from penstock.host.interpreter import check_interpreter
from penstock.host.launch import (
    LaunchSettings,
    Loop,
    WhenWindowGoes,
    launch_file,
    load_launch,
    save_launch,
)
from penstock.host.process import HostProcess
from penstock.host.protocol import (
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
from penstock.host.wire import LOST

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
