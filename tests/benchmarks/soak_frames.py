"""A host under attack: whatever comes from whom isn't its window, nothing of it is carried out.

    python tests/benchmarks/soak_frames.py [--count 10000] [--seed 0]

A host in a process of its own counts the commands it carries out. Against it go, from somebody
who knows the key and steers, frames in which bytes were changed, added or taken away, and lengths
of up to 4 GiB; from others web requests, wrong keys, replayed proofs, chance bytes, a byte now and
then or none, and a process of another user. Meanwhile a true client comes now and then. Fails
(exit 1) if any command but the true client's was carried out, if that one wasn't served, or if the
host's memory grew by 50 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from penstock.host import BreakpointSpec, ControlChanged, HostUp, RoutineValues
from penstock.host.crossing.codec import WireError, decode, encode
from penstock.host.crossing.commands import (
    AskValues,
    Cancel,
    Command,
    Pause,
    Resume,
    SetBreakpoints,
    Start,
    TakeControl,
)
from penstock.host.serving.bell import Bell
from penstock.host.serving.server import HostServer
from penstock.host.transport import handshake, sockets
from penstock.host.transport.connections import Connection, Gone, Listener, connect
from penstock.host.transport.sockets import fresh_folder

GROWTH = 50 * 1024 * 1024
SILENT = 50
TRUE_EVERY = 100
WAIT = 30.0
TRUE = Cancel("true")
WHEN_ONE_LEAVES: tuple[Command, ...] = (SetBreakpoints(()), Resume(None))


# ---- the host, in a process of its own


class Counting:
    """An engine that only counts what it is told to do."""

    is_moving = False
    lost = 0

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._asked: list[RoutineValues] = []
        self.true = 0
        self.false: list[str] = []

    def submit(self, command: Command) -> None:
        if command == AskValues("true", "client"):
            self._asked.append(RoutineValues("true", "client", {}, {}))
            self._bell.ring()
        elif command == TRUE:
            self.true += 1
        elif command not in WHEN_ONE_LEAVES:
            self.false.append(repr(command))

    def drain(self) -> tuple[Any, ...]:
        taken, self._asked = tuple(self._asked), []
        return taken


def host() -> None:
    """Listens until stdin ends; answers each line there with what it did and its memory."""
    bell = Bell()
    engine = Counting(bell)
    server = HostServer(engine, bell, name="under attack")
    folder = fresh_folder()
    listener = Listener(folder, "host")
    server.listen(listener, "evaluate")
    print(listener.path, flush=True)
    for _ in sys.stdin:
        told = {
            "true": engine.true,
            "false": engine.false,
            "memory": memory(),
            "refused": listener.refused,
        }
        print(json.dumps(told), flush=True)
    server.close()
    folder.rmdir()


def memory() -> int:
    """Resident bytes of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class HostProcess:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.path = Path(self._line())
        self.key = sockets.read_key(self.path)

    def state(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._line())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(WAIT)
        self._process.stdout.close()
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit("the host has ended")
        return line


# ---- what is sent

FRAMES = [
    encode([Pause(None), Cancel("1")]),
    encode([SetBreakpoints(tuple(BreakpointSpec(n, "place", True, None) for n in range(20)))]),
    encode([Start("7", '{"name": "flow"}', "/tmp", {"a.value": [1, {"x": "y" * 200}, None]})]),
    encode([Cancel("\udcff")]),
    encode([]),
]


def mutated(chance: random.Random) -> bytes:
    """A frame with its length, of which no command can be read any more."""
    while True:
        raw = changed(chance)
        if not means_commands(raw):
            return raw


def changed(chance: random.Random) -> bytes:
    data = chance.choice(FRAMES)
    raw = bytearray(len(data).to_bytes(4, "big") + data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(raw) or 1)
        match chance.randrange(4):
            case 0:
                raw[place : place + 1] = bytes(
                    b ^ 1 << chance.randrange(8) for b in raw[place : place + 1]
                )
            case 1:
                raw[place : place + 1] = chance.randbytes(chance.randrange(1, 9))
            case 2:
                del raw[place : place + chance.randrange(1, 9)]
            case 3:
                raw[place:place] = raw[: chance.randrange(60)]
    return bytes(raw)


def means_commands(raw: bytes) -> int:
    """How many commands a host may read from these bytes: some changes give another true frame."""
    commands = 0
    while len(raw) >= 4:
        length = int.from_bytes(raw[:4], "big")
        if len(raw) < 4 + length or not length:
            break
        try:
            commands += len(decode(raw[4 : 4 + length]))
        except WireError:
            break
        raw = raw[4 + length :]
    return commands


REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /commands HTTP/1.1\r\nContent-Length: 28\r\n\r\n" + FRAMES[0],
    b"OPTIONS * HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"SSH-2.0-OpenSSH_9.6\r\n",
    len(FRAMES[0]).to_bytes(4, "big") + FRAMES[0],
    b"\xff\xff\xff\xff" + FRAMES[0],
    handshake.MAGIC + b"\xff\xff\xff\xff" * 20,
    handshake.MAGIC + bytes([handshake.VERSION]) + bytes(64) + FRAMES[0],
]


def unproved(path: Path, data: bytes, pieces: int = 1) -> None:
    """Send it, in pieces, and whatever comes back is thrown away."""
    with sockets.dial(path, WAIT) as peer, suppress(OSError):
        size = -(-len(data) // pieces)
        for begin in range(0, len(data), size):
            peer.sendall(data[begin : begin + size])
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass


def wrong_key(target: HostProcess, chance: random.Random) -> None:
    key = bytearray(target.key)
    key[chance.randrange(len(key))] ^= 1 << chance.randrange(8)
    try:
        connect(target.path, bytes(key), WAIT).close()
    except Gone:
        return
    raise SystemExit("a wrong key was good")


def replayed(target: HostProcess, chance: random.Random) -> None:
    """What a true client said once, said again."""
    steps = handshake.as_client(target.key)
    said, _ = next(steps)
    with sockets.dial(target.path, WAIT) as peer:
        peer.sendall(said)
        hello = peer.recv(len(said), socket.MSG_WAITALL)
        for byte in hello[: len(handshake.MAGIC) + 1]:
            steps.send(bytes([byte]))
        proof, _ = steps.send(hello[len(handshake.MAGIC) + 1 :])
    unproved(target.path, said + proof + FRAMES[0], chance.choice((1, 3)))


def proved(target: HostProcess, raw: bytes) -> None:
    """Wrong frames by somebody who knows the key and steers."""
    connection = steering(target)
    with suppress(Gone, OSError):
        connection._socket.sendall(raw)
        connection._socket.shutdown(socket.SHUT_WR)
        while True:
            connection.receive(WAIT)
    connection.close()


def steering(target: HostProcess) -> Connection:
    """The one who steers; who did before may not have been seen to leave yet."""
    connection = connect(target.path, target.key, WAIT)
    (up, *_) = decode(connection.receive(WAIT))
    assert isinstance(up, HostUp)
    if not up.in_control:
        connection.send(encode([TakeControl()]))
        assert decode(connection.receive(WAIT)) == (ControlChanged(in_control=True),)
    return connection


def huge(target: HostProcess, chance: random.Random) -> None:
    """A long frame announced by somebody who knows the key, of which little comes."""
    length = chance.choice((2**32 - 1, 2**31, 64 * 1024 * 1024 + 1, 64 * 1024 * 1024))
    connection = steering(target)
    with suppress(OSError):
        connection._socket.sendall(length.to_bytes(4, "big") + bytes(chance.randrange(100_000)))
    connection.close()


AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(sys.argv[1])
            peer.sendall(bytes.fromhex(sys.argv[3]))
            print(len(peer.recv(100)))
        except ConnectionError:
            print(0)
"""


def as_nobody(target: HostProcess, times: int) -> int:
    """Peers of another user, as if the folder were open to them; how many tried."""
    if os.geteuid() != 0:
        print("another user: not tried, as only root can")
        return 0
    data = handshake.MAGIC + bytes([handshake.VERSION]) + bytes(32)
    target.path.parent.chmod(0o711)
    target.path.chmod(0o666)
    command = [sys.executable, "-I", "-c", AS_NOBODY, str(target.path), str(times), data.hex()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=True)
    target.path.chmod(0o600)
    target.path.parent.chmod(0o700)
    answers = done.stdout.split()
    if answers != ["0"] * times:
        raise SystemExit(f"another user was answered: {answers}")
    return times


class Slow:
    """Clients that say nothing, or a byte now and then, for as long as they are let."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._over = threading.Event()
        self.tried = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            peers = [sockets.dial(self._path, WAIT) for _ in range(4)]
            self.tried += len(peers)
            for byte in handshake.MAGIC:
                for peer in peers[:2]:
                    with suppress(OSError):
                        peer.sendall(bytes([byte]))
                if self._over.wait(0.05):
                    break
            for peer in peers:
                peer.close()

    def close(self) -> None:
        self._over.set()
        self._thread.join()


def true_client(target: HostProcess) -> None:
    """A window is served all the while."""
    connection = steering(target)
    connection.send(encode([TRUE, AskValues("true", "client")]))
    while not any(isinstance(one, RoutineValues) for one in decode(connection.receive(WAIT))):
        pass
    connection.close()


def campaign(target: HostProcess, count: int, chance: random.Random) -> dict[str, int]:
    """What was done, and how often."""
    sent: dict[str, int] = {}
    for number in range(count):
        kind = chance.choices(
            ["mutated", "huge", "request", "chance bytes", "wrong key", "replayed"],
            [70, 5, 10, 5, 5, 5],
        )[0]
        match kind:
            case "mutated":
                proved(target, mutated(chance))
            case "huge":
                huge(target, chance)
            case "request":
                unproved(target.path, chance.choice(REQUESTS), chance.choice((1, 5)))
            case "chance bytes":
                unproved(target.path, chance.randbytes(chance.randrange(1, 3000)))
            case "wrong key":
                wrong_key(target, chance)
            case "replayed":
                replayed(target, chance)
        sent[kind] = sent.get(kind, 0) + 1
        if number % TRUE_EVERY == 0:
            true_client(target)
            sent["true client"] = sent.get("true client", 0) + 1
    return sent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--host", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host:
        host()
        return 0
    target = HostProcess()
    try:
        return judged(target, options.count, random.Random(options.seed))
    finally:
        target.close()


def judged(target: HostProcess, count: int, chance: random.Random) -> int:
    warm = campaign(target, 200, chance)
    before = target.state()
    begin = time.monotonic()
    slow = Slow(target.path)
    try:
        sent = campaign(target, count, chance)
    finally:
        slow.close()
    sent |= {"slow": slow.tried, "another user": as_nobody(target, SILENT)}
    seconds = time.monotonic() - begin
    true_client(target)
    after = target.state()
    growth = after["memory"] - before["memory"]
    for kind, many in sent.items():
        print(f"{kind:14} {many:6,}")
    true = warm["true client"] + sent["true client"] + 1
    print(
        f"true commands carried out: {after['true']} of {true}; others: {len(after['false'])}\n"
        f"peers refused before they were heard: {after['refused']:,}\n"
        f"host's memory: {growth / 1e6:+.1f} MB of {before['memory'] / 1e6:.1f}; {seconds:.0f} s"
    )
    for command in after["false"][:10]:
        print(f"carried out: {command[:200]}")
    good = after["true"] == true and not after["false"] and growth < GROWTH
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
