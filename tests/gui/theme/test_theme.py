"""The theme switches whole, and every part it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import penstock_gui
from penstock.observe.events import ROUTINE_STATUSES
from penstock_gui.assets import resource
from penstock_gui.session import STALLED
from penstock_gui.theme import STATES, Theme, Tokens, state_color, state_icon, state_word
from penstock_gui.theme.palette import TOKEN_OF_ROLE

SOURCES = Path(penstock_gui.__file__).parent
TOKENS = Tokens.load(resource("themes", "tokens.json"))
JOB_STATUSES = ("PENDING", "RUNNING", "PAUSING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED")


def test_a_switch_gives_other_colours_and_tells_it(qtbot: QtBot) -> None:
    theme = Theme("dark")
    dark = theme.color("text")

    with qtbot.waitSignal(theme.changed, timeout=100):
        theme.use("light")

    assert (theme.name, theme.choice) == ("light", "light")
    assert theme.color("text") != dark


def test_choosing_what_is_in_use_tells_nothing(qtbot: QtBot) -> None:
    theme = Theme("dark")

    with qtbot.assertNotEmitted(theme.changed):
        theme.use("dark")


def test_a_system_that_says_nothing_gets_the_dark_theme(qapp: QApplication) -> None:
    assert Theme("system").name == "dark"


def test_an_applied_theme_dresses_the_application(qapp: QApplication) -> None:
    before = (qapp.palette(), qapp.styleSheet(), qapp.font())
    theme = Theme("dark")
    theme.apply(qapp)
    theme.use("light")

    assert qapp.palette().color(QPalette.ColorRole.Base) == theme.color("bg.panel")
    assert theme.color("bg.panel").name() in qapp.styleSheet().lower()

    qapp.setPalette(before[0])
    qapp.setStyleSheet(before[1])
    qapp.setFont(before[2])


@pytest.mark.parametrize("name", ["dark", "light"])
def test_no_role_of_the_palette_is_left_to_the_system(qapp: QApplication, name: str) -> None:
    theme = Theme(name)
    palette = theme.palette()
    roles = set(QPalette.ColorRole) - {QPalette.ColorRole.NColorRoles, QPalette.ColorRole.NoRole}

    assert set(TOKEN_OF_ROLE) == roles
    disabled = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
    assert disabled == theme.color("text.disabled")
    for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive):
        assert palette.color(group, QPalette.ColorRole.Text) == theme.color("text")


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_glyphs_of_the_sheet_are_in_the_theme_s_colours(name: str) -> None:
    tokens = {
        "chevron-down": "text.2",
        "chevron-up": "text.2",
        "chevron-right": "text.3",
        "check": "on.accent",
        "check-menu": "accent",
    }

    for glyph, token in tokens.items():
        text = resource("themes", name, f"{glyph}.svg").read_text(encoding="utf-8")
        assert TOKENS.colors[token][name] in text


def test_the_sheet_names_only_files_that_exist(qapp: QApplication) -> None:
    for name in ("dark", "light"):
        urls = re.findall(r'url\("(.+?)"\)', Theme(name).style_sheet())
        assert urls
        assert all(Path(url).is_file() for url in urls)


def test_fonts_come_with_the_program(qapp: QApplication) -> None:
    theme = Theme("dark")

    assert QFontInfo(theme.font("body")).family() == "Inter"
    assert QFontInfo(theme.font("mono")).family() == "JetBrains Mono"
    assert theme.font("body").pixelSize() == 12


def test_an_icon_is_drawn_in_its_colour_only(qapp: QApplication) -> None:
    theme = Theme("dark")
    image = theme.pixmap("square!", "bp", 16, 2.0).toImage()

    assert (image.width(), image.devicePixelRatio()) == (32, 2.0)
    assert image.pixelColor(16, 16) == theme.color("bp")
    assert image.pixelColor(0, 0).alpha() == 0


def test_an_outlined_icon_is_not_filled(qapp: QApplication) -> None:
    image = Theme("dark").pixmap("square", "bp", 16, 1.0).toImage()

    assert image.pixelColor(8, 8).alpha() == 0


def test_every_icon_that_code_names_exists_and_no_other_is_shipped() -> None:
    files = {path.stem for path in resource("icons").glob("*.svg")}
    words: set[str] = set()
    for source in SOURCES.rglob("*.py"):
        words |= set(re.findall(r'"([a-z][a-z0-9-]*)!?"', source.read_text(encoding="utf-8")))

    assert not files - words, "shipped and never named"
    asked = {look.icon.removesuffix("!") for look in STATES.values()}
    for source in SOURCES.rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        asked |= set(re.findall(r'\b(?:icon|pixmap)\(\s*"([a-z0-9-]+)!?"', text))
        asked |= set(re.findall(r'\bEmptyState\(\s*(?:self\.)?_?theme,\s*"([a-z0-9-]+)"', text))
    assert not asked - files, "named and not shipped"


def test_every_status_has_a_look() -> None:
    for status in (*ROUTINE_STATUSES, *JOB_STATUSES):
        assert status in STATES
        assert resource("icons", f"{state_icon(status).removesuffix('!')}.svg").is_file()
        assert state_color(status) in TOKENS.colors
        assert state_word(status)


def test_what_threads_do_has_a_look_and_so_has_a_stalled_job() -> None:
    for status in ("running", "idle", "waits", "abandoned", STALLED):
        assert state_word(status) == status.lower()
        assert state_icon(status) in {look.icon for look in STATES.values()}
    assert state_color(STALLED) == "queue.high"
    assert state_color("abandoned") != state_color("idle")


def test_a_status_nobody_knows_is_shown_by_its_name() -> None:
    assert state_word("NEW") == "NEW"
    assert state_icon("NEW") == "circle"


def test_a_mix_of_tokens_is_opaque(qapp: QApplication) -> None:
    theme = Theme("dark")

    assert theme.mix("text", "bg.panel", 0.0) == theme.color("bg.panel")
    half = theme.mix(QColor("#FFFFFF"), QColor("#000000"), 0.5)
    assert (half.red(), half.alpha()) == (128, 255)
