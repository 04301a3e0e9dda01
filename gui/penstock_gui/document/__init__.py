"""The edited flow and the commands that change it.

General layout:
    document    FlowDocument: a Flow with signals; nothing of it is imported or run
    commands    one QUndoCommand per kind of edit
    watch       has sources read again when they change on disk
"""

from penstock_gui.document.commands import (
    AddRoutine,
    ChangeConfig,
    ChangeTitle,
    Connect,
    Disconnect,
    MoveRoutines,
    RemoveItems,
    RenameRoutine,
)
from penstock_gui.document.document import UNSET, FlowDocument, Point
from penstock_gui.document.watch import SourceWatch

__all__ = [
    "UNSET",
    "AddRoutine",
    "ChangeConfig",
    "ChangeTitle",
    "Connect",
    "Disconnect",
    "FlowDocument",
    "MoveRoutines",
    "Point",
    "RemoveItems",
    "RenameRoutine",
    "SourceWatch",
]
