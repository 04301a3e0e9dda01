"""The bounded buffer between job loops and the window."""

from __future__ import annotations

import threading

from penstock.host.crossing.protocol import CommandRefused
from penstock.host.engine.monitor import Monitor
from penstock.observe import (
    ActivationEnded,
    ActivationFailed,
    ActivationStarted,
    FailureSummary,
    Instruments,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    MessageDropped,
    MessageQueued,
    Stalled,
    StepIgnored,
)

FAILURE = FailureSummary("a", "ValueError", "no", "…")


def failed(seq: int) -> ActivationFailed:
    return ActivationFailed(seq, "j", 0.0, FAILURE, "continue")


def test_display_events_beyond_the_capacity_are_counted_not_kept() -> None:
    monitor = Monitor(capacity=10)

    for seq in range(25):
        monitor.on_activation_failed(failed(seq))

    assert monitor.lost == 15
    assert len(monitor.drain()) == 10
    monitor.on_activation_failed(failed(30))
    assert monitor.drain() == (failed(30),)
    assert monitor.lost == 15


def test_state_events_and_replies_are_never_dropped() -> None:
    monitor = Monitor(capacity=1)
    monitor.on_activation_failed(failed(1))
    monitor.on_activation_failed(failed(2))
    told = [
        JobStarted(3, "j", 0.0, "f", ()),
        JobHeld(4, "j", 0.0, 1, 1, "pause", "", (), (), (), 0),
        StepIgnored(5, "j", 0.0, "no"),
        JobResumed(6, "j", 0.0, 1, False, ""),
        Stalled(7, "j", 0.0, ("b.x",), ("a",)),
        JobEnded(8, "j", 0.0, "COMPLETED", None, {}),
    ]
    monitor.on_job_started(told[0])  # type: ignore[arg-type]
    monitor.on_job_held(told[1])  # type: ignore[arg-type]
    monitor.on_step_ignored(told[2])  # type: ignore[arg-type]
    monitor.on_job_resumed(told[3])  # type: ignore[arg-type]
    monitor.on_stalled(told[4])  # type: ignore[arg-type]
    monitor.on_job_ended(told[5])  # type: ignore[arg-type]
    monitor.reply(CommandRefused("pause", "j", "no"))

    assert monitor.drain() == (failed(1), *told, CommandRefused("pause", "j", "no"))
    assert monitor.lost == 1
    assert monitor.drain() == ()


def progress(seq: int, status: str, running: int = 0) -> JobProgress:
    return JobProgress(seq, "j", 0.0, status, running, {})


def test_the_last_counters_of_a_job_are_kept_however_full_the_buffer_is() -> None:
    monitor = Monitor(capacity=0)
    last, end = progress(8, "COMPLETED"), JobEnded(9, "j", 0.0, "COMPLETED", None, {})

    monitor.on_job_progress(progress(7, "RUNNING"))
    monitor.on_job_progress(last)
    monitor.on_job_ended(end)

    assert monitor.drain() == (last, end)
    assert monitor.lost == 1


def test_counters_that_are_as_they_were_are_not_told_again() -> None:
    monitor = Monitor()
    first, other = progress(1, "RUNNING"), progress(3, "RUNNING", running=1)

    for one in (first, progress(2, "RUNNING"), other):
        monitor.on_job_progress(one)

    assert monitor.drain() == (first, other)


def test_counters_that_got_lost_are_told_when_there_is_room_again() -> None:
    monitor = Monitor(capacity=1)
    stalled = JobProgress(2, "j", 0.0, "RUNNING", 0, {}, ("b.x",))
    goes_on = progress(4, "RUNNING")
    monitor.on_job_progress(stalled)
    monitor.on_job_progress(progress(3, "RUNNING"))
    assert (monitor.drain(), monitor.lost) == ((stalled,), 1)

    monitor.on_job_progress(goes_on)

    assert monitor.drain() == (goes_on,)


def test_counters_after_a_stall_are_told_also_when_nothing_else_has_changed() -> None:
    monitor = Monitor()
    stall = Stalled(2, "j", 0.0, ("b.x",), ("a",))
    first, still, goes_on = progress(1, "RUNNING"), progress(3, "RUNNING"), progress(5, "RUNNING")

    monitor.on_job_progress(first)
    monitor.on_stalled(stall)
    monitor.on_job_progress(JobProgress(3, "j", 0.0, "RUNNING", 0, {}, ("b.x",)))
    monitor.on_job_progress(goes_on)

    told = monitor.drain()
    assert (told[0], told[1], told[3]) == (first, stall, goes_on)
    assert still not in told


def test_ends_that_were_fetched_are_counted() -> None:
    monitor = Monitor()
    monitor.on_job_ended(JobEnded(1, "j", 0.0, "COMPLETED", None, {}))
    monitor.on_job_ended(JobEnded(1, "k", 0.0, "FAILED", FAILURE, {}))
    assert monitor.ends_fetched == 0

    monitor.drain()

    assert monitor.ends_fetched == 2


def test_no_events_of_single_messages_are_wanted() -> None:
    instruments = Instruments([Monitor()])

    for kind in (MessageQueued, MessageDropped, ActivationStarted, ActivationEnded):
        assert not instruments.wants(kind), "the engine would build one for each message"


def test_a_job_is_asked_for_counters_once_at_a_time_and_not_while_it_stands_still() -> None:
    monitor = Monitor()
    assert monitor.due_samples() == []
    monitor.on_job_started(JobStarted(1, "j", 0.0, "f", ()))
    assert monitor.due_samples() == ["j"]
    assert monitor.due_samples() == [], "it hasn't answered yet"
    monitor.on_job_progress(progress(2, "RUNNING"))
    assert monitor.due_samples() == ["j"]
    monitor.on_job_progress(progress(3, "PAUSED"))
    assert monitor.due_samples() == [], "nothing moves, nobody is woken"
    monitor.on_job_resumed(JobResumed(4, "j", 0.0, 1, False, ""))
    assert monitor.due_samples() == ["j"]
    monitor.on_job_ended(JobEnded(5, "j", 0.0, "COMPLETED", None, {}))
    assert monitor.due_samples() == []


def test_many_threads_lose_nothing_but_what_is_counted() -> None:
    monitor = Monitor(capacity=500)
    drained: list[object] = []
    over = threading.Event()

    def tell() -> None:
        for seq in range(1000):
            monitor.on_activation_failed(failed(seq))

    def drain() -> None:
        while not over.is_set():
            drained.extend(monitor.drain())

    tellers = [threading.Thread(target=tell) for _ in range(4)]
    drainer = threading.Thread(target=drain)
    for thread in [*tellers, drainer]:
        thread.start()
    for thread in tellers:
        thread.join(20)
    over.set()
    drainer.join(20)
    drained.extend(monitor.drain())

    assert len(drained) + monitor.lost == 4000
