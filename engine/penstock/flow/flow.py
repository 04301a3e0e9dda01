"""A flow: routines by id and the connections between them. A definition only, nothing runs here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.errors import FlowError, UnknownPort
from penstock.flow import schema
from penstock.flow.catalog import describe
from penstock.flow.connection import Connection, port_ref
from penstock.flow.document import Original, document_of, mark_of, text_of
from penstock.flow.files import read_text, shown, write_text
from penstock.flow.jsontext import MAX_BYTES
from penstock.flow.live import spec_of
from penstock.flow.problems import Problem, find_problems
from penstock.flow.routine import Routine, seal
from penstock.flow.rules import check_settings
from penstock.flow.shape import shape_of
from penstock.flow.spec import RoutineSpec
from penstock.ids import PortRef, is_valid_id

if TYPE_CHECKING:
    import networkx

V = TypeVar("V")


class Flow:
    """Routines joined by connections.

    Built in Python it holds `Routine` objects; loaded from a file it holds a `RoutineSpec` for
    each, read from the source without importing anything. Not thread-safe: one thread edits it. A
    job runs a `copy` taken when it was started.

    ``folders`` say where modules are looked up, relative to ``base``. ``positions`` and ``titles``
    are by routine id, absent where there is none. ``place`` names the flow in messages.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise FlowError(f"a flow's name is text, got {type(name).__name__}")
        self.name = name
        self.folders: list[str] = []
        self.positions: dict[str, tuple[float, float]] = {}
        self.titles: dict[str, str] = {}
        self.extra: dict[str, Any] = {}
        self.base: Path | None = None
        self.place = "flow"
        self._routines: dict[str, Routine | RoutineSpec] = {}
        self._connections: dict[Connection, int] = {}
        self._original: Original | None = None

    # --- looking ---

    @property
    def routines(self) -> Mapping[str, Routine | RoutineSpec]:
        """By id, in the order they were added; a live view."""
        return MappingProxyType(self._routines)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """In the order they were made."""
        return tuple(self._connections)

    @property
    def counted(self) -> Mapping[Connection, int]:
        """How often each connection is there: once, except for a mistake in a loaded file."""
        return MappingProxyType(self._connections)

    @property
    def repeated(self) -> tuple[Connection, ...]:
        """Connections that a file holds more than once."""
        return tuple(connection for connection, times in self._connections.items() if times > 1)

    def spec(self, routine_id: str) -> RoutineSpec:
        """What a routine looks like, loaded or live; raises FlowError for an unknown id."""
        routine = self._known(routine_id)
        spec = routine if isinstance(routine, RoutineSpec) else spec_of(routine)
        return replace(spec, title=self.titles.get(routine_id))

    def problems(self) -> list[Problem]:
        """What is wrong or unfinished. Runs nothing."""
        return find_problems({name: self.spec(name) for name in self._routines}, self._connections)

    def graph(self) -> networkx.MultiDiGraph[str]:
        """Routines as nodes; one edge per connection, with ``event`` and ``slot``."""
        import networkx  # 150 ms that most callers never need

        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=self.name)
        graph.add_nodes_from(self._routines)
        for connection in self._connections:
            source, target = connection.source, connection.target
            graph.add_edge(
                source.routine,
                target.routine,
                key=str(connection),
                event=source.port,
                slot=target.port,
            )
        return graph

    def copy(self) -> Flow:
        """The flow as it is now: later edits of either don't touch the other."""
        twin = Flow(self.name)
        twin.folders = list(self.folders)
        twin.positions = dict(self.positions)
        twin.titles = dict(self.titles)
        twin.extra = dict(self.extra)
        twin.base = self.base
        twin.place = self.place
        twin._routines = dict(self._routines)
        twin._connections = dict(self._connections)
        twin._original = self._original
        return twin

    # --- editing ---

    def add(
        self,
        routine_id: str,
        routine: Routine | RoutineSpec,
        *,
        title: str | None = None,
        position: tuple[float, float] | None = None,
        index: int | None = None,
    ) -> None:
        """Add a routine under a new id, at the end or at that place in the order.

        Raises FlowError when the id is malformed or taken or the class's ``logic`` doesn't fit its
        slots. A live routine can't be changed afterwards.
        """
        self._check_new_id(routine_id)
        _check_routine(routine_id, routine)
        self._routines = _inserted(self._routines, routine_id, routine, index)
        if title is not None:
            self.titles[routine_id] = title
        if position is not None:
            self.positions[routine_id] = (position[0], position[1])

    def replace(self, routine_id: str, routine: Routine | RoutineSpec) -> None:
        """Put another routine at this id's place; connections stay as they are."""
        self._known(routine_id)
        _check_routine(routine_id, routine)
        self._routines[routine_id] = routine

    def configure(self, routine_id: str, config: Mapping[str, Any]) -> None:
        """Give a routine another config: JSON values for a loaded one, Python values else."""
        routine = self._known(routine_id)
        if isinstance(routine, RoutineSpec):
            self.replace(routine_id, routine.with_config(dict(config)))
        else:
            self.replace(routine_id, type(routine)(**config))

    def remove(self, routine_id: str) -> None:
        """Remove a routine and all its connections."""
        self._known(routine_id)
        del self._routines[routine_id]
        for by_id in (self.positions, self.titles):
            by_id.pop(routine_id, None)
        for connection in self.connections:
            if connection.touches(routine_id):
                del self._connections[connection]

    def rename(self, old: str, new: str) -> None:
        """Give a routine another id; its place in the order and its connections stay."""
        self._known(old)
        if old == new:
            return
        self._check_new_id(new)
        self._routines = _renamed(self._routines, old, new)
        self.positions = _renamed(self.positions, old, new)
        self.titles = _renamed(self.titles, old, new)
        self._connections = {
            Connection(_moved(c.source, old, new), _moved(c.target, old, new)): times
            for c, times in self._connections.items()
        }

    def connect(
        self, source: str | PortRef, target: str | PortRef, *, index: int | None = None
    ) -> Connection:
        """Connect ``a.event`` to ``b.slot``, at the end or at that place in the order.

        Raises UnknownPort when either doesn't exist, FlowError when they are connected already.
        Whether the types fit is told by `problems`.
        """
        connection = _connection(source, target)
        self.check_connection(connection)
        if connection in self._connections:
            raise FlowError(f"{connection} is connected already", routine=connection.source.routine)
        self._connections = _inserted(self._connections, connection, 1, index)
        return connection

    def disconnect(self, source: str | PortRef, target: str | PortRef) -> None:
        """Take a connection away; raises FlowError when there is none."""
        connection = _connection(source, target)
        if self._connections.pop(connection, None) is None:
            raise FlowError(f"there is no connection {connection}")

    # --- files ---

    def to_json(self) -> str:
        """The text of the flow's file; the very text it was loaded from, if nothing was changed.

        Raises FlowFileError when a live routine's class or config can't be written.
        """
        return text_of(self, self._original)

    @classmethod
    def from_json(
        cls, text: str, *, folder: str | os.PathLike[str] | None = None, place: str = "flow"
    ) -> Flow:
        """The flow a text describes. Imports nothing; raises FlowFileError naming `place`.

        Its ``folders`` are relative to `folder`. Types are looked up by reading their source; one
        that isn't found is a problem, not an error here.
        """
        entry, connections, raw = schema.read(text, place)
        flow = cls(entry.name)
        flow.place = place
        flow.base = None if folder is None else Path(os.path.abspath(folder))
        flow.folders = list(entry.folders)
        flow.extra = dict(entry.model_extra or {})
        specs = {
            name: describe(name, flow.folders, flow.base)
            for name in {item.type: None for item in entry.routines.values()}
        }
        for routine_id, item in entry.routines.items():
            spec = specs[item.type]
            flow._routines[routine_id] = replace(
                spec, config=item.config, extra=dict(item.model_extra or {})
            )
            if item.title is not None:
                flow.titles[routine_id] = item.title
            if item.position is not None:
                flow.positions[routine_id] = (item.position[0], item.position[1])
        flow._connections = dict(Counter(connections))
        keys = {routine_id: tuple(item) for routine_id, item in raw["routines"].items()}
        original = Original(text, tuple(raw), keys)
        flow._original = replace(original, mark=mark_of(document_of(flow, original)))
        return flow

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Flow:
        """Read a ``*.flow.json``. Imports nothing; raises FlowFileError in one line."""
        file = Path(path)
        text = read_text(file, MAX_BYTES)
        return cls.from_json(text, folder=file.absolute().parent, place=shown(file))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file in one step; raises FlowFileError and leaves what was there."""
        file = Path(path)
        write_text(file, self.to_json())
        self.place = shown(file)
        if self.base is None:
            self.base = file.absolute().parent

    def rebase(self, folder: str | os.PathLike[str]) -> None:
        """Keep relative ``folders`` where they are when the file moves to another folder."""
        target = Path(os.path.abspath(folder))
        if self.base is not None and self.base != target:
            self.folders = [
                name
                if Path(name).is_absolute()
                else Path(os.path.relpath(self.base / name, target)).as_posix()
                for name in self.folders
            ]
        self.base = target

    def refresh(self) -> frozenset[str]:
        """Read the loaded routines' sources again; the ids of those that look different now."""
        changed = set()
        for routine_id, old in self._routines.items():
            if isinstance(old, RoutineSpec):
                new = describe(old.type, self.folders, self.base)
                new = replace(new, config=old.config, extra=old.extra, title=old.title)
                if new != old:
                    self._routines[routine_id] = new
                    changed.add(routine_id)
        return frozenset(changed)

    # --- checks ---

    def check_connection(self, connection: Connection) -> None:
        """Raises UnknownPort unless both ends exist."""
        self._check_event(connection.source)
        self._check_slot(connection.target)

    def _known(self, routine_id: str) -> Routine | RoutineSpec:
        routine = self._routines.get(routine_id)
        if routine is None:
            raise FlowError(f"the flow has no routine {routine_id!r}", routine=routine_id)
        return routine

    def _check_new_id(self, routine_id: object) -> None:
        if not isinstance(routine_id, str) or not is_valid_id(routine_id):
            raise FlowError(
                f"{routine_id!r} is no routine id: expected a letter or _,"
                " then letters, digits, _ or -"
            )
        if routine_id in self._routines:
            raise FlowError(f"the flow has a routine {routine_id!r} already", routine=routine_id)

    def _check_event(self, port: PortRef) -> None:
        events = _event_names(self._routine_at(port))
        if events is not None and port.port not in events:
            raise _no_port(port, "event", events)

    def _check_slot(self, port: PortRef) -> None:
        slots = _slot_names(self._routine_at(port))
        if slots is not None and port.port not in slots:
            raise _no_port(port, "slot", slots)

    def _routine_at(self, port: PortRef) -> Routine | RoutineSpec:
        routine = self._routines.get(port.routine)
        if routine is None:
            raise UnknownPort(
                f"{port}: the flow has no routine {port.routine!r}",
                routine=port.routine,
                port=port.port,
            )
        return routine


def _check_routine(routine_id: str, routine: object) -> None:
    if isinstance(routine, RoutineSpec):
        return
    if isinstance(routine, type) and issubclass(routine, Routine):
        raise FlowError(
            f"{routine_id}: expected an instance: {routine.__name__}()", routine=routine_id
        )
    if not isinstance(routine, Routine):
        raise FlowError(
            f"{routine_id}: expected a Routine, got {type(routine).__name__}", routine=routine_id
        )
    if "config" not in routine.__dict__:
        raise FlowError(
            f"{routine_id}: {type(routine).__name__}.__init__ doesn't call super().__init__()",
            routine=routine_id,
        )
    try:
        shape_of(type(routine))
        check_settings(routine)
    except FlowError as error:
        raise FlowError(f"{routine_id}: {error}", routine=routine_id, port=error.port) from None
    seal(routine)


def _event_names(routine: Routine | RoutineSpec) -> list[str] | None:
    """None where nobody can say: the type isn't found or not read completely."""
    if isinstance(routine, Routine):
        return [*shape_of(type(routine)).events, "failed"]
    if routine.error is not None or not routine.complete:
        return None
    return [*(event.name for event in routine.events), "failed"]


def _slot_names(routine: Routine | RoutineSpec) -> list[str] | None:
    if isinstance(routine, Routine):
        return list(shape_of(type(routine)).slots)
    if routine.error is not None or not routine.complete:
        return None
    return [slot.name for slot in routine.slots]


def _no_port(port: PortRef, kind: str, names: Sequence[str]) -> UnknownPort:
    has = f"it has {', '.join(names)}" if names else "it has none"
    return UnknownPort(
        f"{port}: {port.routine} has no {kind} {port.port!r}; {has}",
        routine=port.routine,
        port=port.port,
    )


def _connection(source: str | PortRef, target: str | PortRef) -> Connection:
    return Connection(port_ref(source), port_ref(target))


def _moved(port: PortRef, old: str, new: str) -> PortRef:
    return PortRef(new, port.port) if port.routine == old else port


K = TypeVar("K")


def _renamed(by_id: dict[str, V], old: str, new: str) -> dict[str, V]:
    return {new if key == old else key: value for key, value in by_id.items()}


def _inserted(items: dict[K, V], key: K, value: V, index: int | None) -> dict[K, V]:
    """With the new item at that place; in place when it goes to the end."""
    if index is None or index >= len(items):
        items[key] = value
        return items
    pairs = list(items.items())
    pairs.insert(index, (key, value))
    return dict(pairs)
