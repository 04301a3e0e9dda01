"""Which jobs were told to stop and haven't: an engine that doesn't answer is found out here."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from penstock_gui.bridge import EngineBridge

GRACE_MS = 2_000


class Stopping(QObject):
    """A job is overdue when it hasn't ended in time, or is told to stop a second time.

    Signals:
        changed(): `overdue` is another
    """

    changed = Signal()

    def __init__(
        self, bridge: EngineBridge, grace_ms: int = GRACE_MS, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._grace_ms = grace_ms
        self._asked: set[str] = set()
        self._overdue: list[str] = []
        bridge.job_ended.connect(self._on_job_ended)

    @property
    def overdue(self) -> tuple[str, ...]:
        """Jobs that should have ended, the one told first in front."""
        return tuple(self._overdue)

    def ask(self, job_id: str) -> None:
        """The job was told to stop."""
        if job_id in self._asked:
            self._add(job_id)
            return
        self._asked.add(job_id)
        QTimer.singleShot(self._grace_ms, self, lambda: self._add(job_id))

    def _add(self, job_id: str) -> None:
        if job_id in self._asked and job_id not in self._overdue:
            self._overdue.append(job_id)
            self.changed.emit()

    def _on_job_ended(self, job_id: str) -> None:
        self._asked.discard(job_id)
        if job_id in self._overdue:
            self._overdue.remove(job_id)
            self.changed.emit()
