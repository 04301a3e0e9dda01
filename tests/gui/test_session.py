from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from helpers.flow_folder import SOURCE, write_words
from helpers.scripted import Call, ScriptedClient, routine_count
from penstock.flow import Connection, describe
from penstock.host import BreakpointSpec, CommandRefused, EngineClient, StartRefused
from penstock.ids import PortRef
from penstock.observe import JobHeld
from penstock_gui.bridge import EngineBridge
from penstock_gui.document import FlowDocument
from penstock_gui.session import NOTHING, Selection, Session


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, client: ScriptedClient) -> Iterator[Session]:
    document = FlowDocument()
    document.load(write_words(tmp_path / "words"))
    bridge = EngineBridge(client, interval_ms=10_000)
    made = Session(document, client, bridge)
    made.trusted = lambda folder: True
    yield made
    bridge.stop()


def heard(signal: Any) -> list[Any]:
    """Everything a signal says from now on."""
    said: list[Any] = []
    signal.connect(lambda *arguments: said.append(arguments))
    return said


def run_job(session: Session, client: ScriptedClient) -> str:
    """Start a job and let its start be told."""
    session.run()
    job_id = session.job_id
    assert job_id is not None
    client.tell_started(job_id)
    session.bridge.tick()
    return job_id


# Running.


def test_run_starts_the_flow_as_edited_and_shows_the_job(
    session: Session, client: ScriptedClient
) -> None:
    session.edits.set_config("lines", "times", 2)

    session.run()

    (call,) = client.named("start")
    assert json.loads(call.arguments[0])["routines"]["lines"]["config"]["times"] == 2
    assert call.arguments[1] == str(session.document.folder)
    assert (session.job_id, session.mode) == ("1", "starting")
    assert session.flow_of("1") == session.document.flow.to_json()


def test_modes_follow_the_shown_job(session: Session, client: ScriptedClient) -> None:
    modes: list[str] = []
    session.mode_changed.connect(lambda: modes.append(session.mode))

    job = run_job(session, client)
    client.tell_held(job, "split", running=["lines"])
    session.bridge.tick()
    client.tell_progress(job, {"lines": routine_count()}, status="PAUSED")
    session.bridge.tick()
    client.tell_resumed(job)
    session.bridge.tick()
    client.tell_ended(job)
    session.bridge.tick()

    assert modes == ["starting", "running", "pausing", "held", "running", "idle"]


def test_run_lets_a_held_job_go_on_instead_of_starting_another(
    session: Session, client: ScriptedClient
) -> None:
    job = run_job(session, client)
    client.tell_held(job, "split")
    session.bridge.tick()

    session.run()

    assert client.named("resume")[0].arguments == (job,)
    assert len(client.named("start")) == 1


def test_run_while_a_job_runs_starts_a_second_one(session: Session, client: ScriptedClient) -> None:
    run_job(session, client)
    run_job(session, client)

    assert len(client.named("start")) == 2
    assert session.live_jobs == ("1", "2")
    assert session.job_id == "2"


def test_pause_step_and_stop_concern_the_shown_job(
    session: Session, client: ScriptedClient
) -> None:
    session.pause()
    session.step()
    session.stop()
    before = list(client.calls)
    job = run_job(session, client)

    session.step()
    session.pause()
    client.tell_held(job, "split")
    session.bridge.tick()
    session.step()
    session.stop()

    assert not [c for c in before if c.method in ("pause", "step", "cancel")]
    methods = [c.method for c in client.calls if c.method not in ("breakpoints", "check_sources")]
    assert methods == ["start", "pause", "step", "cancel"], "a running job isn't stepped"


def test_stalled_jobs_are_known_the_shown_one_first(
    session: Session, client: ScriptedClient
) -> None:
    for job_id in ("1", "2", "3"):
        client.tell_started(job_id, "flow", ["a"])
        client.tell_stalled(job_id, ["a.x"])
    session.bridge.tick()
    session.show_job("3")

    assert list(session.stalled_jobs) == ["3", "1", "2"]
    session.unstall("1", "drop")
    assert client.named("unstall") == [Call("unstall", ("1", "drop"))]
    client.tell_ended("3", "CANCELLED")
    session.bridge.tick()
    assert list(session.stalled_jobs) == ["1", "2"]


def test_nothing_starts_while_its_folder_isnt_trusted(
    session: Session, client: ScriptedClient
) -> None:
    session.trusted = lambda folder: False
    asked = heard(session.trust_needed)

    session.run()
    before = client.named("start")
    session.start_trusted()
    session.run()

    assert before == []
    assert asked == [(session.document.folder,)], "asked once"
    assert len(client.named("start")) == 2


def test_every_folder_code_comes_from_is_asked_for(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    write_words(tmp_path / "more")
    session.document.flow.folders.append("../more")
    session.trusted = lambda folder: False
    asked = heard(session.trust_needed)

    session.run()
    session.start_trusted()
    between = client.named("start")
    session.start_trusted()

    assert asked == [(session.document.folder,), ((tmp_path / "more").resolve(),)]
    assert between == []
    assert len(client.named("start")) == 1


def test_without_anybody_to_ask_nothing_is_trusted(
    qtbot: QtBot, tmp_path: Path, client: ScriptedClient
) -> None:
    document, bridge = FlowDocument(), EngineBridge(client, interval_ms=10_000)
    document.load(write_words(tmp_path))
    session = Session(document, client, bridge)

    session.run()

    assert client.named("start") == []
    bridge.stop()


def test_a_flow_with_errors_isnt_started_and_the_first_is_named(
    session: Session, client: ScriptedClient
) -> None:
    notices = heard(session.notice)
    session.edits.set_config("lines", "times", 99)

    session.run()

    assert client.named("start") == []
    assert len(notices) == 1
    assert "lines.config.times" in notices[0][0]


def test_an_empty_flow_isnt_started(session: Session, client: ScriptedClient) -> None:
    session.document.new()
    notices = heard(session.notice)

    session.run()

    assert client.named("start") == []
    assert "empty" in notices[0][0]


def test_a_refused_start_is_told_and_the_former_job_shown_again(
    session: Session, client: ScriptedClient
) -> None:
    first = run_job(session, client)
    notices = heard(session.notice)

    session.run()
    client.tell(StartRefused("2", "words.py: no module named gone"))
    session.bridge.tick()

    assert session.job_id == first
    assert notices == [("words.py: no module named gone",)]


def test_a_refused_command_is_told(session: Session, client: ScriptedClient) -> None:
    notices = heard(session.notice)

    client.tell(CommandRefused("step", "1", "job 1 isn't held"))
    session.bridge.tick()

    assert notices == [("job 1 isn't held",)]


def test_a_job_keeps_the_version_it_was_started_with(
    session: Session, client: ScriptedClient
) -> None:
    run_job(session, client)
    same = session.job_flow_differs

    session.edits.move({"lines": (5.0, 5.0)})
    moved = session.job_flow_differs
    session.edits.set_config("split", "case", "fold")
    changed = session.job_flow_differs
    session.undo.undo()

    assert (same, moved, changed, session.job_flow_differs) == (False, False, True, False)
    assert len(client.calls) == 1, "editing asks nothing of the engine"


def test_another_job_can_be_shown(session: Session, client: ScriptedClient) -> None:
    run_job(session, client)
    run_job(session, client)
    selected = heard(session.job_selected)

    session.show_job("1")
    session.show_job("1")
    session.show_job(None)

    assert selected == [("1",), (None,)]
    assert (session.view, session.mode) == (None, "idle")


# Selection.


def test_only_what_exists_is_selected(session: Session) -> None:
    told = heard(session.selection_changed)

    session.select(["split", "gone"])
    session.select(["split"])

    assert told == [(Selection(frozenset({"split"})),)]
    assert session.selection.routine == "split"


def test_selecting_may_ask_to_centre(session: Session) -> None:
    asked = heard(session.centre_requested)

    session.select_routine("split")
    session.select_routine("split", centre=True)

    assert asked == [("split",)]


def test_the_selection_follows_rename_and_delete(session: Session) -> None:
    session.select(["split", "count"])

    session.edits.rename("split", "cut")
    renamed = session.selection.routines
    session.select(["cut"])
    session.edits.delete_selection()

    assert renamed == {"cut", "count"}
    assert session.selection == NOTHING


def test_a_deleted_connection_is_no_longer_selected(session: Session) -> None:
    wire = Connection.parse("lines.line -> split.line")
    session.select(connection=wire)

    session.edits.delete_selection()

    assert session.selection == NOTHING
    assert wire not in session.document.connections()


# Breakpoints.


def last_breakpoints(client: ScriptedClient) -> list[tuple[int, str]]:
    return [(spec.id, spec.place) for spec in client.named("breakpoints")[-1].arguments]


def test_every_change_sends_all_breakpoints(session: Session, client: ScriptedClient) -> None:
    session.toggle_breakpoint("split")
    session.toggle_breakpoint("count")
    both = last_breakpoints(client)
    session.toggle_breakpoint("split")

    assert both == [(1, "split"), (2, "count")]
    assert last_breakpoints(client) == [(2, "count")]
    assert session.breakpoints == {"count": BreakpointSpec(2, "count")}


def test_breakpoints_follow_rename_delete_and_undo(
    session: Session, client: ScriptedClient
) -> None:
    session.toggle_breakpoint("split")

    session.edits.rename("split", "cut")
    renamed = last_breakpoints(client)
    session.select(["cut"])
    session.edits.delete_selection()
    deleted = last_breakpoints(client)
    session.undo.undo()
    back = last_breakpoints(client)
    session.undo.undo()

    assert renamed == back == [(1, "cut")]
    assert deleted == []
    assert last_breakpoints(client) == [(1, "split")]


def test_another_flow_has_no_breakpoints_selection_history_or_job(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    session.toggle_breakpoint("split")
    session.select(["split"])
    session.edits.move({"split": (1.0, 1.0)})
    run_job(session, client)

    session.document.load(write_words(tmp_path / "other"))

    assert last_breakpoints(client) == []
    assert session.selection == NOTHING
    assert not session.undo.canUndo()
    assert session.job_id is None


# Editing.


def test_an_added_routine_gets_a_free_id_and_is_selected(session: Session) -> None:
    spec = describe("words:Split", ["."], session.document.folder)

    routine_id = session.edits.add_routine(spec, (10.0, 20.0))

    assert routine_id == "split_2"
    assert session.document.position("split_2") == (10.0, 20.0)
    assert session.selection.routine == "split_2"


def test_a_free_place_covers_no_routine(session: Session) -> None:
    session.edits.view_centre = lambda: (240.0, 10.0)

    place = session.edits.free_place()

    assert place is not None
    assert place[1] > 100


def test_an_impossible_connection_is_explained_and_not_made(session: Session) -> None:
    notices = heard(session.notice)
    before = session.document.connections()

    session.edits.connect_ports(PortRef("count", "total"), PortRef("split", "line"))

    assert session.document.connections() == before
    assert "takes str, not dict" in notices[0][0]


def test_a_bad_id_is_explained_and_not_given(session: Session) -> None:
    notices = heard(session.notice)

    done = session.edits.rename("split", "count")

    assert not done
    assert "taken" in notices[0][0]
    assert not session.undo.canUndo()


def test_what_changes_nothing_is_no_edit(session: Session) -> None:
    session.edits.move({"lines": (0.0, 0.0)})
    session.edits.auto_layout({"lines": (0.0, 0.0)})
    session.edits.rename("split", "split")
    session.edits.set_title("split", None)

    assert session.undo.count() == 0


def test_an_automatic_layout_is_one_edit_and_merges_with_no_move(session: Session) -> None:
    session.edits.auto_layout({"lines": (1.0, 1.0), "split": (2.0, 2.0)})
    session.edits.move({"lines": (3.0, 1.0), "split": (4.0, 2.0)})

    assert session.undo.count() == 2


def test_saving_makes_the_history_clean_and_undo_past_it_dirty(session: Session) -> None:
    session.edits.move({"lines": (1.0, 1.0)})
    dirty = session.undo.isClean()
    assert session.document.path is not None

    session.document.save(session.document.path)
    clean = session.undo.isClean()
    session.undo.undo()

    assert (dirty, clean, session.undo.isClean()) == (False, True, False)


def test_sources_changed_on_disk_show_up_by_themselves(session: Session, qtbot: QtBot) -> None:
    source = session.document.folder / "words.py"
    text = source.read_text()

    with qtbot.waitSignal(session.document.reset, timeout=5000):
        source.write_text(
            text.replace("doubled = Event(int)", "twice = Event(int)").replace(
                "word = Slot(str)", "word = Slot(str)\n    more = Slot(int)"
            )
        )

    assert session.document.spec("count").slot("more") is not None


def test_a_session_that_goes_says_nothing_of_its_history(
    qtbot: QtBot, tmp_path: Path, client: ScriptedClient
) -> None:
    document, bridge = FlowDocument(), EngineBridge(client, interval_ms=10_000)
    document.load(write_words(tmp_path))
    session = Session(document, client, bridge)
    session.edits.move({"lines": (1.0, 1.0)})
    told = heard(session.undo.cleanChanged)

    with qtbot.waitSignal(session.destroyed, timeout=2000):
        session.deleteLater()

    assert told == []
    bridge.stop()


# With the real engine.


@pytest.fixture
def real(qtbot: QtBot, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    document = FlowDocument()
    document.load(write_words(tmp_path, module=f"words_of_{request.node.name}"))
    client = EngineClient(workers=2)
    bridge = EngineBridge(client, interval_ms=5)
    made = Session(document, client, bridge)
    made.trusted = lambda folder: True
    yield made
    bridge.stop()
    client.close()


def test_an_unsaved_edit_runs(qtbot: QtBot, real: Session) -> None:
    real.edits.set_config("lines", "text", "a b a\nc")

    with qtbot.waitSignal(real.bridge.job_ended, timeout=10_000):
        real.run()

    view = real.view
    assert view is not None
    assert view.status == "COMPLETED"
    qtbot.waitUntil(lambda: view.routines["count"].activations == 5, timeout=5000)
    assert real.mode == "idle"
    with qtbot.waitSignal(real.bridge.values_told, timeout=5000):
        real.client.last_values("1", "count")
    values = real.client.last_values("1", "count").events["total"]
    assert values[-1].value.text == "{'a': 2, 'b': 1, 'c': 1}"


def test_a_breakpoint_holds_steps_and_lets_go(qtbot: QtBot, real: Session) -> None:
    real.toggle_breakpoint("count")
    real.run()
    qtbot.waitUntil(lambda: real.mode == "held", timeout=10_000)
    view = real.view
    assert view is not None
    assert view.held is not None
    place, words = view.held.place, [m.value.text for m in view.held.messages]

    first = view.held.held_id
    story = heard(real.bridge.told)
    real.step()
    qtbot.waitUntil(lambda: any(isinstance(e, JobHeld) for (e,) in story), timeout=10_000)
    (again,) = [event for (event,) in story if isinstance(event, JobHeld)]
    real.toggle_breakpoint("count")
    with qtbot.waitSignal(real.bridge.job_ended, timeout=10_000):
        real.run()

    assert (place, words) == ("count", ["'a'"])
    assert (again.why, again.held_id != first) == ("step", True)
    assert view.status == "COMPLETED"


def test_a_flow_the_engine_refuses_is_told_in_one_line(qtbot: QtBot, real: Session) -> None:
    (source,) = real.document.folder.glob("*.py")
    source.write_text("import nothing_like_this\n" + SOURCE)
    notices = heard(real.notice)

    real.run()
    qtbot.waitUntil(lambda: len(notices) == 1, timeout=10_000)

    assert "nothing_like_this" in notices[0][0]
    assert "\n" not in notices[0][0]
    assert (real.job_id, real.mode) == (None, "idle")


def test_editing_while_a_job_is_held_leaves_the_job_alone(qtbot: QtBot, real: Session) -> None:
    real.toggle_breakpoint("count")
    real.run()
    qtbot.waitUntil(lambda: real.mode == "held", timeout=10_000)

    real.select(["lines", "split", "count"])
    real.edits.delete_selection()
    real.client.breakpoints(())
    differs = real.job_flow_differs
    with qtbot.waitSignal(real.bridge.job_ended, timeout=10_000):
        real.resume()

    assert differs
    assert real.document.ids() == ()
    assert real.view is not None
    assert real.view.status == "COMPLETED"


def test_the_engine_s_sources_are_looked_at_when_versions_may_differ(
    session: Session, client: ScriptedClient
) -> None:
    job_id = run_job(session, client)
    assert not client.named("check_sources")

    client.tell_held(job_id, "split")
    session.bridge.tick()
    assert len(client.named("check_sources")) == 1

    session.document.sources_changed.emit()
    assert len(client.named("check_sources")) == 2
