"""The output dock, over a scripted engine, with real clicks and keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from helpers.scripted import ScriptedClient
from penstock.host import HostGone, Printed
from penstock_gui.assets import resource
from penstock_gui.bridge import EngineBridge
from penstock_gui.docks.output import OutputPanel
from penstock_gui.docks.output.lines import LINE_LIMIT, LineMaker
from penstock_gui.docks.output.model import FROM, STREAM, TEXT
from penstock_gui.document import FlowDocument
from penstock_gui.session import Session
from penstock_gui.theme import Theme
from penstock_gui.widgets.wording import visible

LIMIT = 100
Stream = Literal["stdout", "stderr"]


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def session(qtbot: QtBot, client: ScriptedClient) -> Iterator[Session]:
    document = FlowDocument()
    document.load(resource("examples", "code_census", "code_census.flow.json"))
    bridge = EngineBridge(client, interval_ms=10_000)
    made = Session(document, client, bridge)
    yield made
    bridge.stop()


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> OutputPanel:
    made = OutputPanel(session, Theme("dark"), limit=LIMIT)
    qtbot.addWidget(made)
    made.resize(480, 300)
    made.show()
    return made


class Printer:
    """Prints into a panel as an engine would."""

    def __init__(self, client: ScriptedClient, session: Session, panel: OutputPanel) -> None:
        self._client, self._session, self._panel = client, session, panel
        self._number = 0

    def __call__(
        self,
        text: str,
        job: str = "7",
        routine: str = "read",
        stream: Stream = "stdout",
        lost: int = 0,
    ) -> None:
        self._number += 1
        self._client.tell(Printed(self._number, job, routine, stream, text, lost))
        self.show()

    def show(self) -> None:
        self._session.bridge.tick()
        while self._session.bridge.waiting:
            self._session.bridge.tick()
        self._panel.flush()


@pytest.fixture
def prints(client: ScriptedClient, session: Session, panel: OutputPanel) -> Printer:
    return Printer(client, session, panel)


def shown(panel: OutputPanel, column: int = TEXT) -> list[str]:
    model = panel.model
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


def click(panel: OutputPanel, row: int, modifier: Qt.KeyboardModifier | None = None) -> None:
    place = panel.table.visualRect(panel.model.index(row, FROM)).center()
    QTest.mouseClick(
        panel.table.viewport(),
        Qt.MouseButton.LeftButton,
        modifier or Qt.KeyboardModifier.NoModifier,
        place,
    )


def press(button: QToolButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_line_says_whose_it_is_and_which_stream(panel: OutputPanel, prints: Printer) -> None:
    prints("hello\n")
    prints("oh no\n", job="8", routine="parse", stream="stderr")
    prints("at import\n", job="8", routine="")
    prints("nobody's\n", job="", routine="")

    assert shown(panel) == ["hello", "oh no", "at import", "nobody's"]
    assert shown(panel, FROM) == ["#7 read", "#8 parse", "job 8", "engine"]
    assert shown(panel, STREAM) == ["", "err", "", ""]


def test_pieces_become_lines_even_when_routines_print_at_the_same_time(
    panel: OutputPanel, prints: Printer
) -> None:
    prints("one ")
    prints("first\nsecond", routine="parse")
    prints("line\nand a half", routine="read")
    assert shown(panel) == ["one line", "first", "second", "and a half"]

    prints(" and the rest\n\nnext\n")
    assert shown(panel)[3:] == ["and a half and the rest", "", "next"]


def test_markup_and_controls_are_shown_as_what_they_are(
    panel: OutputPanel, prints: Printer
) -> None:
    prints("<b>bold</b> \x1b[31mred\x1b[0m \u202egnp.exe a\tb bell\x07\n")

    assert shown(panel) == ["<b>bold</b> red \\u202egnp.exe a      b bell\\x07"]
    tip = panel.model.index(0, TEXT).data(Qt.ItemDataRole.ToolTipRole)
    assert "&lt;b&gt;" in tip
    assert visible("a\u00a0b\ud800") == "a b\\ud800"


def test_a_progress_bar_stays_one_line(panel: OutputPanel, prints: Printer) -> None:
    for part in range(0, 101, 10):
        prints(f"\rloaded {part} %", stream="stderr")
    prints("\r\ndone\n", stream="stderr")

    assert shown(panel) == ["loaded 100 %", "done"]

    prints("#" * 3 * LINE_LIMIT)
    assert shown(panel)[-1].endswith("more characters")
    prints("\rthat was long")
    assert shown(panel)[-1] == "that was long"


def test_a_long_line_is_cut_and_the_rest_counted(panel: OutputPanel, prints: Printer) -> None:
    prints("x" * (LINE_LIMIT - 1))
    prints("yzz" + "z" * 1_000)
    prints("\nshort\n")

    long, short = shown(panel)
    assert long == "x" * (LINE_LIMIT - 1) + "y… 1,002 more characters"
    assert short == "short"


def test_what_was_left_out_is_said_where_it_is_missing(panel: OutputPanel, prints: Printer) -> None:
    prints("begun")
    prints("later\n", lost=1_234)

    assert shown(panel) == ["begun", "… 1,234 characters left out", "later"]


def test_older_lines_are_dropped_and_counted_and_an_unfinished_one_is_begun_anew(
    panel: OutputPanel, prints: Printer
) -> None:
    prints("unfinished", routine="parse")
    prints("".join(f"{n}\n" for n in range(150)))

    assert shown(panel) == [str(n) for n in range(50, 150)]
    assert panel.dropped.text() == "51 older lines dropped"
    assert panel.dropped.isVisible()

    prints("its end\n", routine="parse")
    assert shown(panel)[-1] == "its end"


@pytest.mark.parametrize("lost", [0, 7])
@pytest.mark.parametrize("end", ["", "half"])
def test_of_a_burst_no_more_lines_are_made_than_are_kept_and_all_are_counted(
    lost: int, end: str
) -> None:
    maker = LineMaker(LIMIT)
    maker.take(Printed(1, "7", "read", "stdout", "begun"))
    taken = maker.take(Printed(2, "7", "read", "stdout", "\n" * 65_536 + end, lost))

    # The first end belongs to what was begun, unless that is among what was left out.
    lines = 65_536 - (not lost) + bool(lost) + bool(end)
    assert len(taken.fresh) == LIMIT
    assert taken.dropped == lines - LIMIT
    assert taken.extended == (not lost)
    assert [line.text for line in taken.fresh] == [""] * (LIMIT - bool(end)) + [end] * bool(end)


def test_lines_of_a_burst_that_there_is_no_room_for_are_counted_as_dropped(
    panel: OutputPanel, prints: Printer
) -> None:
    prints("".join(f"{n}\n" for n in range(10_000)) + "half", lost=3)
    prints(" a line\n")

    assert shown(panel) == [*(str(n) for n in range(9_901, 10_000)), "half a line"]
    assert panel.dropped.text() == "9,902 older lines dropped"
    panel.clear()
    assert not panel.dropped.isVisible()


@pytest.mark.parametrize(("at", "seen"), [(730, "30"), (200, "21")])
def test_the_end_is_followed_until_somebody_scrolls_up(
    panel: OutputPanel, prints: Printer, at: int, seen: str
) -> None:
    prints("".join(f"{n}\n" for n in range(60)))
    assert panel.is_following
    prints("60\n")
    assert panel.is_following

    panel.table.verticalScrollBar().setValue(at)
    height = panel.table.rowViewportPosition(panel.table.rowAt(0))
    prints("".join(f"more {n}\n" for n in range(60)))  # 21 fall out at the top

    top = panel.table.rowAt(0)
    assert not panel.is_following
    assert shown(panel)[top] == seen
    assert panel.table.rowViewportPosition(top) == (height if seen == "30" else 0)


def test_the_filters_narrow_to_job_routine_stream_and_words(
    panel: OutputPanel, prints: Printer, session: Session, client: ScriptedClient
) -> None:
    prints("a\n", job="7", routine="read")
    prints("b\n", job="7", routine="parse", stream="stderr")
    prints("c\n", job="8", routine="read")
    session.show_job("7")
    session.select(("read",))

    press(panel.only_job)
    assert shown(panel) == ["a", "b"]
    press(panel.only_routine)
    assert shown(panel) == ["a"]
    session.select(("parse",))
    assert shown(panel) == ["b"]
    session.select(())
    assert shown(panel) == ["a", "b"]
    session.show_job("8")
    assert shown(panel) == ["c"]
    press(panel.only_job)
    press(panel.streams["stdout"])
    assert shown(panel) == ["b"]
    press(panel.streams["stdout"])
    QTest.keyClicks(panel.search, "READ c")
    assert shown(panel) == ["c"]
    QTest.keyClick(panel.search, Qt.Key.Key_Escape)
    assert shown(panel) == ["a", "b", "c"]


def test_a_word_that_is_complete_only_now_is_found(panel: OutputPanel, prints: Printer) -> None:
    QTest.keyClicks(panel.search, "needle")
    prints("a nee")
    assert shown(panel) == []
    prints("dle")

    assert shown(panel) == ["a needle"]


def test_clicking_or_entering_a_line_goes_to_its_routine_in_its_job(
    panel: OutputPanel, prints: Printer, session: Session, client: ScriptedClient
) -> None:
    client.tell_started("7", "census", ["read", "parse"])
    client.tell_started("8", "census", ["read", "parse"])
    session.show_job("8")
    prints("a\n")
    prints("b\n", routine="parse", job="8")
    centred: list[str] = []
    session.centre_requested.connect(centred.append)

    click(panel, 0)
    assert (session.job_id, session.selection.routine, centred) == ("7", "read", ["read"])

    QTest.keyClick(panel.table, Qt.Key.Key_Down)
    QTest.keyClick(panel.table, Qt.Key.Key_Return)
    assert (session.job_id, session.selection.routine, centred[-1]) == ("8", "parse", "parse")


def test_chosen_lines_are_copied_or_else_all(panel: OutputPanel, prints: Printer) -> None:
    prints("a\nb\nc\n")
    press(panel.copy_button)
    everything = QGuiApplication.clipboard().text()

    click(panel, 0)
    click(panel, 1, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(panel.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)

    assert everything == "a\nb\nc"
    assert QGuiApplication.clipboard().text() == "a\nb"


def test_clearing_forgets_lines_counts_and_what_is_unfinished(
    panel: OutputPanel, prints: Printer
) -> None:
    prints("".join(f"{n}\n" for n in range(150)) + "half")
    press(panel.clear_button)
    assert shown(panel) == []
    assert not panel.dropped.isVisible()

    prints(" a line\n")
    assert shown(panel) == [" a line"]


def test_the_last_an_engine_wrote_stays_to_be_read(
    panel: OutputPanel, prints: Printer, client: ScriptedClient
) -> None:
    prints("begun")
    client.tell(HostGone(4711, "killed by SIGSEGV", "Fatal\x1b[0m error\n  File x\n"))
    prints.show()

    assert shown(panel) == [
        "begun",
        "The engine's process 4711 has ended: killed by SIGSEGV. The last it wrote:",
        "Fatal error",
        "  File x",
    ]
    press(panel.streams["stdout"])
    assert len(shown(panel)) == 3

    prints("".join(f"{n}\n" for n in range(40)), stream="stderr")
    panel.show_last_words()
    assert shown(panel)[panel.table.rowAt(0)].startswith("The engine's process 4711 has ended")


def test_an_end_that_was_wanted_is_a_line_by_the_way(
    panel: OutputPanel, prints: Printer, client: ScriptedClient
) -> None:
    client.tell(HostGone(4711, "ended as asked", "all it wrote\n", asked=True))
    prints.show()

    assert shown(panel) == ["The engine's process 4711: ended as asked"]
    assert panel.model.last_end() == -1


def test_a_flood_is_shown_in_few_batches(
    qtbot: QtBot, panel: OutputPanel, session: Session, client: ScriptedClient
) -> None:
    batches: list[int] = []
    panel.model.rowsInserted.connect(lambda _parent, first, last: batches.append(last - first + 1))
    for number in range(3_000):
        client.tell(Printed(number, "7", "read", "stdout", f"line {number}\n"))
    session.bridge.tick()
    while session.bridge.waiting:
        session.bridge.tick()

    qtbot.waitUntil(lambda: panel.model.dropped == 2_900, timeout=5_000)

    assert sum(batches) < 2 * LIMIT


def test_an_empty_panel_says_what_would_fill_it_and_a_filter_that_hides_all(
    panel: OutputPanel, prints: Printer
) -> None:
    assert not panel.table.isVisible()
    prints("a\n")
    assert panel.table.isVisible()
    panel.search.setText("nothing like this")
    assert not panel.table.isVisible()


def test_a_long_line_can_be_read_by_scrolling_sideways(panel: OutputPanel, prints: Printer) -> None:
    prints("short\n")
    assert panel.table.horizontalScrollBar().maximum() == 0
    prints("x" * 300 + "\n")
    assert panel.table.horizontalScrollBar().maximum() > 300
