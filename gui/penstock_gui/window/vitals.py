"""The engine's pool and threads, asked for a few times a second on one timer."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from penstock.host import ThreadTable
from penstock_gui.bridge import PacedTimer
from penstock_gui.session import Session

INTERVAL_MS = 400


class Vitals(QObject):
    """Has the pool's use told; nobody else need ask.

    Signals:
        polled(PoolUse)
    """

    polled = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._timer = PacedTimer(session.bridge.pace, INTERVAL_MS, asks=True, parent=self)
        self._timer.timeout.connect(self.poll)
        session.bridge.threads_told.connect(self._on_threads)
        self._timer.start()

    def poll(self) -> None:
        """Ask now; the answer comes with a tick of the bridge."""
        self._session.client.threads()

    def _on_threads(self, table: ThreadTable) -> None:
        self.polled.emit(table.pool)

    def stop(self) -> None:
        """Ask no more; before the client is closed."""
        self._timer.stop()
