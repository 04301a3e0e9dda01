"""The threads dock: the pool's use above a table of every live thread."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex
from PySide6.QtGui import QAction, QHideEvent, QShowEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from penstock.host import ThreadTable
from penstock_gui.bridge import PacedTimer
from penstock_gui.docks.threads.model import ThreadsModel
from penstock_gui.docks.threads.strip import PoolStrip
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import EmptyState, RowTable

POLL_MS = 220
_WIDTHS = (92, 106, 40, None, 70)


class ThreadsPanel(QWidget):
    """Asks for the threads a few times a second, only while it can be seen.

    Clicking a row selects its routine (and shows its job); the threads in the selected routines
    are set apart, whichever way these were selected.
    """

    def __init__(self, session: Session, theme: Theme, run_action: QAction | None = None) -> None:
        super().__init__()
        self._session = session
        self._theme = theme
        self.model = ThreadsModel(self._swatch, self)
        self.strip = PoolStrip(theme)
        self.table = RowTable(theme)
        self._timer = PacedTimer(session.bridge.pace, POLL_MS, asks=True, parent=self)
        self._build(run_action)
        self._timer.timeout.connect(self.poll)
        session.bridge.threads_told.connect(self._on_threads)
        session.selection_changed.connect(self._mark)
        session.job_selected.connect(self._mark)
        self.table.clicked.connect(self._on_table_chosen)
        self.table.activated.connect(self._on_table_chosen)
        self._mark()
        self.show_threads(session.client.threads())

    @property
    def is_empty(self) -> bool:
        """Whether the explanation is shown instead of the table."""
        return self._stack.currentIndex() == 0

    def poll(self) -> None:
        """Ask once; the answer is shown when it comes."""
        self._session.client.threads()

    def show_threads(self, table: ThreadTable) -> None:
        """Show this book-keeping of the pool and these threads."""
        started = any(info.role in ("worker", "loop") for info in table.threads)
        self._stack.setCurrentIndex(1 if started else 0)
        self.strip.show_use(table.pool)
        self.model.update(table.threads if started else ())

    def _build(self, run_action: QAction | None) -> None:
        self.table.setModel(self.model)
        self.table.setAccessibleName("Threads")
        self.table.set_columns(_WIDTHS)
        filled = QWidget()
        rows = QVBoxLayout(filled)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.strip)
        rows.addWidget(self.table)
        empty = EmptyState(
            self._theme,
            "cpu",
            "No workers yet",
            "The workers start with the first job. Then each thread is listed here: what it does, "
            "for which job, and since when.",
            run_action,
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(filled)

    def _swatch(self, _job_id: str, routine: str) -> int | None:
        document = self._session.document
        return document.color_index(routine) if routine in document.ids() else None

    def _mark(self, *_: object) -> None:
        self.model.mark(self._session.job_id, self._session.selection.routines)

    def _on_threads(self, table: ThreadTable) -> None:
        if self.isVisible():
            self.show_threads(table)

    def _on_table_chosen(self, index: QModelIndex) -> None:
        info = self.model.info(index.row())
        if info is None or not info.job_id:
            return
        if info.job_id != self._session.job_id:
            self._session.show_job(info.job_id)
        if info.routine in self._session.document.ids():
            self._session.select_routine(info.routine)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.show_threads(self._session.client.threads())
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
