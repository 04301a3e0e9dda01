"""Frames between processes: only for those who know the key, and nothing wrong gets through."""

from __future__ import annotations

import hmac
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from helpers.waiting import Call, until
from penstock.host.transport import connections as transport
from penstock.host.transport import handshake, sockets
from penstock.host.transport.connections import (
    MAX_FRAME,
    MAX_PENDING,
    Connection,
    Gone,
    Listener,
    connect,
)
from penstock.host.transport.handshake import KEY_BYTES, MAGIC, Unproved, as_client, as_host
from penstock.host.transport.sockets import fresh_folder, private_folder, read_key, shared_folders

DEADLINE = 10.0
KEY = bytes(range(KEY_BYTES))
WRONG = bytes(KEY_BYTES)


@pytest.fixture(params=["local socket", "port"])
def family(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On both kinds of socket; the second is what systems without the first use."""
    if request.param == "port":
        monkeypatch.setattr(sockets, "_UNIX", False)
    return str(request.param)


@pytest.fixture
def listener(family: str, tmp_path: Path) -> Iterator[Listener]:
    made = Listener(private(tmp_path), "here", KEY)
    yield made
    made.close()


def private(path: Path) -> Path:
    path.chmod(0o700)
    return path


class Accepting:
    """A thread that accepts until the listener is closed."""

    def __init__(self, listener: Listener) -> None:
        self.accepted: list[Connection] = []
        self._listener = listener
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self.accepted.append(self._listener.accept())
            except Gone:
                return

    def end(self) -> None:
        self._listener.close()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        for connection in self.accepted:
            connection.close()


@pytest.fixture
def accepting(listener: Listener) -> Iterator[Accepting]:
    made = Accepting(listener)
    yield made
    made.end()


@pytest.fixture
def pair(listener: Listener, accepting: Accepting) -> Iterator[tuple[Connection, Connection]]:
    here = connect(listener.path, KEY)
    until(lambda: accepting.accepted)
    yield here, accepting.accepted[0]
    here.close()


def raw(listener: Listener) -> socket.socket:
    """A peer that does as it likes."""
    return sockets.dial(listener.path, DEADLINE)


def send(connection: Connection, frames: list[bytes]) -> None:
    for frame in frames:
        connection.send(frame)


# ---- frames


def test_frames_arrive_whole_and_in_order_both_ways(pair: tuple[Connection, Connection]) -> None:
    here, there = pair
    frames = [b"a", b"x" * 300_000, b"\x00\xff", b"[" * 70_000, b"z"]

    sending = Call(lambda: send(here, frames))
    got = [there.receive(DEADLINE) for _ in frames]
    sending.result()

    assert got == frames
    there.send(b"back")
    assert here.receive(DEADLINE) == b"back"


@pytest.mark.parametrize("size", [0, MAX_FRAME + 1])
def test_a_frame_of_a_wrong_size_is_refused_where_it_is_sent(
    pair: tuple[Connection, Connection], size: int
) -> None:
    here, there = pair

    with pytest.raises(ValueError, match=f"{size:,} bytes"):
        here.send(bytes(size))

    here.send(b"good")
    assert there.receive(DEADLINE) == b"good"


@pytest.mark.parametrize("length", [0, MAX_FRAME + 1, 2**32 - 1])
def test_a_length_beyond_the_limit_ends_the_connection(
    pair: tuple[Connection, Connection], length: int
) -> None:
    here, there = pair

    here._socket.sendall(length.to_bytes(4, "big") + b"x" * 100)

    with pytest.raises(Gone, match=f"{length:,} bytes"):
        there.receive(DEADLINE)
    with pytest.raises(Gone):
        here.receive(DEADLINE)


def test_what_came_before_a_time_out_is_kept(pair: tuple[Connection, Connection]) -> None:
    here, there = pair

    with pytest.raises(TimeoutError):
        there.receive(0)
    here._socket.sendall(b"\x00\x00\x00\x05wh")
    with pytest.raises(TimeoutError):
        there.receive(0.01)
    here._socket.sendall(b"ole\x00")
    assert there.receive(DEADLINE) == b"whole"
    here._socket.sendall(b"\x00\x00\x01!")
    assert there.receive(DEADLINE) == b"!"


def test_a_peer_that_left_is_gone_after_its_last_frame(pair: tuple[Connection, Connection]) -> None:
    here, there = pair
    here.send(b"last")
    here.close()

    assert there.receive(DEADLINE) == b"last"
    with pytest.raises(Gone, match="left"):
        there.receive(DEADLINE)
    assert "left" in str(Call(lambda: send(there, [b"x"] * 1000)).error())
    there.close()
    with pytest.raises(Gone):
        there.receive(DEADLINE)
    with pytest.raises(Gone):
        there.receive()
    there.close()


def test_a_peer_that_leaves_in_a_frame_is_gone(pair: tuple[Connection, Connection]) -> None:
    here, there = pair
    here._socket.sendall(b"\x00\x00\x00\x05wh")
    here.close()

    with pytest.raises(Gone):
        there.receive(DEADLINE)


def test_closing_ends_a_receive_and_a_send_under_way(pair: tuple[Connection, Connection]) -> None:
    here, _ = pair
    receiving = Call(here.receive)
    sending = Call(lambda: send(here, [b"x" * MAX_FRAME] * 4))
    until(lambda: here._receiving.locked() and here._sending.locked())

    here.close()

    assert type(receiving.error()) is Gone
    assert type(sending.error()) is Gone


# ---- who gets in


def test_another_key_is_refused_on_both_sides(listener: Listener, accepting: Accepting) -> None:
    with pytest.raises(Gone, match="another key"):
        connect(listener.path, WRONG)

    until(lambda: listener.refused == 1)
    with connected(listener):
        until(lambda: accepting.accepted)
    assert len(accepting.accepted) == 1


@contextmanager
def connected(listener: Listener) -> Iterator[Connection]:
    connection = connect(listener.path, KEY)
    yield connection
    connection.close()


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "post": b"POST /run HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "long length": b"\xff\xff\xff\xff" + b"x" * 100,
    "nearly": MAGIC[:-1] + b"x",
    "a frame": b'\x00\x00\x00\x1c[["Pause",{"job_id":null}]]\n',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_the_first_wrong_byte_closes(listener: Listener, accepting: Accepting, name: str) -> None:
    with raw(listener) as peer:
        peer.sendall(GARBAGE[name])
        assert received(peer) == b""
    until(lambda: listener.refused == 1)
    assert not accepting.accepted


def is_there(peer: socket.socket) -> bool:
    try:
        return peer.recv(100) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def received(peer: socket.socket) -> bytes:
    """All that comes until the other side leaves."""
    parts = []
    try:
        while part := peer.recv(1000):
            parts.append(part)
    except ConnectionError:  # it left without having read all of ours
        pass
    return b"".join(parts)


def hello(version: int = handshake.VERSION) -> bytes:
    return MAGIC + bytes([version]) + bytes(32)


def test_one_wrong_byte_is_enough(listener: Listener, accepting: Accepting) -> None:
    with raw(listener) as peer:
        peer.sendall(MAGIC[:3] + b"?")  # the rest never comes
        assert received(peer) == b""


def test_nothing_is_proved_to_a_peer_that_has_not(listener: Listener, accepting: Accepting) -> None:
    with raw(listener) as peer:
        peer.sendall(hello() + bytes(32))
        assert len(received(peer)) == len(hello())
    assert listener.refused == 1


def test_another_version_is_told_so(
    listener: Listener, accepting: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw(listener) as peer:
        peer.sendall(hello(version=9) + answer_to(hello(version=9), peer))
        assert received(peer) == b""
    until(lambda: listener.refused == 1)

    steps = as_client(KEY)
    next(steps)
    with pytest.raises(Unproved, match="version 9 of the protocol, not 1"):
        feed(steps, hello(version=9))


def answer_to(said: bytes, peer: socket.socket) -> bytes:
    """What a client that knows the key would prove, whatever version it said."""
    peer.sendall(said)
    theirs = peer.recv(len(said), socket.MSG_WAITALL)[-32:]
    text = b"client" + bytes([handshake.VERSION]) + said[-32:] + theirs
    return hmac.digest(KEY, text, "sha256")


def test_a_proof_is_good_once_and_for_one_side_only() -> None:
    host, client = as_host(KEY), as_client(KEY)
    first, _ = next(client)
    next(host)
    sent: list[bytes] = [feed(host, first)]
    sent.append(feed(client, sent[-1]))
    again = as_host(KEY)
    next(again)
    feed(again, first)

    with pytest.raises(Unproved):
        again.send(sent[-1])  # other chance bytes of the host
    with pytest.raises(Unproved):
        client.send(sent[-1])  # its own proof


def feed(steps: handshake.Steps, data: bytes) -> bytes:
    """Gives a side a hello, byte by byte as it wants it; what it says to that."""
    for byte in data[: len(MAGIC) + 1]:
        said, _ = steps.send(bytes([byte]))
    said, _ = steps.send(data[len(MAGIC) + 1 :])
    return said


def test_what_listens_has_to_prove_itself_too(tmp_path: Path) -> None:
    private(tmp_path)

    assert "something else" in meeting(tmp_path, b"HTTP/1.1 400 Bad Request\r\n" + bytes(100))
    assert "authentication failed" in meeting(tmp_path, hello() + bytes(32))
    assert "other limits" in meeting(tmp_path, hello()[:20])
    with Listening(tmp_path) as silent, pytest.raises(TimeoutError):
        connect(silent.path, KEY, timeout=0.05)
    with pytest.raises(Gone, match="nothing answers"):
        connect(tmp_path / "nobody", KEY)


def meeting(folder: Path, data: bytes) -> str:
    """What a client is told that meets something saying this."""
    with Listening(folder) as false:
        false.says(data)
        with pytest.raises(Gone) as caught:
            connect(false.path, KEY)
        return str(caught.value)


class Listening:
    """Something that listens and knows no key."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "false"
        self._socket = sockets.bind(self.path)
        self._socket.setblocking(True)
        self._saying: Call | None = None

    def says(self, data: bytes) -> None:
        def say() -> None:
            peer, _ = self._socket.accept()
            with peer:
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                received(peer)

        self._saying = Call(say)

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *error: object) -> None:
        if self._saying is not None:
            self._saying.result()
        self._socket.close()
        self.path.unlink()


def test_silent_peers_hold_up_nobody_and_are_let_go(
    listener: Listener, accepting: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = [raw(listener) for _ in range(MAX_PENDING)]
    for peer in silent:
        peer.sendall(MAGIC)
    until(lambda: len(listener._pending) == MAX_PENDING)

    with connected(listener):  # the one that waited longest gives way
        until(lambda: accepting.accepted)

    assert received(silent[0]) == b""
    monkeypatch.setattr(transport, "AUTH_SECONDS", 0.05)
    late = raw(listener)
    begin = monotonic()
    assert received(late) == b""
    assert monotonic() - begin < DEADLINE / 2
    assert listener.refused == 2
    for peer in (*silent, late):
        peer.close()


def test_a_peer_that_sends_a_byte_now_and_then_is_let_go(
    listener: Listener, accepting: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "AUTH_SECONDS", 0.2)
    sent = b""
    with raw(listener) as peer:
        peer.settimeout(0.01)
        while is_there(peer):
            sent = (hello() + bytes(1000))[: len(sent) + 1]
            with suppress(ConnectionError):
                peer.sendall(sent[-1:])
    assert len(sent) < 75


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no users there")
def test_a_process_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "AUTH_SECONDS", 1000.0)
    listener = Listener(private(tmp_path), "here", KEY)
    accepting = Accepting(listener)
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)

    with pytest.raises(Gone, match="another user's"):
        connect(listener.path, KEY)
    with raw(listener) as peer:
        assert received(peer) == b""

    until(lambda: listener.refused == 2)
    accepting.end()


AS_NOBODY = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
try:
    peer.connect(sys.argv[1])
    print("refused" if peer.recv(1) == b"" else "welcome")
except ConnectionError:
    print("refused")
except PermissionError:
    print("no entry")
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can try")
def test_another_user_does_not_get_in_even_where_the_folder_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "AUTH_SECONDS", 1000.0)
    folder = fresh_folder()
    listener = Listener(folder, "here", KEY)
    accepting = Accepting(listener)

    assert as_nobody(listener.path) == "no entry"
    folder.chmod(0o711)
    listener.path.chmod(0o666)
    assert as_nobody(listener.path) == "refused"

    until(lambda: listener.refused == 1)
    accepting.end()
    folder.rmdir()


def as_nobody(path: Path) -> str:
    """What a process of another user meets there."""
    command = [sys.executable, "-I", "-c", AS_NOBODY, str(path)]
    # Coverage isn't measured in it: nobody may write where its data goes.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)
    return (done.stdout + done.stderr).strip()


# ---- places


def test_folder_socket_and_key_are_for_us_only_and_leave_with_the_listener(
    family: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    before = os.umask(0)
    try:
        listener = Listener(folder, "here")
    finally:
        os.umask(before)

    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "here": 0o600,
        "here.key": 0o600,
    }
    assert read_key(listener.path) == listener.key
    assert len(listener.key) == KEY_BYTES
    other = Listener(folder, "other")
    assert other.key != listener.key
    for made in (listener, other):
        made.close()
        made.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(Gone):
        listener.accept(0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_that_was_given_is_nowhere(listener: Listener, tmp_path: Path) -> None:
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    assert KEY not in listener.path.name.encode()
    assert KEY.hex() not in repr(listener) + str(vars(listener).keys())


@pytest.mark.parametrize("bits", [0o755, 0o770, 0o701])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)

    with pytest.raises(PermissionError, match="mode 0700"):
        Listener(tmp_path, "here")
    assert list(tmp_path.iterdir()) == []


def test_a_link_or_another_users_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "file").touch(mode=0o600)

    with pytest.raises(PermissionError):
        private_folder(tmp_path / "link")
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "file")
    assert private_folder(real) == real
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(PermissionError):
        private_folder(real)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    listener = Listener(private(tmp_path), "here")
    key = sockets.key_path(listener.path)

    key.chmod(0o640)
    with pytest.raises(PermissionError, match="others may read"):
        read_key(listener.path)
    key.rename(tmp_path / "away")
    key.symlink_to(tmp_path / "away")
    with pytest.raises(OSError, match="symbolic"):
        read_key(listener.path)
    listener.close()


def test_a_name_that_is_taken_is_refused_and_nothing_is_left(family: str, tmp_path: Path) -> None:
    private(tmp_path)
    (tmp_path / "here.key").touch()

    with pytest.raises(FileExistsError):
        Listener(tmp_path, "here")
    assert [path.name for path in tmp_path.iterdir()] == ["here.key"]
    first = Listener(tmp_path, "other", KEY)
    with pytest.raises(OSError, match=r"in use|exists"):
        Listener(tmp_path, "other", KEY)
    first.close()


def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long for a socket"):
        Listener(private(tmp_path), "x" * 108, KEY)
    assert list(tmp_path.iterdir()) == []


def test_folders_for_sockets_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = tmp_path / ("x" * 90), Path(fresh_folder())
    long.mkdir()

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    assert shared_folders()[0].parent == short
    made = fresh_folder()
    assert made.parent == short
    assert mode(made) == 0o700
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert all(len(os.fsencode(path)) < 80 for path in shared_folders())
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert all(path.is_absolute() for path in shared_folders())
    made.rmdir()
    short.rmdir()


def test_a_listener_without_file_numbers_waits_for_some(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    real = listener._socket

    class Full:
        def accept(self) -> Any:
            tries.append(monotonic())
            if len(tries) == 1:
                raise OSError(24, "Too many open files")
            return real.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(transport, "_PAUSE", 0.1)
    full = Full()
    listener._selector.unregister(real)
    listener._socket = full  # type: ignore[assignment]
    listener._selector.register(full, 1)
    accepting = Accepting(listener)
    with connected(listener):
        until(lambda: accepting.accepted)
    assert 2 <= len(tries) <= 3
    assert tries[1] - tries[0] >= 0.1
    accepting.end()


def test_accepting_ends_with_its_time_or_the_listener(listener: Listener) -> None:
    with pytest.raises(TimeoutError):
        listener.accept(0)
    with pytest.raises(TimeoutError):
        listener.accept(0.02)
    accepting = Call(listener.accept)
    until(listener._accepting.locked)
    listener.close()
    assert type(accepting.error()) is Gone


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_a_key_of_another_length_is_refused(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Listener(private(tmp_path), "here", key)
    with pytest.raises(ValueError, match="32 bytes"):
        connect(tmp_path / "here", key)
    assert list(tmp_path.iterdir()) == []
