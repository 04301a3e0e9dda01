"""`HostServer`: who comes late gets the present picture, and who is slow loses display only."""

from __future__ import annotations

import threading

import pytest

from helpers.served import (
    DEADLINE,
    POOL,
    Client,
    Desk,
    ended,
    failed,
    held,
    page,
    printed,
    progress,
    resumed,
    started,
)
from helpers.waiting import Call, until
from penstock.host import (
    DisplayLost,
    EngineSnapshot,
    FlowPicture,
    Printed,
    RoutineValues,
    ThreadTable,
)
from penstock.host.crossing.commands import Command, Step
from penstock.host.serving import peer as peers
from penstock.host.serving import server
from penstock.host.serving.outbox import Outbox, Present
from penstock.host.transport.connections import Gone
from penstock.observe import (
    ActivationFailed,
    EngineEvent,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    JobView,
    Stalled,
    StepIgnored,
)

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
    for module in (server, peers):
        monkeypatch.setattr(module, "FLUSH_SECONDS", patience)
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
