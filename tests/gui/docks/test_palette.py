from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from helpers.flow_folder import FLOW, SOURCE, write_words
from helpers.scripted import ScriptedClient
from penstock.flow import RoutineSpec, SlotSpec
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.palette import MIME_TYPE, PalettePanel
from penstock_gui.docks.palette.model import Entry, Heading, build_rows
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme

SPECS = [
    RoutineSpec("b.mod:Compress", slots=(SlotSpec("data"),), doc="Packs bytes.\n\nMore."),
    RoutineSpec("a:Zip", doc="Compresses a file."),
    RoutineSpec("a:Combine"),
]


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    client = ScriptedClient()
    bridge = EngineBridge(client, interval_ms=10_000)
    yield Session(FlowDocument(), client, bridge)
    bridge.stop()


@pytest.fixture
def panel(qtbot: QtBot, session: Session, tmp_path: Path) -> PalettePanel:
    session.document.load(write_words(tmp_path / "words"))
    made = PalettePanel(session, Theme("dark"))
    qtbot.addWidget(made)
    made.resize(280, 500)
    made.show()
    return made


def names(panel: PalettePanel) -> list[str]:
    """What is listed, headings in brackets."""
    rows = panel.model.rows
    return [f"[{r.module} {r.count}]" if isinstance(r, Heading) else r.name for r in rows]


def test_rows_are_grouped_by_module_and_sorted() -> None:
    rows = build_rows(SPECS, {})

    shown = [r.module if isinstance(r, Heading) else r.name for r in rows]
    assert shown == ["a", "Combine", "Zip", "b.mod", "Compress"]


def test_a_filter_finds_names_before_descriptions_and_counts() -> None:
    rows = build_rows(SPECS, {}, "comp")

    assert [(r.module, r.count) for r in rows if isinstance(r, Heading)] == [
        ("a", "1 of 2"),
        ("b.mod", "1"),
    ]
    entries = [r for r in rows if isinstance(r, Entry)]
    assert [(e.name, e.match, e.matched) for e in entries] == [("Zip", -1, 4), ("Compress", 0, 4)]


def test_a_closed_module_keeps_its_heading_and_a_filter_opens_it() -> None:
    closed = build_rows(SPECS, {}, "", frozenset({"a"}))
    filtered = build_rows(SPECS, {}, "zip", frozenset({"a"}))

    assert [r.module if isinstance(r, Heading) else r.name for r in closed] == [
        "a",
        "b.mod",
        "Compress",
    ]
    assert any(isinstance(r, Entry) and r.name == "Zip" for r in filtered)


def test_an_entry_says_ports_and_first_line() -> None:
    lines = {r.name: r.line for r in build_rows(SPECS, {}) if isinstance(r, Entry)}

    assert lines["Compress"] == "data · Packs bytes."
    assert lines["Combine"] == "no ports"


def test_hostile_descriptions_are_bounded_and_without_control_characters() -> None:
    spec = RoutineSpec("a:A", doc="x\x1b[31m\u202e" + "y" * 5000)

    line = Entry(spec).line

    assert len(line) < 300
    assert line.isprintable()


def test_the_flows_folder_is_listed_without_importing(panel: PalettePanel) -> None:
    import sys

    assert names(panel) == ["[words 4]", "Count", "Double", "Lines", "Split"]
    assert "words" not in sys.modules


def test_types_in_use_have_their_routines_colour(panel: PalettePanel, session: Session) -> None:
    def colors() -> dict[str, int | None]:
        return {r.name: r.color for r in panel.model.rows if isinstance(r, Entry)}

    before = colors()
    spec = next(s for s in panel.model.specs if s.class_name == "Double")
    session.edits.add_routine(spec)

    assert before == {"Count": 2, "Double": None, "Lines": 0, "Split": 1}
    assert colors()["Double"] == 3


def test_typing_filters_and_enter_adds_the_first(
    qtbot: QtBot, panel: PalettePanel, session: Session
) -> None:
    QTest.keyClicks(panel.search, "dou")
    shown = names(panel)

    QTest.keyClick(panel.search, Qt.Key.Key_Return)

    assert shown == ["[words 1 of 4]", "Double"]
    assert "double" in session.document.ids()
    assert session.selection.routine == "double"


def test_arrows_in_the_filter_move_the_cursor_past_headings(
    qtbot: QtBot, panel: PalettePanel, session: Session
) -> None:
    panel.search.setFocus()
    for _ in range(2):
        QTest.keyClick(panel.search, Qt.Key.Key_Down)

    QTest.keyClick(panel.search, Qt.Key.Key_Return)

    assert session.document.ids()[-1] == "double"


def test_a_double_click_adds_where_nothing_is(
    qtbot: QtBot, panel: PalettePanel, session: Session
) -> None:
    at = panel.list.visualRect(panel.model.index(2)).center()

    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseDClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=at)

    assert session.document.ids()[-1] == "double"
    place = session.document.position("double")
    assert place is not None
    others = [session.document.position(r) for r in ("lines", "split", "count")]
    assert all(o is not None and abs(o[0] - place[0]) + abs(o[1] - place[1]) > 100 for o in others)


def test_a_click_on_a_heading_closes_the_module(qtbot: QtBot, panel: PalettePanel) -> None:
    at = panel.list.visualRect(panel.model.index(0)).center()

    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=at)

    assert names(panel) == ["[words 4]"]


def test_an_entry_is_dragged_as_its_type_name(panel: PalettePanel) -> None:
    heading, entry = panel.model.index(0), panel.model.index(1)

    data = panel.model.mimeData([entry])

    assert bytes(data.data(MIME_TYPE).data()) == b"words:Count"
    assert panel.model.flags(entry) & Qt.ItemFlag.ItemIsDragEnabled
    assert not panel.model.flags(heading) & Qt.ItemFlag.ItemIsDragEnabled


def test_a_file_without_folders_says_what_is_missing(
    panel: PalettePanel, session: Session, tmp_path: Path
) -> None:
    flow = {key: value for key, value in FLOW.items() if key != "folders"}
    session.document.load(write_words(tmp_path / "other", flow))

    said = [label.text() for label in panel.nothing.findChildren(QLabel)]
    assert "No folders to look in" in said
    assert not panel.unsaved.isVisible()


def test_an_unsaved_flow_says_to_save_first(qtbot: QtBot, panel: PalettePanel) -> None:
    before = panel.unsaved.isVisible()

    panel._session.document.new()

    assert not before
    assert panel.unsaved.isVisible()


def test_a_folder_without_routines_and_a_filter_without_hits_say_so(
    qtbot: QtBot, panel: PalettePanel, session: Session, tmp_path: Path
) -> None:
    QTest.keyClicks(panel.search, "nothing has this")
    no_hits = panel.nothing.isVisible()
    panel.search.clear()
    hits = panel.nothing.isVisible()

    session.document.new()
    (tmp_path / "bare").mkdir()
    session.document.save(tmp_path / "bare" / "x.flow.json")

    assert (no_hits, hits, panel.nothing.isVisible()) == (True, False, True)


def test_a_new_type_in_the_folder_appears(
    qtbot: QtBot, panel: PalettePanel, session: Session
) -> None:
    path = session.document.folder / "words.py"

    path.write_text(SOURCE.replace("class Double(", "class Treble("), encoding="utf-8")

    qtbot.waitUntil(lambda: "Treble" in names(panel), timeout=5000)
    assert "Double" not in names(panel)


def test_it_paints_in_both_themes(qtbot: QtBot, panel: PalettePanel) -> None:
    panel.search.setText("ou")
    panel.list.setCurrentIndex(panel.model.index(1))

    for choice in ("light", "dark"):
        panel._theme.use(choice)
        image = panel.grab().toImage()
        accent = panel._theme.color("accent").name()
        seen = {
            image.pixelColor(QPoint(x, y)).name()
            for x in range(0, image.width())
            for y in range(40, 130)
        }
        assert accent in seen, f"the match stands out in {choice}"
