"""The output dock: what jobs printed, whose of it is shown, and the way to the routine."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from penstock.host import HostGone, Printed
from penstock_gui.bridge import PacedTimer
from penstock_gui.docks.output.lines import LineMaker, OutputLine, Taken, last_words
from penstock_gui.docks.output.model import LIMIT, OutputFilter, OutputModel
from penstock_gui.docks.output.table import OutputTable
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import EmptyState, FlatButton, PlainLabel, SearchLine, ToolStrip
from penstock_gui.widgets.wording import plural

BATCH_MS = 50
_FILLS = (
    "What routines print, and what goes to stderr, is listed here while jobs run: line by line,"
    " with the job and the routine it came from."
)
_MATCHES = "Another filter, or all jobs, routines and streams, may show more."
_STREAMS = ("stdout", "stderr")


class OutputPanel(QWidget):
    """Collects what is printed and shows it in batches, so that a flood costs few repaints.

    Clicking a line shows its job and centres its routine. The view goes along with new lines
    only while it shows the end.
    """

    def __init__(
        self,
        session: Session,
        theme: Theme,
        run_action: QAction | None = None,
        limit: int = LIMIT,
    ) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._theme = theme
        self._maker = LineMaker(limit)
        self._pending: list[OutputLine] = []
        self._extended = False
        self._dropped = 0
        self.model = OutputModel(self._swatch, self, limit)
        self._timer = PacedTimer(session.bridge.pace, BATCH_MS, single_shot=True, parent=self)
        self._build(run_action)
        self._connect()
        self._refilter()

    @property
    def is_following(self) -> bool:
        """Whether the end is shown, and stays shown when lines come."""
        bar = self.table.verticalScrollBar()
        return bar.value() >= bar.maximum()

    def flush(self) -> None:
        """Show what was collected."""
        lines, self._pending = self._pending, []
        extended, self._extended = self._extended, False
        dropped, self._dropped = self._dropped, 0
        if not lines and not extended:
            return
        following = self.is_following
        top = QPersistentModelIndex(self.table.indexAt(QPoint(0, 0)))
        above = self.table.rowViewportPosition(top.row()) if top.isValid() else 0
        self.model.append(lines, extended, dropped)
        self._say_counts()
        if following:
            self.table.scrollToBottom()
        else:  # what was read stays where it is; if it was dropped, what is left of it
            place = top.row() * self._theme.px("size.row") - above if top.isValid() else 0
            self.table.verticalScrollBar().setValue(place)

    def show_last_words(self) -> None:
        """Leave nothing out, and show what the engine that ended last wrote before, on top."""
        self.search.clear()
        for toggle in (self.only_job, self.only_routine):
            toggle.setChecked(False)
        for toggle in self.streams.values():
            toggle.setChecked(True)
        self.flush()
        row = self.model.last_end()
        if row >= 0:
            place = QAbstractItemView.ScrollHint.PositionAtTop
            self.table.scrollTo(self.model.index(row, 0), place)

    def clear(self) -> None:
        """Forget all lines; a line whose end comes later begins anew."""
        self._pending.clear()
        self._extended = False
        self._dropped = 0
        self._maker.forget()
        self.model.clear()
        self._say_counts()

    def copy(self) -> None:
        """Put the chosen lines on the clipboard, or all that are shown when none is chosen."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        QGuiApplication.clipboard().setText(self.model.text(rows))

    # Building.

    def _build(self, run_action: QAction | None) -> None:
        self.search = SearchLine(self._theme, "Search output")
        self.dropped = PlainLabel(self._theme, color="text.3", font="caption")
        self.dropped.setContentsMargins(8, 2, 8, 2)
        self.only_job = FlatButton(self._theme, "layers", "Only the shown job", checkable=True)
        self.only_routine = FlatButton(
            self._theme,
            "crosshair",
            "Only the selected routines; without a selection, all",
            checkable=True,
        )
        self.streams = {name: self._stream(name) for name in _STREAMS}
        self.copy_button = FlatButton(
            self._theme, "copy", "Copy the chosen lines, or all that are shown (Ctrl+C)"
        )
        self.clear_button = FlatButton(self._theme, "trash", "Clear the output")
        self.table = OutputTable(self._theme, self.model)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing("Nothing printed yet", _FILLS, run_action))
        self._stack.addWidget(self._nothing("No line matches", _MATCHES))
        self._stack.addWidget(self.table)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        toggles = (self.only_job, self.only_routine, *self.streams.values())
        buttons = (*toggles, self.copy_button, self.clear_button)
        rows.addWidget(ToolStrip(self._theme, self.search, *buttons))
        rows.addWidget(self.dropped)
        rows.addWidget(self._stack)

    def _nothing(self, title: str, why: str, button: QAction | None = None) -> QWidget:
        return EmptyState(self._theme, "terminal", title, why, button)

    def _stream(self, name: str) -> FlatButton:
        button = FlatButton(self._theme, "", f"Lines of {name}", checkable=True)
        button.setText(name.removeprefix("std"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setFont(self._theme.font("ui.strong"))
        button.setChecked(True)
        return button

    def _connect(self) -> None:
        session = self._session
        session.bridge.printed.connect(self._on_bridge_printed)
        session.bridge.host_gone.connect(self._on_bridge_host_gone)
        session.job_selected.connect(self._refilter)
        session.selection_changed.connect(self._refilter)
        session.document.routine_renamed.connect(self._refilter)
        self._timer.timeout.connect(self.flush)
        self.search.textChanged.connect(self._refilter)
        for toggle in (self.only_job, self.only_routine, *self.streams.values()):
            toggle.toggled.connect(self._refilter)
        self.copy_button.clicked.connect(self.copy)
        self.clear_button.clicked.connect(self.clear)
        self.table.copy_wanted.connect(self.copy)
        self.table.clicked.connect(self._on_table_chosen)
        self.table.activated.connect(self._on_table_chosen)

    # What comes in, and what is shown of it.

    def _on_bridge_printed(self, printed: Printed) -> None:
        self._add(self._maker.take(printed))

    def _on_bridge_host_gone(self, gone: HostGone) -> None:
        self._maker.forget()
        self._add(Taken(last_words(gone, bool(self._session.lost_jobs))))

    def _add(self, taken: Taken) -> None:
        self._pending.extend(taken.fresh)
        self._extended |= taken.extended
        self._dropped += taken.dropped
        if not self._timer.is_active():
            self._timer.start()

    def _refilter(self, *_: object) -> None:
        session = self._session
        chosen = session.selection.routines if self.only_routine.isChecked() else None
        following = self.is_following
        self.model.filter(
            OutputFilter(
                words=tuple(self.search.text().lower().split()),
                job_id=(session.job_id or "") if self.only_job.isChecked() else None,
                routines=chosen or None,
                streams=frozenset(n for n, toggle in self.streams.items() if toggle.isChecked()),
            )
        )
        self._say_counts()
        if following:
            self.table.scrollToBottom()

    def _say_counts(self) -> None:
        model = self.model
        self.dropped.setText(f"{plural(model.dropped, 'older line')} dropped")
        self.dropped.setVisible(bool(model.dropped))
        self._stack.setCurrentIndex(2 if model.rowCount() else 1 if model.total else 0)
        self.table.fit()

    def _swatch(self, routine: str) -> int | None:
        document = self._session.document
        return document.color_index(routine) if routine in document.ids() else None

    def _on_table_chosen(self, index: QModelIndex) -> None:
        line = self.model.line(index.row())
        if line is None:
            return
        session = self._session
        if line.job_id in session.bridge.views and line.job_id != session.job_id:
            session.show_job(line.job_id)
        if line.routine in session.document.ids():
            session.select_routine(line.routine, centre=True)
