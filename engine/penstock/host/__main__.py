"""``python -m penstock.host``: an engine in a process of its own, for the window that started it.

What it must know comes as one line of JSON on stdin: where the window listens, the key, and how the
engine is to be made. As soon as the connection is gone it ends, or stays for its jobs and listens,
as its window chose; at SIGTERM it ends.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from penstock.host.engine.hosted import HostedEngine
from penstock.host.engine.threads import HOST_THREAD
from penstock.host.serving.bell import Bell
from penstock.host.serving.output import OutputCapture
from penstock.host.serving.server import HostServer
from penstock.host.serving.staying import Fate, die_with_parent, end_with_parent
from penstock.host.serving.turns import Turns
from penstock.host.transport.connections import Connection, Gone, connect

NAME = "penstock.host"
BAD_INPUT = 2
CONNECT_SECONDS = 20.0
CLOSE_SECONDS = 3.0
FINISH_SECONDS = 2.0
_MAX_LINE = 16 * 1024 * 1024


def main() -> int:
    """Serve one window; returns the exit code."""
    faulthandler.enable()
    told = _told()
    if told is None:
        print("penstock.host is started by the window; see: penstock open --help", file=sys.stderr)
        return BAD_INPUT
    path = Path(told["path"])
    if not end_with_parent(told["parent"]):
        _sweep(path)
        return 1
    die_with_parent(told["when_window_goes"] == "end")
    if told["pipe"] is not None:
        os.set_inheritable(told["pipe"], False)
    os.environ.pop("PENSTOCK_LISTEN", None)  # asked of programs; this one has its window
    sys.argv[1:] = told["arguments"]
    try:
        connection = connect(path, bytes.fromhex(told["key"]), CONNECT_SECONDS)
    except (Gone, TimeoutError) as error:
        _sweep(path)
        print(f"penstock.host: {error}", file=sys.stderr)
        return 1
    over = End()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    _serve(connection, told, over)
    return 0


class End:
    """What the main thread waits for, told by any thread and by signals.

    The system may give a signal to any thread, which doesn't wake a main thread that waits for an
    event of `threading`, so nobody would hear it. Here each signal writes to what is waited for.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._here, self._there = socket.socketpair()
        self._there.setblocking(False)
        signal.set_wakeup_fd(self._there.fileno(), warn_on_full_buffer=False)
        self._mask = threading.local()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork,
                after_in_parent=self._after_fork,
                after_in_child=self._in_forked_child,
            )

    def set(self) -> None:
        """It is time; on any thread, and in the middle of `wait`."""
        self._is_set = True
        with suppress(BlockingIOError):  # full: it will be looked at
            self._there.send(b"\0")

    def wait(self) -> None:
        """Until it is time, or a flow has shut it; on the main thread."""
        while not self._is_set and self._here.recv(4096):
            pass

    # A process that a routine forks is to end by a signal as it would without us, also by one that
    # comes before it has come to itself: so that waits until nobody listens for it there any more.

    def _before_fork(self) -> None:
        self._mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _after_fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask.before)

    def _in_forked_child(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._after_fork()


def _sweep(path: Path) -> None:
    """Remove where a window listened that has gone before it could."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def _serve(connection: Connection, told: dict[str, Any], over: End) -> None:
    """Until there is nothing more to do, or `over` is set."""
    threading.current_thread().name = f"{HOST_THREAD}-main"
    bell = Bell(Turns())
    output = OutputCapture(bell.ring_softly)
    engine = HostedEngine(told["workers"], told["loop"], on_news=bell.ring, on_state=bell.hurry)
    fate = Fate(told["when_window_goes"], over.set, engine.submit, told["pipe"])
    server = HostServer(
        engine,
        bell,
        name=NAME,
        output=output,
        on_alone=fate.on_alone,
        on_when_gone=fate.choose,
    )
    output.install()
    server.attach(connection, "evaluate", told["when_window_goes"])
    over.wait()
    fate.close()
    engine.close(CLOSE_SECONDS)
    server.close(CLOSE_SECONDS)
    output.restore()


def _told() -> dict[str, Any] | None:
    """What the window says, None when it isn't a window that speaks."""
    try:
        told = json.loads(sys.stdin.buffer.readline(_MAX_LINE))
    except (AttributeError, ValueError):
        return None
    return told if isinstance(told, dict) and "key" in told else None


def _finish(code: int) -> None:
    """End at once if a thread of the user's would keep the process; else in order, but in time."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # nobody reads, or a flow has closed it
            stream.flush()
    ours = threading.main_thread(), threading.current_thread()
    if any(thread not in ours and not thread.daemon for thread in threading.enumerate()):
        os._exit(code)
    faulthandler.dump_traceback_later(FINISH_SECONDS, exit=True)
    sys.exit(code)


if __name__ == "__main__":
    _finish(main())
