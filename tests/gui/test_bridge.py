from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient, routine_count, slot_count
from penstock.host import StartRefused
from penstock.observe import JobHeld, JobStarted
from penstock_gui.bridge import BUDGET, EngineBridge


class Clock:
    """A clock that moves by `step` at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 100.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture(autouse=True)
def a_tick_takes_everything() -> None:
    """Not here, where the budget itself is tested."""


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def bridge(qtbot: QtBot, client: ScriptedClient) -> Iterator[EngineBridge]:
    made = EngineBridge(client, interval_ms=10_000)
    yield made
    made.stop()


def ring_on_another_thread(client: ScriptedClient) -> None:
    """Have the bridge told that something urgent waits."""
    assert client.ring is not None
    thread = threading.Thread(target=client.ring)
    thread.start()
    thread.join()


def heard(signal: Any) -> list[Any]:
    """Everything a signal says from now on."""
    said: list[Any] = []
    signal.connect(lambda *arguments: said.append(arguments))
    return said


def test_a_job_is_folded_into_its_view(bridge: EngineBridge, client: ScriptedClient) -> None:
    started, ended = heard(bridge.job_started), heard(bridge.job_ended)

    client.tell_started("1", "census", ["a", "b"])
    client.tell_progress("1", {"a": routine_count("running", running=2, activations=7)})
    client.tell_ended("1")
    bridge.tick()

    assert bridge.views["1"].status == "COMPLETED"
    assert bridge.views["1"].routines["a"].activations == 7
    assert (started, ended) == ([("1",)], [("1",)])


def test_a_stall_is_told_and_its_end_is_a_change(
    bridge: EngineBridge, client: ScriptedClient
) -> None:
    stalled, told = heard(bridge.job_stalled), heard(bridge.told)
    changed = heard(bridge.job_changed)
    client.tell_started("1", "f", ["a"])
    client.tell_stalled("1", ["a.x"], ["a"])
    bridge.tick()
    assert stalled == [("1",)]
    assert [type(event).__name__ for (event,) in told] == ["JobStarted", "Stalled"]
    assert bridge.views["1"].stalled == ("a.x",)
    changed.clear()

    client.tell_progress("1", {"a": bridge.views["1"].routines["a"]})
    bridge.tick()

    assert not bridge.views["1"].stalled
    assert changed == [("1", frozenset())], "although no counter has changed"


def test_changes_of_a_tick_are_told_once_per_job(
    bridge: EngineBridge, client: ScriptedClient
) -> None:
    changed = heard(bridge.job_changed)
    client.tell_started("1", "f", ["a", "b", "c"])
    bridge.tick()
    changed.clear()

    for _ in range(50):
        client.tell_activation("1", "a")
        client.tell_activation("1", "b")
    bridge.tick()

    assert changed == [("1", frozenset({"a", "b"}))]


def test_a_tick_without_news_tells_nothing(bridge: EngineBridge) -> None:
    ticked = heard(bridge.ticked)

    bridge.tick()

    assert ticked == []


def test_a_tick_stops_at_its_budget_and_the_rest_waits(client: ScriptedClient) -> None:
    clock = Clock(step=BUDGET / 10)
    bridge = EngineBridge(client, interval_ms=10_000, clock=clock)
    client.tell_started("1", "f", ["a"])
    for _ in range(99):
        client.tell_activation("1", "a")

    bridge.tick()
    first = bridge.waiting
    client.tell_activation("1", "a")
    bridge.tick()

    assert 80 <= first < 100
    assert bridge.waiting < first
    assert len(client.drain()) == 1, "the client is drained again only when nothing is left"
    while bridge.waiting:
        bridge.tick()
    assert bridge.views["1"].routines["a"].running == 99
    bridge.stop()


def test_state_events_reach_the_log_in_order(bridge: EngineBridge, client: ScriptedClient) -> None:
    told = heard(bridge.told)

    client.tell_started("1", "f", ["a"])
    client.tell_activation("1", "a")
    client.tell_failed("1", "a")
    client.tell_held("1", "a", why="breakpoint")
    client.tell_resumed("1", "a")
    client.tell_ended("1", "FAILED")
    bridge.tick()

    names = [type(event).__name__ for (event,) in told]
    assert names == ["JobStarted", "ActivationFailed", "JobHeld", "JobResumed", "JobEnded"]


def test_held_and_resumed_are_told(bridge: EngineBridge, client: ScriptedClient) -> None:
    held, resumed = heard(bridge.job_held), heard(bridge.job_resumed)
    client.tell_started("1", "f", ["a"])

    client.tell_held("1", "a", running=["a"])
    bridge.tick()
    status, place = bridge.views["1"].status, bridge.views["1"].held
    client.tell_resumed("1", "a")
    bridge.tick()

    assert status == "PAUSING"
    assert isinstance(place, JobHeld)
    assert place.place == "a"
    assert (held, resumed) == ([("1",)], [("1",)])
    assert bridge.views["1"].held is None


def test_a_failure_and_a_refusal_are_told(bridge: EngineBridge, client: ScriptedClient) -> None:
    failed, refused = heard(bridge.failed), heard(bridge.refused)

    client.tell_failed("1", "parse", "SyntaxError", "bad")
    reply = StartRefused("2", "no such module")
    client.tell(reply)
    bridge.tick()

    assert [(job, failure.type) for job, failure in failed] == [("1", "SyntaxError")]
    assert refused == [(reply,)]
    assert "2" not in bridge.views


def test_events_per_second_counts_what_counters_grew_by(client: ScriptedClient) -> None:
    clock = Clock()
    bridge = EngineBridge(client, interval_ms=10_000, clock=clock)

    client.tell_progress("1", {"a": routine_count(activations=10)})
    bridge.tick()
    clock.now += 0.5
    slots = {"in": slot_count(posted=20)}
    client.tell_progress("1", {"a": routine_count(activations=15, slots=slots)})
    bridge.tick()
    both = bridge.events_per_second
    clock.now += 0.6
    later = bridge.events_per_second
    clock.now += 5

    assert both == 35
    assert later == 25
    assert bridge.events_per_second == 0
    bridge.stop()


def test_lost_events_are_the_clients(bridge: EngineBridge, client: ScriptedClient) -> None:
    client.lost = 12

    assert bridge.lost == 12


def test_the_timer_drains_until_stopped(qtbot: QtBot, client: ScriptedClient) -> None:
    bridge = EngineBridge(client, interval_ms=1)
    with qtbot.waitSignal(bridge.job_started):
        client.tell_started("1", "f", ["a"])

    bridge.stop()
    client.tell_started("2", "f", ["a"])
    qtbot.wait(30)

    assert "2" not in bridge.views


def test_news_during_a_handlers_own_event_loop_is_not_lost(
    bridge: EngineBridge, client: ScriptedClient
) -> None:
    told = heard(bridge.told)
    client.tell_started("1", "f", ["a"])
    client.tell_held("1", "a")
    bridge.job_started.connect(lambda job: bridge.tick() if job == "1" else None)

    bridge.tick()

    assert sorted(type(event).__name__ for (event,) in told) == ["JobHeld", "JobStarted"]
    assert isinstance(told[-1][0], JobStarted), "the handler that was interrupted hears it last"


def test_urgent_news_waits_for_no_refresh(qtbot: QtBot, client: ScriptedClient) -> None:
    bridge = EngineBridge(client, interval_ms=5)
    bridge._timer.stop()  # the next refresh is far away
    client.tell_started("1", routines=["a"])
    qtbot.wait(50)
    assert not bridge.views

    ring_on_another_thread(client)
    qtbot.waitUntil(lambda: "1" in bridge.views, timeout=5000)
    bridge.stop()
    client.tell_started("2", routines=["a"])
    ring_on_another_thread(client)
    qtbot.wait(50)
    assert "2" not in bridge.views


def test_urgent_news_that_comes_all_the_time_leaves_the_window_its_time(
    qtbot: QtBot, client: ScriptedClient
) -> None:
    bridge = EngineBridge(client, interval_ms=60_000, urgent_ms=60_000)
    client.tell_started("1", routines=["a"])
    ring_on_another_thread(client)
    qtbot.waitUntil(lambda: "1" in bridge.views, timeout=5000)

    client.tell_started("2", routines=["a"])
    ring_on_another_thread(client)
    qtbot.wait(50)

    assert "2" not in bridge.views, "the next one comes later"
    assert bridge._urgent.isActive()
    bridge.stop()


def test_what_a_tick_of_urgent_news_has_no_time_for_waits_for_no_refresh(
    qtbot: QtBot, client: ScriptedClient
) -> None:
    bridge = EngineBridge(client, interval_ms=5, clock=Clock(step=1.0))  # one event a tick
    bridge._timer.stop()
    for job_id in ("1", "2", "3"):
        client.tell_started(job_id, routines=["a"])

    ring_on_another_thread(client)

    qtbot.waitUntil(lambda: "3" in bridge.views, timeout=5000)
    bridge.stop()
