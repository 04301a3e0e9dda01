"""The inspector dock: the page of what is selected, kept up to date while it is seen."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from penstock.host import RoutineValues
from penstock_gui.bridge import PacedTimer
from penstock_gui.docks.inspector.opening import OpenValues
from penstock_gui.docks.inspector.routine_page import ID_FIELD, RoutinePage
from penstock_gui.docks.inspector.wire_page import WirePage
from penstock_gui.session import Selection, Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import EmptyState

POLL_MS = 250
REFRESH_MS = 80
Page = RoutinePage | WirePage


class InspectorPanel(QWidget):
    """Shows a `RoutinePage`, a `WirePage`, or what to select to see one.

    Values that are opened in a page are kept in the engine until they, or the page, are closed.

    Last values are asked for at most four times a second, only while the panel is visible and a
    job is shown; once more when the job has ended, then no more.

    Signals:
        id_entered(): the id field had the keyboard and has done its work
    """

    id_entered = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self._values = OpenValues(session, self)
        self.page: Page | None = None
        self.empty = EmptyState(theme, "list-tree", "", "")
        self._scroll = QScrollArea()
        self._pages = QStackedWidget()
        pace = session.bridge.pace
        self._poll = PacedTimer(pace, POLL_MS, parent=self)
        self._refresh = PacedTimer(pace, REFRESH_MS, single_shot=True, parent=self)
        self._lay_out()
        self._listen()
        self._rebuild()

    def edit_id(self) -> None:
        """Put the cursor in the selected routine's id field, all of it selected."""
        if isinstance(self.page, RoutinePage):
            line = self.page.id_box.line
            self._scroll.ensureWidgetVisible(line)
            line.setFocus(Qt.FocusReason.ShortcutFocusReason)
            line.selectAll()

    def commit(self) -> None:
        """Hand in what was typed and not entered: the flow is about to be used as it stands."""
        page = self.page
        if isinstance(page, RoutinePage) and page.routine_id in self._session.document.ids():
            page.commit()

    def _lay_out(self) -> None:
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self._scroll)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._pages)

    def _listen(self) -> None:
        session, document, bridge = self._session, self._session.document, self._session.bridge
        session.selection_changed.connect(self._on_selection_changed)
        session.job_selected.connect(self._on_job_selected)
        session.refused_fields_changed.connect(self._on_refused_fields_changed)
        bridge.job_changed.connect(self._on_job_changed)
        bridge.job_held.connect(self._on_job_event)
        bridge.job_resumed.connect(self._on_job_event)
        bridge.job_ended.connect(self._on_job_event)
        bridge.values_told.connect(self._on_values)
        document.reset.connect(self._rebuild)
        document.routine_changed.connect(self._on_routine_changed)
        document.connected.connect(self._on_connections_changed)
        document.disconnected.connect(self._on_connections_changed)
        self._poll.timeout.connect(self._poll_values)
        self._refresh.timeout.connect(self._show_run)

    def _rebuild(self) -> None:
        selection = self._session.selection
        former, self.page = self.page, self._make_page(selection)
        field = _focused_field(former)
        if self.page is not None:
            self._scroll.takeWidget()
            self._scroll.setWidget(self.page)
            self._pages.setCurrentWidget(self._scroll)
        else:
            self._scroll.takeWidget()
            self._say_what_to_select(selection)
            self._pages.setCurrentWidget(self.empty)
        if former is not None:
            former.close_values()
            former.hide()
            former.setParent(None)
            former.deleteLater()
        self._go_on_in(field)
        self._ask_values()
        self._check_polling()

    def _go_on_in(self, field: str) -> None:
        """Keep the keyboard in the field of that name; an entered id leaves it to others."""
        if field == ID_FIELD:
            self.id_entered.emit()
        elif field and isinstance(self.page, RoutinePage):
            for editor in self.page.findChildren(QWidget):
                if editor.accessibleName() == field:
                    editor.setFocus()

    def _make_page(self, selection: Selection) -> Page | None:
        if selection.routine is not None:
            return RoutinePage(self._session, self._theme, self._values, selection.routine)
        if selection.connection is not None:
            return WirePage(self._session, self._theme, self._values, selection.connection)
        return None

    def _say_what_to_select(self, selection: Selection) -> None:
        if selection.routines:
            self.empty.say(
                f"{len(selection.routines)} routines selected",
                "Select one of them to see its counters, values and config.",
            )
        else:
            self.empty.say(
                "Nothing selected",
                "Select a routine to see its counters, last values and config, or a wire to"
                " see what passed along it.",
            )

    def _ask_values(self) -> None:
        job_id, routine = self._session.job_id, self._routine_of_values()
        if routine is None or job_id is None or self._session.view is None:
            return
        self._on_values(self._session.client.last_values(job_id, routine))
        self._check_polling()

    def _poll_values(self) -> None:
        job_id, routine = self._session.job_id, self._routine_of_values()
        if routine is not None and job_id is not None:
            self._session.client.last_values(job_id, routine)
        self._check_polling()

    def _on_values(self, values: RoutineValues) -> None:
        page = self.page
        shown = self._session.job_id, self._routine_of_values()
        if page is not None and shown == (values.job_id, values.routine):
            page.show_values(values)

    def _routine_of_values(self) -> str | None:
        if self.page is None:
            return None
        if isinstance(self.page, RoutinePage):
            return self.page.routine_id
        return self.page.connection.source.routine

    def _check_polling(self) -> None:
        view = self._session.view
        wanted = self.page is not None and view is not None and not view.is_over
        if wanted and self.isVisible():
            if not self._poll.is_active():
                self._poll.start()
        else:
            self._poll.stop()

    # What others tell.

    def _on_selection_changed(self, selection: Selection) -> None:
        self.commit()
        self._rebuild()

    def _on_job_selected(self, job_id: object) -> None:
        self._rebuild()

    def _on_job_changed(self, job_id: str, routines: frozenset[str]) -> None:
        waits = self._refresh.is_active()
        if job_id == self._session.job_id and not waits and self._concerns(routines):
            self._refresh.start()

    def _on_job_event(self, job_id: str) -> None:
        if job_id == self._session.job_id:
            self._show_run()
            self._ask_values()

    def _on_routine_changed(self, routine_id: str) -> None:
        page = self.page
        if isinstance(page, RoutinePage) and page.routine_id == routine_id and not page.show_spec():
            self._rebuild()

    def _on_refused_fields_changed(self) -> None:
        if (
            isinstance(self.page, RoutinePage)
            and self.page.routine_id in self._session.document.ids()
        ):
            self.page.show_errors()

    def _on_connections_changed(self, connection: object) -> None:
        if isinstance(self.page, RoutinePage):
            self.page.show_connections()

    def _concerns(self, routines: frozenset[str]) -> bool:
        if isinstance(self.page, RoutinePage):
            return self.page.routine_id in routines
        if self.page is not None:
            ends = {self.page.connection.source.routine, self.page.connection.target.routine}
            return not ends.isdisjoint(routines)
        return False

    def _show_run(self) -> None:
        if self.page is not None:
            self.page.show_run()
        self._check_polling()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask_values()
        self._check_polling()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._check_polling()


def _focused_field(page: Page | None) -> str:
    """The name of the field that has the keyboard, "" when none of the page has."""
    focused = QApplication.focusWidget()
    if page is None or focused is None or not page.isAncestorOf(focused):
        return ""
    return focused.accessibleName()
