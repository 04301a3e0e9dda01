"""The real window runs real flows on the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from helpers.gated import Gate, gated_flow
from helpers.real_window import CENSUS, RealWindow, small_census, write_flow

SOURCES = {
    "one.py": "def f():\n    return 1\n",
    "two.py": "class A:\n    def g(self):\n        if self:\n            return 2\n",
    "three.py": "x = 3\n",
    "bad.py": "def (:\n",
}
TIMEOUT = 20_000
pytestmark = pytest.mark.usefixtures("placement")


@pytest.fixture
def census(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return small_census(tmp_path)


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[list[RealWindow]]:
    """Windows put in here are closed after the test."""
    opened: list[RealWindow] = []
    yield opened
    for one in opened:
        one.close()


def test_the_census_runs_to_its_end_and_every_node_says_so(
    qtbot: QtBot, open_window: list[RealWindow], census: Path
) -> None:
    real = RealWindow(census)
    open_window.append(real)

    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    view = real.view_of()
    assert view.status == "COMPLETED"
    qtbot.waitUntil(lambda: view.routines["report"].status == "done", timeout=TIMEOUT)
    assert view.routines["find"].emitted["path"] == len(SOURCES)
    assert view.routines["read"].activations == len(SOURCES)
    assert view.failures == 1
    assert set(real.graph.nodes) == set(real.document.ids())
    qtbot.waitUntil(
        lambda: {node.picture.look.words for node in real.graph.nodes.values()} == {"done"},
        timeout=TIMEOUT,
    )
    assert real.node("parse").picture.look.failures == 1


def test_while_a_job_runs_nodes_queues_threads_and_status_bar_live(
    qtbot: QtBot, open_window: list[RealWindow], tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    real = RealWindow(write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path)))
    open_window.append(real)

    real.press("run.run")
    qtbot.waitUntil(lambda: real.node("gated").picture.look.chip == "2", timeout=TIMEOUT)
    qtbot.waitUntil(lambda: "number" in real.node("gated").picture.look.queues, timeout=TIMEOUT)
    depth = real.node("gated").picture.look.queues["number"].depth
    table = real.threads()
    in_gated = [info for info in table.threads if info.routine == "gated"]
    gate.stay_open()
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    assert 1 <= depth <= 4
    assert table.pool.busy == 2
    assert len(in_gated) == 2
    assert {info.state for info in in_gated} == {"running"}
    qtbot.waitUntil(lambda: real.activations("gated") == 10, timeout=TIMEOUT)


def test_two_jobs_at_once_each_give_what_one_alone_gives(
    qtbot: QtBot, open_window: list[RealWindow], census: Path
) -> None:
    real = RealWindow(census)
    open_window.append(real)
    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)
    alone = totals(real, "1")

    real.press("run.run")
    qtbot.waitUntil(lambda: real.session.mode == "running" or real.is_over(), timeout=TIMEOUT)
    real.press("run.run")
    qtbot.waitUntil(lambda: real.is_over("2") and real.is_over("3"), timeout=TIMEOUT)

    assert "files" in alone
    assert totals(real, "2") == totals(real, "3") == alone


def totals(real: RealWindow, job_id: str) -> str:
    """What the report of a job emitted, as the window can know it."""
    samples = real.last_values(job_id, "report").events["totals"]
    return samples[-1].value.text


def test_the_shipped_census_opens_with_a_node_per_routine(
    qtbot: QtBot, open_window: list[RealWindow]
) -> None:
    real = RealWindow(CENSUS / "code_census.flow.json")
    open_window.append(real)

    assert set(real.graph.nodes) == set(real.document.ids())
    assert len(real.graph.edges) == len(real.document.connections())


def test_stop_ends_the_job_at_once(
    qtbot: QtBot, open_window: list[RealWindow], tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    real = RealWindow(write_flow(tmp_path / "gated.flow.json", gated_flow(gate.path)))
    open_window.append(real)
    real.press("run.run")
    qtbot.waitUntil(lambda: real.node("gated").picture.look.chip == "2", timeout=TIMEOUT)

    real.press("run.stop")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)
    gate.stay_open()

    assert real.view_of().status == "CANCELLED"
    assert real.activations("gated") <= 2


def test_a_flow_of_a_folder_not_trusted_runs_only_after_consent(
    qtbot: QtBot, open_window: list[RealWindow], census: Path
) -> None:
    real = RealWindow(census)
    open_window.append(real)
    real.answers.trusts = False

    real.press("run.run")
    refused = real.session.job_id
    real.answers.trusts = True
    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)
    asked = len(real.answers.asked)
    real.press("run.run")
    qtbot.waitUntil(lambda: real.is_over("2"), timeout=TIMEOUT)

    assert refused is None
    assert "trust code_census" in real.answers.asked
    assert len(real.answers.asked) == asked
