"""What the status bar and the chip say in each state of a job."""

from __future__ import annotations

import pytest

from penstock.host import PoolUse
from penstock.observe import FailureSummary, HeldMessage, JobHeld, JobView, ValueSummary
from penstock_gui.window.status_text import chip_text, named, pool_texts, rate, status_text

ERROR = FailureSummary("parse", "ValueError", "no\ngood", "Traceback …")


def view(status: str, **more: object) -> JobView:
    """A view of job 7 of code_census that took 8.4 s."""
    one = JobView("7", flow="code_census", status=status, started=100.0, ended=108.4)
    for name, value in more.items():
        setattr(one, name, value)
    return one


def held(place: str, why: str = "breakpoint", waiting: int = 4) -> JobHeld:
    messages = (HeldMessage("source", 1284, ValueSummary("str", "'x'", 1)),) if place else ()
    return JobHeld(9, "7", 105.0, 1, 1, why, place, (3,), messages, (), waiting)


@pytest.mark.parametrize(
    ("shown", "text", "ground"),
    [
        (None, "Ready · census", ""),
        (view("RUNNING"), "Running · job 7, code_census", "run"),
        (view("PAUSING", running=3), "Pausing · 3 still running", "held"),
        (
            view("PAUSED", held=held("parse")),
            "Held before parse · message 1284, breakpoint · 4 more ready",
            "held",
        ),
        (
            view("PAUSED", held=held("find", "step", 0)),
            "Held before find · message 1284, step",
            "held",
        ),
        (view("PAUSED", held=held("")), "Paused · nothing is ready to go", "held"),
        (view("PAUSED"), "Paused · nothing is ready to go", "held"),
        (view("COMPLETED"), "Completed · job 7 in 8.4 s", ""),
        (view("COMPLETED", failures=1), "Completed · job 7 in 8.4 s, 1 failure", ""),
        (view("CANCELLED"), "Cancelled · job 7 after 8.4 s", ""),
        (view("FAILED", error=ERROR), "Failed · job 7, parse: ValueError: no good", ""),
        (view("IDLE"), "Idle · job 7, code_census", "run"),
        (view("RUNNING", stalled=("join.a",)), "Stalled · job 7, join.a is full", "run"),
    ],
)
def test_the_word_comes_first(shown: JobView | None, text: str, ground: str) -> None:
    found = status_text(shown, None, "census")

    assert (str(found), found.ground) == (text, ground)


def test_a_job_that_has_told_nothing_is_starting() -> None:
    assert str(status_text(None, "8", "census")) == "Starting · job 8, census"
    assert chip_text(None, "8") == ("PENDING", "job 8 starting")


@pytest.mark.parametrize(
    ("shown", "chip"),
    [
        (None, ("idle", "no job")),
        (view("RUNNING"), ("RUNNING", "job 7 running")),
        (view("PAUSING", running=3), ("PAUSING", "pausing (3 still running)")),
        (view("PAUSED", held=held("parse")), ("PAUSED", "job 7 held")),
        (view("PAUSED", held=held("")), ("PAUSED", "job 7 paused")),
        (view("FAILED"), ("FAILED", "job 7 failed")),
        (view("IDLE"), ("IDLE", "job 7 idle")),
        (view("RUNNING", stalled=("join.a",)), ("STALLED", "job 7 stalled")),
    ],
)
def test_the_chip_names_the_job_and_its_state(shown: JobView | None, chip: tuple[str, str]) -> None:
    assert chip_text(shown, None) == chip


def test_a_long_reason_is_cut() -> None:
    error = FailureSummary("parse", "ValueError", "x" * 5000, "")

    assert len(str(status_text(view("FAILED", error=error), None, "f"))) < 200


def test_numbers_of_pool_threads_and_display() -> None:
    pool = PoolUse(size=8, busy=7, idle=1, backlog=1041, threads=12, threads_high_water=14)

    assert pool_texts(pool, 6120.0, 3) == (
        "pool 7/8 busy, 1,041 waiting",
        "threads 12 (max 14)",
        "6.1k ev/s",
        "display: 3 skipped",
    )


def test_threads_in_bodies_that_are_over_are_counted_where_there_are_any() -> None:
    pool = PoolUse(8, 7, 1, 0, 12, 14, spare=2, abandoned=3)

    assert pool_texts(pool, 0.0, 0)[0] == "pool 7/8 busy, 0 waiting, 3 abandoned"


@pytest.mark.parametrize(
    ("full", "text"),
    [
        (["a.x"], "a.x is full"),
        (["a.x", "b.y"], "a.x and b.y are full"),
        (["a.x", "b.y", "c.z", "d.w"], "a.x, b.y, c.z and d.w are full"),
        (["a.x", "b.y", "c.z", "d.w", "e.v"], "a.x, b.y, c.z and 2 more are full"),
    ],
)
def test_full_slots_are_named_but_not_all_of_many(full: list[str], text: str) -> None:
    assert named(tuple(full)) == text


@pytest.mark.parametrize(
    ("per_second", "text"), [(0, "0"), (999.4, "999"), (999.6, "1.0k"), (1_200_000, "1.2M")]
)
def test_rates_are_short(per_second: float, text: str) -> None:
    assert rate(per_second) == text
