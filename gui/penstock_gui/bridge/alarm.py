"""A bell that any thread may ring and the GUI thread hears at once."""

from __future__ import annotations

import socket
import threading
import weakref
from contextlib import suppress

from PySide6.QtCore import QObject, QSocketNotifier, Signal


class Alarm(QObject):
    """A pair of sockets: Qt's event loop watches one, whoever rings writes to the other.

    A signal emitted on another thread would crash the process when this object is deleted at that
    moment, and many of them would keep the event loop from everything else.

    Signals:
        rung(): on the GUI thread, once for all rings since the last time
    """

    rung = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._here, self._there = socket.socketpair()
        for end in (self._here, self._there):
            end.setblocking(False)
        # A socket must not be closed under a thread that is about to use its number.
        self._ringing = threading.Lock()
        self._close = weakref.finalize(self, _close, self._here, self._there)
        self._notifier = QSocketNotifier(self._here.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_activated)

    def ring(self) -> None:
        """Have it heard; on any thread, returns at once. Nobody hears it after `close`."""
        with self._ringing, suppress(OSError):  # full: it has been rung often; or closed
            self._there.send(b"\0")

    def close(self) -> None:
        """Hear nothing more; on the GUI thread."""
        self._notifier.setEnabled(False)
        with self._ringing:
            self._close()

    def _on_activated(self) -> None:
        with suppress(OSError):
            self._here.recv(4096)
        self.rung.emit()


def _close(*ends: socket.socket) -> None:
    for end in ends:
        end.close()
