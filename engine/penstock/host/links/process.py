"""`HostProcess`: the link to an engine in a process of its own, from its start to its end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

from penstock.errors import PenstockError
from penstock.host.crossing.commands import (
    AskCounters,
    AskFlow,
    AskSnapshot,
    AskSources,
    AskThreads,
    AskValues,
    Command,
    MakeWay,
    SetBreakpoints,
    Start,
    WhenGone,
    refusal,
)
from penstock.host.crossing.launch import LaunchSettings, WhenWindowGoes
from penstock.host.crossing.protocol import Answer, HostUp, SourcesChanged, Told
from penstock.host.links.interpreter import host_command, host_environment, kill_all
from penstock.host.links.wire import Inbox, JobsHeard, Tail, Wire
from penstock.host.transport.connections import Gone, Listener
from penstock.host.transport.handshake import KEY_BYTES
from penstock.host.transport.sockets import fresh_folder

if sys.platform == "linux":
    import fcntl

START_SECONDS = 30.0
LEAVE_SECONDS = 4.0
OUTPUT_BYTES = 65_536
PIPE_BYTES = 1_048_576
"""As much as a user may have wait in a pipe, unless the system is set otherwise."""
_GRACE_SECONDS = 0.4
_LAST_WORDS_SECONDS = 0.25
_FLUSH_SECONDS = 0.5
_NAME = "host"
_UNHEARD = (SetBreakpoints, AskThreads, AskSnapshot, AskValues, AskFlow, AskSources)
_POSIX = os.name == "posix"
_log = logging.getLogger(__name__)


class HostProcess:
    """A link that starts a host when the first job needs it, and a fresh one after its end.

    Every call but `close` returns at once; all that takes time is done on this link's threads. Its
    hosts live one after the other: the next one is started when the end of the former is told.
    ``settings`` are those of the next host. A start for which they have changed gets a fresh one,
    and so does one after a source file was changed that the present one has imported; unless jobs
    still live there. What becomes of a host without its window is as the last start has it.

    Counters needn't be asked for: a host tells them by itself.
    """

    def __init__(self, settings: LaunchSettings | None = None) -> None:
        self.settings = LaunchSettings() if settings is None else settings
        self._inbox = Inbox()
        self._lock = threading.Lock()  # guards what follows; never held while calling out
        self._host: _Host | None = None
        self._held: list[Command] | None = None  # until the host has looked at the sources
        self._breakpoints = SetBreakpoints(())
        self._hosts: SimpleQueue[_Host | None] = SimpleQueue()
        self._life: threading.Thread | None = None
        self._living: _Host | None = None  # written by that thread
        self._closed = False
        self._has_parted = False

    @property
    def lost(self) -> int:
        """Display events that were dropped because nobody drained in time."""
        return self._inbox.lost

    @property
    def answers(self) -> bool:
        """Whether there is a host, be it one that is starting."""
        return self._host is not None

    def send(self, command: Command) -> None:
        """Have a command carried out; a `Start` brings up a host if there is none."""
        if isinstance(command, AskCounters | MakeWay):
            return
        with self._lock:
            if isinstance(command, SetBreakpoints):
                self._breakpoints = command
            before = self._host
            host = self._host_for(command) if isinstance(command, Start) else before
            if host is not None:
                looks = isinstance(command, Start) and host is before and host.may_be_old
                if looks or self._held is not None:
                    self._hold(host, command)
                    return
                host.send(command)
                return
        if not isinstance(command, _UNHEARD):
            text = "the engine is closed" if self._closed else "there is no engine to do it"
            self._inbox.put((refusal(command, text),))

    def when_urgent(self, call: Callable[[], object]) -> None:
        """Call that, on any thread, when anything but display is to be drained."""
        self._inbox.when_urgent(call)

    def drain(self) -> tuple[Told | Answer, ...]:
        """What was told since the last call."""
        return self._inbox.drain()

    def kill(self) -> None:
        """End the host and all it has started at once; does nothing when there is none."""
        host = self._forget()
        if host is not None:
            host.kill()

    def restart(self) -> None:
        """Let the host end what it does, and be killed if it doesn't; the next start has another.

        Does nothing when there is none.
        """
        host = self._forget()
        if host is not None:
            host.leave(LEAVE_SECONDS)

    def choose(self, when_gone: WhenWindowGoes) -> None:
        """Say what becomes of the present host without this link, instead of its settings.

        Does nothing when there is none.
        """
        with self._lock:
            if self._host is not None:
                self._host.choose(when_gone)

    def close(self, timeout: float = 5.0) -> None:
        """Leave, within `timeout` seconds; idempotent.

        The host is ended, by force where it must be. One that has live jobs, and is to stay, stays.
        """
        deadline = monotonic() + timeout
        patience = max(0.0, timeout - 2 * _GRACE_SECONDS)
        with self._lock:
            self._closed = True
            host, self._host = self._host, None
            held, self._held = self._held or (), None
            life = self._life
        if life is None or self._has_parted:
            return
        self._hosts.put(None)
        if host is not None:
            self._has_parted = host.stays and host.part(held, patience)
            if self._has_parted:
                return
            host.leave(max(0.0, deadline - 2 * _GRACE_SECONDS - monotonic()))
        life.join(max(0.0, deadline - _GRACE_SECONDS - monotonic()))
        living = self._living
        if living is not None:
            living.kill()
        life.join(max(0.0, deadline - monotonic()))

    def _forget(self) -> _Host | None:
        with self._lock:
            host, self._host, self._held = self._host, None, None
        return host

    # ---- under the lock

    def _hold(self, host: _Host, command: Command) -> None:
        """Keep it and what follows until the host has looked at its sources."""
        if self._held is None:
            self._held = []
            host.send(AskSources())
        self._held.append(command)
        if isinstance(command, Start):
            host.jobs.starting(command.job_id)

    def _host_for(self, start: Start) -> _Host | None:
        """The present host if it fits, else another."""
        if self._closed:
            return None
        folder = None if start.folder is None else Path(start.folder)
        settings = self.settings.resolved(folder)
        host = self._host
        if host is not None:
            present = replace(host.settings, when_window_goes=settings.when_window_goes)
            if present != settings and not host.jobs.any_live:
                host.leave(LEAVE_SECONDS)
                host = None
        if host is None:
            return self._fresh(settings)
        host.choose(settings.when_window_goes)
        return host

    def _fresh(self, settings: LaunchSettings) -> _Host:
        """The next host, which lives once the present one has ended."""
        host = self._host = _Host(settings, self._inbox, self._on_sources)
        host.send(self._breakpoints)
        self._hosts.put(host)
        if self._life is None:
            self._life = threading.Thread(target=self._live, name="penstock-host-life", daemon=True)
            self._life.start()
        return host

    # ---- on its threads

    def _on_sources(self, host: _Host, changed: SourcesChanged) -> None:
        """What was held goes on, in a fresh host if the present one is too old."""
        with self._lock:
            held = self._held
            if host is not self._host or held is None:
                return
            self._held = None
            if changed.paths:
                for command in held:
                    if isinstance(command, Start):
                        host.jobs.forget(command.job_id)
                settings = replace(host.settings, when_window_goes=host.when_gone)
                host.leave(LEAVE_SECONDS)
                host = self._fresh(settings)
            for command in held:
                host.send(command)

    def _live(self) -> None:
        """One host after the other. This thread is their parent: they may die when it does."""
        while (host := self._hosts.get()) is not None:
            self._living = host
            try:
                end = host.live()
            except Exception as error:  # noqa: BLE001 -- a fault must not leave a window waiting
                _log.exception("a host's life went wrong")
                host.kill()
                end = f"can't be started: {type(error).__name__}: {error}"
            self._living = None
            with self._lock:
                if self._host is host:
                    self._host = self._held = None
            # What was sent until now waits in vain; it is refused among the rest.
            self._inbox.put(host.last_words(end))


class _Host:
    """One process, from its start to its end, and what is known of it.

    Threads, all of them over soon after the process: the link's, in `live`; one that makes the
    connection and sees to it that the process goes when it is to; one that reads its output; two of
    the `Wire`. ``_lock`` guards the process against a signal after its number is free.
    """

    def __init__(
        self,
        settings: LaunchSettings,
        inbox: Inbox,
        on_sources: Callable[[_Host, SourcesChanged], None],
    ) -> None:
        self.settings = settings
        self.jobs = JobsHeard()
        self._on_sources = on_sources
        self._has_run = False
        self._commands: SimpleQueue[Command | None] = SimpleQueue()
        self._inbox = inbox
        self._tail = Tail(OUTPUT_BYTES)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: Listener | None = None
        self._when_gone = settings.when_window_goes
        self._up = threading.Event()
        self._parts = False
        self._parted = threading.Event()
        self._asked = ""
        self._broken = ""
        self._leaves = threading.Event()
        self._patience = LEAVE_SECONDS
        self._over = threading.Event()
        self._oom_kills = _oom_kills()

    # ---- on any thread

    @property
    def may_be_old(self) -> bool:
        """Whether it may have imported what is different now, and no job would miss it."""
        return self._has_run and not self.jobs.any_live

    def send(self, command: Command) -> None:
        """Queue a command for it; it may still be starting."""
        if isinstance(command, Start):
            self._has_run = True
            self.jobs.starting(command.job_id)
        self._commands.put(command)

    @property
    def stays(self) -> bool:
        """Whether it goes on without its window."""
        return self._when_gone != "end" and self.jobs.any_live

    @property
    def when_gone(self) -> WhenWindowGoes:
        """What becomes of it without its window."""
        return self._when_gone

    def choose(self, when_gone: WhenWindowGoes) -> None:
        """Say what becomes of it without its window."""
        if when_gone != self._when_gone:
            self._when_gone = when_gone
            self.send(WhenGone(when_gone))

    def part(self, held: Iterable[Command], timeout: float) -> bool:
        """Let go of it once it has all commands; False when it hasn't in so many seconds."""
        deadline = monotonic() + timeout
        if self._leaves.is_set() or not self._up.wait(timeout):
            return False
        for command in held:
            self.send(command)
        self._parts = True
        self._leaves.set()
        return self._parted.wait(max(0.0, deadline - monotonic()))

    def leave(self, patience: float) -> None:
        """Let it end by itself, for so many seconds; one that hasn't connected yet is killed."""
        self._parts = False
        self.choose("end")
        self._asked = self._asked or "ended as asked"
        self._patience = patience
        self._stop()

    def kill(self) -> None:
        """End it, and what it has started, at once."""
        self._asked = self._asked or "killed as asked"
        self._patience = 0.0
        self._stop()
        self._kill()

    def _stop(self) -> None:
        """It is to go; one that hasn't connected yet is waited for no longer."""
        self._leaves.set()
        listener = self._listener
        if listener is not None:
            listener.stop()

    # ---- on the link's thread

    def live(self) -> str:
        """From start to end; returns how it ended."""
        if self._leaves.is_set():
            return self._asked
        with contextlib.ExitStack() as undo:
            try:
                folder = fresh_folder()
                undo.callback(shutil.rmtree, folder, ignore_errors=True)
                listener = Listener(folder, _NAME, secrets.token_bytes(KEY_BYTES))
                undo.callback(listener.close)
                self._listener = listener
                if self._leaves.is_set():  # `_stop` may have found none
                    listener.stop()
                reads, writes = os.pipe()
                undo.callback(os.close, reads)
                _enlarge(writes)
                try:
                    process = self._begin(reads, writes)
                finally:
                    os.close(writes)
            except (OSError, ValueError, PenstockError) as error:
                return f"can't be started: {error}"
            undo.pop_all()
        output = threading.Thread(
            target=self._read_output, args=(reads,), name="penstock-output", daemon=True
        )
        keeper = threading.Thread(
            target=self._keep, args=(listener, folder), name="penstock-host-keeper", daemon=True
        )
        output.start()
        keeper.start()
        self._tell(process, listener, reads)
        self._wait_end(process)
        listener.close()
        keeper.join()
        output.join(_LAST_WORDS_SECONDS)
        return self._how_it_ended(process.returncode)

    def last_words(self, end: str) -> tuple[Told, ...]:
        """What is to be told once it has ended."""
        pid = 0 if self._process is None else self._process.pid
        return tuple(self.jobs.lose(pid, end, self._tail.text(), bool(self._asked)))

    def _begin(self, reads: int, writes: int) -> subprocess.Popen[bytes]:
        """Start the process.

        It prints to ``writes``, and where it can it gets ``reads`` too, for the day this process
        reads no more.
        """
        settings = self.settings
        process = subprocess.Popen(
            host_command(settings),
            stdin=subprocess.PIPE,
            stdout=writes,
            stderr=subprocess.STDOUT,
            pass_fds=(reads,) if _POSIX else (),
            cwd=settings.working_folder,
            env=host_environment(settings),
            start_new_session=_POSIX,
        )
        with self._lock:
            self._process = process
        return process

    def _tell(self, process: subprocess.Popen[bytes], listener: Listener, reads: int) -> None:
        """Hand it, by a pipe that nobody else can read, what it must know.

        That waits for one that doesn't read, until the keeper kills it.
        """
        settings = self.settings
        told = {
            "path": str(listener.path),
            "key": listener.key.hex(),
            "parent": os.getpid(),
            "arguments": list(settings.arguments),
            "workers": settings.workers,
            "loop": settings.loop,
            "when_window_goes": settings.when_window_goes,
            "pipe": reads if _POSIX else None,
        }
        with contextlib.suppress(OSError), process.stdin:  # type: ignore[union-attr]
            process.stdin.write(json.dumps(told).encode() + b"\n")  # type: ignore[union-attr]

    def _wait_end(self, process: subprocess.Popen[bytes]) -> None:
        """Until it has ended; whatever it has started goes with it, and it is reaped."""
        if _POSIX:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
        self._kill()
        with self._lock:
            process.wait()
            self._over.set()
        self._leaves.set()  # a process it left behind may keep the connection open

    def _how_it_ended(self, code: int) -> str:
        how = _how(code)
        if self._asked:
            return self._asked
        if self._broken:
            return f"its connection broke ({self._broken}), and it was killed"
        if code == -signal.SIGKILL and _oom_kills() > self._oom_kills:
            return f"{how}, likely for want of memory"
        if code > 0 and self._tail.text().rstrip().rpartition("\n")[2].startswith("MemoryError"):
            return f"out of memory, {how}"
        return how if self._up.is_set() else f"didn't start: {how}"

    # ---- on the keeper's thread

    def _keep(self, listener: Listener, folder: Path) -> None:
        """Make the connection, and end the process when it is to go."""
        connection = wire = None
        try:
            connection = listener.accept(START_SECONDS)
            wire = Wire(
                connection,
                self._commands,
                self._inbox,
                self.jobs,
                self._on_up,
                self._on_gone,
                self._on_told,
            )
        except TimeoutError:
            self._broken = f"it hasn't connected within {START_SECONDS:g} s"
            self._kill()
        except Gone:
            self._kill()  # it isn't to be waited for, unless it has ended before
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not leave a window waiting
            _log.exception("a host can't be connected to")
            self._broken = f"it can't be made: {type(error).__name__}"
            self._kill()
            if connection is not None:
                connection.close()
        finally:
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)
        if wire is not None:
            self._leaves.wait()
            if self._asked or self._parts:
                wire.finish(_FLUSH_SECONDS)
            if self._parts:
                self._parted.set()
                self._over.wait()
            if not self._over.wait(self._patience):
                self._kill()
            wire.wait_read(_LAST_WORDS_SECONDS)
            wire.close()
        self._over.wait()

    def _on_up(self, _up: HostUp) -> None:
        self._up.set()

    def _on_told(self, told: Told | Answer) -> None:
        if isinstance(told, SourcesChanged):
            self._on_sources(self, told)

    def _on_gone(self, why: str) -> None:
        """Nothing comes any more: it has ended, or is of no more use."""
        if not self._leaves.is_set():
            if not self._over.wait(_GRACE_SECONDS):
                self._broken = why
            self._patience = 0.0
            self._leaves.set()

    # ---- elsewhere

    def _read_output(self, pipe: int) -> None:
        try:
            while data := os.read(pipe, OUTPUT_BYTES):
                self._tail.add(data)
        finally:
            os.close(pipe)

    def _kill(self) -> None:
        with self._lock:
            process = self._process
            if process is None or self._over.is_set():
                return
            kill_all(process)


def _enlarge(pipe: int) -> None:
    """Have much wait in a pipe: who prints waits for this process only when it is full."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # more than this user may have
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _oom_kills() -> int:
    """How many processes this system has killed for want of memory, as far as it tells."""
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0
