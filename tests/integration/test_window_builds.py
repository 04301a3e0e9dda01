"""A flow is built with the mouse in the real window, saved, run and read again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from helpers.real_window import RealWindow
from penstock_gui.docks.palette import PalettePanel

TIMEOUT = 20_000
pytestmark = pytest.mark.usefixtures("placement")
SOURCE = '''\
"""Words, their lengths and the sum of these."""

from penstock import Event, Routine, Slot


class Words(Routine):
    """Emits three words."""

    word = Event(str)

    def logic(self):
        for word in ("ada", "grace", "barbara"):
            self.word.emit(word)
            yield


class Measure(Routine):
    """Measures a word."""

    word = Slot(str)
    length = Event(int)

    def logic(self, word: str) -> None:
        self.length.emit(len(word))


class Sum(Routine):
    """Adds up."""

    length = Slot(int)
    total = Event(int)

    class State:
        def __init__(self) -> None:
            self.total = 0

    def logic(self, length: int) -> None:
        self.state.total += length

    def finish(self) -> None:
        self.total.emit(self.state.total)
'''


@pytest.fixture
def real(qtbot: QtBot, tmp_path: Path) -> Iterator[RealWindow]:
    """An empty window whose next flow is saved beside a module nobody has imported yet."""
    (tmp_path / f"words_{uuid4().hex}.py").write_text(SOURCE, encoding="utf-8")
    made = RealWindow()
    made.answers.path = tmp_path / "built.flow.json"
    yield made
    made.close()


def double_click_type(real: RealWindow, name: str) -> None:
    """Double-click a type in the palette."""
    palette = real.window.findChild(PalettePanel)
    assert palette is not None
    row = next(
        number
        for number in range(palette.model.rowCount())
        if palette.model.index(number).data(Qt.ItemDataRole.DisplayRole) == name
    )
    index = palette.model.index(row)
    palette.list.scrollTo(index)
    middle = palette.list.visualRect(index).center()
    viewport, left = palette.list.viewport(), Qt.MouseButton.LeftButton
    QTest.mouseClick(viewport, left, pos=middle)
    QTest.mouseDClick(viewport, left, pos=middle)


def test_three_routines_are_placed_wired_saved_run_and_opened_again(
    qtbot: QtBot, real: RealWindow
) -> None:
    real.press("file.new")
    real.press("file.save")
    for name in ("Words", "Measure", "Sum"):
        double_click_type(real, name)
    real.window.view.auto_layout()
    real.window.view.fit_all()
    words, measure, total = real.document.ids()
    real.drag_wire(words, "word", measure, "word")
    real.drag_wire(measure, "length", total, "length")
    real.press("file.save")
    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    assert real.answers.path is not None
    saved = json.loads(real.answers.path.read_text(encoding="utf-8"))
    assert sorted(real.graph.nodes) == sorted(saved["routines"])
    assert len(real.graph.nodes) == 3
    assert sorted(map(str, real.graph.edges)) == sorted(saved["connections"])
    assert saved["connections"] == [
        f"{words}.word -> {measure}.word",
        f"{measure}.length -> {total}.length",
    ]
    assert real.view_of().status == "COMPLETED"
    last = real.last_values("1", total).events["total"][-1]
    assert last.value.text == str(len("ada") + len("grace") + len("barbara"))
    assert real.session.undo.isClean()

    real.press("file.new")
    empty = len(real.graph.nodes)
    real.window.files.load(real.answers.path)
    assert (empty, len(real.graph.nodes), len(real.graph.edges)) == (0, 3, 2)


def test_a_wire_that_does_not_fit_is_refused_with_the_reason(
    qtbot: QtBot, real: RealWindow
) -> None:
    real.press("file.save")
    for name in ("Words", "Sum"):
        double_click_type(real, name)
    real.window.view.auto_layout()
    real.window.view.fit_all()
    words, total = real.document.ids()

    real.drag_wire(words, "word", total, "length")

    assert real.document.connections() == ()
    assert len(real.graph.edges) == 0


def test_edits_while_a_job_runs_touch_the_next_run_only(qtbot: QtBot, real: RealWindow) -> None:
    real.press("file.save")
    double_click_type(real, "Words")
    (words,) = real.document.ids()
    real.click_node(words)
    real.press("run.breakpoint")
    real.press("run.run")
    qtbot.waitUntil(lambda: real.session.mode == "held", timeout=TIMEOUT)

    double_click_type(real, "Measure")
    real.press("run.run")
    qtbot.waitUntil(real.is_over, timeout=TIMEOUT)

    assert set(real.view_of().routines) == {words}
    assert real.view_of().status == "COMPLETED"
    assert len(real.graph.nodes) == 2
