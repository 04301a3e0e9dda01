"""Frames of bytes between two processes of one user, who prove that they know the same key.

The standard library's ``multiprocessing.connection`` doesn't fit: its ``accept`` authenticates one
peer after the other and waits for ever for one that is silent, before 3.12 it proves the key with
HMAC-MD5, a frame may be of any length, and it asks nobody who they are.

Here the peers go through `handshake` first, in a folder that only the user can enter; on Linux the
other side must also be a process of the same user. After that a frame is four bytes of length,
big-endian, and as many bytes. Whatever is wrong closes the connection. Nothing here logs, prints
or shows a key.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import struct
import threading
import weakref
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from time import monotonic

from penstock.host.transport.handshake import KEY_BYTES, Unproved, as_client, as_host, check_key
from penstock.host.transport.sockets import (
    bind,
    dial,
    is_ours,
    key_path,
    private_folder,
    write_private,
)

MAX_FRAME = 64 * 1024 * 1024
"""A flow's file of 10 MB is at most this as a JSON text; counters of 1,000 routines are 0.5 MB."""
AUTH_SECONDS = 5.0
MAX_PENDING = 8
"""Peers that may be in authentication at a time; a true one needs a few milliseconds."""
_CHUNK = 256 * 1024
_PAUSE = 1.0
_LENGTH = struct.Struct(">I")
_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


class Gone(ConnectionError):
    """The other side left, sent what it must not, or isn't who it should be; the text says it."""


class Connection:
    """An authenticated peer. One thread may send while one receives; `close` is for any thread."""

    def __init__(self, ready: socket.socket) -> None:
        self._socket = ready
        _sockets.add(ready)
        self._received = bytearray()
        self._sending = threading.Lock()  # held while in `send`, so that `close` can wait for it
        self._receiving = threading.Lock()  # held while in `receive`, likewise

    def send(self, data: bytes) -> None:
        """Send one frame, waiting for as long as the peer doesn't read; raises Gone.

        Raises ValueError for an empty frame or one above `MAX_FRAME`, of which nothing is sent.
        """
        if not 0 < len(data) <= MAX_FRAME:
            raise ValueError(f"a frame of {len(data):,} bytes; 1 to {MAX_FRAME:,} can be sent")
        with self._sending:
            try:
                self._socket.sendall(_LENGTH.pack(len(data)) + data)
            except OSError as error:
                raise Gone(f"the other side left: {_why(error)}") from error

    def receive(self, timeout: float | None = None) -> bytes:
        """The next frame; raises Gone, or TimeoutError after so many seconds without all of it.

        What came of a frame before a time-out is kept for the next call.
        """
        deadline = None if timeout is None else monotonic() + timeout
        with self._receiving:
            self._read_up_to(_LENGTH.size, deadline)
            (length,) = _LENGTH.unpack_from(self._received)
            if not 0 < length <= MAX_FRAME:
                self._shut()
                raise Gone(f"the other side announced a frame of {length:,} bytes")
            self._read_up_to(_LENGTH.size + length, deadline)
            data = bytes(memoryview(self._received)[_LENGTH.size :])
            self._received = bytearray()
            return data

    def close(self) -> None:
        """Leave; a `send` or `receive` under way raises Gone. Idempotent."""
        self._shut()
        # A socket must not be closed under a thread that is about to use its number.
        with self._sending, self._receiving:
            self._socket.close()

    def _shut(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read_up_to(self, size: int, deadline: float | None) -> None:
        """Memory grows with what came, not with what was announced."""
        while (left := size - len(self._received)) > 0:
            try:
                if deadline is not None and not wait(
                    [self._socket], max(0.0, deadline - monotonic())
                ):
                    raise TimeoutError("the other side sent nothing in time")
                chunk = self._socket.recv(min(left, _CHUNK))
            except TimeoutError:
                raise
            except (OSError, ValueError) as error:  # ValueError: the socket was closed before
                raise Gone(f"the other side left: {_why(error)}") from error
            if not chunk:
                raise Gone("the other side left")
            self._received += chunk


class Listener:
    """Lets peers who know the key connect to ``folder/name``.

    Without `key` a new one is written to ``folder/name.key``, mode 0600. The folder is made, or
    checked by `private_folder`. One thread at a time is in `accept`; `stop` and `close` are for any
    thread. ``refused`` counts the peers that were turned away.
    """

    def __init__(self, folder: Path, name: str, key: bytes | None = None) -> None:
        self.path = private_folder(folder) / name
        self.refused = 0
        self._key = secrets.token_bytes(KEY_BYTES) if key is None else key
        self._key_path = None if key is not None else key_path(self.path)
        self._accepting = threading.Lock()  # held while in `accept`, so that `close` can wait
        self._closed = False
        self._pid = os.getpid()
        self._paused_until = 0.0
        check_key(self._key)
        self._socket = bind(self.path)
        _sockets.add(self._socket)
        try:
            if self._key_path is not None:
                write_private(self._key_path, self._key)
            self._selector = selectors.DefaultSelector()
            self._woken, self._waker = socket.socketpair()
        except BaseException:
            self._socket.close()
            self.path.unlink(missing_ok=True)
            raise
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._pending: list[_Pending] = []
        self._waking = threading.Lock()

    @property
    def key(self) -> bytes:
        """What a peer has to know. For handing on by a pipe or private file only."""
        return self._key

    def accept(self, timeout: float | None = None) -> Connection:
        """The next peer that has proved itself; raises TimeoutError, or Gone once closed.

        Peers prove themselves only while somebody is in here; a silent one holds up nobody.
        """
        deadline = None if timeout is None else monotonic() + timeout
        with self._accepting:
            while True:
                now = monotonic()
                self._let_go_late(now)
                if self._closed:
                    raise Gone("nothing listens here any more")
                if deadline is not None and now >= deadline:
                    raise TimeoutError("nobody connected in time")
                ready = self._selector.select(self._patience(now, deadline))
                for key, _ in ready:
                    if key.fileobj is self._socket:
                        self._take_peer()
                    elif key.data is not None:
                        connection = self._go_on_with(key.data)
                        if connection is not None:
                            return connection

    def stop(self) -> None:
        """Stop listening: an `accept` under way raises Gone. Returns at once; `close` it later."""
        self._closed = True
        with self._waking, suppress(OSError):
            self._waker.send(b"x")

    def close(self) -> None:
        """Stop listening and remove what was made here; connections stay. Idempotent."""
        self.stop()
        with self._accepting:
            if self._waker.fileno() < 0:
                return
            for pending in tuple(self._pending):
                self._forget(pending).close()
            self._selector.close()
            with self._waking:  # a socket must not be closed under who is about to use its number
                for each in (self._socket, self._woken, self._waker):
                    each.close()
        if os.getpid() == self._pid:  # what a forked child closes is its parent's
            self.path.unlink(missing_ok=True)
            if self._key_path is not None:
                self._key_path.unlink(missing_ok=True)

    def _patience(self, now: float, deadline: float | None) -> float | None:
        moments = [pending.deadline for pending in self._pending]
        if self._paused_until:
            moments.append(self._paused_until)
        if deadline is not None:
            moments.append(deadline)
        return max(0.0, min(moments) - now) if moments else None

    def _let_go_late(self, now: float) -> None:
        for pending in tuple(self._pending):
            if pending.deadline <= now:
                self._refuse(pending)
        if self._paused_until and self._paused_until <= now:
            self._paused_until = 0.0
            self._selector.register(self._socket, selectors.EVENT_READ)

    def _take_peer(self) -> None:
        try:
            peer, _ = self._socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # No file numbers are left: it would be tried again and again without a pause.
            self._selector.unregister(self._socket)
            self._paused_until = monotonic() + _PAUSE
            return
        if not is_ours(peer):
            self.refused += 1
            peer.close()
            return
        if len(self._pending) >= MAX_PENDING:
            self._refuse(self._pending[0])  # so long no true peer needs
        peer.setblocking(False)
        pending = _Pending(peer, self._key)
        self._pending.append(pending)
        self._selector.register(peer, selectors.EVENT_READ, pending)

    def _go_on_with(self, pending: _Pending) -> Connection | None:
        if pending not in self._pending:  # turned away since the selector spoke of it
            return None
        try:
            proved = pending.go_on()
        except (OSError, Unproved):
            self._refuse(pending)
            return None
        return Connection(_blocking(self._forget(pending))) if proved else None

    def _refuse(self, pending: _Pending) -> None:
        self.refused += 1
        self._forget(pending).close()

    def _forget(self, pending: _Pending) -> socket.socket:
        self._pending.remove(pending)
        self._selector.unregister(pending.peer)
        return pending.peer


def connect(path: Path, key: bytes, timeout: float = AUTH_SECONDS) -> Connection:
    """To what listens at `path`; raises Gone, or TimeoutError after so many seconds."""
    check_key(key)
    deadline = monotonic() + timeout
    try:
        peer = dial(path, timeout)
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise Gone(f"nothing answers at {path}: {_why(error)}") from error
    try:
        if not is_ours(peer):
            raise Gone(f"what listens at {path} is another user's")
        _prove(peer, key, deadline)
    except BaseException:
        peer.close()
        raise
    return Connection(_blocking(peer))


class _Pending:
    """A peer whose proof a listener waits for."""

    def __init__(self, peer: socket.socket, key: bytes) -> None:
        self.peer = peer
        self.deadline = monotonic() + AUTH_SECONDS
        self._steps = as_host(key)
        _, self._need = next(self._steps)
        self._got = b""

    def go_on(self) -> bool:
        """Read what there is; whether the peer has proved itself. Raises OSError or `Unproved`."""
        while self._need:
            try:
                chunk = self.peer.recv(self._need - len(self._got))
            except BlockingIOError:
                return False
            if not chunk:
                raise Unproved("left before it proved itself")
            self._got += chunk
            if len(self._got) == self._need:
                answer, self._need = self._steps.send(self._got)
                self._got = b""
                # Less than any send buffer holds.
                if answer and self.peer.send(answer) != len(answer):
                    raise Unproved("doesn't read")
        return True


def _prove(peer: socket.socket, key: bytes, deadline: float) -> None:
    """The client's side, waiting; raises Gone or TimeoutError."""
    steps = as_client(key)
    got = b""
    try:
        answer, need = next(steps)
        while True:
            peer.settimeout(max(0.001, deadline - monotonic()))
            peer.sendall(answer)
            while len(got) < need:
                peer.settimeout(max(0.001, deadline - monotonic()))
                chunk = peer.recv(need - len(got))
                if not chunk:
                    raise Gone("the other side refused: it has another key or other limits")
                got += chunk
            answer, need = steps.send(got)
            got = b""
    except StopIteration:
        return
    except Unproved as error:
        raise Gone(str(error)) from None
    except (TimeoutError, Gone):
        raise
    except OSError as error:
        raise Gone(f"the other side left: {_why(error)}") from error


def _blocking(peer: socket.socket) -> socket.socket:
    peer.settimeout(None)
    return peer


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _close_in_child() -> None:
    """A forked child would keep ends open that the other side must see closed as we die."""
    for each in tuple(_sockets):
        each.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
