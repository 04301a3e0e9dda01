"""Asks an interpreter whether the engine can run there, while the window goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from PySide6.QtCore import QObject, QTimer, Signal

from penstock.errors import PenstockError

POLL_MS = 50
Check = Callable[[str], str]


class InterpreterCheck(QObject):
    """One question at a time counts: the answer to an earlier one is dropped.

    The asking thread never sees this object, which may be gone when it has its answer.

    Signals:
        passed(version): the engine can run there
        failed(text): it can't, in one line
    """

    passed = Signal(str)
    failed = Signal(str)

    def __init__(self, check: Check, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._check = check
        self._answers: SimpleQueue[tuple[bool, str]] = SimpleQueue()
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._look)

    @property
    def is_asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._timer.isActive()

    def ask(self, path: str) -> None:
        """Have the interpreter at `path` started and asked: only what the person trusts."""
        self._answers = SimpleQueue()
        asking = threading.Thread(
            target=_answer,
            args=(self._check, path, self._answers),
            name="penstock-interpreter-check",
            daemon=True,
        )
        self._timer.start()
        asking.start()

    def forget(self) -> None:
        """The answer isn't wanted any more."""
        self._timer.stop()
        self._answers = SimpleQueue()

    def _look(self) -> None:
        try:
            well, text = self._answers.get_nowait()
        except Empty:
            return
        self._timer.stop()
        (self.passed if well else self.failed).emit(text)


def _answer(check: Check, path: str, answers: SimpleQueue[tuple[bool, str]]) -> None:
    try:
        answers.put((True, check(path)))
    except PenstockError as error:
        answers.put((False, str(error)))
    except Exception as error:  # noqa: BLE001 -- a border: whatever it was, the person waits
        answers.put((False, f"{type(error).__name__}: {error}"))
