"""The messages held at a routine."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QVBoxLayout

from penstock.host import HeldValue
from penstock_gui.docks.inspector.facts import HeldLine
from penstock_gui.docks.inspector.opening import Opening, OpenValues
from penstock_gui.docks.inspector.parts import PAD, show_value
from penstock_gui.theme import Theme
from penstock_gui.widgets import ElidedLabel, PlainLabel


class HeldCard(QFrame):
    """The messages held at this routine, on the held ground; each can be looked into."""

    def __init__(self, theme: Theme, values: OpenValues) -> None:
        super().__init__()
        self._theme = theme
        self._values = values
        self.openings: dict[tuple[str, int], Opening] = {}
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 8, 10, 8)
        self._box.setSpacing(4)
        self._dress()
        theme.changed.connect(self._dress)

    def show_held(self, title: str, lines: Sequence[HeldLine]) -> None:
        """Show which messages would go next."""
        self.clear()
        head = PlainLabel(self._theme, title, color="state.held", font="body.strong", wrap=True)
        self._add(head)
        for line in lines:
            self._add(PlainLabel(self._theme, line.place, color="text.2", font="caption"))
            value = ElidedLabel(self._theme, font="mono")
            show_value(value, line.text, "text", line.place)
            opening = Opening(self._theme, self._values, value, line.place)
            self.openings[line.slot, line.number] = opening
            self._box.addWidget(opening)

    def offer(self, held: Sequence[HeldValue]) -> None:
        """What can be looked into by now."""
        for value in held:
            opening = self.openings.get((value.slot, value.number))
            if opening is not None:
                opening.offer(value.reference, value.number)

    def clear(self) -> None:
        """Show none, and let go what was open."""
        self.close_values()
        self.openings.clear()
        while (item := self._box.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(None)
                widget.deleteLater()

    def close_values(self) -> None:
        """Let go what is open."""
        for opening in self.openings.values():
            opening.close_value()

    def _add(self, label: PlainLabel) -> None:
        label.setContentsMargins(PAD, 0, 0, 0)
        self._box.addWidget(label)

    def _dress(self) -> None:
        ground, edge = self._theme.color("held.bg"), self._theme.color("held.edge")
        self.setStyleSheet(
            f"HeldCard {{ background: {ground.name()}; border: 1px solid {edge.name()};"
            " border-radius: 4px; }"
        )
