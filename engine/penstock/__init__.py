"""Penstock: event-driven flows, run on one shared engine, and a debugger that loses nothing.

General layout, a line imports only lines below it:
    cli                     the command line
    host | testing          the engine behind a client of plain data: what a window talks to |
                            flows and routines run on a test's own thread
    debug                   steering a run: pause, step, breakpoints
    run                     threads, queues, states: pool, executor, manager, runtime, core
    flow | observe          what a flow is | what can be told about a run, and its fold
    errors | ids            every error | names of things

Start with `Routine`, `Flow` and `Runtime`; watch with an `Instrument`, steer with a `Debugger`.
"""

from penstock.debug import Debugger
from penstock.errors import (
    Cancelled,
    EmitOutsideActivation,
    FlowError,
    FlowFileError,
    InvalidValue,
    JobEnded,
    PenstockError,
    SlotFull,
    UnknownPort,
)
from penstock.flow import (
    Activation,
    AllSlots,
    AnySlot,
    Batch,
    Continue,
    Event,
    Every,
    Failure,
    Flow,
    Latest,
    Retry,
    Routine,
    Skip,
    Slot,
    Stop,
)
from penstock.observe import Instrument
from penstock.run import JobState, JobStatus, Runtime

__all__ = [
    "Activation",
    "AllSlots",
    "AnySlot",
    "Batch",
    "Cancelled",
    "Continue",
    "Debugger",
    "EmitOutsideActivation",
    "Event",
    "Every",
    "Failure",
    "Flow",
    "FlowError",
    "FlowFileError",
    "Instrument",
    "InvalidValue",
    "JobEnded",
    "JobState",
    "JobStatus",
    "Latest",
    "PenstockError",
    "Retry",
    "Routine",
    "Runtime",
    "Skip",
    "Slot",
    "SlotFull",
    "Stop",
    "UnknownPort",
]
