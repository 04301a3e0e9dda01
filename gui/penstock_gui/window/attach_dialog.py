"""The programs on this machine that can be attached to, and how one becomes such."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from PySide6.QtCore import QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from penstock.host import Grant
from penstock_gui.theme import Theme
from penstock_gui.widgets import Cell, CellModel, FlatButton, PlainLabel, RowTable, safe_tip
from penstock_gui.widgets.wording import clock, duration, one_line

REFRESH_MS = 1_000
SIZE = QSize(560, 380)
CODE = "import penstock.host\npenstock.host.listen(runtime)"
VARIABLE = "PENSTOCK_LISTEN=1"
HEADERS = ("Program", "Process", "Listens for", "Lets you")
NAME, PROCESS, SINCE, GRANT = range(4)
_WIDTHS = (None, 84, 100, 110)
_GRANTS: dict[Grant, tuple[str, str]] = {
    "view": ("watch", "Look at jobs and threads; nothing can be changed"),
    "control": ("steer", "Watch, and pause, step and stop its jobs"),
    "evaluate": ("steer, start", "Watch, steer, and start flows in it, which imports their code"),
}
Leaving = Literal["resume", "hold"]
"""What becomes of held jobs when the window that steers goes."""
_LEAVINGS: tuple[tuple[Leaving, str], ...] = (
    ("resume", "go on"),
    ("hold", "stay held until somebody attaches again"),
)


class Listens(Protocol):
    """A program that can be attached to; ``since`` is the time of day it began to listen."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def since(self) -> float: ...
    @property
    def grant(self) -> Grant: ...


@dataclass(frozen=True)
class Attaching:
    """What attaching takes: ``listening`` lists programs, ``attach`` opens a window on one.

    Both return at once. ``attach`` raises PenstockError when the program isn't reached.
    """

    listening: Callable[[], Sequence[Listens]]
    attach: Callable[[Listens, Leaving], object]


class ListenersModel(CellModel):
    """A row per program, the one that began last on top."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(HEADERS, (PROCESS, SINCE), parent)
        self._rows: list[Listens] = []
        self._now = 0.0

    def update(self, found: Sequence[Listens], now: float) -> None:
        """Show these programs; rows of those that were there stay chosen."""
        self._now = now
        rows = sorted(found, key=lambda one: (-one.since, one.pid))
        if [_key(one) for one in rows] == [_key(one) for one in self._rows]:
            self._rows = rows
            last = self.rowCount() - 1
            if last >= 0:
                self.dataChanged.emit(self.index(0, SINCE), self.index(last, GRANT))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def listener(self, row: int) -> Listens | None:
        """The program of a row, None beyond the table."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, listener: Listens | None) -> int:
        """Where a program is now, -1 when it is gone."""
        key = _key(listener) if listener is not None else None
        return next((row for row, one in enumerate(self._rows) if _key(one) == key), -1)

    def count(self) -> int:
        return len(self._rows)

    def cell(self, row: int, column: int) -> Cell:
        one = self._rows[row]
        if column == NAME:
            return Cell(one_line(one.name, 200), font="body.strong", icon="plug", is_path=True)
        if column == PROCESS:
            return Cell(str(one.pid), color="text.2", right=True)
        if column == SINCE:
            return Cell(duration(max(0.0, self._now - one.since)), color="text.2", right=True)
        return Cell(_GRANTS[one.grant][0], color="text.2")

    def tip(self, row: int, column: int) -> str:
        one = self._rows[row]
        if column == SINCE:
            return f"since {clock(one.since)}"
        return _GRANTS[one.grant][1] if column == GRANT else one_line(one.name, 200)


class AttachDialog(QDialog):
    """Looks again by itself while it is open; says what to do when nothing listens.

    Signals:
        chosen(listener, leaving): this one is to be attached to
    """

    chosen = Signal(object, str)

    def __init__(
        self,
        theme: Theme,
        listening: Callable[[], Sequence[Listens]],
        parent: QWidget | None = None,
        clock_now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Attach to a running program")
        self._theme = theme
        self._listening = listening
        self._clock = clock_now
        self.model = ListenersModel(self)
        self._build()
        self._timer = QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Look now."""
        before = self._chosen()
        self.model.update(self._listening(), self._clock())
        row = self.model.row_of(before)
        if self.model.rowCount():
            self.table.selectRow(max(0, row))
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)
        self._enable()

    def accept(self) -> None:
        """Attach to the chosen program."""
        listener = self._chosen()
        if listener is not None:
            super().accept()
            self.chosen.emit(listener, str(self.leaving.currentData()))

    def _build(self) -> None:
        theme = self._theme
        self.table = RowTable(theme)
        self.table.setModel(self.model)
        self.table.setAccessibleName("Programs that listen")
        self.table.set_columns(_WIDTHS)
        self.table.activated.connect(self.accept)
        self.table.selectionModel().selectionChanged.connect(self._enable)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing())
        self._stack.addWidget(self.table)
        self.attach_button = QPushButton("Attach")
        self.attach_button.setDefault(True)
        self.close_button = QPushButton("Close")
        self.close_button.setAutoDefault(False)
        for button, done in ((self.attach_button, self.accept), (self.close_button, self.reject)):
            button.setFont(theme.font("ui.strong"))
            button.clicked.connect(done)
        self.leaving = QComboBox()
        for leaving, words in _LEAVINGS:
            self.leaving.addItem(words, leaving)
        head = PlainLabel(theme, "Programs that listen", font="title", selectable=False)
        note = PlainLabel(
            theme,
            "Attaching opens another window, on the jobs of that program. Leaving it never ends the"
            " program.",
            color="text.2",
            wrap=True,
            selectable=False,
        )
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.attach_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 16)
        box.setSpacing(12)
        box.addWidget(head)
        box.addWidget(note)
        box.addWidget(self._stack, 1)
        box.addLayout(self._leaving_row())
        box.addLayout(buttons)
        self.resize(SIZE)

    def _leaving_row(self) -> QHBoxLayout:
        words = "When the window goes, jobs that are held"
        self.leaving.setAccessibleName(words)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(PlainLabel(self._theme, words, color="text.2", selectable=False))
        row.addWidget(self.leaving, 1)
        return row

    def _nothing(self) -> QWidget:
        """What makes a program listen, ready to be copied."""
        theme = self._theme
        panel = QWidget()
        panel.setObjectName("panel")
        panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        title = PlainLabel(theme, "No program listens", font="body.strong", selectable=False)
        why = (
            "Put these two lines into a program of yours, behind the one that makes its Runtime,"
            " and it is listed here while it runs:"
        )
        code = PlainLabel(theme, CODE, font="mono")
        code.setAccessibleName("Lines to put into a program")
        self.copy_button = FlatButton(theme, "copy", "Copy the two lines")
        self.copy_button.clicked.connect(lambda: QGuiApplication.clipboard().setText(CODE))
        other = f"Or change nothing, and start it with {VARIABLE} in its environment."
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addStretch(1)
        line.addWidget(code)
        line.addWidget(self.copy_button)
        line.addStretch(1)
        self._glyph = QLabel()
        box = QVBoxLayout(panel)
        box.setContentsMargins(16, 12, 16, 12)
        box.setSpacing(8)
        box.addStretch(1)
        for label in (
            self._glyph,
            title,
            PlainLabel(theme, why, color="text.2", wrap=True, selectable=False),
        ):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            box.addWidget(label)
        box.addLayout(line)
        last = PlainLabel(theme, other, color="text.2", wrap=True)
        last.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        box.addWidget(last)
        box.addStretch(1)
        self._tint()
        theme.changed.connect(self._tint)
        return panel

    def _tint(self) -> None:
        theme, ratio = self._theme, self.devicePixelRatioF()
        self._glyph.setPixmap(theme.pixmap("plug", "text.2", 20, ratio))

    def _chosen(self) -> Listens | None:
        rows = self.table.selectionModel().selectedRows()
        return self.model.listener(rows[0].row()) if rows else None

    def _enable(self) -> None:
        listener = self._chosen()
        self.attach_button.setEnabled(listener is not None)
        self.attach_button.setToolTip(
            "Nothing to attach to"
            if listener is None
            else safe_tip(f"Open a window on {one_line(listener.name, 200)}")
        )


def _key(listener: Listens) -> tuple[int, str, float]:
    return listener.pid, listener.name, listener.since
