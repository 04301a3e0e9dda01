"""The client's end of a connection to a host: commands out, what is told in."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from time import time
from typing import cast

from penstock.host.crossing.codec import WireError, decode, encode
from penstock.host.crossing.commands import COMMAND_TYPES, Command, refusal
from penstock.host.crossing.protocol import (
    Answer,
    HostGone,
    HostUp,
    Printed,
    StartRefused,
    Told,
)
from penstock.host.engine.monitor import DISPLAY_CAPACITY
from penstock.host.serving.outbox import DISPLAY_CHARACTERS, weight
from penstock.host.transport.connections import MAX_FRAME, Connection, Gone
from penstock.observe import (
    FINAL_STATUSES,
    ActivationFailed,
    EngineEvent,
    JobEnded,
    JobHeld,
    JobProgress,
    JobStarted,
)

LOST = "LOST"
"""How a job has ended whose process is gone: nobody knows what it would have come to."""
MAX_CHARACTERS = 2 * DISPLAY_CHARACTERS
"""Of failures and printed text; a host may send half of it at once."""
_DISPLAY = (ActivationFailed, Printed)
_NEVER_TOLD = (*COMMAND_TYPES, HostGone)
_log = logging.getLogger(__name__)


class Inbox:
    """What was told and not drained yet; filled by a reader, emptied by whoever drains.

    State, replies and answers are always kept. Failures and printed text beyond the capacity, or
    `MAX_CHARACTERS`, are dropped and counted in `lost`; of counters beyond it the newest of each
    job stay, and the others are counted.

    ``_lock`` guards the buffer; never held while calling out.
    """

    def __init__(self, capacity: int = DISPLAY_CAPACITY) -> None:
        self.lost = 0
        self._capacity = capacity
        self._lock = threading.Lock()
        self._buffer: list[Told | Answer] = []
        self._display = 0
        self._characters = 0
        self._late: dict[str, JobProgress] = {}
        self._is_urgent = False
        self._on_urgent: Callable[[], object] | None = None

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Call that when anything but display has come: once until the next drain, on any thread.

        At once if such a thing is there already.
        """
        with self._lock:
            self._on_urgent = call
            is_urgent = self._is_urgent
        if is_urgent:
            call()

    def put(self, told: Iterable[Told | Answer]) -> None:
        """Keep what came, in its order."""
        with self._lock:
            was_urgent = self._is_urgent
            for one in told:
                self._put(one)
            call = self._on_urgent if self._is_urgent and not was_urgent else None
        if call is not None:
            call()

    def drain(self) -> tuple[Told | Answer, ...]:
        """Everything since the last call, events in order per job."""
        with self._lock:
            taken = (*self._buffer, *self._late.values())
            self._buffer.clear()
            self._late.clear()
            self._display = self._characters = 0
            self._is_urgent = False
        return taken

    def _put(self, one: Told | Answer) -> None:
        if isinstance(one, JobProgress) and one.status not in FINAL_STATUSES:
            if self._display < self._capacity:
                self._display += 1
                self._buffer.append(one)
                return
            self.lost += one.job_id in self._late
            self._late[one.job_id] = one
            return
        if isinstance(one, _DISPLAY):
            more = weight(one)
            if self._display >= self._capacity or self._characters + more > MAX_CHARACTERS:
                self.lost += 1
                return
            self._display += 1
            self._characters += more
        else:
            self._is_urgent = True
        if self._late and isinstance(one, EngineEvent) and one.job_id in self._late:
            self._buffer.append(self._late.pop(one.job_id))
        self._buffer.append(one)


class JobsHeard:
    """The jobs of one host that live, as far as was heard, and what runs in them.

    Heard of on the reader's thread, asked for on any: ``_lock`` guards the tables.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starting: dict[str, None] = {}
        self._live: dict[str, EngineEvent] = {}
        self._ran: dict[str, tuple[str, ...]] = {}

    @property
    def any_live(self) -> bool:
        """Whether a job lives here or is about to."""
        return bool(self._live or self._starting)

    def starting(self, job_id: str) -> None:
        """A start was asked for."""
        with self._lock:
            self._starting[job_id] = None

    def forget(self, job_id: str) -> None:
        """A start was asked for elsewhere instead."""
        with self._lock:
            self._starting.pop(job_id, None)

    def hear(self, told: Iterable[Told | Answer]) -> None:
        """Take in what was told."""
        with self._lock:
            for one in told:
                if isinstance(one, StartRefused):
                    self._starting.pop(one.job_id, None)
                elif isinstance(one, EngineEvent):
                    self._hear(one)

    def _hear(self, event: EngineEvent) -> None:
        job_id = event.job_id
        if isinstance(event, JobStarted):
            self._starting.pop(job_id, None)
        elif job_id not in self._live:
            return
        if isinstance(event, JobEnded):
            del self._live[job_id]
            self._ran.pop(job_id, None)
            return
        self._live[job_id] = event
        if isinstance(event, JobProgress):
            self._ran[job_id] = tuple(r for r, seen in event.routines.items() if seen.running)
        elif isinstance(event, JobHeld):
            self._ran[job_id] = tuple(dict.fromkeys(event.running))

    def lose(self, pid: int, text: str, output: str, asked: bool) -> Iterator[Told]:
        """What its end means: jobs are lost, oldest first, starts refused, the host is gone."""
        with self._lock:
            running = tuple((job_id, r) for job_id, ran in self._ran.items() for r in ran)
            live, starting = tuple(self._live.items()), tuple(self._starting)
            for table in (self._live, self._ran, self._starting):
                table.clear()
        for job_id, last in live:
            yield JobEnded(last.seq + 1, job_id, max(time(), last.time), LOST, None, {})
        for job_id in starting:
            yield StartRefused(job_id, f"the engine's process has ended: {text}", output)
        yield HostGone(pid, text, output, running, asked)


class Wire:
    """Two threads over a connection: one sends what is `commands`, one puts in what comes.

    ``on_up`` is called with the host's first words, ``on_gone`` with why nothing comes any more,
    ``on_told`` with all that comes once it is put in; on the reader's thread.
    """

    def __init__(
        self,
        connection: Connection,
        commands: SimpleQueue[Command | None],
        inbox: Inbox,
        jobs: JobsHeard,
        on_up: Callable[[HostUp], None],
        on_gone: Callable[[str], None],
        on_told: Callable[[Told | Answer], None] | None = None,
    ) -> None:
        self._connection = connection
        self._commands = commands
        self._inbox = inbox
        self._jobs = jobs
        self._on_up = on_up
        self._on_gone = on_gone
        self._on_told = on_told
        self._reader = threading.Thread(target=self._read, name="penstock-news", daemon=True)
        self._writer = threading.Thread(target=self._write, name="penstock-commands", daemon=True)
        self._reader.start()
        self._writer.start()

    def finish(self, timeout: float) -> None:
        """Leave once all commands are sent, or after so many seconds."""
        self._commands.put(None)
        self._writer.join(timeout)
        self.close()

    def close(self, timeout: float = 1.0) -> None:
        """Leave; what had come before is put in."""
        self._commands.put(None)
        self._connection.close()
        for thread in (self._reader, self._writer):
            thread.join(timeout)

    def wait_read(self, timeout: float) -> None:
        """Until the host's last words are read, or so many seconds."""
        self._reader.join(timeout)

    def _read(self) -> None:
        why = "the connection is closed"
        try:
            while True:
                told = _told(self._connection.receive())
                self._jobs.hear(told)
                for one in told:
                    if isinstance(one, HostUp):
                        self._on_up(one)
                self._inbox.put(told)
                if self._on_told is not None:
                    for one in told:
                        self._on_told(one)
        except (Gone, WireError) as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not leave a window waiting
            _log.exception("what a host told can't be taken in")
            why = f"what it told can't be taken in: {type(error).__name__}"
        self._on_gone(why)
        self._connection.close()  # the host needn't tell any more

    def _write(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                for frame in self._frames(batch):
                    self._connection.send(frame)
            except Gone:
                return  # the reader says it
            except Exception:  # noqa: BLE001 -- likewise
                _log.exception("commands can't be sent, and the connection is closed")
                self._connection.close()
                return

    def _next_batch(self) -> list[Command] | None:
        """All that waits; None once nothing more is to be sent."""
        first = self._commands.get()
        if first is None:
            return None
        batch = [first]
        while not self._commands.empty():
            another = self._commands.get()
            if another is None:
                self._commands.put(None)
                break
            batch.append(another)
        return batch

    def _frames(self, batch: list[Command]) -> Iterator[bytes]:
        """As one frame; what doesn't cross is refused, the rest sent one by one."""
        with suppress(WireError):
            frame = encode(batch)
            if len(frame) <= MAX_FRAME:
                yield frame
                return
        for command in batch:
            try:
                frame = encode([command])
            except WireError as error:
                self._refuse(command, str(error))
                continue
            if len(frame) <= MAX_FRAME:
                yield frame
            else:
                self._refuse(command, f"{len(frame):,} bytes are too many for a message")

    def _refuse(self, command: Command, text: str) -> None:
        told = refusal(command, text)
        self._jobs.hear((told,))
        self._inbox.put((told,))


def _told(frame: bytes) -> tuple[Told | Answer, ...]:
    """What a host tells; raises WireError for anything else."""
    told = decode(frame)
    for one in told:
        if isinstance(one, _NEVER_TOLD):
            raise WireError(f"a host tells no {type(one).__name__}")
    return cast("tuple[Told | Answer, ...]", told)


class Tail:
    """The last of what a process wrote."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: deque[bytes] = deque()
        self._length = 0

    def add(self, data: bytes) -> None:
        """What came next; called on one thread."""
        self._parts.append(data)
        self._length += len(data)
        while self._length - len(self._parts[0]) >= self._size:
            self._length -= len(self._parts.popleft())

    def text(self) -> str:
        """As text; what isn't UTF-8 is shown as an escape."""
        data = b"".join(tuple(self._parts))[-self._size :]
        return data.decode("utf-8", "backslashreplace")
