"""The model behind tables of lines: bounded, filtered, newest at either end."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from penstock_gui.theme import Theme
from penstock_gui.widgets import CELL_ROLE, Cell, FlatButton, LineModel, SearchLine, ToolStrip


class Numbers(LineModel[str]):
    """Lines that are numbers; ``least`` says from which on they are shown."""

    def __init__(self, newest_on_top: bool) -> None:
        super().__init__(("Number", "Twice"), 5, newest_on_top=newest_on_top)
        self.least = 0
        self.notes: list[str] = []

    def passes(self, line: str) -> bool:
        return int(line) >= self.least

    def note_shown(self, lines: object) -> None:
        self.notes.append(f"shown {lines}")

    def note_dropped(self, lines: object) -> None:
        if lines:
            self.notes.append(f"dropped {lines}")

    def cell(self, row: int, column: int) -> Cell:
        line = self.line(row) or ""
        return Cell(line if column == 0 else 2 * line)

    def tip(self, row: int, column: int) -> str:
        return "<b>" if column else ""


class Mirror:
    """What a view would have, going by nothing but the model's signals."""

    def __init__(self, model: QAbstractItemModel) -> None:
        self._model = model
        self.rows: list[str] = []
        model.rowsInserted.connect(self._on_inserted)
        model.rowsRemoved.connect(self._on_removed)
        model.modelReset.connect(self._on_reset)

    def _row(self, row: int) -> str:
        return str(self._model.index(row, 0).data())

    def _on_inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        self.rows[first:first] = [self._row(row) for row in range(first, last + 1)]

    def _on_removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        del self.rows[first : last + 1]

    def _on_reset(self) -> None:
        self.rows = [self._row(row) for row in range(self._model.rowCount())]


@pytest.mark.parametrize("newest_on_top", [False, True])
def test_a_view_follows_what_comes_goes_and_is_filtered(qtbot: QtBot, newest_on_top: bool) -> None:
    model = Numbers(newest_on_top)
    mirror = Mirror(model)

    def shown() -> list[str]:
        rows = list(reversed(mirror.rows)) if newest_on_top else mirror.rows
        assert mirror.rows == [model.line(row) for row in range(model.rowCount())]
        return rows

    model.append(["1", "9", "2"])
    assert shown() == ["1", "9", "2"]
    model.least = 3
    model.refilter()
    assert shown() == ["9"]
    model.append(["3", "0"])
    assert (shown(), model.total, model.dropped) == (["9", "3"], 5, 0)
    model.append(["8", "4"])
    assert (shown(), model.total, model.dropped) == (["3", "8", "4"], 5, 2)
    model.append([str(number) for number in range(20, 30)])
    assert (shown(), model.total, model.dropped) == (["25", "26", "27", "28", "29"], 5, 12)
    model.clear()
    assert (shown(), model.total, model.dropped) == ([], 0, 0)


def test_lines_are_noted_as_they_are_shown_and_dropped(qtbot: QtBot) -> None:
    model = Numbers(newest_on_top=False)
    model.least = 2
    model.append(["1", "2", "3"])
    model.append([str(number) for number in range(4, 11)])

    assert model.notes == [
        "shown ['2', '3']",
        "dropped ['4', '5']",
        "dropped ['1', '2', '3']",
        "shown ['6', '7', '8', '9', '10']",
    ]


def test_a_cell_is_given_as_one_and_its_tip_is_no_markup(qtbot: QtBot) -> None:
    model = Numbers(newest_on_top=True)
    model.append(["1", "2"])
    index = model.index(0, 1)

    assert model.line(0) == "2"
    assert model.line(2) is None
    assert index.data(CELL_ROLE) == Cell("22")
    assert "&lt;b&gt;" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) is None
    assert model.headerData(1, Qt.Orientation.Horizontal) == "Twice"


def test_buttons_of_a_strip_follow_the_theme_and_say_what_they_do(qtbot: QtBot) -> None:
    theme = Theme("dark")
    button = FlatButton(theme, "trash", "Clear", checkable=True)
    strip = ToolStrip(theme, SearchLine(theme, "Search"), button)
    panel = QWidget()
    qtbot.addWidget(panel)
    strip.setParent(panel)
    dark = button.icon().pixmap(14).toImage()
    theme.use("light")

    assert button.icon().pixmap(14).toImage() != dark
    assert (button.toolTip(), button.accessibleName()) == ("Clear", "Clear")
    assert button.isCheckable()
    assert strip.height() == theme.px("size.tabs")
    panel.setObjectName("around")
    panel.setStyleSheet(theme.style_sheet() + "#around { background: red; }")
    strip.resize(400, strip.height())
    panel.resize(400, 100)
    assert panel.grab().toImage().pixelColor(300, 4) == theme.color("bg.panel")
