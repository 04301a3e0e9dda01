"""Asking another thread to raise, and taking that back."""

from __future__ import annotations

import subprocess
import sys

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
