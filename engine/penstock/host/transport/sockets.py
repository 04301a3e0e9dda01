"""Private folders, key files and local sockets: all that differs between systems is here.

Where there are no local sockets, a port of 127.0.0.1 chosen by chance stands in; its number is in
the file where the socket would be.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path

from penstock.host.transport.handshake import KEY_BYTES

KEY_SUFFIX = ".key"
BACKLOG = 8
_UNIX = hasattr(socket, "AF_UNIX")
_PATH_BYTES = 107 if sys.platform == "linux" else 103
_SHORT_BYTES = 60  # leaves room for a folder and a name
_PEER = struct.Struct("3i")


def private_folder(folder: Path) -> Path:
    """Make it with mode 0700, or check that it is one: no link, ours, closed to everybody else.

    Raises PermissionError for another one.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or not _is_private(found):
        raise PermissionError(
            errno.EPERM, "expected a folder of this user with mode 0700", str(folder)
        )
    return folder


def fresh_folder() -> Path:
    """A new private folder whose path is short enough for a socket in it."""
    return Path(tempfile.mkdtemp(prefix="penstock-", dir=_short_folders()[0]))


def shared_folders() -> tuple[Path, ...]:
    """Where processes of this user may meet, the best place first; not made here.

    There are several because a process may lack what another's environment says.
    """
    name = f"penstock-{os.getuid()}" if hasattr(os, "getuid") else "penstock"
    return tuple(base / name for base in _short_folders())


def _short_folders() -> list[Path]:
    """The user's own folder for sockets, where the system has one, and those for what passes."""
    named = [Path(os.environ.get("XDG_RUNTIME_DIR", "")), Path(tempfile.gettempdir()), Path("/tmp")]
    return [
        path
        for path in dict.fromkeys(named)
        if path.is_absolute()
        and len(os.fsencode(path)) <= _SHORT_BYTES
        and path.is_dir()
        and os.access(path, os.W_OK | os.X_OK)
    ] or [Path(tempfile.gettempdir())]


def _is_private(found: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True  # a folder of the user is closed to others there by inheritance
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def key_path(path: Path) -> Path:
    """Where the key of what listens at `path` is."""
    return path.with_name(path.name + KEY_SUFFIX)


def write_private(path: Path, data: bytes) -> None:
    """A new file that only we may read; raises FileExistsError."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)


def read_key(path: Path) -> bytes:
    """The key of what listens at `path`; raises OSError, also for a file that isn't ours alone."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(key_path(path), flags), "rb") as file:
        if not _is_private(os.fstat(file.fileno())):
            raise PermissionError(errno.EPERM, "others may read this key", str(file.name))
        return file.read(KEY_BYTES + 1)


def bind(path: Path) -> socket.socket:
    """Listening, not blocking; raises OSError, also for a path too long for a socket."""
    if _UNIX:
        if len(os.fsencode(path)) > _PATH_BYTES:
            raise OSError(
                errno.ENAMETOOLONG, f"above {_PATH_BYTES} bytes, too long for a socket", str(path)
            )
        bound = socket.socket(socket.AF_UNIX)
        try:
            bound.bind(os.fspath(path))
            os.chmod(path, 0o600)
        except BaseException:
            bound.close()
            raise
    else:
        bound = socket.socket(socket.AF_INET)
        try:
            bound.bind(("127.0.0.1", 0))
            write_private(path, str(bound.getsockname()[1]).encode())
        except BaseException:
            bound.close()
            raise
    bound.listen(BACKLOG)
    bound.setblocking(False)
    return bound


def dial(path: Path, timeout: float) -> socket.socket:
    """Connected, with that time-out; raises OSError, or ValueError for a file that is no port."""
    dialled = socket.socket(socket.AF_UNIX if _UNIX else socket.AF_INET)
    try:
        dialled.settimeout(max(0.001, timeout))
        dialled.connect(os.fspath(path) if _UNIX else ("127.0.0.1", int(path.read_text())))
    except BaseException:
        dialled.close()
        raise
    return dialled


def is_ours(peer: socket.socket) -> bool:
    """Whether the other side is a process of our user, as far as the system tells."""
    if peer.family == socket.AF_INET or not hasattr(socket, "SO_PEERCRED"):
        return True
    found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(found)
    return bool(uid == os.geteuid())
