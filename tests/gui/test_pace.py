"""How often the window refreshes what a run shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot
from shiboken6 import delete, isValid

from penstock_gui.bridge import Pace, PacedTimer
from penstock_gui.bridge.pace import BEAT_MS, EXPECT_SECONDS, MAKE_WAY_SECONDS, SLOWEST_MS


class Bench:
    """A pace on a clock that the test moves; `ways` is what the engine was asked."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ways: list[float] = []
        self.pace = Pace(self.ways.append, clock=lambda: self.now)

    def refresh(self, seconds: float) -> None:
        """One refresh that takes so long."""
        self.pace.begin()
        self.now += seconds
        self.pace.end()


@pytest.fixture
def bench(qtbot: QtBot) -> Iterator[Bench]:
    made = Bench()
    yield made
    made.pace.stop()


def test_quick_refreshes_come_at_the_display_s_rate_and_ask_nothing(bench: Bench) -> None:
    for _ in range(5):
        bench.refresh(0.003)

    assert bench.pace.interval_ms == BEAT_MS
    assert not bench.pace.is_slow
    assert set(bench.ways) == {0.0}


def test_a_refresh_is_a_small_part_of_the_time(bench: Bench) -> None:
    bench.refresh(0.1)

    assert bench.pace.interval_ms == 400
    bench.refresh(9.0)
    assert bench.pace.interval_ms == SLOWEST_MS


def test_one_slow_refresh_is_forgotten_bit_by_bit(bench: Bench) -> None:
    bench.refresh(0.08)
    intervals = []
    for _ in range(6):
        bench.refresh(0.001)
        intervals.append(bench.pace.interval_ms)

    assert intervals == [160, 80, 40, 20, BEAT_MS, BEAT_MS]


def test_after_a_slow_refresh_the_routines_make_way_for_the_next_ones(bench: Bench) -> None:
    bench.refresh(0.2)
    bench.ways.clear()

    bench.refresh(0.01)
    bench.refresh(0.01)

    assert bench.ways == [MAKE_WAY_SECONDS, 0.0, MAKE_WAY_SECONDS, 0.0]
    bench.now += 60
    bench.ways.clear()
    bench.refresh(0.01)
    assert bench.ways == [0.0], "it isn't asked for ever"


def test_a_refresh_lasts_until_what_it_caused_is_painted(bench: Bench, qtbot: QtBot) -> None:
    bench.refresh(0.2)
    bench.ways.clear()

    bench.pace.begin()
    bench.pace.begin()
    assert bench.ways == [MAKE_WAY_SECONDS]
    qtbot.waitUntil(lambda: bench.ways == [MAKE_WAY_SECONDS, 0.0])


def test_a_paced_timer_fires_when_due_and_again(bench: Bench) -> None:
    fired: list[float] = []
    timer = PacedTimer(bench.pace, 100)
    timer.timeout.connect(lambda: fired.append(bench.now))
    timer.start()

    for _ in range(10):
        bench.now += 0.05
        bench.pace.beat()

    assert fired == pytest.approx([100.1, 100.2, 100.3, 100.4, 100.5])
    timer.stop()
    bench.now += 1
    bench.pace.beat()
    assert len(fired) == 5


def test_threads_are_asked_for_before_the_routines_make_way(bench: Bench) -> None:
    bench.refresh(0.2)
    bench.ways.clear()
    seen: list[list[float]] = []
    painter = PacedTimer(bench.pace, 10)
    askers = [PacedTimer(bench.pace, 10, asks=True) for _ in range(2)]
    painter.start()
    for asker in askers:
        asker.timeout.connect(lambda: seen.append(list(bench.ways)))
        asker.timeout.connect(bench.pace.begin)
        asker.start()

    bench.now += 1
    bench.pace.beat()

    assert seen == [[], []]
    assert bench.ways == [MAKE_WAY_SECONDS]


def test_a_single_shot_fires_once_until_it_is_started_again(bench: Bench) -> None:
    fired: list[float] = []
    timer = PacedTimer(bench.pace, 10, single_shot=True)
    timer.timeout.connect(lambda: fired.append(bench.now))
    timer.start()
    assert timer.is_active()

    for _ in range(3):
        bench.now += 0.02
        bench.pace.beat()

    assert len(fired) == 1
    assert not timer.is_active()
    timer.start(40)
    bench.now += 0.02
    bench.pace.beat()
    assert len(fired) == 1
    bench.now += 0.03
    bench.pace.beat()
    assert len(fired) == 2


def test_a_timer_stopped_by_another_one_of_the_same_beat_does_not_fire(bench: Bench) -> None:
    first, second = PacedTimer(bench.pace, 10), PacedTimer(bench.pace, 10)
    fired: list[int] = []
    first.timeout.connect(second.stop)
    second.timeout.connect(lambda: fired.append(2))
    first.start()
    second.start()

    bench.now += 0.02
    bench.pace.beat()

    assert fired == []


def test_stopping_lets_the_engine_go_on(bench: Bench) -> None:
    bench.refresh(0.2)
    bench.pace.begin()

    bench.pace.stop()

    assert bench.ways[-1] == 0.0


def test_while_a_job_begins_the_window_is_careful(bench: Bench) -> None:
    bench.pace.begin()
    bench.pace.expect_slow()
    bench.pace.end()
    bench.refresh(0.001)

    assert bench.ways == [MAKE_WAY_SECONDS, 0.0, MAKE_WAY_SECONDS, 0.0]
    bench.now += EXPECT_SECONDS
    bench.refresh(0.001)
    assert bench.ways[4:] == [0.0], "refreshes were quick: nobody need make way"


def test_a_timer_goes_with_the_widget_it_belongs_to(bench: Bench) -> None:
    owner = QObject()
    first, second = PacedTimer(bench.pace, 10), PacedTimer(bench.pace, 10, parent=owner)
    fired: list[int] = []
    first.timeout.connect(lambda: delete(owner) if isValid(owner) else None)
    second.timeout.connect(lambda: fired.append(2))
    first.start()
    second.start()

    for _ in range(2):
        bench.now += 0.02
        bench.pace.beat()

    assert fired == []


def test_while_refreshes_are_slow_the_run_is_asked_about_between_them(
    bench: Bench, qtbot: QtBot
) -> None:
    asked: list[int] = []
    bench.pace.between.connect(lambda: asked.append(1))
    bench.refresh(0.001)
    qtbot.wait(20)
    assert asked == []

    bench.refresh(0.05)

    qtbot.waitUntil(lambda: asked == [1])
