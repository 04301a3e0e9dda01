"""`HostServer`: an engine for clients at the end of connections."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import Protocol

from penstock.errors import PenstockError
from penstock.host.crossing.commands import (
    AskCounters,
    AskFlow,
    AskPage,
    AskSnapshot,
    AskSources,
    AskThreads,
    AskValues,
    Command,
    MakeWay,
    Release,
    Resume,
    SetBreakpoints,
    Start,
    TakeControl,
    WhenGone,
    refusal,
)
from penstock.host.crossing.launch import WhenWindowGoes
from penstock.host.crossing.protocol import (
    Answer,
    CommandRefused,
    ControlChanged,
    Grant,
    HostUp,
    Printed,
    SourcesChanged,
    StartRefused,
    Told,
)
from penstock.host.engine.hosted import KEPT_JOBS
from penstock.host.engine.threads import HOST_THREAD
from penstock.host.engine.values import MAX_HELD
from penstock.host.serving.bell import RUNG, RUNG_SOFTLY, Bell
from penstock.host.serving.outbox import Present
from penstock.host.serving.peer import FLUSH_SECONDS, Peer
from penstock.host.serving.questions import Ask, answered, question_of
from penstock.host.transport.connections import Connection, Gone, Listener
from penstock.observe import EngineEvent, JobStarted

DISPLAY_SECONDS = 0.033
STATE_SECONDS = 0.004
"""Between two fetches of state; more often would cost an engine of many short jobs too much."""
MAX_CONNECTIONS = 8
_PAUSE_SECONDS = 1.0
GRANTS: tuple[Grant, ...] = ("view", "control", "evaluate")
_log = logging.getLogger(__name__)


class Engine(Protocol):
    """What a server needs of an engine; `HostedEngine` is one."""

    @property
    def is_moving(self) -> bool:
        """Whether counters may change without a state event."""
        ...

    @property
    def lost(self) -> int:
        """Display events it dropped, ever."""
        ...

    def submit(self, command: Command) -> None:
        """Carry out a command; on any thread, returns at once."""
        ...

    def drain(self) -> tuple[Told | Answer, ...]:
        """What was told since the last call."""
        ...


class Output(Protocol):
    """What a server needs of captured output; `OutputCapture` is one."""

    def take(self) -> tuple[Printed, ...]:
        """What was printed since the last call."""
        ...


_CLOSE = object()


class HostServer:
    """Tells clients what an engine does, and has done what they may do.

    State is told at once, counters and output once per display tick, and only while somebody is
    connected; between the two it sleeps. Who connects late gets the present state first.

    ``bell`` is rung by the engine (``on_news``) and, softly, by the output. ``on_alone`` is called
    with this server on its own thread when the last client has left, and when the last job ends
    after that. ``on_when_gone`` is called on a client's reading thread when it says what is to
    become of the jobs without it. ``name`` is what clients that come are told; any thread may
    change it.

    A client may do what its grant says: ``view`` asks, ``control`` also steers, ``evaluate`` also
    starts flows, as that imports code. One client steers at a time: the first that may, until it
    leaves or another one takes over.

    Threads: one of the server, which alone publishes; one per listener; two per client, of which
    the reading one has commands carried out. ``_lock`` guards who is there, who steers, who has
    asked, who holds what and what is starting; never held while calling out, but to an outbox, to
    close a connection, and to the engine for what is held: it must get that in the order in which
    it was decided, and never calls back but to ring.
    """

    def __init__(
        self,
        engine: Engine,
        bell: Bell,
        *,
        name: str,
        output: Output | None = None,
        on_alone: Callable[[HostServer], None] | None = None,
        on_when_gone: Callable[[WhenWindowGoes], None] | None = None,
    ) -> None:
        self.name = name
        self._engine = engine
        self._bell = bell
        self._output = output
        self._on_alone = on_alone
        self._on_when_gone = on_when_gone
        self._lock = threading.Lock()
        self._peers: list[Peer] = []
        self._cut: list[Peer] = []  # no peers any more, but their threads may not have ended
        self._steering: Peer | None = None
        self._asked: dict[object, list[Peer]] = {}
        self._starting: dict[str, tuple[Start, Peer]] = {}
        self._listeners: list[tuple[Listener, threading.Thread]] = []
        self._closed = False
        self._closing = threading.Event()
        self._present = Present(KEPT_JOBS)
        self._sources = SourcesChanged(())
        self._next_tick: float | None = None
        self._next_fetch: float | None = None
        self._fetched = 0.0
        self._moved = False
        self._thread = threading.Thread(
            target=self._serve, name=f"{HOST_THREAD}-server", daemon=True
        )
        self._thread.start()

    # ---- on any thread

    def attach(
        self, connection: Connection, grant: Grant, when_gone: WhenWindowGoes | None = None
    ) -> None:
        """Serve a client from now on; closes the connection where there are `MAX_CONNECTIONS`.

        ``when_gone`` is what becomes of the jobs without it until it says so itself. With None
        they go on if it has steered, and else are left as they are.
        """
        with self._lock:
            closed = self._closed
            if not closed:
                self._bell.mail.put(Peer(self, connection, grant, when_gone))
        if closed:
            connection.close()

    def listen(self, listener: Listener, grant: Grant) -> None:
        """Serve all that connect there; closes the listener when this is closed, or is already."""
        thread = threading.Thread(
            target=self._accept, args=(listener, grant), name=f"{HOST_THREAD}-listener", daemon=True
        )
        with self._lock:
            closed = self._closed
            if not closed:
                thread.start()
                self._listeners.append((listener, thread))
        if closed:
            listener.close()

    def tell(self, news: SourcesChanged) -> None:
        """Tell all clients, and those who come later, what the engine doesn't tell."""
        self._bell.mail.put(news)

    def close(self, timeout: float = 5.0) -> None:
        """Tell what is to tell, then leave all clients, within `timeout` seconds; idempotent.

        Held jobs go on if the one who steers would have it so. The engine stays.
        """
        deadline = monotonic() + timeout
        with self._lock:
            self._closed = True
            listeners = tuple(self._listeners)
        self._closing.set()
        for listener, _ in listeners:
            listener.close()
        self._bell.mail.put(_CLOSE)
        threads = [self._thread, *(thread for _, thread in listeners)]
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))
        self._refuse_waiting()
        with self._lock:
            peers, self._peers = tuple(self._peers), []
            cut, self._cut = tuple(self._cut), []
        flush_until = min(deadline, monotonic() + FLUSH_SECONDS)
        for peer in peers:
            peer.leave(flush_until)
        for peer in (*cut, *peers):
            peer.join(FLUSH_SECONDS)

    # ---- on the server's thread, for `on_alone`

    def live_flows(self) -> tuple[str, ...]:
        """The flow's name of each job that lives or is starting, the oldest first."""
        with self._lock:
            starting = [start for start, _ in self._starting.values()]
        return (*self._present.live_flows(), *map(_name_of, starting))

    # ---- on a listener's thread

    def _accept(self, listener: Listener, grant: Grant) -> None:
        is_failing = False
        while True:
            try:
                connection = listener.accept()
            except Gone:
                return
            except Exception:  # noqa: BLE001 -- whatever it is, others may want to connect later
                if not is_failing:
                    _log.exception("a listener failed, and goes on")
                is_failing = True
                self._closing.wait(_PAUSE_SECONDS)
                continue
            is_failing = False
            self.attach(connection, grant)

    # ---- on the server's thread

    def _serve(self) -> None:
        while True:
            try:
                if not self._attend():
                    return
            except Exception:  # noqa: BLE001 -- a fault of ours must not leave clients without news
                _log.exception("the server of an engine failed, and goes on")

    def _attend(self) -> bool:
        """Do what is due, or wait for what comes next; False when it is the end."""
        now = monotonic()
        if self._next_fetch is not None and self._next_fetch <= now:
            self._next_fetch, self._fetched = None, now
            self._bell.has_rung = False
            self._publish()
            self._tick_soon()
            return True
        if self._next_tick is not None and self._next_tick <= now:
            self._tick()
            return True
        turns = self._bell.turns
        if turns is not None and turns.ends is not None and turns.ends <= now:
            turns.relax()
            return True
        try:
            mail = self._bell.mail.get(timeout=self._patience(now))
        except Empty:
            return True
        if mail is _CLOSE:
            self._publish()
            self._let_jobs_go(self._steering)
            return False
        if mail is RUNG:
            self._next_fetch = self._fetched + STATE_SECONDS
        elif mail is RUNG_SOFTLY:
            self._tick_soon()
        elif isinstance(mail, Peer):
            self._welcome(mail)
        elif isinstance(mail, _Left):
            self._say_goodbye(mail.peer)
        elif isinstance(mail, SourcesChanged):
            self._sources = mail
            self._tell_all(mail)
        return True

    def _patience(self, now: float) -> float | None:
        ends = self._bell.turns.ends if self._bell.turns is not None else None
        due = [at for at in (self._next_fetch, self._next_tick, ends) if at is not None]
        return min(due) - now if due else None

    def _tick_soon(self) -> None:
        """See to it that a tick comes, if there is anybody to see it."""
        if self._next_tick is None and self._peers:
            self._next_tick = monotonic() + DISPLAY_SECONDS

    def _tick(self) -> None:
        self._next_tick = None
        moved, self._moved = self._moved, self._engine.is_moving
        self._publish()
        if self._output is not None and self._peers:
            self._bell.has_news = False
            for printed in self._output.take():
                self._tell_all(printed)
        if self._moved and self._peers:
            self._engine.submit(AskCounters())
        if self._moved or moved:
            self._tick_soon()  # what was asked for comes then, also after the last move

    def _publish(self) -> None:
        """Fetch what the engine told and hand it on to whom it is for."""
        told = self._engine.drain()
        for peer in tuple(self._peers):
            peer.outbox.lose_elsewhere(self._engine.lost - peer.lost_before)
        for one in told:
            if isinstance(one, EngineEvent):
                self._present.hear(one)
                if isinstance(one, JobStarted):
                    self._has_begun(one.job_id)
                self._tell_all(one)
            elif isinstance(one, StartRefused):
                self._tell((self._has_begun(one.job_id),), one)
            elif isinstance(one, CommandRefused):
                self._tell((self._steering,), one)
            elif (question := answered(one)) is not None:
                with self._lock:
                    who = self._asked.pop(question, [])
                self._tell(tuple(who), one)
            elif not isinstance(one, ControlChanged):
                if isinstance(one, SourcesChanged):
                    self._sources = one
                self._tell_all(one)
        if told and not self._peers and not self.live_flows():
            self._be_alone()

    def _has_begun(self, job_id: str) -> Peer | None:
        """A start is no longer under way; who wanted it, also if another one steers by now."""
        with self._lock:
            _, peer = self._starting.pop(job_id, (None, None))
        return peer

    def _be_alone(self) -> None:
        if self._on_alone is not None:
            self._on_alone(self)

    def _tell_all(self, told: object) -> None:
        self._tell(tuple(self._peers), told)

    def _tell(self, peers: tuple[Peer | None, ...], told: object) -> None:
        for peer in peers:
            if peer is not None and not peer.outbox.put(told):
                peer.drop()

    def _welcome(self, peer: Peer) -> None:
        if len(self._peers) >= MAX_CONNECTIONS:
            peer.connection.close()
            return
        with self._lock:
            if self._closed:
                peer.connection.close()
                return
            steers = self._steering is None and _may(peer.grant, "control")
            if steers:
                self._steering = peer
            self._peers.append(peer)
            self._tell((peer,), self._first_words(peer.grant, steers))  # before a take-over
        peer.lost_before = self._engine.lost
        for event in self._present.events():
            self._tell((peer,), event)
        if self._sources.paths:
            self._tell((peer,), self._sources)
        peer.start()
        self._next_tick = monotonic()  # counters may be old, and printed text waits

    def _first_words(self, grant: Grant, steers: bool) -> HostUp:
        version = platform.python_version()
        return HostUp(os.getpid(), self.name, version, sys.executable, grant, steers)

    def _say_goodbye(self, peer: Peer) -> None:
        with self._lock:
            if peer not in self._peers:
                return
            self._peers.remove(peer)
            for who in self._asked.values():
                while peer in who:
                    who.remove(peer)
            steered = self._steering is peer
            if steered:
                self._steering = None
            self._release(peer, tuple(peer.references))
            self._cut = [one for one in self._cut if one.is_alive]
            self._cut.append(peer)
        peer.cut()  # its threads end by themselves: nobody waits for them here
        if steered:
            self._let_jobs_go(peer)
        if not self._peers:
            self._be_alone()

    def _let_jobs_go(self, peer: Peer | None) -> None:
        if peer is not None and peer.when_gone == "resume":
            self._engine.submit(SetBreakpoints(()))
            self._engine.submit(Resume(None))

    def _refuse_waiting(self) -> None:
        """Connections that nobody will serve any more."""
        with suppress(Empty):
            while True:
                mail = self._bell.mail.get_nowait()
                if isinstance(mail, Peer):
                    mail.connection.close()

    # ---- on a client's reading thread

    def carry_out(self, peer: Peer, command: Command) -> None:
        """Do what a client wants, if it may."""
        match command:
            case AskCounters() | MakeWay():
                pass  # told anyway; and it is no window's process that computes here
            case AskThreads() | AskSnapshot() | AskValues() | AskFlow():
                self._ask(peer, command)
            case AskPage():
                self._ask_page(peer, command)
            case Release():
                with self._lock:
                    self._release(peer, (command.reference,))
            case AskSources():
                self._engine.submit(command)
            case WhenGone():
                peer.when_gone = command.then
                if self._on_when_gone is not None:
                    self._on_when_gone(command.then)
            case TakeControl():
                self._take_control(peer)
            case _:
                self._steer(peer, command)

    def _ask(self, peer: Peer, ask: Ask) -> None:
        with self._lock:
            self._note_question(peer, ask)
        self._engine.submit(ask)

    def _note_question(self, peer: Peer, ask: Ask) -> None:
        """Under the lock."""
        who = self._asked.setdefault(question_of(ask), [])
        if peer not in who:
            who.append(peer)

    def _ask_page(self, peer: Peer, ask: AskPage) -> None:
        """For the engine its clients are one: here is who of them holds what."""
        with self._lock:
            if peer not in self._peers:
                return  # it has been let go, and nothing would release what it holds
            peer.references.pop(ask.reference, None)
            peer.references[ask.reference] = None
            self._note_question(peer, ask)
            self._engine.submit(ask)
            if len(peer.references) > MAX_HELD:
                self._release(peer, (next(iter(peer.references)),))

    def _release(self, peer: Peer, references: tuple[int, ...]) -> None:
        """Under the lock."""
        for reference in references:
            peer.references.pop(reference, None)
        held = {reference for other in self._peers for reference in other.references}
        for reference in references:
            if reference not in held:
                self._engine.submit(Release(reference))

    def _take_control(self, peer: Peer) -> None:
        if not _may(peer.grant, "control"):
            self._refuse(peer, TakeControl(), f"this program grants only {peer.grant!r}")
            return
        with self._lock:  # what is told of two take-overs must come in their order
            if peer not in self._peers:
                return  # it has been let go
            before, self._steering = self._steering, peer
            if before is not peer:
                self._tell((before,), ControlChanged(in_control=False))
            self._tell((peer,), ControlChanged(in_control=True))

    def _steer(self, peer: Peer, command: Command) -> None:
        needed: Grant = "evaluate" if isinstance(command, Start) else "control"
        if not _may(peer.grant, needed):
            self._refuse(peer, command, f"this program grants {peer.grant!r}, not {needed!r}")
        elif self._steering is not peer:
            self._refuse(peer, command, "another window steers; take control first")
        else:
            self._bell.hurry()
            if peer.when_gone is None:
                peer.when_gone = "resume"
            if isinstance(command, Start):
                with self._lock:
                    self._starting[command.job_id] = command, peer
            try:
                self._engine.submit(command)
            except PenstockError as error:
                if isinstance(command, Start):
                    self._has_begun(command.job_id)
                self._refuse(peer, command, str(error))

    def _refuse(self, peer: Peer, command: Command, text: str) -> None:
        self._tell((peer,), refusal(command, text))

    def left(self, peer: Peer) -> None:
        """A client's thread has found that it is gone."""
        self._bell.mail.put(_Left(peer))


class _Left:
    """What tells the server's thread that a client is gone."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer


def _may(grant: Grant, needed: Grant) -> bool:
    return GRANTS.index(grant) >= GRANTS.index(needed)


def _name_of(start: Start) -> str:
    """What the flow is called that is to be started, "" when it doesn't say."""
    with suppress(ValueError, AttributeError):
        return str(json.loads(start.flow_json).get("name", ""))
    return ""
