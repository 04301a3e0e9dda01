"""`HostServer`: what clients may do, and what becomes of it when they or the server leave."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from helpers.served import (
    DEADLINE,
    NOTHING,
    POOL,
    START,
    STEERING,
    Client,
    Desk,
    Scripted,
    assert_sleeps,
    ended,
    started,
)
from helpers.waiting import until
from penstock.host import (
    CommandRefused,
    ControlChanged,
    EngineSnapshot,
    FlowPicture,
    Grant,
    HostUp,
    JobSnapshot,
    Printed,
    RoutineValues,
    StartRefused,
    ThreadInfo,
    ThreadTable,
    ValuePage,
    ValueSample,
)
from penstock.host.crossing.codec import encode
from penstock.host.crossing.commands import (
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
    Resume,
    SetBreakpoints,
    Step,
    TakeControl,
    WhenGone,
)
from penstock.host.serving import peer as peers
from penstock.host.serving import questions, server
from penstock.host.serving.server import MAX_CONNECTIONS
from penstock.host.transport.connections import Connection, Gone, Listener, connect
from penstock.observe import JobEnded, JobStarted, StepIgnored, ValueSummary

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
    for module in (server, peers):
        monkeypatch.setattr(module, "FLUSH_SECONDS", DEADLINE)
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
    for module in (server, peers):
        monkeypatch.setattr(module, "FLUSH_SECONDS", 0.1)
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


def test_who_is_handed_over_when_all_is_closed_is_let_go(desk: Desk) -> None:
    here, there = socket.socketpair()
    late = Client(Connection(here))
    desk.server.close()

    desk.server.attach(Connection(there), "control")

    with pytest.raises(Gone):
        late.read()
    late.connection.close()


def test_who_comes_and_goes_at_once_is_let_go_without_a_word(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong on a thread of its own would fail the test."""
    for _ in range(40):
        here, there = socket.socketpair()
        here.close()
        desk.server.attach(Connection(there), "control")
    until(lambda: desk.server._bell.mail.empty() and not desk.server._peers)
    desk.server.close()


def test_a_listener_that_comes_when_all_is_closed_is_closed(desk: Desk, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    listener = Listener(tmp_path, "late")
    desk.server.close()

    desk.server.listen(listener, "control")

    assert not listener.path.exists()


def test_what_does_not_fit_in_a_frame_is_told_in_several(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(peers, "MAX_FRAME", 1000)
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
    monkeypatch.setattr(peers, "MAX_FRAME", 1000)
    client = desk.client("view")
    client.send(AskFlow("1"), AskPage(1, (2,), 3, 10))
    until(lambda: len(desk.engine.did()) == 2)

    desk.engine.says(told)

    client.until_told(type(told))
    (answer,) = client.of(type(told))
    assert not answer.kept
    assert questions.answered(answer) == questions.answered(told)
    caplog.clear()


@pytest.mark.slow
def test_of_wrong_frames_and_peers_nothing_is_carried_out() -> None:
    campaign = Path(__file__).parents[3] / "benchmarks" / "soak_frames.py"
    command = [sys.executable, str(campaign), "--count", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.stdout.endswith("good\n"), done.stdout + done.stderr
    assert "others: 0" in done.stdout
