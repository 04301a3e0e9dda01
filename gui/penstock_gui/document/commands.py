"""Every edit of the flow as an undo command: own values, the document, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from PySide6.QtGui import QUndoCommand

from penstock.flow import Connection, RoutineSpec
from penstock_gui.document.document import UNSET, FlowDocument, Point


class _Merge(IntEnum):
    """Ids of the commands that merge with the one before them."""

    MOVE = 1


class _Edit(QUndoCommand):
    """An edit that undoes itself by putting back the whole flow as it was.

    For edits whose undo must bring back an order in the file, which single steps can't.
    """

    def __init__(
        self, document: FlowDocument, text: str, parent: QUndoCommand | None = None
    ) -> None:
        super().__init__(text, parent)
        self._document = document
        self._before = document.memento()

    def apply(self) -> None:
        raise NotImplementedError

    def redo(self) -> None:
        self._before = self._document.memento()
        self.apply()

    def undo(self) -> None:
        self._document.restore(self._before)


class AddRoutine(QUndoCommand):
    """Puts a routine of a type into the flow."""

    def __init__(
        self,
        document: FlowDocument,
        routine_id: str,
        spec: RoutineSpec,
        position: Point | None,
        parent: QUndoCommand | None = None,
    ) -> None:
        super().__init__(f"add {routine_id}", parent)
        self._document = document
        self._id = routine_id
        self._spec = spec
        self._position = position

    def redo(self) -> None:
        self._document.add_routine(self._id, self._spec, self._position)

    def undo(self) -> None:
        self._document.remove_routine(self._id)


class RemoveItems(_Edit):
    """Removes routines, all their connections, and further connections."""

    def __init__(
        self,
        document: FlowDocument,
        routines: Iterable[str],
        connections: Iterable[Connection] = (),
        parent: QUndoCommand | None = None,
    ) -> None:
        self._routines = tuple(routines)
        self._connections = tuple(connections)
        super().__init__(document, f"delete {self._what()}", parent)

    def apply(self) -> None:
        for connection in self._connections:
            self._document.disconnect_ports(connection)
        for routine_id in self._routines:
            self._document.remove_routine(routine_id)

    def _what(self) -> str:
        if len(self._routines) == 1:
            return self._routines[0]
        if self._routines:
            return f"{len(self._routines)} routines"
        return str(self._connections[0]) if len(self._connections) == 1 else "connections"


class Connect(QUndoCommand):
    """Connects an event to a slot."""

    def __init__(
        self, document: FlowDocument, connection: Connection, parent: QUndoCommand | None = None
    ) -> None:
        super().__init__(f"connect {connection}", parent)
        self._document = document
        self._connection = connection

    def redo(self) -> None:
        self._document.connect_ports(self._connection)

    def undo(self) -> None:
        self._document.disconnect_ports(self._connection)


class Disconnect(_Edit):
    """Takes one connection away."""

    def __init__(
        self, document: FlowDocument, connection: Connection, parent: QUndoCommand | None = None
    ) -> None:
        super().__init__(document, f"disconnect {connection}", parent)
        self._connection = connection

    def apply(self) -> None:
        self._document.disconnect_ports(self._connection)


class MoveRoutines(QUndoCommand):
    """Moves routines; moving the same ones again right after is the same edit."""

    def __init__(
        self,
        document: FlowDocument,
        to: Mapping[str, Point],
        parent: QUndoCommand | None = None,
        *,
        text: str = "move",
        merges: bool = True,
    ) -> None:
        super().__init__(text, parent)
        self._document = document
        self._to = dict(to)
        self._from = {routine_id: document.position(routine_id) for routine_id in to}
        self._merges = merges

    def redo(self) -> None:
        for routine_id, position in self._to.items():
            self._document.move(routine_id, position)

    def undo(self) -> None:
        for routine_id, position in self._from.items():
            self._document.move(routine_id, position)

    def id(self) -> int:
        return _Merge.MOVE if self._merges else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, MoveRoutines) or other._to.keys() != self._to.keys():
            return False
        self._to = dict(other._to)
        return True


class RenameRoutine(_Edit):
    """Gives a routine another id; its connections follow."""

    def __init__(
        self, document: FlowDocument, old: str, new: str, parent: QUndoCommand | None = None
    ) -> None:
        super().__init__(document, f"rename {old} to {new}", parent)
        self._old = old
        self._new = new

    def apply(self) -> None:
        self._document.rename_routine(self._old, self._new)

    def undo(self) -> None:
        self._document.rename_routine(self._new, self._old)
        self._document.restore(self._before)


class ChangeConfig(_Edit):
    """Gives a config field a value, or by `UNSET` its default back."""

    def __init__(
        self,
        document: FlowDocument,
        routine_id: str,
        field: str,
        value: Any,
        parent: QUndoCommand | None = None,
    ) -> None:
        what = "reset" if value is UNSET else "change"
        super().__init__(document, f"{what} {field} of {routine_id}", parent)
        self._id = routine_id
        self._field = field
        self._value = value

    def apply(self) -> None:
        self._document.set_config(self._id, self._field, self._value)


class ChangeTitle(QUndoCommand):
    """Gives a routine a title, or takes it away."""

    def __init__(
        self,
        document: FlowDocument,
        routine_id: str,
        title: str | None,
        parent: QUndoCommand | None = None,
    ) -> None:
        super().__init__(f"title of {routine_id}", parent)
        self._document = document
        self._id = routine_id
        self._title = title
        self._former = document.flow.titles.get(routine_id)

    def redo(self) -> None:
        self._document.set_title(self._id, self._title)

    def undo(self) -> None:
        self._document.set_title(self._id, self._former)
