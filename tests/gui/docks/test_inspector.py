from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from helpers.flow_folder import FLOW, write_words
from helpers.scripted import ScriptedClient, routine_count, slot_count, text_value
from penstock.flow import REQUIRED, Connection, FieldSpec, SlotSpec
from penstock.host import (
    FlowPicture,
    RoutinePicture,
    RoutineValues,
    StartRefused,
    ValueSample,
)
from penstock.observe import HeldMessage, ValueSummary
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.inspector import InspectorPanel, facts, fields
from penstock_gui.docks.inspector.form import ConfigForm, NoWheelCombo, TextBox
from penstock_gui.docks.inspector.panel import POLL_MS
from penstock_gui.docks.inspector.routine_page import RoutinePage
from penstock_gui.docks.inspector.wire_page import WirePage
from penstock_gui.document import UNSET, FlowDocument
from penstock_gui.session import Session, shown_room
from penstock_gui.theme import Theme, state_word
from penstock_gui.widgets import ElidedLabel

WIRE = Connection.parse("split.word -> count.word")


def texts_in(widget: QWidget) -> list[str]:
    """What all labels below say, as shown."""
    labels = [w for w in widget.findChildren(QWidget) if isinstance(w, QLabel | ElidedLabel)]
    return [label.text() for label in labels]


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


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> InspectorPanel:
    made = InspectorPanel(session, Theme("dark"))
    qtbot.addWidget(made)
    made.resize(300, 900)
    made.show()
    return made


def routine_page(panel: InspectorPanel) -> RoutinePage:
    assert isinstance(panel.page, RoutinePage)
    return panel.page


def line_of(panel: InspectorPanel, field: str) -> QLineEdit:
    box = routine_page(panel).form.boxes[field]
    assert isinstance(box, TextBox)
    return box.line


def type_in(line: QLineEdit, text: str) -> None:
    """Replace the text as a person would, and press Enter."""
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text) if text else QTest.keyClick(line, Qt.Key.Key_Delete)
    QTest.keyClick(line, Qt.Key.Key_Return)


def run_job(session: Session, client: ScriptedClient) -> str:
    session.run()
    assert session.job_id is not None
    client.tell_started(session.job_id)
    session.bridge.tick()
    return session.job_id


def sample(text: str, number: int = 1) -> ValueSample:
    return ValueSample(number, 1.0, text_value(text))


# Values as text.


def field_of(kind: str, **more: Any) -> FieldSpec:
    return FieldSpec("f", kind, **({"default": None, "annotation": kind} | more))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("kind", "annotation", "values"),
    [
        ("str", "str", st.text()),
        ("int", "int", st.integers()),
        ("float", "float", st.floats(allow_nan=False, allow_infinity=False)),
        ("json", "str | None", st.none() | st.text(min_size=1)),
        ("json", "list[str]", JSON),
    ],
)
@given(data=st.data())
def test_what_is_shown_is_read_back_as_the_same_value(
    data: st.DataObject, kind: str, annotation: str, values: st.SearchStrategy[Any]
) -> None:
    field, value = field_of(kind, annotation=annotation), data.draw(values)

    reading = fields.read(field, fields.text_of(field, value), value)

    assert reading.error is None
    assert reading.value == value
    assert type(reading.value) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("int", "1.5", "not a whole number"),
        ("int", "abc", "not a whole number"),
        ("float", "nan", "not a number"),
        ("float", "1e999", "not a number"),
        ("json", "[1, ", "not JSON"),
        ("json", "NaN", "not JSON"),
        ("json", "[" * 100_000, "not JSON"),
    ],
)
def test_what_cant_be_read_is_explained(kind: str, text: str, error: str) -> None:
    reading = fields.read(field_of(kind, annotation="list"), text, None)

    assert reading.error is not None
    assert reading.error.startswith(error)


def test_an_empty_number_means_the_default_unless_there_is_none() -> None:
    assert fields.read(field_of("int", default=3), " ", 4).value is UNSET
    assert fields.read(field_of("int", default=REQUIRED), "", 4).error == "required"
    assert fields.read(field_of("json", annotation="int | None"), "", 4).value is None


def test_limits_are_said_in_the_note() -> None:
    field = field_of("int", constraints={"ge": 1, "le": 9}, doc="How often.")

    assert fields.note(field) == "int, 1 to 9 · How often."


def test_short_times_keep_their_digits() -> None:
    said = [facts.precise(s) for s in (0, 0.00085, 0.0021, 0.123, 9.84, 300)]

    assert said == ["0 ms", "850 \N{MICRO SIGN}s", "2.1 ms", "123 ms", "9.8 s", "5.0 min"]


# What is selected.


def test_nothing_selected_says_what_to_do(panel: InspectorPanel, session: Session) -> None:
    first = panel.empty.isVisible()
    session.select(["lines", "split"])
    several = panel.empty.findChildren(QLabel)

    assert first
    assert panel.page is None
    assert any("2 routines" in label.text() for label in several)


def test_a_routine_shows_type_docstring_and_ports(panel: InspectorPanel, session: Session) -> None:
    session.select(["split"])

    page = routine_page(panel)
    texts = texts_in(page)
    assert "words:Split" in texts
    assert "Splits a line of text into words." in texts
    assert list(page.ports) == ["line", "word", "failed"]
    assert page.ports["line"].more.text() == "holds 16"
    assert page.ports["word"].more.text() == "1 connection"
    assert page.ports["failed"].more.text() == "not connected"
    assert page.chip.text == "not run yet"
    assert not page.stats.isVisible(), "without a job there is nothing to count"


@pytest.mark.parametrize(
    ("status", "activations", "chip"),
    [("COMPLETED", 3, "done"), ("COMPLETED", 0, "not run"), ("CANCELLED", 3, "cancelled")],
)
def test_an_ended_job_says_of_a_routine_what_its_node_says(
    session: Session, client: ScriptedClient, status: str, activations: int, chip: str
) -> None:
    client.tell_started("1", "flow", ["split"])
    client.tell_progress("1", {"split": routine_count("idle", activations=activations)})
    client.tell_ended("1", status)

    name, words = facts.chip("split", client.views["1"])

    assert (words or state_word(name)) == chip


def test_a_type_that_isnt_found_says_why(
    qtbot: QtBot, panel: InspectorPanel, session: Session, tmp_path: Path
) -> None:
    flow = json.loads(json.dumps(FLOW))
    flow["routines"]["count"]["type"] = "words:Gone"
    session.document.load(write_words(tmp_path / "other", flow))

    session.select(["count"])

    texts = texts_in(routine_page(panel))
    assert any("Gone" in text and "no class" in text for text in texts)


def test_connecting_is_seen_in_the_ports(panel: InspectorPanel, session: Session) -> None:
    session.select(["split"])

    session.undo.push(_disconnect(session))

    assert routine_page(panel).ports["word"].more.text() == "not connected"


def _disconnect(session: Session) -> Any:
    from penstock_gui.document import Disconnect

    return Disconnect(session.document, WIRE)


# The form.


def test_fields_have_the_editor_of_their_type(panel: InspectorPanel, session: Session) -> None:
    session.select(["split"])

    boxes = routine_page(panel).form.boxes
    kinds = {name: type(box.editor) for name, box in boxes.items()}
    assert kinds == {
        "lower": QCheckBox,
        "case": NoWheelCombo,
        "ratio": QLineEdit,
        "only": QLineEdit,
        "stop_words": QLineEdit,
    }
    assert [line_of(panel, n).text() for n in ("ratio", "only", "stop_words")] == ["0.5", "", "[]"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [("ratio", "0.25", 0.25), ("only", "abc", "abc"), ("stop_words", '["a"]', ["a"])],
)
def test_enter_makes_an_edit_that_can_be_undone(
    panel: InspectorPanel, session: Session, field: str, text: str, value: Any
) -> None:
    session.select(["split"])
    before = session.document.flow.to_json()

    type_in(line_of(panel, field), text)
    given = session.document.spec("split").config[field]
    edits = session.undo.count()
    session.undo.undo()

    assert (given, edits) == (value, 1)
    assert session.document.flow.to_json() == before
    assert line_of(panel, field).text() != text, "the form shows what undo brought back"


def test_check_box_and_choice_are_edits_too(panel: InspectorPanel, session: Session) -> None:
    session.select(["split"])
    boxes = routine_page(panel).form.boxes
    check, combo = boxes["lower"].editor, boxes["case"].editor
    assert isinstance(check, QCheckBox)
    assert isinstance(combo, QComboBox)

    check.click()
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Down)

    assert session.document.spec("split").config == {"lower": False, "case": "fold"}
    assert session.undo.count() == 2


def test_what_cant_be_read_stays_typed_with_the_reason_below(
    panel: InspectorPanel, session: Session
) -> None:
    session.select(["lines"])

    type_in(line_of(panel, "times"), "many")

    box = routine_page(panel).form.boxes["times"]
    assert box.error == "not a whole number"
    assert box.below.text() == "not a whole number"
    assert line_of(panel, "times").text() == "many"
    assert session.undo.count() == 0


def test_a_value_out_of_its_limits_is_kept_and_both_places_say_the_same(
    panel: InspectorPanel, session: Session
) -> None:
    session.select(["lines"])

    type_in(line_of(panel, "times"), "12")

    error = routine_page(panel).form.boxes["times"].error
    (problem,) = [p for p in session.document.problems() if p.severity == "error"]
    assert error == problem.text == "expected at most 9"
    assert session.document.spec("lines").config["times"] == 12


def test_what_the_import_finds_wrong_is_said_under_its_field_until_an_edit(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    session.run()
    text = "flow: routines.split.config.stop_words.0: expected a valid string, got 1"
    client.tell(StartRefused("1", text))
    session.bridge.tick()
    boxes = routine_page(panel).form.boxes
    said = boxes["stop_words"].error

    type_in(line_of(panel, "ratio"), "0.75")

    assert said == "0: expected a valid string, got 1"
    assert boxes["stop_words"].error == ""


def test_an_unknown_field_is_shown_with_the_problem(
    panel: InspectorPanel, session: Session
) -> None:
    session.edits.set_config("split", "bogus", 1)

    session.select(["split"])

    assert "no field 'bogus'" in routine_page(panel).form.boxes["bogus"].error


def test_escape_gives_the_former_text_back(panel: InspectorPanel, session: Session) -> None:
    session.select(["lines"])
    line = line_of(panel, "times")
    type_in(line, "many")

    QTest.keyClick(line, Qt.Key.Key_Escape)

    assert line.text() == "1"
    assert routine_page(panel).form.boxes["times"].error == ""


def test_leaving_a_field_by_selecting_elsewhere_keeps_what_was_typed(
    panel: InspectorPanel, session: Session
) -> None:
    session.select(["lines"])
    line = line_of(panel, "text")
    line.selectAll()
    QTest.keyClicks(line, "c d")

    session.select(["split"])

    assert session.document.spec("lines").config["text"] == "c d"
    assert session.undo.count() == 1


def test_a_given_value_can_be_reset_to_its_default(panel: InspectorPanel, session: Session) -> None:
    session.select(["split"])
    form = routine_page(panel).form
    shown = {name: button.isVisible() for name, button in form._resets.items()}

    form._resets["lower"].click()

    assert shown == {
        "lower": True,
        "case": False,
        "ratio": False,
        "only": False,
        "stop_words": False,
    }
    assert session.document.spec("split").config == {}


def test_a_value_of_the_wrong_type_is_shown_as_it_stands(
    panel: InspectorPanel, session: Session
) -> None:
    session.edits.set_config("split", "lower", "yes")
    session.edits.set_config("split", "case", "shout")
    session.edits.set_config("split", "unknown", [1])

    session.select(["split"])

    boxes = routine_page(panel).form.boxes
    combo = boxes["case"].editor
    assert line_of(panel, "lower").text() == '"yes"'
    assert isinstance(combo, QComboBox)
    assert combo.currentText() == "shout"
    assert line_of(panel, "unknown").text() == "[1]"
    assert boxes["lower"].error
    assert boxes["case"].error


def test_a_long_value_is_shown_but_not_edited_here(panel: InspectorPanel, session: Session) -> None:
    session.edits.set_config("lines", "text", "x" * 200_000)

    session.select(["lines"])

    line = line_of(panel, "text")
    assert line.isReadOnly()
    assert len(line.text()) <= fields.MAX_EDITED
    session.select(["split"])
    assert len(session.document.spec("lines").config["text"]) == 200_000


def test_f2_edits_the_id_and_a_wrong_one_says_why(
    qtbot: QtBot, panel: InspectorPanel, session: Session
) -> None:
    session.select(["split"])
    panel.edit_id()
    line = routine_page(panel).id_box.line
    selected = line.selectedText()

    QTest.keyClicks(line, "count")
    QTest.keyClick(line, Qt.Key.Key_Return)
    error = routine_page(panel).id_box.error
    type_in(line, "cut")

    assert (selected, error) == ("split", "count is taken")
    assert session.document.ids() == ("lines", "cut", "count")
    assert routine_page(panel).routine_id == "cut"
    assert session.undo.count() == 1


def test_a_title_is_shown_in_place_of_the_id(panel: InspectorPanel, session: Session) -> None:
    session.select(["split"])

    type_in(routine_page(panel).title_box.line, "Cut up")

    assert routine_page(panel).title.full_text == "Cut up"
    session.undo.undo()
    assert routine_page(panel).title.full_text == "split"


# A run.


def test_counters_of_the_shown_job_are_shown_and_follow(
    qtbot: QtBot, panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    job = run_job(session, client)

    slots = {"line": slot_count(12, 16, posted=1911, high_water=16)}
    count = routine_count(
        "running", running=3, activations=1911, failures=7, seconds=9.84, slots=slots
    )
    client.tell_progress(job, {"split": count})
    session.bridge.tick()

    page = routine_page(panel)
    qtbot.waitUntil(lambda: page.stats.texts() == ("1,911", "7", "5.1 ms", "9.8 s"))
    assert page.stats.isVisible()
    assert page.chip.text == "running · 3 threads"
    assert page.slots["line"].fill.text() == "12/16"
    assert page.slots["line"].passed.full_text == "1,911 in · most 16"


def test_losses_are_shown_below_their_slot_only_where_there_are_any(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    job_id = run_job(session, client)
    session.select_routine("split")
    row = routine_page(panel).slots["line"]
    clean = slot_count(2, 16, posted=2)
    client.tell_progress(job_id, {"split": routine_count(slots={"line": clean})})
    session.bridge.tick()
    routine_page(panel).show_run()
    assert row.lost.isHidden()
    assert routine_page(panel).refusals.isHidden()

    lossy = slot_count(2, 16, posted=20, dropped=9, superseded=4, skipped=3, dead=2, discarded=1)
    count = routine_count(slots={"line": lossy}, revoked=1, refused=5)
    client.tell_progress(job_id, {"split": count})
    session.bridge.tick()
    routine_page(panel).show_run()

    assert row.lost.text() == "9 dropped · 4 superseded · 3 skipped · 2 dead · 1 discarded"
    assert row.passed.full_text == "20 in · most 2"
    assert routine_page(panel).refusals.text() == "1 emission revoked · 5 emissions refused"


def test_values_the_engine_keeps_no_more_are_said_to_be_gone(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    job_id = run_job(session, client)
    session.select_routine("split")
    assert routine_page(panel).slots["line"].value.full_text == "nothing yet"

    client.values[job_id, "split"] = RoutineValues(job_id, "split", {}, {}, kept=False)
    client.tell_ended(job_id)
    session.bridge.tick()
    session.bridge.tick()  # asked at the end, and answered

    assert routine_page(panel).slots["line"].value.full_text == "no longer kept"
    assert routine_page(panel).events["word"].value.full_text == "no longer kept"
    session.select(connection=WIRE)
    assert "no longer kept" in texts_in(panel)


@pytest.mark.parametrize(
    ("overflow", "text"),
    [
        ("hold", "holds 1,000"),
        ("drop_oldest", "drops the oldest beyond 1,000"),
        ("drop_newest", "drops the newest beyond 1,000"),
        ("fail", "fails beyond 1,000"),
    ],
)
def test_what_becomes_of_messages_beyond_a_slots_room_is_said(overflow: str, text: str) -> None:
    assert shown_room(SlotSpec("line", overflow=overflow)) == text


def test_ports_say_overflow_and_copies(
    qtbot: QtBot, panel: InspectorPanel, session: Session
) -> None:
    path = session.document.folder / "words.py"
    source = path.read_text(encoding="utf-8")
    source = source.replace("Slot(str, capacity=16)", 'Slot(str, 16, "drop_oldest")')
    path.write_text(source.replace("word = Event(str)", "word = Event(str, copy=True)"))
    session.select_routine("split")
    qtbot.waitUntil(lambda: routine_page(panel).spec.slots[0].overflow == "drop_oldest")

    page = routine_page(panel)
    assert page.ports["line"].more.text() == "drops the oldest beyond 16"
    assert page.ports["word"].more.text() == "1 connection, a copy each"
    session.select(connection=Connection.parse("lines.line -> split.line"))
    assert "drops the oldest beyond 16" in texts_in(panel)
    session.select(connection=WIRE)
    assert "a copy for each" in texts_in(panel)


def test_a_wire_says_what_its_slot_has_lost(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    job_id = run_job(session, client)
    session.select(connection=WIRE)
    assert isinstance(panel.page, WirePage)
    clean, lossy = slot_count(1), slot_count(1, posted=4, dropped=3)
    for slot in (clean, lossy):
        counts = {"split": routine_count(), "count": routine_count(slots={"word": slot})}
        client.tell_progress(job_id, counts)
        session.bridge.tick()
        panel.page.show_run()
        assert panel.page.lost.isHidden() is (slot is clean)

    assert panel.page.lost.value.full_text == "3 dropped"


def test_last_values_are_shown_as_plain_bounded_text(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    hostile = "<img src='file:///etc/passwd'>\n\x1b[31m" + "x" * 5000
    value = ValueSample(7, 1.0, ValueSummary("str", hostile, 5000))
    client.values["1", "split"] = RoutineValues("1", "split", {"line": (value,)}, {})
    session.select(["split"])

    run_job(session, client)
    session.show_job(None)
    session.show_job("1")
    session.bridge.tick()

    row = routine_page(panel).slots["line"].value
    assert row.full_text.startswith("<img src='file:///etc/passwd'>")
    assert row.full_text.isprintable()
    assert len(row.full_text) <= 400
    assert "<img" not in row.toolTip()
    assert "message 7" in row.toolTip()


def test_values_are_polled_only_while_seen_and_the_job_lives(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    before = panel._poll.is_active()
    job = run_job(session, client)
    session.select(["count"])
    running = panel._poll.is_active()
    panel.hide()
    hidden = panel._poll.is_active()
    panel.show()
    shown = panel._poll.is_active()
    client.tell_ended(job)
    session.bridge.tick()

    assert (before, running, hidden, shown) == (False, True, False, True)
    assert not panel._poll.is_active()
    assert POLL_MS >= 250


def test_a_value_arrives_by_polling(
    qtbot: QtBot, panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    run_job(session, client)

    client.values["1", "split"] = RoutineValues("1", "split", {}, {"word": (sample("a"),)})

    row = routine_page(panel).events["word"]

    def has_arrived() -> bool:
        session.bridge.tick()
        return row.value.full_text == "'a'"

    qtbot.waitUntil(has_arrived, timeout=3000)


def test_a_held_message_is_shown_at_its_routine_and_goes_with_the_hold(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    job = run_job(session, client)

    message = HeldMessage("line", 1284, text_value("a b"))
    client.tell_held(job, "split", [message], why="breakpoint", waiting=4)
    session.bridge.tick()
    page = routine_page(panel)
    texts = texts_in(page.held)
    visible = page.held.isVisible()
    client.tell_resumed(job)
    session.bridge.tick()

    assert visible
    assert texts == ["Held here: breakpoint, 4 more ready in the job", "line  #1,284", "'a b'"]
    assert page.chip.text != "held"
    assert not page.held.isVisible()


def test_the_next_held_message_replaces_the_former(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    job = run_job(session, client)
    for number in (1, 2):
        message = HeldMessage("line", number, text_value(f"line {number}"))
        client.tell_held(job, "split", [message], why="step")
        session.bridge.tick()

    texts = texts_in(routine_page(panel).held)

    assert texts[1:] == ["line  #2", "'line 2'"]


def test_another_jobs_news_changes_nothing(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    session.select(["split"])
    run_job(session, client)
    run_job(session, client)
    client.tell_progress("1", {"split": routine_count(activations=5)})
    session.bridge.tick()
    panel._show_run()
    second = routine_page(panel).stats.texts()[0]

    session.show_job("1")

    assert second == "0"
    assert routine_page(panel).stats.texts()[0] == "5"


# A wire.


def test_a_wire_shows_ends_types_count_and_last_values(
    panel: InspectorPanel, session: Session, client: ScriptedClient
) -> None:
    values = tuple(sample(text, number) for number, text in enumerate("abc", 1))
    client.values["1", "split"] = RoutineValues("1", "split", {}, {"word": values})
    session.select(connection=WIRE)
    job = run_job(session, client)

    counts = {
        "split": routine_count(emitted={"word": 1904}),
        "count": routine_count(slots={"word": slot_count(3)}),
    }
    client.tell_progress(job, counts)
    session.bridge.tick()
    panel._show_run()
    panel._poll_values()
    session.bridge.tick()

    page = panel.page
    assert isinstance(page, WirePage)
    texts = texts_in(page)
    assert {"split.word", "→ count.word", "str"} <= set(texts)
    assert page.passed.value.full_text == "1,904 messages"
    assert page.waiting.value.full_text == "3/1,000"
    seen = [r for r, o in zip(page.rows, page.openings, strict=True) if not o.isHidden()]
    shown = [(row.name.full_text, row.value.full_text) for row in seen]
    assert shown == [("#3", "'c'"), ("#2", "'b'"), ("#1", "'a'")]


def test_a_wire_without_a_job_shows_no_counts(panel: InspectorPanel, session: Session) -> None:
    session.select(connection=WIRE)

    assert isinstance(panel.page, WirePage)
    assert not panel.page.passed.isVisible()


def test_another_flow_empties_the_inspector(
    panel: InspectorPanel, session: Session, tmp_path: Path
) -> None:
    session.select(["split"])

    session.document.load(write_words(tmp_path / "other"))

    assert panel.page is None


def test_ports_that_change_on_disk_rebuild_the_page(
    panel: InspectorPanel, session: Session
) -> None:
    session.select(["count"])
    source = session.document.folder / "words.py"
    text = source.read_text()

    source.write_text(text.replace("word = Slot(str)", "word = Slot(str)\n    more = Slot(int)"))
    session.document.read_again()

    assert "more" in routine_page(panel).ports


# A flow that a program runs.


@pytest.fixture
def watched(qtbot: QtBot, client: ScriptedClient) -> Iterator[Session]:
    """A session on a program whose flow is drawn, with the routine ``read`` selected."""
    bridge = EngineBridge(client, interval_ms=10_000)
    made = Session(FlowDocument(), client, bridge, "attached")
    client.tell_started("7", "etl", ["read"])
    read = RoutinePicture("read", "app:Read", (), (), "")
    client.tell(FlowPicture("7", "etl", (read,), ()))
    bridge.tick()
    made.select(("read",))
    assert made.shows_program
    yield made
    bridge.stop()


@pytest.fixture
def watching(qtbot: QtBot, watched: Session) -> InspectorPanel:
    made = InspectorPanel(watched, Theme("dark"))
    qtbot.addWidget(made)
    made.show()
    return made


def test_what_a_program_runs_has_fields_to_look_at_only(
    watching: InspectorPanel, watched: Session
) -> None:
    told: list[str] = []
    watched.notice.connect(told.append)
    page = routine_page(watching)

    for box, shown in ((page.id_box, "read"), (page.title_box, "")):
        type_in(box.line, "other")
        assert box.line.text() == shown
    assert "renames" not in page.id_box.below.text()
    assert not page.version.isVisible(), "no edit counts from the next job"
    assert told == []


def test_a_refused_text_gives_way_to_what_is_true(
    watching: InspectorPanel, watched: Session
) -> None:
    told: list[str] = []
    watched.notice.connect(told.append)
    page = routine_page(watching)

    for box, shown in ((page.id_box, "read"), (page.title_box, "")):
        box.line.setReadOnly(False)
        type_in(box.line, "other")
        assert box.line.text() == shown
        page.commit()
    assert len(told) == 2, "it is said once for each"


def test_a_form_to_look_at_changes_nothing(qtbot: QtBot, session: Session) -> None:
    form = ConfigForm(Theme("dark"), session.document.spec("split"), read_only=True)
    qtbot.addWidget(form)
    changed: list[str] = []
    form.changed.connect(lambda field, value: changed.append(field))
    form.show()

    for box in form.boxes.values():
        if isinstance(box, TextBox):
            type_in(box.line, "3")
        elif isinstance(box.editor, QCheckBox):
            box.editor.click()
        else:
            QTest.keyClick(box.editor, Qt.Key.Key_Down)
    assert not any(button.isVisible() for button in form.findChildren(QToolButton))
    assert changed == []
