"""The sheet of keys (F1), made from the table of actions, and what the canvas answers to."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel
from penstock_gui.window.actions import TABLE, ActionSpec

CANVAS = (
    ("Wheel", "Zoom to the cursor"),
    ("Middle drag, Space + drag", "Move the view"),
    ("Drag from port to port", "Connect"),
    ("Drag on empty ground", "Select routines"),
    ("Arrows, Tab", "Go to another routine"),
    ("Shift + arrows", "Move the selection"),
    ("Esc", "Give up a drag, select nothing"),
)
_COLUMNS = (("File", "Edit"), ("Run", "Help"), ("View",))


def key_rows(menu: str, table: tuple[ActionSpec, ...] = TABLE) -> Iterator[tuple[str, str]]:
    """Keys and words of a menu's actions that have keys."""
    for spec in table:
        if spec.menu == menu and spec.keys:
            keys = ", ".join(QKeySequence(key).toString() for key in spec.keys)
            words = "Run, or continue" if spec.id == "run.run" else spec.text.rstrip("…")
            yield keys, words + (" (canvas)" if spec.canvas else "")


class CheatSheet(QDialog):
    """All keys in three columns."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keys")
        self._theme = theme
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 20, 24, 24)
        row.setSpacing(32)
        for menus in _COLUMNS:
            column = QVBoxLayout()
            column.setSpacing(8)
            for menu in menus:
                self._add_section(column, menu, list(key_rows(menu)))
            if menus == _COLUMNS[-1]:
                self._add_section(column, "Canvas", list(CANVAS))
            column.addStretch(1)
            row.addLayout(column)

    def _add_section(self, column: QVBoxLayout, title: str, rows: list[tuple[str, str]]) -> None:
        theme = self._theme
        column.addWidget(
            PlainLabel(
                theme, title.upper(), color="text.3", font="caption.strong", selectable=False
            )
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        for line, (keys, words) in enumerate(rows):
            grid.addWidget(PlainLabel(theme, words, selectable=False), line, 0)
            grid.addWidget(
                PlainLabel(theme, keys, color="text.2", font="mono", selectable=False), line, 1
            )
        grid.setColumnStretch(0, 1)
        column.addLayout(grid)
        column.addSpacing(8)
