"""`HostServer`: what clients get to know, by real connections to a scripted engine."""

from __future__ import annotations

import os
import threading

import pytest

from helpers.served import (
    DEADLINE,
    POOL,
    START,
    CountedTurns,
    Desk,
    assert_sleeps,
    ended,
    held,
    page,
    printed,
    progress,
    resumed,
    started,
)
from helpers.waiting import Call, until
from penstock.host import (
    CommandRefused,
    EngineSnapshot,
    FlowPicture,
    HostUp,
    Printed,
    RoutineValues,
    SourcesChanged,
    StartRefused,
    ThreadTable,
    ValuePage,
)
from penstock.host.crossing.commands import (
    AskCounters,
    AskFlow,
    AskPage,
    AskSnapshot,
    AskThreads,
    AskValues,
    Command,
    Pause,
    Release,
    TakeControl,
)
from penstock.host.serving import server
from penstock.host.serving.bell import Bell
from penstock.observe import JobEnded, JobProgress, StepIgnored


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
