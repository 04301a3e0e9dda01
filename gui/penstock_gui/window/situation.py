"""What decides which actions can be done now, as one value taken from the session."""

from __future__ import annotations

from dataclasses import dataclass

from penstock_gui.session import Session


@dataclass(frozen=True)
class Situation:
    """``mode`` is `Session.mode`; the texts are what undo and redo would do.

    Each ``why_not_…`` is the reason why something can't be done now, "" when it can.
    """

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
    attached: bool = False
    why_not_steer: str = ""
    why_not_start: str = ""
    why_not_restart: str = "no job is shown"
    why_not_kill: str = "no engine is running"

    @classmethod
    def of(cls, session: Session) -> Situation:
        """The situation now."""
        chosen, undo, document = session.selection, session.undo, session.document
        engine = session.engine
        return cls(
            mode=session.mode,
            job_id=session.job_id,
            routines=len(document.ids()),
            selected=len(chosen.routines),
            selected_routine=chosen.routine,
            connection_selected=chosen.connection is not None,
            has_breakpoint=chosen.routine in session.breakpoints,
            changed=session.has_changes,
            has_file=document.path is not None,
            undo_text=undo.undoText() if undo.canUndo() else None,
            redo_text=undo.redoText() if undo.canRedo() else None,
            attached=engine.placement == "attached",
            why_not_steer=engine.why_not_steer,
            why_not_start=engine.why_not_start,
            why_not_restart=session.why_not_restart,
            why_not_kill=engine.why_not_kill,
        )
