"""The table of printed lines: the text has all the room there is, or as much as it needs."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QFontMetricsF, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView

from penstock_gui.docks.output.model import FROM, STREAM, TEXT, OutputModel
from penstock_gui.theme import Theme
from penstock_gui.widgets import RowTable

_WIDTHS = {FROM: 112, STREAM: 34}
_AROUND = 20


class OutputTable(RowTable):
    """Several rows can be chosen; a line too long for the room is read by scrolling sideways.

    Signals:
        copy_wanted(): Ctrl+C, or Copy of the context menu
    """

    copy_wanted = Signal()

    def __init__(self, theme: Theme, model: OutputModel) -> None:
        super().__init__(theme)
        self._lines = model
        self._mono = QFontMetricsF(theme.font("mono")).horizontalAdvance("0")
        self.setModel(model)
        self.setAccessibleName("Output")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        header = self.horizontalHeader()
        for column, width in _WIDTHS.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        self._add_copy()
        self.fit()

    def fit(self) -> None:
        """Give the text its room; after the model or the size of the table has changed."""
        needed = round(self._lines.widest * self._mono) + _AROUND
        room = self.viewport().width() - sum(_WIDTHS.values())
        self.horizontalHeader().resizeSection(TEXT, max(room, needed))

    def _add_copy(self) -> None:
        copy = QAction("Copy", self)
        copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self.copy_wanted)
        self.addAction(copy)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
