"""Errors of the window itself: kept, counted, shown with "Copy details", never silent."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from penstock_gui.theme import Theme
from penstock_gui.widgets import PlainLabel
from penstock_gui.widgets.wording import plural

MAX_KEPT = 50
MAX_TEXT = 20_000


@dataclass(frozen=True)
class Fault:
    """One error; ``count`` how often it came, ``when`` monotonic seconds of the last time."""

    text: str
    details: str
    count: int = 1
    when: float = 0.0


class FaultLog:
    """Errors from any thread, the same one once; at most `MAX_KEPT` different ones.

    Guarded by a lock that is never held while calling out, since an error may come from a
    worker thread or from within painting. It holds no Qt object.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: dict[tuple[str, str], Fault] = {}
        self._fresh: deque[tuple[str, str]] = deque(maxlen=MAX_KEPT)

    def __len__(self) -> int:
        with self._lock:
            return len(self._faults)

    def add(self, text: str, details: str) -> bool:
        """Keep an error; whether it is to be printed (the same one once a second at most)."""
        text, details = text[:MAX_TEXT], details[:MAX_TEXT]
        key, now = (text, details), self._clock()
        with self._lock:
            known = self._faults.get(key)
            if known is None:
                if len(self._faults) >= MAX_KEPT:
                    self._faults.pop(next(iter(self._faults)))
                self._faults[key] = Fault(text, details, 1, now)
                self._fresh.append(key)
                return True
            due = now - known.when >= 1.0
            when = now if due else known.when
            self._faults[key] = replace(known, count=known.count + 1, when=when)
            if due and key not in self._fresh:
                self._fresh.append(key)
            return due

    def add_exception(self, error: BaseException, trace: TracebackType | None) -> bool:
        """Keep an exception with its traceback."""
        lines = traceback.format_exception(type(error), error, trace, limit=-40)
        return self.add(_line(error), "".join(lines))

    def take_fresh(self) -> list[Fault]:
        """Errors that came since the last call, oldest first."""
        with self._lock:
            keys = list(self._fresh)
            self._fresh.clear()
            return [self._faults[key] for key in keys if key in self._faults]


class ErrorReporter(QObject):
    """Shows what the log has kept in one dialog, from a timer: never from within painting.

    Without a window nobody can answer a dialog, so ``window`` None only empties the log, whose
    entries have been printed.
    """

    def __init__(
        self, log: FaultLog, theme: Theme, window: QWidget | None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._log = log
        self._theme = theme
        self._window = window
        self._dialog: ErrorDialog | None = None
        self._timer = QTimer(self, interval=250)
        self._timer.timeout.connect(self.show_fresh)
        self._timer.start()

    @property
    def dialog(self) -> ErrorDialog | None:
        """The dialog while it is open."""
        return self._dialog

    def show_fresh(self) -> None:
        """Show errors that have come since the last time."""
        fresh = self._log.take_fresh()
        if not fresh or self._window is None:
            return
        if self._dialog is None:
            self._dialog = ErrorDialog(self._theme, self._window)
            self._dialog.finished.connect(self._on_closed)
            self._dialog.open()
        for fault in fresh:
            self._dialog.show_fault(fault)

    def stop(self) -> None:
        """Show nothing more."""
        self._timer.stop()
        if self._dialog is not None:
            self._dialog.close()

    def _on_closed(self) -> None:
        self._dialog = None


class ErrorDialog(QDialog):
    """What went wrong in the window, as text that can be copied."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("An error in the window")
        self._faults: dict[tuple[str, str], Fault] = {}
        self._title = PlainLabel(theme, font="title", wrap=True)
        self._what = PlainLabel(theme, wrap=True)
        self._details = QPlainTextEdit()
        self._details.setObjectName("field")
        self._details.setReadOnly(True)
        self._details.setFont(theme.font("mono"))
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._lay_out(theme)
        self.resize(640, 400)

    @property
    def text(self) -> str:
        """What "Copy details" copies."""
        return self._details.toPlainText()

    def show_fault(self, fault: Fault) -> None:
        """Add an error, or count it again."""
        self._faults[fault.text, fault.details] = fault
        faults = list(self._faults.values())
        total = sum(one.count for one in faults)
        self._title.setText("Something in the window failed")
        again = f" ({total:,} errors so far)" if total > 1 else ""
        self._what.setText(f"{fault.text}{again}\nYour flow and what runs are as they were.")
        parts = (f"{plural(one.count, 'time')}: {one.text}\n{one.details}" for one in faults)
        self._details.setPlainText("\n".join(parts)[:MAX_TEXT])

    def _lay_out(self, theme: Theme) -> None:
        copy, close = QPushButton("Copy details"), QPushButton("Close")
        copy.clicked.connect(self._on_copy)
        close.clicked.connect(self.accept)
        close.setDefault(True)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(copy)
        buttons.addWidget(close)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 16)
        box.setSpacing(10)
        for widget in (self._title, self._what, self._details):
            box.addWidget(widget)
        box.addLayout(buttons)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)


def install_hooks(log: FaultLog) -> Callable[[], None]:
    """Route uncaught exceptions of all threads into the log; returns what undoes it.

    They are printed too, so that a window started from a terminal tells it there.
    """
    before, before_threads = sys.excepthook, threading.excepthook

    def on_error(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before(kind, error, trace)
        elif log.add_exception(error, trace):
            sys.__excepthook__(kind, error, trace)

    def on_thread_error(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value
        if error is not None and log.add_exception(error, args.exc_traceback):
            sys.__excepthook__(args.exc_type, error, args.exc_traceback)

    sys.excepthook, threading.excepthook = on_error, on_thread_error

    def undo() -> None:
        sys.excepthook, threading.excepthook = before, before_threads

    return undo


def _line(error: BaseException) -> str:
    """Type and message in one line; a message that can't be had is left out."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 -- border to foreign classes: their __str__ may fail in any way
        text = ""
    first = text.strip().splitlines()[0][:300] if text.strip() else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
