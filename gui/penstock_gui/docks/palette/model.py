"""The routine types of the flow's folders as rows: a heading per module, then its types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

from penstock.flow import RoutineSpec
from penstock_gui.widgets.wording import one_line

MIME_TYPE = "application/x-penstock-routine"

_FIRST = Qt.ItemDataRole.UserRole
ROW_ROLE = _FIRST + 1

_NO_INDEX = QModelIndex()
_MAX_LINE = 200


@dataclass(frozen=True)
class Heading:
    """A module and how many of its types are shown."""

    module: str
    shown: int
    total: int
    is_open: bool = True

    @property
    def count(self) -> str:
        """As the heading says it."""
        return str(self.total) if self.shown == self.total else f"{self.shown} of {self.total}"


@dataclass(frozen=True)
class Entry:
    """A routine type: name, ports and first line of its docstring, its colour in the flow.

    ``match`` is where the filter's text begins in the name, -1 when it isn't in it.
    """

    spec: RoutineSpec
    color: int | None = None
    match: int = -1
    matched: int = 0

    @property
    def name(self) -> str:
        """The class's name."""
        return self.spec.class_name

    @property
    def line(self) -> str:
        """``slots → events · what it does``; why it can't be used when it can't."""
        if self.spec.error:
            return _first_line(self.spec.error)
        slots = ", ".join(slot.name for slot in self.spec.slots)
        events = ", ".join(event.name for event in self.spec.events)
        ports = f"{slots} → {events}" if slots and events else slots or f"→ {events}"
        if not slots and not events:
            ports = "no ports"
        doc = _first_line(self.spec.doc)
        return f"{ports} · {doc}" if doc else ports


Row = Heading | Entry


def _first_line(text: str) -> str:
    return one_line(text.strip().partition("\n")[0].strip(), _MAX_LINE)


def build_rows(
    specs: Iterable[RoutineSpec],
    colors: Mapping[str, int],
    text: str = "",
    closed: frozenset[str] = frozenset(),
) -> list[Row]:
    """The rows for a filter text; a closed module keeps its heading unless there is a filter."""
    rows: list[Row] = []
    wanted = text.strip().casefold()
    by_module = sorted(specs, key=lambda spec: (_module(spec), spec.class_name.casefold()))
    for module, group in groupby(by_module, key=_module):
        types = list(group)
        entries = [_entry(spec, colors, wanted) for spec in types if _is_wanted(spec, wanted)]
        if wanted:
            entries.sort(key=lambda entry: (entry.match < 0, entry.match))
        if not entries:
            continue
        is_open = bool(wanted) or module not in closed
        rows.append(Heading(module, len(entries), len(types), is_open))
        if is_open:
            rows.extend(entries)
    return rows


def _module(spec: RoutineSpec) -> str:
    return spec.type.rpartition(":")[0]


def _is_wanted(spec: RoutineSpec, wanted: str) -> bool:
    return not wanted or wanted in spec.class_name.casefold() or wanted in spec.doc.casefold()


def _entry(spec: RoutineSpec, colors: Mapping[str, int], wanted: str) -> Entry:
    match = spec.class_name.casefold().find(wanted) if wanted else -1
    return Entry(spec, colors.get(spec.type), match, len(wanted))


class PaletteModel(QAbstractListModel):
    """Rows of `build_rows`; drags an entry as its type name."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._specs: tuple[RoutineSpec, ...] = ()
        self._colors: dict[str, int] = {}
        self._text = ""
        self._closed: frozenset[str] = frozenset()
        self._rows: list[Row] = []

    @property
    def specs(self) -> tuple[RoutineSpec, ...]:
        """All types, whatever the filter."""
        return self._specs

    @property
    def rows(self) -> Sequence[Row]:
        """What is shown."""
        return self._rows

    def show_specs(self, specs: Iterable[RoutineSpec]) -> None:
        """Show other types."""
        self._specs = tuple(specs)
        self._rebuild()

    def show_colors(self, colors: Mapping[str, int]) -> None:
        """Colours of the types the flow uses, by type name."""
        if colors != self._colors:
            self._colors = dict(colors)
            self._rebuild()

    def filter(self, text: str) -> None:
        """Show the types whose name or docstring has a text in it."""
        if text != self._text:
            self._text = text
            self._rebuild()

    def toggle(self, module: str) -> None:
        """Open or close a module."""
        self._closed ^= {module}
        self._rebuild()

    def row(self, index: QModelIndex | QPersistentModelIndex) -> Row | None:
        """What stands at an index."""
        return self._rows[index.row()] if index.isValid() else None

    def _rebuild(self) -> None:
        self.beginResetModel()
        self._rows = build_rows(self._specs, self._colors, self._text, self._closed)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        row = self.row(index)
        if row is None:
            return None
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.module if isinstance(row, Heading) else row.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.module}, {row.count}" if isinstance(row, Heading) else _spoken(row)
        return None

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        row = self.row(index)
        if row is None:
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if isinstance(row, Entry) and row.spec.error is None:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def mimeTypes(self) -> list[str]:
        return [MIME_TYPE]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        entry = next((row for row in map(self.row, indexes) if isinstance(row, Entry)), None)
        if entry is not None:
            data.setData(MIME_TYPE, QByteArray(entry.spec.type.encode()))
            data.setText(entry.spec.type)
        return data

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction


def _spoken(entry: Entry) -> str:
    return f"{entry.name}, {entry.line}"
