"""Lines of the log for stalls, losses, retries, skips and time-outs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from helpers.scripted import routine_count, slot_count
from penstock.observe import (
    ActivationFailed,
    FailureSummary,
    JobEnded,
    JobProgress,
    JobStarted,
    JobView,
    Stalled,
)
from penstock_gui.docks.log.entry import LogEntry, log_entry
from penstock_gui.docks.log.losses import RAREST, LossWatch

FAILURE = FailureSummary("read", "OSError", "no room", "Traceback…")


def entry(told: object) -> LogEntry:
    found = log_entry(told, 0.0)
    assert found is not None
    return found


def failed(action: str, **more: object) -> LogEntry:
    failure = replace(FAILURE, **more)  # type: ignore[arg-type]
    return entry(ActivationFailed(3, "7", 1.0, failure, action))


def test_a_stall_names_full_slots_and_who_waits() -> None:
    told = entry(Stalled(3, "7", 1.0, ("join.a", "rank.x"), ("find", "read")))

    assert told.message == "stalled: join.a, rank.x are full, find, read can't go on"
    assert (told.source, told.routine, told.color) == ("job 7", "join", "queue.high")
    many = tuple(f"r{n}.x" for n in range(9))
    assert "r5.x and 3 more are full" in entry(Stalled(3, "7", 1.0, many, ())).message


def test_a_retry_says_so_first_and_which_attempt_it_was() -> None:
    told = failed("retry", attempt=2)

    assert told.message == "attempt 2, tried again: OSError: no room"
    assert (told.icon, told.is_failure) == ("rotate-ccw", True)
    assert "it is tried again (attempt 2)" in told.details


def test_the_last_attempt_says_which_it_was() -> None:
    assert failed("continue", attempt=4).message == "attempt 4: OSError: no room"
    assert failed("continue").message == "OSError: no room"


def test_a_routine_that_is_skipped_from_now_on() -> None:
    told = failed("skip")

    assert told.message == "skipped from now on: OSError: no room"
    assert told.icon == "skip-forward"


def test_time_outs_have_their_own_sign() -> None:
    assert failed("continue", type="RoutineTimeout").icon == "timer"
    error = FailureSummary("", "JobTimeout", "the job hasn't ended within 5 s", "")
    ended = entry(JobEnded(9, "7", 1.0, "FAILED", error, {}))

    assert ended.icon == "timer"
    assert ended.message == "failed: JobTimeout: the job hasn't ended within 5 s"
    assert ended.details.startswith("job 7: the job has failed")


# Losses.


def view() -> JobView:
    made = JobView("7")
    made.apply(JobStarted(1, "7", 100.0, "flow", ("read", "look")))
    return made


def lose(one: JobView, routine: str = "read", /, **losses: int) -> None:
    slot = slot_count(0, posted=sum(losses.values()), **losses)
    count = routine_count(slots={"path": slot})
    one.apply(JobProgress(one.seq + 1, "7", one.now, "RUNNING", 0, {routine: count}))


def lines(entries: list[LogEntry]) -> list[tuple[str, str]]:
    return [(told.source, told.message) for told in entries]


def test_what_was_lost_meanwhile_is_one_line_per_slot_and_kind() -> None:
    one, watch = view(), LossWatch()
    for number in (3, 40, 1200):
        lose(one, dropped=number, skipped=number // 40)
        watch.note(one, ["read"])
    lose(one, "look", superseded=5)
    watch.note(one, ["look"])

    found = watch.due(200.0)

    assert lines(found) == [
        ("read", "path: 1,200 dropped"),
        ("read", "path: 30 skipped"),
        ("look", "path: 5 superseded"),
    ]
    assert [told.time for told in found] == [200.0] * 3
    assert found[0].routine == "read"
    assert not watch.is_waiting
    assert watch.due(300.0) == []


def test_nothing_lost_is_nothing_to_wait_for() -> None:
    one, watch = view(), LossWatch()
    lose(one, consumed=9)

    assert not watch.note(one, ["read", "look", "nobody"])
    assert not watch.is_waiting


def test_lines_of_a_slot_that_goes_on_losing_come_ever_more_rarely() -> None:
    one, watch = view(), LossWatch()
    told: list[tuple[int, str]] = []
    for second in range(600):
        lose(one, dropped=10 * (second + 1))
        watch.note(one, ["read"])
        told += [(second, line.message) for line in watch.due(float(second))]

    seconds = [second for second, _ in told]
    pauses = [later - sooner for sooner, later in pairwise(seconds)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {int(RAREST)}
    assert told[0][1] == "path: 10 dropped"
    assert told[2][1] == "path: 20 dropped, 40 so far"


def test_the_rest_is_told_when_the_job_ends_and_the_job_is_forgotten() -> None:
    one, watch = view(), LossWatch()
    lose(one, dropped=5)
    watch.note(one, ["read"])
    watch.due(0.0)
    lose(one, dropped=8, skipped=2)
    one.apply(JobEnded(one.seq + 1, "7", 150.0, "COMPLETED", None, {}))

    assert lines(watch.ended(one)) == [
        ("read", "path: 3 dropped, 8 so far"),
        ("read", "path: 2 skipped"),
    ]
    assert not watch.is_waiting
    assert watch.due(1e9) == [], "each loss is told once"
    another = view()
    lose(another, dropped=1)
    watch.note(another, ["read"])
    assert lines(watch.due(1e9)) == [("read", "path: 1 dropped")], "nothing is remembered"


def test_counters_of_an_ended_job_are_not_noted_again() -> None:
    one, watch = view(), LossWatch()
    lose(one, dropped=5)
    one.apply(JobEnded(one.seq + 1, "7", 150.0, "COMPLETED", None, {}))
    watch.ended(one)

    assert not watch.note(one, ["read"])
    assert not watch.is_waiting


@pytest.mark.parametrize("kind", ["dropped", "superseded", "skipped"])
def test_losses_are_no_failures(kind: str) -> None:
    one, watch = view(), LossWatch()
    lose(one, "read", **{kind: 1})
    watch.note(one, ["read"])

    assert not watch.due(0.0)[0].is_failure
