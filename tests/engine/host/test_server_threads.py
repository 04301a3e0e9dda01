"""`HostServer`: what clients get to know and may do, by real connections to a scripted engine."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest

from helpers.waiting import Call, until
from penstock.host import (
    BreakpointSpec,
    CommandRefused,
    ControlChanged,
    DisplayLost,
    EngineSnapshot,
    FlowPicture,
    Grant,
    HostUp,
    JobSnapshot,
    PoolUse,
    Printed,
    RoutineValues,
    SourcesChanged,
    StartRefused,
    ThreadInfo,
    ThreadTable,
    ValuePage,
    ValueSample,
    server,
)
from penstock.host.codec import decode, encode
from penstock.host.commands import (
    AskCounters,
    AskFlow,
    AskPage,
    AskSnapshot,
    AskThreads,
    AskValues,
    Cancel,
    Command,
    MakeWay,
    Pause,
    Release,
    Resize,
    Resume,
    SetBreakpoints,
    Start,
    Step,
    TakeControl,
    Unstall,
    WhenGone,
)
from penstock.host.outbox import Outbox, Present
from penstock.host.server import MAX_CONNECTIONS, Bell, HostServer
from penstock.host.transport import Connection, Gone, Listener, connect
from penstock.host.turns import Turns
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    JobView,
    RoutineCount,
    Stalled,
    StepIgnored,
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


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def answering(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Its engine answers questions at once."""
    submit = desk.engine.submit

    def answer(command: Command) -> None:
        submit(command)
        match command:
            case AskThreads():
                desk.engine.says(ThreadTable(POOL, ()))
            case AskSnapshot():
                desk.engine.says(EngineSnapshot((), POOL, 0))
            case AskValues():
                desk.engine.says(RoutineValues(command.job_id, command.routine, {}, {}))
            case AskFlow():
                desk.engine.says(FlowPicture(command.job_id, "flow", (), ()))
            case AskPage():
                desk.engine.says(page(command.reference, *command.path, offset=command.offset))

    monkeypatch.setattr(desk.engine, "submit", answer)
    return desk


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


# ---- what is told


def test_turns_are_short_while_somebody_steers_and_long_soon_after(
    switch_interval: None, desk: Desk
) -> None:
    turns = desk.bell.turns = CountedTurns()
    steering = desk.client()

    steering.send(AskThreads(), Pause(None), AskThreads())

    assert turns.relaxed.wait(DEADLINE)
    assert turns.hurries == 1, "questions are in no hurry"
    assert turns.ends is None


def test_the_first_words_say_who_it_is_and_what_one_may(desk: Desk) -> None:
    first = desk.client("control")
    second = desk.client("view")

    assert (first.up.pid, first.up.name) == (os.getpid(), "a program")
    assert (first.up.grant, first.up.in_control) == ("control", True)
    assert (second.up.grant, second.up.in_control) == ("view", False)
    assert [type(one) for one in first.told] == [HostUp]


def test_state_is_told_to_all_at_once_and_in_order(answering: Desk) -> None:
    clients = [answering.client(), answering.client("view")]
    told = [started(), held(2), resumed(3), StepIgnored(4, "1", 4.0, "why"), ended(5)]

    answering.engine.says(*told)

    for client in clients:
        client.until_told(JobEnded)
        assert client.told[1:] == told


def test_counters_are_asked_for_only_while_jobs_move_and_somebody_looks(desk: Desk) -> None:
    desk.engine.is_moving = True
    desk.engine.says(started())
    until(lambda: desk.engine.drained)
    assert desk.engine.commands == []

    client = desk.client()
    until(lambda: len(desk.engine.commands) >= 3)
    desk.engine.says(progress(7), rings=False)
    client.until_told(JobProgress)
    desk.engine.is_moving = False
    desk.engine.says(progress(8), rings=False)  # the last one that was asked for comes, too
    client.until(lambda: len(client.of(JobProgress)) == 2)

    assert set(desk.engine.commands) == {AskCounters()}
    assert_sleeps(desk)


def assert_sleeps(desk: Desk) -> None:
    """Before long nothing is done any more until somebody rings."""
    tick, end = threading.Event(), monotonic() + DEADLINE
    while True:
        before = desk.engine.drained, len(desk.engine.commands)
        tick.wait(0.2)  # six ticks of a display
        if (desk.engine.drained, len(desk.engine.commands)) == before:
            return
        assert monotonic() < end, "it never sleeps"


def test_ringing_before_anybody_comes_is_one_ring() -> None:
    bell = Bell()
    for _ in range(10):
        bell.ring()
        bell.ring_softly()

    assert bell.mail.qsize() == 2


def test_an_idle_host_sleeps(desk: Desk) -> None:
    desk.client()
    desk.engine.says(started(), held(2))
    desk.output.write(printed(1))

    assert_sleeps(desk)


def test_a_stream_of_state_does_not_hold_up_the_display(desk: Desk) -> None:
    client = desk.client()
    desk.engine.is_moving = True
    over = threading.Event()

    def storm() -> None:
        number = 1
        while not over.is_set():
            desk.engine.says(StepIgnored(number, "1", 1.0, ""))
            over.wait(0.0005)
            number += 1

    storming = Call(storm)
    reading = Call(lambda: client.until(lambda: len(client.of(StepIgnored)) > 100))
    try:
        until(lambda: len(desk.engine.commands) >= 3)
        reading.result()
    finally:
        over.set()
        storming.result()
    numbers = [event.seq for event in client.of(StepIgnored)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_printed_text_is_told_with_the_display_and_not_lost_while_nobody_looks(desk: Desk) -> None:
    desk.output.write(printed(1, "before"))
    client = desk.client()
    client.until_told(Printed)
    other = desk.client("view")

    desk.output.write(printed(2, "both"))
    client.until(lambda: len(client.of(Printed)) == 2)
    other.until_told(Printed)
    assert_sleeps(desk)
    desk.output.write(printed(3, "after"))
    client.until(lambda: len(client.of(Printed)) == 3)
    assert [one.text for one in client.of(Printed)] == ["before", "both", "after"]
    assert [one.text for one in other.of(Printed)] == ["both"]


def test_changed_sources_are_told_also_to_those_who_come_later(desk: Desk) -> None:
    first = desk.client()
    desk.server.tell(SourcesChanged(("/a.py",)))
    first.until_told(SourcesChanged)
    second = desk.client()
    second.until_told(SourcesChanged)
    assert second.of(SourcesChanged) == [SourcesChanged(("/a.py",))]


def test_answers_go_to_who_has_asked(answering: Desk) -> None:
    one, other = answering.client(), answering.client("view")

    one.send(AskThreads(), AskValues("1", "a"))
    one.until_told(RoutineValues)
    one.send(AskFlow("1"), AskPage(7, (1, 2), 20, 10))
    one.until_told(ValuePage)
    other.send(AskSnapshot())
    other.until_told(EngineSnapshot)

    picture = FlowPicture("1", "flow", (), ())
    assert one.fetch() == [ThreadTable(POOL, ()), picture, page(7, 1, 2, offset=20)]
    assert one.of(RoutineValues)[0] == RoutineValues("1", "a", {}, {})
    answering.engine.says(ThreadTable(POOL, ()))  # nobody asks any more
    assert len(one.fetch()) == 3
    assert other.fetch() == [EngineSnapshot((), POOL, 0)]


def test_a_value_is_released_when_nobody_holds_it_any_more(
    answering: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def released() -> list[int]:
        return [c.reference for c in answering.engine.commands if isinstance(c, Release)]

    monkeypatch.setattr(server, "MAX_HELD", 3)
    one, other = answering.client("view"), answering.client("view")
    for client in (one, other):
        client.send(AskPage(1, (), 0, 10), AskPage(2, (), 0, 10))
        client.fetch()
    one.send(AskPage(3, (), 0, 10), Release(1), Release(3))
    one.fetch()
    assert released() == [3]
    other.send(Release(1))
    other.fetch()
    assert released() == [3, 1]

    other.connection.close()
    until(lambda: len(answering.server._peers) == 1)
    one.send(*[AskPage(reference, (), 0, 10) for reference in (4, 5, 2, 6)])
    one.fetch()
    assert released() == [3, 1, 4]
    one.connection.close()
    assert answering.alone.wait(DEADLINE)
    assert released() == [3, 1, 4, 5, 2, 6]


def test_what_another_client_asks_for_meanwhile_stays_held(
    answering: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine hears comes in the order in which it was decided who holds what."""
    one, other = answering.client("view"), answering.client("view")
    other_peer = answering.server._peers[1]
    one.send(AskPage(1, (), 0, 10))
    one.fetch()
    submit, calls = answering.engine.submit, []

    def ask_meanwhile(command: Command) -> None:
        if command == Release(1):
            ask = AskPage(1, (), 0, 10)
            calls.append(Call(lambda: answering.server.carry_out(other_peer, ask)))
            calls[0].pause(0.2)
        submit(command)

    monkeypatch.setattr(answering.engine, "submit", ask_meanwhile)
    one.send(Release(1))
    other.until_told(ValuePage)
    one.fetch()

    calls[0].result()
    ends = [c for c in answering.engine.commands if isinstance(c, AskPage | Release)]
    assert isinstance(ends[-1], AskPage), "released though it is held"


def test_who_was_let_go_holds_nothing_any_more(answering: Desk) -> None:
    gone = answering.client("view")
    (peer,) = answering.server._peers
    gone.connection.close()
    until(lambda: not answering.server._peers)

    answering.server.carry_out(peer, AskPage(1, (), 0, 10))

    assert answering.engine.did() == []


def test_refusals_go_to_the_one_who_steers(answering: Desk) -> None:
    one, other = answering.client(), answering.client()
    told = [StartRefused("9", "bad flow"), CommandRefused("step", "1", "not held")]

    one.send(START)
    one.fetch()
    answering.engine.says(*told)

    one.until_told(CommandRefused)
    assert one.fetch() == told
    assert other.fetch() == []


def test_a_refused_start_is_told_to_who_wanted_it_though_another_one_steers(
    answering: Desk,
) -> None:
    one, other = answering.client(), answering.client()
    one.send(START)
    one.fetch()
    other.send(TakeControl())
    other.fetch()

    answering.engine.says(StartRefused("9", "bad flow"))

    one.until_told(StartRefused)
    assert StartRefused("9", "bad flow") not in other.fetch()


# ---- who comes late


HISTORIES: dict[str, list[EngineEvent]] = {
    "running": [started(), progress(2), progress(3)],
    "held": [started(), progress(2), held(3), progress(4, status="PAUSED")],
    "held, no counters since": [started(), progress(2), resumed(3), held(4)],
    "resumed": [started(), held(2), progress(3, status="PAUSED"), resumed(4)],
    "running again": [started(), held(2), resumed(3), progress(4)],
    "stalled": [started(), progress(2), Stalled(3, "1", 3.0, ("a.x",), ("b",))],
    "stalled, then held": [started(), Stalled(2, "1", 2.0, ("a.x",), ("b",)), held(3)],
    "stalled, as counted": [
        started(),
        Stalled(2, "1", 2.0, ("a.x",), ("b",)),
        progress(3, stalled=("a.x",)),
    ],
    "no stall any more": [started(), Stalled(2, "1", 2.0, ("a.x",), ("b",)), progress(3)],
    "failures": [started(), failed(2), progress(3), failed(4), failed(5)],
    "ended": [started(), held(2), failed(3), resumed(4), progress(5, status="COMPLETED"), ended(6)],
    "ended while held": [started(), progress(2), held(3), ended(4)],
}


@pytest.mark.parametrize("name", HISTORIES)
def test_who_comes_late_gets_the_same_picture(desk: Desk, name: str) -> None:
    history = HISTORIES[name]
    early = desk.client()
    desk.engine.says(*history)
    early.until(lambda: len(early.of(EngineEvent)) + overtaken(early) == len(history))

    late = desk.client()
    desk.engine.says(started("end"))
    late.until(lambda: late.told[-1] == started("end"))

    assert view(late) == view(early)
    assert len(late.of(JobProgress)) <= 1
    assert late.told[0] == late.up


def overtaken(client: Client) -> int:
    return client.of(DisplayLost)[-1].total if client.of(DisplayLost) else 0


def view(client: Client, job_id: str = "1") -> JobView:
    made = JobView(job_id)
    for event in client.of(EngineEvent):
        if event.job_id == job_id:
            made.apply(event)
    return made


def test_who_comes_in_the_middle_misses_nothing_and_gets_nothing_twice(desk: Desk) -> None:
    over = threading.Event()
    sent = [started()]
    desk.engine.says(started())

    def storm() -> None:
        while not over.is_set():
            event = StepIgnored(len(sent) + 1, "1", 1.0, "")
            sent.append(event)  # type: ignore[arg-type]
            desk.engine.says(event)
            over.wait(0.0003)

    storming = Call(storm)
    late = [desk.client() for _ in range(4)]
    over.set()
    storming.result()
    desk.engine.says(held(10_000))

    for client in late:
        client.until_told(JobHeld)
        seqs = [event.seq for event in client.of(EngineEvent)]
        first = seqs[1] if len(seqs) > 2 else len(sent) + 1
        assert seqs == [1, *range(first, len(sent) + 1), 10_000]


def test_of_ended_jobs_the_newest_are_kept() -> None:
    present = Present(kept_jobs=2)
    for number in range(1, 5):
        present.hear(started(str(number)))
        present.hear(held(1, str(number)))
        present.hear(Stalled(2, str(number), 2.0, (), ()))
        if number == 2:
            present.hear(resumed(2, str(number)))
        else:
            present.hear(ended(2, str(number)))

    assert [(event.job_id, type(event)) for event in present.events()] == [
        ("2", JobStarted),
        ("2", Stalled),
        ("2", JobResumed),
        ("3", JobStarted),
        ("3", JobEnded),
        ("4", JobStarted),
        ("4", JobEnded),
    ]
    present.hear(progress(3, "1"))  # of a job that is forgotten
    present.hear(failed(3, "1"))
    assert "1" not in {event.job_id for event in present.events()}


def test_an_id_that_comes_again_is_another_job() -> None:
    present = Present(kept_jobs=1)
    for event in (started(), ended(2), started(), started("2"), ended(2, "2")):
        present.hear(event)

    assert [(event.job_id, type(event)) for event in present.events()] == [
        ("1", JobStarted),
        ("2", JobStarted),
        ("2", JobEnded),
    ]


def test_of_many_failures_the_newest_are_kept() -> None:
    present = Present(kept_jobs=2)
    present.hear(started())
    for number in range(2, 500):
        present.hear(failed(number))

    kept = [event.seq for event in present.events()]
    assert kept == [1, *range(400, 500)]


# ---- slow clients


def drained(outbox: Outbox) -> list[object]:
    outbox.close()
    found: list[object] = []
    while (taken := outbox.take()) is not None:
        found += taken
    return found


def test_of_counters_that_wait_the_newest_are_told_and_all_is_counted() -> None:
    outbox = Outbox()

    for one in (started(), progress(2), held(3), progress(4, "2"), progress(5), progress(6)):
        outbox.put(one)

    assert drained(outbox) == [started(), held(3), progress(4, "2"), progress(6), DisplayLost(2)]


def test_of_answers_that_wait_the_newest_is_told_and_none_is_a_loss() -> None:
    outbox = Outbox()
    old, new = ThreadTable(POOL, ()), ThreadTable(POOL, ())
    values = [RoutineValues("1", name, {}, {}) for name in "aba"]
    rest = [EngineSnapshot((), POOL, 0), FlowPicture("1", "", (), ()), page(1), page(1, 2), page(2)]

    for one in (old, *values, FlowPicture("1", "old", (), ()), page(1, 2), *rest, new):
        outbox.put(one)

    assert drained(outbox) == [values[1], values[2], *rest, new]


def test_what_was_taken_is_not_overtaken() -> None:
    outbox = Outbox()
    outbox.put(progress(2))
    assert outbox.take() == [progress(2)]
    outbox.put(progress(3))
    assert outbox.take() == [progress(3)]


def test_a_loss_is_told_once() -> None:
    outbox = Outbox()
    outbox.put(progress(2))
    outbox.put(progress(3))
    assert outbox.take() == [progress(3), DisplayLost(1)]
    outbox.put(held(4))
    assert outbox.take() == [held(4)]


def test_a_closed_outbox_takes_nothing_in() -> None:
    outbox = Outbox()
    outbox.put(held(1))
    outbox.close()
    assert outbox.put(held(2))
    assert drained(outbox) == [held(1)]
    outbox = Outbox()
    outbox.put(held(1))
    outbox.close(discard=True)
    assert outbox.take() is None


def test_failures_and_text_beyond_a_limit_are_dropped_and_counted_and_state_never_is() -> None:
    outbox = Outbox(characters=3_000)
    for number in range(1, 21):
        outbox.put(printed(number, "x" * 400))
        outbox.put(failed(number, text="y" * 200))
        outbox.put(held(number))

    told = drained(outbox)

    kept = [one for one in told if isinstance(one, Printed | ActivationFailed)]
    assert [held(number) for number in range(1, 21)] == [
        one for one in told if isinstance(one, JobHeld)
    ]
    assert len(kept) == 6
    assert told[-1] == DisplayLost(40 - len(kept))
    assert not outbox._waiting


def test_room_comes_back_as_text_is_taken() -> None:
    outbox = Outbox(characters=1_000)
    for number in range(1, 6):
        outbox.put(printed(number, "x" * 800))
        assert outbox.take() == [printed(number, "x" * 800)]


def test_losses_of_the_engine_are_added_since_one_came(desk: Desk) -> None:
    desk.engine.lost = 100
    client = desk.client()

    desk.engine.lost = 107
    desk.engine.says(started())

    client.until_told(JobStarted)
    client.until_told(DisplayLost)
    assert client.of(DisplayLost) == [DisplayLost(7)]


def test_a_slow_client_costs_display_only_and_others_nothing(desk: Desk) -> None:
    slow, quick = desk.client(), desk.client()
    reading = Call(lambda: quick.until_told(JobEnded))
    text = "x" * 50_000
    desk.engine.says(started())
    for number in range(1, 201):
        desk.output.write(printed(number, text))
        desk.engine.says(StepIgnored(number + 1, "1", 1.0, ""))
        if number % 20 == 0:
            until(lambda number=number: len(quick.of(Printed)) == number)  # type: ignore[misc]
    desk.engine.says(ended(500))
    reading.result()

    assert not quick.of(DisplayLost)
    slow.until_told(JobEnded)
    assert [event.seq for event in slow.of(EngineEvent)] == [1, *range(2, 202), 500]
    assert len(slow.of(Printed)) + slow.of(DisplayLost)[-1].total == 200
    assert slow.of(DisplayLost)[-1].total > 50


def test_who_lets_too_much_wait_is_let_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = desk.client(), desk.client()
    desk.server._peers[0].outbox._backlog = 50
    reading = Call(lambda: quick.until_told(JobEnded))
    long = "x" * 20_000
    for number in range(1, 201):
        desk.engine.says(StepIgnored(number, "1", 1.0, long))
    until(lambda: len(desk.server._peers) == 1)
    desk.engine.says(ended(500))
    reading.result()

    with pytest.raises(Gone):
        slow.until(lambda: False)
    assert len(quick.of(StepIgnored)) == 200


@pytest.mark.parametrize("patience", [0.05, 3 * DEADLINE])
def test_one_that_is_let_go_holds_up_nobody_though_its_command_takes_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(server, "_FLUSH_SECONDS", patience)
    busy, submit = threading.Event(), desk.engine.submit

    def wait(command: Command) -> None:
        submit(command)
        if command == Step("1"):
            busy.wait(3 * DEADLINE)

    monkeypatch.setattr(desk.engine, "submit", wait)
    slow, quick = desk.client(), desk.client()
    peer = desk.server._peers[0]
    peer.outbox._backlog = 50
    slow.send(Step("1"))
    until(lambda: desk.engine.did() == [Step("1")])
    try:
        desk.engine.says(*[StepIgnored(n, "1", 1.0, "x" * 20_000) for n in range(1, 201)])
        quick.until(lambda: len(quick.of(StepIgnored)) == 200)
        until(lambda: peer.outbox._closed)
        if patience < 1.0:
            until(lambda: len(desk.server._peers) == 1)
        desk.engine.says(started())
        quick.until_told(JobStarted)
    finally:
        busy.set()
    until(lambda: len(desk.server._peers) == 1)


def test_closing_waits_for_threads_of_those_who_were_let_go(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, is_stuck = desk.engine.submit, threading.Event()

    def wait(command: Command) -> None:
        submit(command)
        if command == Step("1"):
            is_stuck.set()
            threading.Event().wait(0.3)

    monkeypatch.setattr(desk.engine, "submit", wait)
    client = desk.client()
    (peer,) = desk.server._peers
    client.send(Step("1"))
    assert is_stuck.wait(DEADLINE)
    desk.server.left(peer)
    until(lambda: not desk.server._peers)

    desk.server.close()

    assert not peer.is_alive


# ---- what clients may do


def test_one_who_steers_has_all_done_in_order(desk: Desk) -> None:
    client = desk.client("evaluate")

    client.send(*STEERING)
    client.send(START, MakeWay(1.0), AskCounters())

    until(lambda: START in desk.engine.commands)
    assert desk.engine.did() == [*STEERING, START]


def test_starting_a_flow_needs_the_right_to_run_code(answering: Desk) -> None:
    client = answering.client("control")

    client.send(START, Cancel("1"))

    client.until_told(StartRefused)
    assert "evaluate" in client.of(StartRefused)[0].text
    client.fetch()
    assert Cancel("1") in answering.engine.did()
    assert START not in answering.engine.did()


@pytest.mark.parametrize("grant", ["view", "control"])
def test_who_only_watches_is_refused(answering: Desk, grant: Grant) -> None:
    answering.client("evaluate")
    watching = answering.client(grant)

    watching.send(*STEERING)

    watching.until(lambda: len(watching.of(CommandRefused)) == len(STEERING))
    names = [refused.command for refused in watching.of(CommandRefused)]
    assert names == ["pause", "resume", "step", "cancel", "unstall", "resize", "setbreakpoints"]
    assert all(
        ("grants" if grant == "view" else "take control") in r.text for r in watching.told[1:]
    )
    assert answering.engine.did() == []


def test_control_is_taken_over_and_both_are_told(desk: Desk) -> None:
    first, second = desk.client("control"), desk.client("control")

    second.send(TakeControl())
    second.until_told(ControlChanged)
    first.until_told(ControlChanged)
    first.send(Step("1"))
    first.until_told(CommandRefused)
    second.send(Step("2"))

    until(lambda: desk.engine.did() == [Step("2")])
    assert second.of(ControlChanged) == [ControlChanged(True)]
    assert first.of(ControlChanged) == [ControlChanged(False)]
    second.send(TakeControl())
    second.until(lambda: len(second.of(ControlChanged)) == 2)
    assert second.of(ControlChanged)[-1] == ControlChanged(True)


def test_who_is_overtaken_while_it_comes_in_hears_that_last(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.client("control")
    desk.client("control")
    first.connection.close()
    until(lambda: len(desk.server._peers) == 1)
    (other,) = desk.server._peers
    moments = [lambda: desk.server.carry_out(other, TakeControl())]

    def lost(_engine: object) -> int:
        if len(desk.server._peers) == 2 and moments:
            moments.pop()()
        return 0

    monkeypatch.setattr(Scripted, "lost", property(lost, lambda *_: None), raising=False)
    comes = desk.client("control")
    comes.until_told(ControlChanged)

    assert comes.told[0] == comes.up
    assert comes.told[1] == ControlChanged(False)


def test_who_was_let_go_takes_no_control(desk: Desk) -> None:
    gone = desk.client("control")
    (peer,) = desk.server._peers
    gone.connection.close()
    until(lambda: not desk.server._peers)

    desk.server.carry_out(peer, TakeControl())

    assert desk.client("control").up.in_control


def test_a_viewer_can_not_take_control(desk: Desk) -> None:
    first, second = desk.client("control"), desk.client("view")

    second.send(TakeControl())

    second.until_told(CommandRefused)
    assert second.of(CommandRefused)[0].command == "takecontrol"
    first.send(Step("1"))
    until(lambda: desk.engine.did() == [Step("1")])


def test_after_the_one_who_steered_the_next_to_come_does(desk: Desk) -> None:
    watching = desk.client("view")
    first = desk.client("control")
    first.connection.close()
    until(lambda: len(desk.server._peers) == 1)

    assert desk.client("control").up.in_control
    assert not watching.up.in_control


# ---- who leaves


def test_held_jobs_go_on_without_the_one_who_steered(desk: Desk) -> None:
    client = desk.client("control")
    client.send(WhenGone("resume"))

    client.connection.close()

    assert desk.alone.wait(DEADLINE)
    assert desk.engine.did() == [SetBreakpoints(()), Resume(None)]


def test_held_jobs_go_on_without_the_one_who_steered_and_said_nothing(desk: Desk) -> None:
    client = desk.client("control")
    client.send(Pause(None))

    client.connection.close()

    assert desk.alone.wait(DEADLINE)
    assert desk.engine.did() == [Pause(None), SetBreakpoints(()), Resume(None)]


def test_who_leaves_without_a_word_changes_nothing(desk: Desk) -> None:
    client = desk.client("control")

    client.connection.close()

    assert desk.alone.wait(DEADLINE)
    assert desk.engine.did() == []


def test_held_jobs_stay_so_if_the_one_who_steered_wanted_it(desk: Desk) -> None:
    client = desk.client("control")
    client.send(WhenGone("resume"), WhenGone("hold"), Step("1"))
    until(lambda: desk.engine.did() == [Step("1")])

    client.connection.close()

    assert desk.alone.wait(DEADLINE)
    assert desk.engine.did() == [Step("1")]


def test_held_jobs_are_not_let_go_for_an_engine_that_is_to_end(desk: Desk) -> None:
    client = desk.client("control")
    client.send(WhenGone("end"), Step("1"))
    until(lambda: desk.engine.did() == [Step("1")])
    assert desk.chosen == ["end"]

    client.connection.close()

    assert desk.alone.wait(DEADLINE)
    assert desk.engine.did() == [Step("1")]


def test_what_one_said_before_it_left_is_heard_before_it_counts_as_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though what it is told can't be sent any more."""
    monkeypatch.setattr(server, "_FLUSH_SECONDS", DEADLINE)
    busy, submit = threading.Event(), desk.engine.submit

    def wait(command: Command) -> None:
        submit(command)
        if command == Step("1"):
            busy.wait(DEADLINE)

    monkeypatch.setattr(desk.engine, "submit", wait)
    client = desk.client("control")
    (peer,) = desk.server._peers
    client.send(Step("1"))
    client.send(WhenGone("hold"))
    until(lambda: desk.engine.did() == [Step("1")])
    client.connection.close()
    desk.engine.says(started())
    until(lambda: not peer.outbox._waiting)
    early = desk.alone.wait(0.1)
    busy.set()

    assert desk.alone.wait(DEADLINE)
    assert not early
    assert desk.engine.did() == [Step("1")], "held jobs were let go"


def test_alone_it_tells_when_the_last_job_is_over(desk: Desk) -> None:
    """A start that is under way is one."""
    client = desk.client("evaluate")
    client.send(replace(START, flow_json='{"name": "later"}'))
    desk.engine.says(started("1"))
    client.until_told(JobStarted)
    until(lambda: START.job_id in desk.server._starting)
    client.connection.close()
    until(lambda: desk.flows == [("flow", "later")])

    desk.engine.says(ended(2, "1"), started("9"))
    until(lambda: desk.server.live_flows() == ("flow",))
    desk.engine.says(ended(2, "9"))
    until(lambda: len(desk.flows) == 2)

    assert desk.flows[1] == ()


def test_nothing_changes_without_one_who_watched(desk: Desk) -> None:
    desk.client("control")
    watching = desk.client("control")

    watching.connection.close()

    until(lambda: len(desk.server._peers) == 1)
    assert desk.engine.did() == []
    assert not desk.alone.is_set()


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"[]x",
        b'[["Cancel",{"job_id":"1"}],["Cancel",{}]]',
        b'[["Nothing",{}]]',
        encode([Cancel("1")])[:-1],
        encode([started()]),
        encode([Printed(1, "", "", "stdout", "x")]),
    ],
)
def test_what_no_client_sends_ends_the_connection_and_nothing_is_done(
    desk: Desk, data: bytes
) -> None:
    client = desk.client("evaluate")
    client.connection.send(data)

    with pytest.raises(Gone):
        client.until(lambda: False)
    assert desk.alone.wait(DEADLINE)
    assert desk.engine.did() == []


def test_a_question_that_fails_lets_only_the_one_go_who_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(command: Command) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(desk.engine, "submit", fail)
    one, other = desk.client("view"), desk.client("view")
    one.send(AskThreads())
    with pytest.raises(Gone):
        one.until(lambda: False)
    assert "a fault of ours" in caplog.text
    caplog.clear()
    desk.engine.says(started())
    other.until_told(JobStarted)


def test_no_more_than_eight_are_served(desk: Desk) -> None:
    clients = [desk.client("view") for _ in range(MAX_CONNECTIONS)]
    here, there = socket.socketpair()
    desk.server.attach(Connection(there), "view")

    with pytest.raises(Gone):
        Client(Connection(here)).read()
    clients[0].connection.close()
    until(lambda: len(desk.server._peers) < MAX_CONNECTIONS)
    desk.client("view")
    here.close()


def test_closing_tells_what_is_to_tell_and_lets_jobs_go(desk: Desk) -> None:
    client = desk.client("control")
    client.send(WhenGone("resume"))
    until(lambda: desk.chosen)
    assert_sleeps(desk)
    desk.engine.says(*[started(str(number)) for number in range(1000)], rings=False)

    desk.server.close()
    desk.server.close()

    with pytest.raises(Gone):
        client.until(lambda: False)
    assert len(client.of(JobStarted)) == 1000
    assert desk.engine.did() == [SetBreakpoints(()), Resume(None)]


def test_closing_does_not_wait_for_a_client_that_does_not_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_FLUSH_SECONDS", 0.1)
    desk.client("control")
    desk.engine.says(*[StepIgnored(n, "1", 1.0, "x" * 10_000) for n in range(1, 1000)])

    begin = monotonic()
    desk.server.close(timeout=DEADLINE)
    assert monotonic() - begin < DEADLINE / 2


def test_who_connects_by_a_listener_is_served(desk: Desk, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    listener = Listener(tmp_path, "here")
    desk.server.listen(listener, "control")

    client = Client(connect(listener.path, listener.key))
    client.until_told(HostUp)
    assert (client.up.grant, client.up.in_control) == ("control", True)
    desk.server.close()
    with pytest.raises(Gone):
        connect(listener.path, listener.key)
    client.connection.close()


def test_a_listener_that_fails_goes_on(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "_PAUSE_SECONDS", 0.01)
    tmp_path.chmod(0o700)
    listener = Listener(tmp_path, "here")
    accept, failures = listener.accept, [OSError(errno.EMFILE, "too many"), OSError("again")]

    def fail() -> Connection:
        if failures:
            raise failures.pop(0)
        return accept()

    monkeypatch.setattr(listener, "accept", fail)
    desk.server.listen(listener, "control")

    client = Client(connect(listener.path, listener.key))
    client.until_told(HostUp)
    client.connection.close()
    assert caplog.text.count("a listener failed") == 1, "once in a row"
    caplog.clear()


def test_closing_does_not_wait_for_a_listener_that_fails(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "_PAUSE_SECONDS", 3 * DEADLINE)
    tmp_path.chmod(0o700)
    listener = Listener(tmp_path, "here")
    accept, has_failed = listener.accept, threading.Event()

    def fail() -> Connection:
        if has_failed.is_set():
            return accept()
        has_failed.set()
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(listener, "accept", fail)
    desk.server.listen(listener, "control")
    assert has_failed.wait(DEADLINE)
    until(lambda: "a listener failed" in caplog.text)

    begin = monotonic()
    desk.server.close(timeout=2 * DEADLINE)

    assert monotonic() - begin < DEADLINE
    caplog.clear()


def test_a_listener_that_comes_when_all_is_closed_is_closed(desk: Desk, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    listener = Listener(tmp_path, "late")
    desk.server.close()

    desk.server.listen(listener, "control")

    assert not listener.path.exists()


def test_what_does_not_fit_in_a_frame_is_told_in_several(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "MAX_FRAME", 1000)
    client = desk.client()
    events = [StepIgnored(number, "1", 1.0, "x" * 200) for number in range(1, 20)]
    events.insert(7, StepIgnored(100, "1", 1.0, "x" * 2000))
    events.insert(9, StepIgnored(101, "1", float("nan"), ""))

    desk.engine.says(*events, ended(500))

    client.until_told(JobEnded)
    assert [event.seq for event in client.of(StepIgnored)] == list(range(1, 20))
    assert "StepIgnored isn't told: 2,0" in caplog.text
    assert "finite" in caplog.text
    caplog.clear()


def test_an_answer_that_can_not_be_told_is_told_as_none(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has asked would wait for it for ever."""
    nan = float("nan")
    thread = ThreadInfo("a", 1, "worker", "idle", "", "", nan, daemon=True)
    job = JobSnapshot("1", "flow", "RUNNING", 0, nan, None, None, {})
    sample = ValueSample(1, nan, ValueSummary("int", "1"))
    answers = {
        AskThreads(): ThreadTable(POOL, (thread,)),
        AskSnapshot(): EngineSnapshot((job,), POOL, 7),
        AskValues("1", "a"): RoutineValues("1", "a", {}, {"out": (sample,)}),
    }
    client = desk.client("view")
    client.send(*answers)
    until(lambda: len(desk.engine.did()) == len(answers))

    desk.engine.says(*answers.values())

    client.until_told(RoutineValues)
    assert client.told[1:] == [
        ThreadTable(POOL, ()),
        EngineSnapshot((), POOL, 7),
        RoutineValues("1", "a", {}, {}, kept=False),
    ]
    assert caplog.text.count("isn't told") == 3
    caplog.clear()


@pytest.mark.parametrize(
    "told",
    [
        FlowPicture("1", "x" * 2_000, (), ()),
        ValuePage(1, (2,), "text", NOTHING, 9, 3, (), "x" * 2_000),
    ],
)
def test_of_an_answer_that_is_too_long_nothing_is_told(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    told: FlowPicture | ValuePage,
) -> None:
    monkeypatch.setattr(server, "MAX_FRAME", 1000)
    client = desk.client("view")
    client.send(AskFlow("1"), AskPage(1, (2,), 3, 10))
    until(lambda: len(desk.engine.did()) == 2)

    desk.engine.says(told)

    client.until_told(type(told))
    (answer,) = client.of(type(told))
    assert not answer.kept
    assert server._answered(answer) == server._answered(told)
    caplog.clear()


@pytest.mark.slow
def test_of_wrong_frames_and_peers_nothing_is_carried_out() -> None:
    campaign = Path(__file__).parents[2] / "benchmarks" / "soak_frames.py"
    command = [sys.executable, str(campaign), "--count", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.stdout.endswith("good\n"), done.stdout + done.stderr
    assert "others: 0" in done.stdout
