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
    """A part of a page under a heading in capitals, with a rule above."""

    def __init__(self, theme: Theme, heading: str = "") -> None:
        super().__init__()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(rule())
        self.body = QVBoxLayout()
        self.body.setContentsMargins(PAD, 10, PAD, PAD)
        self.body.setSpacing(6)
        outer.addLayout(self.body)
        if heading:
            head = PlainLabel(
                theme, heading.upper(), color="text.2", font="caption.strong", selectable=False
            )
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


def _show_value(label: ElidedLabel, text: str, color: str, tip: str) -> None:
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
        _show_value(self.value, text, color, tip)


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
        _show_value(self.value, text, color, tip)


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


class HeldCard(QFrame):
    """The messages held at this routine, on the held ground."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(10, 8, 10, 8)
        self._box.setSpacing(4)
        self._dress()
        theme.changed.connect(self._dress)

    def show_held(self, title: str, lines: list[tuple[str, str]]) -> None:
        """Show which messages would go next."""
        while (item := self._box.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(None)
                widget.deleteLater()
        head = PlainLabel(self._theme, title, color="state.held", font="body.strong", wrap=True)
        self._box.addWidget(head)
        for place, text in lines:
            self._box.addWidget(PlainLabel(self._theme, place, color="text.2", font="caption"))
            value = ElidedLabel(self._theme, font="mono")
            _show_value(value, text, "text", place)
            self._box.addWidget(value)

    def _dress(self) -> None:
        ground, edge = self._theme.color("held.bg"), self._theme.color("held.edge")
        self.setStyleSheet(
            f"HeldCard {{ background: {ground.name()}; border: 1px solid {edge.name()};"
            " border-radius: 4px; }"
        )


def glyph_label(theme: Theme, icon: str, color: str, size: int = 12) -> QLabel:
    """A small icon beside a text."""
    label = QLabel()
    label.setPixmap(theme.pixmap(icon, color, size, label.devicePixelRatioF()))
    return label
