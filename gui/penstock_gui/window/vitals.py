"""The engine's pool and threads, asked for a few times a second on one timer."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from penstock.host import PoolUse
from penstock_gui.bridge import PacedTimer
from penstock_gui.session import Session

INTERVAL_MS = 400


class Vitals(QObject):
    """Polls the pool's use.

    Signals:
        polled(PoolUse)
    """

    polled = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._timer = PacedTimer(session.bridge.pace, INTERVAL_MS, asks=True, parent=self)
        self._timer.timeout.connect(self.poll)
        self._timer.start()

    def poll(self) -> None:
        """Ask now."""
        pool: PoolUse = self._session.client.threads().pool
        self.polled.emit(pool)

    def stop(self) -> None:
        """Ask no more; before the client is closed."""
        self._timer.stop()
