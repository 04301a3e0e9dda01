"""Asking another thread to raise, and taking that back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.run import interrupt

TRACED = """
import ctypes, sys, threading
from penstock.run import interrupt

def called() -> str:
    return "went on"

def ask_and_take_back() -> None:
    me = threading.get_ident()
    asked = [ctypes.py_object(ValueError)]
    list(map(interrupt._set_exception, [me], asked)), interrupt.forget_raise(me)
    print(called())

sys.settrace(lambda *_: None)
try:
    ask_and_take_back()
except ValueError:
    print("raised")
interrupt.forget_raise(threading.get_ident())
print(called())
"""


def test_a_traced_thread_goes_on_after_what_was_asked_for_is_taken_back() -> None:
    """A note that something is to be raised, left behind, stops every traced thread on 3.11."""
    ran = subprocess.run(
        [sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout.split("\n")[-2] == "went on"


def test_taking_back_when_nothing_was_asked_for_raises_nothing() -> None:
    code = "import threading; from penstock.run.interrupt import forget_raise as forget; "
    code += "forget(threading.get_ident()); print('quiet')"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout == "quiet\n"


@pytest.fixture
def traced_threads() -> Iterator[None]:
    """Threads that start meanwhile are traced, as under a debugger."""
    before = threading.gettrace()
    threading.settrace(lambda *_: None)
    yield
    threading.settrace(before)


@pytest.mark.usefixtures("traced_threads")
@pytest.mark.parametrize("misplaced", [True, False])
def test_a_traced_body_is_left_alone_where_its_except_would_not_catch(
    misplaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupt, "_MISPLACED", misplaced)
    asked: list[object] = []

    def ask(*what: object) -> int:
        asked.append(what)
        return 1

    monkeypatch.setattr(interrupt, "_set_exception", ask)
    go_on, here = threading.Event(), threading.Event()

    # As `interrupt` sees a body: called by the engine, and calling nothing of it.
    def body() -> None:
        here.set()
        go_on.wait(10.0)

    engine: dict[str, Any] = {"__name__": "penstock.run.slices", "body": body}
    exec("def run(): body()", engine)
    thread = threading.Thread(target=engine["run"])
    thread.start()
    assert here.wait(10.0)
    assert thread.ident is not None
    assert interrupt.raise_in_body(thread.ident, ValueError) is not misplaced
    assert bool(asked) is not misplaced
    go_on.set()
    thread.join(10.0)
