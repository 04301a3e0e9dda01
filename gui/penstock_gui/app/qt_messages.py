"""What Qt has to say: warnings to stderr, errors into the log of the window's faults."""

from __future__ import annotations

import os
import sys

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from penstock_gui.window import FaultLog

NOISE = ("This plugin does not support propagateSizeHints", "propagateSizeHints()")
BAD_INPUT = 2


class QtMessages:
    """A message handler; it may be called from any thread and within painting.

    Until `started`, a fatal message means that no window can be opened: Qt would abort the
    process after it, so it is told as one line with exit code 2.
    """

    def __init__(self, faults: FaultLog) -> None:
        self._faults = faults
        self._starting = True

    def install(self) -> None:
        """Take Qt's messages from now on."""
        qInstallMessageHandler(self._on_message)

    def started(self) -> None:
        """The application object exists."""
        self._starting = False

    def uninstall(self) -> None:
        """Give them back."""
        qInstallMessageHandler(None)

    def _on_message(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        if kind == QtMsgType.QtFatalMsg and self._starting:
            _refuse(text)
        if any(noise in text for noise in NOISE):
            return
        if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
            if self._faults.add(f"Qt: {text}", _place(context)):
                print(f"Qt: {text}", file=sys.stderr)
        elif kind == QtMsgType.QtWarningMsg and not self._starting:
            print(f"Qt: {text}", file=sys.stderr)


def _refuse(text: str) -> None:
    """One line, then out: Qt aborts as soon as this handler returns."""
    first = " ".join(text.split())
    print(f"penstock open: no window can be opened: {first}", file=sys.stderr, flush=True)
    os._exit(BAD_INPUT)


def _place(context: QMessageLogContext) -> str:
    file, line, function = context.file, context.line, context.function
    return f"{file}:{line} {function}" if file else ""
