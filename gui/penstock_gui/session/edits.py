"""What a person does to the flow: every edit is one step that can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.flow import Connection, RoutineSpec
from penstock.ids import PortRef
from penstock_gui.document import (
    AddRoutine,
    ChangeConfig,
    ChangeTitle,
    Connect,
    MoveRoutines,
    Point,
    RemoveItems,
    RenameRoutine,
)

if TYPE_CHECKING:
    from penstock_gui.session.session import Session

_ROOM = (240.0, 140.0)


class Edits:
    """The edits of a session's flow; what can't be done is said in a notice of the session's.

    `view_centre` is set by whoever shows the flow: the middle of what is seen, in its coordinates.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._document = session.document
        self._undo = session.undo
        self.view_centre: Callable[[], Point] | None = None

    def add_routine(self, spec: RoutineSpec, position: Point | None = None) -> str | None:
        """Add a routine of a type and select it; returns the id it got, None if it can't be."""
        if not self._may_edit():
            return None
        routine_id = self._document.free_id(spec.type)
        self._undo.push(AddRoutine(self._document, routine_id, spec, position))
        self._session.select((routine_id,))
        return routine_id

    def free_place(self) -> Point | None:
        """Where another routine hides no other: near the middle of what is seen.

        None, which leaves it to the automatic layout, while nothing has a place.
        """
        taken = [p for p in map(self._document.position, self._document.ids()) if p is not None]
        if self.view_centre is not None:
            x, y = self.view_centre()
        elif taken:
            x, y = max(taken)
            x += _ROOM[0]
        else:
            return None
        while any(abs(x - a) < _ROOM[0] and abs(y - b) < _ROOM[1] for a, b in taken):
            y += _ROOM[1]
        return x, y

    def connect_ports(self, source: PortRef, target: PortRef) -> None:
        """Connect an event to a slot, or say in a notice why not."""
        if not self._may_edit():
            return
        reason = self._document.fits(source, target)
        if reason is not None:
            self._session.notice.emit(f"{source} -> {target}: {reason}")
            return
        self._undo.push(Connect(self._document, Connection(source, target)))

    def delete_selection(self) -> None:
        """Delete the selected routines or the selected connection."""
        routines = [r for r in self._document.ids() if r in self._session.selection.routines]
        connection = self._session.selection.connection
        if (routines or connection) and self._may_edit():
            self._undo.push(
                RemoveItems(self._document, routines, (connection,) if connection else ())
            )

    def rename(self, routine_id: str, new: str) -> bool:
        """Give a routine another id, or say in a notice why not; whether it has it now."""
        if new != routine_id and not self._may_edit():
            return False
        reason = self._document.why_not_rename(routine_id, new)
        if reason is not None:
            self._session.notice.emit(f"{routine_id} can't be called {new!r}: {reason}")
            return False
        if new != routine_id:
            self._undo.push(RenameRoutine(self._document, routine_id, new))
        return True

    def set_title(self, routine_id: str, title: str | None) -> None:
        """Give a routine a title, or none."""
        changes = (title or None) != self._document.flow.titles.get(routine_id)
        if changes and self._may_edit():
            self._undo.push(ChangeTitle(self._document, routine_id, title or None))

    def move(self, to: Mapping[str, Point]) -> None:
        """Move routines."""
        moved = {r: p for r, p in to.items() if self._document.position(r) != p}
        if moved:
            self._undo.push(MoveRoutines(self._document, moved))

    def auto_layout(self, positions: Mapping[str, Point]) -> None:
        """Put routines where the automatic layout wants them, as one edit."""
        moved = {r: p for r, p in positions.items() if self._document.position(r) != p}
        if moved:
            self._undo.push(MoveRoutines(self._document, moved, text="lay out", merges=False))

    def set_config(self, routine_id: str, field: str, value: Any) -> None:
        """Give a config field a value; `UNSET` gives it its default back."""
        if self._may_edit():
            self._undo.push(ChangeConfig(self._document, routine_id, field, value))

    def _may_edit(self) -> bool:
        """Whether the flow is the user's to change; says it in a notice if not."""
        if self._session.shows_program:
            name = self._session.engine.name or "the program"
            self._session.notice.emit(
                f"The flow is drawn as {name} runs it and can't be changed here."
            )
        return not self._session.shows_program
