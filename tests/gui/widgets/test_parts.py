"""The shared widgets show what they are told and stay usable by keyboard."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from penstock_gui.theme import Theme
from penstock_gui.widgets import DockHeader, EmptyState, PlainLabel, SearchLine, StateChip
from penstock_gui.widgets.plain_label import MAX_SHOWN


def test_a_chip_shows_the_status_s_own_word_unless_told(qtbot: QtBot) -> None:
    chip = StateChip(Theme("dark"))
    qtbot.addWidget(chip)
    narrow = chip.sizeHint().width()

    chip.show_state("RUNNING")
    assert chip.text == "running"
    chip.show_state("RUNNING", "job 7 running")
    assert chip.text == chip.accessibleName() == "job 7 running"
    assert chip.sizeHint().width() > narrow


def test_a_chip_is_painted_in_the_colour_of_its_state(qtbot: QtBot) -> None:
    theme = Theme("dark")
    chip = StateChip(theme)
    qtbot.addWidget(chip)
    chip.show_state("FAILED")
    chip.resize(chip.sizeHint())
    image = chip.grab().toImage()
    tint = theme.mix("state.failed", "bg.panel", theme.number("tint.chip"))

    assert image.pixelColor(3, 9).name() == tint.name()


def test_foreign_text_is_never_markup(qtbot: QtBot) -> None:
    label = PlainLabel(Theme("dark"), "<img src='file:///etc/passwd'>")
    qtbot.addWidget(label)

    assert label.textFormat() == Qt.TextFormat.PlainText
    label.setText("x" * (2 * MAX_SHOWN))
    assert len(label.text()) == MAX_SHOWN


def test_a_label_follows_the_theme(qtbot: QtBot) -> None:
    theme = Theme("dark")
    label = PlainLabel(theme, "text", color="text.2")
    qtbot.addWidget(label)
    theme.use("light")

    assert label.palette().windowText().color() == theme.color("text.2")


def test_escape_empties_the_filter(qtbot: QtBot) -> None:
    line = SearchLine(Theme("dark"), "Filter log")
    qtbot.addWidget(line)
    QTest.keyClicks(line, "abc")
    assert line.text() == "abc"

    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert line.text() == ""


def test_arrows_in_the_filter_move_in_the_list(qtbot: QtBot) -> None:
    line = SearchLine(Theme("dark"))
    qtbot.addWidget(line)
    moves: list[int] = []
    line.moved.connect(moves.append)
    QTest.keyClick(line, Qt.Key.Key_Down)
    QTest.keyClick(line, Qt.Key.Key_Up)

    assert moves == [1, -1]


def test_the_button_of_an_empty_panel_follows_its_action(qtbot: QtBot) -> None:
    action = QAction("Run")
    action.setShortcut("F5")
    runs: list[str] = []
    action.triggered.connect(lambda: runs.append("run"))
    empty = EmptyState(Theme("dark"), "layers", "No jobs yet", "Run one.", action)
    qtbot.addWidget(empty)
    button = empty.findChild(QPushButton)
    assert isinstance(button, QPushButton)

    assert button.text().split() == ["Run", "F5"]
    button.click()
    action.setEnabled(False)
    action.setToolTip("the flow is empty")
    assert (button.isEnabled(), button.toolTip()) == (False, "the flow is empty")
    assert len(runs) == 1


def test_a_dock_header_can_be_closed_by_keyboard(qtbot: QtBot) -> None:
    header = DockHeader(Theme("dark"), "Jobs")
    qtbot.addWidget(header)
    close = header.findChild(QToolButton)
    assert isinstance(close, QToolButton)
    assert close.focusPolicy() & Qt.FocusPolicy.TabFocus

    with qtbot.waitSignal(header.closed, timeout=100):
        QTest.keyClick(close, Qt.Key.Key_Space)


def test_what_is_added_to_a_header_stays_left_of_the_cross(qtbot: QtBot) -> None:
    header = DockHeader(Theme("dark"), "Jobs")
    qtbot.addWidget(header)
    first, second = QAction("one"), QAction("two")
    one, two = header.add_action(first), header.add_action(second)
    header.resize(400, 32)
    header.show()
    cross = next(b for b in header.findChildren(QToolButton) if b not in (one, two))

    assert one.x() < two.x() < cross.x()
