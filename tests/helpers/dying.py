"""Routines that end the process they run in, or won't let it end; a flow folder like `gated`."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from helpers.gated import mark_passed, wait_at
from penstock import Event, Routine, Slot

FOLDER = Path(__file__).parent
WAITS = 10.0


def _prints() -> None:
    print("to stdout", flush=True)
    os.write(2, b"last words\n")
    os._exit(3)


def _keeps_the_interpreter() -> None:
    """One C call that lets no other thread run, for longer than any test waits."""
    sum(range(10**12))


def _hangs_up() -> None:
    """Break every connection of this process, which goes on."""
    for number in range(3, 256):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as one:
            one.shutdown(socket.SHUT_RDWR)
    threading.Event().wait()


WAYS: dict[str, Callable[[], object]] = {
    "exits": lambda: os._exit(3),
    "prints": _prints,
    "crashes": lambda: ctypes.string_at(0),
    "aborts": os.abort,
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "keeps the interpreter": _keeps_the_interpreter,
    "hangs up": _hangs_up,
    "ends it by a signal": lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM),
    "goes on": lambda: None,
}


class Dies(Routine):
    """Waits at its gate, then does what it is told."""

    done = Event(str)

    class Config(BaseModel):
        way: str = "goes on"
        gate: str = ""

    def logic(self) -> None:
        if self.config.gate:
            wait_at(Path(self.config.gate))
            mark_passed(Path(self.config.gate))
        WAYS[self.config.way]()
        self.done.emit(self.config.way)


class Tells(Routine):
    """What the process it runs in was given."""

    about = Event(dict)

    class Config(BaseModel):
        variable: str = ""

    def logic(self) -> None:
        self.about.emit(
            {
                "pid": os.getpid(),
                "arguments": sys.argv[1:],
                "folder": os.getcwd(),
                "variable": os.environ.get(self.config.variable, ""),
                "safe": "" not in sys.path and os.getcwd() not in sys.path,
            }
        )


class Forks(Routine):
    """Forks a process that waits, and has it end."""

    about = Event(dict)

    def logic(self) -> None:
        child = multiprocessing.get_context("fork").Process(target=threading.Event().wait)
        child.start()
        child.terminate()
        child.join(WAITS)
        self.about.emit({"exitcode": child.exitcode})
        child.kill()


class Spawns(Routine):
    """Starts a process that waits for ever; or a copy of itself that is meant to stay."""

    pid = Event(int)

    class Config(BaseModel):
        stays: bool = False
        gate: str = ""

    def logic(self) -> None:
        if self.config.stays:
            pid = _fork()
        else:
            wait = "import threading; threading.Event().wait()"
            pid = subprocess.Popen([sys.executable, "-c", wait]).pid
        self.pid.emit(pid)
        wait_at(Path(self.config.gate))


class Writes(Routine):
    """Leaves a file behind, to tell that it ran."""

    class Config(BaseModel):
        path: str

    def logic(self) -> None:
        Path(self.config.path).touch()


class Notes(Routine):
    """Leaves a file behind for what it gets, to tell that it came."""

    what = Slot(object)

    class Config(BaseModel):
        path: str

    def logic(self, what: object) -> None:
        Path(self.config.path).touch()


class Talks(Routine):
    """Prints more than a pipe holds once it is let go, and so does a program it has started."""

    done = Event(int)

    class Config(BaseModel):
        gate: str
        child: str

    def logic(self) -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, self.config.child], stderr=subprocess.DEVNULL
        )
        wait_at(Path(self.config.gate))
        for number in range(_LINES):
            print(number, "x" * 100)
        os.write(1, _LINES * 100 * b"y")
        self.done.emit(child.wait())
        print("the end")


_LINES = 2_000
_CHILD = f"""
import sys
open(sys.argv[1]).read()
for _ in range({_LINES}):
    print("z" * 100, flush=True)
"""


def _fork() -> int:
    """A copy of this process in a session of its own, with all it has open."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        while True:
            signal.pause()
    return pid


def flow_of(kind: str, **config: Any) -> dict[str, object]:
    """One routine ``it`` of a kind; the contents of a flow file."""
    return {
        "version": 1,
        "name": kind,
        "folders": [str(FOLDER)],
        "routines": {"it": {"type": f"dying:{kind}", "config": config}},
        "connections": [],
    }
