"""Looking inside values in the inspector, with keys and mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from helpers.flow_folder import write_words
from helpers.scripted import ScriptedClient, routine_count, slot_count, text_value
from penstock.flow import Connection
from penstock.host import (
    HeldValue,
    RoutineValues,
    ValueItem,
    ValuePage,
    ValueSample,
)
from penstock.host.crossing.protocol import PageKind
from penstock.observe import HeldMessage, ValueSummary
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.inspector import InspectorPanel, pages
from penstock_gui.docks.inspector.opening import Opening
from penstock_gui.docks.inspector.routine_page import RoutinePage
from penstock_gui.docks.inspector.value_tree import MOST_ROWS, ValueTree
from penstock_gui.docks.inspector.wire_page import WirePage
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme

WIRE = Connection.parse("split.word -> count.word")
LIST = ValueSummary("list", "[0, 1, … 250 in all]", 250)
LONG = ValueSummary("str", "'aaaa…'", 5_000)


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
    made.activateWindow()
    return made


class Desk:
    """A job of which `split` is shown, and the answers to what the inspector asks."""

    def __init__(self, panel: InspectorPanel, session: Session, client: ScriptedClient) -> None:
        self.panel, self.session, self.client = panel, session, client
        session.select(["split"])
        session.run()
        client.tell_started("1")
        count = routine_count(slots={"line": slot_count(1)})
        client.tell_progress("1", {"split": count, "count": routine_count()})
        session.bridge.tick()
        self.page.show_run()

    @property
    def page(self) -> RoutinePage:
        assert isinstance(self.panel.page, RoutinePage)
        return self.panel.page

    def show(self, reference: int, number: int = 5, value: ValueSummary = LIST) -> Opening:
        """Tell a last value of `split.word`."""
        sample = ValueSample(number, 1.0, value, reference)
        self.tell(RoutineValues("1", "split", {}, {"word": (sample,)}))
        return self.page.event_openings["word"]

    def hold(self, reference: int, number: int) -> Opening:
        """Hold the job before `split`."""
        message = HeldMessage("line", number, LIST)
        self.client.tell_held("1", "split", [message])
        values = RoutineValues("1", "split", {}, {}, held=(HeldValue("line", number, reference),))
        self.tell(values)
        return self.page.held.openings["line", number]

    def tell(self, told: RoutineValues | ValuePage) -> None:
        if isinstance(told, RoutineValues):
            self.client.values["1", "split"] = told
        self.client.tell(told)
        self.session.bridge.tick()
        QApplication.processEvents()  # what is new has its place and can be clicked

    def asked(self) -> list[tuple[object, ...]]:
        return [call.arguments for call in self.client.named("page")]

    def released(self) -> list[object]:
        return [call.arguments[0] for call in self.client.named("release")]


@pytest.fixture
def desk(panel: InspectorPanel, session: Session, client: ScriptedClient) -> Desk:
    return Desk(panel, session, client)


def page_of(
    *path: int,
    many: int = 100,
    offset: int = 0,
    total: int = 250,
    kind: PageKind = "items",
    reference: int = 7,
    cut: bool = False,
) -> ValuePage:
    """A page of a list of lists."""
    items = tuple(
        ValueItem(n, str(n), ValueSummary("list", f"[{n}]", 1), True)
        for n in range(offset, offset + many)
    )
    return ValuePage(reference, path, kind, LIST, total, offset, items, cut=cut)


def text_page(text: str, total: int, offset: int = 0, kind: PageKind = "text") -> ValuePage:
    return ValuePage(7, (), kind, LONG, total, offset, (), text)


def said(tree: ValueTree | None, parent: QModelIndex | None = None) -> list[str]:
    assert tree is not None
    model, above = tree.model(), parent or QModelIndex()
    return [model.index(row, 0, above).data() for row in range(model.rowCount(above))]


def tree_of(opening: Opening) -> ValueTree:
    assert opening.tree is not None
    return opening.tree


def row_place(tree: ValueTree, row: int) -> QPoint:
    return tree.visualRect(tree.model().index(row, 0)).center()


def click(tree: ValueTree, row: int) -> None:
    place = row_place(tree, row)
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=place)


# What pages say.


def test_what_there_is_more_is_said_with_its_number() -> None:
    rows = pages.rows(page_of(many=100, total=12_345))

    assert [row.text for row in rows[:2]] == ["[0]", "[1]"]
    assert (rows[-1].kind, rows[-1].text, rows[-1].at) == ("more", "100 more of 12,345 items", 100)
    assert len(rows) == 101
    assert pages.rows(page_of(many=50, offset=200))[-1].kind == "child"
    assert pages.rows(page_of(many=2, total=3, kind="entries"))[-1].text == "1 more of 3 entries"


def test_what_is_cut_or_gone_or_empty_is_said() -> None:
    cut = pages.rows(page_of(many=3, cut=True))
    gone = ValuePage(7, (), "nothing", ValueSummary("", ""), 0, 0, (), kept=False)

    assert [row.text for row in cut[3:]] == [pages.CUT, "100 more of 250 items"]
    assert [row.text for row in pages.rows(page_of(many=0, cut=True))] == [pages.CUT]
    assert [row.text for row in pages.rows(page_of(many=0, total=0))] == ["nothing inside"]
    assert [row.text for row in pages.rows(gone)] == ["no longer kept"]


def test_text_comes_in_lines_and_nothing_in_it_hides() -> None:
    hostile = "a\tb\r\n\x1b[31m\u202e<b>\n" + "x" * 1_200

    rows = pages.rows(text_page(hostile, 5_000))

    assert [row.text for row in rows[:2]] == ["a       b", "\\x1b[31m\\u202e<b>"]
    assert [len(row.text) for row in rows[2:5]] == [500, 500, 200]
    assert rows[-1].text == "2,000 more of 5,000 characters"
    assert rows[-1].at == len(hostile)


def test_bytes_come_as_digits_and_characters() -> None:
    rows = pages.rows(text_page(b"hello \x00\xff!".hex(), 600, 16, "bytes"))

    assert [(row.label, row.text) for row in rows[:2]] == [
        ("16", "68656c6c 6f2000ff  hello .."),
        ("24", "21                 !"),
    ]
    assert (rows[2].text, rows[2].at) == ("512 more of 600 bytes", 25)


def test_what_a_child_is_called_and_shows_is_one_plain_line() -> None:
    value = ValueSummary("str", "'a\n\u202eb'", 4)
    page = ValuePage(7, (), "fields", LIST, 1, 0, (ValueItem(0, "x\ny", value, False),))

    (row,) = pages.rows(page)

    assert (row.label, row.text, row.color) == ("x y", "'a  b'", "syn.str")


# Opening and closing.


def test_only_a_value_that_is_kept_can_be_opened(desk: Desk) -> None:
    opening = desk.show(0)
    assert not opening.expander.isVisible()
    QTest.mouseClick(opening, Qt.MouseButton.LeftButton, pos=opening.row.geometry().center())
    assert opening.tree is None

    desk.show(7)

    assert opening.expander.isVisible()
    assert not desk.asked()


def test_a_click_opens_and_another_one_closes_and_releases(desk: Desk) -> None:
    opening = desk.show(7)

    QTest.mouseClick(opening.expander, Qt.MouseButton.LeftButton)
    assert desk.asked() == [(7, (), 0, 100)]
    assert said(opening.tree) == ["reading …"]
    desk.tell(page_of(many=2, total=2))
    assert said(opening.tree) == ["0: [0]", "1: [1]"]
    QTest.mouseClick(opening, Qt.MouseButton.LeftButton, pos=opening.row.geometry().center())

    assert opening.tree is None
    assert opening.caption is None
    assert desk.released() == [7]


def test_keys_go_in_and_out_as_in_a_tree(qtbot: QtBot, desk: Desk) -> None:
    opening = desk.show(7)
    expander = opening.expander
    expander.setFocus()
    qtbot.waitUntil(expander.hasFocus)

    QTest.keyClick(expander, Qt.Key.Key_Right)
    desk.tell(page_of(many=3, total=3))
    QTest.keyClick(expander, Qt.Key.Key_Right)
    tree = tree_of(opening)
    qtbot.waitUntil(tree.hasFocus)
    QTest.keyClick(tree, Qt.Key.Key_Down)
    QTest.keyClick(tree, Qt.Key.Key_Right)
    assert desk.asked()[1:] == [(7, (1,), 0, 100)]
    below = tree.currentIndex()
    assert said(tree, below) == ["reading …"]
    desk.tell(page_of(1, many=1, total=1))
    assert said(tree, below) == ["0: [0]"]
    QTest.keyClick(tree, Qt.Key.Key_Right)
    QTest.keyClick(tree, Qt.Key.Key_Right)
    assert desk.asked()[2:] == [(7, (1, 0), 0, 100)]

    for _ in range(4):
        assert tree.hasFocus()
        QTest.keyClick(tree, Qt.Key.Key_Left)
    assert expander.hasFocus()
    QTest.keyClick(expander, Qt.Key.Key_Left)
    assert opening.tree is None
    assert desk.released() == [7]


def test_what_was_read_once_is_not_read_again(desk: Desk) -> None:
    opening = desk.show(7)
    opening.expander.click()
    desk.tell(page_of(many=3, total=3))
    tree = tree_of(opening)
    click(tree, 1)
    desk.tell(page_of(1, many=1, total=1))
    assert tree.isExpanded(tree.model().index(1, 0))

    click(tree, 1)
    assert not tree.isExpanded(tree.model().index(1, 0))
    click(tree, 1)

    assert len(desk.asked()) == 2


@pytest.mark.parametrize("how", ["click", "enter"])
def test_more_is_fetched_page_by_page(qtbot: QtBot, desk: Desk, how: str) -> None:
    opening = desk.show(7)
    opening.expander.click()
    desk.tell(page_of())
    tree = tree_of(opening)
    assert said(tree)[-1] == "100 more of 250 items"

    tree.scrollToBottom()
    if how == "click":
        click(tree, 100)
    else:
        tree.setFocus()
        tree.setCurrentIndex(tree.model().index(100, 0))
        QTest.keyClick(tree, Qt.Key.Key_Return)
    assert said(tree)[-1] == "reading …"
    desk.tell(page_of(offset=100))
    assert said(tree)[99:102] == ["99: [99]", "100: [100]", "101: [101]"]
    assert said(tree)[-1] == "50 more of 250 items"
    click_last = tree.model().index(200, 0)
    tree.scrollTo(click_last)
    click(tree, 200)
    desk.tell(page_of(offset=200, many=50))

    assert desk.asked() == [(7, (), 0, 100), (7, (), 100, 100), (7, (), 200, 100)]
    assert said(tree) == [f"{n}: [{n}]" for n in range(250)]


def test_long_text_is_fetched_in_large_pieces_and_wrapped(qtbot: QtBot, desk: Desk) -> None:
    opening = desk.show(7, value=LONG)
    opening.expander.click()
    assert desk.asked() == [(7, (), 0, pages.CHARACTERS)]

    desk.tell(text_page("one\n" + "two " * 20, 5_000))

    tree = tree_of(opening)
    first, second = (tree.visualRect(tree.model().index(row, 0)) for row in (0, 1))
    assert said(tree)[0] == "one"
    assert second.height() > 2 * first.height(), "all of it is shown"
    assert opening.caption is not None
    assert opening.caption.text() == "message 5 · str, 5,000 characters"
    click(tree, 2)
    assert desk.asked()[1:] == [(7, (), 84, pages.CHARACTERS)]
    narrow = second.height()
    desk.panel.resize(220, 900)
    qtbot.waitUntil(lambda: tree.visualRect(tree.model().index(1, 0)).height() > narrow)


def test_a_tree_is_as_high_as_its_rows_up_to_a_limit(desk: Desk) -> None:
    opening = desk.show(7)
    opening.expander.click()
    heights = [tree_of(opening).height()]
    desk.tell(page_of(many=3, total=3))
    heights.append(tree_of(opening).height())
    click(tree_of(opening), 0)
    desk.tell(page_of(0))
    heights.append(tree_of(opening).height())

    assert heights == [24, 3 * 24, MOST_ROWS * 24]


def test_a_newer_value_does_not_take_the_place_of_the_open_one(desk: Desk) -> None:
    opening = desk.show(7)
    opening.expander.click()
    desk.tell(page_of(many=2, total=2))

    desk.show(8, number=6, value=text_value("abc"))

    assert desk.page.events["word"].value.full_text == "'abc'"
    assert said(opening.tree) == ["0: [0]", "1: [1]"]
    assert opening.caption is not None
    assert opening.caption.text() == "message 5 · list, 2 items · a newer one has come"
    desk.show(0, number=7)
    assert opening.expander.isVisible(), "it must be closed by something"
    opening.expander.click()
    assert not opening.expander.isVisible()
    assert desk.released() == [7]


def test_what_is_kept_no_more_is_said(desk: Desk) -> None:
    opening = desk.show(7)
    opening.expander.click()

    gone = ValuePage(7, (), "nothing", ValueSummary("", ""), 0, 0, (), kept=False)
    desk.tell(gone)

    assert said(opening.tree) == ["no longer kept"]
    assert opening.caption is not None
    assert opening.caption.text() == "message 5"


def test_where_nobody_answers_it_is_said_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = desk.show(7)
    gone = ValuePage(7, (), "nothing", ValueSummary("", ""), 0, 0, (), kept=False)
    monkeypatch.setattr(desk.client, "page", lambda *asked: gone)

    opening.expander.click()

    assert said(opening.tree) == ["no longer kept"]


def test_what_is_under_way_when_the_engine_ends_is_said_not_to_come(desk: Desk) -> None:
    opening = desk.show(7)
    opening.expander.click()
    desk.tell(page_of(many=2, total=2))
    tree = tree_of(opening)
    click(tree, 1)

    desk.client.tell_up()
    desk.client.tell_gone()
    desk.session.bridge.tick()

    assert said(tree) == ["0: [0]", "1: [1]"], "what was read stays"
    assert said(tree, tree.model().index(1, 0)) == ["no longer kept"]


def test_pages_of_others_and_late_ones_change_nothing(desk: Desk) -> None:
    opening = desk.show(7)
    opening.expander.click()
    desk.tell(page_of(reference=8))
    desk.tell(page_of(3))
    assert said(opening.tree) == ["reading …"]
    desk.tell(page_of(many=1, total=1))
    desk.tell(page_of(many=1, total=1))

    assert said(opening.tree) == ["0: [0]"]
    opening.expander.click()
    desk.tell(page_of(many=1, total=1))
    assert opening.tree is None


@pytest.mark.parametrize("way", ["routine", "wire", "nothing", "another job", "another flow"])
def test_what_is_open_is_released_with_its_page(desk: Desk, way: str, tmp_path: Path) -> None:
    desk.show(7).expander.click()
    desk.hold(9, 3).expander.click()
    desk.tell(page_of(many=2, total=2))
    assert not desk.released()

    if way == "another flow":
        desk.session.document.load(write_words(tmp_path / "other"))
    elif way == "another job":
        desk.session.show_job(None)
    else:
        wire = WIRE if way == "wire" else None
        desk.session.select(["count"] if way == "routine" else [], wire)

    assert sorted(desk.released(), key=str) == [7, 9]


def test_a_value_that_two_rows_show_is_released_with_the_last(desk: Desk) -> None:
    first = desk.hold(9, 3)
    sample = ValueSample(3, 1.0, LIST, 9)
    held = (HeldValue("line", 3, 9),)
    desk.tell(RoutineValues("1", "split", {"line": (sample,)}, {}, held=held))
    second = desk.page.slot_openings["line"]
    first.expander.click()
    second.expander.click()
    desk.tell(page_of(many=2, total=2, reference=9))
    assert said(first.tree) == said(second.tree) == ["0: [0]", "1: [1]"]

    first.expander.click()
    assert not desk.released()
    second.expander.click()

    assert desk.released() == [9]


def test_a_held_message_is_opened_and_goes_with_the_hold(desk: Desk) -> None:
    opening = desk.hold(9, 3)
    assert opening.expander.isVisible()
    opening.expander.click()
    desk.tell(page_of(many=2, total=2, reference=9))
    assert said(opening.tree) == ["0: [0]", "1: [1]"]
    assert opening.caption is not None
    assert opening.caption.text() == "message 3 · list, 2 items"

    another = desk.hold(11, 4)
    assert desk.released() == [9]
    another.expander.click()
    desk.client.tell_resumed("1")
    desk.session.bridge.tick()

    assert desk.released() == [9, 11]


def test_the_last_value_of_a_wire_is_opened(desk: Desk) -> None:
    samples = (ValueSample(1, 1.0, LIST), ValueSample(2, 2.0, LIST, 7))
    desk.session.select([], WIRE)
    desk.tell(RoutineValues("1", "split", {}, {"word": samples}))
    page = desk.panel.page
    assert isinstance(page, WirePage)
    newest, older = page.openings[:2]
    assert newest.expander.isVisible()
    assert older.isVisible()
    assert not older.expander.isVisible()

    newest.expander.click()
    desk.tell(page_of(many=2, total=2))

    assert said(newest.tree) == ["0: [0]", "1: [1]"]


def test_a_hostile_name_is_no_markup(desk: Desk) -> None:
    value = ValueSummary("<b>x</b>", "<img src='file:///x'>", 1)
    opening = desk.show(7)
    opening.expander.click()
    item = ValueItem(0, "<i>y</i>", value, True)
    desk.tell(ValuePage(7, (), "fields", value, 1, 0, (item,)))

    tree = tree_of(opening)
    tip = tree.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in tip
    assert opening.caption is not None
    assert opening.caption.textFormat() == Qt.TextFormat.PlainText
