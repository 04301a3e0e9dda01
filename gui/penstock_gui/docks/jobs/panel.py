"""The jobs dock: all executions, one of them shown on the canvas."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from penstock_gui.bridge import PacedTimer
from penstock_gui.docks.jobs.line import JobLine
from penstock_gui.docks.jobs.model import DURATION, STARTED, JobsModel
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, EmptyState, PlainLabel, RowTable, safe_tip

REFRESH_MS = 250
_WIDTHS = (112, 92, None, 74, 76)
# From these widths of the dock on there is room for the column; a number is never cut.
_ROOM = {STARTED: 440, DURATION: 350}
_NO_JOB = "Choose a job first"
_OVER = "The job has ended"


class JobsPanel(QWidget):
    """Rows of jobs with pause, continue and stop for the chosen one.

    Choosing a row shows that job on the canvas; showing another one elsewhere moves the row.

    Signals:
        summary_changed(text): e.g. "2 running, 1 paused", for the dock's header
    """

    summary_changed = Signal(str)

    def __init__(
        self,
        session: Session,
        theme: Theme,
        run_action: QAction | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._session = session
        self._theme = theme
        self._clock = clock
        self._changed: set[str] = set()
        self._summary = ""
        self.model = JobsModel(session.bridge.views, self)
        self._timer = PacedTimer(session.bridge.pace, REFRESH_MS, parent=self)
        self._build(run_action)
        self._connect()
        self.model.update(session.bridge.views, clock())
        self._after_update()

    @property
    def summary(self) -> str:
        """How many jobs run and are paused, "" when all have ended."""
        return self._summary

    @property
    def is_refreshing(self) -> bool:
        """Whether durations and progress are being brought up to date."""
        return self._timer.is_active()

    def _build(self, run_action: QAction | None) -> None:
        self.resume_action = self._action("Continue", "play!")
        self.pause_action = self._action("Pause", "pause!")
        self.stop_action = self._action("Stop", "square!")
        self.table = RowTable(self._theme)
        self.table.setModel(self.model)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.setAccessibleName("Jobs")
        self.table.set_columns(_WIDTHS)
        empty = EmptyState(
            self._theme,
            "layers",
            "No jobs yet",
            "A job is one execution of this flow. Several can run at once.",
            run_action,
        )
        self._chosen_name = PlainLabel(self._theme, color="text.2")
        self.losses = ElidedLabel(self._theme, color="state.failed", font="caption")
        filled = QWidget()
        rows = QVBoxLayout(filled)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self._strip())
        rows.addWidget(self.table)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(filled)

    def _action(self, text: str, icon: str) -> QAction:
        action = QAction(self._theme.icon(icon), text, self)
        action.setData(icon)
        return action

    def _strip(self) -> QWidget:
        strip = QWidget()
        strip.setObjectName("panel")
        strip.setFixedHeight(self._theme.px("size.tabs"))
        row = QHBoxLayout(strip)
        row.setContentsMargins(10, 0, 8, 0)
        row.setSpacing(2)
        row.addWidget(self._chosen_name)
        row.addSpacing(8)
        row.addWidget(self.losses, 1)
        for action in (self.resume_action, self.pause_action, self.stop_action):
            button = QToolButton()
            button.setObjectName("flat")
            button.setDefaultAction(action)
            button.setIconSize(QSize(14, 14))
            row.addWidget(button)
        return strip

    def _connect(self) -> None:
        bridge = self._session.bridge
        for signal in (
            bridge.job_started,
            bridge.job_held,
            bridge.job_resumed,
            bridge.job_stalled,
            bridge.job_ended,
        ):
            signal.connect(self._on_bridge_job)
        bridge.job_changed.connect(self._on_bridge_job_changed)
        self._session.job_selected.connect(self._on_session_job_selected)
        self._theme.changed.connect(self._on_theme_changed)
        self._timer.timeout.connect(self._refresh)
        self.table.selectionModel().selectionChanged.connect(self._on_table_selection_changed)
        self.table.customContextMenuRequested.connect(self._on_table_menu)
        self.resume_action.triggered.connect(lambda: self._with_job(self._session.client.resume))
        self.pause_action.triggered.connect(lambda: self._with_job(self._session.client.pause))
        self.stop_action.triggered.connect(lambda: self._with_job(self._session.stop_job))
        self._session.engine.changed.connect(self._enable_actions)

    def _on_bridge_job(self, job_id: str) -> None:
        self._changed.discard(job_id)
        self.model.update([job_id], self._clock())
        self._after_update()

    def _on_bridge_job_changed(self, job_id: str, _routines: object) -> None:
        self._changed.add(job_id)

    def _refresh(self) -> None:
        """Show what changed since, and how long the jobs that go on have taken."""
        changed = self._changed.union(self.model.live())
        self._changed.clear()
        if changed:
            self.model.update(sorted(changed, key=_number), self._clock())
            self._after_update()

    def _after_update(self) -> None:
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)
        self._say_count()
        self._choose(self._session.job_id)
        self._enable_actions()

    def _say_count(self) -> None:
        text = self.model.summary()
        if text != self._summary:
            self._summary = text
            self.summary_changed.emit(text)

    def _on_session_job_selected(self, job_id: object) -> None:
        self._choose(job_id if isinstance(job_id, str) else None)
        self._enable_actions()

    def _choose(self, job_id: str | None) -> None:
        """Make the job's row the current one without showing it again."""
        row = self.model.row(job_id)
        if row < 0:
            self.table.clearSelection()
        elif row != self._row():
            self.table.selectRow(row)

    def _on_table_selection_changed(self) -> None:
        line = self._chosen()
        if line is not None and line.job_id != self._session.job_id:
            self._session.show_job(line.job_id)
        self._enable_actions()

    def _row(self) -> int:
        rows = self.table.selectionModel().selectedRows()
        return rows[0].row() if rows else -1

    def _chosen(self) -> JobLine | None:
        return self.model.line(self._row())

    def _with_job(self, command: Callable[[str], None]) -> None:
        line = self._chosen()
        if line is not None:
            command(line.job_id)

    def _enable_actions(self) -> None:
        """Each action is possible now or says why it isn't."""
        line = self._chosen()
        watching = self._session.engine.why_not_steer
        live = line is not None and line.is_live
        held = line is not None and line.is_held
        gone = _NO_JOB if line is None else _OVER
        name = "" if line is None else f" job {line.job_id}"
        self._chosen_name.setText(name.strip() or "no job chosen")
        self.losses.show_text("" if line is None else line.losses)
        for action, possible, done, why in (
            (self.resume_action, held, f"Continue{name}", "The job isn't paused"),
            (self.pause_action, live and not held, f"Pause{name}", "The job is paused already"),
            (self.stop_action, live, f"Stop{name}", ""),
        ):
            action.setEnabled(possible and not watching)
            action.setToolTip(safe_tip(watching) or (done if possible else why if live else gone))

    def _on_table_menu(self, place: QPoint) -> None:
        if not self.table.indexAt(place).isValid():
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        menu.addActions([self.resume_action, self.pause_action, self.stop_action])
        menu.popup(self.table.viewport().mapToGlobal(place))

    def _on_theme_changed(self) -> None:
        for action in (self.resume_action, self.pause_action, self.stop_action):
            action.setIcon(self._theme.icon(action.data()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for column, wide in _ROOM.items():
            self.table.setColumnHidden(column, self.width() < wide)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


def _number(job_id: str) -> tuple[int, str]:
    """Job ids in the order they were given out."""
    return (int(job_id) if job_id.isdigit() else 0, job_id)
