"""A line above the canvas while a job is stalled: what is full, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget

from penstock.host import StallChoice
from penstock.observe import JobView
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets.wording import plural
from penstock_gui.window.banner import Banner
from penstock_gui.window.status_text import named

_CHOICES: tuple[tuple[StallChoice, str], ...] = (
    ("grow", "Grow"),
    ("drop", "Drop"),
    ("cancel", "Cancel job"),
)


class StallBar(Banner):
    """Stands as long as any job is stalled, the shown one first; takes no keyboard by itself.

    A choice is sent once; the buttons come back with the next stall.
    """

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "queue.high", parent)
        self._session = session
        self._job_id: str | None = None
        self._slots: tuple[str, ...] = ()
        self.setAccessibleName("Stalled job")
        self.buttons = {choice: self._button(choice, words) for choice, words in _CHOICES}
        self._row.setContentsMargins(12, 6, 12, 6)
        bridge = session.bridge
        bridge.job_stalled.connect(self._on_stalled)
        bridge.refused.connect(self._on_refused)
        bridge.job_changed.connect(self.refresh)
        session.job_selected.connect(self.refresh)

    def refresh(self) -> None:
        """Show the stalled job whose turn it is, or nothing."""
        stalled = self._session.stalled_jobs
        job_id = stalled[0] if stalled else None
        view = self._session.bridge.views[job_id] if job_id is not None else None
        slots = view.stalled if view is not None else ()
        if (job_id, slots) != (self._job_id, self._slots):
            self._job_id, self._slots = job_id, slots
            self._enable(True)
        if view is not None:
            self._say(view, len(stalled) - 1)
        self.setVisible(view is not None)

    def _say(self, view: JobView, others: int) -> None:
        full, it = named(view.stalled), "it" if len(view.stalled) == 1 else "them"
        text = f"Job {view.job_id} is stalled: {full}. Nothing that would empty {it} can start."
        waiting = _waiting(view)
        what = plural(waiting, "message") if waiting else "what waits"
        if others:
            text += f" ({plural(others, 'more stalled job')})"
        self._text.setText(text)
        places = ", ".join(view.stalled)
        tips: dict[StallChoice, str] = {
            "grow": f"Give {places} room for {what}; nothing is lost",
            "drop": f"Drop {what} at {places}, counted as dropped; the job goes on",
            "cancel": f"End job {view.job_id} as cancelled",
        }
        for choice, tip in tips.items():
            self.buttons[choice].setToolTip(tip)

    def _button(self, choice: StallChoice, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self._choose(choice))
        self._row.addWidget(button)
        return button

    def _choose(self, choice: StallChoice) -> None:
        if self._job_id is not None:
            self._enable(False)
            self._session.unstall(self._job_id, choice)

    def _enable(self, enabled: bool) -> None:
        for button in self.buttons.values():
            button.setEnabled(enabled)

    def _on_stalled(self, job_id: str) -> None:
        """Also when the same slots are full again."""
        if job_id == self._job_id:
            self._enable(True)
        self.refresh()

    def _on_refused(self) -> None:
        self._enable(True)


def _waiting(view: JobView) -> int:
    """Messages that wait for room at the full slots, as far as is known."""
    found = 0
    for place in view.stalled:
        routine, _, name = place.partition(".")
        count = view.routines.get(routine)
        slot = count.slots.get(name) if count is not None else None
        found += max(0, slot.queued - slot.depth) if slot is not None else 0
    return found
