"""What a client keeps of what a host tells: bounded, counted, and what the host's end means."""

from __future__ import annotations

import socket
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from helpers.hosted import DEADLINE
from penstock.host import Answer, DisplayLost, HostGone, Printed, StartRefused, Told
from penstock.host.crossing.codec import encode
from penstock.host.crossing.commands import Command, Pause
from penstock.host.links import wire
from penstock.host.links.wire import LOST, Inbox, JobsHeard, Tail, Wire
from penstock.host.transport.connections import Connection, Gone
from penstock.observe import (
    ActivationFailed,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobProgress,
    JobStarted,
    JobView,
    RoutineCount,
)

GONE = HostGone(1, "killed by SIGKILL", "")
FAILURE = FailureSummary("a", "ValueError", "no", "…")


def progress(seq: int, job: str = "1", status: str = "RUNNING", running: int = 0) -> JobProgress:
    count = RoutineCount("running", 0, 0, running, 0, 0.0, 0, {}, {})
    return JobProgress(seq, job, 0.0, status, running, {"b": count})


def held(seq: int, job: str = "1", running: tuple[str, ...] = ()) -> JobHeld:
    return JobHeld(seq, job, 0.0, 1, 1, "pause", "", (), (), running, 0)


def failed(seq: int) -> ActivationFailed:
    return ActivationFailed(seq, "1", 0.0, FAILURE, "continue")


def test_all_is_drained_in_its_order_and_once() -> None:
    inbox = Inbox()
    told = (JobStarted(1, "1", 0.0, "f", ("b",)), progress(2), failed(3), held(4), DisplayLost(7))

    inbox.put(told[:2])
    inbox.put(told[2:])

    assert inbox.drain() == told
    assert inbox.drain() == ()
    assert inbox.lost == 0


def test_beyond_the_capacity_failures_and_text_are_counted_state_is_kept() -> None:
    inbox = Inbox(capacity=2)
    printed = [Printed(n, "1", "b", "stdout", "x") for n in (1, 2)]

    inbox.put([failed(1), printed[0], failed(2), printed[1], held(3)])

    assert inbox.drain() == (failed(1), printed[0], held(3))
    assert inbox.lost == 2
    inbox.put([failed(4)])
    assert inbox.drain() == (failed(4),), "there is room again"


def test_text_is_kept_up_to_so_many_characters_however_few_the_pieces_are() -> None:
    """A window that stands still must not fill the memory with what is printed meanwhile."""
    inbox = Inbox()
    long = [Printed(n, "1", "b", "stdout", "x" * 2_000_000) for n in range(1, 5)]

    inbox.put([*long, held(3)])

    assert inbox.drain() == (*long[:3], held(3))
    assert inbox.lost == 1
    inbox.put(long[3:])
    assert inbox.drain() == tuple(long[3:]), "there is room again"


def test_beyond_the_capacity_the_newest_counters_of_each_job_are_kept_in_their_place() -> None:
    inbox = Inbox(capacity=0)

    inbox.put([progress(1), progress(2), progress(3, "2"), held(4), progress(5)])

    assert inbox.drain() == (progress(2), held(4), progress(3, "2"), progress(5))
    assert inbox.lost == 1


def test_all_but_display_is_urgent_until_it_is_drained() -> None:
    inbox = Inbox(capacity=1)
    inbox.put([progress(1), progress(2), failed(3), Printed(1, "1", "b", "stdout", "x")])
    rung: list[int] = []
    inbox.when_urgent(lambda: rung.append(len(rung)))
    assert not rung

    urgent: tuple[Told | Answer, ...] = (
        held(4),
        progress(5, status="COMPLETED"),
        DisplayLost(1),
        GONE,
    )
    for count, told in enumerate(urgent, start=1):
        inbox.put([told])
        inbox.put([told])
        assert len(rung) == count, "once until the next drain"
        inbox.drain()
        assert len(rung) == count


def test_who_comes_late_hears_that_something_urgent_waits() -> None:
    inbox = Inbox()
    inbox.put([held(1)])
    rung: list[int] = []

    inbox.when_urgent(lambda: rung.append(1))

    assert rung == [1]


def test_a_job_s_last_counters_are_state() -> None:
    inbox = Inbox(capacity=0)
    last = progress(9, status="COMPLETED")

    inbox.put([progress(8), last])

    assert inbox.drain() == (progress(8), last)


def test_jobs_of_a_host_that_is_gone_are_lost_and_starts_refused() -> None:
    jobs = JobsHeard()
    for job in "1234":
        jobs.starting(job)
    jobs.hear(
        [
            JobStarted(1, "1", 5.0, "f", ("a", "b")),
            StartRefused("2", "no"),
            JobStarted(1, "3", 5.0, "f", ("a", "b")),
            progress(2, "3", running=1),
            progress(2, "1", running=1),
            held(3, "3", running=("a", "a")),
            JobEnded(3, "1", 6.0, "COMPLETED", None, {}),
        ]
    )
    assert jobs.any_live

    end, refused, gone = jobs.lose(77, "killed by SIGKILL", "Killed", asked=False)

    assert isinstance(end, JobEnded)
    assert (end.seq, end.job_id, end.status, end.error) == (4, "3", LOST, None)
    assert isinstance(refused, StartRefused)
    assert refused.job_id == "4"
    assert "killed by SIGKILL" in refused.text
    assert gone == HostGone(77, "killed by SIGKILL", "Killed", (("3", "a"),), asked=False)
    assert not jobs.any_live


def test_a_job_that_moved_is_no_longer_running_where_it_was() -> None:
    jobs = JobsHeard()
    jobs.hear([JobStarted(1, "1", 5.0, "f", ("b",)), progress(2, running=1), progress(3)])

    *_, gone = jobs.lose(1, "x", "", asked=True)

    assert isinstance(gone, HostGone)
    assert (gone.running, gone.asked) == ((), True)


def test_what_comes_after_a_job_s_end_brings_it_not_back() -> None:
    jobs = JobsHeard()
    end = JobEnded(2, "1", 6.0, "COMPLETED", None, {})
    jobs.hear([JobStarted(1, "1", 5.0, "f", ()), end, progress(3, running=1)])

    assert not jobs.any_live
    assert len(tuple(jobs.lose(1, "x", "", asked=False))) == 1


def test_a_lost_job_s_view_is_over_and_keeps_what_was_known() -> None:
    view = JobView("1")
    for event in (JobStarted(1, "1", 1.0, "f", ("b",)), progress(2, running=1)):
        view.apply(event)

    view.apply(JobEnded(3, "1", 9.0, LOST, None, {}))

    assert (view.status, view.is_over, view.running, view.ended) == (LOST, True, 0, 9.0)
    assert view.routines["b"].running == 1, "what ran when last heard"
    view.apply(held(4))
    assert (view.status, view.held) == (LOST, None)


def test_the_tail_is_the_last_of_what_was_written() -> None:
    tail = Tail(10)
    for part in (b"0123456789", b"abc", b"", b"de"):
        tail.add(part)
    assert tail.text() == "56789abcde"

    tail.add(b"x" * 100 + b"\xff!")
    assert tail.text() == "xxxxxxxx\\xff!"


class Ends:
    """A wire over a connection whose other end is `there`, and why nothing comes any more."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        self.there = Connection(there)
        self.commands: SimpleQueue[Command | None] = SimpleQueue()
        self.why = ""
        self.is_gone = threading.Event()
        self.wire = Wire(
            Connection(here), self.commands, Inbox(), JobsHeard(), lambda _up: None, self._on_gone
        )

    def _on_gone(self, why: str) -> None:
        self.why = why
        self.is_gone.set()

    def close(self) -> None:
        self.wire.close()
        self.there.close()


def test_a_fault_in_taking_in_what_comes_is_told_as_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(JobsHeard, "hear", fail)
    ends = Ends()
    try:
        ends.there.send(encode([held(1)]))

        assert ends.is_gone.wait(DEADLINE)
        assert "ZeroDivisionError" in ends.why
        with pytest.raises(Gone):
            ends.there.receive(DEADLINE)
    finally:
        ends.close()
    assert "can't be taken in" in caplog.text
    caplog.clear()


def test_a_fault_in_sending_is_told_as_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(wire, "encode", fail)
    ends = Ends()
    try:
        ends.commands.put(Pause(None))

        assert ends.is_gone.wait(DEADLINE)
    finally:
        ends.close()
    assert "can't be sent" in caplog.text
    caplog.clear()
