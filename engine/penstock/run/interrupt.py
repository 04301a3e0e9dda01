"""Raising an exception in a body that runs on another thread.

The interpreter raises it where that thread next looks for such a thing: in the function it is in
now, or, if that returns without another call, in the one that called it. So it is only asked for
while the innermost function is the body's own: no lock, queue or latch of the engine can be in
the middle of a change. Looking and asking are one call into C, during which the thread can't move.

Before 3.12 it is never asked for while threads are traced (by a debugger, by coverage): there the
interpreter raises at a place it takes for another, so that a ``try`` around it doesn't catch it.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import compress, islice
from operator import is_, itemgetter
from types import FrameType

_ENGINE = tuple(f"penstock.{room}." for room in ("run", "flow", "observe", "debug", "host"))

_MISPLACED = sys.version_info < (3, 12)
"""Whether the interpreter raises in a traced thread where no ``except`` finds it."""

_set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_exception.argtypes = (ctypes.c_ulong, ctypes.py_object)
_set_exception.restype = ctypes.c_int


def raise_in_body(ident: int, error: type[BaseException]) -> bool:
    """Raise `error` in the body that thread `ident` runs; False when it isn't in a body now.

    A body that waits in C gets it when it comes back from there.
    """
    frame = sys._current_frames().get(ident)
    if frame is None or not _is_body(frame) or (_MISPLACED and threading.gettrace() is not None):
        return False
    # The innermost frame is the one just judged as long as the thread hasn't moved.
    looks = map(itemgetter(ident), islice(iter(sys._current_frames, None), 1))
    there = compress([ctypes.c_ulong(ident)], map(partial(is_, frame), looks))
    return bool(sum(map(_set_exception, there, [ctypes.py_object(error)])) > 0)


def forget_raise(ident: int) -> None:
    """Take back what was asked for and has not been raised; on thread `ident` itself.

    Something harmless takes its place and is raised here. Merely clearing what was asked for
    leaves the interpreter's note that something is to be raised: every function call of every
    thread looks for it from then on, and with a trace function on 3.11 none gets past that.
    """
    with suppress(_Nothing):
        _set_exception(ident, _Nothing)
        while True:
            pass


class _Nothing(BaseException):
    """Raised instead of what is taken back."""


def _is_body(frame: FrameType) -> bool:
    """Whether the engine called what runs there, and that has not called the engine."""
    inward = [_is_engine(outer) for outer in _outward(frame)][::-1]
    if True not in inward:
        return False
    called = inward[inward.index(True) :]
    return False in called and True not in called[called.index(False) :]


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_engine(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(_ENGINE)
