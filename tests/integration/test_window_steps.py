"""Pausing, stepping and breakpoints with the keys of the real window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from helpers.gated import Gate, gated_flow
from helpers.real_window import RealWindow, small_census, write_flow
from penstock.observe import JobHeld, RoutineCount

COUNT = 10
TIMEOUT = 20_000
pytestmark = pytest.mark.usefixtures("placement")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.fixture
def real(qtbot: QtBot, gate: Gate, tmp_path: Path) -> Iterator[RealWindow]:
    flow = write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path, COUNT))
    made = RealWindow(flow)
    yield made
    gate.stay_open()
    made.close()


def pause_with_two_running(qtbot: QtBot, real: RealWindow) -> None:
    real.press("run.run")
    qtbot.waitUntil(lambda: real.node("gated").picture.look.chip == "2", timeout=TIMEOUT)
    real.press("run.pause")
    qtbot.waitUntil(lambda: real.session.mode == "pausing", timeout=TIMEOUT)


def done(routines: Mapping[str, RoutineCount]) -> int:
    """What single steps have done: bodies that ended, and resumptions of the source.

    A step of a generator goes to its next yield, at which it has emitted one number more.
    """
    bodies = sum(routines[name].activations for name in ("gated", "total"))
    return bodies + routines["numbers"].emitted["number"]


def done_in_engine(real: RealWindow) -> int:
    (job,) = real.snapshot().jobs
    return done(job.routines)


def step(qtbot: QtBot, real: RealWindow) -> None:
    """Step, and wait until the job is held again."""
    held = real.view_of().held
    assert held is not None
    real.press("run.step")
    qtbot.waitUntil(lambda: is_held_anew(real, held.held_id), timeout=TIMEOUT)


def test_pausing_says_how_many_still_run_until_none_does(
    qtbot: QtBot, real: RealWindow, gate: Gate
) -> None:
    pause_with_two_running(qtbot, real)
    pausing = str(real.window.status.text)

    gate.stay_open()
    qtbot.waitUntil(lambda: real.session.mode == "held", timeout=TIMEOUT)

    assert pausing == "Pausing · 2 still running"
    assert str(real.window.status.text).startswith("Held before ")


def test_the_routine_that_is_next_bears_the_mark(
    qtbot: QtBot, real: RealWindow, gate: Gate
) -> None:
    pause_with_two_running(qtbot, real)
    gate.stay_open()
    qtbot.waitUntil(lambda: real.session.mode == "held", timeout=TIMEOUT)

    held = real.view_of().held
    assert held is not None
    qtbot.waitUntil(lambda: marked(real) == [held.place], timeout=TIMEOUT)


def marked(real: RealWindow) -> list[str]:
    """Routines with the arrow and the HELD tag."""
    return [i for i, node in real.graph.nodes.items() if node.picture.look.held is not None]


def test_a_step_is_exactly_one_activation(qtbot: QtBot, real: RealWindow, gate: Gate) -> None:
    pause_with_two_running(qtbot, real)
    gate.stay_open()
    qtbot.waitUntil(lambda: real.session.mode == "held", timeout=TIMEOUT)

    places = []
    for number in range(1, 9):
        before, held = done_in_engine(real), real.view_of().held
        assert held is not None
        places.append(held.place)
        step(qtbot, real)
        after = done_in_engine(real)

        assert after == before + 1, f"step {number} at {held.place}"
        qtbot.waitUntil(lambda: done(real.view_of().routines) == done_in_engine(real))

    assert {"gated", "numbers"} <= set(places)


def is_held_anew(real: RealWindow, former: int) -> bool:
    view = real.session.view
    held = view.held if view else None
    return held is not None and held.held_id != former and real.session.mode == "held"


def test_after_pausing_and_stepping_the_result_is_the_same(
    qtbot: QtBot, real: RealWindow, gate: Gate
) -> None:
    pause_with_two_running(qtbot, real)
    gate.stay_open()
    qtbot.waitUntil(lambda: real.session.mode == "held", timeout=TIMEOUT)
    step(qtbot, real)

    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    view = real.view_of()
    assert view.status == "COMPLETED"
    qtbot.waitUntil(lambda: view.routines["gated"].activations == COUNT, timeout=TIMEOUT)
    assert view.routines["total"].slots["number"].consumed == COUNT
    total = real.last_values("1", "total").events["total"][-1]
    assert total.value.text == str(sum(range(1, COUNT + 1)))


def test_a_breakpoint_holds_before_each_file_is_parsed(qtbot: QtBot, tmp_path: Path) -> None:
    names = ("a.py", "b.py", "c.py")
    for name in names:
        (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    real = RealWindow(small_census(tmp_path))
    try:
        real.click_node("parse")
        real.press("run.breakpoint")
        real.press("run.run")
        holds: list[JobHeld] = []
        parsed = []
        while (held := next_hold(qtbot, real, holds)) is not None:
            (job,) = real.snapshot().jobs
            parsed.append(job.routines["parse"].activations)
            assert (held.place, held.why) == ("parse", "breakpoint")
            real.press("run.run")
    finally:
        real.close()

    assert parsed == list(range(len(names)))
    assert real.view_of().status == "COMPLETED"


def next_hold(qtbot: QtBot, real: RealWindow, former: list[JobHeld]) -> JobHeld | None:
    """The hold after those in `former`, which it joins; None when the job ends instead."""
    last = former[-1].held_id if former else 0
    qtbot.waitUntil(lambda: real.is_over() or is_held_anew(real, last), timeout=TIMEOUT)
    held = real.view_of().held
    if held is not None:
        former.append(held)
    return held
