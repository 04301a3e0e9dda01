"""What decides which actions can be done now, as one value taken from the session."""

from __future__ import annotations

from dataclasses import dataclass

from penstock_gui.session import Session


@dataclass(frozen=True)
class Situation:
    """``mode`` is `Session.mode`; the texts are what undo and redo would do."""

    mode: str = "idle"
    job_id: str | None = None
    routines: int = 0
    selected: int = 0
    selected_routine: str | None = None
    connection_selected: bool = False
    has_breakpoint: bool = False
    changed: bool = False
    has_file: bool = False
    undo_text: str | None = None
    redo_text: str | None = None

    @classmethod
    def of(cls, session: Session) -> Situation:
        """The situation now."""
        chosen, undo, document = session.selection, session.undo, session.document
        return cls(
            mode=session.mode,
            job_id=session.job_id,
            routines=len(document.ids()),
            selected=len(chosen.routines),
            selected_routine=chosen.routine,
            connection_selected=chosen.connection is not None,
            has_breakpoint=chosen.routine in session.breakpoints,
            changed=not undo.isClean(),
            has_file=document.path is not None,
            undo_text=undo.undoText() if undo.canUndo() else None,
            redo_text=undo.redoText() if undo.canRedo() else None,
        )
