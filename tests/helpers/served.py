"""A server over an engine that a test scripts, its clients, and what is told there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Any

from penstock.host import BreakpointSpec, Grant, HostUp, PoolUse, Printed, RoutineValues, ValuePage
from penstock.host.crossing.codec import decode, encode
from penstock.host.crossing.commands import (
    AskCounters,
    AskValues,
    Cancel,
    Command,
    Pause,
    Resize,
    Resume,
    SetBreakpoints,
    Start,
    Step,
    Unstall,
)
from penstock.host.serving.bell import Bell
from penstock.host.serving.server import HostServer
from penstock.host.serving.turns import Turns
from penstock.host.transport.connections import Connection
from penstock.observe import (
    ActivationFailed,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    RoutineCount,
    ValueSummary,
)

DEADLINE = 10.0
POOL = PoolUse(1, 0, 1, 0, 1, 1)
NOTHING = ValueSummary("", "")
STEERING: tuple[Command, ...] = (
    Pause(None),
    Resume("1"),
    Step("1"),
    Cancel("1"),
    Unstall("1", "grow"),
    Resize("1", "a.x", 5),
    SetBreakpoints((BreakpointSpec(1, "a"),)),
)
START = Start("9", "{}", None, {})


class Scripted:
    """An engine that does nothing but what a test tells it to say."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.is_moving = False
        self.lost = 0
        self.commands: list[Command] = []
        self.drained = 0
        self._told: SimpleQueue[Any] = SimpleQueue()

    def submit(self, command: Command) -> None:
        self.commands.append(command)

    def drain(self) -> tuple[Any, ...]:
        self.drained += 1
        return tuple(self._told.get() for _ in range(self._told.qsize()))

    def says(self, *told: Any, rings: bool = True) -> None:
        for one in told:
            self._told.put(one)
        if rings:
            self.bell.ring()

    def did(self) -> list[Command]:
        return [command for command in self.commands if command != AskCounters()]


class CountedTurns(Turns):
    """Turns that tell how often somebody was in a hurry, and when they are long again."""

    def __init__(self) -> None:
        super().__init__()
        self.hurries = 0
        self.relaxed = threading.Event()

    def hurry(self) -> bool:
        self.hurries += 1
        return super().hurry()

    def relax(self) -> None:
        super().relax()
        if self.ends is None:
            self.relaxed.set()


class Prints:
    """Output that a test writes."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self._waiting: list[Printed] = []

    def write(self, *printed: Printed) -> None:
        self._waiting += printed
        self.bell.ring_softly()

    def take(self) -> tuple[Printed, ...]:
        taken, self._waiting = tuple(self._waiting), []
        return taken


class Desk:
    """A server over a scripted engine, and its clients."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.engine = Scripted(self.bell)
        self.output = Prints(self.bell)
        self.alone = threading.Event()
        self.flows: list[tuple[str, ...]] = []
        self.chosen: list[str] = []
        self.server = HostServer(
            self.engine,
            self.bell,
            name="a program",
            output=self.output,
            on_alone=self._on_alone,
            on_when_gone=self.chosen.append,
        )
        self.clients: list[Client] = []

    def _on_alone(self, server: HostServer) -> None:
        self.flows.append(server.live_flows())
        self.alone.set()

    def client(self, grant: Grant = "evaluate") -> Client:
        here, there = socket.socketpair()
        made = Client(Connection(here))
        self.clients.append(made)
        self.server.attach(Connection(there), grant)
        made.until_told(HostUp)
        return made

    def close(self) -> None:
        self.server.close()
        for client in self.clients:
            client.connection.close()


class Client:
    """One end of a connection, in the test's thread."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.told: list[Any] = []

    def send(self, *commands: object) -> None:
        self.connection.send(encode(commands))

    def read(self) -> None:
        self.told += decode(self.connection.receive(DEADLINE))

    def until(self, is_so: Callable[[], object]) -> None:
        end = monotonic() + DEADLINE
        while not is_so():
            assert monotonic() < end, self.told
            self.read()

    def until_told(self, kind: type[Any]) -> None:
        self.until(lambda: self.of(kind))

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]

    def fetch(self) -> list[Any]:
        """All that was told until now."""
        before = len(self.of(RoutineValues))
        self.send(AskValues("the", "end"))
        self.until(lambda: len(self.of(RoutineValues)) > before)
        return [one for one in self.told if not isinstance(one, RoutineValues | HostUp)]

    @property
    def up(self) -> HostUp:
        found: HostUp = self.of(HostUp)[0]
        return found


def page(reference: int, *path: int, offset: int = 0) -> ValuePage:
    return ValuePage(reference, path, "items", ValueSummary("list", "[]", 0), 0, offset, ())


def started(job_id: str = "1") -> JobStarted:
    return JobStarted(1, job_id, 1.0, "flow", ("a", "b"))


def count(activations: int) -> RoutineCount:
    return RoutineCount("running", activations, 0, 1, 0, 0.5, 0, {}, {"out": activations})


def progress(
    number: int, job_id: str = "1", status: str = "RUNNING", stalled: tuple[str, ...] = ()
) -> JobProgress:
    rows = {"a": count(number), "b": count(0)}
    return JobProgress(number, job_id, float(number), status, 1, rows, stalled)


def held(number: int, job_id: str = "1") -> JobHeld:
    return JobHeld(number, job_id, float(number), number, 1, "pause", "a", (), (), (), 1)


def resumed(number: int, job_id: str = "1") -> JobResumed:
    return JobResumed(number, job_id, float(number), number, False, "a")


def ended(number: int, job_id: str = "1") -> JobEnded:
    return JobEnded(number, job_id, float(number), "COMPLETED", None, {"a.x": 1})


def failed(number: int, job_id: str = "1", text: str = "bad") -> ActivationFailed:
    failure = FailureSummary("a", "ValueError", text, "")
    return ActivationFailed(number, job_id, float(number), failure, "continue")


def printed(number: int, text: str = "x") -> Printed:
    return Printed(number, "1", "a", "stdout", text)


def assert_sleeps(desk: Desk) -> None:
    """Before long nothing is done any more until somebody rings."""
    tick, end = threading.Event(), monotonic() + DEADLINE
    while True:
        before = desk.engine.drained, len(desk.engine.commands)
        tick.wait(0.2)  # six ticks of a display
        if (desk.engine.drained, len(desk.engine.commands)) == before:
            return
        assert monotonic() < end, "it never sleeps"
