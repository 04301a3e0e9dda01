"""The log dock: lines, their filter, and the details of the chosen one."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from penstock.observe import JobEnded
from penstock_gui.bridge import PacedTimer
from penstock_gui.docks.log.details import DetailsPane
from penstock_gui.docks.log.entry import LogEntry, log_entry
from penstock_gui.docks.log.losses import LossWatch
from penstock_gui.docks.log.model import LIMIT, LogModel
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import (
    EmptyState,
    FlatButton,
    PlainLabel,
    RowTable,
    SearchLine,
    ToolStrip,
)
from penstock_gui.widgets.wording import clock_ms, plural

BATCH_MS = 50
LOSSES_MS = 500
_FILLS = "Starts, holds, ends, failures and losses of jobs are listed here while they run."
_MATCHES = "Another filter, or all kinds of lines, may show more."
_WIDTHS = (104, 100, None)


class LogPanel(QWidget):
    """Collects what is told and shows it in batches, so that a flood costs few repaints.

    Clicking a line shows its job and centres its routine. New lines come on top; the view goes
    along only while it shows the top, else the lines in view stay where they are.
    """

    def __init__(
        self,
        session: Session,
        theme: Theme,
        run_action: QAction | None = None,
        clock: Callable[[], float] = time.time,
        limit: int = LIMIT,
    ) -> None:
        super().__init__()
        self._session = session
        self._theme = theme
        self._clock = clock
        self._pending: list[LogEntry] = []
        self.model = LogModel(self, limit)
        pace = session.bridge.pace
        self._timer = PacedTimer(pace, BATCH_MS, single_shot=True, parent=self)
        self._losses = LossWatch()
        self._look = PacedTimer(pace, LOSSES_MS, single_shot=True, parent=self)
        self._build(run_action)
        self._connect()
        self._say_counts()

    def flush(self) -> None:
        """Show what was collected."""
        entries, self._pending = self._pending, []
        if not entries:
            return
        bar = self.table.verticalScrollBar()
        at_top = bar.value() == bar.minimum()
        top = QPersistentModelIndex(self.table.indexAt(QPoint(0, 0)))
        above = self.table.rowViewportPosition(top.row()) if top.isValid() else 0
        self.model.append(entries)
        if not at_top and top.isValid():
            bar.setValue(top.row() * self._theme.px("size.row") - above)
        self._say_counts()

    def _build(self, run_action: QAction | None) -> None:
        self.search = SearchLine(self._theme, "Filter log")
        self.count = PlainLabel(self._theme, color="state.failed", font="body.strong")
        self.dropped = PlainLabel(self._theme, color="text.3")
        self.only_failures = FlatButton(self._theme, "funnel", "Show failures only", checkable=True)
        self.clear_button = FlatButton(self._theme, "trash", "Clear the log")
        self.table = RowTable(self._theme)
        self.table.setModel(self.model)
        self.table.setAccessibleName("Log")
        self.table.set_columns(_WIDTHS)
        self.details = DetailsPane(self._theme)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing("No events yet", _FILLS, run_action))
        self._stack.addWidget(self._nothing("No line matches", _MATCHES))
        self._stack.addWidget(self.table)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self._stack)
        split.addWidget(self.details)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        others = (self.dropped, self.count, self.only_failures, self.clear_button)
        rows.addWidget(ToolStrip(self._theme, self.search, *others, spacing=8))
        rows.addWidget(split)

    def _nothing(self, title: str, why: str, button: QAction | None = None) -> QWidget:
        return EmptyState(self._theme, "scroll-text", title, why, button)

    def _connect(self) -> None:
        self._session.bridge.told.connect(self._on_bridge_told)
        self._session.bridge.refused.connect(self._on_bridge_told)
        self._session.bridge.host_up.connect(self._on_bridge_told)
        self._session.bridge.host_gone.connect(self._on_bridge_told)
        self._session.bridge.job_changed.connect(self._on_bridge_job_changed)
        self._timer.timeout.connect(self.flush)
        self._look.timeout.connect(self._look_for_losses)
        self.search.textChanged.connect(self._filter)
        self.only_failures.toggled.connect(self._filter)
        self.clear_button.clicked.connect(self.clear)
        self.table.clicked.connect(self._on_table_chosen)
        self.table.activated.connect(self._on_table_chosen)
        self.table.selectionModel().selectionChanged.connect(self._on_table_selection_changed)

    def _on_bridge_told(self, told: object) -> None:
        if isinstance(told, JobEnded):
            self._add(*self._losses.ended(self._session.bridge.views[told.job_id]))
        entry = log_entry(told, self._clock())
        if entry is not None:
            self._add(entry)

    def _add(self, *entries: LogEntry) -> None:
        self._pending.extend(entries)
        if entries and not self._timer.is_active():
            self._timer.start()

    def _on_bridge_job_changed(self, job_id: str, routines: frozenset[str]) -> None:
        view = self._session.bridge.views[job_id]
        if self._losses.note(view, routines) and not self._look.is_active():
            self._look.start()

    def _look_for_losses(self) -> None:
        """One line for all that a slot has lost meanwhile; more rarely the longer it goes on."""
        self._add(*self._losses.due(self._clock()))
        if self._losses.is_waiting:
            self._look.start()

    def clear(self) -> None:
        """Empty the log and its counts."""
        self._pending.clear()
        self.model.clear()
        self.details.hide()
        self._say_counts()

    def _filter(self) -> None:
        self.model.filter(self.search.text(), self.only_failures.isChecked())
        self._say_counts()

    def _say_counts(self) -> None:
        model = self.model
        self.count.setText(plural(model.failures, "failure"))
        self.count.setVisible(bool(model.failures))
        self.dropped.setText(f"{model.dropped:,} older dropped")
        self.dropped.setVisible(bool(model.dropped))
        self._stack.setCurrentIndex(2 if model.rowCount() else 1 if model.total else 0)

    def _on_table_selection_changed(self) -> None:
        rows = self.table.selectionModel().selectedRows()
        entry = self.model.line(rows[0].row()) if rows else None
        if entry is None:
            self.details.hide()
        else:
            self.details.show_text(f"{clock_ms(entry.time)}  {entry.source}", entry.details)

    def _on_table_chosen(self, index: QModelIndex) -> None:
        entry = self.model.line(index.row())
        if entry is None:
            return
        session = self._session
        if entry.job_id in session.bridge.views and entry.job_id != session.job_id:
            session.show_job(entry.job_id)
        if entry.routine in session.document.ids():
            session.select_routine(entry.routine, centre=True)
