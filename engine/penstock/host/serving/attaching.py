"""Programs that a window can attach to: `listen` in the program, `listening` to find them."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic, time
from types import TracebackType
from typing import Self

import msgspec

from penstock.host.crossing.protocol import Grant
from penstock.host.engine.hosted import HostedEngine
from penstock.host.serving.bell import Bell
from penstock.host.serving.output import OutputCapture
from penstock.host.serving.server import GRANTS, HostServer
from penstock.host.transport.connections import AUTH_SECONDS, Connection, Gone, Listener, connect
from penstock.host.transport.sockets import (
    KEY_SUFFIX,
    dial,
    key_path,
    private_folder,
    read_key,
    shared_folders,
    write_private,
)
from penstock.run import Runtime

VARIABLE = "PENSTOCK_LISTEN"
_SUFFIX = ".json"
_HALF = ".new"
_NOTES = (_SUFFIX, _SUFFIX + _HALF)
_MAX_NAMES = 100
_MAX_NAME = 200
_MAX_FILE = 16_384
_DIAL_SECONDS = 0.5
_EXIT_SECONDS = 1.0
_log = logging.getLogger(__name__)
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Listening:
    """A program of this user that windows can attach to.

    ``grant`` is what it lets them do, ``since`` when it began to listen (wall-clock seconds).
    """

    pid: int
    name: str
    path: str
    grant: Grant
    since: float


class Door:
    """Where windows come in to a server, and the note by which `listening` finds it.

    It is called as the server is. The listener is closed with the server, or here if no note can be
    written, which raises OSError.
    """

    def __init__(self, server: HostServer, listener: Listener, grant: Grant) -> None:
        self.info = Listening(os.getpid(), server.name, str(listener.path), grant, time())
        self.note = listener.path.with_name(listener.path.name + _SUFFIX)
        try:
            _announce(self.note, self.info)
        except OSError:
            listener.close()
            raise
        server.listen(listener, grant)

    def close(self) -> None:
        """Be found no more; who has come in stays."""
        self.note.unlink(missing_ok=True)


class Host:
    """A program's side of `listen`; closing it (or leaving its context) lets all windows go.

    ``runtime`` is the one whose jobs are seen.
    """

    def __init__(self, runtime: Runtime | None, grant: Grant, name: str, output: bool) -> None:
        self._closing = threading.Lock()  # held while closing, so that a second call waits
        self._closed = False
        listener = new_listener()
        self._owns = runtime is None
        self.runtime = Runtime() if runtime is None else runtime
        bell = Bell()
        self._engine = HostedEngine(runtime=self.runtime, on_news=bell.ring)
        self._output = OutputCapture(bell.ring_softly) if output else None
        self._server = HostServer(self._engine, bell, name=name, output=self._output)
        try:
            self._door = Door(self._server, listener, grant)
        except OSError:
            self._server.close()
            self._engine.close()
            if self._owns:
                self.runtime.shutdown()
            raise
        if self._output is not None:
            self._output.install()
        self.info = self._door.info
        atexit.register(self.close, _EXIT_SECONDS)

    def close(self, timeout: float = 5.0) -> None:
        """Leave all windows and end listening, within `timeout` seconds; idempotent.

        Jobs that a window holds go on, unless it asked for them to stay held. A runtime that
        `listen` made is shut down, another one goes on.
        """
        if os.getpid() != self.info.pid:
            return  # a forked child: all of it is its parent's
        deadline = monotonic() + timeout
        with self._closing:
            if self._closed:
                return
            self._closed = True
            atexit.unregister(self.close)
            self._door.close()
            self._server.close(timeout)
            self._engine.close(max(0.0, deadline - monotonic()))
            if self._output is not None:
                self._output.restore()
            if self._owns:
                self.runtime.shutdown(timeout=max(0.0, deadline - monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def listen(
    runtime: Runtime | None = None,
    *,
    grant: Grant = "control",
    name: str | None = None,
    output: bool = False,
) -> Host:
    """Let windows of this user attach to this program, and see the jobs of `runtime`.

    Without one a runtime is made, the result's ``runtime``. With the grant ``view`` a window
    only looks, with ``control`` it also steers jobs, with ``evaluate`` it may also start flows in
    this program, which imports their code. `name` is what the window calls the program. With
    `output` it also shows what the program prints: ``sys.stdout`` and ``sys.stderr`` are replaced
    for that, and write on to where they wrote.

        with Runtime() as runtime, penstock.host.listen(runtime):
            runtime.exec(flow).wait()

    Raises ValueError for another grant, OSError where it can't listen. On any thread.
    """
    if grant not in GRANTS:
        raise ValueError(f"grant: expected one of {', '.join(GRANTS)}, got {grant!r}")
    asked.answer_by_hand(runtime)
    return Host(runtime, grant, printable_name(_program() if name is None else name), output)


def listening() -> tuple[Listening, ...]:
    """The programs of this user on this machine that listen now, oldest first.

    What dead ones left behind is removed. On any thread; takes milliseconds.
    """
    found = [info for folder in shared_folders() for info in _found_in(folder)]
    return tuple(sorted(found, key=lambda info: (info.since, info.pid, info.path)))


def attach(info: Listening, timeout: float = AUTH_SECONDS) -> Connection:
    """A connection to a program that listens; raises Gone, or TimeoutError after `timeout`."""
    path = Path(info.path)
    try:
        key = read_key(path)
        return connect(path, key, timeout)
    except (OSError, ValueError) as error:
        if isinstance(error, TimeoutError | Gone):
            raise
        raise Gone(f"{info.name} ({info.pid}) doesn't listen any more: {error}") from error


class _Asked:
    """Whether the environment asks this program to listen: answered once, by the first runtime.

    ``_lock`` guards both; held while a host is made or closed, which comes back here never.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._answered = False
        self._host: Host | None = None

    def answer(self, runtime: Runtime) -> None:
        """The program made a runtime."""
        with self._lock:
            if self._answered:
                return
            self._answered = True
            value = os.environ.get(VARIABLE, "")
            grant = next((known for known in GRANTS if known == value), None)
            if value == "1":
                grant = "control"
            if grant is None:
                if value not in ("", "0"):
                    _log.warning("%s=%s: expected 1 or a grant; doesn't listen", VARIABLE, value)
                return
            try:
                self._host = Host(runtime, grant, printable_name(_program()), output=False)
            except OSError as error:  # the program didn't ask for it itself, and must go on
                _log.warning("%s: can't listen: %s", VARIABLE, error)

    def answer_by_hand(self, runtime: Runtime | None) -> None:
        """The program listens by itself, and better knows how."""
        with self._lock:
            self._answered = True
            host = self._host
            if host is not None and host.runtime is runtime:
                self._host = None
                host.close()


asked = _Asked()


def new_listener() -> Listener:
    """In the best folder there is; raises OSError where there is none.

    A name may be taken by what a killed process of the same number has left: in a container they
    are often the same.
    """
    problem = OSError(errno.ENOENT, "there is no folder for sockets")
    for folder in shared_folders():
        for _ in range(_MAX_NAMES):
            name = f"{os.getpid()}-{next(_numbers)}"
            try:
                if not _is_taken(folder / name):
                    return Listener(folder, name)
            except OSError as error:
                problem = error
                break
    raise problem


def _is_taken(path: Path) -> bool:
    """Whether anything lies where a listener, its key or its note would be."""
    return any(os.path.lexists(f"{path}{ending}") for ending in ("", KEY_SUFFIX, *_NOTES))


def _announce(path: Path, info: Listening) -> None:
    """All at once, so that nobody reads half of it."""
    half = path.with_name(path.name + _HALF)
    write_private(half, msgspec.json.encode(info))
    half.replace(path)


def _found_in(folder: Path) -> Iterator[Listening]:
    try:
        if not folder.exists():
            return
        files = sorted(private_folder(folder).glob(f"*{_SUFFIX}"))
    except OSError:
        return  # another user's, or not to be trusted
    for file in files:
        info = _read(file)
        if info is None:
            continue
        if _is_alive(info):
            yield info
        else:
            path = Path(info.path)
            for left in (file, key_path(path), path):
                left.unlink(missing_ok=True)


def _read(file: Path) -> Listening | None:
    try:
        with file.open("rb") as opened:
            info = msgspec.json.decode(opened.read(_MAX_FILE), type=Listening)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return info if info.path + _SUFFIX == str(file) else None


def _is_alive(info: Listening) -> bool:
    """Whether something answers there; the number of its process may be another's by now."""
    try:
        dial(Path(info.path), _DIAL_SECONDS).close()
    except (TimeoutError, BlockingIOError):
        return True  # it is stopped, or in a C call, and so many have knocked that none fits in
    except (OSError, ValueError):
        return False
    return True


def _program() -> str:
    """What a person would call this program."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    script = sys.argv[0] if sys.argv else ""
    return Path(script).name or "python"


def printable_name(name: str) -> str:
    """What a program is called, without anything that could hide or reorder what is around it."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return printable[:_MAX_NAME]
