"""The flow under edit, told as Qt signals. Its routines stay specs: nothing is imported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from penstock.flow import Connection, Flow, Problem, RoutineSpec, fits
from penstock.ids import PortRef, is_valid_id

Point = tuple[float, float]
UNTITLED = "untitled"


class _Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()
"""In place of a value: the file doesn't name it, so the default holds."""


@dataclass(frozen=True)
class Memento:
    """A flow as it was, and which reading of the routines' sources it holds."""

    flow: Flow
    readings: int


class FlowDocument(QObject):
    """Wraps a `Flow`. Reading is free; the mutators are for undo commands only.

    `flow` may be another object after any change: don't keep it.

    Signals:
        replaced(): another flow was opened or made; history and selection mean nothing now
        reset(): everything may differ, build views anew (also after `replaced`)
        routine_added(id), routine_removed(id), routine_renamed(old, new), routine_moved(id)
        routine_changed(id): its config or title
        connected(Connection), disconnected(Connection)
        name_changed(), path_changed(), saved()
        sources_changed(): the routines' sources were read again
        problems_changed(): once per turn of the event loop in which anything changed
    """

    replaced = Signal()
    reset = Signal()
    routine_added = Signal(str)
    routine_removed = Signal(str)
    routine_renamed = Signal(str, str)
    routine_moved = Signal(str)
    routine_changed = Signal(str)
    connected = Signal(object)
    disconnected = Signal(object)
    name_changed = Signal()
    path_changed = Signal()
    saved = Signal()
    sources_changed = Signal()
    problems_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._flow = _empty_flow()
        self._path: Path | None = None
        self._colors: dict[str, int] = {}
        self._readings = 0
        self._problems: list[Problem] | None = None
        self._problems_timer = QTimer(self, singleShot=True, interval=0)
        self._problems_timer.timeout.connect(self.problems_changed)

    # Reading.

    @property
    def flow(self) -> Flow:
        """The flow as it is now."""
        return self._flow

    @property
    def path(self) -> Path | None:
        """The file it was read from or last saved to."""
        return self._path

    @property
    def folder(self) -> Path:
        """What relative folders are relative to: the file's own, without a file the current."""
        return self._path.parent if self._path else Path.cwd()

    @property
    def code_folders(self) -> tuple[Path, ...]:
        """Where the flow's modules are looked for, resolved.

        A flow that has no file yet has only those it names by an absolute path.
        """
        named = [Path(folder) for folder in self._flow.folders]
        if self._path is None:
            named = [folder for folder in named if folder.is_absolute()]
        return tuple(dict.fromkeys((self.folder / folder).resolve() for folder in named))

    def ids(self) -> tuple[str, ...]:
        """All routines in the order of the file."""
        return tuple(self._flow.routines)

    def spec(self, routine_id: str) -> RoutineSpec:
        """What a routine looks like, as read from its source."""
        return self._flow.spec(routine_id)

    def title(self, routine_id: str) -> str:
        """What to call a routine: its title, or its id when it has none."""
        return self._flow.titles.get(routine_id) or routine_id

    def connections(self) -> tuple[Connection, ...]:
        """All connections in the order of the file."""
        return tuple(self._flow.connections)

    def incoming(self, routine_id: str) -> tuple[Connection, ...]:
        """The connections that end at a routine."""
        return tuple(c for c in self._flow.connections if c.target.routine == routine_id)

    def outgoing(self, routine_id: str) -> tuple[Connection, ...]:
        """The connections that begin at a routine."""
        return tuple(c for c in self._flow.connections if c.source.routine == routine_id)

    def position(self, routine_id: str) -> Point | None:
        """Where a routine was put; None leaves it to the automatic layout."""
        return self._flow.positions.get(routine_id)

    def color_index(self, routine_id: str) -> int:
        """The routine's number in order of first appearance; it stays when others go."""
        return self._colors.get(routine_id, 0)

    def problems(self) -> list[Problem]:
        """What is wrong with the flow, found without running any of it."""
        if self._problems is None:
            self._problems = self._flow.problems()
        return self._problems

    def fits(self, source: PortRef, target: PortRef) -> str | None:
        """None when an event may be connected to a slot, else the reason in words."""
        if source.routine not in self._flow.routines or target.routine not in self._flow.routines:
            return "no such routine"
        slot = self.spec(target.routine).slot(target.port)
        if slot is None:
            return f"{target.port} is no slot of {target.routine}"
        event = self.spec(source.routine).event(source.port)
        if event is None:
            return f"{source.port} is no event of {source.routine}"
        if any(c.source == source and c.target == target for c in self._flow.connections):
            return "connected already"
        return fits(event, slot)

    def free_id(self, type_name: str) -> str:
        """An id for another routine of a type: its class in small letters, numbered if taken."""
        base = type_name.rpartition(":")[2].rpartition(".")[2].lower()
        if not is_valid_id(base):
            base = "routine"
        number, free = 1, base
        while free in self._flow.routines:
            number += 1
            free = f"{base}_{number}"
        return free

    def why_not_rename(self, old: str, new: str) -> str | None:
        """None when a routine may be called `new`, else the reason in words."""
        if new == old:
            return None
        if not new:
            return "an id can't be empty"
        if not is_valid_id(new):
            return "letters, digits, _ and - only, and a letter or _ first"
        return f"{new} is taken" if new in self._flow.routines else None

    # Files.

    def new(self) -> None:
        """Begin an empty flow without a file."""
        self._replace(_empty_flow(), None)

    def show(self, flow: Flow) -> None:
        """Show a flow that comes from elsewhere and has no file here."""
        self._replace(flow, None)

    def load(self, path: Path) -> None:
        """Read a flow file; raises FlowFileError and then changes nothing."""
        self._replace(Flow.load(path), Path(path).resolve())

    def save(self, path: Path) -> None:
        """Write the file atomically; raises FlowFileError and then changes nothing.

        Folders named relative to the former file go on meaning the same places; a flow without
        a name gets the file's, and one that was called like its file is called like the new one.
        """
        path = Path(path).resolve()
        flow = self._flow.copy()
        if self._path is not None and path.parent != self._path.parent:
            flow.folders = [self._folder_seen_from(path.parent, f) for f in flow.folders]
        if flow.name in (UNTITLED, _name_of(self._path)):
            flow.name = _name_of(path)
        flow.save(path)
        flow.base = path.parent
        renamed, self._flow = flow.name != self._flow.name, flow
        if renamed:
            self.name_changed.emit()
        if path != self._path:
            self._path = path
            self.path_changed.emit()
            self.read_again()
        self.saved.emit()

    def read_again(self) -> None:
        """Read the routines' sources anew, because a file or the flow's place has changed."""
        self._readings += 1
        changed = self._flow.refresh()
        self._touch()
        if changed:
            self.reset.emit()
        self.sources_changed.emit()

    # Mutators, for undo commands.

    def memento(self) -> Memento:
        """Routines and connections as a value, for `restore`."""
        return Memento(self._flow.copy(), self._readings)

    def restore(self, memento: Memento) -> None:
        """Make routines and connections exactly what they were, and tell the differences.

        Where the file lies and how it names its folders is no edit and stays as it is.
        """
        before, now = self._flow, memento.flow.copy()
        now.name, now.folders = before.name, list(before.folders)
        now.base, now.place = before.base, before.place
        if memento.readings != self._readings:
            now.refresh()
        self._flow = now
        self._touch()
        were, are = set(before.connections), set(now.connections)
        for connection in before.connections:
            if connection not in are:
                self.disconnected.emit(connection)
        for routine_id in before.routines:
            if routine_id not in now.routines:
                self.routine_removed.emit(routine_id)
        for routine_id in now.routines:
            if routine_id not in before.routines:
                self._give_color(routine_id)
                self.routine_added.emit(routine_id)
                continue
            if before.positions.get(routine_id) != now.positions.get(routine_id):
                self.routine_moved.emit(routine_id)
            if _looks(before, routine_id) != _looks(now, routine_id):
                self.routine_changed.emit(routine_id)
        for connection in now.connections:
            if connection not in were:
                self.connected.emit(connection)

    def add_routine(self, routine_id: str, spec: RoutineSpec, position: Point | None) -> None:
        self._flow.add(routine_id, spec, position=position)
        self._give_color(routine_id)
        self._touch()
        self.routine_added.emit(routine_id)

    def remove_routine(self, routine_id: str) -> None:
        """Remove a routine and, before it, its connections."""
        for connection in self.incoming(routine_id) + self.outgoing(routine_id):
            if connection in self._flow.connections:
                self.disconnect_ports(connection)
        self._flow.remove(routine_id)
        self._touch()
        self.routine_removed.emit(routine_id)

    def rename_routine(self, old: str, new: str) -> None:
        self._flow.rename(old, new)
        self._colors[new] = self._colors.pop(old)
        self._touch()
        self.routine_renamed.emit(old, new)

    def connect_ports(self, connection: Connection) -> None:
        self._flow.connect(str(connection.source), str(connection.target))
        self._touch()
        self.connected.emit(connection)

    def disconnect_ports(self, connection: Connection) -> None:
        self._flow.disconnect(str(connection.source), str(connection.target))
        self._touch()
        self.disconnected.emit(connection)

    def move(self, routine_id: str, position: Point | None) -> None:
        """Put a routine somewhere; None gives it back to the automatic layout."""
        if position is None:
            self._flow.positions.pop(routine_id, None)
        else:
            self._flow.positions[routine_id] = position
        self.routine_moved.emit(routine_id)

    def set_title(self, routine_id: str, title: str | None) -> None:
        if title:
            self._flow.titles[routine_id] = title
        else:
            self._flow.titles.pop(routine_id, None)
        self.routine_changed.emit(routine_id)

    def set_config(self, routine_id: str, field: str, value: Any) -> None:
        """Give a config field a value, or its default back by `UNSET`."""
        config = dict(self.spec(routine_id).config)
        if value is UNSET:
            config.pop(field, None)
        else:
            config[field] = value
        self._flow.configure(routine_id, config)
        self._touch()
        self.routine_changed.emit(routine_id)

    # Helpers.

    def _replace(self, flow: Flow, path: Path | None) -> None:
        self._flow, self._path = flow, path
        self._colors = {routine_id: number for number, routine_id in enumerate(flow.routines)}
        self._touch()
        self.replaced.emit()
        self.path_changed.emit()
        self.name_changed.emit()
        self.reset.emit()

    def _folder_seen_from(self, new_home: Path, folder: str) -> str:
        """A folder entry for a file in another place; relative only to what lies below it."""
        if Path(folder).is_absolute():
            return folder
        target = (self.folder / folder).resolve()
        if target == new_home or new_home in target.parents:
            return Path(os.path.relpath(target, new_home)).as_posix()
        return target.as_posix()

    def _give_color(self, routine_id: str) -> None:
        if routine_id not in self._colors:
            self._colors[routine_id] = len(self._colors)

    def _touch(self) -> None:
        self._problems = None
        self._problems_timer.start()


def _name_of(path: Path | None) -> str:
    """What a flow is called after its file."""
    return path.name.removesuffix(".json").removesuffix(".flow") if path is not None else ""


def _empty_flow() -> Flow:
    flow = Flow(UNTITLED)
    flow.folders[:] = ["."]
    return flow


def _looks(flow: Flow, routine_id: str) -> tuple[RoutineSpec, str | None]:
    return flow.spec(routine_id), flow.titles.get(routine_id)
