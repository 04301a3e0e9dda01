"""The strip above the canvas: the flow's tab, whether it is saved, and edit buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets import DockHeader, PlainLabel
from penstock_gui.widgets.wording import one_line
from penstock_gui.window.actions import Actions

_BUTTONS = ("edit.undo", "edit.redo")


class CanvasHeader(DockHeader):
    """The flow's name with a dot while there are unsaved edits, and what a job runs instead."""

    def __init__(
        self, session: Session, theme: Theme, actions: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, "", closable=False, parent=parent)
        self._session = session
        self._state = PlainLabel(theme, color="text.3", selectable=False)
        self._state.setContentsMargins(0, 0, 6, 0)
        self.add_widget(self._state)
        add = self.add_action(actions["edit.add"])
        add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        add.setFont(theme.font("ui.strong"))
        for name in _BUTTONS:
            self.add_action(actions[name])
        document = session.document
        for signal in (
            document.name_changed,
            document.path_changed,
            document.saved,
            document.problems_changed,
            session.undo.cleanChanged,
            session.undo.indexChanged,
            session.job_selected,
            session.mode_changed,
            session.engine.changed,
        ):
            signal.connect(self.refresh)
        self.refresh()

    @property
    def state(self) -> str:
        """The words at the right."""
        return self._state.text()

    def refresh(self) -> None:
        """Say how the edited flow, its file and the shown job's flow differ."""
        session = self._session
        changed = session.has_changes
        name = session.document.flow.name
        self.set_title(f"{name} •" if changed else name)
        words = "unsaved" if changed else "saved" if session.document.path else "no file yet"
        if session.shows_program:
            words = f"as {one_line(session.engine.name or 'the program', 40)} runs it"
        if session.job_id is not None and session.job_flow_differs:
            over = session.view is not None and session.view.is_over
            words += f"  ·  job {session.job_id} {'ran' if over else 'runs'} the flow as it was"
            words += " at start; edits apply to the next run"
        self._state.setText(words)
