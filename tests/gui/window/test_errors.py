"""Errors of the window are kept, counted and shown, from whatever thread and however many."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from penstock_gui.theme import Theme
from penstock_gui.window.errors import MAX_KEPT, ErrorReporter, FaultLog, install_hooks


class Clock:
    """A clock that stands still until told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hooks() -> Iterator[FaultLog]:
    log = FaultLog()
    undo = install_hooks(log)
    yield log
    undo()


def test_the_same_error_is_told_once_a_second_and_counted() -> None:
    clock = Clock()
    log = FaultLog(clock)

    assert [log.add("ValueError: x", "trace") for _ in range(100)] == [True] + [False] * 99
    clock.now = 1.1
    assert log.add("ValueError: x", "trace")
    (fault,) = log.take_fresh()
    assert fault.count == 101
    assert log.take_fresh() == []


def test_ever_new_errors_don_t_fill_the_memory() -> None:
    log = FaultLog()
    for number in range(10 * MAX_KEPT):
        log.add(f"error {number}", "x" * 100_000)

    fresh = log.take_fresh()
    assert len(log) == len(fresh) == MAX_KEPT
    assert all(len(fault.details) <= 20_000 for fault in fresh)


def test_an_uncaught_exception_is_kept_with_its_traceback(
    hooks: FaultLog, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        raise ValueError("no good")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    (fault,) = hooks.take_fresh()
    assert fault.text == "ValueError: no good"
    assert "test_errors.py" in fault.details
    assert "no good" in capsys.readouterr().err


def test_an_exception_of_a_thread_is_kept_too(
    hooks: FaultLog, capsys: pytest.CaptureFixture[str]
) -> None:
    # Called as the interpreter does; a real dying thread would fail this test by design.
    error = KeyError("k")
    arguments = (type(error), error, None, threading.current_thread())
    threading.excepthook(threading.ExceptHookArgs(arguments))

    assert [fault.text for fault in hooks.take_fresh()] == ["KeyError: 'k'"]


def test_an_exception_that_can_t_be_shown_is_named(
    hooks: FaultLog, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    error = Hostile()
    sys.excepthook(Hostile, error, None)

    assert [fault.text for fault in hooks.take_fresh()] == ["Hostile"]


def test_one_dialog_shows_all_errors_and_copies_them(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    log = FaultLog()
    reporter = ErrorReporter(log, Theme("dark"), window)
    log.add("ValueError: <b>one</b>", "trace one")
    reporter.show_fresh()
    dialog = reporter.dialog
    assert dialog is not None
    log.add("KeyError: two", "trace two")
    reporter.show_fresh()
    assert reporter.dialog is dialog
    copy = next(b for b in dialog.findChildren(QPushButton) if b.text() == "Copy details")
    copy.click()

    text = QGuiApplication.clipboard().text()
    assert "<b>one</b>" in text
    assert "trace two" in text
    reporter.stop()
    assert reporter.dialog is None


def test_without_a_person_no_dialog_opens(qapp: QObject) -> None:
    log = FaultLog()
    reporter = ErrorReporter(log, Theme("dark"), None)
    log.add("ValueError: x", "")
    reporter.show_fresh()

    assert reporter.dialog is None
    assert log.take_fresh() == []
    reporter.stop()
