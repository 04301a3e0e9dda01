from __future__ import annotations

import sys
import threading

import pytest

from penstock.host.serving import turns
from penstock.host.serving.turns import SHORT_SECONDS, USUAL_SECONDS, Turns

pytestmark = pytest.mark.usefixtures("switch_interval")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be changed in place."""
    now = [100.0]
    monkeypatch.setattr(turns, "monotonic", lambda: now[0])
    return now


def are_short() -> bool:
    interval = sys.getswitchinterval()
    assert interval in (pytest.approx(USUAL_SECONDS), pytest.approx(SHORT_SECONDS))
    return interval == pytest.approx(SHORT_SECONDS)


def test_turns_are_short_for_a_while_after_each_hurry(now: list[float]) -> None:
    hasty = Turns()
    assert (hasty.ends, are_short()) == (None, False)

    assert hasty.hurry(), "they were long"
    assert are_short()
    now[0] += turns.HURRY_SECONDS / 2
    assert not hasty.hurry()
    ends = hasty.ends
    assert ends == now[0] + turns.HURRY_SECONDS

    now[0] = ends - 0.001
    hasty.relax()
    assert are_short(), "the second hurry isn't over"
    now[0] = ends
    hasty.relax()
    assert (hasty.ends, are_short()) == (None, False)


def test_a_hurry_that_comes_while_turns_get_long_is_heard(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = Turns()
    hasty.hurry()
    now[0] += 1.0
    really_set = sys.setswitchinterval

    def hurried_before(seconds: float) -> None:
        if seconds == USUAL_SECONDS:
            hasty.hurry()
        really_set(seconds)

    monkeypatch.setattr(sys, "setswitchinterval", hurried_before)
    hasty.relax()

    assert are_short()
    assert hasty.ends is not None


def test_they_may_be_asked_for_on_many_threads(now: list[float]) -> None:
    hasty = Turns()
    threads = [threading.Thread(target=hasty.hurry) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert are_short()
