"""The application's style sheet: a template filled with a theme's colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template


def style_sheet(colors: Mapping[str, str], glyphs: Path) -> str:
    """The sheet for colours by token; ``glyphs`` is the folder of arrows and ticks.

    A sheet can take images from files only, so these few are stored in the theme's colours.
    """
    names = {token.replace(".", "_"): value for token, value in colors.items()}
    return Template(_SHEET).substitute(names, glyphs=glyphs.as_posix())


# A widget's object name chooses a variant: "primary", "link", "flat", "panel", "strip", "card",
# "rule", "float"; of a field: "error"; of a QPlainTextEdit that is a field: "field".
_SHEET = """
QMainWindow { background: $bg_gap; }
QMainWindow::separator { background: $bg_gap; width: 4px; height: 4px; }
QMainWindow::separator:hover { background: $accent; }
QDialog, QMessageBox { background: $bg_chrome; }
QLabel { background: transparent; }
QToolTip {
    background: $bg_raised; color: $text; border: 1px solid $line; padding: 4px 7px;
}

QMenuBar { background: $bg_chrome; color: $text_2; padding: 4px 6px; border: 0; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $bg_hover; color: $text; }
QMenuBar::item:pressed { background: $bg_pressed; color: $text; }
QMenu {
    background: $bg_raised; border: 1px solid $line; padding: 5px; color: $text;
}
QMenu::item { padding: 5px 18px 5px 8px; border-radius: 4px; min-width: 190px; }
QMenu::icon { padding-left: 8px; }
QMenu::item:selected { background: $bg_selected; }
QMenu::item:disabled { color: $text_disabled; }
QMenu::separator { height: 1px; background: $line; margin: 5px 4px; }
QMenu::indicator { width: 14px; height: 14px; margin-left: 8px; }
QMenu::indicator:checked { image: url("$glyphs/check-menu.svg"); }

QToolBar { background: $bg_chrome; border: 0; spacing: 2px; padding: 0; }
QSplitter::handle { background: $bg_gap; image: none; }
QToolBar::separator { background: $line; width: 1px; height: 1px; margin: 10px 6px; }
QStatusBar { background: $bg_chrome; border: 0; }
QStatusBar::item { border: 0; }

QToolButton {
    border: 2px solid transparent; border-radius: 4px; padding: 0 4px; min-width: 16px;
    min-height: 24px; color: $text; background: transparent;
}
QToolButton:hover { background: $bg_hover; }
QToolButton:pressed, QToolButton:checked { background: $bg_pressed; }
QToolButton:focus { border-color: $accent; }
QToolButton:disabled { color: $text_disabled; }
QToolBar#stripe QToolButton { min-width: 24px; max-width: 24px; padding: 0; }
QToolButton#run { min-width: 94px; }
QToolButton#flat { min-height: 20px; min-width: 16px; padding: 0 2px; }
QToolButton::menu-indicator { image: none; width: 0; }

QPushButton {
    background: $bg_raised; border: 1px solid $line_strong; border-radius: 4px;
    padding: 0 12px; min-height: 24px; color: $text;
}
QPushButton:hover { background: $bg_hover; }
QPushButton:pressed { background: $bg_pressed; }
QPushButton:focus { border: 2px solid $accent; padding: 0 11px; min-height: 22px; }
QPushButton:disabled { color: $text_disabled; border-color: $line; background: $bg_raised; }
QPushButton#primary, QPushButton:default {
    background: $accent_fill; border-color: $accent_fill; color: $on_accent;
}
QPushButton#primary:hover, QPushButton:default:hover { border-color: $on_accent; }
QPushButton#primary:focus, QPushButton:default:focus { border-color: $text; }
QPushButton#primary:disabled, QPushButton:default:disabled {
    background: $bg_raised; border-color: $line; color: $text_disabled;
}
QPushButton#link {
    border: 2px solid transparent; background: transparent; color: $accent; padding: 0;
    text-align: left;
}
QPushButton#link:hover { color: $text; }
QPushButton#link:focus { border-color: $accent; }

QTabBar { background: $bg_chrome; }
QTabBar::tab {
    height: 30px; padding: 0 12px; margin: 0; border: 0; border-bottom: 2px solid transparent;
    color: $text_2; background: transparent;
}
QTabBar::tab:hover { color: $text; background: $bg_hover; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }

QDockWidget { border: 0; color: $text; }
QStackedWidget, QScrollArea { background: $bg_panel; border: 0; }
QScrollArea > QWidget > QWidget { background: $bg_panel; }
QHeaderView { background: $bg_panel; border: 0; }
QHeaderView::section {
    background: $bg_panel; color: $text_3; border: 0; border-bottom: 1px solid $line_subtle;
    padding: 0 8px;
}
QTableView, QTreeView, QListView, QPlainTextEdit {
    background: $bg_panel; border: 0; outline: 0; color: $text;
    selection-background-color: $bg_selected; selection-color: $text;
}
QTreeView::branch { background: $bg_panel; }
QTreeView::branch:has-children:closed { image: url("$glyphs/chevron-right.svg"); }
QTreeView::branch:has-children:open { image: url("$glyphs/chevron-down.svg"); }
QPlainTextEdit { border: 2px solid transparent; }
QPlainTextEdit#field {
    background: $bg_field; border: 1px solid $line_strong; border-radius: 4px; padding: 1px 4px;
}
QPlainTextEdit:focus, QPlainTextEdit#field:focus {
    border: 2px solid $accent; padding: 0 3px;
}

QScrollBar:vertical { background: transparent; width: 10px; margin: 0; border: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; border: 0; }
QScrollBar::handle {
    background: $line; border-radius: 3px; margin: 2px; min-height: 28px; min-width: 28px;
}
QScrollBar::handle:hover, QScrollBar::handle:pressed { background: $line_strong; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; border: 0; }

QLineEdit, QAbstractSpinBox, QComboBox {
    background: $bg_field; color: $text; border: 1px solid $line_strong; border-radius: 4px;
    padding: 0 7px; height: 24px;
    selection-background-color: $accent_fill; selection-color: $on_accent;
}
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {
    border: 2px solid $accent; padding: 0 6px; height: 22px;
}
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {
    color: $text_disabled; border-color: $line;
}
QLineEdit:read-only { background: $bg_panel; }
QLineEdit#error, QAbstractSpinBox#error, QComboBox#error {
    border: 2px solid $state_failed; padding: 0 6px; height: 22px;
}
QPlainTextEdit#error {
    background: $bg_field; border: 2px solid $state_failed; border-radius: 4px; padding: 0 3px;
}
QAbstractSpinBox > QLineEdit {
    border: 0; padding: 0 5px; background: transparent; height: 20px;
}
QComboBox::drop-down, QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {
    border: 0; width: 18px; background: transparent;
}
QComboBox::down-arrow, QAbstractSpinBox::down-arrow {
    image: url("$glyphs/chevron-down.svg"); width: 12px; height: 12px;
}
QAbstractSpinBox::up-arrow {
    image: url("$glyphs/chevron-up.svg"); width: 12px; height: 12px;
}
QComboBox QAbstractItemView {
    background: $bg_raised; border: 1px solid $line; padding: 4px; outline: 0;
}
QCheckBox { spacing: 8px; color: $text; border: 2px solid transparent; border-radius: 4px; }
QCheckBox:focus { border-color: $accent; }
QCheckBox:disabled { color: $text_disabled; }
QCheckBox::indicator {
    width: 14px; height: 14px; border: 1px solid $line_strong; border-radius: 3px;
    background: $bg_field;
}
QCheckBox::indicator:checked {
    background: $accent_fill; border-color: $accent_fill;
    image: url("$glyphs/check.svg");
}

QFrame#rule { background: $line_subtle; border: 0; max-height: 1px; min-height: 1px; }
QWidget#panel, QFrame#panel { background: $bg_panel; }
QWidget#strip, QFrame#strip { background: $bg_chrome; }
QFrame#card { background: $bg_raised; border: 1px solid $line; border-radius: 8px; }
QFrame#float { background: $bg_raised; border: 1px solid $line; border-radius: 6px; }
"""
