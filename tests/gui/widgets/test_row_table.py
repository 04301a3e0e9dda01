"""Tables paint what the roles of their model say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QStandardItemModel
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from penstock_gui.theme import Theme
from penstock_gui.widgets import (
    BAR_ROLE,
    CHIP_ROLE,
    COLOR_ROLE,
    HELD_ROLE,
    MONO_ROLE,
    SWATCH_ROLE,
    RowTable,
)

MakeTable = Callable[[], tuple[RowTable, QStandardItemModel, Theme]]


@pytest.fixture
def make_table(qtbot: QtBot) -> MakeTable:
    def make() -> tuple[RowTable, QStandardItemModel, Theme]:
        theme = Theme("dark")
        model = QStandardItemModel(3, 2)
        table = RowTable(theme)
        model.setParent(table)
        qtbot.addWidget(table)
        table.setModel(model)
        table.set_columns([100, None])
        table.resize(300, 200)
        table.show()
        return table, model, theme

    return make


def cell(table: RowTable, row: int, column: int) -> QImage:
    """What is painted in a cell."""
    index = table.model().index(row, column)
    return table.viewport().grab(table.visualRect(index)).toImage()


def colours(image: QImage) -> set[str]:
    """All colours of a picture."""
    area = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return {image.pixelColor(QPoint(x, y)).name() for x, y in area}


def test_columns_are_fixed_but_the_one_that_takes_the_rest(make_table: MakeTable) -> None:
    table, _, _ = make_table()

    assert table.columnWidth(0) == 100
    assert table.columnWidth(1) == table.viewport().width() - 100
    assert table.rowHeight(0) == 24


def test_a_chip_is_drawn_on_its_tint_even_in_a_selected_row(make_table: MakeTable) -> None:
    table, model, theme = make_table()
    model.setData(model.index(0, 0), "FAILED", CHIP_ROLE)
    table.selectRow(0)
    tint = theme.mix("state.failed", "bg.panel", theme.number("tint.chip"))

    assert tint.name() in colours(cell(table, 0, 0))


def test_a_swatch_is_in_the_routine_s_colour(make_table: MakeTable) -> None:
    table, model, theme = make_table()
    model.setData(model.index(0, 0), 3, SWATCH_ROLE)

    assert theme.routine_color(3).name() in colours(cell(table, 0, 0))


@pytest.mark.parametrize(("part", "shown"), [(0.0, False), (0.5, True), (7.0, True)])
def test_a_bar_is_filled_by_its_part(make_table: MakeTable, part: float, shown: bool) -> None:
    table, model, theme = make_table()
    model.setData(model.index(0, 0), part, BAR_ROLE)

    assert (theme.color("accent.fill").name() in colours(cell(table, 0, 0))) is shown


def test_a_held_row_has_its_ground_and_bar(make_table: MakeTable) -> None:
    table, model, theme = make_table()
    model.setData(model.index(1, 0), True, HELD_ROLE)

    assert theme.color("held.fill").name() in colours(cell(table, 1, 0))
    assert theme.color("held.bg").name() in colours(cell(table, 1, 1))
    assert theme.color("held.bg").name() not in colours(cell(table, 0, 1))


def test_selection_is_weaker_without_the_keyboard(make_table: MakeTable, qtbot: QtBot) -> None:
    table, _, theme = make_table()
    table.selectRow(0)
    table.clearFocus()

    assert theme.color("bg.selected.inactive").name() in colours(cell(table, 0, 1))


def test_the_row_under_the_mouse_is_lit(make_table: MakeTable, qtbot: QtBot) -> None:
    table, _, theme = make_table()
    QTest.mouseMove(table.viewport(), table.visualRect(table.model().index(2, 1)).center())
    qtbot.waitUntil(lambda: table.hovered_row == 2, timeout=1000)

    assert theme.color("bg.hover").name() in colours(cell(table, 2, 1))


def test_text_takes_the_colour_and_font_asked_for(make_table: MakeTable) -> None:
    table, model, theme = make_table()
    model.setData(model.index(0, 0), "█")
    model.setData(model.index(0, 0), "state.failed", COLOR_ROLE)
    model.setData(model.index(0, 0), True, MONO_ROLE)

    assert theme.color("state.failed").name() in colours(cell(table, 0, 0))


def test_a_cell_shows_one_line(make_table: MakeTable) -> None:
    table, model, _ = make_table()
    model.setData(model.index(0, 0), "one\ntwo")
    model.setData(model.index(1, 0), "one two")

    assert cell(table, 0, 0) == cell(table, 1, 0)


def test_alignment_is_the_model_s(make_table: MakeTable) -> None:
    table, model, _ = make_table()
    model.setData(model.index(0, 0), "█")
    model.setData(model.index(0, 0), Qt.AlignmentFlag.AlignRight, Qt.ItemDataRole.TextAlignmentRole)
    image = cell(table, 0, 0)
    ground = QColor(image.pixelColor(1, 1))
    inked = [x for x in range(image.width()) if image.pixelColor(x, 12) != ground]

    assert min(inked) > image.width() // 2
