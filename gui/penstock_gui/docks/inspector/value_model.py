"""The inside of one value as a tree, filled page by page as it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from penstock.host import ValuePage
from penstock_gui.docks.inspector.facts import NOT_KEPT
from penstock_gui.docks.inspector.pages import READING, Row, how_many, rows
from penstock_gui.widgets import plain_tip

ROW_ROLE = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex
Ask = Callable[[tuple[int, ...], int, int], ValuePage | None]
"""Asks for a page by path, offset and how much; gives one at once where nobody will answer."""
_NOWHERE = QModelIndex()


@dataclass(eq=False)
class _Node:
    number: int
    row: Row
    parent: _Node | None
    place: int
    path: tuple[int, ...]
    children: list[_Node] = field(default_factory=list)
    asked: bool = False
    kind: str = ""


class ValueModel(QAbstractItemModel):
    """Rows of pages. `open` and `more` ask for one, `take` puts in what came, on the GUI thread.

    While a page is under way its place says so. Rows are only ever added at the end of their
    parent, where a note or the offer of more makes way for them.
    """

    def __init__(self, type_name: str, ask: Ask, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ask = ask
        self._numbers = count(1)
        self._nodes: dict[int, _Node] = {}
        self._waiting: dict[tuple[tuple[int, ...], int], _Node] = {}
        self._root = _Node(0, Row("child", "", opens=True, type=type_name), None, 0, ())
        self.first: ValuePage | None = None

    def open(self, index: Index = _NOWHERE) -> None:
        """Ask for what is inside, the first time."""
        node = self._node(index)
        if node.row.opens and not node.asked:
            node.asked = True
            self._ask_for(node, 0)

    def more(self, index: Index) -> None:
        """Ask for the page that a row offers."""
        node = self._node(index)
        if node.row.kind == "more" and node.parent is not None:
            self._ask_for(node.parent, node.row.at)

    def take(self, page: ValuePage) -> None:
        """Put in a page that was asked for."""
        node = self._waiting.pop((page.path, page.offset), None)
        if node is None:
            return
        if node is self._root and self.first is None:
            self.first = page
        node.kind = page.kind
        self._drop_last(node)
        self._append(node, rows(page))

    def lose(self) -> None:
        """What is under way won't come any more."""
        waiting, self._waiting = self._waiting, {}
        for node in waiting.values():
            self._drop_last(node)
            self._append(node, (Row("note", NOT_KEPT, color="text.3"),))

    def row_of(self, index: Index) -> Row:
        """What a row says."""
        return self._node(index).row

    def _ask_for(self, node: _Node, offset: int) -> None:
        self._drop_last(node)
        self._append(node, (READING,))
        self._waiting[node.path, offset] = node
        page = self._ask(node.path, offset, how_many(node.row.type, node.kind))
        if page is not None and not page.kept:
            self.take(page)

    def _drop_last(self, node: _Node) -> None:
        """Take away what only stands for what comes: a note that it is read, or an offer."""
        if not node.children:
            return
        last = node.children[-1]
        if last.row is READING or last.row.kind == "more":
            self.beginRemoveRows(self._index(node), last.place, last.place)
            node.children.pop()
            del self._nodes[last.number]
            self.endRemoveRows()

    def _append(self, node: _Node, found: tuple[Row, ...]) -> None:
        if not found:
            return
        begin = len(node.children)
        self.beginInsertRows(self._index(node), begin, begin + len(found) - 1)
        for place, row in enumerate(found, begin):
            path = (*node.path, row.at) if row.opens else ()
            child = _Node(next(self._numbers), row, node, place, path)
            self._nodes[child.number] = child
            node.children.append(child)
        self.endInsertRows()

    def _node(self, index: Index) -> _Node:
        return self._nodes.get(index.internalId(), self._root) if index.isValid() else self._root

    def _index(self, node: _Node) -> QModelIndex:
        if node is self._root:
            return QModelIndex()
        return self.createIndex(node.place, 0, node.number)

    # What a view asks.

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        children = self._node(parent).children
        if column != 0 or not 0 <= row < len(children):
            return QModelIndex()
        return self._index(children[row])

    def parent(self, child: Index = _NOWHERE) -> QModelIndex:  # type: ignore[override]
        parent = self._node(child).parent
        return QModelIndex() if parent is None else self._index(parent)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return len(self._node(parent).children)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 1

    def hasChildren(self, parent: Index = _NOWHERE) -> bool:
        return self._node(parent).row.opens

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._node(index).row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.label}: {row.text}" if row.label else row.text
        if role == Qt.ItemDataRole.ToolTipRole and row.tip:
            return plain_tip(f"{row.tip}\n{row.text}")
        return row if role == ROW_ROLE else None
