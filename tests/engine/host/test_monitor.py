"""The bounded buffer between job loops and the window."""

from __future__ import annotations

import threading

from penstock.host.monitor import Monitor
from penstock.host.protocol import CommandRefused
from penstock.observe import (
    ActivationFailed,
    FailureSummary,
    JobEnded,
    JobHeld,
    JobProgress,
    JobResumed,
    JobStarted,
    StepIgnored,
)

FAILURE = FailureSummary("a", "ValueError", "no", "…")


def failed(seq: int) -> ActivationFailed:
    return ActivationFailed(seq, "j", 0.0, FAILURE, "continue")


def test_display_events_beyond_the_capacity_are_counted_not_kept() -> None:
    monitor = Monitor(lambda _: None, capacity=10)

    for seq in range(25):
        monitor.on_activation_failed(failed(seq))

    assert monitor.lost == 15
    assert len(monitor.drain()) == 10
    monitor.on_activation_failed(failed(30))
    assert monitor.drain() == (failed(30),)
    assert monitor.lost == 15


def test_state_events_and_replies_are_never_dropped() -> None:
    monitor = Monitor(lambda _: None, capacity=1)
    monitor.on_activation_failed(failed(1))
    monitor.on_activation_failed(failed(2))
    told = [
        JobStarted(3, "j", 0.0, "f", ()),
        JobHeld(4, "j", 0.0, 1, 1, "pause", "", (), (), (), 0),
        StepIgnored(5, "j", 0.0, "no"),
        JobResumed(6, "j", 0.0, 1, False, ""),
        JobEnded(7, "j", 0.0, "COMPLETED", None, {}),
    ]
    monitor.on_job_started(told[0])  # type: ignore[arg-type]
    monitor.on_job_held(told[1])  # type: ignore[arg-type]
    monitor.on_step_ignored(told[2])  # type: ignore[arg-type]
    monitor.on_job_resumed(told[3])  # type: ignore[arg-type]
    monitor.on_job_ended(told[4])  # type: ignore[arg-type]
    monitor.reply(CommandRefused("pause", "j", "no"))

    assert monitor.drain() == (failed(1), *told, CommandRefused("pause", "j", "no"))
    assert monitor.lost == 1
    assert monitor.drain() == ()


def test_the_last_counters_of_a_job_come_with_its_end() -> None:
    last = JobProgress(9, "j", 0.0, "COMPLETED", 0, {})
    monitor = Monitor(lambda job_id: last if job_id == "j" else None)
    end = JobEnded(8, "j", 0.0, "COMPLETED", None, {})

    monitor.on_job_ended(end)

    assert monitor.drain() == (end, last)


def test_many_threads_lose_nothing_but_what_is_counted() -> None:
    monitor = Monitor(lambda _: None, capacity=500)
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
