"""The theme in use: asked for colours, fonts and icons by what they are for."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from penstock_gui.assets import resource
from penstock_gui.theme import states
from penstock_gui.theme.colors import ROUTINE_COLORS, FontUse, Tokens, ink_on
from penstock_gui.theme.icons import IconSet
from penstock_gui.theme.palette import make_palette
from penstock_gui.theme.sheet import style_sheet

UI_FAMILY = "Inter"
MONO_FAMILY = "JetBrains Mono"


class Theme(QObject):
    """Light or dark, chosen or as the system says.

    Signals:
        changed(): the colours are others; repaint, set icons again.
    """

    changed = Signal()

    def __init__(self, choice: str = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tokens = Tokens.load(resource("themes", "tokens.json"))
        self._icons = IconSet()
        self._colors: dict[str, QColor] = {}
        self._fonts: dict[str, QFont] = {}
        self._app: QApplication | None = None
        self._choice = choice
        self._name = _resolve(choice)
        load_fonts()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    @property
    def name(self) -> str:
        """``light`` or ``dark``."""
        return self._name

    @property
    def choice(self) -> str:
        """``system``, ``light`` or ``dark``."""
        return self._choice

    def use(self, choice: str) -> None:
        """Choose ``system``, ``light`` or ``dark``; an applied theme changes at once."""
        self._choice = choice
        self._switch(_resolve(choice))

    def apply(self, app: QApplication) -> None:
        """Give the application this theme's style, palette, font and style sheet."""
        self._app = app
        app.setStyle("Fusion")
        app.setFont(self.font("body"))
        self._dress(app)

    def color(self, token: str) -> QColor:
        """The colour of a token; raises KeyError for one that isn't in the tokens file."""
        if token not in self._colors:
            self._colors[token] = QColor(self._tokens.colors[token][self._name])
        return QColor(self._colors[token])

    def mix(self, a: str | QColor, b: str | QColor, part: float) -> QColor:
        """``part`` of ``a`` laid over ``b``, opaque; tokens or colours."""
        over, under = (self.color(one) if isinstance(one, str) else one for one in (a, b))
        rest = 1 - part
        return QColor.fromRgbF(
            over.redF() * part + under.redF() * rest,
            over.greenF() * part + under.greenF() * rest,
            over.blueF() * part + under.blueF() * rest,
        )

    def routine_color(self, index: int) -> QColor:
        """The fill of a routine's swatch or bar; colours repeat after ten."""
        return self.color(f"cat.{index % ROUTINE_COLORS}")

    def routine_edge(self, index: int) -> QColor:
        """The 1 px outline that goes with `routine_color`."""
        return self.color(f"cat.{index % ROUTINE_COLORS}.edge")

    def ink_on(self, color: QColor) -> QColor:
        """White or near-black, whichever reads better on a fill."""
        return QColor(ink_on(color.name()))

    def font(self, use: str) -> QFont:
        """The font of a use: body, caption, mono, node.title and the others of the tokens."""
        if use not in self._fonts:
            self._fonts[use] = _make_font(self._tokens.fonts[use])
        return QFont(self._fonts[use])

    def number(self, path: str) -> float:
        """A size, radius, line width and so on, as ``group.name``."""
        return self._tokens.numbers[path]

    def px(self, path: str) -> int:
        """`number` as whole pixels."""
        return round(self._tokens.numbers[path])

    def icon(self, name: str, color: str = "text.2", size: int = 16) -> QIcon:
        """A tinted icon with a disabled look; ``name!`` is the filled one."""
        return self._icons.icon(name, self.color(color), self.color("text.disabled"), size)

    def pixmap(
        self, name: str, color: str | QColor = "text.2", size: int = 16, dpr: float = 1.0
    ) -> QPixmap:
        """A tinted icon for own painting; ``color`` is a token or a colour."""
        tint = self.color(color) if isinstance(color, str) else color
        return self._icons.pixmap(name, tint, size, dpr)

    def state_icon(self, status: str) -> str:
        """Icon name of a routine's, job's or thread's status."""
        return states.state_icon(status)

    def state_color(self, status: str) -> str:
        """Colour token of a routine's, job's or thread's status."""
        return states.state_color(status)

    def style_sheet(self) -> str:
        """The one style sheet of the application."""
        colors = {token: one[self._name] for token, one in self._tokens.colors.items()}
        return style_sheet(colors, resource("themes", self._name))

    def palette(self) -> QPalette:
        """The palette with every role of every group set."""
        return make_palette(self.color)

    def _on_system_changed(self) -> None:
        self._switch(_resolve(self._choice))

    def _switch(self, name: str) -> None:
        if name == self._name:
            return
        self._name = name
        self._colors.clear()
        if self._app is not None:
            self._dress(self._app)
        self.changed.emit()

    def _dress(self, app: QApplication) -> None:
        app.setPalette(self.palette())
        app.setStyleSheet(self.style_sheet())


def _resolve(choice: str) -> str:
    """What a choice means now; a system that doesn't say gets the dark one."""
    if choice in ("light", "dark"):
        return choice
    light = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light
    return "light" if light else "dark"


@cache
def load_fonts() -> None:
    """Register the shipped fonts once per process; needs the QGuiApplication."""
    for name in ("Inter.ttf", "JetBrainsMono.ttf"):
        path = resource("fonts", name)
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise FileNotFoundError(f"the font {path} can't be loaded")


def _make_font(use: FontUse) -> QFont:
    font = QFont(MONO_FAMILY if use.mono else UI_FAMILY)
    if use.px == round(use.px):
        font.setPixelSize(round(use.px))
    else:
        font.setPointSizeF(use.px * 72 / QGuiApplication.primaryScreen().logicalDotsPerInchY())
    # Both fonts are variable: the weight is an axis, `setWeight` alone picks no other cut.
    font.setVariableAxis(QFont.Tag("wght"), use.weight)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    if use.mono:
        font.setFeature(QFont.Tag("calt"), 0)  # "->" stays two characters
    else:
        font.setVariableAxis(QFont.Tag("opsz"), 14)
        font.setFeature(QFont.Tag("tnum"), 1)  # counters don't jitter
    return font
