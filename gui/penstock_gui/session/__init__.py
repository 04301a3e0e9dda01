"""What canvas, docks and window share.

General layout:
    client       the engine as the window sees it
    engine       EngineProcess: the process it runs in, and what became of it
    remote_flows RemoteFlows: what the jobs of a program run
    stopping     Stopping: jobs that were told to end and haven't
    selection    what is selected
    breakpoints  which routines have one
    shown        what states, a slot's room and its losses are called
    edits        Edits: what a person does to the flow
    session      Session: document, job shown, selection, breakpoints
"""

from penstock_gui.session.client import Client
from penstock_gui.session.engine import EngineProcess, Placement
from penstock_gui.session.selection import NOTHING, Selection
from penstock_gui.session.session import Session
from penstock_gui.session.shown import (
    LOSSES,
    STALLED,
    shown_job_status,
    shown_losses,
    shown_room,
    shown_status,
)
from penstock_gui.session.stopping import Stopping

__all__ = [
    "LOSSES",
    "NOTHING",
    "STALLED",
    "Client",
    "EngineProcess",
    "Placement",
    "Selection",
    "Session",
    "Stopping",
    "shown_job_status",
    "shown_losses",
    "shown_room",
    "shown_status",
]
