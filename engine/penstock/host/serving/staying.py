"""What a host does once its window is gone: it ends, or stays for its jobs and listens."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from penstock.host.crossing.commands import Command, Resume
from penstock.host.crossing.launch import WhenWindowGoes
from penstock.host.crossing.protocol import Grant
from penstock.host.engine.threads import HOST_THREAD
from penstock.host.serving.attaching import Door, new_listener, printable_name
from penstock.host.serving.server import HostServer

GRANT: Grant = "control"
"""What windows may do that come later; its flows are started, and no other code is brought in."""
_BLOCK = 65_536
_PR_SET_PDEATHSIG = 1


class Fate:
    """Sees to it that a host ends, or stays, as its window chose; and then, when it is over.

    ``end`` is called when it is time to. ``submit`` has a command carried out by the engine.
    ``pipe`` is the end that is read of the pipe this process prints to, None where there is none:
    as long as this process has it, nobody who prints finds the pipe broken.

    `choose` and `close` may be called on any thread, `on_alone` is for the server's. ``_lock``
    guards the choice and the door; never held while calling out.
    """

    def __init__(
        self,
        choice: WhenWindowGoes,
        end: Callable[[], None],
        submit: Callable[[Command], None],
        pipe: int | None,
    ) -> None:
        self._lock = threading.Lock()
        self._choice: WhenWindowGoes = choice
        self._stays = False
        self._end = end
        self._submit = submit
        self._pipe = pipe
        self._door: Door | None = None
        self._closed = False

    def choose(self, choice: WhenWindowGoes) -> None:
        """The window has said what it wants; who comes after it isn't heard."""
        with self._lock:
            if self._stays:
                return
            self._choice = choice
            die_with_parent(choice == "end")

    def on_alone(self, server: HostServer) -> None:
        """Nobody is connected: end unless there is something to stay for."""
        flows = server.live_flows()
        with self._lock:
            begins = not self._stays
            if begins and self._choice != "end" and flows:
                self._stays = True
            stays = self._stays and bool(flows)
        if begins:
            self._leave_pipe(drain=stays)
        if not stays:
            self._end()
        elif begins:
            server.name = printable_name(flows[0]) or server.name
            self._listen(server)

    def close(self) -> None:
        """Be found by nobody any more, also where listening is only just beginning."""
        with self._lock:
            self._closed = True
            door = self._door
        if door is not None:
            door.close()

    def _listen(self, server: HostServer) -> None:
        try:
            door = Door(server, new_listener(), GRANT)
        except OSError:
            self._submit(Resume(None))  # nobody could ever come to do it
            return
        with self._lock:
            self._door = door
            closed = self._closed
        if closed:
            door.close()

    def _leave_pipe(self, *, drain: bool) -> None:
        """Print to nowhere; what prints to the pipe all the same goes on, and isn't kept."""
        pipe, self._pipe = self._pipe, None
        if drain:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(nowhere, number)
            os.close(nowhere)
        if pipe is None:
            return
        if drain:
            threading.Thread(
                target=_drain, args=(pipe,), name=f"{HOST_THREAD}-drain", daemon=True
            ).start()
        else:
            os.close(pipe)


def _drain(pipe: int) -> None:
    """Read until nobody prints there any more, such as a program that a routine has started."""
    with suppress(OSError):
        while os.read(pipe, _BLOCK):
            pass
    os.close(pipe)


def end_with_parent(parent: int) -> bool:
    """See to it that this process doesn't outlive its window, even where no Python code can run.

    False when the window has gone already.

    Normally the end of the connection is noticed, and what runs is cancelled. But a routine in a C
    call that keeps the interpreter to itself would hide that for as long as it likes. So Linux is
    asked for a signal when the window dies; see `die_with_parent` for what that does.
    """
    if sys.platform != "linux":
        return True
    die_with_parent(True)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1.value)
    return os.getppid() == parent  # else it died before that was asked for


def die_with_parent(dies: bool) -> None:
    """Whether the signal of the window's death ends this process; on any thread.

    It calls the C library's ``alarm``: with the signal's number, which ends the process after as
    many seconds unless it has ended before. Or ``abs``, which does nothing: to ignore the signal
    would be inherited by every program that a routine starts.
    """
    if sys.platform != "linux":
        return
    c = ctypes.CDLL(None)
    c.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    c.signal.restype = ctypes.c_void_p
    c.signal(signal.SIGUSR1.value, ctypes.cast(c.alarm if dies else c.abs, ctypes.c_void_p))
