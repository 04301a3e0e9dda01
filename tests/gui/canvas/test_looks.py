from __future__ import annotations

import pytest

from helpers.scripted import ScriptedClient, routine_count, slot_count, text_value
from penstock.observe import FailureSummary, HeldMessage, JobView
from penstock_gui.canvas.looks import AT_REST, QueueLook, look_of


@pytest.fixture
def client() -> ScriptedClient:
    made = ScriptedClient()
    made.tell_started("1", "flow", ["a", "b"])
    return made


def view(client: ScriptedClient) -> JobView:
    return client.views["1"]


def test_without_a_job_nothing_has_run() -> None:
    assert look_of(None, "a") is AT_REST
    assert AT_REST.words == "not run yet"


def test_a_routine_the_job_hasn_t_got_says_so(client: ScriptedClient) -> None:
    assert look_of(view(client), "new").words == "not in job 1"


def test_running_shows_its_threads_and_turns(client: ScriptedClient) -> None:
    client.tell_progress("1", {"a": routine_count("running", running=3, activations=1911)})

    look = look_of(view(client), "a")

    assert (look.icon, look.chip, look.words, look.count) == (
        "loader-circle",
        "3",
        "running",
        "1,911",
    )
    assert look.spins
    assert look.is_lively


@pytest.mark.parametrize(
    ("status", "words", "lively"),
    [
        ("idle", "idle", False),
        ("waiting", "waits for a thread", True),
        ("matching", "waits for a match", True),
        ("gated", "waits: slot full", True),
        ("timed", "waits for its time", True),
        ("retrying", "retrying", True),
        ("skipped", "skipped", True),
        ("done", "done", True),
    ],
)
def test_each_status_has_its_words(
    client: ScriptedClient, status: str, words: str, lively: bool
) -> None:
    client.tell_progress("1", {"a": routine_count(status)})

    look = look_of(view(client), "a")

    assert (look.words, look.is_lively, look.chip) == (words, lively, "")


def test_queued_shows_how_much_waits(client: ScriptedClient) -> None:
    slots = {"x": slot_count(1000), "y": slot_count(4), "empty": slot_count(0)}
    client.tell_progress("1", {"a": routine_count("queued", slots=slots)})

    look = look_of(view(client), "a")

    assert look.chip == "1,004"
    assert set(look.queues) == {"x", "y"}
    assert look.foremost == ("x", QueueLook(1000, 1000))


def test_a_slot_that_has_dropped_is_shown_even_when_nothing_waits(client: ScriptedClient) -> None:
    slots = {"x": slot_count(1000), "y": slot_count(0, 4, dropped=1234), "dead": slot_count(dead=3)}
    client.tell_progress("1", {"a": routine_count("idle", slots=slots)})

    look = look_of(view(client), "a")

    assert dict(look.queues) == {"x": QueueLook(1000, 1000), "y": QueueLook(0, 4, 1234)}
    assert look.queues["y"].lost == "\N{MINUS SIGN}1.2k"
    assert look.queues["x"].lost == ""
    assert look.foremost == ("y", QueueLook(0, 4, 1234)), "a loss before a full queue"


@pytest.mark.parametrize(
    ("depth", "token"),
    [
        (1, "state.done"),
        (599, "state.done"),
        (600, "state.waiting"),
        (849, "state.waiting"),
        (850, "queue.high"),
        (5000, "queue.high"),
    ],
)
def test_a_queue_warns_from_60_and_85_per_cent(depth: int, token: str) -> None:
    assert QueueLook(depth, 1000).color == token
    assert QueueLook(depth, 1000).part <= 1


def test_failures_are_counted_beside_the_state(client: ScriptedClient) -> None:
    client.tell_failed("1", "a")
    client.tell_progress("1", {"a": routine_count("idle", failures=2)})

    look = look_of(view(client), "a")

    assert (look.failures, look.is_failed) == (2, False)


def test_the_routine_that_ended_the_job_names_its_error(client: ScriptedClient) -> None:
    client.tell_progress("1", {"a": routine_count("failed", failures=1), "b": routine_count()})
    client.tell_ended("1", "FAILED", FailureSummary("a", "KeyError", "'x'", "…"))

    look = look_of(view(client), "a")

    assert (look.words, look.chip, look.is_failed) == ("KeyError", "1", True)
    assert look_of(view(client), "b").words == "not run"


def test_the_end_of_a_job_makes_done_or_cancelled_of_every_state(client: ScriptedClient) -> None:
    client.tell_progress("1", {"a": routine_count("running", running=1, activations=2)})
    client.tell_ended("1")
    assert look_of(view(client), "a").words == "done"

    client.tell_started("2", "flow", ["a"])
    client.tell_progress("2", {"a": routine_count("running", running=1, activations=2)})
    client.tell_ended("2", "CANCELLED")
    assert look_of(client.views["2"], "a").words == "cancelled"


def test_the_held_routine_shows_its_message_and_how_many_follow(client: ScriptedClient) -> None:
    client.tell_progress("1", {"a": routine_count("held", ready=5), "b": routine_count("held")})
    message = HeldMessage("x", 1284, text_value("re/_parser.py"))
    client.tell_held("1", "a", [message], waiting=4)

    look = look_of(view(client), "a")

    assert look.held is not None
    assert (look.held.slot, look.held.text) == ("x", "#1284  're/_parser.py'")
    assert (look.held.more, look.chip) == ("+4 more", "HELD")
    assert look_of(view(client), "b").held is None


def test_a_held_source_and_a_held_match_say_what_they_have(client: ScriptedClient) -> None:
    client.tell_held("1", "a")
    source = look_of(view(client), "a").held
    assert source is not None
    assert (source.text, source.more) == ("goes next", "")

    client.tell_resumed("1")
    pair = [HeldMessage(name, 7, text_value("x" * 90)) for name in ("x", "y")]
    client.tell_held("1", "a", pair, why="breakpoint", breakpoints=[3])
    look = look_of(view(client), "a")
    assert look.held is not None
    assert look.held.text.endswith("…  and 1 more slot")
    assert len(look.held.text) < 70
    assert look.words == "held: breakpoint 3"
