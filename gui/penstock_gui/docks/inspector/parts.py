"""What the inspector's pages are made of: rules, sections, stats, rows of name and value."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from penstock_gui.docks.inspector.facts import Stat
from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, PlainLabel, SteadyLabel

PAD = 12
_NAME_WIDTH = 84


class Swatch(QWidget):
    """The routine's colour."""

    def __init__(self, theme: Theme, color: int) -> None:
        super().__init__()
        self._theme = theme
        self._color = color
        self.setFixedSize(12, 12)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.routine_edge(self._color), 1))
        painter.setBrush(self._theme.routine_color(self._color))
        painter.drawRoundedRect(QRectF(0.5, 0.5, 11, 11), 2, 2)
        painter.end()


def rule() -> QFrame:
    """A hair line between sections."""
    line = QFrame()
    line.setObjectName("rule")
    return line


class Section(QWidget):
    """A part of a page under a heading in capitals, with a rule above.

    With a `gutter` its rows begin at the edge and have the room at their left themselves.
    """

    def __init__(self, theme: Theme, heading: str = "", *, gutter: bool = False) -> None:
        super().__init__()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(rule())
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0 if gutter else PAD, 10, PAD, PAD)
        self.body.setSpacing(6)
        outer.addLayout(self.body)
        if heading:
            head = PlainLabel(
                theme, heading.upper(), color="text.2", font="caption.strong", selectable=False
            )
            head.setContentsMargins(PAD if gutter else 0, 0, 0, 0)
            self.body.addWidget(head)


class StatRow(QWidget):
    """Numbers side by side, each above its unit."""

    def __init__(self, theme: Theme, first: tuple[Stat, ...]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(PAD, 10, PAD, 10)
        row.setSpacing(8)
        self._labels: list[SteadyLabel] = []
        for stat in first:
            column = QVBoxLayout()
            column.setSpacing(0)
            number = SteadyLabel(theme, font="title")
            self._labels.append(number)
            column.addWidget(number)
            unit = PlainLabel(theme, stat.unit, color="text.2", font="caption", selectable=False)
            column.addWidget(unit)
            row.addLayout(column)
            row.addStretch(1)
        self.show_stats(first)

    def texts(self) -> tuple[str, ...]:
        """The numbers as shown."""
        return tuple(label.text() for label in self._labels)

    def show_stats(self, stats: tuple[Stat, ...]) -> None:
        """Show other numbers of the same kinds."""
        for label, stat in zip(self._labels, stats, strict=True):
            if label.text() != stat.text:
                label.setText(stat.text)
            label.set_color(stat.color)


def _name_label(theme: Theme, name: str, color: str) -> ElidedLabel:
    label = ElidedLabel(theme, name, color=color, mode=Qt.TextElideMode.ElideMiddle)
    label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    label.setFixedWidth(_NAME_WIDTH)
    return label


def show_value(label: ElidedLabel, text: str, color: str, tip: str) -> None:
    is_text = text.startswith(("'", '"'))
    label.set_mode(Qt.TextElideMode.ElideMiddle if is_text else Qt.TextElideMode.ElideRight)
    label.show_text(text, tip)
    label.set_color(color)


class ValueRow(QWidget):
    """A name at the left, a value in the values' font at the right."""

    def __init__(
        self, theme: Theme, name: str, value: str = "", color: str = "text", font: str = "mono"
    ) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.name = _name_label(theme, name, "text.2")
        self.value = ElidedLabel(theme, value, color=color, font=font)
        row.addWidget(self.name)
        row.addWidget(self.value, 1)

    def show_value(self, text: str, color: str, tip: str = "") -> None:
        """Show another value."""
        show_value(self.value, text, color, tip)


class SlotRow(QWidget):
    """A slot: name, what passed, how full it is; below that what was lost, and its last value."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(_name_label(theme, name, "text"))
        self.passed = ElidedLabel(theme, color="text.2", font="caption")
        self.passed.set_right()
        line.addWidget(self.passed, 1)
        self.fill = SteadyLabel(theme, font="pill", selectable=False)
        line.addWidget(self.fill)
        box.addLayout(line)
        self.lost = PlainLabel(theme, color="state.failed", font="caption", wrap=True)
        self.lost.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.lost.hide()
        box.addWidget(self.lost)
        self.value = ElidedLabel(theme, font="mono")
        box.addWidget(self.value)

    def show_count(self, passed: str, lost: str, depth: str, depth_color: str) -> None:
        """Show what passed, what was lost ("" for nothing) and what waits."""
        self.passed.show_text(passed)
        self.lost.setText(lost)
        self.lost.setVisible(bool(lost))
        if depth != self.fill.text():
            self.fill.setText(depth)
        self.fill.set_color(depth_color)

    def show_value(self, text: str, color: str, tip: str = "") -> None:
        """Show another last value."""
        show_value(self.value, text, color, tip)


class PortRow(QWidget):
    """A port: name, type, and one more word at the right."""

    def __init__(self, theme: Theme, name: str, type_text: str, more: str, tip: str = "") -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.name = _name_label(theme, name, "text")
        self.name.show_text(name, tip)
        row.addWidget(self.name)
        row.addWidget(ElidedLabel(theme, type_text, color="syn.type", font="mono"), 1)
        self.more = PlainLabel(theme, more, color="text.2", selectable=False)
        row.addWidget(self.more)


def glyph_label(theme: Theme, icon: str, color: str, size: int = 12) -> QLabel:
    """A small icon beside a text."""
    label = QLabel()
    label.setPixmap(theme.pixmap(icon, color, size, label.devicePixelRatioF()))
    return label
