"""What keeps Python and Qt from crashing each other."""

from __future__ import annotations

import ctypes
import logging
import sys

from PySide6.QtCore import QObject

SWITCH_INTERVAL = 0.0005
_PROBES = 100
_MORE = 1 << 60
_IMMORTALS: tuple[object, ...] = (None, True, False, NotImplemented, Ellipsis)
_log = logging.getLogger(__name__)


def references_fall() -> bool:
    """Whether this Qt binding drops references of None that it doesn't own.

    Measured, as no version number tells it: PySide6 6.12.0 on CPython 3.11 loses one per call
    and the process aborts within seconds. From 3.12 on None is immortal and can't fall.
    """
    if sys.version_info >= (3, 12):
        return False
    before = sys.getrefcount(None)
    for _ in range(_PROBES):
        QObject().setObjectName("x")
    return before - sys.getrefcount(None) >= _PROBES // 2


def make_immortal(objects: tuple[object, ...] = _IMMORTALS) -> None:
    """Give the constants so many references that none of the falling ones matters."""
    for one in objects:
        ctypes.c_ssize_t.from_address(id(one)).value += _MORE


def guard_references(falling: bool | None = None) -> None:
    """Measure, and where references fall make the constants immortal and say so once."""
    if references_fall() if falling is None else falling:
        make_immortal()
        _log.warning(
            "this PySide6 drops references of None on Python %d.%d; they were made immortal."
            " Install PySide6-Essentials<6.12 instead.",
            *sys.version_info[:2],
        )


def share_the_interpreter() -> None:
    """Let the GUI thread have its turn within half a millisecond while workers compute."""
    sys.setswitchinterval(SWITCH_INTERVAL)
