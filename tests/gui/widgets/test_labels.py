"""Labels that change while a job runs, and what that costs the window around them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QHBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, PlainLabel, SteadyLabel


class Layouts(QObject):
    """Counts how often a widget is asked to lay out anew."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__()
        self._watched = watched
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False


@pytest.fixture
def theme() -> Theme:
    return Theme("dark")


def row(qtbot: QtBot, label: QWidget) -> Layouts:
    """The label in a shown row; counts from now on."""
    box = QWidget()
    line = QHBoxLayout(box)
    line.addWidget(label, 1)
    qtbot.addWidget(box)
    box.resize(300, 40)
    with qtbot.waitExposed(box):
        box.show()
    layouts = Layouts(box)
    qtbot.wait(20)
    layouts.count = 0
    return layouts


def test_an_ordinary_label_lays_its_row_out_for_each_text(qtbot: QtBot, theme: Theme) -> None:
    label = PlainLabel(theme, "10")
    layouts = row(qtbot, label)

    label.setText("11")

    qtbot.waitUntil(lambda: layouts.count > 0)


def test_a_steady_label_lays_out_only_to_grow(qtbot: QtBot, theme: Theme) -> None:
    label = SteadyLabel(theme, "10")
    layouts = row(qtbot, label)
    width = label.width()

    for text in ("11", "9", "", "12"):
        label.setText(text)
    qtbot.wait(20)

    assert (layouts.count, label.width(), label.text()) == (0, width, "12")
    label.setText("1,234,567")
    qtbot.waitUntil(lambda: layouts.count > 0)
    assert label.width() > width


def test_an_elided_label_shows_what_fits_and_lays_nothing_out(qtbot: QtBot, theme: Theme) -> None:
    label = ElidedLabel(theme, "short")
    layouts = row(qtbot, label)

    label.show_text("long " * 100)
    qtbot.wait(20)

    assert layouts.count == 0
    assert label.text().endswith("…")
    assert label.full_text == "long " * 100
    assert "long long" in label.toolTip()


def test_foreign_text_is_no_markup(theme: Theme, qtbot: QtBot) -> None:
    label = ElidedLabel(theme, "<b>x</b>")
    qtbot.addWidget(label)

    assert label.full_text == "<b>x</b>"
    assert "<b>" not in label.toolTip()
