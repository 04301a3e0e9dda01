"""Errors while painting: told once, outside of the paint event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QTimer


class PaintGuard:
    """Keeps errors of one painter's code from Qt.

    An exception that leaves one item's ``paint`` is still set when Qt calls that of the next,
    below a ``paintEvent`` in Python: the process ends with a segmentation fault. So it is kept
    here and raised from the event loop, where the program's hook shows it; the first only, since
    a broken painter breaks in every frame.
    """

    def __init__(self) -> None:
        self._told = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around everything that is painted."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a border: whatever it is, Qt must not see it
            if not self._told:
                self._told = True
                QTimer.singleShot(0, lambda error=error: _raise(error))


def _raise(error: Exception) -> None:
    raise error
