"""`Peer`: one client of a server, and the two threads that tell it and listen to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Protocol

from penstock.host.crossing.codec import WireError, decode, encode
from penstock.host.crossing.commands import COMMAND_TYPES, Command
from penstock.host.crossing.launch import WhenWindowGoes
from penstock.host.crossing.protocol import Grant
from penstock.host.engine.threads import HOST_THREAD
from penstock.host.serving.outbox import Outbox
from penstock.host.serving.questions import nothing_of
from penstock.host.transport.connections import MAX_FRAME, Connection, Gone

FLUSH_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Server(Protocol):
    """What a client needs of its server; both are called on its own threads."""

    def carry_out(self, peer: Peer, command: Command) -> None:
        """Do what a client wants, if it may."""
        ...

    def left(self, peer: Peer) -> None:
        """A client's thread has found that it is gone."""
        ...


class Peer:
    """One client: its connection, what it may do, and what it is still to be told."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        grant: Grant,
        when_gone: WhenWindowGoes | None,
    ) -> None:
        self.connection = connection
        self.grant = grant
        self.outbox = Outbox()
        self.when_gone = when_gone
        self.lost_before = 0
        self.references: dict[int, None] = {}  # the one asked for last at the end
        self._is_dropped = False
        self._server = server
        self._threads = tuple(
            threading.Thread(target=run, name=f"{HOST_THREAD}-{name}", daemon=True)
            for run, name in ((self._write, "teller"), (self._read, "listener"))
        )

    def start(self) -> None:
        """Begin to listen, and to tell: who tells waits at the end for the one who listens."""
        for thread in reversed(self._threads):
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether a thread of it hasn't ended."""
        return any(thread.is_alive() for thread in self._threads)

    def drop(self) -> None:
        """It lets too much wait."""
        self._is_dropped = True
        self.cut()

    def cut(self) -> None:
        """Tell no more; what had come before is still heard. Its threads end soon."""
        self.outbox.close(discard=True)
        self.connection.close()

    def leave(self, flush_until: float) -> None:
        """Tell what waits until then, and leave."""
        self.outbox.close()
        self._threads[0].join(max(0.0, flush_until - monotonic()))
        self.cut()

    def join(self, timeout: float) -> None:
        """Until each of its threads has ended, or after so many seconds for it."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout)

    def _write(self) -> None:
        is_cut = True
        try:
            while (batch := self.outbox.take()) is not None:
                for frame in _frames(batch):
                    self.connection.send(frame)
            is_cut = self._is_dropped
        except Gone:
            pass
        except Exception:  # noqa: BLE001 -- border to the codec
            _log.exception("a client can't be told, and is let go")
            self.cut()
        if is_cut:
            # What it had said before, maybe what is to become of the jobs, is still to be heard.
            self._threads[1].join(FLUSH_SECONDS)
        self._server.left(self)

    def _read(self) -> None:
        try:
            while True:
                for command in decode(self.connection.receive()):
                    if not isinstance(command, COMMAND_TYPES):
                        raise WireError(f"a client sends no {type(command).__name__}")
                    self._server.carry_out(self, command)
        except (Gone, WireError):
            pass
        except Exception:  # noqa: BLE001 -- border to the engine
            _log.exception("a client's command failed, and the client is let go")
        self._server.left(self)


def _frames(batch: list[object]) -> Iterator[bytes]:
    """As few as will do; what can't be sent at all is logged, and told as nothing or not at all."""
    try:
        frame = encode(batch)
        if len(frame) <= MAX_FRAME:
            yield frame
            return
        problem = f"{len(frame):,} bytes"
    except WireError as error:
        problem = str(error)
    if len(batch) == 1:
        _log.error("%s isn't told: %s", type(batch[0]).__name__, problem)
        nothing = nothing_of(batch[0])
        if nothing not in (None, batch[0]):
            yield from _frames([nothing])
        return
    half = len(batch) // 2
    yield from _frames(batch[:half])
    yield from _frames(batch[half:])
